/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * reader_private.h - what the reader's own files share.
 *
 * cursor.c reads fields, reader.c notes and records, lists.c the lists in a record;
 * check.c and find.c are loops over their iterators and know nothing of bytes.
 */
#ifndef DYNOPT_NOTES_READER_PRIVATE_H
#define DYNOPT_NOTES_READER_PRIVATE_H

#include "reader.h"

/* Bytes of one entry of a table of this form. */
#define REL32_ENTRY_SIZE 4
#define ABS64_ENTRY_SIZE 8

/* Counts a failure, keeps it as last (and first), returns its status. */
enum notes_status notes_fail(struct notes_reader *r, enum notes_status status, u64 addr,
                             u64 detail);

u64 cursor_addr(const struct notes_cursor *c); /* of the byte at pos */
u64 cursor_left(const struct notes_cursor *c); /* bytes from pos on */

/* Each reads one field and moves past it: RECORD_SHORT, LEB_LONG. */
__must_check enum notes_status cursor_u8(struct notes_cursor *c, u8 *out);
__must_check enum notes_status cursor_target(struct notes_cursor *c, u64 *out);
__must_check enum notes_status cursor_uleb(struct notes_cursor *c, u64 *out);

/* Reads the list's head if that was not done yet; then it->left is the number of items. */
__must_check enum notes_status notes_iter_open(struct notes_iter *it);

/*
 * notes_records_next(), but records whose range does not meet [lo, hi) are passed over
 * as soon as their head is read: their lists are not looked at.
 */
__must_check enum notes_status notes_records_next_in(struct notes_records *it, u64 lo, u64 hi,
                                                     struct notes_record *out);

#endif
