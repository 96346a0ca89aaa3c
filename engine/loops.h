/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * loops.h - loops of a tree, and trees in which parts of loops stand twice.
 *
 * Copies are made by passes that come first, of a tree as it was lifted: no states yet, every block whole. A copy of a block does what the
 * block does, at the same original addresses, in frames of its own; what runs is divided between the two. Invariant: ir_verify()'s.
 */
#ifndef DYNOPT_ENGINE_LOOPS_H
#define DYNOPT_ENGINE_LOOPS_H

#include "pass.h"

#define LOOP_NONE 0xffffffffu

struct loop {
	u32 head;
	u32 from; /* the block whose way back is taken most often */
	struct ir_edge *edge; /* that way */
	u64 back; /* flow of all ways back */
};

/* False: no way leads back to the block. */
bool loop_find(const struct ir_tree *tree, u32 head, struct loop *loop);
/* is_head: 1 for each block to which a way leads back; zeroed before. */
void loops_mark_heads(const struct ir_tree *tree, u8 *is_head);
/* inside: 1 for the head and the blocks under it from which control comes back to it, or to a loop in it; 0 for all others. */
void loops_mark_inside(const struct ir_tree *tree, u32 head, u8 *inside);
/* The tree's arrays anew, with room for as much as a tree may have, if there is a loop in it. */
__must_check enum status loops_make_room(struct pass *pass);

struct loop_copy {
	u32 rest; /* block under the head that is not copied, nor what is under it: copies lead back to it; LOOP_NONE */
	bool own; /* do the copies' ways back to the head lead to its copy? */
	u64 first,
		all; /* how much of what runs stays with the blocks that are copied: first of all */
};
/*
 * Copies the loop's head and all that is under it, and has loop->edge lead there. False: the tree would be too large, or contain more than
 * LIMIT_LOOP_INSNS twice, or nothing more may be changed.
 */
bool loop_copy(struct pass *pass, const struct loop *loop, const struct loop_copy *what);

#endif
