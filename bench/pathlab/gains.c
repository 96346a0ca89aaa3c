/* SPDX-License-Identifier: MIT */
/*
 * gains.c - see gains.h. Each tree's nodes are visited parents first; what is known at a node's end is handed to its
 * children, so every node sees exactly the one path that leads to it.
 */
#include <string.h>
#include "gains.h"
#include "map.h"
#include "need.h"
#include "stack_op.h"

#define CELLS_MAX 48
#define FACTS_MAX 16
#define SAVES_MAX 32
#define NO_REG 0xff
#define SLOT 8

enum class { CLASS_PRIVATE, CLASS_PLAIN, CLASS_ORDERED };

/* What lies where: base, index, scale and displacement name a place as long as the registers are not written. */
struct cell {
	struct insn_mem mem; /* base RSP: disp is a coordinate of the tree */
	u64 rip; /* address, if it is relative to the instruction pointer */
	u8 reg; /* that holds the value; NO_REG */
	u8 class;
	bool stored; /* by the path itself */
	bool loads_since; /* memory that is not private was read since */
};
/* A comparison whose outcome is known. */
struct fact {
	u8 bytes[INSN_MAX_LEN + 1];
	u16 gpr; /* registers it reads */
	u8 len, cc; /* the condition that held */
};
struct save {
	s32 at;
	u32 frame;
	u8 reg;
	bool written;
};
struct known {
	struct cell cells[CELLS_MAX];
	struct fact facts[FACTS_MAX];
	struct save saves[SAVES_MAX];
	u32 n_cells, n_facts, n_saves;
	s32 rsp; /* seen from the tree's entry */
	bool rsp_known;
	struct insn compare; /* that set the flags; len 0: another instruction did */
};

struct scan {
	const struct forest *f;
	const struct tree *tree;
	const struct node *node;
	struct known *at; /* of the node being scanned */
	struct gains *gains;
};

/* ---- memory ---- */

static enum class class_of(const struct scan *s, const struct op *op, const struct insn_mem *mem) {
	(void)s;
	if (mem->base == RSP && mem->index == MEM_NO_REG && s->at->rsp_known &&
	    (op->marks & TEXT_STACK_PRIVATE || op->insn.flags & INSN_STACK)) return CLASS_PRIVATE;
	return op->marks & TEXT_PLAIN && !(op->insn.flags & (INSN_LOCKED | INSN_FENCE))
	               ? CLASS_PLAIN
	               : CLASS_ORDERED;
}

static struct cell cell_of(const struct scan *s, const struct op *op, const struct insn_mem *mem)
{
	struct cell cell = { .mem = *mem, .reg = NO_REG, .class = (u8)class_of(s, op, mem) };

	if (mem->base == RSP)
		cell.mem.disp += s->at->rsp;
	if (op->insn.flags & INSN_RIP && mem->base == MEM_NO_REG)
		cell.rip = op->insn.target;
	cell.mem.load = cell.mem.store = false;
	return cell;
}

static bool same_place(const struct cell *a, const struct cell *b)
{
	return a->mem.base == b->mem.base && a->mem.index == b->mem.index &&
	       a->mem.scale == b->mem.scale && a->mem.segment == b->mem.segment &&
	       a->mem.disp == b->mem.disp && a->rip == b->rip && a->mem.size == b->mem.size;
}

/* Are the two certainly not the same memory? */
static bool apart(const struct cell *a, const struct cell *b)
{
	bool same_regs = a->mem.base == b->mem.base && a->mem.index == b->mem.index &&
	                 a->mem.scale == b->mem.scale && a->mem.segment == b->mem.segment &&
	                 !a->rip == !b->rip;
	s64 at_a = a->rip ? (s64)a->rip : a->mem.disp, at_b = b->rip ? (s64)b->rip : b->mem.disp;

	if (!a->mem.size || !b->mem.size)
		return false;
	if (same_regs)
		return at_a + a->mem.size <= at_b || at_b + b->mem.size <= at_a;
	return a->class == CLASS_PRIVATE || b->class == CLASS_PRIVATE;
}

static void drop_cell(struct known *k, u32 i)
{
	k->cells[i] = k->cells[--k->n_cells];
}

