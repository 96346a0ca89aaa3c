/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * known.c - the pass that leaves out what the path has decided already.
 *
 * At every place of a path each register's value lies between two bounds: constants, what extensions and masks leave, and what
 * branches on the way have said of it. A branch whose condition follows from them goes one way only, and its comparison is left out
 * if nobody else reads its flags; so are extensions of what is extended, constants that are there, and comparisons with 0 whose
 * flags are there. At the head of a loop
 * only what the loop does not write is known. So the machine's state is the original's at every
 * boundary that is left, dead flags apart.
 */
#include "alu.h"
#include "compact.h"
#include "flags.h"
#include "loops.h"

#define GPRS 16
#define ALL_FLAGS (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* A value without sign; equal numbers, equal values. */
struct value {
	u32 number;
	bool constant; /* made as one: low */
	u64 most; /* as it was made */
	u64 low, high; /* what the path says */
};

struct reg {
	struct value all, half; /* half: of bits 0 to 31 */
};

/* What the flags are: of a comparison of `left` with the constant `right`. */
struct compare {
	struct value left;
	u64 right;
	u16 flags; /* these of them; 0: nothing is known */
	u32 op; /* in tree.ops, and 1, if nothing is left between it and here; else 0 */
	u8 width;
};

struct facts {
	struct reg regs[GPRS];
	struct compare compare;
	u32 last; /* of what is left the last in front, in tree.ops, and 1; 0: there is none */
	bool reached;
};

struct known {
	struct pass *pass;
	struct ir_tree *tree;
	struct facts *facts; /* block: where it begins, and after the walk where it ends */
	u8 *is_head, *gone;
	u16 *reads; /* op: flags that a branch behind it has read, which is gone */
	u8 *inside; /* block: of the loop that is asked about */
	u32 last; /* number given */
};

/* ---- values ---- */

static struct value fresh(struct known *k, u64 low, u64 high)
{
	return (struct value){ ++k->last, false, high, low, high };
}

static struct value constant(struct known *k, u64 c)
{
	return (struct value){ ++k->last, true, c, c, c };
}

/* Of a register, as an operand of that width. */
static struct value view(struct known *k, const struct facts *f, u8 reg, u8 width)
{
	const struct reg *r = &f->regs[reg];

	if (width == 64 || r->all.most <= alu_mask(width))
		return r->all;
	if (width == 32)
		return r->half;
	return fresh(k, 0, alu_mask(width));
}

static struct value second(struct known *k, const struct facts *f, const struct alu *alu)
{
	u8 width = alu->op == ALU_ZERO_EXTEND ? alu->from_width : alu->width;

	if (alu->constant && alu->op != ALU_LEA)
		return constant(k, alu->value);
	return alu->from == ALU_NO_REG ? fresh(k, 0, alu_mask(width))
	                               : view(k, f, alu->from, width);
}

/* 64 bits. */
static struct value sum(struct known *k, struct value a, u64 c)
{
	struct value made = fresh(k, 0, ~(u64)0);

	if (c == 0)
		return a;
	if (a.low + c <= a.high + c) {
		made.low = a.low + c;
		made.high = a.high + c;
	}
	return made;
}

static u64 least(u64 a, u64 b)
{
	return a < b ? a : b;
}

/* What an instruction makes of its first operand, .width bits. */
static struct value made(struct known *k, const struct facts *f, const struct alu *alu)
{
	u64 mask = alu_mask(alu->width);
	struct value b = second(k, f, alu);

	switch (alu->op) {
	case ALU_MOVE:
	case ALU_ZERO_EXTEND:
		return b;
	case ALU_LEA:
		if (alu->width == 64)
			return sum(k, b, alu->value);
		break;
	case ALU_ADD:
		if (alu->width == 64 && alu->constant)
			return sum(k, f->regs[alu->to].all, alu->value);
		break;
	case ALU_XOR:
	case ALU_SUB:
		if (alu->from == alu->to)
			return constant(k, 0);
		if (alu->op == ALU_SUB && alu->width == 64 && alu->constant)
			return sum(k, f->regs[alu->to].all, 0 - alu->value);
		break;
	case ALU_AND:
		return fresh(k, 0, alu->constant ? alu->value : mask);
	case ALU_SHR:
		return fresh(k, 0, mask >> alu->value);
	default:
		break;
	}
	return fresh(k, 0, mask);
}

