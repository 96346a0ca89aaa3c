/* SPDX-License-Identifier: MIT */
/*
 * ledger.c - see ledger.h.
 */
#include <string.h>
#include "dynopt_notes.h"
#include "ledger.h"
#include "map.h"
#include "select.h"
#include "stack_op.h"

#define SLOT 8
#define RED_ZONE 128

u32 ledger_follower(const struct node *node)
{
	const struct way *next = &node->ways[0], *taken = &node->ways[1];
	bool is_taken = taken->kind == WAY_CHILD;

	if (next->kind == WAY_CHILD && taken->kind == WAY_CHILD)
		is_taken = taken->count > next->count;
	if (is_taken)
		return taken->node;
	return next->kind == WAY_CHILD ? next->node : NO_NODE;
}

static bool follows(const struct way *way, u32 follower)
{
	return way->kind == WAY_CHILD && way->node == follower;
}

/* Jumps that the node's end saves and adds. */
static void sum_end(const struct forest *f, const struct node *node, struct ledger *sum)
{
	const struct run *run = &f->runs->runs[node->run];
	const struct way *next = &node->ways[0], *taken = &node->ways[1];
	u32 follower = ledger_follower(node);

	switch (node->end) {
	case END_BRANCH:
		if (run->role == ROLE_JMP)
			sum->jumps += follows(next, follower) ? next->count : 0;
		else if (run->role == ROLE_COUNT) /* a jump over a jump, or the other one */
			sum->added_jumps += follows(next, follower) ? node->count : next->count;
		else if (!follows(taken, follower) && !follows(next, follower))
			sum->added_jumps += next->count < taken->count ? next->count : taken->count;
		break;
	case END_CALL:
		sum->calls += node->count;
		break;
	case END_RETURN:
		sum->calls += node->count;
		sum->added_jumps += follows(next, follower) ? 0 : next->count;
		break;
	case END_FALL:
	case END_CUT:
		sum->added_jumps += follows(next, follower) ? 0 : next->count;
		break;
	default:
		break;
	}
}

/* The frame in which control is behind the node. */
static u32 frame_behind(const struct tree *tree, const struct node *node)
{
	return node->end == END_RETURN ? tree->frames[node->frame].parent : node->frame;
}

static void sum_exits(const struct tree *tree, const struct node *node, struct ledger *sum)
{
	u32 depth = tree->frames[frame_behind(tree, node)].depth;

	for (u32 w = 0; w < 2; w++) {
		const struct way *way = &node->ways[w];

		if (way->kind != WAY_EXIT && way->kind != WAY_OPEN)
			continue;
		sum->exits += way->count;
		sum->linked += way->linked;
		if (depth) {
			sum->stub_exits += way->count;
			sum->stubs += way->count * stub_insns_inside(depth);
		}
	}
	if (node->end == END_LEAVE)
		sum->exits += node->count;
}

/* movslq, add, jmp: one jump, if nobody reads the sum. */
static void sum_table(const struct forest *f, const struct node *node, struct ledger *sum)
{
	const struct run *run = &f->runs->runs[node->run];
	struct text_table *table = node->end == END_LEAVE ? forest_table(f, run) : NULL;
	const struct insn *load;

	if (!table || table->form != DYNOPT_TABLE_REL32 || node->n < 3 || node->frame)
		return;
	load = &run->ops[run->n - 3]->insn;
	if (load->bytes[load->opcode_at] == 0x63 &&
	    run->ops[run->n - 2]->insn.def.gpr == load->def.gpr && load->def.gpr &&
	    text_table_spare(runs_text(f->runs, run->start), table,
	                     (u32)__builtin_ctz(load->def.gpr), f->runs->decoder))
		sum->tables += 2 * node->count;
}

static void sum_nops(const struct forest *f, const struct node *node, struct ledger *sum)
{
	for (u32 i = 0; i < node->n; i++)
		if (f->runs->runs[node->run].ops[i]->insn.flags & INSN_NOP)
			sum->nops += node->count;
}

/* ---- rsp in inlined calls ---- */

