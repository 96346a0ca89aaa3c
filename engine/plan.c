/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * plan.c - collects writes, puts them in the order in which they are safe, and says how to take them back.
 *
 * Invariant: a finished plan touches no byte twice, and each stage depends on earlier ones only, so it may be
 * applied up to any edit and then left, or taken back. What the inverse leaves for plan_reclaim() is what a
 * thread may still stand in.
 */
#include "plan.h"
#include "decode.h"
#include "dynopt_notes.h"
#include "limits.h"

#define FREE_BYTE 0xcc /* of slots, far slots and the code cache */

static_assert(DYNOPT_FARSLOT_SIZE <= EDIT_BYTES, "a far slot is one edit");

enum status plan_init(struct plan *plan, u32 max, struct arena *arena)
{
	struct edit *edits;

	if (max > LIMIT_PLAN_EDITS)
		return STATUS_PLAN_FULL;
	edits = arena_alloc(arena, max, sizeof(*edits));
	if (!edits)
		return STATUS_WORKSPACE;
	*plan = (struct plan){ .edits = edits, .max = max };
	return STATUS_OK;
}

enum status plan_add(struct plan *plan, enum edit_stage stage, u64 addr, const u8 *old,
                     const u8 *new, u32 len, struct failure *fail)
{
	if (len / EDIT_BYTES + (len % EDIT_BYTES != 0) > plan->max - plan->n)
		return failed(fail, STATUS_PLAN_FULL, addr, plan->max);
	for (u32 at = 0; at < len; at += EDIT_BYTES) {
		struct edit *edit = &plan->edits[plan->n++];
		u32 left = len - at;

		memset(edit, 0, sizeof(*edit));
		edit->addr = addr + at;
		edit->stage = (u8)stage;
		edit->len = left < EDIT_BYTES ? (u8)left : EDIT_BYTES;
		if (old)
			memcpy(edit->old, old + at, edit->len);
		else
			memset(edit->old, FREE_BYTE, edit->len);
		memcpy(edit->new, new + at, edit->len);
	}
	return STATUS_OK;
}

/* e9 rel32: jmp; STATUS_PLACE_REACH. */
static enum status put_jmp_rel32(u8 *bytes, u64 addr, u64 target, struct failure *fail)
{
	s64 distance = (s64)(target - (addr + JMP_REL32_LEN));
	s32 field = (s32)distance;

	if (distance != field)
		return failed(fail, STATUS_PLACE_REACH, addr, target);
	bytes[0] = 0xe9;
	memcpy(bytes + 1, &field, sizeof(field));
	return STATUS_OK;
}

/* eb rel8: jmp; STATUS_PLACE_REACH. */
static enum status put_jmp_rel8(u8 *bytes, u64 addr, u64 target, struct failure *fail)
{
	s64 distance = (s64)(target - (addr + JMP_REL8_LEN));
	s8 field = (s8)distance;

	if (distance != field)
		return failed(fail, STATUS_PLACE_REACH, addr, target);
	bytes[0] = 0xeb;
	bytes[1] = (u8)field;
	return STATUS_OK;
}

/* ff 25 02 00 00 00: jmp *2(%rip), two bytes of padding, the address. */
static void put_far(u8 *bytes, u64 absolute)
{
	static const u8 jmp[] = { 0xff, 0x25, 2, 0, 0, 0, 0xcc, 0xcc };

	memcpy(bytes, jmp, sizeof(jmp));
	memcpy(bytes + sizeof(jmp), &absolute, sizeof(absolute));
}

struct hop_bytes {
	u8 site[JMP_REL32_LEN], slot[JMP_REL32_LEN], far[DYNOPT_FARSLOT_SIZE];
	u32 site_len;
	bool has_slot, has_far;
};

static enum status make_hop(const struct hop *hop, u64 bias, struct hop_bytes *out,
                            struct failure *fail)
{
	enum status status = STATUS_OK;
	u64 target = hop->target;

	out->has_far = hop->kind == HOP_FAR || hop->kind == HOP_SLOT_FAR;
	out->has_slot = hop->kind == HOP_SLOT || hop->kind == HOP_SLOT_FAR;
	out->site_len = out->has_slot ? JMP_REL8_LEN : JMP_REL32_LEN;
	if (out->has_far) {
		put_far(out->far, target + bias);
		target = hop->far;
	}
	if (!out->has_slot)
		return put_jmp_rel32(out->site, hop->site, target, fail);
	status = put_jmp_rel32(out->slot, hop->slot, target, fail);
	if (status)
		return status;
	return put_jmp_rel8(out->site, hop->site, hop->slot, fail);
}

