/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * text_quick.c - length and kind of the instructions that most text consists of, by table.
 *
 * Walking over a module's text asks for nothing else, and the full decoder takes several times as long. Invariant: either the
 * answer is the one that decode_brief() leads to, or it is 0, "ask the decoder"; so a row that is missing here
 * costs time, never truth. (tests/unit/test_text_quick.c compares both for every opcode, ModRM byte and
 * prefix that is looked at here.)
 *
 * Opcode maps: SDM 2, appendix A.2; ModRM and SIB: SDM 2, 2.1.5.
 */
#include "text_private.h"

#define PREFIX_NONE 1u
#define PREFIX_66 2u
#define PREFIX_F2 4u
#define PREFIX_F3 8u
#define PREFIX_FS 16u
#define CS \
	0x2e /* of no effect in 64-bit mode, but in front of branches a hint: longer encodings begin with it */
#define REX_B 1
#define REX_R 4
#define LEAVE 0xc9
#define RBX 3u
#define RBP 5u
#define PADDING_MAX 4 /* prefixes that are passed over */

/* Of an opcode: with which of the prefixes above it is known (low bits), and what follows it. */
#define ANY (PREFIX_NONE | PREFIX_66 | PREFIX_FS)
#define SSE_ALL (PREFIX_NONE | PREFIX_66 | PREFIX_F2 | PREFIX_F3)
#define SSE_PACKED (PREFIX_NONE | PREFIX_66)
#define SSE_SCALAR (PREFIX_F2 | PREFIX_F3)
#define MODRM 0x100u
#define IMM8 0x200u
#define IMMZ 0x400u /* 4 bytes; 2 with 66 */
#define GROUP 0x800u /* depends on the reg field: group() */
#define IMM64 0x1000u

#define ALU(row) \
	[(row)...(row) + 3] = ANY | MODRM, [(row) + 4] = ANY | IMM8, [(row) + 5] = ANY | IMMZ

static const u16 one_byte[256] = {
	ALU(0x00),
	ALU(0x08),
	ALU(0x10),
	ALU(0x18),
	ALU(0x20),
	ALU(0x28),
	ALU(0x30),
	ALU(0x38),
	[0x50 ... 0x5f] = PREFIX_NONE, /* push, pop */
	[0x63] = PREFIX_NONE | MODRM, /* movslq */
	[0x68] = PREFIX_NONE | IMMZ,
	[0x69] = ANY | MODRM | IMMZ,
	[0x6a] = PREFIX_NONE | IMM8,
	[0x6b] = ANY | MODRM | IMM8,
	[0x70 ... 0x7f] = PREFIX_NONE | IMM8, /* jcc */
	[0x80] = ANY | MODRM | IMM8,
	[0x81] = ANY | MODRM | IMMZ,
	[0x83] = ANY | MODRM | IMM8,
	[0x84 ... 0x8b] = ANY | MODRM, /* test, xchg, mov */
	[0x8d] = PREFIX_NONE | MODRM | GROUP, /* lea */
	[0x90] = PREFIX_NONE | PREFIX_66 | GROUP,
	[0x98 ... 0x99] = PREFIX_NONE | PREFIX_66,
	[0xa8] = ANY | IMM8,
	[0xa9] = ANY | IMMZ,
	[0xb0 ... 0xb7] = PREFIX_NONE | IMM8,
	[0xb8 ... 0xbf] = PREFIX_NONE | PREFIX_66 | IMMZ | GROUP,
	[0xc0 ... 0xc1] = ANY | MODRM | IMM8 | GROUP, /* shifts */
	[0xc3] = PREFIX_NONE,
	[0xc6] = ANY | MODRM | IMM8 | GROUP, /* mov */
	[0xc7] = ANY | MODRM | IMMZ | GROUP,
	[0xc9] = PREFIX_NONE, /* leave */
	[0xcc] = PREFIX_NONE | GROUP, /* int3 */
	[0xd0 ... 0xd3] = ANY | MODRM | GROUP, /* shifts */
	[0xe8 ... 0xe9] = PREFIX_NONE | IMMZ,
	[0xeb] = PREFIX_NONE | IMM8,
	[0xf6 ... 0xf7] = ANY | MODRM | GROUP, /* test, not, neg, mul, div */
	[0xfe] = ANY | MODRM | GROUP,
	[0xff] = PREFIX_NONE | MODRM | GROUP,
};

