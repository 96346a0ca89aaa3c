/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * loops.c - see loops.h. Copies are numbered behind all blocks, in the order of what they are copies of: parents come first.
 */
#include "loops.h"

#include "limits.h"

struct copier {
	struct ir_tree *tree;
	const struct loop *loop;
	const struct loop_copy *what;
	u32 number[LIMIT_TREE_BLOCKS]; /* block: its copy; LOOP_NONE */
	u32 n_blocks, n_ops; /* that are copied */
};

bool loop_find(const struct ir_tree *tree, u32 head, struct loop *loop)
{
	struct loop found = { .head = head };

	for (u32 b = head; b < tree->n_blocks; b++) {
		for (u32 way = 0; way < 2; way++) {
			struct ir_block *block = &tree->blocks[b];
			struct ir_edge *edge = way ? &block->taken : &block->next;

			if (edge->kind != EDGE_BACK || edge->block != head)
				continue;
			found.back += edge->flow;
			if (found.edge && found.edge->flow >= edge->flow)
				continue;
			found.edge = edge;
			found.from = b;
		}
	}
	*loop = found;
	return found.edge;
}

void loops_mark_heads(const struct ir_tree *tree, u8 *is_head)
{
	for (u32 b = 0; b < tree->n_blocks; b++) {
		const struct ir_block *block = &tree->blocks[b];

		if (block->next.kind == EDGE_BACK)
			is_head[block->next.block] = 1;
		if (block->taken.kind == EDGE_BACK)
			is_head[block->taken.block] = 1;
	}
}

static bool stays(const struct ir_edge *edge, u32 head, const u8 *inside)
{
	return edge->kind == EDGE_BACK ? edge->block >= head
	                               : edge->kind == EDGE_CHILD && inside[edge->block];
}

void loops_mark_inside(const struct ir_tree *tree, u32 head, u8 *inside)
{
	memset(inside, 0, tree->n_blocks);
	for (u32 b = tree->n_blocks; b-- > head;)
		inside[b] = stays(&tree->blocks[b].next, head, inside) ||
		            stays(&tree->blocks[b].taken, head, inside);
	for (u32 b = head + 1; b < tree->n_blocks; b++)
		inside[b] &= inside[tree->blocks[b].parent];
}

static bool has_loop(const struct ir_tree *tree)
{
	for (u32 b = 0; b < tree->n_blocks; b++)
		if (tree->blocks[b].next.kind == EDGE_BACK ||
		    tree->blocks[b].taken.kind == EDGE_BACK)
			return true;
	return false;
}

static enum status make_room(struct pass *pass)
{
	struct ir_tree *tree = pass->tree;
	struct ir_block *blocks = arena_alloc(pass->arena, LIMIT_TREE_BLOCKS, sizeof(*blocks));
	struct insn *ops = arena_alloc(pass->arena, LIMIT_TREE_INSNS, sizeof(*ops));
	struct ir_frame *frames = arena_alloc(pass->arena, LIMIT_TREE_BLOCKS + 1, sizeof(*frames));

	if (!blocks || !ops || !frames)
		return failed(pass->fail, STATUS_WORKSPACE, tree->head, pass->arena->size);
	memcpy(blocks, tree->blocks, tree->n_blocks * sizeof(*blocks));
	memcpy(ops, tree->ops, tree->n_ops * sizeof(*ops));
	memcpy(frames, tree->frames, tree->n_frames * sizeof(*frames));
	tree->blocks = blocks;
	tree->ops = ops;
	tree->frames = frames;
	return STATUS_OK;
}

enum status loops_make_room(struct pass *pass)
{
	return has_loop(pass->tree) ? make_room(pass) : STATUS_OK;
}

/* What is copied: the head and what is under it. */
static void number_blocks(struct copier *c)
{
	const struct ir_tree *tree = c->tree;

	for (u32 b = 0; b < tree->n_blocks; b++) {
		const struct ir_block *block = &tree->blocks[b];
		bool in = b == c->loop->head ||
		          (b > c->loop->head && c->number[block->parent] != LOOP_NONE);

		c->number[b] = LOOP_NONE;
		if (!in || b == c->what->rest)
			continue;
		c->number[b] = tree->n_blocks + c->n_blocks++;
		c->n_ops += block->n;
	}
}

static void copy_edge(const struct copier *c, struct ir_edge *edge)
{
	u32 copy = edge->kind == EDGE_CHILD || edge->kind == EDGE_BACK ? c->number[edge->block]
	                                                               : LOOP_NONE;

	if (edge->kind == EDGE_CHILD && copy == LOOP_NONE)
		edge->kind = EDGE_BACK; /* the rest */
	else if (copy != LOOP_NONE && (edge->block != c->loop->head || c->what->own))
		edge->block = copy;
}

/* The frame of a copy whose parent is there: one of its own behind a call. */
static u32 copy_frame(struct ir_tree *tree, u32 frame, const struct ir_block *parent)
{
	u8 role = tree->ops[parent->first + parent->n - 1].role;

	if (role == ROLE_RET)
		return tree->frames[parent->frame].parent;
	if (role != ROLE_CALL)
		return parent->frame;
	tree->frames[tree->n_frames] = tree->frames[frame];
	tree->frames[tree->n_frames].parent = parent->frame;
	return tree->n_frames++;
}

static void keep(struct ir_block *block, u64 part, u64 all)
{
	block->freq = (u32)(block->freq * part / all);
	block->next.flow = (u32)(block->next.flow * part / all);
	block->taken.flow = (u32)(block->taken.flow * part / all);
}

static void copy_block(struct copier *c, u32 b)
{
	struct ir_tree *tree = c->tree;
	struct ir_block *from = &tree->blocks[b], *to = &tree->blocks[tree->n_blocks++];
	bool head = b == c->loop->head;

	*to = *from;
	to->parent = head ? c->loop->from : c->number[from->parent];
	to->first = tree->n_ops;
	memcpy(tree->ops + tree->n_ops, tree->ops + from->first, from->n * sizeof(*tree->ops));
	tree->n_ops += from->n;
	if (!head)
		to->frame = copy_frame(tree, from->frame, &tree->blocks[to->parent]);
	copy_edge(c, &to->next);
	copy_edge(c, &to->taken);
	keep(to, c->what->all - c->what->first, c->what->all);
	keep(from, c->what->first, c->what->all);
}

bool loop_copy(struct pass *pass, const struct loop *loop, const struct loop_copy *what)
{
	struct copier c = { .tree = pass->tree, .loop = loop, .what = what };
	u32 n = pass->tree->n_blocks;

	number_blocks(&c);
	if (n + c.n_blocks > LIMIT_TREE_BLOCKS || pass->tree->n_ops + c.n_ops > LIMIT_TREE_INSNS ||
	    c.n_ops > LIMIT_LOOP_INSNS || !pass_may(pass))
		return false;
	for (u32 b = loop->head; b < n; b++)
		if (c.number[b] != LOOP_NONE)
			copy_block(&c, b);
	loop->edge->kind = EDGE_CHILD;
	loop->edge->block = c.number[loop->head];
	return true;
}
