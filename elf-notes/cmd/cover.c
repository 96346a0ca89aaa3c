/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * cover.c - turns marks into blocks, blocks into sites, and matches sites to slots.
 *
 * Figures of certified and of ordinary text are computed apart, each with all slots
 * at its disposal. The random draws use a fixed seed, so a file always gives the
 * same figures.
 */
#include "cover.h"

#include <stdlib.h>

#define JMP_REL8_LEN 2
#define JMP_REL32_LEN 5
#define DRAW_SEED 0x9e3779b97f4a7c15ull

static void add_piece(struct cover *cover, const struct code_region *r, size_t from, size_t to)
{
	cover->free_bytes += to - from;
	for (; to - from >= DYNOPT_SLOT_SIZE; from += DYNOPT_SLOT_SIZE) {
		*vec_add(&cover->slots) = r->addr + (from - r->base);
		cover->padding_slots++;
	}
}

/*
 * An executed NOP of 8 bytes or more, 0f 1f with SIB and disp32, may hold anything in
 * its last five: a jmp rel32 for whoever jumps there. One that starts a block is
 * left for that block's own patch.
 */
static void collect_nop_slots(struct cover *cover, const struct code *code,
                              const struct code_region *r)
{
	for (size_t i = r->base, end = r->base + r->size; i < end; i++) {
		u32 mark = code->mark[i];

		if (!(mark & INSN_LONG_NOP) ||
		    (mark & (BYTE_FREE | BYTE_NOPATCH | BYTE_OPAQUE | LEAD_ANY)))
			continue;
		*vec_add(&cover->slots) =
			r->addr + (i - r->base) + code->length[i] - DYNOPT_SLOT_SIZE;
		cover->nop_slots++;
	}
}

static void collect_slots(struct cover *cover, const struct code *code, const struct model *model)
{
	for (size_t i = 0; i < code->regions.n; i++) {
		const struct code_region *r = &code->regions.at[i];
		size_t end = r->base + r->size;

		for (size_t k = r->base, from; k < end;) {
			for (from = k; k < end && (code->mark[k] & BYTE_FREE); k++)
				;
			if (k > from)
				add_piece(cover, r, from, k);
			else
				k++;
		}
		collect_nop_slots(cover, code, r);
	}
	for (size_t i = 0; i < model->ranges.n; i++) {
		const struct range *range = &model->ranges.at[i];

		if (range->folded || model_disabled(model, range))
			continue;
		for (u64 k = 0; k < range->record.counts[NOTES_SLOTS]; k++) {
			*vec_add(&cover->slots) =
				model->slots.at[range->first[NOTES_SLOTS] + k].addr;
			cover->noted_slots++;
		}
	}
	cover->free_bytes += cover->noted_slots * DYNOPT_SLOT_SIZE;
	if (cover->slots.n)
		qsort(cover->slots.at, cover->slots.n, sizeof(u64), u64_compare);
}

/* Lowest slot that a jmp rel8 at `site` reaches, counted from `from`; slots.n if none. */
static size_t first_slot(const struct cover *cover, u64 site, size_t from)
{
	u64 lowest = site + JMP_REL8_LEN - 128, highest = site + JMP_REL8_LEN + 127;
	size_t low = from, high = cover->slots.n;

	if (lowest > site + JMP_REL8_LEN)
		lowest = 0;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (cover->slots.at[mid] < lowest)
			low = mid + 1;
		else
			high = mid;
	}
	return low < cover->slots.n && cover->slots.at[low] <= highest ? low : cover->slots.n;
}

bool cover_nearest(const struct cover *cover, const struct block *block, s64 *distance)
{
	u64 from = block->site + JMP_REL8_LEN;
	size_t low = 0, high = cover->slots.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (cover->slots.at[mid] < from)
			low = mid + 1;
		else
			high = mid;
	}
	if (!cover->slots.n)
		return false;
	if (low == cover->slots.n ||
	    (low && from - cover->slots.at[low - 1] < cover->slots.at[low] - from))
		low--;
	*distance = (s64)(cover->slots.at[low] - from);
	return true;
}

/* Finds the site of the block that starts at index i of its region. */
static struct block block_at(const struct code *code, const struct code_region *r, size_t i)
{
	size_t end = r->base + r->size, start = i;
	struct block block = { .leader = r->addr + (i - r->base),
		               .kind = BLOCK_ONE_BYTE,
		               .certified = code->mark[i] & BYTE_CERTIFIED,
		               .loop = code->mark[i] & LEAD_LOOP };

	for (; i < end && code->length[i] && (i == start || !(code->mark[i] & LEAD_ANY));
	     i += code->length[i]) {
		u32 mark = code->mark[i];

		if (mark & (BYTE_NOPATCH | BYTE_OPAQUE)) {
			if (i == start || (mark & BYTE_NOPATCH))
				block.kind = BLOCK_FORBIDDEN;
			return block;
		}
		if (mark & (BYTE_SLOT | BYTE_FREE))
			break;
		if (code->length[i] >= JMP_REL8_LEN && !(mark & INSN_ENDBR)) {
			block.site = r->addr + (i - r->base);
			block.length = code->length[i];
			block.kind = block.length >= JMP_REL32_LEN ? BLOCK_FITS : BLOCK_NEEDS_SLOT;
			break;
		}
		if (mark & (INSN_BARRIER | INSN_CONDITIONAL))
			break;
	}
	return block;
}

