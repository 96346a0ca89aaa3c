/* SPDX-License-Identifier: MIT */
/*
 * program.h - random programs of toy instructions, and random trees over them.
 *
 * A program is functions with free gaps between them, all branches lead to instruction starts of the same
 * function, and no function falls out of its end. The same seed gives the same program.
 */
#ifndef DYNOPT_TESTS_PROGRAM_H
#define DYNOPT_TESTS_PROGRAM_H

#include "ir.h"

#define TEXT_BASE 0x1000
#define TEXT_SIZE 0x800
#define MAX_INSNS 512
#define MAX_GAPS 64
#define MAX_TABLES 24
#define TABLE_ENTRIES 6
#define TABLE_BASE 0x400000 /* far from all that is modelled: nobody writes there */
#define TABLE_SIZE (TABLE_ENTRIES * 8)
#define MAX_TREE_BLOCKS 24
#define MAX_TREE_OPS 200

/* Of an indirect jump: it leads to one of the targets, instructions of the same function. */
struct table {
	u64 targets[TABLE_ENTRIES];
	u32 n;
};

struct program {
	u8 bytes[TEXT_SIZE]; /* 0xCC where there is nothing */
	u64 insns[MAX_INSNS]; /* address of each instruction, ascending */
	u64 gaps[MAX_GAPS]; /* of JMP_REL32_LEN bytes, ascending */
	struct table tables[MAX_TABLES];
	u32 n_insns, n_gaps, n_tables;
};

/* A generator of its own, so that a seed means the same everywhere. */
struct dice {
	u64 state;
};
u32 roll(struct dice *dice, u32 n); /* 0 .. n - 1 */

/* `n_functions` of up to `n_insns` instructions each. */
void program_make(struct program *p, struct dice *dice, u32 n_functions, u32 n_insns);

/* The table through which an instruction jumps; NULL: it is none that does. */
const struct table *program_table(const struct program *p, const struct insn *insn);

/* The original instruction at addr; it must be one of insns[]. */
struct insn program_insn(const struct program *p, u64 addr);

struct tree_store {
	struct ir_tree tree;
	struct ir_block blocks[MAX_TREE_BLOCKS];
	struct insn ops[MAX_TREE_OPS];
};

/* A random tree from `head`; false if the first instruction cannot be in one. */
bool program_tree(const struct program *p, struct dice *dice, u64 head, u32 max_blocks,
                  struct tree_store *out);

#endif
