/* SPDX-License-Identifier: MIT */
/*
 * cover.h - of each instruction of a module, what has become of the trees that hold it: to know how much of what is hot was tried.
 *
 * Kept where there is no agent, for measuring: it takes a byte for each byte of text, and another walk over each tree.
 */
#ifndef DYNOPT_COVER_H
#define DYNOPT_COVER_H

#include "trace.h"
#include "workshop.h"

/* An instruction that is in several trees is of the last of these kinds (status_file.h). */
void cover_add(struct workshop *workshop, const struct trace *trace, enum status_tree kind);
/* The kind of a module address. */
u32 cover_of(const struct workshop *workshop, u64 addr);

#endif
