/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * text.h - what is known of every byte of a module's code.
 *
 *     file view -> notes or unwind table -> decoding -> marks
 *
 * Built once for a module, from its file's bytes (never from memory, which others may have
 * patched), then only read. A byte's marks answer what everybody asks: does an instruction start here, is
 * that proven, may it be patched, translated, inlined, who arrives here, is the byte free.
 *
 * Two sources of proof. Certified ranges of the notes: linear decoding from their start, opaque
 * pieces stepped over. Text without notes: a function of the unwind table counts as proven if linear
 * decoding from its start ends exactly at its end, no direct branch anywhere in the module leads into
 * one of its instructions, and the heads in it are reached by control flow from its start; code that only
 * an unresolved indirect jump reaches is decoded but never a head. Where notes are damaged, text without
 * a valid record is left alone (docs/notes-format.md).
 */
#ifndef DYNOPT_ENGINE_TEXT_H
#define DYNOPT_ENGINE_TEXT_H

#include "arena.h"
#include "decode.h"
#include "elf_view.h"
#include "engine_status.h"

enum text_mark {
	TEXT_INSN = 1 << 0,     /* a proven instruction starts here */
	TEXT_CERTIFIED = 1 << 1, /* the proof is the notes' */
	TEXT_REACHED =
		1
		<< 2, /* with TEXT_INSN: flow of control from a function's start leads here (certified text: always) */
	TEXT_FUNCTION = 1 << 3, /* a function starts here */
	TEXT_TARGET =
		1 << 4, /* a direct branch or call, a known jump table or an exception leads here */
	TEXT_LOOP = 1 << 5, /* a backward direct branch of the same function leads here */
	TEXT_RETURN = 1 << 6, /* the instruction before it is a call */
	TEXT_FREE =
		1
		<< 7, /* in a slot of the notes, or padding behind a barrier that nothing leads to */
	TEXT_NO_PATCH = 1 << 8,
	TEXT_NO_TRANSLATE = 1 << 9,
	TEXT_NO_INLINE = 1 << 10,
	TEXT_NO_DEFER = 1 << 11,
	TEXT_PLAIN = 1 << 12, /* fact of the notes, of this instruction's function */
	TEXT_STACK_PRIVATE = 1 << 13, /* fact of the notes */
	TEXT_INTERIOR =
		1 << 14, /* a branch leads to this byte although no instruction starts here */
};

/* A hop's place: `size` free bytes at addr. Slots of the notes and proven padding of at least JMP_REL32_LEN bytes. */
struct text_slot {
	u64 addr;
	u32 size;
};

/* A jump table whose jump is known: of the notes, or an array of labels (text_gotos.c). */
struct text_table {
	u64 site; /* the indirect jump */
	u64 addr;
	u64 count;
	u32 form; /* DYNOPT_TABLE_... */
	u16 asked, spare; /* registers that text_table_spare() was asked for; of these unread */
	const u32 *
		targets; /* count of them, from text->start; NULL: nobody may rely on the table's content */
};

struct text_walk;
struct text_parts;

struct text {
	const struct elf_view *view;
	u64 start, end; /* of the marks: all executable segments and what lies between them */
	u16 *marks; /* TEXT_..., one for each byte of [start, end) */
	struct text_slot *slots; /* by address */
	u32 n_slots;
	struct text_table *tables; /* by site */
	u32 n_tables;
	struct text_walk *walk; /* of text_table_spare() */
	struct text_parts *parts; /* what text_parts_read() has read; NULL: all of it is */
	u64 cache, cache_end; /* reserved code cache, whole pages or not; 0, 0: none */
	u64 far, far_end; /* far pool; 0, 0: none */
	bool noted; /* has notes of version 1 */
	u32 n_functions; /* proven ones; by parts: those of certified text, read or not */
	u64 proven_bytes; /* bytes of instructions with TEXT_INSN; by parts: of certified text */
	u32 refused[STATUS_N]; /* functions and records left alone, by reason */
};

