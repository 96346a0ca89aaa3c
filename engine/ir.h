/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * ir.h - the intermediate code: a single-entry tree of basic blocks over machine instructions.
 *
 * A block is a run of instructions, the last of which may be a direct branch, an indirect jump or
 * a return; its edges say where control goes on: to a child, back to an ancestor (a loop that
 * stays in the translation), or out to original text. Calls, system calls and traps are not in
 * it: the path leaves to the original instruction, so return addresses are always original.
 *
 * Invariants (ir_verify checks them): block 0 is the root and has no parent; every other block is
 * the child of exactly one edge, of an earlier block; an EDGE_BACK leads to the block itself or
 * an ancestor; an edge's target is the original address of where it leads; a block's instructions
 * stand together in ops[] and follow one another in original text. At every instruction boundary
 * the machine state is that of the original program at ops[].addr: what breaks that must say so
 * in a side table.
 */
#ifndef DYNOPT_ENGINE_IR_H
#define DYNOPT_ENGINE_IR_H

#include "arena.h"
#include "decode.h"
#include "engine_status.h"

enum edge_kind {
	EDGE_NONE,  /* control does not leave this way */
	EDGE_CHILD, /* to blocks[edge.block], its only way in */
	EDGE_BACK,  /* to blocks[edge.block], the block itself or an ancestor */
	EDGE_EXIT, /* to original text at edge.target, or to another translation that starts there */
};

struct ir_edge {
	u64 target; /* original address of where it leads; 0 with EDGE_NONE */
	u32 block;
	u32 flow; /* how often it is taken for COST_ENTRY entries of the tree (cost.h) */
	u16 state; /* index in tree.states: what is to be made good on this way; 0: nothing */
	u8 kind; /* EDGE_... */
};

/*
 * A call that the tree has swallowed: blocks of the callee belong to its frame, those behind the
 * return to the frame around it. Frame 0 is the function in which the tree begins.
 */
struct ir_frame {
	u32 parent; /* frame 0: IR_NO_PARENT */
	u64 call, ret; /* original addresses of the call instruction, and of the one behind it */
};

/*
 * How the machine differs from the original's state at the same place. R is the original's rsp, A
 * the real one. States are made by passes, used by the encoder for exits and by whoever meets an
 * interrupted translation (state.h).
 */
enum ir_pending_kind {
	PENDING_RETURN, /* 8 bytes at A + at := run-time address of original `value` */
	PENDING_REG, /* 8 bytes at A + at := register `reg` */
	RELOAD_REG, /* register `reg` := 8 bytes at A + at; in exit stubs only */
	PENDING_RESULT, /* register `reg` := what the instruction in `value`, `at` bytes, makes (result.h); one after the other */
};
struct ir_pending {
	u64 value; /* module address, or bytes */
	s32 at;
	u8 kind, reg;
};
struct ir_state {
	s32 rsp; /* R - A */
	u16 n;
	u32 first; /* tree.pendings[first .. first + n): results, return addresses, outermost first, then registers */
};

struct ir_block {
	u64 start; /* original address */
	u32 parent; /* block 0: IR_NO_PARENT */
	u32 first, n; /* ops[first .. first + n) */
	u32 weight, branch; /* of the trace */
	u32 frame; /* index in tree.frames */
	u32 freq; /* how often it runs for COST_ENTRY entries of the tree (cost.h) */
	bool aligned; /* a loop's head: who goes round should have few cache lines to fetch (align.c) */
	struct ir_edge next; /* falling through, or a direct jump's target */
	struct ir_edge taken; /* of a conditional branch; else EDGE_NONE */
};

#define IR_NO_PARENT 0xffffffffu

struct ir_tree {
	u64 head; /* blocks[0].start */
	struct ir_block *blocks;
	struct insn *ops;
	struct ir_frame *frames;
	struct ir_state *states; /* states[0] is exact: rsp 0, nothing pending */
	struct ir_pending *pendings;
	u16 *op_state; /* of each op: state in front of it; NULL: all are exact */
	u32 n_blocks, n_ops, n_frames, n_states, n_pendings;
};

/* Checks all invariants; STATUS_IR_... with the block in failure.detail. */
__must_check enum status ir_verify(const struct ir_tree *tree, struct failure *fail);

/*
 * Text form: dumps are tests, so it parses back (ir_text.c, ir_parse.c).
 *
 *     tree 0x1a2c
 *     block 0 0x1a2c
 *       0x1a2c 4883c001        add
 *       0x1a30 740e            jz 0x1a40
 *       next 1 0x1a32          child: number and address
 *       taken exit 0x1a40
 *     block 1 0x1a32 parent 0 weight 120
 *       ...
 *       next back 0 0x1a2c
 *     end
 */

/*
 * Writes the text form, NUL-terminated, at most `size` bytes; returns the length it needs without
 * the NUL.
 */
u64 ir_dump(const struct ir_tree *tree, char *out, u64 size);
/*
 * Parses what ir_dump wrote: instructions are decoded anew from the hex bytes. STATUS_IR_SYNTAX
 * with the line, decode_insn()'s, STATUS_WORKSPACE. Invariants are not checked: that is
 * ir_verify()'s.
 */
__must_check enum status ir_parse(const char *text, u64 size, struct arena *arena,
                                  struct ir_tree *out, struct failure *fail);

#endif
