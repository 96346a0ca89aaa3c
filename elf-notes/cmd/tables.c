/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * tables.c - finds jump tables in ordinary text, where no notes name them.
 *
 * Two shapes: `jmp *table(,%r,8)` with 8-byte addresses, and, in a function that has both
 * `movslq (%b,%i,4)` and `jmp *%r`, every `lea table(%rip)` whose 4-byte entries
 * lead from the table's start to instructions of that function. A table ends at the
 * first entry that does not fit or where the next table starts. Best effort:
 * used for measuring, never for --check.
 */
#include "flow.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_MAX_ENTRIES 65536

struct candidate {
	u64 table, from;
	bool absolute;
};
struct candidates {
	VEC(struct candidate) v;
};

static bool certified(const struct code *code, u64 addr)
{
	size_t i = code_index(code, addr);

	return i != CODE_NONE && (code->mark[i] & BYTE_CERTIFIED);
}

/* Starts of the functions that hold these addresses, sorted. */
static u64 *functions_of(const struct code *code, const u64 *addrs, size_t n)
{
	u64 *starts = base_calloc(n, sizeof(*starts));

	for (size_t i = 0; i < n; i++)
		starts[i] = code_function(code, addrs[i]);
	if (n)
		qsort(starts, n, sizeof(*starts), u64_compare);
	return starts;
}

static int by_table(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	return (x->from > y->from) - (x->from < y->from);
}

static void collect(struct candidates *c, const struct code *code, const struct image *image)
{
	u64 *widening = functions_of(code, code->widened.at, code->widened.n);
	u64 *jumping = functions_of(code, code->computed.at, code->computed.n);

	for (size_t i = 0; i < code->leas.n; i++) {
		const struct code_reference *l = &code->leas.at[i];
		u64 f = code_function(code, l->from);

		if (!certified(code, l->from) && l->to % 4 == 0 && image_at(image, l->to, 4) &&
		    code_index(code, l->to) == CODE_NONE &&
		    u64_sorted_has(widening, code->widened.n, f) &&
		    u64_sorted_has(jumping, code->computed.n, f))
			*vec_add(&c->v) = (struct candidate){ l->to, l->from, false };
	}
	for (size_t i = 0; i < code->indexed.n; i++)
		if (!certified(code, code->indexed.at[i].from))
			*vec_add(&c->v) = (struct candidate){ code->indexed.at[i].to,
				                              code->indexed.at[i].from, true };
	if (c->v.n)
		qsort(c->v.at, c->v.n, sizeof(*c->v.at), by_table);
	free(widening);
	free(jumping);
}

static bool entry(const struct image *image, const struct candidate *c, u64 index, u64 *target)
{
	s32 distance;
	const u8 *bytes;

	if (c->absolute)
		return image_pointer(image, c->table + index * 8, target);
	bytes = image_at(image, c->table + index * 4, 4);
	if (!bytes)
		return false;
	memcpy(&distance, bytes, sizeof(distance));
	*target = c->table + (u64)(s64)distance;
	return true;
}

static void follow(struct flow *flow, struct code *code, const struct image *image,
                   const struct candidate *c, u64 limit)
{
	u64 f = code_function(code, c->from), target, n = 0;
	u64 size = c->absolute ? 8 : 4;

	while (n < TABLE_MAX_ENTRIES && c->table + (n + 1) * size <= limit &&
	       entry(image, c, n, &target) && code_boundary(code, target) &&
	       code_function(code, target) == f)
		n++;
	if (n < 2)
		return;
	flow->tables++;
	for (u64 i = 0; i < n; i++)
		if (entry(image, c, i, &target))
			flow_table_target(flow, code, 0, target);
}

void tables_guess(struct flow *flow, struct code *code, const struct image *image)
{
	struct candidates c = { 0 };

	collect(&c, code, image);
	for (size_t i = 0; i < c.v.n; i++) {
		size_t next = i + 1;

		while (next < c.v.n && c.v.at[next].table == c.v.at[i].table)
			next++;
		follow(flow, code, image, &c.v.at[i],
		       next < c.v.n ? c.v.at[next].table : UINT64_MAX);
		/* The same table, used from another function: followed again only then. */
		while (i + 1 < next && code_function(code, c.v.at[i + 1].from) ==
		                               code_function(code, c.v.at[i].from))
			i++;
	}
	free(c.v.at);
}