/*
 * Builds *text for a file view. What it keeps is allocated in `keep`, what it needs meanwhile in `scratch` (released
 * before it returns; they may not be the same). A module refused as a whole: STATUS_TEXT_...; *text and the arenas are
 * then as before. The view must outlive it.
 *
 * Memory: keep holds 2 bytes per byte of text, 16 per slot, 40 per table and 4 per entry of one; scratch 1 byte per byte of text, 56 per function
 * of the unwind table, 4 per branch target and 8 per instruction that may name a jump table. text_build_size() gives bounds for both.
 */
__must_check enum status text_build(struct text *text, const struct elf_view *view,
                                    struct arena *keep, struct arena *scratch,
                                    struct failure *fail);
void text_build_size(const struct elf_view *view, u64 *keep, u64 *scratch);

/*
 * The same for a module with notes, but nothing of it is read yet. STATUS_TEXT_NOTES: there are none, or they are damaged or contradict each
 * other; text_build() is for that. `keep` should hold zeroes that nobody has touched (arena_init_zeroed()): few of them will be.
 */
__must_check enum status text_parts_open(struct text *text, const struct elf_view *view,
                                         struct arena *keep, struct arena *scratch,
                                         struct failure *fail);
/*
 * Reads the functions of certified text that n addresses are in, and small ones that they call: all that is told of them is then as text_build() tells
 * it, but that a few bytes more may count as targets of branches, and that padding in front of a function is not free. Addresses elsewhere, and what was read before, are passed over. On failure nothing has changed. Slots are in
 * another place afterwards.
 */
__must_check enum status text_parts_read(struct text *text, const u64 *addrs, u32 n,
                                         struct arena *keep, struct arena *scratch,
                                         struct failure *fail);
/* Is it in a function of certified text that text_parts_read() was not asked for? */
bool text_is_unread(const struct text *text, u64 addr);
/* From a function's start to the next one's, or to the end of its record; false: addr is in none. */
bool text_function(const struct text *text, u64 addr, u64 *start, u64 *end);

static inline u16 text_marks(const struct text *text, u64 addr)
{
	return addr >= text->start && addr < text->end ? text->marks[addr - text->start] : 0;
}

/* Bytes from addr to the end of its executable segment, *size of them; NULL outside. */
const u8 *text_bytes(const struct text *text, u64 addr, u64 *size);

/* The instruction at addr: STATUS_TEXT_UNPROVEN, _FORBIDDEN (may not be translated), or decode_insn()'s. */
__must_check enum status text_insn(const struct text *text, u64 addr, void *scratch,
                                   struct insn *out, struct failure *fail);

/* Length and role of the proven instruction at addr: STATUS_TEXT_UNPROVEN, or decode_brief()'s. */
__must_check enum status text_brief(const struct text *text, u64 addr, void *scratch,
                                    struct insn_brief *out, struct failure *fail);

/* The table through which the indirect jump at `site` leads, if its content may be relied on; NULL: none is known. */
struct text_table *text_table_at(const struct text *text, u64 site);
/* One at this address. */
const struct text_table *text_table_of(const struct text *text, u64 addr);
/*
 * The jump has computed its target in register `reg` and has written flags: does nobody read either, wherever it leads? What is
 * answered once is kept in the table.
 */
bool text_table_spare(const struct text *text, struct text_table *table, u32 reg, void *scratch);

/*
 * The site by which a translation that starts at `head` is entered: the first instruction of two bytes or more at or
 * behind it, before its block ends, and what may be written there. Passed over are a function's first instruction
 * (SITE_FUNCTION if nothing follows in the block), endbr64 (SITE_ENDBR), NOPs that hold a slot (SITE_TAKEN). Refused are calls,
 * what the kernel may rewind, and instructions somebody branches into (SITE_CALL, SITE_SYSTEM, SITE_INTERIOR). On
 * success *site is where the translation must start, *len the instruction's length.
 */
__must_check enum status text_site(const struct text *text, u64 head, void *scratch, u64 *site,
                                   u32 *len, struct failure *fail);

/*
 * The callee of the direct call at addr, which may be led elsewhere by another distance: 5 bytes, without prefixes. As for a site, but
 * SITE_CALL if it is no such call.
 */
__must_check enum status text_call(const struct text *text, u64 addr, void *scratch, u64 *target,
                                   struct failure *fail);

#endif