struct depths {
	s32 *at; /* node: R where it starts, seen from where rsp was at the outermost call */
	s32 *low; /* frame: lowest in the outermost call around it; kept at that call's frame */
	u32 *outermost;
};

static u32 outermost(const struct tree *tree, u32 frame)
{
	while (frame && tree->frames[frame].parent)
		frame = tree->frames[frame].parent;
	return frame;
}

/* Walks a node's instructions; returns R behind it. */
static s32 walk_node(const struct forest *f, const struct tree *tree, u32 number, struct depths *d,
                     struct ledger *sum)
{
	const struct node *node = &tree->nodes[number];
	const struct run *run = &f->runs->runs[node->run];
	s32 *low = &d->low[d->outermost[node->frame]], r = d->at[number];

	for (u32 i = 0; i < node->n && node->frame; i++) {
		struct stack_op op = stack_op(&run->ops[i]->insn);

		if (op.kind == STACK_PUSH || op.kind == STACK_PUSH_IMM)
			r -= SLOT;
		else if (op.kind == STACK_POP)
			r += SLOT;
		else if (op.kind == STACK_MOVE || op.kind == STACK_FROM_RBP)
			sum->rsp_moves += node->count;
		if (op.kind == STACK_MOVE)
			r += op.value;
		*low = r < *low ? r : *low;
	}
	if (node->end == END_CALL)
		r = node->frame ? r - SLOT : -SLOT;
	if (node->end == END_RETURN)
		r += SLOT;
	return r;
}

static void sum_rsp(const struct forest *f, const struct tree *tree, struct ledger *sum)
{
	struct depths d = { must(calloc(tree->n_nodes, sizeof(s32))),
		            must(calloc(tree->n_frames, sizeof(s32))),
		            must(calloc(tree->n_frames, sizeof(u32))) };

	for (u32 i = 0; i < tree->n_frames; i++)
		d.outermost[i] = outermost(tree, i);
	for (u32 i = 0; i < tree->n_nodes; i++) {
		s32 behind = walk_node(f, tree, i, &d, sum);

		for (u32 w = 0; w < 2; w++)
			if (tree->nodes[i].ways[w].kind == WAY_CHILD)
				d.at[tree->nodes[i].ways[w].node] = behind;
	}
	for (u32 i = 0; i < tree->n_nodes; i++) {
		const struct node *node = &tree->nodes[i];
		bool outer_call = node->end == END_CALL && !node->frame &&
		                  node->ways[0].kind == WAY_CHILD;
		u32 frame = outer_call ? tree->nodes[node->ways[0].node].frame : node->frame;
		bool outer_return = node->end == END_RETURN && !tree->frames[frame].parent;

		if ((outer_call || outer_return) && d.low[frame] < -RED_ZONE)
			sum->rsp_leas += node->count;
	}
	free(d.at);
	free(d.low);
	free(d.outermost);
}

void ledger_add(const struct forest *f, const struct tree *tree, struct ledger *sum)
{
	sum->entries += tree->entries;
	sum->hops += tree->by_hop * tree->hop;
	for (u32 n = 0; n < tree->n_nodes; n++) {
		sum_end(f, &tree->nodes[n], sum);
		sum_exits(tree, &tree->nodes[n], sum);
		sum_nops(f, &tree->nodes[n], sum);
		sum_table(f, &tree->nodes[n], sum);
	}
	sum_rsp(f, tree, sum);
}

void ledger_sum(const struct forest *f, struct ledger *sum)
{
	memset(sum, 0, sizeof(*sum));
	sum->insns = f->insns;
	sum->inside = f->inside;
	for (u32 i = 0; i < f->n_trees; i++)
		if (!f->trees[i].dead)
			ledger_add(f, &f->trees[i], sum);
}

u64 ledger_saved(const struct ledger *sum)
{
#define X(name) +sum->name
	return 0 LEDGER_SAVED(X);
#undef X
}

u64 ledger_added(const struct ledger *sum)
{
#define X(name) +sum->name
	return 0 LEDGER_ADDED(X);
#undef X
}

u64 ledger_translated(const struct ledger *sum)
{
	return sum->insns + ledger_added(sum) - ledger_saved(sum);
}
