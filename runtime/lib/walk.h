/* SPDX-License-Identifier: MIT */
/*
 * walk.h - which way a thread goes on from where it was sampled, worked out from its registers without touching it.
 *
 *     a sample's registers and stack, the program's memory -> instruction by instruction -> runs
 *
 * An interpreter of the integer instructions and of what moves and compares vector registers; other instructions without effects of their own are executed by the processor, on copies of what the walk knows (walk_native.h). It writes to nobody's memory: what the instructions store is
 * seen by the walk alone. What it does not know (results of other instructions, memory that cannot be read) is marked byte by byte, and where the way depends on
 * that, the walk ends. So what it says is what the thread would have done if nobody had changed the memory that it reads since the sample was taken; that is what
 * makes it a guess, and what its runs are used for can only cost time.
 */
#ifndef DYNOPT_WALK_H
#define DYNOPT_WALK_H

#include "decode.h"

#define WALK_STORES 512u /* words that a walk may write to, a power of 2 */
#define WALK_PAGE 4096u
#define WALK_CODE \
	16384u /* instructions that are kept: as many as tcc's walks meet; decoding them again took half of their time */
#define WALK_PLACES 32768u /* in which they are looked for, a power of 2 */

/* X(NAME, "why a walk ended") */
#define WALK_ENDS(X) \
	X(LIMIT, "it was long enough") \
	X(WAY, "the way depends on something unknown") \
	X(STORE, "it would write to an unknown place") \
	X(ROOM, "it writes to too many places") \
	X(UNREAD, "there is no code that can be read") \
	X(SYSTEM, "a system call, a trap, or an instruction that is not understood")
struct walk_native;

enum walk_end {
#define X(name, text) WALK_##name,
	WALK_ENDS(X)
#undef X
		WALK_ENDS_N
};

/* Of a register of 8 bytes, or an aligned word in memory: bit n of `known` is for byte n. */
struct walk_word {
	u64 value;
	u8 known;
};

enum walk_encoding { WALK_LEGACY, WALK_VEX, WALK_EVEX };

/* What an instruction's bytes say beyond that; prefix: f2, f3 or 0. */
struct walk_form {
	u8 encoding, map, opcode; /* map: 1 is 0f; 0 where the opcode is one byte */
	u8 rex, prefix;
	u8 size; /* of operands of the usual kind: 2, 4, 8 */
	u8 modrm_at; /* 0: it has none */
	u8 reg, rm; /* of ModRM, with what prefixes add */
	u8 width; /* of vectors: 16, 32, 64 */
	u8 mask; /* register by whose bits elements are left out; 0: none is */
	bool word, memory; /* prefix 66; the operand of ModRM lies in memory */
	bool whole; /* it is understood: no 32-bit addresses, no operand whose place the address does not tell */
};

#define WALK_VECTORS 32

struct walk_machine {
	struct walk_word gpr[16]; /* in encoding order */
	_Alignas(64) u64 vec[WALK_VECTORS][8];
	u64 vec_known[WALK_VECTORS]; /* bit n: byte n */
	struct walk_word mask[8];
	u64 rip;
	u64 flags_in_out; /* of an instruction that the processor executes (walk_native.h) */
	u16 flags, flags_known; /* FLAG_... */
};

/* What surrounds a walk. Addresses are run-time addresses. */
struct walk_world {
	/* Up to `size` bytes of code, as the program has it without our changes; how many there are. */
	u32 (*code)(void *ctx, u64 addr, u8 *out, u32 size);
	/* The page at `at`; NULL: it cannot be read. Valid until the walk ends. */
	const u8 *(*page)(void *ctx, u64 at);
	/* Control came to `start`, went straight on to `last` and from there to `to`; with 0 it has not gone further. */
	void (*run)(void *ctx, u64 start, u64 last, u64 to);
	void *ctx;
	u64 guard; /* at fs:0x28, in every thread */
};

struct walk {
	const struct walk_world *world;
	void *decoder;
	struct walk_native *native; /* NULL: the processor executes nothing */
	struct walk_machine m;
	u64 stack_at; /* bytes as they were when the sample was taken */
	const u8 *stack;
	u32 n_stack;
	u64 locals; /* what fs: addresses are counted from; 0: not known */
	bool still; /* all memory is of the moment when the sample was taken */
	u32 n_insns, n_runs; /* done */
	enum walk_end end;
	struct {
		u64 at;
		struct walk_word word;
		u8 written; /* its bytes */
		u32 walk; /* of which walk it is */
	} stores[WALK_STORES];
	u32 number;
	struct walk_code {
		struct insn insn;
		struct walk_form form;
		u16 behind; /* index of what came behind it last */
		u16 slot; /* of its copy (walk_native.h), and 1; 0: none yet */
	} code[WALK_CODE];
	u16 places[WALK_PLACES]; /* by address: index and 1 */
	u32 n_code, last; /* last: index of the instruction that was executed last */
};

/* Forgets what it has read of the program's code. */
void walk_begin_round(struct walk *w);
/*
 * From w->m, w->stack_at, w->stack and w->n_stack, at most `runs` runs and `insns` instructions; all of them are handed to world->run. The walk ends in w->m, in front
 * of what it has not done; of that, with STORE and ROOM, a part may have been.
 */
void walk_on(struct walk *w, u32 runs, u32 insns);

#endif