static const u16 two_bytes[256] = {
	[0x10 ... 0x11] = SSE_ALL | MODRM, /* movups and the like */
	[0x1f] = SSE_PACKED | MODRM | GROUP, /* nop */
	[0x28 ... 0x29] = SSE_PACKED | MODRM,
	[0x2a] = SSE_SCALAR | MODRM,
	[0x2c ... 0x2d] = SSE_SCALAR | MODRM,
	[0x2e ... 0x2f] = SSE_PACKED | MODRM,
	[0x40 ... 0x4f] = ANY | MODRM, /* cmovcc */
	[0x51] = SSE_ALL | MODRM,
	[0x54 ... 0x57] = SSE_PACKED | MODRM,
	[0x58 ... 0x59] = SSE_ALL | MODRM,
	[0x5a] = SSE_ALL | MODRM,
	[0x5c ... 0x5f] = SSE_ALL | MODRM,
	[0x60 ... 0x6e] = PREFIX_66 | MODRM,
	[0x6f] = PREFIX_66 | PREFIX_F3 | MODRM,
	[0x70] = PREFIX_66 | PREFIX_F2 | PREFIX_F3 | MODRM | IMM8,
	[0x74 ... 0x76] = PREFIX_66 | MODRM,
	[0x7e ... 0x7f] = PREFIX_66 | PREFIX_F3 | MODRM,
	[0x80 ... 0x8f] = PREFIX_NONE | IMMZ, /* jcc */
	[0x90 ... 0x9f] = PREFIX_NONE | MODRM, /* setcc */
	[0xa3] = PREFIX_NONE | MODRM, /* bt */
	[0xa4] = PREFIX_NONE | MODRM | IMM8, /* shld */
	[0xab] = PREFIX_NONE | MODRM,
	[0xac] = PREFIX_NONE | MODRM | IMM8,
	[0xaf] = ANY | MODRM, /* imul */
	[0xb3] = PREFIX_NONE | MODRM,
	[0xb6 ... 0xb7] = ANY | MODRM, /* movzx */
	[0xbc ... 0xbd] = PREFIX_NONE | PREFIX_F3 | MODRM,
	[0xbe ... 0xbf] = ANY | MODRM, /* movsx */
	[0xc6] = SSE_PACKED | MODRM | IMM8,
	[0xc8 ... 0xcf] = PREFIX_NONE, /* bswap */
	[0xd4] = PREFIX_66 | MODRM,
	[0xd6] = PREFIX_66 | MODRM,
	[0xdb] = PREFIX_66 | MODRM,
	[0xdf] = PREFIX_66 | MODRM,
	[0xeb] = PREFIX_66 | MODRM,
	[0xef] = PREFIX_66 | MODRM,
	[0xf8 ... 0xfe] = PREFIX_66 | MODRM,
};

/* Bytes of ModRM, SIB and displacement, by ModRM; a SIB byte without a base has 4 more. */
#define EIGHT(len, rm4, rm5) len, len, len, len, rm4, rm5, len, len
#define MOD(len, rm4, rm5) \
	EIGHT(len, rm4, rm5), EIGHT(len, rm4, rm5), EIGHT(len, rm4, rm5), EIGHT(len, rm4, rm5), \
		EIGHT(len, rm4, rm5), EIGHT(len, rm4, rm5), EIGHT(len, rm4, rm5), \
		EIGHT(len, rm4, rm5)

static const u8 modrm_lens[256] = { MOD(1, 2, 5), MOD(2, 3, 2), MOD(5, 6, 5), MOD(1, 1, 1) };

