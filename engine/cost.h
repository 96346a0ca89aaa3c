/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * cost.h - how many instructions a tree executes for each entry.
 *
 * cost_weigh() says how often each block and edge of a lifted tree runs, from the trace's weights or, without any, from its
 * shape; passes keep what it says. cost_of() counts instructions with it, as the encoder lays them out, and returns predicted wrong. An estimate: nothing
 * that is right or wrong depends on it, only what is worth while.
 */
#ifndef DYNOPT_ENGINE_COST_H
#define DYNOPT_ENGINE_COST_H

#include "arena.h"
#include "ir.h"

#define COST_ENTRY 1024u /* flow of one entry */
/*
 * A return that the processor predicts wrong, in instructions that take as long: one for each inlined call that is left from inside, as
 * its return address is the original's and what is on the processor's return stack is the stub's. Measured in docs/gains.md.
 */
#define COST_RETURN_MISSED 100u

/* Fills in .freq of blocks and .flow of edges. */
void cost_weigh(struct ir_tree *tree);
/* Instructions of original text that stand for the tree's; COST_ENTRY times as many as for one entry. */
u64 cost_original(const struct ir_tree *tree);
/* Instructions of the tree's code, and what else takes as long. */
u64 cost_of(const struct ir_tree *tree);

#endif
