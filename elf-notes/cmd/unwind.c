/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * unwind.c - parses .eh_frame (LSB core, "Exception Frames"; DWARF 5, section 6.4.1)
 * and the call-site tables of the Itanium C++ ABI's LSDA.
 *
 * A cursor never passes its end: reading there yields zeros and sets `bad`, which
 * ends the record it stands in. The section is found by name or, without section
 * headers, through PT_GNU_EH_FRAME.
 */
#include "unwind.h"

#include <stdlib.h>
#include <string.h>

/* DW_EH_PE_...: low nibble format, high nibble what it is relative to. */
enum { PE_OMIT = 0xff, PE_PCREL = 0x10, PE_APPLICATION = 0x70 };
enum {
	PE_ABSPTR,
	PE_ULEB,
	PE_UDATA2,
	PE_UDATA4,
	PE_UDATA8,
	PE_SLEB = 9,
	PE_SDATA2,
	PE_SDATA4,
	PE_SDATA8
};

struct cursor {
	const u8 *at, *end;
	u64 addr; /* of *at */
	bool bad;
};

struct cie {
	u8 pointer, lsda; /* encodings */
	bool augmented;   /* 'z': augmentation data has a length */
};

/* A function's LSDA. */
struct table {
	u64 lsda, function, size;
};
struct tables {
	VEC(struct table) v;
};

static struct cursor cursor_at(const struct image *image, u64 addr)
{
	for (size_t i = 0; i < image->segments.n; i++) {
		const struct segment *s = &image->segments.at[i];

		if (s->type == PT_LOAD && addr >= s->addr && addr - s->addr < s->size)
			return (struct cursor){ s->bytes + (addr - s->addr), s->bytes + s->size,
				                addr, false };
	}
	return (struct cursor){ .bad = true };
}

static u64 take(struct cursor *c, size_t size)
{
	u64 value = 0;

	if (c->bad || (size_t)(c->end - c->at) < size) {
		c->bad = true;
		return 0;
	}
	memcpy(&value, c->at, size);
	c->at += size;
	c->addr += size;
	return value;
}

static u64 take_leb(struct cursor *c, bool is_signed)
{
	u64 value = 0;
	unsigned shift = 0;
	u8 byte;

	do {
		byte = (u8)take(c, 1);
		if (shift < 64)
			value |= (u64)(byte & 0x7f) << shift;
		shift += 7;
	} while ((byte & 0x80) && !c->bad);
	if (is_signed && (byte & 0x40) && shift < 64)
		value |= ~0ull << shift;
	return value;
}

static u64 take_format(struct cursor *c, u8 encoding)
{
	switch (encoding & 0x0f) {
	case PE_ULEB:
		return take_leb(c, false);
	case PE_SLEB:
		return take_leb(c, true);
	case PE_UDATA2:
		return take(c, 2);
	case PE_SDATA2:
		return (u64)(s64)(int16_t)take(c, 2);
	case PE_UDATA4:
		return take(c, 4);
	case PE_SDATA4:
		return (u64)(s64)(s32)take(c, 4);
	case PE_ABSPTR:
	case PE_UDATA8:
	case PE_SDATA8:
		return take(c, 8);
	default:
		c->bad = true;
		return 0;
	}
}

/* 0 stays 0 in every encoding: it means "none". */
static u64 take_pointer(struct cursor *c, u8 encoding)
{
	u64 place = c->addr, value = take_format(c, encoding);

	if (value && (encoding & PE_APPLICATION) == PE_PCREL)
		value += place;
	return value;
}

static bool read_cie(struct cursor c, struct cie *cie)
{
	const char *augmentation;
	u8 version;

	*cie = (struct cie){ .pointer = PE_ABSPTR, .lsda = PE_OMIT };
	version = (u8)take(&c, 1);
	augmentation = (const char *)c.at;
	while (take(&c, 1))
		;
	if (c.bad)
		return false;
	take_leb(&c, false);
	take_leb(&c, true);
	if (version == 1)
		take(&c, 1);
	else
		take_leb(&c, false);
	if (*augmentation != 'z')
		return !c.bad;
	cie->augmented = true;
	take_leb(&c, false);
	for (const char *a = augmentation + 1; *a && !c.bad; a++) {
		if (*a == 'R')
			cie->pointer = (u8)take(&c, 1);
		else if (*a == 'L')
			cie->lsda = (u8)take(&c, 1);
		else if (*a == 'P')
			take_format(&c, (u8)take(&c, 1));
	}
	return !c.bad;
}

/*
 * Itanium C++ ABI, exception handling tables: header, then call sites. `next` is where
 * another LSDA starts: with -fbasic-block-sections a table's length takes in those of the
 * sections after it. Call sites ascend and lie in the function; what does not is none.
 */
