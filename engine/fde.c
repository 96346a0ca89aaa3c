/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * fde.c - .eh_frame entry by entry, and the call-site tables it points to.
 *
 * Every byte is read through a cursor that ends where the entry ends, and an entry
 * where its section's segment ends, so lengths are believed only as far as there are
 * bytes. Each call of next() moves forward by at least one entry: loops end.
 *
 * Pointer encodings: LSB core 5.0, 10.5.1. Known forms are those that x86-64 tools write; an
 * unknown one ends the table, because what follows it has no meaning.
 */
#include "fde.h"

#define ENC_OMIT 0xff
#define ENC_ABSPTR 0x00
#define ENC_ULEB 0x01
#define ENC_UDATA2 0x02
#define ENC_UDATA4 0x03
#define ENC_UDATA8 0x04
#define ENC_SLEB 0x09
#define ENC_SDATA2 0x0a
#define ENC_SDATA4 0x0b
#define ENC_SDATA8 0x0c
#define ENC_FORM 0x0f
#define ENC_PCREL 0x10
#define ENC_DATAREL 0x30
#define ENC_RELATIVE 0x70
#define ENC_INDIRECT 0x80

#define LENGTH_EXTENDED 0xffffffffu

/* Bytes [pos, size) are still to be read; once `bad` nothing more is. */
struct cursor {
	const u8 *bytes;
	u64 addr; /* of bytes[0] */
	u64 size, pos;
	bool bad;
};

static void cursor_open(struct cursor *c, const struct elf_view *view, u64 addr, u64 size)
{
	c->bytes = elf_view_bytes(view, addr, size, 0);
	c->addr = addr;
	c->size = size;
	c->pos = 0;
	c->bad = !c->bytes;
}

/* The next `size` bytes (at most 8) as a little-endian number. */
static u64 get(struct cursor *c, u32 size)
{
	u64 value = 0;

	if (c->bad || size > c->size - c->pos) {
		c->bad = true;
		return 0;
	}
	memcpy(&value, c->bytes + c->pos, size);
	c->pos += size;
	return value;
}

static void skip(struct cursor *c, u64 size)
{
	if (c->bad || size > c->size - c->pos)
		c->bad = true;
	else
		c->pos += size;
}