static u32 modrm_len(const u8 *modrm)
{
	bool no_base = (modrm[0] & 0xc7) == 0x04 && (modrm[1] & 7) == 5;

	return modrm_lens[modrm[0]] + (no_base ? 4 : 0);
}

/* An opcode with GROUP: changes what follows it; false if the decoder is to be asked. */
static bool group(u8 opcode, u32 reg, bool memory, u8 rex, u32 *row)
{
	switch (opcode) {
	case 0x8d:
		return memory;
	case 0x90:
	case 0xcc:
		return !rex; /* with it 90 may be an exchange */
	case 0xb8 ... 0xbf:
		if (rex & 8)
			*row ^= IMMZ | IMM64;
		return true;
	case 0xc0 ... 0xc1:
	case 0xd0 ... 0xd3:
		return reg != 6;
	case 0xc6 ... 0xc7:
		return reg == 0;
	case 0xf6:
		*row |= reg == 0 ? IMM8 : 0;
		return reg != 1;
	case 0xf7:
		*row |= reg == 0 ? IMMZ : 0;
		return reg != 1;
	case 0xfe:
		return reg <= 1;
	case 0xff:
		return reg <= 2 || reg == 4 || reg == 6;
	default:
		return reg == 0; /* nop */
	}
}

static enum kind_class one_byte_class(u8 opcode, u32 reg, const u8 *insn, u32 len)
{
	switch (opcode) {
	case 0x70 ... 0x7f:
		return KIND_JCC8;
	case 0x8b:
	case 0x8d:
		return text_names_table(insn, len) ? KIND_TABLE : KIND_PLAIN;
	case 0x90:
		return KIND_NOP;
	case 0xc3:
		return KIND_BARRIER;
	case 0xcc:
		return len == 1 ? KIND_INT3 : KIND_STOP;
	case 0xe8:
		return KIND_CALL;
	case 0xe9:
		return KIND_JMP32;
	case 0xeb:
		return KIND_JMP8;
	case 0xff:
		if (reg == 2)
			return KIND_CALL_INDIRECT;
		if (reg == 4)
			return text_jumps_by_table(insn, len) ? KIND_JUMP_TABLE : KIND_BARRIER;
		return KIND_PLAIN;
	default:
		return KIND_PLAIN;
	}
}

static u32 prefix_of(u8 byte)
{
	switch (byte) {
	case CS:
		return 0;
	case 0x66:
		return PREFIX_66;
	case 0xf2:
		return PREFIX_F2;
	case 0xf3:
		return PREFIX_F3;
	case 0x64:
		return PREFIX_FS;
	default:
		return PREFIX_NONE;
	}
}

/* Is it one of those? */
static bool is_prefix(u8 byte)
{
	return prefix_of(byte) != PREFIX_NONE;
}

/* Behind the prefixes, REX apart; *prefix: the one that counts. */
static const u8 *pass_prefixes(const u8 *insn, u32 *prefix)
{
	const u8 *at = insn;

	while (at < insn + PADDING_MAX && (*at == CS || (*at == 0x66 && at[1] == 0x66)))
		at++; /* they mean nothing, or the next one says it again */
	*prefix = prefix_of(*at);
	if (*prefix != PREFIX_NONE)
		at++;
	return *at == CS && *prefix == PREFIX_66 ? at + 1 : at; /* as in long NOPs */
}

/* Where an instruction's registers are named. */
struct names {
	const u8 *modrm; /* NULL: it has none */
	u8 opcode, rex;
};