static void add_cell(struct known *k, struct cell cell)
{
	if (!cell.mem.size)
		return;
	if (k->n_cells == CELLS_MAX) {
		memmove(k->cells, k->cells + 1, (CELLS_MAX - 1) * sizeof(*k->cells));
		k->n_cells--;
	}
	k->cells[k->n_cells++] = cell;
}

/* The register that a plain 64- or 32-bit move loads into or stores from; NO_REG. */
static u8 moved_reg(const struct insn *insn)
{
	u16 regs = insn->flags & INSN_STORE ? insn->gpr_values : insn->def.gpr;
	u8 opcode = insn->bytes[insn->opcode_at];

	if ((opcode != 0x8b && opcode != 0x89) || __builtin_popcount(regs) != 1)
		return NO_REG;
	return (u8)__builtin_ctz(regs);
}

static void count_access(struct scan *s, const struct insn_mem *mem, enum class class)
{
	u64 n = s->node->count;

	s->gains->stack_accesses += mem->base == RSP ? n : 0;
	s->gains->private_accesses += class == CLASS_PRIVATE ? n : 0;
	s->gains->plain_accesses += class == CLASS_PLAIN ? n : 0;
}

/* A load of a place that is known: by which rule may it go? */
static void count_known(struct scan *s, const struct op *op, const struct cell *cell,
                        const struct cell *old)
{
	struct gains *g = s->gains;
	u64 n = s->node->count;
	bool held = old->reg != NO_REG, gone = held && moved_reg(&op->insn) == old->reg;

	if (cell->class == CLASS_PRIVATE) {
		*(held ? &g->loads_private : &g->again_private) += n;
		g->gone_private += gone ? n : 0;
	} else if (cell->class == CLASS_PLAIN && old->class == CLASS_PLAIN) {
		*(held ? &g->loads_plain : &g->again_plain) += n;
		g->gone_plain += gone ? n : 0;
	} else if (old->stored && !old->loads_since) {
		*(held ? &g->loads_ordered : &g->again_ordered) += n;
		g->gone_ordered += gone ? n : 0;
	} else {
		g->loads_unproved += n;
	}
}

static void on_load(struct scan *s, const struct op *op, const struct insn_mem *mem)
{
	struct known *k = s->at;
	struct cell cell = cell_of(s, op, mem);

	for (u32 i = k->n_cells; i-- > 0;) {
		if (!same_place(&k->cells[i], &cell))
			continue;
		count_known(s, op, &cell, &k->cells[i]);
		drop_cell(k, i);
		break;
	}
	s->gains->all_loads += s->node->count;
	count_access(s, mem, cell.class);
	if (cell.class != CLASS_PRIVATE)
		for (u32 i = 0; i < k->n_cells; i++)
			k->cells[i].loads_since = true;
}

static void on_store(struct scan *s, const struct op *op, const struct insn_mem *mem)
{
	struct known *k = s->at;
	struct cell cell = cell_of(s, op, mem);

	s->gains->all_stores += s->node->count;
	count_access(s, mem, cell.class);
	for (u32 i = k->n_cells; i-- > 0;)
		if (!apart(&k->cells[i], &cell))
			drop_cell(k, i);
}

static void on_written(struct known *k, u16 gpr)
{
	for (u32 i = k->n_cells; i-- > 0;) {
		struct cell *cell = &k->cells[i];
		u16 names = 0;

		if (cell->mem.base != MEM_NO_REG && cell->mem.base != RSP)
			names |= (u16)(1u << cell->mem.base);
		if (cell->mem.index != MEM_NO_REG)
			names |= (u16)(1u << cell->mem.index);
		if (names & gpr)
			drop_cell(k, i);
		else if (cell->reg != NO_REG && gpr >> cell->reg & 1)
			cell->reg = NO_REG;
	}
	for (u32 i = k->n_facts; i-- > 0;)
		if (k->facts[i].gpr & gpr)
			k->facts[i] = k->facts[--k->n_facts];
	for (u32 i = 0; i < k->n_saves; i++)
		k->saves[i].written |= gpr >> k->saves[i].reg & 1;
}