static void forget(struct known *k, struct facts *f, u16 set)
{
	for (u32 i = 0; i < GPRS; i++)
		if (set >> i & 1)
			f->regs[i] =
				(struct reg){ fresh(k, 0, ~(u64)0), fresh(k, 0, alu_mask(32)) };
}

static void set_reg(struct known *k, struct facts *f, const struct alu *alu, struct value value)
{
	struct reg *r = &f->regs[alu->to];
	struct value half = fresh(k, 0, alu_mask(32));

	if (alu->op == ALU_MOVE && alu->from != ALU_NO_REG)
		half = f->regs[alu->from].half;
	else if (value.constant)
		half = constant(k, value.low & alu_mask(32));
	r->all = value;
	r->half = value.most <= alu_mask(32) ? value : half;
}

/* ---- flags ---- */

static struct compare comparison(struct known *k, const struct facts *f, const struct alu *alu)
{
	struct compare c = { .width = alu->width, .flags = ALL_FLAGS };
	struct value right = second(k, f, alu);

	if (alu->to == ALU_NO_REG)
		return (struct compare){ 0 };
	c.left = view(k, f, alu->to, alu->width);
	if (alu->op == ALU_TEST) {
		c.flags = ALL_FLAGS & ~FLAG_AF;
		return alu->to == alu->from ? c : (struct compare){ 0 };
	}
	c.right = right.low;
	return right.constant ? c : (struct compare){ 0 };
}

/* Its flags, which are those of a comparison of the result with 0, but for some. */
static struct compare result_flags(const struct facts *f, const struct alu *alu)
{
	struct compare c = { .width = alu->width };

	if (alu->to == ALU_NO_REG || alu->width < 32)
		return c;
	c.left = alu->width == 64 ? f->regs[alu->to].all : f->regs[alu->to].half;
	switch (alu->op) {
	case ALU_AND:
	case ALU_OR:
	case ALU_XOR:
		c.flags = ALL_FLAGS & ~FLAG_AF;
		break;
	case ALU_ADD:
	case ALU_SUB:
	case ALU_SHR:
		c.flags = FLAG_ZF | FLAG_SF | FLAG_PF;
		break;
	default:
		break;
	}
	return c;
}

/* ---- conditions ---- */

/* Values from `first` on up to `last`, which may be less: then around through 0. */
struct interval {
	u64 first, last;
};

/* For which left values does the even condition hold? False: for none that an interval says. */
static bool values_of(const struct compare *c, u8 cc, struct interval *in)
{
	u64 mask = alu_mask(c->width), lowest = mask / 2 + 1; /* with sign */

	switch (cc & 0xe) {
	case 2: /* below */
		*in = (struct interval){ 0, c->right - 1 };
		return c->right && c->flags & FLAG_CF;
	case 4: /* equal */
		*in = (struct interval){ c->right, c->right };
		return true;
	case 6: /* below or equal */
		*in = (struct interval){ 0, c->right };
		return c->right != mask && c->flags & FLAG_CF;
	case 8: /* the difference has the sign: so has the value, if the other is 0 */
		*in = (struct interval){ lowest, mask };
		return !c->right;
	case 12: /* less */
		*in = (struct interval){ lowest, (c->right - 1) & mask };
		return c->right != lowest && c->flags & FLAG_OF;
	case 14: /* less or equal */
		*in = (struct interval){ lowest, c->right };
		return c->right != lowest - 1 && c->flags & FLAG_OF;
	default:
		return false;
	}
}

static struct interval others(struct interval in, u64 mask)
{
	return (struct interval){ (in.last + 1) & mask, (in.first - 1) & mask };
}

static bool outside(const struct value *v, struct interval in)
{
	if (in.first <= in.last)
		return v->high < in.first || v->low > in.last;
	return v->low > in.last && v->high < in.first;
}

/* Cuts off the ends that do not lie in it. */
static struct value within(struct value v, struct interval in)
{
	struct value cut = v;

	if (in.first <= in.last) {
		cut.low = cut.low < in.first ? in.first : cut.low;
		cut.high = least(cut.high, in.last);
	} else {
		if (cut.low > in.last && cut.low < in.first)
			cut.low = in.first;
		if (cut.high > in.last && cut.high < in.first)
			cut.high = in.last;
	}
	return cut.low <= cut.high ? cut : v;
}

