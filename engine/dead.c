/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * dead.c - the pass that computes results only on the ways that read them.
 *
 * An instruction that makes one general register of others waits: the tree owes its result (PENDING_RESULT) until the register is
 * overwritten, and then nobody has missed it. It is done in front of the first instruction that reads the register or overwrites what the
 * result is made of, in front of loops that do so and of ways back, and in the stubs of ways out. Invariant: wherever it is owed, executing it there
 * makes what it made at its own place; flags that it writes are dead wherever it is done.
 */
#include "flags.h"
#include "operand.h"
#include "owe.h"
#include "result.h"
#include "stack_op.h"
#include "step.h"

#define NO_REG 0xff
#define LEAST_GAIN 16 /* a sixteenth of what it is executed; flows are estimates */
#define REX_W 8
#define REX_R 4
#define REX_B 1

enum waits { NOT_YET, OWED, DONE, OVER };

struct dead {
	struct pass *pass;
	struct ir_tree *tree;
	struct owe owe;
	u8 *heads; /* block: how many ways lead back to it */
	u8 *back; /* block: on how many of them it is owed */
	u8 *waits; /* block: enum waits where it begins */
	/* Of the result that is tried: */
	const struct insn *insn;
	u32 op;
	u16 reg, sources; /* sets of one, and of several */
	u32 open; /* blocks where it is owed and that have not been looked at */
	s64 gain;
	bool writes_flags, dry;
	bool through; /* it may be owed all through loops, not just in front of them */
	bool is_step; /* it moves its register on, by this: */
	s64 step;
	u8 from; /* a copy: of this register; NO_REG */
	bool narrow; /* of its lower half, the upper is cleared */
};

static bool is_result(const struct insn *insn)
{
	const struct reg_set *use = &insn->use, *def = &insn->def;
	const u16 rsp = 1u << RSP;
	u64 gpr[16] = { 0 };

	return insn->role == ROLE_PLAIN && !insn->flags && !insn->flags_use && def->gpr &&
	       !(def->gpr & (def->gpr - 1)) && insn->full.gpr == def->gpr &&
	       !((use->gpr | def->gpr) & rsp) && !use->vec && !use->mask && !use->other &&
	       !def->vec && !def->mask && !def->other && result_make(insn->bytes, insn->len, gpr);
}

/* A move from one general register to another, 64 or 32 bits (is_result() has seen it): 89 /r, 8b /r. */
static void find_copy(struct dead *d, const struct insn *insn)
{
	const u8 *op = insn->bytes + insn->opcode_at;
	u8 rex = insn->opcode_at && (op[-1] & 0xf0) == 0x40 ? op[-1] : 0;

	d->is_step = step_of(insn, &d->from, &d->step);
	d->from = NO_REG;
	d->narrow = !(rex & REX_W);
	if (op[0] == 0x89)
		d->from = (u8)((op[1] >> 3 & 7) | (rex & REX_R ? 8 : 0));
	else if (op[0] == 0x8b)
		d->from = (u8)((op[1] & 7) | (rex & REX_B ? 8 : 0));
}

/*
 * Reads of a copy become reads of what it is a copy of, which is the same as long as the copy is owed. *copy is the instruction as it
 * is then; returns it, or `insn` if it reads no copy, or reads it so that it must be there.
 */
static const struct insn *read_source(const struct dead *d, const struct insn *insn,
                                      struct insn *copy)
{
	if (d->from == NO_REG || !(insn->use.gpr & d->reg) ||
	    !operand_replace(insn, (u8)__builtin_ctz(d->reg), d->from, d->narrow, d->pass->decoder,
	                     copy))
		return insn;
	return copy;
}

/*
 * A step that is owed need not be there for addresses, which are moved instead, nor for the next step, which becomes both. *copy is the
 * instruction as it is then. NOT_YET: neither. A block's last instruction stays: the step may have to be done in front of it (leave_block()).
 */
static u8 step_over(const struct dead *d, u32 b, u32 op, struct insn *copy)
{
	const struct insn *insn = &d->tree->ops[op];
	u8 reg = (u8)__builtin_ctz(d->reg), of;
	s64 by;

	if (step_of(insn, &of, &by) && of == reg &&
	    (!insn->flags_def || flags_dead_behind(d->pass, b, op - d->tree->blocks[b].first)) &&
	    step_make(insn, reg, d->step + by, d->pass->decoder, copy))
		return OVER;
	return op + 1 < d->tree->blocks[b].first + d->tree->blocks[b].n &&
	                       step_displace(insn, reg, d->step, d->pass->decoder, copy)
	               ? OWED
	               : NOT_YET;
}

