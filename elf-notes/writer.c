/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * writer.c - items to bytes.
 *
 * Invariant: nothing is stored at or beyond size. A record is encoded twice: once
 * only counting, because its size comes first, then for good; fields have the same
 * width both times. The first thing that goes wrong sticks until the call returns.
 */
#include "writer.h"

/* One call's output: the writer's buffer, or nowhere (only counting). */
struct out {
	struct notes_writer *w;
	bool counting;
	u64 pos;
	enum notes_status status;
	u64 detail;
};

void notes_writer_init(struct notes_writer *w, void *bytes, u64 size, u64 addr)
{
	memset(w, 0, sizeof(*w));
	w->bytes = bytes;
	w->size = size;
	w->addr = addr;
}

static void out_fail(struct out *o, enum notes_status status, u64 detail)
{
	if (o->status != NOTES_OK)
		return;
	o->status = status;
	o->detail = detail;
}

static void put_bytes(struct out *o, const void *bytes, u64 size)
{
	if (!o->counting) {
		if (o->pos > o->w->size || size > o->w->size - o->pos)
			out_fail(o, NOTES_WRITER_FULL, o->pos + size);
		if (o->status != NOTES_OK)
			return;
		memcpy(o->w->bytes + o->pos, bytes, size);
	}
	o->pos += size;
}

static void put_u8(struct out *o, u8 byte)
{
	put_bytes(o, &byte, sizeof(byte));
}

static void put_u32(struct out *o, u32 word)
{
	put_bytes(o, &word, sizeof(word));
}

static void put_uleb(struct out *o, u64 value)
{
	while (value >= 0x80) {
		put_u8(o, (u8)(value | 0x80));
		value >>= 7;
	}
	put_u8(o, (u8)value);
}

static void put_target(struct out *o, u64 target)
{
	u64 distance = target - (o->w->addr + o->pos);

	if (distance != (u64)(s32)(u32)distance && !o->counting)
		out_fail(o, NOTES_WRITER_REACH, target);
	put_u32(o, (u32)distance);
}

/* Checks and writes the functions of a record. */
static void put_functions(struct out *o, const struct notes_input *in)
{
	const u64 unit = (u64)1 << (in->shift & 63);
	u64 at = in->n_functions ? in->functions[0].start : in->start;
	u32 i;

	put_u8(o, (u8)in->shift);
	put_uleb(o, in->n_functions);
	put_uleb(o, at - in->start);
	for (i = 0; i < in->n_functions; i++) {
		const struct notes_function *f = &in->functions[i];
		u64 length = f->end - f->start;

		if (i + 1 == in->n_functions && f->end == in->end)
			length = (length + unit - 1) & ~(unit - 1);
		if (f->start != at || f->start < in->start || f->end < f->start ||
		    f->end > in->end || length & (unit - 1) || in->shift > 31)
			out_fail(o, NOTES_WRITER_ORDER, i);
		put_uleb(o, length >> in->shift << 2 | (f->facts & DYNOPT_FACTS_MASK));
		at = f->end;
	}
}

static void put_slots(struct out *o, const struct notes_input *in)
{
	u64 at = in->start;
	u32 i;

	put_uleb(o, in->n_slots);
	for (i = 0; i < in->n_slots; i++) {
		u64 addr = in->slots[i].addr;

		if (addr < at || addr > in->end || in->end - addr < DYNOPT_SLOT_SIZE)
			out_fail(o, NOTES_WRITER_ORDER, i);
		put_uleb(o, addr - at);
		at = addr + DYNOPT_SLOT_SIZE;
	}
}

/* A piece from `at` on; the caller's next piece counts from what it chooses. */
static void put_piece(struct out *o, const struct notes_input *in, u32 i, u64 at, u64 start,
                      u64 end)
{
	if (start < at || end < start || end > in->end)
		out_fail(o, NOTES_WRITER_ORDER, i);
	put_uleb(o, start - at);
	put_uleb(o, end - start);
}

static void put_noopt(struct out *o, const struct notes_input *in)
{
	u64 at = in->start;
	u32 i;

	put_uleb(o, in->n_noopt);
	for (i = 0; i < in->n_noopt; i++) {
		put_piece(o, in, i, at, in->noopt[i].start, in->noopt[i].end);
		put_uleb(o, in->noopt[i].reasons);
		at = in->noopt[i].start;
	}
}

static void put_opaque(struct out *o, const struct notes_input *in)
{
	u64 at = in->start;
	u32 i;

	put_uleb(o, in->n_opaque);
	for (i = 0; i < in->n_opaque; i++) {
		put_piece(o, in, i, at, in->opaque[i].start, in->opaque[i].end);
		at = in->opaque[i].end;
	}
}

