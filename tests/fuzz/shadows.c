/* SPDX-License-Identifier: MIT */
/* shadows.c - see shadows.h. */
#include "dynopt_notes.h"
#include "rnd.h"
#include "shadows.h"

/* What a jump beyond its shadow meets: nothing is there. */
#define BEYOND 0x330000000000u
#define MARGIN 64 /* entries on both sides */

/* A jump of an armed tree through a table: instructions from the load of the distance on. */
struct jump {
	const struct text_table *table;
	const struct insn *first, *last;
};

/* The next one of tree *t behind instruction *i. */
static bool next_jump(const struct guest *g, u32 *t, u32 *i, struct jump *out)
{
	for (; *t < g->n_trees; (*t)++, *i = 0) {
		const struct ir_tree *tree = &g->trees[*t];

		while (*i < tree->n_ops) {
			const struct insn *op = &tree->ops[(*i)++];

			if (op->role != ROLE_JMP_INDIRECT)
				continue;
			out->table = text_table_at(&g->m->text, op->addr);
			out->last = op;
			out->first = op->n_mem || *i < 3 ? op : op - 2;
			if (out->table)
				return true;
		}
	}
	return false;
}

static bool leads_to(const struct guest *g, const struct text_table *table, u64 at)
{
	for (u64 i = 0; i < table->count; i++)
		if (g->m->base + g->m->text.start + table->targets[i] == at)
			return true;
	return false;
}

/* Room for a shadow with margins on both sides; 0: none. */
static u64 reserve(struct guest *g, u64 count)
{
	u64 size = (count + 2 * MARGIN) * 8, at = g->shadows_end;
	u64 *words = (u64 *)(g->m->base + at);

	if (at + size > g->caches[0] + GUEST_CACHE_SIZE + GUEST_SHADOWS_SIZE)
		return 0;
	g->shadows_end += size;
	for (u64 i = 0; i < size / 8; i++)
		words[i] = BEYOND;
	return at + MARGIN * 8;
}

bool shadows_make(struct guest *g, struct code *code)
{
	for (u32 i = 0; i < code->n_fixups; i++) {
		struct code_fixup *f = &code->fixups[i];
		const struct text_table *table;
		u64 *words;

		if (f->kind != FIXUP_TABLE)
			continue;
		table = text_table_of(&g->m->text, f->target);
		f->shadow = table ? reserve(g, table->count) : 0;
		if (!f->shadow)
			return false;
		words = (u64 *)(g->m->base + f->shadow);
		for (u64 k = 0; k < table->count; k++)
			words[k] = g->m->base + g->m->text.start + table->targets[k];
	}
	return true;
}

void shadows_originals(const struct guest *g)
{
	struct jump jump;

	for (u32 t = 0, i = 0; next_jump(g, &t, &i, &jump);)
		for (u64 k = 0; jump.table->form == DYNOPT_TABLE_ABS64 && k < jump.table->count;
		     k++) {
			u64 *word = (u64 *)(g->m->base + jump.table->addr + k * 8);
			u64 target = g->m->text.start + jump.table->targets[k];

			if (guest_area(g, (u64)word, sizeof(*word)))
				*word = text_table_at(&g->m->text, target) ? BEYOND
				                                           : g->m->base + target;
		}
}

u32 shadows_link(const struct guest *g, u32 to)
{
	u64 head = g->m->base + g->codes[to].code->head;
	u32 n = 0;

	for (u64 at = g->caches[0] + GUEST_CACHE_SIZE; at < g->shadows_end; at += 8) {
		u64 *word = (u64 *)(g->m->base + at);

		n += *word == head;
		*word = *word == head ? g->codes[to].start : *word;
	}
	return n;
}