/* What an instruction that is executed means for the result. */
static u8 meet(const struct dead *d, const struct insn *insn)
{
	if ((insn->flags & INSN_OPAQUE) || (insn->use.gpr & d->reg) ||
	    insn->role == ROLE_JMP_INDIRECT || insn->role == ROLE_RET)
		return DONE;
	if (insn->def.gpr & d->reg)
		return insn->full.gpr & d->reg ? OVER : DONE;
	return insn->def.gpr & d->sources ? DONE : OWED;
}

/* Other results that are done in front of the instruction are executed there. */
static u8 meet_others(const struct dead *d, u32 op)
{
	u8 waits = OWED;

	for (u32 k = d->owe.n; k-- > 0 && waits == OWED;)
		if (d->owe.done[op] >> k & 1)
			waits = meet(d, &d->tree->ops[d->owe.items[k].op]);
	return waits;
}

/*
 * An instruction that waits itself ends this one if it makes the same register without reading it, unless a third one that waits is
 * made of this one; else both wait.
 */
static u8 meet_waiting(const struct dead *d, u32 op)
{
	const struct insn *insn = &d->tree->ops[op];

	if (!(insn->def.gpr & d->reg) || (insn->use.gpr & d->reg))
		return OWED;
	for (u32 k = 0; k < d->owe.n; k++)
		if ((d->owe.owed[op] >> k & 1) &&
		    (d->tree->ops[d->owe.items[k].op].use.gpr & d->reg))
			return DONE;
	return OVER;
}

/* Does the result in front of an instruction. False: it cannot be done there. */
static bool do_before(struct dead *d, u32 b, u32 op)
{
	const struct ir_block *block = &d->tree->blocks[b];

	if (op == d->op || (d->writes_flags && !flags_dead_before(d->pass, b, op - block->first)))
		return false;
	d->gain -= block->freq;
	if (!d->dry)
		d->owe.done[op] |= (u64)1 << d->owe.n;
	return true;
}

/* Must it be done before a way is taken that leads there? In a loop it is owed everywhere or nowhere. */
static bool stops_at(const struct dead *d, const struct ir_edge *edge)
{
	if (edge->kind == EDGE_BACK)
		return !d->through || d->waits[edge->block] != OWED;
	return edge->kind == EDGE_CHILD && d->heads[edge->block] && !d->through;
}

/* Along one way on which it is owed; false if it cannot be. */
static bool along(struct dead *d, const struct ir_edge *edge, u64 *owed)
{
	switch (edge->kind) {
	case EDGE_CHILD:
		d->waits[edge->block] = OWED;
		d->open++;
		return true;
	case EDGE_BACK: /* when undo cuts it, it is done on the way out */
		if (d->writes_flags && !flags_dead_outside(d->pass, edge->target))
			return false;
		d->back[edge->block]++;
		return true;
	case EDGE_EXIT:
		if (d->writes_flags && !flags_dead_outside(d->pass, edge->target))
			return false;
		d->gain -= edge->state || *owed ? edge->flow : 2 * (s64)edge->flow;
		if (!d->dry)
			*owed |= (u64)1 << d->owe.n;
		return true;
	default:
		return true;
	}
}

/* Behind a block at whose end it is owed. */
static bool leave_block(struct dead *d, u32 b)
{
	const struct ir_block *block = &d->tree->blocks[b];
	bool out = block->next.kind == EDGE_EXIT && block->taken.kind == EDGE_NONE;

	if (out || stops_at(d, &block->next) || stops_at(d, &block->taken))
		return do_before(d, b, block->first + block->n - 1);
	return along(d, &block->next, &d->owe.next[b]) && along(d, &block->taken, &d->owe.taken[b]);
}