/* What the instruction has read or written lies in a register, or is at least known. */
static void remember(struct scan *s, const struct op *op, struct cell cell, bool store)
{
	cell.reg = moved_reg(&op->insn);
	cell.stored = store;
	if (cell.reg != NO_REG && !store &&
	    (cell.mem.base == cell.reg || cell.mem.index == cell.reg))
		return; /* its own address is gone */
	add_cell(s->at, cell);
}

/* ---- the stack ---- */

static bool is_callee_saved(u8 reg)
{
	return reg == 3 || reg == RBP || (reg >= 12 && reg <= 15);
}

static void on_push(struct scan *s, u8 reg)
{
	struct known *k = s->at;

	s->gains->pushes += s->node->count;
	if (is_callee_saved(reg) && k->n_saves < SAVES_MAX)
		k->saves[k->n_saves++] = (struct save){ k->rsp, s->node->frame, reg, false };
}

static void on_pop(struct scan *s, u8 reg, s32 at)
{
	struct known *k = s->at;
	u64 n = 2 * s->node->count;

	s->gains->pushes += s->node->count;
	for (u32 i = k->n_saves; i-- > 0;) {
		const struct save *save = &k->saves[i];

		if (save->at != at || save->reg != reg || save->frame != s->node->frame)
			continue;
		if (!s->node->frame) {
			s->gains->pushes_root += n;
		} else {
			s->gains->pushes_inlined += n;
			s->gains->pushes_unused += save->written ? 0 : n;
		}
		k->n_saves = i;
		return;
	}
}

static void move_stack(struct scan *s, const struct op *op)
{
	struct stack_op stack = stack_op(&op->insn);
	struct known *k = s->at;

	switch (stack.kind) {
	case STACK_PUSH:
		k->rsp -= SLOT;
		on_push(s, stack.reg);
		break;
	case STACK_PUSH_IMM:
		k->rsp -= SLOT;
		break;
	case STACK_POP:
		on_pop(s, stack.reg, k->rsp);
		k->rsp += SLOT;
		break;
	case STACK_MOVE:
		k->rsp += stack.value;
		break;
	case STACK_NONE:
	case STACK_OPERAND:
	case STACK_COPY:
		break;
	default:
		if (op->insn.role == ROLE_CALL)
			k->rsp -= SLOT;
		else if (op->insn.role == ROLE_RET)
			k->rsp += SLOT;
		else
			k->rsp_known = false;
		break;
	}
}

/* ---- comparisons ---- */

static bool compares_registers(const struct insn *insn)
{
	u8 opcode = insn->bytes[insn->opcode_at];
	u8 modrm = insn->bytes[insn->opcode_at + 1];

	if (insn->n_mem || insn->def.gpr || !insn->flags_def || insn->flags_use)
		return false;
	return (opcode >= 0x38 && opcode <= 0x3d) || opcode == 0x84 || opcode == 0x85 ||
	       opcode == 0xa8 || opcode == 0xa9 ||
	       ((opcode == 0x80 || opcode == 0x81 || opcode == 0x83) && (modrm >> 3 & 7) == 7) ||
	       ((opcode == 0xf6 || opcode == 0xf7) && (modrm >> 3 & 7) <= 1);
}

static void on_branch(struct scan *s, const struct insn *jcc)
{
	const struct known *k = s->at;

	for (u32 i = 0; i < k->n_facts; i++)
		if (k->compare.len && k->facts[i].len == k->compare.len &&
		    memcmp(k->facts[i].bytes, k->compare.bytes, k->compare.len) == 0 &&
		    (k->facts[i].cc | 1) == (jcc->cc | 1)) {
			s->gains->tests_known += 2 * s->node->count;
			return;
		}
}

/* What is known on one way behind a branch. */
static void learn(struct known *k, u8 cc)
{
	struct fact fact = { .gpr = k->compare.use.gpr, .len = k->compare.len, .cc = cc };

	if (!fact.len || k->n_facts == FACTS_MAX)
		return;
	memcpy(fact.bytes, k->compare.bytes, sizeof(fact.bytes));
	k->facts[k->n_facts++] = fact;
}

/* ---- walking ---- */