static u8 quick(const u8 *insn, struct names *names)
{
	const u8 *at = insn;
	u32 prefix = PREFIX_NONE, row, reg, len;
	bool wide_map;
	u8 opcode, rex = 0;

	if (is_prefix(*at))
		at = pass_prefixes(insn, &prefix);
	if ((*at & 0xf0) == 0x40)
		rex = *at++;
	wide_map = *at == 0x0f;
	if (wide_map)
		at++;
	opcode = *at++;
	row = wide_map ? two_bytes[opcode] : one_byte[opcode];
	*names = (struct names){ row & MODRM ? at : NULL, opcode, rex };
	if (!(row & prefix))
		return 0;
	reg = *at >> 3 & 7;
	if ((row & GROUP) && !group(opcode, reg, *at < 0xc0, rex, &row))
		return 0;
	if (row & MODRM)
		at += modrm_len(at);
	if (row & (IMM8 | IMMZ | IMM64)) {
		u32 z = prefix == PREFIX_66 && !(rex & 8) ? 2 : 4;

		at += (row & IMM8 ? 1 : 0) + (row & IMMZ ? z : 0) + (row & IMM64 ? 8 : 0);
	}
	len = (u32)(at - insn);
	if (len > INSN_MAX_LEN)
		return 0;
	if (!wide_map)
		return (u8)(one_byte_class(opcode, reg, insn, len) << 4 | len);
	if ((opcode & 0xf0) == 0x80)
		return (u8)(KIND_JCC32 << 4 | len);
	return (u8)((opcode == 0x1f ? KIND_NOP : KIND_PLAIN) << 4 | len);
}

u8 text_quick_kind(const u8 *insn)
{
	struct names names;

	return quick(insn, &names);
}

static bool brief_of(const u8 *insn, u64 addr, struct names *names, struct insn_brief *out)
{
	static const u8 roles[] = {
		[KIND_PLAIN] = ROLE_PLAIN,
		[KIND_NOP] = ROLE_PLAIN,
		[KIND_INT3] = ROLE_TRAP,
		[KIND_STOP] = ROLE_TRAP,
		[KIND_JMP8] = ROLE_JMP,
		[KIND_JMP32] = ROLE_JMP,
		[KIND_JCC8] = ROLE_JCC,
		[KIND_JCC32] = ROLE_JCC,
		[KIND_CALL] = ROLE_CALL,
		[KIND_CALL_INDIRECT] = ROLE_CALL_INDIRECT,
		[KIND_TABLE] = ROLE_PLAIN,
		[KIND_JUMP_TABLE] = ROLE_JMP_INDIRECT,
		[KIND_BARRIER] = ROLE_JMP_INDIRECT,
	};
	u8 kind = quick(insn, names);
	u32 class = kind_class(kind), len = kind_len(kind);
	bool returns = class == KIND_BARRIER && names->opcode == 0xc3;

	if (!kind)
		return false;
	*out = (struct insn_brief){ .len = (u8)len,
		                    .role = returns ? ROLE_RET : roles[class],
		                    .nop = class == KIND_NOP };
	if (kind_direct(class))
		out->target = text_kind_target(kind, insn + len, addr + len);
	return true;
}

bool text_quick_brief(const u8 *insn, u64 addr, struct insn_brief *out)
{
	struct names names;

	return brief_of(insn, addr, &names, out);
}

/* May a field of three bits, which bit `extension` of REX goes with, stand for a part of the register? */
static bool is_named(u32 field, const struct names *names, u8 extension, u32 reg)
{
	bool high = !names->rex && field == 7 && reg == RBX; /* bh */

	return high || ((field & 7) | (names->rex & extension ? 8u : 0)) == reg;
}

/* What an instruction writes it names, but for rax, rcx, rdx, rsp, and what leave does to rbp. */
bool text_quick_keeps(const u8 *insn, u64 addr, u32 reg, struct insn_brief *out)
{
	struct names names;

	if (!brief_of(insn, addr, &names, out) || (names.opcode == LEAVE && reg == RBP))
		return false;
	if (!names.modrm)
		return out->role != ROLE_PLAIN || !is_named(names.opcode & 7u, &names, REX_B, reg);
	return !is_named(*names.modrm >> 3 & 7u, &names, REX_R, reg) &&
	       (*names.modrm < 0xc0 || !is_named(*names.modrm & 7u, &names, REX_B, reg));
}