/* LEB128 (DWARF 5, section 7.6); bits beyond 64 are refused unless they are padding of the sign. */
static u64 get_leb(struct cursor *c, bool is_signed)
{
	u64 value = 0;
	u32 shift = 0;
	u8 byte;

	do {
		byte = (u8)get(c, 1);
		if (shift > 63) {
			c->bad = true;
			return 0;
		}
		value |= (u64)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if (is_signed && shift < 64 && (byte & 0x40))
		value |= ~(u64)0 << shift;
	return value;
}

/* The number in one of the forms, nothing added. */
static u64 get_form(struct cursor *c, u8 form)
{
	switch (form) {
	case ENC_ABSPTR:
	case ENC_UDATA8:
	case ENC_SDATA8:
		return get(c, 8);
	case ENC_ULEB:
		return get_leb(c, false);
	case ENC_SLEB:
		return get_leb(c, true);
	case ENC_UDATA2:
		return get(c, 2);
	case ENC_SDATA2:
		return (u64)(s64)(s16)get(c, 2);
	case ENC_UDATA4:
		return get(c, 4);
	case ENC_SDATA4:
		return (u64)(s64)(s32)get(c, 4);
	default:
		c->bad = true;
		return 0;
	}
}

/*
 * An encoded pointer; `data` is what ENC_DATAREL counts from. 0 is "none" whatever it is relative to.
 * What the pointer's address would be read from (ENC_INDIRECT) is told as 0 too.
 */
static u64 get_pointer(struct cursor *c, u8 encoding, u64 data)
{
	u64 at = c->addr + c->pos, value;

	if (encoding == ENC_OMIT)
		return 0;
	value = get_form(c, encoding & ENC_FORM);
	if (!value)
		return 0;
	switch (encoding & ENC_RELATIVE) {
	case 0:
		break;
	case ENC_PCREL:
		value += at;
		break;
	case ENC_DATAREL:
		value += data;
		break;
	default:
		c->bad = true;
	}
	return encoding & ENC_INDIRECT ? 0 : value;
}

static u64 segment_end(const struct elf_view *view, u64 addr)
{
	u32 i;

	for (i = 0; i < view->n_loads; i++) {
		const struct elf_span *span = &view->loads[i];

		if (span->bytes && addr >= span->addr && addr - span->addr < span->size)
			return span->addr + span->size;
	}
	return 0;
}

/* .eh_frame_hdr: version, three encodings, pointer to .eh_frame. */
enum status fde_walk_begin(struct fde_walk *walk, const struct elf_view *view, struct failure *fail)
{
	u64 hdr = view->eh_frame_hdr, end = segment_end(view, hdr), frame;
	struct cursor c;
	u8 version, encoding;

	cursor_open(&c, view, hdr, end - hdr);
	if (!hdr || !end)
		return failed(fail, STATUS_TEXT_UNWIND, hdr, 0);
	version = (u8)get(&c, 1);
	encoding = (u8)get(&c, 1);
	skip(&c, 2);
	frame = get_pointer(&c, encoding, hdr);
	end = segment_end(view, frame);
	if (c.bad || version != 1 || !frame || !end)
		return failed(fail, STATUS_TEXT_UNWIND, hdr, 0);
	memset(walk, 0, sizeof(*walk));
	walk->view = view;
	walk->pos = frame;
	walk->end = end;
	return STATUS_OK;
}

/*
 * Opens the entry at `addr`, which starts with its length: *c holds its contents, id included.
 * Returns the address behind it; 0 if it is cut, `addr` itself if it is the terminator.
 */
static u64 entry_open(const struct fde_walk *walk, u64 addr, struct cursor *c)
{
	u64 length;

	cursor_open(c, walk->view, addr, walk->end - addr);
	length = get(c, 4);
	if (length == LENGTH_EXTENDED)
		length = get(c, 8);
	if (!c->bad && !length)
		return addr;
	if (c->bad || length > c->size - c->pos || length < 4)
		return 0;
	c->size = c->pos + length;
	return addr + c->size;
}

/* What the letters behind 'z' say (LSB core 5.0, 10.6.1.1.1). False if one is unknown. */
static bool augmentation_read(struct fde_walk *walk, struct cursor *c, const u8 *letters, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		switch (letters[i]) {
		case 'R':
			walk->fde_encoding = (u8)get(c, 1);
			break;
		case 'L':
			walk->lsda_encoding = (u8)get(c, 1);
			break;
		case 'P': {
			u8 encoding = (u8)get(c, 1);

			(void)get_pointer(c, encoding, 0);
			break;
		}
		case 'S':
			walk->signal_frame = true;
			break;
		case 'B': /* other architectures' */
		default:
			return false;
		}
	}
	return !c->bad;
}

#define AUGMENTATION_MAX 8

/* Reads the CIE at `addr` into *walk. False if it is none that can be understood. */
static bool cie_read(struct fde_walk *walk, u64 addr)
{
	u8 letters[AUGMENTATION_MAX];
	u32 n = 0;
	struct cursor c;
	u64 end;
	u8 version;

	if (walk->cie == addr)
		return true;
	end = entry_open(walk, addr, &c);
	if (end == 0 || end == addr || get(&c, 4) != 0)
		return false;
	version = (u8)get(&c, 1);
	if (version != 1 && version != 3)
		return false;
	while (n < AUGMENTATION_MAX && (letters[n] = (u8)get(&c, 1)) != 0)
		n++;
	if (n == AUGMENTATION_MAX || (n && letters[0] != 'z'))
		return false;
	(void)get_leb(&c, false); /* code alignment */
	(void)get_leb(&c, true); /* data alignment */
	if (version == 1)
		skip(&c, 1); /* return address column */
	else
		(void)get_leb(&c, false);
	walk->cie = 0;
	walk->fde_encoding = ENC_ABSPTR;
	walk->lsda_encoding = ENC_OMIT;
	walk->augmented = n > 0;
	walk->signal_frame = false;
	if (n) {
		u64 size = get_leb(&c, false);

		if (c.bad || size > c.size - c.pos)
			return false;
		c.size = c.pos + size;
		if (!augmentation_read(walk, &c, letters + 1, n - 1))
			return false;
	}
	walk->cie = addr;
	return !c.bad;
}

