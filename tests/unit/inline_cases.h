/* SPDX-License-Identifier: MIT */
/*
 * inline_cases.h - small programs that call small functions, and traces that go into them.
 *
 * A program is entered at its first block with rdi pointing to data (8 words of 1), rsi 5, rcx 3, every other register
 * different, rsp aligned as behind a call and [rsp] the address of inline_end, where it returns to. The labels lie
 * in one piece of code, inline_code up to inline_code_end, which works wherever it is copied to.
 */
#ifndef DYNOPT_TESTS_INLINE_CASES_H
#define DYNOPT_TESTS_INLINE_CASES_H

#include "port.h"

#define INLINE_BLOCKS 16

extern const u8 inline_code[], inline_end[], inline_code_end[];

struct inline_block {
	const u8 *start;
	u32 parent;
};

struct inline_case {
	const char *name;
	const u8 *out; /* where the translation is left */
	s32 moved; /* how far rsp is moved at the outermost calls: K; -1: not at all */
	bool loose; /* an addition to rsp is gone: dead flags may differ */
	struct inline_block blocks[INLINE_BLOCKS]; /* the first has no parent */
};

extern const struct inline_case inline_cases[];
extern const u32 n_inline_cases;

#endif
