/* SPDX-License-Identifier: MIT */
/*
 * need.c - see need.h. A result is followed down the tree until it is read, overwritten, or control leaves; a way counts
 * with the share of executions that took it. Ways back into a loop are followed once: what nobody reads in a whole round
 * is not read in the next one either.
 */
#include <string.h>
#include "map.h"
#include "need.h"

#define ABI_DEAD_AT_RETURN \
	0x0fc2u /* rcx, rsi, rdi, r8..r11 without rax, rdx and what callees keep */
#define ARITHMETIC (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

struct seen {
	double share;
	u16 gpr, flags;
	u8 state; /* SEEN_... */
	bool copy;
};
enum { SEEN_NEVER, SEEN_NOW, SEEN_DONE };

struct need {
	const struct forest *f;
	const struct tree *tree;
	struct seen *seen; /* node: what was found out about its start */
	u16 gpr, flags; /* the result */
	/* A register move: reads may become reads of the source as long as that is not written. */
	bool copy;
	u16 source;
};

static bool is_pure(const struct op *op)
{
	const struct insn *insn = &op->insn;

	return op->known && insn->role == ROLE_PLAIN && __builtin_popcount(insn->def.gpr) == 1 &&
	       !insn->def.vec && !insn->def.mask && !insn->def.other &&
	       (insn->full.gpr & insn->def.gpr) && !(insn->def.gpr & 1u << 4) &&
	       !(insn->flags & (INSN_STORE | INSN_LOAD | INSN_LOCKED | INSN_FENCE | INSN_STACK |
	                        INSN_OPAQUE | INSN_REP | INSN_FAULTS));
}

static bool is_move(const struct insn *insn)
{
	u8 opcode = insn->bytes[insn->opcode_at];

	return (opcode == 0x89 || opcode == 0x8b) && !insn->n_mem && insn->len == 3 &&
	       (insn->bytes[0] & 0xf8) == 0x48;
}

static double need_at(struct need *n, u32 number, bool copy);

/* Share of executions on which what is known at the node's end is needed behind it. */
static double need_behind(struct need *n, const struct node *node, bool copy)
{
	const struct run *run = &n->f->runs->runs[node->run];
	double sum = 0, all = (double)node->ways[0].count + (double)node->ways[1].count;

	if (node->end == END_LEAVE)
		return run->role == ROLE_RET ? (n->gpr & ~ABI_DEAD_AT_RETURN ? 1 : 0) : 1;
	if (node->end == END_CALL || node->end == END_RETURN)
		n->flags = 0;
	for (u32 w = 0; w < 2; w++) {
		const struct way *way = &node->ways[w];
		double share = all > 0 ? (double)way->count / all : 0.5;

		if (way->kind == WAY_CHILD || way->kind == WAY_BACK) {
			u16 flags = n->flags;

			sum += share * need_at(n, way->node, copy);
			n->flags = flags;
		} else if (way->kind != WAY_NONE) {
			sum += share;
		}
	}
	return sum;
}

static double need_from(struct need *n, u32 number, u32 at, bool copy)
{
	const struct node *node = &n->tree->nodes[number];
	const struct run *run = &n->f->runs->runs[node->run];
	u16 gpr = n->gpr, flags = n->flags;
	double share;

	for (; at < node->n; at++) {
		const struct insn *insn = &run->ops[at]->insn;
		bool reads = insn->use.gpr & gpr, writes = insn->def.gpr & gpr;

		if (insn->flags_use & n->flags ||
		    (n->gpr && reads &&
		     (!n->copy || !copy || writes || insn->flags & (INSN_REP | INSN_OPAQUE)))) {
			share = 1;
			goto out;
		}
		if (writes && insn->full.gpr & gpr)
			n->gpr = 0;
		n->flags &= (u16)~insn->flags_def;
		if (insn->def.gpr & n->source)
			copy = false;
		if (!n->gpr && !n->flags)
			break;
	}
	share = n->gpr || n->flags ? need_behind(n, node, copy) : 0;
out:
	n->gpr = gpr;
	n->flags = flags;
	return share;
}

/*
 * From the node's start. A loop that is still being followed adds nothing; a place that was met before in another state counts as
 * needing it.
 */
static double need_at(struct need *n, u32 number, bool copy)
{
	struct seen *seen = &n->seen[number];

	if (seen->state == SEEN_NOW)
		return 0;
	if (seen->state == SEEN_DONE)
		return seen->gpr == n->gpr && seen->flags == n->flags && seen->copy == copy
		               ? seen->share
		               : 1;
	*seen = (struct seen){ .gpr = n->gpr, .flags = n->flags, .copy = copy, .state = SEEN_NOW };
	seen->share = need_from(n, number, 0, copy);
	seen->state = SEEN_DONE;
	return seen->share;
}

void need_sum(const struct forest *f, const struct tree *tree, const struct node *node, u32 at,
              struct gains *gains)
{
	const struct op *op = f->runs->runs[node->run].ops[at];
	struct need n = { .f = f,
		          .tree = tree,
		          .gpr = op->insn.def.gpr,
		          .flags = op->insn.flags_def & ARITHMETIC };
	u32 number = (u32)(node - tree->nodes);
	double share;

	if (!is_pure(op))
		return;
	n.seen = must(calloc(tree->n_nodes, sizeof(*n.seen)));
	share = need_from(&n, number, at + 1, false);
	if (share == 0)
		gains->dead += node->count;
	else
		gains->sinkable += (u64)((1 - share) * (double)node->count);
	if (is_move(&op->insn)) {
		gains->moves += node->count;
		memset(n.seen, 0, tree->n_nodes * sizeof(*n.seen));
		n.copy = true;
		n.source = op->insn.use.gpr;
		if (share > 0)
			gains->copies += (u64)((1 - need_from(&n, number, at + 1, true)) *
			                       (double)node->count);
	}
	free(n.seen);
}
