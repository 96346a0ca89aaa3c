/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * reader.h - reads the DynOpt notes of a view (elf_view.h), trusting nothing.
 *
 *     view -> objects -> records -> functions | slots | noopt | opaque | tables
 *          -> farpools
 *
 * Every iterator's next() returns NOTES_OK (*out is filled), NOTES_END, or the
 * name of what is wrong with the item it skips: call it again for the one after.
 * Each call makes progress, so loops end. *out is touched on NOTES_OK only.
 * A record that comes out of notes_records_next() has been walked as a whole: its
 * lists cannot fail any more, unless somebody writes to the bytes meanwhile; then
 * they fail with a status and still nothing is read out of bounds.
 *
 * No allocation, recursion or globals. All addresses are those of the view.
 */
#ifndef DYNOPT_NOTES_READER_H
#define DYNOPT_NOTES_READER_H

#include "dynopt_notes.h"
#include "elf_view.h"
#include "port.h"
#include "status.h"

/* Bytes being read; pos never leaves [0, size]. */
struct notes_cursor {
	const u8 *bytes;
	u64 addr; /* of bytes[0] */
	u64 size;
	u64 pos;
};

struct notes_reader {
	const struct elf_view *view;
	struct notes_failure first; /* first failure since notes_reader_init() */
	struct notes_failure last; /* most recent one: details of what next() just returned */
	u64 n_failures;
};

void notes_reader_init(struct notes_reader *r, const struct elf_view *view);

/* ---- notes ---- */

/* One object file's note. */
struct notes_object {
	u64 note; /* address of its struct dynopt_note_object */
	u64 records; /* address of the first record byte */
	u64 records_end; /* exclusive */
	u64 cache; /* address of its share of the code cache; 0 if cache_size is 0 */
	u64 cache_size; /* bytes */
	u32 version;
	u32 flags; /* DYNOPT_OBJECT_... */
};

struct notes_farpool {
	u64 note; /* address of its struct dynopt_note_farpool */
	u64 start; /* address of the first slot of DYNOPT_FARSLOT_SIZE bytes */
	u64 end; /* exclusive; end - start is a multiple of DYNOPT_FARSLOT_SIZE */
};

/* Where a walk over note segments stands. Fields are the reader's own. */
struct notes_walk {
	struct notes_reader *r;
	u32 segment;
	u64 pos; /* bytes into that segment */
};

void notes_walk_begin(struct notes_walk *w, struct notes_reader *r);

/*
 * The next object. Failures: NOTE_CUT (rest of that segment is lost), NOTE_TYPE,
 * OBJECT_...; far pools are passed over in silence.
 */
__must_check enum notes_status notes_objects_next(struct notes_walk *w, struct notes_object *out);

/* The next far pool. Failures: FARPOOL_...; all other notes are passed over in silence. */
__must_check enum notes_status notes_farpools_next(struct notes_walk *w, struct notes_farpool *out);

/* ---- records ---- */

/* The lists of a record, in their order there; list L is present if lists has bit 1 << L. */
enum notes_list {
	NOTES_FUNCTIONS,
	NOTES_SLOTS,
	NOTES_NOOPT,
	NOTES_OPAQUE,
	NOTES_TABLES,
	NOTES_N_LISTS
};

/* One certified range of code. */
struct notes_record {
	u64 addr; /* of the record itself (its size field) */
	u64 size; /* bytes it takes, size field included */
	u64 start; /* address of the range */
	u64 end; /* exclusive; may equal start */
	u32 lists; /* DYNOPT_LIST_... as written */
	u64 counts[NOTES_N_LISTS]; /* items per list; FUNCTIONS is 1 when SINGLE */
	/* The reader's own: the record's bytes, and where in them the lists begin. */
	const u8 *bytes;
	u64 at[NOTES_N_LISTS];
};

/* Where a walk over an object's records stands. Fields are the reader's own. */
struct notes_records {
	struct notes_reader *r;
	struct notes_cursor cur;
};

void notes_records_begin(struct notes_records *it, struct notes_reader *r,
                         const struct notes_object *object);

/*
 * The next record, padding skipped. Failures of class RECORD skip one record;
 * RECORD_CUT gives up the rest of the object.
 */
__must_check enum notes_status notes_records_next(struct notes_records *it,
                                                  struct notes_record *out);

/* ---- lists ---- */

struct notes_function {
	u64 start;
	u64 end; /* start of the next function, or not before its own end: may hold padding */
	u32 facts; /* DYNOPT_FACT_... */
};

struct notes_slot {
	u64 addr; /* DYNOPT_SLOT_SIZE free bytes */
};

struct notes_noopt {
	u64 start;
	u64 end; /* exclusive */
	u64 reasons; /* DYNOPT_REASON_... bits, unknown ones included; never 0 */
	u32 forbids; /* DYNOPT_FORBID_...: notes_reasons_forbid(reasons) */
};

struct notes_opaque {
	u64 start;
	u64 end; /* exclusive; decoding goes on here */
};

struct notes_table {
	u64 site; /* address of the indirect jump; 0 if the compiler does not know it */
	u64 addr; /* of its first entry */
	u64 count; /* entries */
	u32 form; /* DYNOPT_TABLE_... */
};

