/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * cost.c - see cost.h.
 *
 * Without weights it counts how often branches are taken, where the trace says so. Else a way that stays in a loop is taken seven
 * times in eight where the other leaves it, and the rest is even; a loop is thought to go round eight times at most. With weights, what flows along edges follows from what runs: a block has one
 * way in but for its back-edges. Where a block's ways lead back and out, counted branches say how much goes where.
 */
#include "cost.h"

#include "layout.h"
#include "limits.h"
#include "stub.h"

#define HALF (COST_ENTRY / 2)
#define STAYS (COST_ENTRY * 7 / 8)
#define MOST_BACK (COST_ENTRY * 7 / 8) /* of a loop's flow that comes back */
#define MOST_COUNTED (COST_ENTRY * 63 / 64) /* the same where branches are counted */

struct shape {
	struct ir_tree *tree;
	u8 lowest[LIMIT_TREE_BLOCKS]; /* the outermost block to which a back-edge under this one leads */
	u32 most_back;
	u32 back[LIMIT_TREE_BLOCKS]; /* of a loop head: how much of COST_ENTRY comes back */
};

/* Does this way out of block b stay in a loop that b is in? */
static bool stays(const struct shape *s, u32 b, const struct ir_edge *edge)
{
	return edge->kind == EDGE_BACK || (edge->kind == EDGE_CHILD && s->lowest[edge->block] <= b);
}

/* Of COST_ENTRY executions of a block, how many take its branch: as it was counted. */
static u32 taken_of(const struct ir_block *block)
{
	return (u32)((u64)(block->branch - 1) * COST_ENTRY / 1000);
}

/* How much of COST_ENTRY goes along `edge`, one of the two of block b. */
static u32 chance(const struct shape *s, u32 b, const struct ir_edge *edge,
                  const struct ir_edge *other)
{
	const struct ir_block *block = &s->tree->blocks[b];
	bool here = stays(s, b, edge), there = stays(s, b, other);

	if (edge->kind == EDGE_NONE || other->kind == EDGE_NONE)
		return edge->kind == EDGE_NONE ? 0 : COST_ENTRY;
	if (block->branch) {
		u32 taken = taken_of(block);

		return edge == &block->taken ? taken : COST_ENTRY - taken;
	}
	return here == there ? HALF : here ? STAYS : COST_ENTRY - STAYS;
}

static u32 lowest_behind(const struct shape *s, const struct ir_edge *edge)
{
	if (edge->kind == EDGE_BACK)
		return edge->block;
	return edge->kind == EDGE_CHILD ? s->lowest[edge->block] : LIMIT_TREE_BLOCKS;
}

static void find_loops(struct shape *s)
{
	for (u32 b = s->tree->n_blocks; b-- > 0;) {
		u32 next = lowest_behind(s, &s->tree->blocks[b].next);
		u32 taken = lowest_behind(s, &s->tree->blocks[b].taken);

		s->lowest[b] = (u8)(next < taken ? next : taken);
	}
}

/* Lets `in` flow into block `from` and on; returns what of it comes back to `from`. */
static u32 flow_from(struct shape *s, u32 from, u32 in)
{
	struct ir_tree *tree = s->tree;
	u64 comes_back = 0;

	for (u32 b = from; b < tree->n_blocks; b++)
		tree->blocks[b].freq = 0;
	tree->blocks[from].freq = in;
	for (u32 b = from; b < tree->n_blocks; b++) {
		struct ir_block *block = &tree->blocks[b];

		block->freq = (u32)((u64)block->freq * COST_ENTRY / (COST_ENTRY - s->back[b]));
		for (u32 way = 0; way < 2; way++) {
			struct ir_edge *edge = way ? &block->taken : &block->next;
			u32 part = chance(s, b, edge, way ? &block->next : &block->taken);

			edge->flow = (u32)((u64)block->freq * part / COST_ENTRY);
			if (edge->kind == EDGE_CHILD)
				tree->blocks[edge->block].freq = edge->flow;
			else if (edge->kind == EDGE_BACK && edge->block == from)
				comes_back += edge->flow;
		}
	}
	return comes_back < s->most_back ? (u32)comes_back : s->most_back;
}

static void guess(struct shape *s)
{
	find_loops(s);
	for (u32 b = s->tree->n_blocks; b-- > 0;)
		s->back[b] = flow_from(s, b, COST_ENTRY);
	flow_from(s, 0, COST_ENTRY);
}

/* What a block's ways have besides its children's. */
static void share_rest(struct ir_block *block, u64 rest)
{
	bool next = block->next.kind == EDGE_BACK || block->next.kind == EDGE_EXIT;
	bool taken = block->taken.kind == EDGE_BACK || block->taken.kind == EDGE_EXIT;
	u64 part = rest / 2;

	if (next && taken && block->next.kind != block->taken.kind)
		part = block->next.kind == EDGE_BACK ? rest * 7 / 8 : rest / 8;
	if (next && taken && block->branch)
		part = rest * (COST_ENTRY - taken_of(block)) / COST_ENTRY;
	if (next)
		block->next.flow = (u32)(taken ? part : rest);
	if (taken)
		block->taken.flow = (u32)(next ? rest - part : rest);
}

