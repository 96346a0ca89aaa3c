/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * cost.h - how many instructions a tree executes for each entry.
 *
 * cost_weigh() says how often each block and edge of a lifted tree runs, from the trace's weights or, without any, from its
 * shape; passes keep what it says. cost_of() counts instructions with it, as the encoder lays them out. An estimate: nothing
 * that is right or wrong depends on it, only what is worth while.
 */
#ifndef DYNOPT_ENGINE_COST_H
#define DYNOPT_ENGINE_COST_H

#include "arena.h"
#include "ir.h"

#define COST_ENTRY 1024u /* flow of one entry */

/* Fills in .freq of blocks and .flow of edges. */
void cost_weigh(struct ir_tree *tree);
/* Instructions of original text that stand for the tree's; COST_ENTRY times as many as for one entry. */
u64 cost_original(const struct ir_tree *tree);
/* Instructions of the tree's code. */
u64 cost_of(const struct ir_tree *tree);

#endif
