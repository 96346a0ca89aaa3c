/* SPDX-License-Identifier: MIT */
/*
 * leave.c - see leave.h; without libc. What is malformed is passed over: dynopt itself wrote the list (cmd/policy_leave.c).
 */
#include "leave.h"

static const char *hex(const char *at, u64 *value)
{
	*value = 0;
	if (at[0] != '0' || at[1] != 'x')
		return at;
	for (at += 2;; at++) {
		u32 digit = (u32)(*at >= 'a' ? *at - 'a' + 10 : *at - '0');

		if (*at < '0' || digit > 15 || (*at > '9' && *at < 'a'))
			return at;
		*value = *value * 16 + digit;
	}
}

/* Its bytes, and the slots among them. */
static void mark(struct text *text, u64 start, u64 end)
{
	const u16 all = TEXT_NO_PATCH | TEXT_NO_TRANSLATE | TEXT_NO_INLINE | TEXT_NO_DEFER;
	u32 kept = 0;

	if (start < text->start)
		start = text->start;
	if (end > text->end)
		end = text->end;
	for (u64 addr = start; addr < end; addr++)
		text->marks[addr - text->start] |= all;
	for (u32 i = 0; i < text->n_slots; i++)
		if (text->slots[i].addr < start || text->slots[i].addr >= end)
			text->slots[kept++] = text->slots[i];
	text->n_slots = kept;
}

void leave_mark(const char *list, const char *name, struct text *text)
{
	while (*list) {
		const char *at = name;
		u64 start, end;

		while (*at && *list == *at)
			list++, at++;
		if (!*at && *list == ':') {
			list = hex(list + 1, &start);
			if (*list == '-') {
				list = hex(list + 1, &end);
				mark(text, start, end);
			}
		}
		while (*list && *list != ' ')
			list++;
		while (*list == ' ')
			list++;
	}
}