/* Does an instruction of the trees lead there, other than by a value, or stand there? */
static bool is_known(const struct guest *g, u64 addr)
{
	for (u32 t = 0; t < g->n_trees; t++)
		for (u32 i = 0; i < g->trees[t].n_ops; i++) {
			const struct insn *op = &g->trees[t].ops[i];
			bool falls = op->role != ROLE_JMP && op->role != ROLE_JMP_INDIRECT &&
			             op->role != ROLE_RET;

			if (op->addr == addr || (falls && op->addr + op->len == addr) ||
			    (op->target == addr && !(op->flags & INSN_RIP)))
				return true;
		}
	return false;
}

/* Beyond a shadow the registers are still those that name the entry. */
static bool is_beyond(const struct jump *jump, const struct outcome *b)
{
	const struct insn_mem *mem = &jump->first->mem[0];
	bool there = b && b->kind == OUTCOME_FAULT && b->at == BEYOND && jump->first->n_mem;

	return there && mem->index < 16 &&
	       b->state.gpr[mem->index] + (u64)(mem->disp / (mem->scale + !mem->scale)) >=
	               jump->table->count;
}

/* Does a side end by a fault in the jump? */
static bool faults_at(const struct guest *g, const struct jump *jump, const struct outcome *o)
{
	u64 at = o ? o->at - g->m->base : 0;

	return o && o->kind == OUTCOME_FAULT && at >= jump->first->addr && at <= jump->last->addr;
}

bool shadows_strayed(const struct guest *g, const struct outcome *a, const struct outcome *b)
{
	bool any = false, led = false, faults = false;
	struct jump jump;

	for (u32 t = 0, i = 0; next_jump(g, &t, &i, &jump);) {
		any = true;
		led |= leads_to(g, jump.table, a->at);
		faults |= faults_at(g, &jump, b);
		if (is_beyond(&jump, b) || faults_at(g, &jump, a))
			return true;
	}
	return any && !led && (faults || !is_known(g, a->at - g->m->base));
}

/* Is it where the table leads, but for a byte that both sides have written since? */
static bool is_left(const struct guest *g, const struct text_table *table, u64 theirs, u64 ours)
{
	if (leads_to(g, table, theirs))
		return true;
	for (u64 i = 0; i < table->count && (u8)theirs == (u8)ours; i++)
		if ((g->m->base + g->m->text.start + table->targets[i]) >> 8 == theirs >> 8)
			return true;
	return false;
}

/* Words of the stack that the original has pushed it into. */
static void forgive_stack(const struct guest *g, const struct text_table *table)
{
	const struct guest_area *area = guest_area(g, GUEST_STACK, 8);
	u64 *theirs = (u64 *)area->after, *ours = (u64 *)area->addr;

	for (u32 i = 0; i < area->size / 8; i++)
		if (theirs[i] != ours[i] && leads_to(g, table, theirs[i]))
			ours[i] = theirs[i];
}

void shadows_forgive(const struct guest *g, const struct outcome *a, struct outcome *b)
{
	struct jump jump;

	for (u32 t = 0, i = 0; next_jump(g, &t, &i, &jump);) {
		if (jump.last->n_mem)
			continue;
		for (u32 r = 0; r < 16; r++)
			if ((jump.last->use.gpr >> r & 1) &&
			    is_left(g, jump.table, a->state.gpr[r], b->state.gpr[r]))
				b->state.gpr[r] = a->state.gpr[r];
		forgive_stack(g, jump.table);
	}
}

void shadows_aim(const struct guest *g, u64 gpr[16], u64 *rnd)
{
	struct jump jump;

	for (u32 t = 0, i = 0; next_jump(g, &t, &i, &jump);) {
		const struct insn_mem *mem = &jump.first->mem[0];

		if (!jump.first->n_mem || mem->index > 15 || rnd_chance(rnd, 10))
			continue;
		/* Whatever the index is computed from is small. */
		for (u32 r = 0; r < 16; r++)
			if (r == mem->index || (r != 4 && rnd_chance(rnd, 20)))
				gpr[r] = rnd_below(rnd, jump.table->count);
		if (mem->base < 16)
			gpr[mem->base] = g->m->base + jump.table->addr - (u64)mem->disp;
	}
}