static u32 runs(const struct ir_tree *tree, u32 b)
{
	return (u32)((u64)tree->blocks[b].weight * COST_ENTRY / 1000);
}

/* Weights, and for blocks without one what their parents' other way leaves. */
static void fill_in(struct ir_tree *tree)
{
	tree->blocks[0].freq = runs(tree, 0) > COST_ENTRY ? runs(tree, 0) : COST_ENTRY;
	for (u32 b = 1; b < tree->n_blocks; b++) {
		struct ir_block *block = &tree->blocks[b];
		const struct ir_block *parent = &tree->blocks[block->parent];
		bool first = layout_leads_to(&parent->next, b);
		const struct ir_edge *other = first ? &parent->taken : &parent->next;
		u32 theirs = other->kind == EDGE_CHILD ? runs(tree, other->block) : 0;

		block->freq = runs(tree, b);
		if (!block->freq && other->kind == EDGE_NONE)
			block->freq = parent->freq;
		else if (!block->freq && theirs)
			block->freq = parent->freq > theirs ? parent->freq - theirs : 0;
		else if (!block->freq)
			block->freq = parent->freq / 2;
	}
}

static void take_weights(struct shape *s)
{
	struct ir_tree *tree = s->tree;

	fill_in(tree);
	memset(s->back, 0, sizeof(s->back)); /* what comes back to each */
	for (u32 b = tree->n_blocks; b-- > 0;) {
		struct ir_block *block = &tree->blocks[b];
		u64 rest = block->freq;

		for (u32 way = 0; way < 2; way++) {
			struct ir_edge *edge = way ? &block->taken : &block->next;
			u32 runs = edge->kind == EDGE_CHILD ? tree->blocks[edge->block].freq : 0;
			u32 back = edge->kind == EDGE_CHILD ? s->back[edge->block] : 0;

			edge->flow = runs > back ? runs - back : 0;
			rest -= edge->flow < rest ? edge->flow : rest;
		}
		share_rest(block, rest);
		if (block->next.kind == EDGE_BACK)
			s->back[block->next.block] += block->next.flow;
		if (block->taken.kind == EDGE_BACK)
			s->back[block->taken.block] += block->taken.flow;
	}
}

void cost_weigh(struct ir_tree *tree)
{
	struct shape s = { .tree = tree, .most_back = MOST_BACK };
	bool weighted = false;

	if (tree->n_blocks > LIMIT_TREE_BLOCKS)
		return;
	for (u32 b = 1; b < tree->n_blocks; b++)
		weighted |= tree->blocks[b].weight != 0;
	for (u32 b = 0; b < tree->n_blocks; b++)
		s.most_back = tree->blocks[b].branch ? MOST_COUNTED : s.most_back;
	if (weighted)
		take_weights(&s);
	else
		guess(&s);
}

/* ---- counting ---- */

u64 cost_original(const struct ir_tree *tree)
{
	u64 sum = 0;

	for (u32 b = 0; b < tree->n_blocks; b++)
		sum += (u64)tree->blocks[b].freq * tree->blocks[b].n;
	return sum;
}

static u64 cost_stub(const struct ir_tree *tree, const struct ir_edge *edge)
{
	const struct ir_state *state = &tree->states[edge->state];
	struct stub_debts debts;

	if (edge->kind != EDGE_EXIT || !edge->state)
		return 0;
	debts = stub_debts(state, tree->pendings);
	if (debts.returns)
		return (u64)edge->flow *
		       (stub_insns(debts) + debts.returns * COST_RETURN_MISSED + 1u);
	return (u64)edge->flow * (state->n + (state->rsp != 0) + 1u);
}

/* The block's branch, and jumps to where nothing follows. */
static u64 cost_branch(const struct ir_block *block, u8 role)
{
	u32 follower = layout_follower(block);
	bool next = follower != LAYOUT_NONE && layout_leads_to(&block->next, follower);
	bool taken = follower != LAYOUT_NONE && !next;

	switch (role) {
	case ROLE_PLAIN:
	case ROLE_JMP:
		return next ? 0 : block->next.flow;
	case ROLE_JCC:
		if (next || taken)
			return block->freq;
		return (u64)block->freq +
		       (layout_inverts(block) ? block->taken.flow : block->next.flow);
	case ROLE_COUNT:
		if (next)
			return (u64)block->freq + block->next.flow + block->taken.flow;
		return (u64)block->freq + block->next.flow + (taken ? 0 : block->taken.flow);
	default:
		return 0;
	}
}

u64 cost_of(const struct ir_tree *tree)
{
	u64 sum = 0;

	for (u32 b = 0; b < tree->n_blocks; b++) {
		const struct ir_block *block = &tree->blocks[b];
		u8 role = block->n ? tree->ops[block->first + block->n - 1].role : (u8)ROLE_PLAIN;
		bool built = role == ROLE_JMP || role == ROLE_JCC || role == ROLE_COUNT;

		sum += (u64)block->freq * (block->n - built);
		sum += cost_branch(block, role);
		sum += cost_stub(tree, &block->next) + cost_stub(tree, &block->taken);
	}
	return sum;
}
