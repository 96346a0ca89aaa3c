/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * writer.h - encodes notes and records into a caller's buffer.
 *
 * The inverse of reader.h, in terms of the same item structs: what is written here
 * reads back equal. Tests make their inputs with it, tools may. Freestanding like the
 * reader: no allocation, no globals.
 *
 * Invariant: a call either writes one whole note or record and returns NOTES_OK, or
 * leaves pos where it was, tells in fail what is wrong, and returns its name.
 */
#ifndef DYNOPT_NOTES_WRITER_H
#define DYNOPT_NOTES_WRITER_H

#include "reader.h"

struct notes_writer {
	u8 *bytes;
	u64 addr; /* that bytes[0] will have */
	u64 size; /* bytes there are */
	u64 pos; /* bytes written so far */
	struct notes_failure fail; /* of the last call that failed */
};

/* What a record says. Addresses are absolute, lists sorted as the reader hands them out. */
struct notes_input {
	u64 start;
	u64 end;
	/* One function of these facts (SINGLE); or the list below. */
	bool single;
	u32 facts;
	/*
	 * Each ends where the next starts; starts are a multiple of 1 << shift bytes apart. The
	 * last ends at such a multiple too, or at the end of the range.
	 */
	u32 shift;
	u32 n_functions;
	const struct notes_function *functions;
	u32 n_slots;
	u32 n_noopt;
	u32 n_opaque;
	u32 n_tables;
	const struct notes_slot *slots;
	const struct notes_noopt *noopt; /* forbids is not looked at */
	const struct notes_opaque *opaque;
	const struct notes_table *tables;
};

void notes_writer_init(struct notes_writer *w, void *bytes, u64 size, u64 addr);

/* One record. WRITER_FULL, WRITER_REACH, WRITER_ORDER (detail: index of the item). */
__must_check enum notes_status notes_write_record(struct notes_writer *w,
                                                  const struct notes_input *in);

/* A zero byte: what begins and ends an object's records, and what readers skip. */
__must_check enum notes_status notes_write_padding(struct notes_writer *w);

/*
 * The whole note (header, owner, desc) at a multiple of 4; object->note is ignored, the
 * note's place is where the writer stands. WRITER_FULL, WRITER_REACH.
 */
__must_check enum notes_status notes_write_object(struct notes_writer *w,
                                                  const struct notes_object *object);
__must_check enum notes_status notes_write_farpool(struct notes_writer *w,
                                                   const struct notes_farpool *pool);

#endif
