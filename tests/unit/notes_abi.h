/* SPDX-License-Identifier: MIT */
/*
 * notes_abi.h - sizes, offsets and values of format v1, written out once more.
 *
 * They are numbers here and names in dynopt_notes.h: a change there that moves a
 * field or renumbers a bit breaks this build, and so cannot happen by accident.
 */
#ifndef DYNOPT_TESTS_NOTES_ABI_H
#define DYNOPT_TESTS_NOTES_ABI_H

#include <assert.h>
#include <stddef.h>
#include "dynopt_notes.h"

#ifdef __cplusplus
extern "C"
#endif
	int
	notes_abi_cpp(void);

#define AT(type, field, offset, size) \
	static_assert(offsetof(struct type, field) == (offset), #field); \
	static_assert(sizeof(((struct type *)0)->field) == (size), #field)

static_assert(sizeof(struct dynopt_note_object) == 20, "size");
AT(dynopt_note_object, records, 0, 4);
AT(dynopt_note_object, records_end, 4, 4);
AT(dynopt_note_object, version, 8, 2);
AT(dynopt_note_object, flags, 10, 2);
AT(dynopt_note_object, cache, 12, 4);
AT(dynopt_note_object, cache_size, 16, 4);
static_assert(sizeof(struct dynopt_note_farpool) == 8, "size");
AT(dynopt_note_farpool, start, 0, 4);
AT(dynopt_note_farpool, end, 4, 4);

static_assert(sizeof(DYNOPT_NOTE_OWNER) == 7, "owner");
static_assert(DYNOPT_NOTES_VERSION == 1, "version");
static_assert(DYNOPT_NT_OBJECT == 0x101 && DYNOPT_NT_FARPOOL == 0x102, "types");
static_assert(DYNOPT_OBJECT_DISABLED == 1, "flags");
static_assert(DYNOPT_SLOT_SIZE == 5 && DYNOPT_FARSLOT_SIZE == 16, "slots");
static_assert(DYNOPT_LIST_FUNCTIONS == 1 && DYNOPT_LIST_SLOTS == 2 && DYNOPT_LIST_NOOPT == 4,
              "lists");
static_assert(DYNOPT_LIST_OPAQUE == 8 && DYNOPT_LIST_TABLES == 0x10, "lists");
static_assert(DYNOPT_LIST_SINGLE == 0x20 && DYNOPT_LIST_FACTS_SHIFT == 6, "lists");
static_assert(DYNOPT_FACT_PLAIN == 1 && DYNOPT_FACT_STACK_PRIVATE == 2, "facts");
static_assert(DYNOPT_TABLE_REL32 == 0 && DYNOPT_TABLE_ABS64 == 1, "forms");
static_assert(DYNOPT_FORBID_PATCH == 1 && DYNOPT_FORBID_TRANSLATE == 2, "forbids");
static_assert(DYNOPT_FORBID_INLINE == 4 && DYNOPT_FORBID_DEFER == 8, "forbids");
static_assert(DYNOPT_FORBID_ALL == 15, "forbids");
static_assert(DYNOPT_REASON_USER == 0x001 && DYNOPT_REASON_SETJMP == 0x002, "reasons");
static_assert(DYNOPT_REASON_RETADDR == 0x004 && DYNOPT_REASON_FRAMEADDR == 0x008, "reasons");
static_assert(DYNOPT_REASON_ASMFLOW == 0x010 && DYNOPT_REASON_NAKED == 0x020, "reasons");
static_assert(DYNOPT_REASON_IFUNC == 0x040 && DYNOPT_REASON_SIGNAL == 0x080, "reasons");
static_assert(DYNOPT_REASON_INTERRUPT == 0x100 && DYNOPT_REASON_SLEDS == 0x200, "reasons");
static_assert(DYNOPT_REASON_SPLITSTACK == 0x400, "reasons");

#endif
