/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * dynopt_notes.h - what a binary built with -fdynopt-jumpstations says of itself.
 *
 * This header is the contract between the compiler, which writes, and every
 * optimizer, which reads: docs/notes-format.md tells it in prose with a hex
 * example. It needs only <stdint.h> types (or the kernel's), compiles as C and
 * as C++, and holds no code.
 *
 * One SHT_NOTE per object file (".note.dynopt", found through PT_NOTE) points
 * to that object's records (".dynopt.rec"), which lie in the same loadable
 * segment as the code they describe. A record describes one input text section.
 *
 * Invariant kept by writers: nothing here needs a dynamic relocation; every
 * address is a 32-bit distance from the field that holds it, or an unsigned
 * LEB128 (DWARF 5, section 7.6) distance from the start of the record's range.
 */
#ifndef DYNOPT_NOTES_H
#define DYNOPT_NOTES_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#endif

#define DYNOPT_NOTE_OWNER "DynOpt"
#define DYNOPT_NOTE_SECTION ".note.dynopt"
#define DYNOPT_RECORD_SECTION ".dynopt.rec"
#define DYNOPT_CACHE_SECTION ".dynopt.cache"
#define DYNOPT_FARPOOL_SECTION ".dynopt.far"

#define DYNOPT_NOTES_VERSION 1

/* Note types. 1..5 and 0x100 are mis-labelled by common dumpers; these are not. */
#define DYNOPT_NT_OBJECT 0x101   /* desc: struct dynopt_note_object */
#define DYNOPT_NT_FARPOOL 0x102  /* desc: struct dynopt_note_farpool */

/* struct dynopt_note_object.flags */
#define DYNOPT_OBJECT_DISABLED 0x0001 /* leave every instruction of this object alone */

/* All s32 fields are distances in bytes from their own address. */
struct dynopt_note_object {
	int32_t records;      /* start of this object's records */
	int32_t records_end;  /* exclusive */
	uint16_t version;     /* DYNOPT_NOTES_VERSION */
	uint16_t flags;       /* DYNOPT_OBJECT_...; unknown bits: refuse the object */
	int32_t cache;        /* this object's share of the code cache, bytes 0xCC */
	uint32_t cache_size;  /* bytes; 0: no share, cache is meaningless */
};

/* Far slots: 16 bytes each, `jmp *2(%rip)` + pad + 8-byte target once used, 0xCC before. */
#define DYNOPT_FARSLOT_SIZE 16
struct dynopt_note_farpool {
	int32_t start;
	int32_t end; /* exclusive */
};

/*
 * Records: a stream of
 *
 *     uleb size          bytes that follow in this record; 0 is padding, skip it
 *     s32  start         first byte of the range (self-relative, unaligned)
 *     uleb length        bytes in the range
 *     u8   lists         DYNOPT_LIST_... bits: which of these follow, in this order
 *     FUNCTIONS          u8 shift, uleb count, uleb first, count x uleb entry
 *     SLOTS              uleb count, count x uleb delta
 *     NOOPT              uleb count, count x { uleb delta, uleb length, uleb reasons }
 *     OPAQUE             uleb count, count x { uleb delta, uleb length }
 *     TABLES             uleb count, count x { uleb site, s32 table, uleb entries }
 *
 * The range is *certified*: the compiler emitted all of it, linear decoding from
 * its start yields every instruction boundary, and no branch enters the inside of
 * an instruction, except within OPAQUE pieces, which are to be stepped over.
 *
 * FUNCTIONS: the first function starts at `first` bytes; an entry is
 *     extent << 2 | facts, where extent << shift is the distance in bytes to the
 *     start of the next function or, for the last, at least to its end (it may
 *     reach past the end of the range by less than 1 << shift: cut it there).
 *     When the whole range is one function the list is left out, SINGLE is set,
 *     and the facts are in the two top bits of `lists`.
 * SLOTS: 5 free bytes that no execution reaches. delta: from the end of the slot
 *     before it (from the start of the range for the first one).
 * NOOPT: delta: from the start of the one before it. Ranges may overlap.
 * OPAQUE: delta: from the end of the one before it (inline assembly, data, sleds).
 * TABLES: site is 1 + the offset of the indirect jump, or 0 if the compiler could
 *     not prove which jump uses the table. entries is count << 1 | form.
 */
#define DYNOPT_LIST_FUNCTIONS 0x01
#define DYNOPT_LIST_SLOTS 0x02
#define DYNOPT_LIST_NOOPT 0x04
#define DYNOPT_LIST_OPAQUE 0x08
#define DYNOPT_LIST_TABLES 0x10
#define DYNOPT_LIST_SINGLE 0x20 /* never together with FUNCTIONS */
#define DYNOPT_LIST_FACTS_SHIFT 6 /* with SINGLE: facts of the one function */

#define DYNOPT_SLOT_SIZE 5 /* jmp rel32 */

/* Facts that only the compiler knows, per function. */
#define DYNOPT_FACT_PLAIN 0x1 /* no atomic, volatile, fence or inline asm in the final IR */
#define DYNOPT_FACT_STACK_PRIVATE 0x2 /* no address of its stack frame escapes */
#define DYNOPT_FACTS_MASK 0x3

/* Forms of a jump table: what an entry holds. */
#define DYNOPT_TABLE_REL32 0 /* s32 distance from the start of the table */
#define DYNOPT_TABLE_ABS64 1 /* u64 address (link-time or relocated) */

/* What a reason forbids inside its range. */
#define DYNOPT_FORBID_PATCH 0x1     /* no site may be patched here */
#define DYNOPT_FORBID_TRANSLATE 0x2 /* no translation may contain a copy of this */
#define DYNOPT_FORBID_INLINE 0x4    /* no translation may inline a call into or out of this */
#define DYNOPT_FORBID_DEFER 0x8     /* writes to the stack may not be deferred or dropped */
#define DYNOPT_FORBID_ALL 0xf

/*
 * Reasons: X(NAME, bit, what it forbids, text for people). Written by the
 * compiler as the OR of their bits; a reader that meets an unknown bit must
 * assume that it forbids everything.
 */
#define DYNOPT_REASONS(X) \
	X(USER, 0x001, DYNOPT_FORBID_ALL, "disabled in the source") \
	X(SETJMP, 0x002, DYNOPT_FORBID_INLINE | DYNOPT_FORBID_DEFER, \
	  "calls setjmp, getcontext or the like") \
	X(RETADDR, 0x004, DYNOPT_FORBID_INLINE | DYNOPT_FORBID_DEFER, "uses its return address") \
	X(FRAMEADDR, 0x008, DYNOPT_FORBID_INLINE | DYNOPT_FORBID_DEFER, "uses its frame address") \
	X(ASMFLOW, 0x010, DYNOPT_FORBID_PATCH | DYNOPT_FORBID_TRANSLATE, \
	  "inline assembly with control flow") \
	X(NAKED, 0x020, DYNOPT_FORBID_ALL, "naked function") \
	X(IFUNC, 0x040, DYNOPT_FORBID_PATCH | DYNOPT_FORBID_TRANSLATE | DYNOPT_FORBID_INLINE, \
	  "ifunc resolver: runs before relocation") \
	X(SIGNAL, 0x080, DYNOPT_FORBID_INLINE | DYNOPT_FORBID_DEFER, "signal handler") \
	X(INTERRUPT, 0x100, DYNOPT_FORBID_ALL, "interrupt calling convention") \
	X(SLEDS, 0x200, DYNOPT_FORBID_PATCH, \
	  "has sleds that another tool patches (XRay, patchable entry, patchpoint)") \
	X(SPLITSTACK, 0x400, DYNOPT_FORBID_PATCH | DYNOPT_FORBID_INLINE, "split-stack prologue")

enum dynopt_reason {
#define X(name, bit, forbids, text) DYNOPT_REASON_##name = bit,
	DYNOPT_REASONS(X)
#undef X
};

#endif
