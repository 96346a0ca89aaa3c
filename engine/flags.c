/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * flags.c - see flags.h. Bounded: FLAGS_STEPS instructions in all; whoever needs more gets "not dead".
 */
#include "flags.h"

#define FLAGS_ALL (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)
#define FLAGS_STEPS 96
#define FLAGS_WAYS 16
#define FLAGS_IN_TEXT 16

struct way {
	u32 block, op;
	u16 live; /* flags that nobody has written yet */
};

struct walk {
	struct pass *pass;
	struct way ways[FLAGS_WAYS];
	u32 n_ways, steps;
};

enum verdict { GOES_ON, DEAD, READ };

static enum verdict judge(const struct insn *insn, u16 *live)
{
	if (insn->flags & INSN_OPAQUE)
		return READ;
	if (insn->flags_use & *live)
		return READ;
	if (insn->role == ROLE_CALL || insn->role == ROLE_CALL_INDIRECT || insn->role == ROLE_RET)
		return DEAD;
	if (insn->role == ROLE_SYSCALL || insn->role == ROLE_TRAP || insn->role == ROLE_SYSTEM ||
	    insn->role == ROLE_JMP_INDIRECT)
		return READ;
	*live &= (u16)~insn->flags_def;
	return *live ? GOES_ON : DEAD;
}

/* Straight on in original text, through direct jumps; a conditional branch whose flags are not read would be odd: READ. */
static bool dead_in_text(struct pass *pass, u64 addr, u16 live)
{
	for (u32 i = 0; i < FLAGS_IN_TEXT; i++) {
		struct insn insn;
		enum verdict verdict;

		if (text_insn(pass->text, addr, pass->decoder, &insn, NULL) != STATUS_OK)
			return false;
		verdict = judge(&insn, &live);
		if (verdict != GOES_ON)
			return verdict == DEAD;
		if (insn.role == ROLE_JCC || insn.role == ROLE_COUNT)
			return false;
		addr = insn.role == ROLE_JMP ? insn.target : addr + insn.len;
	}
	return false;
}

static bool follow(struct walk *w, const struct ir_edge *edge, u16 live)
{
	if (edge->kind == EDGE_NONE)
		return true;
	if (edge->kind == EDGE_EXIT)
		return dead_in_text(w->pass, edge->target, live);
	if (w->n_ways == FLAGS_WAYS)
		return false;
	w->ways[w->n_ways++] = (struct way){ edge->block, 0, live };
	return true;
}

/* One way to the end of its block; false if a flag is read. */
static bool walk_block(struct walk *w, struct way way)
{
	const struct ir_tree *tree = w->pass->tree;
	const struct ir_block *block = &tree->blocks[way.block];

	for (u32 i = way.op; i < block->n; i++) {
		enum verdict verdict = judge(&tree->ops[block->first + i], &way.live);

		if (verdict != GOES_ON)
			return verdict == DEAD;
		if (++w->steps == FLAGS_STEPS)
			return false;
	}
	return follow(w, &block->next, way.live) && follow(w, &block->taken, way.live);
}

static bool dead_from(struct pass *pass, u32 b, u32 op, u16 flags)
{
	struct walk w = { .pass = pass, .n_ways = 1 };

	w.ways[0] = (struct way){ b, op, flags };
	while (w.n_ways) {
		struct way way = w.ways[--w.n_ways];

		if (!walk_block(&w, way))
			return false;
	}
	return true;
}

bool flags_dead_outside(struct pass *pass, u64 target)
{
	return dead_in_text(pass, target, FLAGS_ALL);
}

bool flags_dead_behind(struct pass *pass, u32 b, u32 op)
{
	return flags_dead_before(pass, b, op + 1);
}

bool flags_dead_before(struct pass *pass, u32 b, u32 op)
{
	return dead_from(pass, b, op, FLAGS_ALL);
}

bool flags_some_dead_behind(struct pass *pass, u32 b, u32 op, u16 flags)
{
	return !flags || dead_from(pass, b, op + 1, flags);
}