/* 1: the even condition holds, 0: it does not, -1: not known. */
static int holds(const struct compare *c, u8 cc)
{
	struct interval in;

	if (!c->flags || !values_of(c, cc, &in))
		return -1;
	if (outside(&c->left, in))
		return 0;
	return outside(&c->left, others(in, alu_mask(c->width))) ? 1 : -1;
}

/* Behind a branch on the path where the even condition holds, or does not. */
static void learn(struct facts *f, u8 cc, bool even)
{
	const struct compare *c = &f->compare;
	struct interval in;
	u32 number = c->left.number;
	struct value cut;

	if (!c->flags || !values_of(c, cc, &in))
		return;
	cut = within(c->left, even ? in : others(in, alu_mask(c->width)));
	for (u32 i = 0; i < GPRS; i++) {
		if (f->regs[i].all.number == number)
			f->regs[i].all = cut;
		if (f->regs[i].half.number == number)
			f->regs[i].half = cut;
	}
	f->compare.left = cut;
}

/* ---- walking ---- */

/* A comparison with 0 of a result whose flags are there already, but for those that differ, which nobody reads. */
static bool compares_again(struct known *k, const struct compare *now, const struct compare *before,
                           u32 b, u32 op)
{
	u16 differ = ALL_FLAGS & ~(now->flags & before->flags);

	return before->flags && now->flags && before->left.number == now->left.number &&
	       before->right == 0 && now->right == 0 && before->width == now->width &&
	       flags_some_dead_behind(k->pass, b, op, differ);
}

/* Does the register hold what the instruction makes of it already? */
static bool is_there(const struct facts *f, const struct alu *alu, const struct value *value)
{
	const struct value *old = &f->regs[alu->to].all;

	return alu->width >= 32 && (old->number == value->number ||
	                            (old->constant && value->constant && old->low == value->low));
}

/* Moves *f behind an instruction. True: nothing is lost without it. */
static bool step(struct known *k, struct facts *f, const struct insn *insn, u32 b, u32 op)
{
	struct alu alu = alu_of(insn);
	struct compare before = f->compare;
	struct value value;
	bool idle;

	if (insn->flags_def)
		f->compare.flags = 0;
	if (alu.op == ALU_CMP || alu.op == ALU_TEST) {
		f->compare = comparison(k, f, &alu);
		return !insn->n_mem && compares_again(k, &f->compare, &before, b, op);
	}
	if (alu.op == ALU_NONE || alu.to == ALU_NO_REG || insn->def.gpr != 1u << alu.to ||
	    alu.width < 32) {
		forget(k, f, insn->def.gpr);
		return false;
	}
	value = made(k, f, &alu);
	idle = is_there(f, &alu, &value) && !insn->n_mem &&
	       (!insn->flags_def || flags_dead_behind(k->pass, b, op));
	set_reg(k, f, &alu, value);
	if (insn->flags_def)
		f->compare = result_flags(f, &alu);
	return idle;
}

/* The branch at the end of block b goes one way only, if that is known. One that always leads back stays: no loop is empty. */
static bool decide(struct known *k, struct ir_block *block, const struct insn *insn,
                   const struct facts *f)
{
	int even = insn->role == ROLE_JCC ? holds(&f->compare, insn->cc) : -1;
	const struct ir_edge *way = even != (insn->cc & 1) ? &block->taken : &block->next;

	if (even < 0 || way->kind == EDGE_BACK || !pass_may(k->pass))
		return false;
	block->next = *way;
	block->next.flow = block->freq;
	block->taken = (struct ir_edge){ 0 };
	return true;
}

static bool compares(const struct insn *insn)
{
	u8 op = alu_of(insn).op;

	return (op == ALU_CMP || op == ALU_TEST) && !insn->n_mem;
}

/*
 * The comparison of a branch that has gone goes with it, if nothing stands between them. Else flags stay what they are up to there: the original
 * is about to read them.
 */
static void leave_out_comparison(struct known *k, struct facts *f, u32 b, u32 op)
{
	const struct insn *branch = &k->tree->ops[k->tree->blocks[b].first + op];

	if (f->last && !(k->tree->ops[f->last - 1].flags_def & branch->flags_use))
		k->reads[f->last - 1] |= branch->flags_use;
	if (!f->compare.op || !flags_dead_behind(k->pass, b, op) || !pass_may(k->pass))
		return;
	k->gone[f->compare.op - 1] = 1;
	f->compare.flags = 0;
}

