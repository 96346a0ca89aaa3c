/* SPDX-License-Identifier: MIT */
/*
 * walk_native.h - instructions of a walk that the processor itself executes, on copies of the registers that the walk knows.
 *
 *     an instruction without effects of its own -> a copy whose operand in memory is a buffer -> executed in the agent -> registers, flags, the buffer
 *
 * So what vectors, floating point and rarer integer instructions do need not be said here. Only where all that goes in is known: then what comes out is. A copy may fault, where
 * the processor does not have the instruction; walks are made where that does no harm (guard.h).
 */
#ifndef DYNOPT_WALK_NATIVE_H
#define DYNOPT_WALK_NATIVE_H

#include "port.h"

/* Copies, and the buffer behind them. No page is writable and executable, nor is another view of it. */
struct walk_native {
	u64 code; /* address of the first copy */
	int file; /* by which they are written */
	u32 n; /* copies */
	u8 level; /* what the processor has: enum in walk_native.c */
};

/* False: executable memory is refused, and nothing is executed. */
bool walk_native_open(struct walk_native *native);
/* Copies are of no use any more. */
void walk_native_forget(struct walk_native *native);

#endif
