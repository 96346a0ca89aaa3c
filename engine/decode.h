/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * decode.h - one machine instruction, and all that the engine knows of it.
 *
 *     bytes -> Zydis -> struct insn
 *
 * Only this module knows the decoder library. An instruction carries its bytes,
 * its role in the flow of control, where its address fields stand, and its
 * definitions and uses: registers with partial and upper-half rules, flags bit
 * by bit, memory. Invariant: what has no complete model is not decoded but
 * refused by name, so that nobody reasons with half a truth.
 *
 * Addresses are module addresses (link-time, without load bias) everywhere in
 * the engine; only differences matter, so every process can share the result.
 */
#ifndef DYNOPT_ENGINE_DECODE_H
#define DYNOPT_ENGINE_DECODE_H

#include "engine_status.h"
#include "port.h"

#define INSN_MAX_LEN 15
#define JMP_REL8_LEN 2
#define JMP_REL32_LEN 5
#define CALL_REL32_LEN 5

enum insn_role {
	ROLE_PLAIN,         /* goes on with the next instruction, or faults */
	ROLE_JMP,           /* direct */
	ROLE_JCC,           /* direct, on flags */
	ROLE_COUNT,         /* loop, loope, loopne, jrcxz: direct, 8-bit only, on rcx */
	ROLE_CALL,          /* direct */
	ROLE_CALL_INDIRECT,
	ROLE_JMP_INDIRECT,
	ROLE_RET,
	ROLE_SYSCALL,       /* syscall, int 0x80: the kernel may rewind the instruction pointer */
	ROLE_TRAP,          /* int3, ud1, ud2, int n: reports its own address */
	ROLE_SYSTEM,        /* of decode_brief() only: decode_insn() refuses it by name */
};

enum insn_flag {
	INSN_RIP = 1 << 0,     /* has an operand relative to the instruction pointer: .target */
	INSN_LOAD = 1 << 1,    /* reads memory (stack pops included) */
	INSN_STORE = 1 << 2,   /* writes memory (pushes included) */
	INSN_LOCKED = 1 << 3,  /* lock prefix, or xchg with memory */
	INSN_FENCE = 1 << 4,   /* mfence, lfence, sfence, serializing (cpuid, ...) */
	INSN_NOP = 1 << 5,     /* any executed NOP, endbr64 included, pause not */
	INSN_ENDBR = 1 << 6,
	INSN_REP = 1 << 7,     /* repeated string instruction: resumes in its middle */
	INSN_STACK = 1 << 8,   /* moves rsp implicitly: push, pop, call, ret, leave, enter */
	INSN_FAULTS = 1 << 9,  /* can fault: memory, division, vector arithmetic */
	INSN_FLOAT = 1 << 10,  /* depends on or changes MXCSR or the x87 state */
	INSN_OPAQUE = 1 << 11, /* exact copies only, nothing moves across: uses and defines all */
	INSN_TABLE =
		1
		<< 12, /* made by a pass: an indirect jump through the shadow of the jump table at .target (code.h) */
};

/*
 * Registers: gpr bit n is register n in encoding order (rax rcx rdx rbx rsp rbp rsi
 * rdi r8..r15); vec bit n is zmm n with all its parts; mask bit n is k n;
 * other: REGS_X87 etc.
 */
struct reg_set {
	u32 vec;
	u16 gpr;
	u8 mask;
	u8 other;
};
enum reg_other {
	REGS_X87 = 1 << 0, /* st(0..7), mm0..7, status, control and tag words */
	REGS_MXCSR = 1 << 1,
	REGS_FSGS = 1 << 2, /* segment bases */
	REGS_PKRU = 1 << 3,
};

/* Arithmetic flags, at their places in RFLAGS. */
#define FLAG_CF 0x001u
#define FLAG_PF 0x004u
#define FLAG_AF 0x010u
#define FLAG_ZF 0x040u
#define FLAG_SF 0x080u
#define FLAG_DF 0x400u
#define FLAG_OF 0x800u

#define MEM_NO_REG 0xff
struct insn_mem {
	u8 base, index; /* gpr number, MEM_NO_REG; base MEM_NO_REG with INSN_RIP: rip */
	u8 scale; /* 1, 2, 4, 8; 0 without index */
	u8 segment; /* 0: none that matters; else 'f' or 'g' */
	u16 size; /* bytes accessed at most; 0: base + index + disp does not say where
	                    (rep, gather, bit string, 32-bit address, opaque) */
	bool load, store; /* neither: the address is only computed (lea, prefetch) */
	s64 disp; /* from registers as they are before the instruction; with rip: see target */
};

struct insn {
	u64 addr;
	u64 target; /* direct branches: where to; INSN_RIP: the address accessed; INSN_TABLE: the table */
	u32 flags; /* INSN_... */
	u16 mnemonic; /* ZydisMnemonic; name: insn_mnemonic() */
	u8 len;
	u8 role; /* ROLE_... */
	u8 cc; /* ROLE_JCC: condition code 0..15 as encoded (SDM 2, appendix B.1.4) */
	u8 rip_at; /* INSN_RIP, INSN_TABLE: offset of the 32-bit displacement in bytes[]; else 0 */
	u8 opcode_at; /* offset of the opcode (after prefixes) in bytes[] */
	u8 n_mem;
	u8 bytes[INSN_MAX_LEN + 1];
	struct insn_mem mem[2]; /* explicit operands, then implicit ones (stack, string) */
	struct reg_set use; /* read, wholly or in part; partial writes read the rest */
	u16 gpr_values; /* of use.gpr: read for more than to form the addresses of mem[] */
	struct reg_set def; /* written, wholly or in part */
	/*
	 * Of def: all bits replaced (32-bit writes zero the upper half; VEX does, SSE does not). What is
	 * in full and not in use does not depend on its old value.
	 */
	struct reg_set full;
	u16 flags_use, flags_def; /* FLAG_... */
	u16 flags_undef; /* of flags_def: always left undefined by the manual */
};

/*
 * Decodes the instruction at bytes[0..size) that stands at addr. STATUS_DECODE_... if it cannot
 * be part of a translation for want of a model; control transfers, syscalls and traps that the
 * engine understands as *ends of a path* do decode (see role). `scratch` is decode_scratch_size()
 * bytes for the decoder library, aligned as arena_alloc() does.
 */
__must_check enum status decode_insn(const u8 *bytes, u64 size, u64 addr, void *scratch,
                                     struct insn *out, struct failure *fail);
u64 decode_scratch_size(void);

/*
 * Length and role only, about twice as fast: for walking over text. Succeeds for every
 * instruction with a length that processors agree on; what decode_insn() refuses by name has
 * ROLE_SYSTEM here, except that operands are not looked at (a load of a segment register is
 * ROLE_PLAIN). STATUS_DECODE_INVALID, _CUT, _UNKNOWN (16-bit branches).
 */
struct insn_brief {
	u64 target; /* direct branches, xbegin included; else 0 */
	u8 len, role;
	bool endbr, nop;
};
__must_check enum status decode_brief(const u8 *bytes, u64 size, u64 addr, void *scratch,
                                      struct insn_brief *out, struct failure *fail);

/*
 * May a path go on behind it within the same translation (with its edges)? Calls, syscalls,
 * traps: no.
 */
static inline bool insn_ends_path(const struct insn *insn)
{
	return insn->role == ROLE_CALL || insn->role == ROLE_CALL_INDIRECT ||
	       insn->role == ROLE_SYSCALL || insn->role == ROLE_TRAP || insn->role == ROLE_SYSTEM;
}

/* "mov"; never NULL. */
const char *insn_mnemonic(u16 mnemonic);

#endif
