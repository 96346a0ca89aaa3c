/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * flow.c - marks leaders, loop heads, return points and free padding.
 *
 * Order matters: everything that is *named* as a target is marked first, because
 * padding is only free where no name leads into it, and what follows a branch is only
 * a leader where it is no padding.
 */
#include "flow.h"

static bool mark_at(struct code *code, u64 addr, u32 mark)
{
	size_t i = code_index(code, addr);

	if (i == CODE_NONE || !code->length[i] || !(code->mark[i] & BYTE_TEXT))
		return false;
	code->mark[i] |= mark;
	return true;
}

bool flow_table_target(struct flow *flow, struct code *code, u64 site, u64 addr)
{
	size_t i = code_index(code, addr);

	if (i == CODE_NONE || !code->length[i])
		return false;
	if (!(code->mark[i] & LEAD_TABLE)) {
		flow->table_targets++;
		flow->table_backward += site && addr <= site;
	}
	return mark_at(code, addr, LEAD_TABLE);
}

static void mark_branches(struct code *code)
{
	for (size_t i = 0; i < code->branches.n; i++) {
		const struct code_reference *b = &code->branches.at[i];

		mark_at(code, b->to, LEAD_BRANCH);
		if (!(b->mark & INSN_CALL) && b->to <= b->from &&
		    code_function(code, b->from) <= b->to)
			mark_at(code, b->to, LEAD_LOOP);
	}
	for (size_t i = 0; i < code->leas.n; i++)
		mark_at(code, code->leas.at[i].to, LEAD_POINTER);
}

static void mark_named(struct flow *flow, struct code *code, const struct image *image,
                       const struct unwind *unwind, const struct model *model)
{
	for (size_t i = 0; i < code->functions.n; i++)
		mark_at(code, code->functions.at[i], LEAD_FUNCTION);
	for (size_t i = 0; i < unwind->landing_pads.n; i++)
		mark_at(code, unwind->landing_pads.at[i], LEAD_LANDING);
	for (size_t i = 0; i < image->pointers.n; i++)
		mark_at(code, image->pointers.at[i].value, LEAD_POINTER);
	mark_at(code, image->entry, LEAD_FUNCTION);
	mark_branches(code);
	for (size_t i = 0; i < model->tables.n; i++) {
		const struct notes_table *t = &model->tables.at[i];
		u64 target;

		flow->tables++;
		for (u64 k = 0; k < t->count; k++)
			if (model_table_target(model, image, t, k, &target))
				flow_table_target(flow, code, t->site, target);
	}
}

/* End of the run of padding, slots and fill that starts at index i. */
static size_t padding_end(const struct code *code, size_t i, size_t end)
{
	while (i < end && !(code->mark[i] & LEAD_ANY)) {
		if (code->mark[i] & BYTE_SLOT)
			i++;
		else if (code->length[i] && (code->mark[i] & INSN_PAD) &&
		         !(code->mark[i] & BYTE_OPAQUE))
			i += code->length[i];
		else
			break;
	}
	return i;
}

/* Linkers that fill with zeros: a run of them from i to the next function start or the end. */
static size_t zeros_end(const struct code *code, const struct code_region *r, size_t i, size_t end)
{
	size_t k = i;

	while (k < end && !(code->mark[k] & LEAD_ANY) && r->bytes[k - r->base] == 0)
		k++;
	return k == end || (code->mark[k] & (LEAD_FUNCTION | LEAD_POINTER)) ? k : i;
}

/* What follows a barrier at index i: free bytes, then a leader. Returns where to go on. */
static size_t after_barrier(struct code *code, const struct code_region *r, size_t i, size_t end)
{
	size_t stop = padding_end(code, i, end);

	stop = zeros_end(code, r, stop, end);
	for (size_t k = i; k < stop; k++)
		if (!(code->mark[k] & BYTE_SLOT))
			code->mark[k] |= BYTE_FREE;
	if (stop < end && code->length[stop] && (code->mark[stop] & BYTE_TEXT) &&
	    !(code->mark[stop] & BYTE_OPAQUE))
		code->mark[stop] |= LEAD_AFTER;
	return stop;
}

/* A call's return point, unless only padding lies between it and the next function. */
static void after_call(struct code *code, size_t i, size_t end)
{
	size_t stop = padding_end(code, i, end);

	if (i >= end || !code->length[i] || (stop == end) ||
	    (code->mark[i] & (BYTE_OPAQUE | LEAD_FUNCTION)) ||
	    (stop != i && (code->mark[stop] & LEAD_FUNCTION)))
		return;
	code->mark[i] |= RETURN_POINT;
}

static void walk_region(struct code *code, const struct code_region *r)
{
	size_t end = r->base + r->size;

	for (size_t i = r->base; i < end;) {
		u32 mark = code->mark[i];

		if (!code->length[i] || !(mark & BYTE_TEXT)) {
			i++;
			continue;
		}
		i += code->length[i];
		if (mark & BYTE_OPAQUE)
			continue;
		if (mark & INSN_BARRIER)
			i = after_barrier(code, r, i, end);
		else if ((mark & INSN_CONDITIONAL) && i < end && code->length[i] &&
		         !(code->mark[i] & (INSN_INT3 | BYTE_OPAQUE)))
			code->mark[i] |= LEAD_AFTER;
		else if (mark & INSN_CALL)
			after_call(code, i, end);
	}
}

void flow_read(struct flow *flow, struct code *code, const struct image *image,
               const struct unwind *unwind, const struct model *model)
{
	*flow = (struct flow){ 0 };
	mark_named(flow, code, image, unwind, model);
	tables_guess(flow, code, image);
	for (size_t i = 0; i < code->regions.n; i++)
		walk_region(code, &code->regions.at[i]);
}
