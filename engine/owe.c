/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * owe.c - see owe.h. Items are found from the last block to the first, so the last item is the first of the program: results are
 * listed in that order, for one may be made of another.
 */
#include "owe.h"

#include "compact.h"
#include "limits.h"

static const struct ir_state exact;

bool owe_init(struct owe *owe, struct pass *pass)
{
	u32 n_ops = pass->tree->n_ops, n_blocks = pass->tree->n_blocks;
	struct arena *arena = pass->arena;

	owe->pass = pass;
	owe->n = 0;
	owe->items = arena_alloc(arena, OWE_MOST, sizeof(*owe->items));
	owe->owed = arena_alloc(arena, n_ops, sizeof(*owe->owed));
	owe->done = arena_alloc(arena, n_ops, sizeof(*owe->done));
	owe->next = arena_alloc(arena, n_blocks, sizeof(*owe->next));
	owe->taken = arena_alloc(arena, n_blocks, sizeof(*owe->taken));
	owe->gone = arena_alloc(arena, n_ops, 1);
	return owe->items && owe->owed && owe->done && owe->next && owe->taken && owe->gone;
}

static void add_pendings(struct owe *owe, u64 owed, bool results)
{
	struct ir_tree *tree = owe->pass->tree;

	for (u32 i = owe->n; i-- > 0;)
		if ((owed >> i & 1) && (owe->items[i].pending.kind == PENDING_RESULT) == results)
			tree->pendings[tree->n_pendings++] = owe->items[i].pending;
}

/* A state with what is owed besides. */
static u16 owing(struct owe *owe, u16 from, u64 owed)
{
	struct ir_tree *tree = owe->pass->tree;
	struct ir_state state = tree->states[from];
	u32 first = tree->n_pendings;

	if (!owed)
		return from;
	add_pendings(owe, owed, true);
	for (u32 i = 0; i < state.n; i++)
		tree->pendings[tree->n_pendings++] = tree->pendings[state.first + i];
	add_pendings(owe, owed, false);
	state.first = first;
	state.n = (u16)(tree->n_pendings - first);
	tree->states[tree->n_states] = state;
	return (u16)tree->n_states++;
}

/* The same for the instruction as for the one before it, mostly. */
struct last {
	u16 from, state;
	u64 owed;
};

static u16 owing_again(struct owe *owe, struct last *last, u16 from, u64 owed)
{
	if (last->from != from || last->owed != owed || !owed)
		*last = (struct last){ from, owing(owe, from, owed), owed };
	return last->state;
}

static u32 count_bits(u64 set)
{
	u32 n = 0;

	for (; set; set &= set - 1)
		n++;
	return n;
}

/* How many states may be added, and how many pendings in all of them. */
static u32 most_states(const struct owe *owe, u32 *pendings)
{
	const struct ir_tree *tree = owe->pass->tree;
	u32 states = 0, items = 0;

	for (u32 i = 0; i < tree->n_ops; i++) {
		u32 owed = count_bits(owe->owed[i]), made = 1 + count_bits(owe->done[i]);

		states += owed ? made : 0;
		items += owed * made;
	}
	for (u32 b = 0; b < tree->n_blocks; b++) {
		u32 next = count_bits(owe->next[b]), taken = count_bits(owe->taken[b]);

		states += (next != 0) + (taken != 0);
		items += next + taken;
	}
	*pendings = items;
	return states;
}

/* Room for the new states; the tree's own are copied. */
static bool allocate_states(struct owe *owe)
{
	struct ir_tree *tree = owe->pass->tree;
	u32 n_pendings, n_states = most_states(owe, &n_pendings), widest = 0;
	u32 had = tree->n_states ? tree->n_states : 1;
	struct ir_state *states;
	struct ir_pending *pendings;

	for (u32 i = 0; i < tree->n_states; i++)
		widest = tree->states[i].n > widest ? tree->states[i].n : widest;
	states = arena_alloc(owe->pass->arena, had + n_states, sizeof(*states));
	pendings = arena_alloc(owe->pass->arena,
	                       tree->n_pendings + n_pendings + n_states * widest + 1,
	                       sizeof(*pendings));
	if (!states || !pendings || had + n_states > 0xffff)
		return false;
	memcpy(states, tree->n_states ? tree->states : &exact, had * sizeof(*states));
	if (tree->n_pendings)
		memcpy(pendings, tree->pendings, tree->n_pendings * sizeof(*pendings));
	tree->states = states;
	tree->pendings = pendings;
	tree->n_states = had;
	return true;
}

/* One instruction with what is done in front of it. */
static void write_op(struct owe *owe, u32 i, struct last *last, struct insn *ops, u16 *op_state,
                     u32 *n)
{
	const struct ir_tree *tree = owe->pass->tree;
	u16 from = tree->op_state ? tree->op_state[i] : 0;
	u64 owed = owe->owed[i];

	for (u32 k = owe->n; k-- > 0;) {
		if (!(owe->done[i] >> k & 1))
			continue;
		ops[*n] = tree->ops[owe->items[k].op];
		ops[*n].addr = tree->ops[i].addr;
		op_state[(*n)++] = owing_again(owe, last, from, owed);
		owed &= ~((u64)1 << k);
	}
	if (owe->gone[i])
		return;
	ops[*n] = tree->ops[i];
	op_state[(*n)++] = owing_again(owe, last, from, owed);
}

enum status owe_write(struct owe *owe)
{
	struct ir_tree *tree = owe->pass->tree;
	struct arena *arena = owe->pass->arena;
	u32 n = 0, extra = 0;
	struct last last = { 0 };
	struct insn *ops;
	u16 *op_state;

	for (u32 i = 0; i < tree->n_ops; i++)
		extra += count_bits(owe->done[i]);
	ops = arena_alloc(arena, tree->n_ops + extra, sizeof(*ops));
	op_state = arena_alloc(arena, tree->n_ops + extra, sizeof(*op_state));
	if (!ops || !op_state || !allocate_states(owe))
		return failed(owe->pass->fail, STATUS_WORKSPACE, tree->head, arena->size);
	for (u32 b = 0; b < tree->n_blocks; b++) {
		struct ir_block *block = &tree->blocks[b];
		u32 first = n;

		for (u32 i = block->first; i < block->first + block->n; i++)
			write_op(owe, i, &last, ops, op_state, &n);
		block->first = first;
		block->n = n - first;
		block->next.state = owing(owe, block->next.state, owe->next[b]);
		block->taken.state = owing(owe, block->taken.state, owe->taken[b]);
	}
	tree->ops = ops;
	tree->op_state = op_state;
	tree->n_ops = n;
	return compact_blocks(owe->pass);
}
