/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * text_parts.c - a text of which functions are read as they are wanted.
 *
 *     notes -> where functions are;  bytes -> where branches may lead;  wanted functions -> marks
 *
 * What is certified can be read alone: a function's start is an instruction's. Who branches into it is told by every byte of the module that
 * could begin a branch there, which are a few more places than instructions have: so marks are those of text_build(), but for targets and
 * insides that nobody branches to.
 *
 * Invariant: what was read stays as it is when more is. Distances of four bytes are looked for once; those of one byte reach
 * from the function's neighbours only, which are decoded with it.
 */
#include "limits.h"
#include "text_private.h"

#define CALLEE_DEPTH 4
#define CALLEE_BYTES 512 /* a larger one is wanted if somebody says so */

/* From UNIT_WANTED on: wanted now, by how many calls. */
enum unit_state { UNIT_UNREAD, UNIT_FRINGE, UNIT_READ, UNIT_WANTED };

/* ---- functions ---- */

static struct text_unit *unit_at(const struct text *text, u64 addr)
{
	const struct text_parts *parts = text->parts;
	u32 low = 0, high = parts->n_units;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (parts->units[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low && addr - parts->units[low - 1].start < parts->units[low - 1].size
	               ? &parts->units[low - 1]
	               : NULL;
}

bool text_is_unread(const struct text *text, u64 addr)
{
	const struct text_unit *unit = text->parts ? unit_at(text, addr) : NULL;

	return unit && unit->state != UNIT_READ;
}

static bool marked_function(const struct text *text, u64 addr, u64 *start, u64 *end)
{
	u64 from = addr, to = addr + 1;

	if (!text_holds(text, addr))
		return false;
	while (from > text->start && !(text_marks(text, from) & TEXT_FUNCTION))
		from--;
	while (to < text->end && !(text_marks(text, to) & TEXT_FUNCTION))
		to++;
	*start = from;
	*end = to;
	return text_marks(text, from) & TEXT_FUNCTION;
}

bool text_function(const struct text *text, u64 addr, u64 *start, u64 *end)
{
	const struct text_unit *unit;

	if (!text->parts)
		return marked_function(text, addr, start, end);
	unit = unit_at(text, addr);
	if (!unit)
		return false;
	*start = unit->start;
	*end = unit->start + unit->size;
	return true;
}

/* ---- where branches may lead ---- */

enum { LONG_NONE, LONG_ONE_BYTE, LONG_0F, LONG_C7 };

/* Opcodes with a distance of four bytes: call, jmp; 0f 8x: jcc; c7 f8: xbegin (SDM 2, appendix A). */
static const u8 long_opcodes[256] = {
	[0xe8 ... 0xe9] = LONG_ONE_BYTE,
	[0x0f] = LONG_0F,
	[0xc7] = LONG_C7,
};

/* The next of n bytes, from *at on, that a distance of four bytes could end in front of; 0: none. */
static u64 next_long(const u8 *bytes, u64 n, u64 *at)
{
	u64 i;

	for (i = *at; i + 6 <= n; i++) {
		u8 second = bytes[i + 1], found = long_opcodes[bytes[i]];

		if (!found)
			continue;
		if (found == LONG_0F && (second & 0xf0) != 0x80)
			continue;
		if (found == LONG_C7 && second != 0xf8)
			continue;
		*at = i + 1;
		return i + (found == LONG_ONE_BYTE ? 5 : 6);
	}
	if (i + 5 == n && long_opcodes[bytes[i]] == LONG_ONE_BYTE) {
		*at = n;
		return n;
	}
	return 0;
}

static u64 long_target(const u8 *bytes, u64 addr, u64 end)
{
	return addr + end + (u64)(s64)(s32)port_get32(bytes + end - 4);
}

/* jcc, jmp, loop and jrcxz with a distance of one byte. */
static bool is_short(u8 opcode)
{
	return (opcode & 0xf0) == 0x70 || opcode == 0xeb || (opcode & 0xfc) == 0xe0;
}

/*
 * The next target of a table, from entry *k on, that is not in the function of its jump; false: there is none. A case that cannot be may
 * be given the address behind the function's end.
 */
static bool next_outside(const struct text *text, const struct text_table *table, u64 *k,
                         u64 *target)
{
	const struct notes_table notes = { .addr = table->addr,
		                           .count = table->count,
		                           .form = table->form };
	const struct text_unit *own = unit_at(text, table->site);
	u64 n = table->count < LIMIT_TABLE_ENTRIES ? table->count : LIMIT_TABLE_ENTRIES;

	while (*k < n) {
		bool known = notes_table_target(text->view, &notes, (*k)++, target);

		if (known && text_holds(text, *target) &&
		    (!own || *target - own->start >= own->size))
			return true;
	}
	return false;
}

static void arrive(struct text *text, u64 target)
{
	u64 i = target - text->start;

	if (i < text->end - text->start)
		text->parts->arrivals[i / 8] |= (u8)(1 << i % 8);
}

static void find_in(struct text *text, const u8 *bytes, u64 addr, u64 n)
{
	u64 at = 0, end;

	while ((end = next_long(bytes, n, &at)) != 0)
		arrive(text, long_target(bytes, addr, end));
}

static void find_targets(struct text *text)
{
	for (u32 i = 0; i < text->n_tables; i++)
		for (u64 k = 0, target; next_outside(text, &text->tables[i], &k, &target);)
			arrive(text, target);
}

/* Of all code; the code cache holds none. */
static enum status find_branches(struct builder *b, struct failure *fail)
{
	struct text *text = b->text;

	for (u32 i = 0; i < b->view->n_loads; i++) {
		const struct elf_span *span = &b->view->loads[i];
		u64 end = span->addr + span->size, until = end, from = end;
		enum status status;

		if (!(span->flags & ELF_VIEW_X) || !span->bytes)
			continue;
		if (text->cache >= span->addr && text->cache_end <= end &&
		    text->cache < text->cache_end) {
			until = text->cache;
			from = text->cache_end;
		}
		status = text_pay(b, span->size, fail);
		if (status)
			return status;
		find_in(text, span->bytes, span->addr, until - span->addr);
		find_in(text, span->bytes + (from - span->addr), from, end - from);
	}
	return STATUS_OK;
}

static enum status find_arrivals(struct builder *b, struct failure *fail)
{
	enum status status = STATUS_OK;

	for (u32 i = 0; !status && i < b->n_functions; i++)
		if (b->functions[i].fde.lsda)
			status = text_each_pad(b, &b->functions[i].fde, arrive, fail);
	if (status)
		return status;
	find_targets(b->text);
	return find_branches(b, fail);
}

/* Does a byte of [from, to) that is in no function look like a short branch into (start, end)? */
static bool short_into(const struct text *text, u64 from, u64 to, u64 start, u64 end, bool mark)
{
	bool any = false;
	u64 size;

	for (u64 addr = from; addr + 2 <= to; addr++) {
		const u8 *bytes = text_bytes(text, addr, &size);
		u64 target;

		if (!bytes || size < 2 || !is_short(*bytes) || unit_at(text, addr))
			continue;
		target = addr + 2 + (u64)(s64)(s8)bytes[1];
		if (target < start || target >= end)
			continue;
		any = true;
		if (mark)
			text->marks[target - text->start] |= TEXT_TARGET;
	}
	return any;
}

bool text_is_entered(const struct builder *b, u64 start, u64 end)
{
	const struct text *text = b->text;

	for (u32 i = 0; i < b->view->n_loads; i++) {
		const struct elf_span *span = &b->view->loads[i];
		u64 at = 0, field;

		if (!(span->flags & ELF_VIEW_X) || !span->bytes)
			continue;
		while ((field = next_long(span->bytes, span->size, &at)) != 0) {
			u64 target = long_target(span->bytes, span->addr, field);
			u64 from = span->addr + at - 1;

			if (target > start && target < end && (from < start || from >= end))
				return true;
		}
	}
	return short_into(text, start - TEXT_REACH8, start, start + 1, end, false) ||
	       short_into(text, end, end + TEXT_REACH8, start + 1, end, false);
}

/* ---- what is wanted ---- */

/* Small functions that one of these calls directly are wanted, too: a path may lead through them. */
static void want_callees(struct text *text, const struct text_unit *unit, u8 state)
{
	u64 size, at = 0, end;
	const u8 *bytes = text_bytes(text, unit->start, &size);

	while ((end = next_long(bytes, unit->size, &at)) != 0) {
		u64 target = long_target(bytes, unit->start, end);
		struct text_unit *callee = unit_at(text, target);

		if (callee && callee->start == target && callee->size <= CALLEE_BYTES &&
		    callee->state == UNIT_UNREAD)
			callee->state = state;
	}
}

/* The functions that their jump tables lead to are wanted. True if there was one. */
static bool want_targets(struct text *text)
{
	bool any = false;

	for (u32 i = 0; i < text->n_tables; i++) {
		const struct text_unit *own = unit_at(text, text->tables[i].site);
		u64 k = 0, target;

		while (own && own->state >= UNIT_WANTED &&
		       next_outside(text, &text->tables[i], &k, &target)) {
			struct text_unit *unit = unit_at(text, target);

			if (!unit || unit->state != UNIT_UNREAD)
				continue;
			unit->state = UNIT_WANTED + CALLEE_DEPTH; /* its callees are not */
			any = true;
		}
	}
	return any;
}

/* How many functions are wanted that were not read. */
static u32 want(struct text *text, const u64 *addrs, u32 n)
{
	struct text_parts *parts = text->parts;
	u32 n_wanted = 0;

	for (u32 i = 0; i < n; i++) {
		struct text_unit *unit = unit_at(text, addrs[i]);

		if (unit && unit->state == UNIT_UNREAD)
			unit->state = UNIT_WANTED;
	}
	for (u8 depth = 0; depth < CALLEE_DEPTH; depth++)
		for (u32 i = 0; i < parts->n_units; i++)
			if (parts->units[i].state == UNIT_WANTED + depth)
				want_callees(text, &parts->units[i], (u8)(UNIT_WANTED + depth + 1));
	while (want_targets(text))
		port_yield();
	for (u32 i = 0; i < parts->n_units; i++)
		n_wanted += parts->units[i].state >= UNIT_WANTED;
	return n_wanted;
}

static void settle(struct text *text, enum unit_state state)
{
	for (u32 i = 0; i < text->parts->n_units; i++) {
		struct text_unit *unit = &text->parts->units[i];

		if (unit->state >= UNIT_WANTED)
			unit->state = (u8)state;
		else if (unit->state == UNIT_FRINGE)
			unit->state = UNIT_UNREAD;
	}
}

/* From [from, to) a short branch may lead into the part: the functions there are decoded, other bytes looked at one by one. */
static void find_fringe(struct builder *b, const struct text_part *part, u64 from, u64 to)
{
	for (u64 addr = from; addr < to; addr++) {
		struct text_unit *unit = unit_at(b->text, addr);

		if (!unit)
			continue;
		if (unit->state == UNIT_UNREAD)
			unit->state = UNIT_FRINGE;
		addr = unit->start + unit->size - 1;
	}
	short_into(b->text, from, to, part->start, part->end, true);
}

/* Functions from `state` on, below `end`, joined where they touch; how many parts that makes, `max` at most. */
static u32 list_units(const struct text_parts *parts, u8 state, u8 end, struct text_part *out,
                      u32 max)
{
	u32 n = 0;

	for (u32 i = 0; i < parts->n_units; i++) {
		const struct text_unit *unit = &parts->units[i];

		if (unit->state < state || unit->state >= end)
			continue;
		if (n && out[n - 1].end == unit->start)
			out[n - 1].end += unit->size;
		else if (n < max)
			out[n++] = (struct text_part){ unit->start, unit->start + unit->size };
	}
	return n;
}

/* The parts that are wanted, and their neighbours. */
static enum status list_parts(struct builder *b, u32 n_wanted, struct failure *fail)
{
	const struct text_parts *parts = b->text->parts;

	b->own = arena_alloc(b->scratch, n_wanted, sizeof(*b->own));
	b->fringe = arena_alloc(b->scratch, parts->n_units, sizeof(*b->fringe));
	if (!b->own || !b->fringe)
		return failed(fail, STATUS_WORKSPACE, 0, parts->n_units * sizeof(*b->fringe));
	b->parts = b->own;
	b->n_parts = list_units(parts, UNIT_WANTED, 0xff, b->own, n_wanted);
	for (u32 i = 0; i < b->n_parts; i++) {
		const struct text_part *part = &b->parts[i];

		find_fringe(b, part, part->start - TEXT_REACH8, part->start);
		find_fringe(b, part, part->end, part->end + TEXT_REACH8);
	}
	b->n_fringe = list_units(parts, UNIT_FRINGE, UNIT_READ, b->fringe, parts->n_units);
	return STATUS_OK;
}

static void mark_arrivals(struct builder *b)
{
	const u8 *arrivals = b->text->parts->arrivals;

	for (u32 k = 0; k < b->n_parts; k++) {
		u64 i = b->parts[k].start - b->text->start, n = b->parts[k].end - b->text->start;

		for (; i < n; i++) {
			if (!arrivals[i / 8])
				i |= 7;
			else if (arrivals[i / 8] >> i % 8 & 1)
				b->text->marks[i] |= TEXT_TARGET;
		}
	}
}

/* ---- open, read ---- */

static enum status make_parts(struct builder *b, struct arena *keep, struct failure *fail)
{
	u64 size = b->text->end - b->text->start;
	struct text_parts *parts = arena_alloc(keep, 1, sizeof(*parts));

	b->text->parts = parts;
	if (parts) {
		parts->arrivals = arena_alloc(keep, size / 8 + 1, 1);
		parts->kinds = arena_alloc(keep, size + TEXT_ROOM, 1);
	}
	return parts && parts->arrivals && parts->kinds ? STATUS_OK
	                                                : failed(fail, STATUS_WORKSPACE, 0, size);
}

static enum status find_all(struct builder *b, struct arena *keep, struct failure *fail)
{
	enum status status = make_parts(b, keep, fail);

	if (status == STATUS_OK)
		status = text_list_notes(b, keep, fail);
	if (status == STATUS_OK)
		status = text_load_functions(b, keep, fail);
	if (status == STATUS_OK)
		status = find_arrivals(b, fail);
	if (status == STATUS_OK) {
		b->text->parts->functions = b->functions;
		b->text->parts->n_functions = b->n_functions;
	}
	return status;
}

enum status text_parts_open(struct text *text, const struct elf_view *view, struct arena *keep,
                            struct arena *scratch, struct failure *fail)
{
	return text_make(text, view, keep, scratch, find_all, fail);
}

static enum status read_parts(struct builder *b, u32 n_wanted, struct arena *keep,
                              struct failure *fail)
{
	enum status status = list_parts(b, n_wanted, fail);

	if (status)
		return status;
	mark_arrivals(b);
	status = text_read_notes(b, fail);
	if (status == STATUS_OK) {
		text_mark_pointers(b);
		text_survey(b);
		status = text_add_tables(b, keep, fail);
	}
	if (status == STATUS_OK)
		status = text_add_slots(b, keep, fail);
	if (status == STATUS_OK)
		text_finish(b);
	return status;
}

/* As if nobody had asked. */
static void forget(struct builder *b)
{
	for (u32 i = 0; i < b->n_parts; i++) {
		u64 at = b->parts[i].start - b->text->start;
		u64 n = b->parts[i].end - b->parts[i].start;

		memset(b->text->marks + at, 0, n * sizeof(*b->text->marks));
		memset(b->kinds + at, 0, n);
	}
	settle(b->text, UNIT_UNREAD);
}

enum status text_parts_read(struct text *text, const u64 *addrs, u32 n, struct arena *keep,
                            struct arena *scratch, struct failure *fail)
{
	u32 n_wanted = text->parts ? want(text, addrs, n) : 0;
	u64 keep_mark = arena_mark(keep), scratch_mark = arena_mark(scratch);
	enum status status = STATUS_OK;
	struct builder *b;
	struct text *made;

	if (!n_wanted)
		return STATUS_OK;
	made = arena_alloc(scratch, 1, sizeof(*made));
	b = arena_alloc(scratch, 1, sizeof(*b));
	if (!made || !b) {
		settle(text, UNIT_UNREAD);
		arena_release(scratch, scratch_mark);
		return failed(fail, STATUS_WORKSPACE, 0, sizeof(*made) + sizeof(*b));
	}
	*made = *text;
	status = text_go_on(b, made, scratch, fail);
	if (status == STATUS_OK)
		status = read_parts(b, n_wanted, keep, fail);
	if (status == STATUS_OK) {
		settle(text, UNIT_READ);
		*text = *made;
	} else {
		forget(b);
		settle(text, UNIT_UNREAD);
		arena_release(keep, keep_mark);
	}
	arena_release(scratch, scratch_mark);
	return status;
}