/* From op `i` of block b, where it is owed. */
static bool follow_block(struct dead *d, u32 b, u32 i)
{
	const struct ir_block *block = &d->tree->blocks[b];

	for (; i < block->first + block->n; i++) {
		const struct insn *insn = &d->tree->ops[i];
		u8 waits = meet_others(d, i);
		struct insn copy;

		if (!d->dry)
			d->owe.owed[i] |= (u64)1 << d->owe.n;
		if (waits == OWED && d->owe.gone[i]) {
			waits = meet_waiting(d, i);
		} else if (waits == OWED) {
			u8 over = d->is_step && (insn->use.gpr & d->reg) ? step_over(d, b, i, &copy)
			                                                 : NOT_YET;

			insn = over ? &copy : read_source(d, insn, &copy);
			waits = over ? over : meet(d, insn);
			if (insn == &copy && !d->dry)
				d->tree->ops[i] = copy;
		}
		if (waits == DONE)
			return do_before(d, b, i);
		if (waits == OVER)
			return true;
	}
	return leave_block(d, b);
}

/* Has every way back to a loop in which it is owed been one on which it is? */
static bool loops_agree(const struct dead *d, u32 first)
{
	for (u32 b = first; d->through && b < d->tree->n_blocks; b++)
		if (d->heads[b] && d->waits[b] == OWED && d->back[b] != d->heads[b])
			return false;
	return true;
}

/* False: it cannot wait. */
static bool follow(struct dead *d, u32 first, bool dry)
{
	memset(d->waits + first, NOT_YET, d->tree->n_blocks - first);
	memset(d->back + first, 0, d->tree->n_blocks - first);
	d->gain = d->tree->blocks[first].freq;
	d->open = 0;
	d->dry = dry;
	if (!follow_block(d, first, d->op + 1))
		return false;
	for (u32 b = first + 1; d->open; b++) {
		if (d->waits[b] != OWED)
			continue;
		d->open--;
		if (d->gain <= 0 || !follow_block(d, b, d->tree->blocks[b].first))
			return false;
	}
	return d->gain * LEAST_GAIN > d->tree->blocks[first].freq && loops_agree(d, first);
}

static bool can_wait(struct dead *d, u32 b)
{
	d->through = true;
	if (follow(d, b, true))
		return true;
	d->through = false;
	return follow(d, b, true);
}

static void try_result(struct dead *d, u32 b, u32 op)
{
	const struct insn *insn = &d->tree->ops[op];

	if (!is_result(insn))
		return;
	d->insn = insn;
	d->op = op;
	d->reg = insn->def.gpr;
	d->sources = insn->use.gpr;
	d->writes_flags = insn->flags_def;
	find_copy(d, insn);
	if (!can_wait(d, b) ||
	    (d->writes_flags && !flags_dead_behind(d->pass, b, op - d->tree->blocks[b].first)) ||
	    !pass_may(d->pass) || !follow(d, b, false))
		return;
	d->owe.gone[op] = 1;
	d->owe.items[d->owe.n++] =
		(struct owe_item){ { .kind = PENDING_RESULT,
		                     .at = insn->len,
		                     .value = result_pack(insn->bytes, insn->len),
		                     .reg = (u8)__builtin_ctz(insn->def.gpr) },
		                   op };
}

static void find_heads(struct dead *d)
{
	for (u32 b = 0; b < d->tree->n_blocks; b++) {
		const struct ir_block *block = &d->tree->blocks[b];

		if (block->next.kind == EDGE_BACK)
			d->heads[block->next.block]++;
		if (block->taken.kind == EDGE_BACK)
			d->heads[block->taken.block]++;
	}
}

enum status pass_dead(struct pass *pass)
{
	struct dead d = { .pass = pass, .tree = pass->tree };

	struct insn *ops = arena_alloc(pass->arena, pass->tree->n_ops, sizeof(*ops));

	d.heads = arena_alloc(pass->arena, pass->tree->n_blocks, 1);
	d.back = arena_alloc(pass->arena, pass->tree->n_blocks, 1);
	d.waits = arena_alloc(pass->arena, pass->tree->n_blocks, 1);
	if (!ops || !d.heads || !d.back || !d.waits || !owe_init(&d.owe, pass))
		return failed(pass->fail, STATUS_WORKSPACE, pass->tree->head, pass->arena->size);
	memcpy(ops, pass->tree->ops, pass->tree->n_ops * sizeof(*ops));
	pass->tree->ops = ops;
	find_heads(&d);
	for (u32 b = pass->tree->n_blocks; b-- > 0;) {
		const struct ir_block *block = &pass->tree->blocks[b];

		for (u32 i = block->first + block->n; d.owe.n < OWE_MOST && i-- > block->first;)
			try_result(&d, b, i);
	}
	return d.owe.n ? owe_write(&d.owe) : STATUS_OK;
}