static void walk(struct known *k, u32 b, struct facts *f)
{
	struct ir_block *block = &k->tree->blocks[b];

	for (u32 i = 0; i < block->n; i++) {
		const struct insn *insn = &k->tree->ops[block->first + i];
		u16 flags = f->compare.flags;
		bool idle = step(k, f, insn, b, i) && pass_may(k->pass);

		if (idle && insn->flags_def) /* they are what they were */
			f->compare.flags &= insn->def.gpr ? 0 : flags;
		k->gone[block->first + i] = idle || decide(k, block, insn, f);
		if (!k->gone[block->first + i]) {
			f->last = block->first + i + 1;
			f->compare.op = compares(insn) ? f->last : 0;
		} else if (!idle)
			leave_out_comparison(k, f, b, i);
	}
}

/* General registers that are written in blocks from which control comes back to the head. */
static u16 written_in_loop(struct known *k, u32 head)
{
	const struct ir_tree *tree = k->tree;
	u16 set = 0;

	loops_mark_inside(tree, head, k->inside);
	for (u32 b = head; b < tree->n_blocks; b++) {
		const struct ir_block *block = &tree->blocks[b];

		for (u32 i = block->first; k->inside[b] && i < block->first + block->n; i++)
			set |= tree->ops[i].def.gpr;
	}
	return set;
}

static void hand_on(struct known *k, u32 b, const struct ir_edge *edge)
{
	const struct ir_block *block = &k->tree->blocks[b];
	const struct insn *last = block->n ? &k->tree->ops[block->first + block->n - 1] : NULL;
	struct facts *f;

	if (edge->kind != EDGE_CHILD)
		return;
	f = &k->facts[edge->block];
	*f = k->facts[b];
	f->reached = true;
	if (last && last->role == ROLE_JCC && block->taken.kind != EDGE_NONE)
		learn(f, last->cc, (edge == &block->taken) != (last->cc & 1));
	if (!k->is_head[edge->block])
		return;
	forget(k, f, written_in_loop(k, edge->block));
	f->compare.flags = 0;
}

/* What is left, with the flags that it reads for branches that are gone. */
static enum status write(struct known *k)
{
	struct ir_tree *tree = k->tree;
	struct insn *ops = arena_alloc(k->pass->arena, tree->n_ops, sizeof(*ops));

	if (!ops)
		return failed(k->pass->fail, STATUS_WORKSPACE, tree->head, k->pass->arena->size);
	memcpy(ops, tree->ops, tree->n_ops * sizeof(*ops));
	for (u32 i = 0; i < tree->n_ops; i++)
		ops[i].flags_use |= k->reads[i];
	tree->ops = ops;
	return compact_ops(k->pass, k->gone);
}

enum status pass_known(struct pass *pass)
{
	struct known k = { .pass = pass, .tree = pass->tree };
	u32 n_blocks = pass->tree->n_blocks, before = pass->left;

	k.gone = arena_alloc(pass->arena, pass->tree->n_ops, 1);
	k.reads = arena_alloc(pass->arena, pass->tree->n_ops, sizeof(*k.reads));
	k.facts = arena_alloc(pass->arena, n_blocks, sizeof(*k.facts));
	k.is_head = arena_alloc(pass->arena, n_blocks, 1);
	k.inside = arena_alloc(pass->arena, n_blocks, 1);
	if (!k.gone || !k.reads || !k.inside || !k.facts || !k.is_head)
		return failed(pass->fail, STATUS_WORKSPACE, pass->tree->head, pass->arena->size);
	loops_mark_heads(k.tree, k.is_head);
	forget(&k, &k.facts[0], 0xffff);
	k.facts[0].reached = true;
	for (u32 b = 0; b < n_blocks; b++) {
		if (!k.facts[b].reached)
			continue; /* behind a branch that goes the other way */
		walk(&k, b, &k.facts[b]);
		hand_on(&k, b, &pass->tree->blocks[b].next);
		hand_on(&k, b, &pass->tree->blocks[b].taken);
	}
	if (pass->left == before)
		return STATUS_OK;
	return write(&k);
}