enum status plan_add_hop(struct plan *plan, const struct hop *hop, u64 bias, const u8 *old_site,
                         const u8 *old_slot, const u8 *old_far, struct failure *fail)
{
	u32 n = plan->n;
	struct hop_bytes made;
	enum status status;

	if (hop->kind == HOP_NONE || hop->kind >= HOP_CALL)
		return failed(fail, STATUS_PLAN_HOP, hop->site, hop->kind);
	status = make_hop(hop, bias, &made, fail);
	if (status)
		return status;
	/* A jump longer than the site's instruction would destroy the next one. */
	if (made.site_len > hop->len)
		return failed(fail, STATUS_PLAN_HOP, hop->site, hop->kind);
	if (made.has_far)
		status = plan_add(plan, STAGE_CODE, hop->far, old_far, made.far, sizeof(made.far),
		                  fail);
	if (!status && made.has_slot)
		status = plan_add(plan, STAGE_HOP, hop->slot, old_slot, made.slot,
		                  sizeof(made.slot), fail);
	if (!status)
		status = plan_add(plan, STAGE_SITE, hop->site, old_site, made.site, made.site_len,
		                  fail);
	if (status)
		plan->n = n;
	return status;
}

/* ---- order ---- */

static bool before_by_addr(const struct edit *a, const struct edit *b)
{
	return a->addr < b->addr;
}

static bool before_by_stage(const struct edit *a, const struct edit *b)
{
	return a->stage != b->stage ? a->stage < b->stage : a->addr < b->addr;
}

typedef bool before_fn(const struct edit *a, const struct edit *b);

static void swap(struct edit *a, struct edit *b)
{
	struct edit t = *a;

	*a = *b;
	*b = t;
}

/* Lets edits[at] sink until no child in the heap of n is greater. */
static void sink(struct edit *edits, u32 n, u32 at, before_fn *before)
{
	for (;;) {
		u32 child = 2 * at + 1;

		if (child >= n)
			return;
		if (child + 1 < n && before(&edits[child], &edits[child + 1]))
			child++;
		if (!before(&edits[at], &edits[child]))
			return;
		swap(&edits[at], &edits[child]);
		at = child;
	}
}

/* Heapsort: in place, no recursion, no worst case. */
static void sort(struct edit *edits, u32 n, before_fn *before)
{
	for (u32 at = n / 2; at > 0; at--)
		sink(edits, n, at - 1, before);
	for (u32 left = n; left > 1; left--) {
		swap(&edits[0], &edits[left - 1]);
		sink(edits, left - 1, 0, before);
	}
}

enum status plan_finish(struct plan *plan, struct failure *fail)
{
	enum status status = STATUS_OK;

	sort(plan->edits, plan->n, before_by_addr);
	for (u32 i = 1; i < plan->n && !status; i++) {
		const struct edit *before = &plan->edits[i - 1], *edit = &plan->edits[i];

		if (edit->addr - before->addr < before->len)
			status = failed(fail, STATUS_PLAN_OVERLAP, edit->addr, before->addr);
	}
	sort(plan->edits, plan->n, before_by_stage);
	return status;
}

/* ---- the way back ---- */

static bool is_live(const struct edit *edit)
{
	return edit->stage == STAGE_SITE || edit->stage == STAGE_LINK;
}

/* The inverses of those edits that are live, or of the others, last one first. */
static enum status invert(const struct plan *plan, bool live, struct plan *out,
                          struct failure *fail)
{
	u32 n = 0;

	for (u32 i = 0; i < plan->n; i++)
		n += is_live(&plan->edits[i]) == live;
	if (n > out->max)
		return failed(fail, STATUS_PLAN_FULL, 0, out->max);
	out->n = 0;
	for (u32 i = plan->n; i > 0; i--) {
		const struct edit *edit = &plan->edits[i - 1];
		struct edit *back = &out->edits[out->n];

		if (is_live(edit) != live)
			continue;
		*back = *edit;
		memcpy(back->old, edit->new, sizeof(back->old));
		memcpy(back->new, edit->old, sizeof(back->new));
		out->n++;
	}
	return STATUS_OK;
}

enum status plan_invert(const struct plan *plan, struct plan *out, struct failure *fail)
{
	return invert(plan, true, out, fail);
}

enum status plan_reclaim(const struct plan *plan, struct plan *out, struct failure *fail)
{
	return invert(plan, false, out, fail);
}

void plan_amend(struct plan *plan, const struct edit *later)
{
	for (u32 i = 0; i < plan->n; i++) {
		struct edit *edit = &plan->edits[i];

		for (u32 k = 0; k < later->len && edit != later; k++) {
			u64 at = later->addr + k - edit->addr;

			if (at < edit->len)
				edit->new[at] = later->new[k];
		}
	}
}

enum status plan_check(const struct edit *edit, const u8 *now, struct failure *fail)
{
	for (u32 i = 0; i < edit->len; i++) {
		if (now[i] != edit->old[i])
			return failed(fail, STATUS_PLAN_STALE, edit->addr + i, now[i]);
	}
	return STATUS_OK;
}