static void read_lsda(struct unwind *unwind, const struct image *image, const struct table *t,
                      u64 next)
{
	struct cursor c = cursor_at(image, t->lsda);
	u64 base = t->function, covered = 0;
	u8 encoding = (u8)take(&c, 1);

	if (encoding != PE_OMIT)
		base = take_pointer(&c, encoding);
	if (take(&c, 1) != PE_OMIT)
		take_leb(&c, false);
	encoding = (u8)take(&c, 1);
	u64 length = take_leb(&c, false);

	if (c.bad || length > (u64)(c.end - c.at))
		return;
	if (next >= c.addr && length > next - c.addr)
		length = next - c.addr;
	c.end = c.at + length;
	while (c.at < c.end && !c.bad) {
		u64 start = take_format(&c, encoding), size = take_format(&c, encoding);
		u64 pad = take_format(&c, encoding);

		take_leb(&c, false);
		if (start < covered || start > t->size || size > t->size - start)
			return;
		covered = start + size;
		if (pad && !c.bad)
			*vec_add(&unwind->landing_pads) = base + pad;
	}
}

static void read_fde(struct unwind *unwind, struct tables *tables, struct cursor c,
                     const struct cie *cie)
{
	u64 start = take_pointer(&c, cie->pointer);
	u64 size = take_format(&c, cie->pointer & 0x0f);

	if (c.bad || !size || start + size < start)
		return;
	*vec_add(&unwind->functions) = (struct unwind_function){ start, start + size };
	if (!cie->augmented)
		return;
	take_leb(&c, false);
	if (cie->lsda == PE_OMIT)
		return;
	u64 lsda = take_pointer(&c, cie->lsda);

	if (!c.bad && lsda)
		*vec_add(&tables->v) = (struct table){ lsda, start, size };
}

/* One pass over the records; a CIE is parsed again only when an FDE names another one. */
static void read_frames(struct unwind *unwind, struct tables *tables, struct cursor c)
{
	const u8 *base = c.at, *last_cie = NULL;
	u64 base_addr = c.addr;
	struct cie cie = { 0 };

	while (c.at < c.end) {
		u64 length = take(&c, 4);

		if (length == 0xffffffff)
			length = take(&c, 8);
		if (c.bad || !length || length > (u64)(c.end - c.at))
			return;
		struct cursor record = { c.at, c.at + length, c.addr, false };
		const u8 *id_at = c.at;
		u64 id = take(&record, 4);

		c.at += length;
		c.addr += length;
		if (record.bad || !id || id > (u64)(id_at - base))
			continue;
		if (id_at - id != last_cie) {
			struct cursor r = { id_at - id, c.end, base_addr + (u64)(id_at - id - base),
				            false };
			u64 size = take(&r, 4);

			if (size == 0xffffffff)
				size = take(&r, 8);
			if (r.bad || size > (u64)(r.end - r.at) || take(&r, 4) != 0 ||
			    !read_cie(r, &cie))
				continue;
			last_cie = id_at - id;
		}
		read_fde(unwind, tables, record, &cie);
	}
}

static struct cursor find_frames(const struct image *image)
{
	const struct section *s = image_section(image, ".eh_frame");

	if (s && s->bytes)
		return (struct cursor){ s->bytes, s->bytes + s->size, s->addr, false };
	for (size_t i = 0; i < image->segments.n; i++) {
		const struct segment *p = &image->segments.at[i];

		if (p->type != PT_GNU_EH_FRAME || p->size < 4)
			continue;
		struct cursor c = { p->bytes, p->bytes + p->size, p->addr, false };
		u8 version = (u8)take(&c, 1), encoding = (u8)take(&c, 1);

		take(&c, 2);
		if (version == 1 && encoding != PE_OMIT)
			return cursor_at(image, take_pointer(&c, encoding));
	}
	return (struct cursor){ .bad = true };
}

static int by_start(const void *a, const void *b)
{
	const struct unwind_function *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->end > y->end) - (x->end < y->end);
}

static int by_lsda(const void *a, const void *b)
{
	const struct table *x = a, *y = b;

	if (x->lsda != y->lsda)
		return x->lsda < y->lsda ? -1 : 1;
	return (x->function > y->function) - (x->function < y->function);
}

static void read_tables(struct unwind *unwind, const struct image *image, struct tables *tables)
{
	u64 next = UINT64_MAX;

	if (tables->v.n)
		qsort(tables->v.at, tables->v.n, sizeof(*tables->v.at), by_lsda);
	for (size_t i = tables->v.n; i-- > 0;) {
		const struct table *t = &tables->v.at[i];

		if (i + 1 < tables->v.n && t[1].lsda != t->lsda)
			next = t[1].lsda;
		read_lsda(unwind, image, t, next);
	}
}

void unwind_read(struct unwind *unwind, const struct image *image)
{
	struct cursor c = find_frames(image);
	struct tables tables = { 0 };

	*unwind = (struct unwind){ 0 };
	if (!c.bad)
		read_frames(unwind, &tables, c);
	read_tables(unwind, image, &tables);
	free(tables.v.at);
	if (unwind->functions.n)
		qsort(unwind->functions.at, unwind->functions.n, sizeof(*unwind->functions.at),
		      by_start);
	if (unwind->landing_pads.n)
		qsort(unwind->landing_pads.at, unwind->landing_pads.n, sizeof(u64), u64_compare);
}

void unwind_free(struct unwind *unwind)
{
	free(unwind->functions.at);
	free(unwind->landing_pads.at);
}
