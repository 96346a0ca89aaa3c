/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * saves.c - the pass that saves registers on an inlined call's stack only where they would be lost.
 *
 * A function saves what it may overwrite somewhere; on the paths that run it mostly does not. So a store of a register into the
 * frame of an inlined call waits: while the register keeps its value, the tree owes the word (PENDING_REG), and loads back
 * into that register are left out. It is stored in front of the first instruction that overwrites the register, touches
 * the word otherwise, or computes an address in the stack; ways out pay in their stubs. The return ends it: what lies
 * below rsp then is dead. Invariant: whoever comes to a block owes the same, loops included, or the store stays.
 */
#include "owe.h"
#include "stack_op.h"

#define WORD 8
#define MOST \
	12 /* stores that may wait: the validator has 24 places for all that it knows of the stack */

enum waits { NOT_YET, OWED, PAID, OVER };

/* The store that is tried. */
struct save {
	u32 op; /* in tree.ops */
	u32 frame;
	s32 at; /* against rsp as it really stands */
	u8 reg;
};

struct saves {
	struct pass *pass;
	struct ir_tree *tree;
	struct owe owe;
	u8 *open; /* block: an address in the stack may be in a register where it begins */
	/* Of the save that is tried: */
	u8 *waits; /* block: enum waits where it begins */
	s64 gain;
};

static const struct ir_state *state_of(const struct saves *s, u32 op)
{
	return &s->tree->states[s->tree->op_state[op]];
}

/* Where the innermost return address of a state is; returns are all that is owed so far. */
static s32 frame_top(const struct saves *s, const struct ir_state *state)
{
	return s->tree->pendings[state->first + state->n - 1].at;
}

static bool is_within(const struct ir_tree *tree, u32 frame, u32 outer)
{
	while (frame && frame != outer)
		frame = tree->frames[frame].parent;
	return frame == outer;
}

/* mov [rsp+disp], reg and back, 64 bits: 48/4c 89/8b. */
static bool is_move(const struct insn *insn, u8 opcode, s32 *at, u8 *reg)
{
	if (insn->opcode_at != 1 || (insn->bytes[0] & 0xfb) != 0x48 || insn->bytes[1] != opcode ||
	    insn->n_mem != 1 || insn->mem[0].base != RSP || insn->mem[0].index != MEM_NO_REG)
		return false;
	*at = (s32)insn->mem[0].disp;
	*reg = (u8)((insn->bytes[2] >> 3 & 7) | (insn->bytes[0] & 4 ? 8 : 0));
	return true;
}

/* Is an address in the stack, or what may be one, computed into another register? */
static bool opens(const struct insn *insn)
{
	for (u32 i = 0; i < insn->n_mem; i++) {
		const struct insn_mem *mem = &insn->mem[i];

		if (mem->base == RSP && !mem->load && !mem->store && !(insn->def.gpr >> RSP & 1))
			return true;
	}
	return stack_op(insn).kind == STACK_COPY;
}

/* May it access [at, at + 8) of the stack? */
static bool touches(const struct insn *insn, s32 at)
{
	for (u32 i = 0; i < insn->n_mem; i++) {
		const struct insn_mem *mem = &insn->mem[i];

		if (mem->base != RSP || (!mem->load && !mem->store))
			continue;
		if (mem->index != MEM_NO_REG || !mem->size ||
		    (mem->disp < at + WORD && at < mem->disp + mem->size))
			return true;
	}
	return false;
}

/* ---- one save along all ways behind it ---- */

/* Where the frame's call is over nothing is owed. */
static u8 waits_at(const struct saves *s, const struct save *save, u32 block, u8 waits)
{
	return is_within(s->tree, s->tree->blocks[block].frame, save->frame) ? waits : (u8)OVER;
}

static u32 depth_of(const struct ir_tree *tree, u32 frame)
{
	u32 depth = 0;

	for (; frame; frame = tree->frames[frame].parent)
		depth++;
	return depth;
}

/* Along one way out of a block; false if a loop would find something else than before. */
static bool along(struct saves *s, const struct save *save, const struct ir_edge *edge, u8 waits,
                  bool dry, u64 *owed)
{
	switch (edge->kind) {
	case EDGE_CHILD:
		s->waits[edge->block] = waits_at(s, save, edge->block, waits);
		return true;
	case EDGE_BACK:
		waits = waits_at(s, save, edge->block, waits);
		return s->waits[edge->block] == waits ||
		       (waits != OWED && s->waits[edge->block] == NOT_YET);
	case EDGE_EXIT:
		if (waits != OWED ||
		    s->tree->states[edge->state].n < depth_of(s->tree, save->frame))
			return true;
		s->gain -= edge->flow;
		if (!dry)
			*owed |= (u64)1 << s->owe.n;
		return true;
	default:
		return true;
	}
}

