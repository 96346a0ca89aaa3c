/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * code.c - a translation at its place: fields that depend on the address, and the way back to original addresses.
 *
 * Addresses are module addresses, of which only differences count: they are taken modulo 2^64, so a place
 * below the module's first byte is as good as one above. Invariant: either all fields of a code are filled
 * in or none, and a field that is filled in leads exactly where the fixup says.
 */
#include "code.h"

enum status code_fixup_value(const struct code_fixup *fixup, u64 addr, u64 target, s32 *value,
                             struct failure *fail)
{
	s64 distance = (s64)(target - (addr + fixup->end));

	if (fixup->kind == FIXUP_TABLE)
		distance = (s64)(target - fixup->target) + (s32)fixup->to;
	if (distance != (s32)distance)
		return failed(fail, STATUS_PLACE_REACH, addr + fixup->at, target);
	*value = (s32)distance;
	return STATUS_OK;
}

static u64 placed_target(const struct code_fixup *fixup, u64 addr)
{
	if (fixup->kind == FIXUP_TABLE)
		return fixup->shadow;
	return fixup->kind == FIXUP_BACK ? addr + fixup->to : fixup->target;
}

enum status code_place(struct code *code, u64 addr, struct failure *fail)
{
	enum status status;
	s32 value;

	for (u32 i = 0; i < code->n_fixups; i++) {
		const struct code_fixup *f = &code->fixups[i];

		if (f->kind == FIXUP_TABLE && !f->shadow)
			return failed(fail, STATUS_PLACE_TABLE, addr + f->at, f->target);
		status = code_fixup_value(f, addr, placed_target(f, addr), &value, fail);
		if (status)
			return status;
	}
	for (u32 i = 0; i < code->n_fixups; i++) {
		const struct code_fixup *f = &code->fixups[i];

		status = code_fixup_value(f, addr, placed_target(f, addr), &value, fail);
		if (status)
			return status;
		memcpy(code->bytes + f->at, &value, sizeof(value));
	}
	return STATUS_OK;
}

u64 code_origin_at(const struct code_origin *origins, u32 n, u32 at)
{
	u32 low = 0, high = n;

	/* Entries below `low` are at or before `at`, those from `high` on behind it. */
	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (origins[middle].at <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? origins[low - 1].origin : 0;
}
