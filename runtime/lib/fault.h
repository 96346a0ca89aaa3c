/* SPDX-License-Identifier: MIT */
/*
 * fault.h - a fault in a translation: would the original instruction have faulted, too?
 *
 * Answered by looking, not by trying: what the instruction in the translation did is known, and where the original one, with the registers that the
 * original program would have, reads and writes. Only where that explains why the translation faulted, and the original would not have, is the fault
 * ours. What is not known for certain (implied or segment-relative operands, vectors, the stack's end) is the program's own.
 */
#ifndef DYNOPT_FAULT_H
#define DYNOPT_FAULT_H

#include "port.h"

struct fault {
	int sig;
	bool page; /* a page fault, at `addr` */
	bool general; /* a general protection fault */
	bool ours; /* the answer */
	u64 addr;
	u64 at, origin; /* run-time addresses: in the translation, and of the original instruction */
	u64 base; /* load bias of its module */
	u64 gpr_at[16], gpr[16]; /* in encoding order: there, and as the original would have them */
};

/* `here` and `original`: bytes at these two addresses, at most 15; `scratch`: decode_scratch_size() bytes. */
bool fault_is_ours(const struct fault *fault, const u8 *here, u64 n_here, const u8 *original,
                   u64 n_original, void *scratch);

#endif