/* One instruction while the save waits. */
static u8 pass_op(struct saves *s, const struct save *save, u32 op, u32 freq, bool dry)
{
	const struct insn *insn = &s->tree->ops[op];
	u64 bit = (u64)1 << s->owe.n;
	s32 at;
	u8 reg;

	if (!dry)
		s->owe.owed[op] |= bit;
	if (is_move(insn, 0x89, &at, &reg) && at == save->at)
		return OVER; /* be it stored or owed */
	if (s->owe.gone[op])
		return OWED;
	if (is_move(insn, 0x8b, &at, &reg) && at == save->at && reg == save->reg) {
		s->gain += freq;
		if (!dry)
			s->owe.gone[op] = 1;
		return OWED;
	}
	if (!(insn->def.gpr >> save->reg & 1) && !touches(insn, save->at) && !opens(insn) &&
	    !(insn->flags & INSN_OPAQUE))
		return OWED;
	s->gain -= freq;
	if (!dry)
		s->owe.done[op] |= bit;
	return PAID;
}

/* False: it cannot wait. */
static bool follow(struct saves *s, const struct save *save, u32 first, bool dry)
{
	memset(s->waits, NOT_YET, s->tree->n_blocks);
	s->gain = s->tree->blocks[first].freq;
	for (u32 b = first; b < s->tree->n_blocks; b++) {
		const struct ir_block *block = &s->tree->blocks[b];
		u8 waits = b == first ? (u8)OWED : s->waits[b];
		u32 i = b == first ? save->op + 1 : block->first;

		if (waits == NOT_YET)
			continue;
		for (; i < block->first + block->n && waits == OWED; i++)
			waits = pass_op(s, save, i, block->freq, dry);
		if (!along(s, save, &block->next, waits, dry, &s->owe.next[b]) ||
		    !along(s, save, &block->taken, waits, dry, &s->owe.taken[b]))
			return false;
	}
	return true;
}

static void try_save(struct saves *s, u32 b, u32 op)
{
	struct save save = { .op = op, .frame = s->tree->blocks[b].frame };
	const struct ir_state *state = state_of(s, op);

	if (!is_move(&s->tree->ops[op], 0x89, &save.at, &save.reg) || save.reg == RSP ||
	    !state->n || save.at + WORD > frame_top(s, state))
		return;
	if (!follow(s, &save, b, true) || s->gain <= 0 || !pass_may(s->pass))
		return;
	if (follow(s, &save, b, false)) {
		s->owe.gone[op] = 1;
		s->owe.items[s->owe.n++] =
			(struct owe_item){ { .kind = PENDING_REG, .at = save.at, .reg = save.reg },
			                   op };
	}
}

/* Is an address in the stack of inlined calls in a register behind the block, if one is in front of it? */
static u8 open_behind(const struct saves *s, u32 b)
{
	const struct ir_block *block = &s->tree->blocks[b];
	u8 open = s->open[b];

	for (u32 i = block->first; i < block->first + block->n; i++)
		open |= block->frame && opens(&s->tree->ops[i]);
	return open;
}

/* Along an edge; true if that is news. */
static bool open_along(struct saves *s, const struct ir_edge *edge, u8 open)
{
	bool leads = edge->kind == EDGE_CHILD || edge->kind == EDGE_BACK;

	if (!leads || !open || !s->tree->blocks[edge->block].frame || s->open[edge->block])
		return false;
	s->open[edge->block] = 1;
	return true;
}

/* Loops bring pointers back to where they begin: until nothing is new. */
static void find_open(struct saves *s)
{
	bool again = true;

	while (again) {
		again = false;
		for (u32 b = 0; b < s->tree->n_blocks; b++) {
			const struct ir_block *block = &s->tree->blocks[b];
			u8 open = open_behind(s, b);

			again |= open_along(s, &block->next, open);
			again |= open_along(s, &block->taken, open);
		}
	}
}

static bool allocate(struct saves *s)
{
	u32 n_blocks = s->tree->n_blocks;

	s->open = arena_alloc(s->pass->arena, n_blocks, 1);
	s->waits = arena_alloc(s->pass->arena, n_blocks, 1);
	return s->open && s->waits && owe_init(&s->owe, s->pass);
}

enum status pass_saves(struct pass *pass)
{
	struct saves s = { .pass = pass, .tree = pass->tree };

	if (!pass->tree->op_state)
		return STATUS_OK;
	if (!allocate(&s))
		return failed(pass->fail, STATUS_WORKSPACE, pass->tree->head, pass->arena->size);
	find_open(&s);
	for (u32 b = pass->tree->n_blocks; b-- > 0;) {
		const struct ir_block *block = &pass->tree->blocks[b];
		u8 open = s.open[b];
		u32 last = block->first;

		/* The innermost first: what they leave out overwrites nothing. */
		while (last < block->first + block->n && !open)
			open = opens(&pass->tree->ops[last++]);
		for (u32 i = last; block->frame && s.owe.n < MOST && i-- > block->first;)
			try_save(&s, b, i);
	}
	return s.owe.n ? owe_write(&s.owe) : STATUS_OK;
}