/* The FDE whose contents *c holds, id read. */
static bool fde_read(struct fde_walk *walk, struct cursor *c, struct fde *fde)
{
	u64 size;

	memset(fde, 0, sizeof(*fde));
	fde->signal_frame = walk->signal_frame;
	if (walk->fde_encoding & ENC_INDIRECT)
		return false;
	fde->start = get_pointer(c, walk->fde_encoding, 0);
	size = get_form(c, walk->fde_encoding & ENC_FORM);
	fde->end = fde->start + size;
	if (c->bad || fde->end < fde->start)
		return false;
	if (walk->augmented) {
		u64 length = get_leb(c, false);

		if (c->bad || length > c->size - c->pos)
			return false;
		c->size = c->pos + length;
		fde->lsda = get_pointer(c, walk->lsda_encoding, 0);
	}
	return !c->bad;
}

static enum status walk_failed(struct fde_walk *walk, struct failure *fail)
{
	u64 pos = walk->pos;

	walk->pos = walk->end;
	return failed(fail, STATUS_TEXT_UNWIND, pos, 0);
}

enum status fde_walk_next(struct fde_walk *walk, struct fde *out, struct failure *fail)
{
	struct cursor c;
	struct fde fde;

	while (walk->pos < walk->end) {
		u64 next = entry_open(walk, walk->pos, &c), id, at;

		if (next == walk->pos) {
			walk->pos = walk->end;
			break;
		}
		if (next == 0)
			return walk_failed(walk, fail);
		at = c.addr + c.pos;
		id = get(&c, 4); /* 0: a CIE; else how far back this entry's CIE is */
		if (id) {
			if (!cie_read(walk, at - id) || !fde_read(walk, &c, &fde))
				return walk_failed(walk, fail);
		}
		walk->pos = next;
		if (id && fde.start != fde.end) {
			*out = fde;
			return STATUS_OK;
		}
	}
	return STATUS_END;
}

/* ---- call-site tables (the format that libgcc's unwind-pe.h and the C++ runtimes agree on) ---- */

enum status lsda_walk_begin(struct lsda_walk *walk, const struct elf_view *view,
                            const struct fde *fde, struct failure *fail)
{
	u64 end, size;
	struct cursor c;
	u8 encoding;

	memset(walk, 0, sizeof(*walk));
	walk->view = view;
	if (!fde->lsda)
		return STATUS_OK;
	end = segment_end(view, fde->lsda);
	cursor_open(&c, view, fde->lsda, end - fde->lsda);
	walk->pads_from = fde->start;
	encoding = (u8)get(&c, 1);
	if (encoding != ENC_OMIT) {
		walk->pads_from = get_pointer(&c, encoding, 0);
		if (encoding & ENC_INDIRECT)
			c.bad = true;
	}
	encoding = (u8)get(&c, 1);
	if (encoding != ENC_OMIT)
		(void)get_leb(&c, false); /* where the types are */
	walk->encoding = (u8)get(&c, 1);
	size = get_leb(&c, false);
	if (c.bad || !end || size > c.size - c.pos)
		return failed(fail, STATUS_TEXT_UNWIND, fde->lsda, 0);
	walk->pos = c.addr + c.pos;
	walk->end = walk->pos + size;
	return STATUS_OK;
}

enum status lsda_walk_next(struct lsda_walk *walk, u64 *pad, struct failure *fail)
{
	while (walk->pos < walk->end) {
		u64 start = walk->pos, offset;
		struct cursor c;

		cursor_open(&c, walk->view, start, walk->end - start);
		(void)get_form(&c, walk->encoding & ENC_FORM); /* first call */
		(void)get_form(&c, walk->encoding & ENC_FORM); /* bytes of them */
		offset = get_form(&c, walk->encoding & ENC_FORM);
		(void)get_leb(&c, false); /* action */
		walk->pos = c.bad ? walk->end : start + c.pos;
		if (c.bad)
			return failed(fail, STATUS_TEXT_UNWIND, start, 0);
		if (offset) {
			*pad = walk->pads_from + offset;
			return STATUS_OK;
		}
	}
	return STATUS_END;
}