static void put_tables(struct out *o, const struct notes_input *in)
{
	u32 i;

	put_uleb(o, in->n_tables);
	for (i = 0; i < in->n_tables; i++) {
		const struct notes_table *t = &in->tables[i];

		if (t->site && (t->site < in->start || t->site >= in->end))
			out_fail(o, NOTES_WRITER_ORDER, i);
		put_uleb(o, t->site ? t->site - in->start + 1 : 0);
		put_target(o, t->addr);
		put_uleb(o, t->count << 1 | (t->form & 1));
	}
}

static u8 input_lists(const struct notes_input *in)
{
	u32 lists = 0;

	if (in->single)
		lists |= DYNOPT_LIST_SINGLE | (in->facts & DYNOPT_FACTS_MASK)
		                                      << DYNOPT_LIST_FACTS_SHIFT;
	else if (in->n_functions)
		lists |= DYNOPT_LIST_FUNCTIONS;
	lists |= in->n_slots ? DYNOPT_LIST_SLOTS : 0;
	lists |= in->n_noopt ? DYNOPT_LIST_NOOPT : 0;
	lists |= in->n_opaque ? DYNOPT_LIST_OPAQUE : 0;
	lists |= in->n_tables ? DYNOPT_LIST_TABLES : 0;
	return (u8)lists;
}

static void put_body(struct out *o, const struct notes_input *in)
{
	const u8 lists = input_lists(in);

	if (in->end < in->start)
		out_fail(o, NOTES_WRITER_ORDER, 0);
	put_target(o, in->start);
	put_uleb(o, in->end - in->start);
	put_u8(o, lists);
	if (lists & DYNOPT_LIST_FUNCTIONS)
		put_functions(o, in);
	if (lists & DYNOPT_LIST_SLOTS)
		put_slots(o, in);
	if (lists & DYNOPT_LIST_NOOPT)
		put_noopt(o, in);
	if (lists & DYNOPT_LIST_OPAQUE)
		put_opaque(o, in);
	if (lists & DYNOPT_LIST_TABLES)
		put_tables(o, in);
}

static struct out out_begin(struct notes_writer *w, bool counting)
{
	struct out o = { .w = w, .counting = counting, .pos = w->pos };

	return o;
}

/* Takes what was written, or tells why not. */
static enum notes_status out_commit(struct out *o)
{
	struct notes_writer *w = o->w;

	if (o->status == NOTES_OK) {
		w->pos = o->pos;
		return NOTES_OK;
	}
	w->fail.status = o->status;
	w->fail.addr = w->addr + w->pos;
	w->fail.detail = o->detail;
	return o->status;
}

enum notes_status notes_write_record(struct notes_writer *w, const struct notes_input *in)
{
	struct out o = out_begin(w, true);
	u64 size;

	put_body(&o, in);
	size = o.pos - w->pos;
	if (o.status == NOTES_OK) {
		o = out_begin(w, false);
		put_uleb(&o, size);
		put_body(&o, in);
	}
	return out_commit(&o);
}

enum notes_status notes_write_padding(struct notes_writer *w)
{
	struct out o = out_begin(w, false);

	put_u8(&o, 0);
	return out_commit(&o);
}

static void put_note_head(struct out *o, u32 type, u32 size)
{
	static const char owner[(sizeof(DYNOPT_NOTE_OWNER) + 3) & ~(size_t)3] = DYNOPT_NOTE_OWNER;

	put_u32(o, sizeof(DYNOPT_NOTE_OWNER));
	put_u32(o, size);
	put_u32(o, type);
	put_bytes(o, owner, sizeof(owner));
}

enum notes_status notes_write_object(struct notes_writer *w, const struct notes_object *object)
{
	struct out o = out_begin(w, false);

	put_note_head(&o, DYNOPT_NT_OBJECT, sizeof(struct dynopt_note_object));
	put_target(&o, object->records);
	put_target(&o, object->records_end);
	put_u32(&o, object->version | object->flags << 16);
	if (object->cache_size)
		put_target(&o, object->cache);
	else
		put_u32(&o, 0);
	put_u32(&o, (u32)object->cache_size);
	return out_commit(&o);
}

enum notes_status notes_write_farpool(struct notes_writer *w, const struct notes_farpool *pool)
{
	struct out o = out_begin(w, false);

	put_note_head(&o, DYNOPT_NT_FARPOOL, sizeof(struct dynopt_note_farpool));
	put_target(&o, pool->start);
	put_target(&o, pool->end);
	return out_commit(&o);
}
