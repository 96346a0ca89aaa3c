/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * text_slots.c - bytes that nobody executes: slots of the notes, and padding.
 *
 * Padding counts if it is NOPs or int3 behind a barrier (a jump or return that is itself proven and reached), no branch, exception or
 * return leads to any of its bytes, and every byte up to the next thing that is known to start
 * is of that kind: padding that ends in code nobody has spoken for may be that code's beginning. Five single-byte
 * NOPs or more in front of a function are left to the tools that ask compilers for them.
 *
 * A slot of the notes counts if its bytes are unused in the file. Nothing lies where patches are forbidden.
 */
#include "text_private.h"

#define UNUSED_BYTE 0xcc
#define NOP_BYTE 0x90
#define SLED_LEN 5
/* Longer gaps between functions are no alignment. */
#define GAP_MAX 63

/* Padding under way: offsets from text->start. */
struct run {
	u64 start, end; /* end == start: none */
	u64 gap; /* from here on no function or record covers it; `end` if there is no such part */
	bool open; /* nothing falls into the byte at `end` */
};

static u8 byte_at(const struct builder *b, u64 i)
{
	const u8 *bytes = text_code(b, b->text->start + i);

	return bytes ? *bytes : 0;
}

/* May the padding instruction at offset i be overwritten? */
static bool is_padding(const struct builder *b, u64 i)
{
	u32 class = kind_class(b->kinds[i]), len = kind_len(b->kinds[i]), j;

	if (!len || (class != KIND_NOP && class != KIND_INT3))
		return false;
	for (j = 0; j < len; j++) {
		if (b->text->marks[i + j] & (TEXT_ARRIVAL | TEXT_NO_PATCH))
			return false;
	}
	return true;
}

static bool is_sled(const struct builder *b, const struct run *run)
{
	u64 i;

	if (run->end - run->gap < SLED_LEN)
		return false;
	for (i = run->end - SLED_LEN; i < run->end; i++) {
		if (kind_len(b->kinds[i]) != 1 || byte_at(b, i) != NOP_BYTE)
			return false;
	}
	return true;
}

/* The run ends; `known`: at something that is known to start there. */
static void run_close(struct builder *b, struct run *run, bool known)
{
	struct text *text = b->text;
	u64 end = run->end;

	if (!known || end - run->gap > GAP_MAX || is_sled(b, run))
		end = run->gap;
	if (end > run->start && end - run->start >= JMP_REL32_LEN)
		text_mark_range(text, text->start + run->start, text->start + end, TEXT_FREE);
	run->open = false;
}

static void run_begin(struct run *run, u64 at)
{
	run->start = at;
	run->end = at;
	run->gap = at;
	run->open = true;
}

/* One byte or instruction further; returns where to go on. */
static u64 step(struct builder *b, struct run *run, u64 i)
{
	u16 marks = b->text->marks[i];
	u32 len = kind_len(b->kinds[i]);
	bool covered = marks & (TEXT_INSN | TEXT_RECORDED);

	if (run->open && is_padding(b, i)) {
		if (marks & TEXT_INSN && run->gap < run->end) {
			/* padding, a gap, and padding of the next function: all one */
			run_close(b, run, true);
			return i + len;
		}
		run->end = i + len;
		if (covered)
			run->gap = run->end;
		return run->end;
	}
	if (run->open)
		run_close(b, run, covered || (marks & TEXT_FUNCTION));
	if (!(marks & TEXT_INSN))
		return i + 1;
	if (kind_barrier(kind_class(b->kinds[i])) && (marks & TEXT_REACHED))
		run_begin(run, i + len);
	return i + len;
}

/* The next proven instruction from offset i on behind which a run may begin, or n. */
static u64 next_barrier(const struct builder *b, u64 i, u64 n)
{
	const u16 *marks = b->text->marks;

	while (i < n) {
		u8 kind = b->kinds[i];

		if (!(marks[i] & TEXT_INSN))
			i += port_get64(marks + i) & TEXT_INSN * TEXT_FOUR ? 1 : 4;
		else if (kind_barrier(kind_class(kind)))
			break;
		else
			i += kind_len(kind);
	}
	return i < n ? i : n;
}

static void add_padding(struct builder *b, u64 i, u64 n)
{
	struct run run = { 0 };

	i = next_barrier(b, i, n);

	while (i < n) {
		i = step(b, &run, i);
		if (!run.open)
			i = next_barrier(b, i, n);
	}
	if (run.open)
		run_close(b, &run, false);
}

/* The first free byte from offset i on, or n; most text is none, four marks at a time. */
static u64 next_free(const struct text *text, u64 i, u64 n)
{
	while (i + 4 <= n && !(port_get64(text->marks + i) & TEXT_FREE * TEXT_FOUR))
		i += 4;
	while (i < n && !(text->marks[i] & TEXT_FREE))
		i++;
	return i;
}

/* Slots of the notes that are not what they should be any more. */
static void check_slots(struct builder *b, u64 i, u64 n)
{
	for (i = next_free(b->text, i, n); i < n; i = next_free(b->text, i + 1, n)) {
		u16 *mark = &b->text->marks[i];

		if (byte_at(b, i) != UNUSED_BYTE || (*mark & (TEXT_ARRIVAL | TEXT_NO_PATCH)))
			*mark &= (u16)~TEXT_FREE;
	}
}

/* Where slots are kept, and how many there is room for. */
struct cut {
	struct text_slot *slots;
	u64 n, max;
};

/* Counts the slots in free bytes of [i, n), stores those there is room for; free bytes that are too few for one are free no more. */
static void cut(struct text *text, u64 i, u64 n, struct cut *out)
{
	u64 start;

	for (i = next_free(text, i, n); i < n; i = next_free(text, i, n)) {
		for (start = i; i < n && (text->marks[i] & TEXT_FREE); i++)
			;
		if (i - start < JMP_REL32_LEN) {
			while (start < i)
				text->marks[start++] &= (u16)~TEXT_FREE;
			continue;
		}
		for (; i - start >= JMP_REL32_LEN; start += JMP_REL32_LEN, out->n++)
			if (out->n < out->max)
				out->slots[out->n] =
					(struct text_slot){ text->start + start, JMP_REL32_LEN };
	}
}

static void cut_parts(struct builder *b, struct cut *out)
{
	for (u32 k = 0; k < b->n_parts; k++)
		cut(b->text, b->parts[k].start - b->text->start, b->parts[k].end - b->text->start,
		    out);
}

/* Beside those that are there already. */
enum status text_add_slots(struct builder *b, struct arena *keep, struct failure *fail)
{
	struct text *text = b->text;
	struct cut counted = { 0 }, out = { .n = text->n_slots };

	for (u32 k = 0; k < b->n_parts; k++) {
		u64 from = b->parts[k].start - text->start, to = b->parts[k].end - text->start;

		if (text->noted)
			check_slots(b, from, to);
		add_padding(b, from, to);
	}
	cut_parts(b, &counted);
	out.max = text->n_slots + counted.n;
	out.slots = arena_alloc(keep, out.max, sizeof(*out.slots));
	if (out.max && !out.slots)
		return failed(fail, STATUS_WORKSPACE, 0, out.max * sizeof(*out.slots));
	if (text->n_slots)
		memcpy(out.slots, text->slots, text->n_slots * sizeof(*out.slots));
	cut_parts(b, &out);
	text_sort(out.slots, (u32)out.n, sizeof(*out.slots));
	text->slots = out.slots;
	text->n_slots = (u32)out.n;
	return STATUS_OK;
}