static void count_instruction(struct cover *cover, u8 length)
{
	cover->instructions++;
	if (length == 1)
		cover->short_insns++;
	else if (length < JMP_REL32_LEN)
		cover->middle_insns++;
	else
		cover->long_insns++;
}

static void count_return(struct cover *cover, const struct code *code, const struct code_region *r,
                         size_t i)
{
	struct block b = block_at(code, r, i);
	struct cover_group *g = &cover->groups[b.certified ? COVER_CERTIFIED : COVER_ORDINARY];

	if (b.kind != BLOCK_FITS && b.kind != BLOCK_NEEDS_SLOT)
		return;
	g->returns.of++;
	g->returns.patchable += b.kind == BLOCK_FITS ||
	                        first_slot(cover, b.site, 0) < cover->slots.n;
}

static void collect_blocks(struct cover *cover, const struct code *code)
{
	for (size_t n = 0; n < code->regions.n; n++) {
		const struct code_region *r = &code->regions.at[n];

		for (size_t i = r->base; i < r->base + r->size; i++) {
			u32 mark = code->mark[i];

			if (!code->length[i] || !(mark & BYTE_TEXT) ||
			    (mark & (BYTE_SLOT | BYTE_FREE)))
				continue;
			count_instruction(cover, code->length[i]);
			if (mark & RETURN_POINT)
				count_return(cover, code, r, i);
			if (!(mark & LEAD_ANY))
				continue;
			struct block b = block_at(code, r, i);

			b.reached = b.kind == BLOCK_FITS ||
			            (b.kind == BLOCK_NEEDS_SLOT &&
			             first_slot(cover, b.site, 0) < cover->slots.n);
			*vec_add(&cover->blocks) = b;
		}
	}
}

static void add(struct cover_part *part, bool patchable)
{
	part->of++;
	part->patchable += patchable;
}

static void count_alone(struct cover *cover)
{
	for (size_t i = 0; i < cover->blocks.n; i++) {
		const struct block *b = &cover->blocks.at[i];
		struct cover_group *g =
			&cover->groups[b->certified ? COVER_CERTIFIED : COVER_ORDINARY];

		g->blocks++;
		if (b->kind == BLOCK_ONE_BYTE) {
			g->one_byte++;
		} else if (b->kind == BLOCK_FORBIDDEN) {
			g->forbidden++;
		} else {
			add(&g->alone, b->reached);
			add(b->loop ? &g->loops : &g->rest, b->reached);
		}
	}
}

/* Which blocks take part in a matching: a group's loop heads, a random tenth, or all. */
struct choice {
	bool certified, loops_only;
	u64 *seed; /* draws COVER_DRAW_PERCENT when not NULL */
};

static bool drawn(u64 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed % 100 < COVER_DRAW_PERCENT;
}

/* Gives each chosen site, ascending, the lowest unused slot that it reaches. */
static struct cover_part match(struct cover *cover, struct choice choice)
{
	struct cover_part part = { 0 };
	size_t used = 0;

	for (size_t i = 0; i < cover->blocks.n; i++) {
		struct block *b = &cover->blocks.at[i];

		if (b->certified != choice.certified || (choice.loops_only && !b->loop) ||
		    (b->kind != BLOCK_FITS && b->kind != BLOCK_NEEDS_SLOT) ||
		    (choice.seed && !drawn(choice.seed)))
			continue;
		bool ok = b->kind == BLOCK_FITS;

		if (!ok) {
			size_t slot = first_slot(cover, b->site, used);

			ok = slot < cover->slots.n;
			if (ok)
				used = slot + 1;
		}
		if (choice.loops_only)
			b->loop_unmatched = !ok;
		add(&part, ok);
	}
	return part;
}

static void measure_together(struct cover *cover, struct cover_group *g, bool certified)
{
	u64 seed = DRAW_SEED;
	double sum = 0;
	int draws = 0;

	g->loops_all = match(cover, (struct choice){ .certified = certified, .loops_only = true });
	g->everything = match(cover, (struct choice){ .certified = certified });
	for (int i = 0; i < COVER_DRAWS; i++) {
		struct cover_part p =
			match(cover, (struct choice){ .certified = certified, .seed = &seed });

		if (p.of) {
			sum += 100.0 * (double)p.patchable / (double)p.of;
			draws++;
		}
	}
	g->draw_percent = draws ? sum / draws : 100.0;
}

void cover_measure(struct cover *cover, const struct code *code, const struct model *model)
{
	*cover = (struct cover){ .groups = { { .key = "certified", .title = "certified text" },
		                             { .key = "ordinary", .title = "ordinary text" } } };
	collect_slots(cover, code, model);
	collect_blocks(cover, code);
	count_alone(cover);
	for (int i = 0; i < COVER_N_GROUPS; i++)
		measure_together(cover, &cover->groups[i], i == COVER_CERTIFIED);
}

void cover_free(struct cover *cover)
{
	free(cover->blocks.at);
	free(cover->slots.at);
}
