/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * stack_op.h - what an instruction does to rsp, where that is known exactly.
 *
 * Classified by its bytes, prefixes without meaning skipped (the compiler plugin lengthens instructions with 2e):
 * everything that uses or changes rsp in another way is STACK_OTHER, and whoever reasons about rsp stops there.
 */
#ifndef DYNOPT_ENGINE_STACK_OP_H
#define DYNOPT_ENGINE_STACK_OP_H

#include "decode.h"

#define RSP 4
#define RBP 5

enum stack_kind {
	STACK_NONE,     /* rsp is neither read nor written */
	STACK_PUSH,     /* push .reg, 64 bits */
	STACK_PUSH_IMM, /* push .value, sign-extended to 64 bits */
	STACK_POP,      /* pop .reg, not rsp */
	STACK_MOVE,     /* rsp += .value; flags written if .flags */
	STACK_COPY,     /* .reg := rsp, not rsp */
	STACK_LEAVE,    /* rsp := rbp; pop rbp */
	STACK_FROM_RBP, /* rsp := rbp */
	STACK_OPERAND,  /* rsp is the base of the memory operand and nothing else */
	STACK_OTHER,
};

struct stack_op {
	u8 kind, reg;
	bool flags;
	s32 value;
};

struct stack_op stack_op(const struct insn *insn);

#endif
