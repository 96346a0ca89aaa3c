/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * cursor.c - fields out of bytes that nobody vouches for.
 *
 * Invariant: pos <= size before and after every call, and no byte at or beyond size
 * is read. A number that does not end inside the bytes is RECORD_SHORT.
 */
#include "reader_private.h"

u64 cursor_addr(const struct notes_cursor *c)
{
	return c->addr + c->pos;
}

u64 cursor_left(const struct notes_cursor *c)
{
	return c->size - c->pos;
}

enum notes_status cursor_u8(struct notes_cursor *c, u8 *out)
{
	if (cursor_left(c) < 1)
		return NOTES_RECORD_SHORT;
	*out = c->bytes[c->pos++];
	return NOTES_OK;
}

/* An s32 distance from its own place, as the address it means. */
enum notes_status cursor_target(struct notes_cursor *c, u64 *out)
{
	s32 distance;

	if (cursor_left(c) < sizeof(distance))
		return NOTES_RECORD_SHORT;
	memcpy(&distance, c->bytes + c->pos, sizeof(distance));
	*out = cursor_addr(c) + (u64)distance;
	c->pos += sizeof(distance);
	return NOTES_OK;
}

/* Unsigned LEB128 (DWARF 5, section 7.6), padded forms included, of at most 64 bits. */
enum notes_status cursor_uleb(struct notes_cursor *c, u64 *out)
{
	u64 value = 0;
	u32 shift;
	u8 byte;

	for (shift = 0; shift < 64; shift += 7) {
		enum notes_status status = cursor_u8(c, &byte);

		if (status != NOTES_OK)
			return status;
		if (shift == 63 && byte > 1)
			return NOTES_LEB_LONG;
		value |= (u64)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*out = value;
			return NOTES_OK;
		}
	}
	return NOTES_LEB_LONG;
}