static void scan_op(struct scan *s, const struct op *op, u32 at)
{
	const struct insn *insn = &op->insn;
	struct known *k = s->at;
	struct cell cells[2];

	for (u32 i = 0; i < insn->n_mem; i++) {
		cells[i] = cell_of(s, op, &insn->mem[i]);
		if (insn->mem[i].load)
			on_load(s, op, &insn->mem[i]);
	}
	for (u32 i = 0; i < insn->n_mem; i++)
		if (insn->mem[i].store)
			on_store(s, op, &insn->mem[i]);
	if (insn->flags & (INSN_LOCKED | INSN_FENCE | INSN_OPAQUE))
		k->n_cells = 0;
	move_stack(s, op);
	on_written(k, insn->def.gpr);
	if (insn->n_mem == 1 && (insn->mem[0].load || insn->mem[0].store) &&
	    !(insn->flags & INSN_STACK))
		remember(s, op, cells[0], insn->mem[0].store);
	if (insn->role == ROLE_JCC)
		on_branch(s, insn);
	if (insn->flags_def) {
		k->compare = *insn;
		k->compare.len = compares_registers(insn) ? insn->len : 0;
		s->gains->compares += k->compare.len ? s->node->count : 0;
	}
	need_sum(s->f, s->tree, s->node, at, s->gains);
}

static void hand_on(const struct scan *s, struct known *all, u32 which)
{
	const struct way *way = &s->node->ways[which];
	const struct run *run = &s->f->runs->runs[s->node->run];

	if (way->kind != WAY_CHILD)
		return;
	all[way->node] = *s->at;
	if (run->role == ROLE_JCC && s->node->end == END_BRANCH)
		learn(&all[way->node], (u8)(run_last(run)->insn.cc ^ (which ? 0 : 1)));
}

/* ---- loops ---- */

static bool has_loop(const struct tree *tree)
{
	for (u32 i = 0; i < tree->n_nodes; i++)
		for (u32 w = 0; w < 2; w++)
			if (tree->nodes[i].ways[w].kind == WAY_BACK && tree->nodes[i].ways[w].count)
				return true;
	return false;
}

/* Loads of [rsp+disp] in frame 0 and stores there; displacements are those of the instructions. */
static void sum_invariant(const struct forest *f, const struct tree *tree, struct gains *gains)
{
	struct map *stored = map_new();

	for (u32 pass = 0; pass < 2 && has_loop(tree); pass++) {
		for (u32 i = 0; i < tree->n_nodes; i++) {
			const struct node *node = &tree->nodes[i];
			const struct run *run = &f->runs->runs[node->run];

			for (u32 at = 0; at < node->n && !node->frame; at++) {
				const struct insn_mem *mem = &run->ops[at]->insn.mem[0];
				u64 key = 1ull << 40 | (u32)mem->disp, any;

				if (!run->ops[at]->insn.n_mem || mem->base != RSP ||
				    mem->index != MEM_NO_REG ||
				    !(run->ops[at]->marks & TEXT_STACK_PRIVATE))
					continue;
				if (!pass && mem->store)
					map_put(stored, key, 1);
				if (pass && mem->load && !map_get(stored, key, &any) &&
				    node->count > tree->entries)
					gains->invariant += node->count - tree->entries;
			}
		}
	}
	map_free(stored);
}

static void scan_tree(const struct forest *f, const struct tree *tree, struct gains *gains)
{
	struct known *all = must(calloc(tree->n_nodes, sizeof(*all)));

	all[0].rsp_known = true;
	for (u32 i = 0; i < tree->n_nodes; i++) {
		struct scan s = { f, tree, &tree->nodes[i], &all[i], gains };
		const struct run *run = &f->runs->runs[s.node->run];

		for (u32 op = 0; op < s.node->n; op++)
			scan_op(&s, run->ops[op], op);
		hand_on(&s, all, 0);
		hand_on(&s, all, 1);
	}
	free(all);
}

void gains_sum(const struct forest *f, struct gains *gains)
{
	memset(gains, 0, sizeof(*gains));
	for (u32 i = 0; i < f->n_trees; i++) {
		if (f->trees[i].dead)
			continue;
		scan_tree(f, &f->trees[i], gains);
		sum_invariant(f, &f->trees[i], gains);
	}
}