/* Where a walk over one list of a record stands. Fields are the reader's own. */
struct notes_iter {
	struct notes_reader *r;
	struct notes_cursor cur;
	u64 start; /* the range */
	u64 length;
	u64 left; /* items still to come */
	u64 offset; /* where the next delta counts from */
	enum notes_list list;
	u32 shift; /* FUNCTIONS: extents are in units of 1 << shift bytes */
	u32 facts; /* of the one function of SINGLE */
	bool single;
	bool open; /* the list's head was read, or there is none */
};

/* Starts on `list` of a record; a list that the record does not have is an empty one. */
void notes_iter_begin(struct notes_iter *it, struct notes_reader *r,
                      const struct notes_record *record, enum notes_list list);

/*
 * The next item; ascending, except for tables. A failure ends the list (the call after it
 * says NOTES_END). NOTES_MISUSED: the iterator stands on another list.
 */
__must_check enum notes_status notes_functions_next(struct notes_iter *it,
                                                    struct notes_function *out);
__must_check enum notes_status notes_slots_next(struct notes_iter *it, struct notes_slot *out);
__must_check enum notes_status notes_noopt_next(struct notes_iter *it, struct notes_noopt *out);
__must_check enum notes_status notes_opaque_next(struct notes_iter *it, struct notes_opaque *out);
__must_check enum notes_status notes_tables_next(struct notes_iter *it, struct notes_table *out);

/*
 * Target address of entry `index` of a table. False if it cannot be told: index out
 * of range, or absolute words in a relocatable file that is not loaded.
 */
bool notes_table_target(const struct elf_view *view, const struct notes_table *table, u64 index,
                        u64 *target);

/* ---- reasons ---- */

/* Reason bits -> DYNOPT_FORBID_... mask; any unknown bit forbids everything. */
u32 notes_reasons_forbid(u64 reasons);

/* ---- check: everything at once ---- */

/* notes_check() flag: a file as linked, so slots, cache and far pool must hold 0xCC. */
#define NOTES_CHECK_PRISTINE 0x1u

/* What is in the notes: counts, and bytes where the name says so. Only what is valid is counted. */
struct notes_totals {
	u64 n_objects;
	u64 n_disabled; /* objects with DYNOPT_OBJECT_DISABLED */
	u64 n_farpools;
	u64 n_records;
	u64 n_items[NOTES_N_LISTS]; /* functions, slots, ... */
	u64 n_plain; /* functions with DYNOPT_FACT_PLAIN */
	u64 n_stack_private;
	u64 record_bytes; /* all objects' records, padding included */
	u64 range_bytes; /* sum of the records' ranges */
	u64 noopt_bytes; /* sum over NOOPT items (overlaps count twice) */
	u64 opaque_bytes;
	u64 cache_bytes;
	u64 farpool_bytes;
	u64 n_findings; /* calls of the callback */
};

/*
 * Called per finding, at the moment it is found. object and record name what it
 * is in, NULL where none is known. (A record that is refused has no struct: the
 * failure's address lies in it.)
 */
typedef void notes_finding_fn(void *ctx, const struct notes_failure *failure,
                              const struct notes_object *object, const struct notes_record *record);

/*
 * Walks every note, record, list and jump table. `found` may be NULL. *totals is always
 * filled. Returns the first finding's status, NOTES_OK if there is none (a view
 * without notes has none). Findings also count in r->n_failures.
 */
enum notes_status notes_check(struct notes_reader *r, u32 flags, notes_finding_fn *found, void *ctx,
                              struct notes_totals *totals);

/* ---- find: what an optimizer asks ---- */

/*
 * All that is known of one address. Where several records cover it (folded code),
 * reasons add up and facts are those that all agree on.
 */
struct notes_at {
	bool recorded; /* a valid record's range covers it */
	bool certified; /* recorded, and not in an opaque piece */
	bool disabled; /* its object asks to be left alone */
	u32 forbids; /* DYNOPT_FORBID_...; see notes_find() for text without records */
	u64 reasons; /* DYNOPT_REASON_... bits */
	u32 facts; /* DYNOPT_FACT_... of its function; 0 if it is in none */
	u64 function; /* start of its function; 0 if it is in none */
	u64 function_end; /* exclusive */
	/* If certified: linear decoding from decode_start yields every boundary up to decode_end. */
	u64 decode_start;
	u64 decode_end; /* exclusive */
};

/*
 * Fills *out for the byte at addr. Cost: one pass over the heads of all records.
 * Run notes_check() once before: text without a record is ordinary text (forbids 0),
 * but as soon as r->n_failures > 0 the record that would speak for it may be the
 * broken one, so forbids is then DYNOPT_FORBID_ALL.
 */
void notes_find(struct notes_reader *r, u64 addr, struct notes_at *out);

/* notes_find() for those who need one answer. */
bool notes_find_certified(struct notes_reader *r, u64 addr);
u32 notes_find_forbids(struct notes_reader *r, u64 addr);

/*
 * Slots that lie wholly in [lo, hi), nearest to `near` first (by distance between
 * start addresses; the lower address of two as near), at most `max` of them.
 * Passes over disabled objects and slots under DYNOPT_FORBID_PATCH.
 * Returns how many were stored in slots[].
 */
u32 notes_find_slots(struct notes_reader *r, u64 lo, u64 hi, u64 near, u64 *slots, u32 max);

#endif
