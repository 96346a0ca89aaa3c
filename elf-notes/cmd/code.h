/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * code.h - the instructions of a file, found by decoding and by nothing else.
 *
 * Text is the executable sections (or segments, where sections were stripped)
 * minus linker-made stubs, records, cache and far pool. Certified ranges are decoded from
 * their start, stepping over opaque pieces; the rest from unwind entries, function
 * symbols and section starts.
 *
 * Every byte of text has an index; length[index] is the length of the instruction
 * that starts there (0: none does) and mark[index] what is known of it.
 * Invariant: instructions do not overlap, and none crosses a region's end.
 */
#ifndef DYNOPT_CMD_CODE_H
#define DYNOPT_CMD_CODE_H

#include "model.h"
#include "unwind.h"

enum code_mark {
	/* of the instruction that starts here */
	INSN_BARRIER = 1 << 0,     /* jmp, ret and the like: never falls through */
	INSN_CONDITIONAL = 1 << 1, /* jcc, loop, jrcxz, xbegin */
	INSN_CALL = 1 << 2,
	INSN_INDIRECT = 1 << 3, /* with BARRIER: jmp through register or memory */
	INSN_PAD = 1 << 4,      /* any NOP, int3 */
	INSN_INT3 = 1 << 5,
	INSN_ENDBR = 1 << 6,
	INSN_ORDERED = 1 << 7, /* locked, xchg with memory, or mfence */
	INSN_LONG_NOP = 1 << 14, /* executed NOP with SIB and disp32: its last 5 bytes are free */
	/* of the byte */
	BYTE_TEXT = 1 << 8,
	BYTE_CERTIFIED = 1 << 9,
	BYTE_OPAQUE = 1 << 10,
	BYTE_NOPATCH = 1 << 11, /* the notes forbid patching here */
	BYTE_SLOT = 1 << 12,    /* in a slot of the notes */
	BYTE_FREE = 1 << 13,    /* padding after a barrier that nothing leads to */
	/* why a block starts here */
	LEAD_FUNCTION = 1 << 16,
	LEAD_BRANCH = 1 << 17,
	LEAD_AFTER = 1 << 18, /* follows a branch */
	LEAD_TABLE = 1 << 19,
	LEAD_LANDING = 1 << 20,
	LEAD_POINTER = 1 << 21, /* its address is taken */
	LEAD_ANY = 0x3f << 16,
	LEAD_LOOP = 1 << 22, /* a backward direct branch within the function ends here */
	RETURN_POINT = 1 << 23,
};

struct code_region {
	u64 addr, size;
	const u8 *bytes;
	size_t base; /* index of the first byte */
};

/* A direct branch, or a `lea` of an address. */
struct code_reference {
	u64 from, to;
	u32 mark; /* of the instruction at `from` */
};

/* Where certified text could not be decoded. */
struct code_error {
	u64 addr;
	const char *what;
};

struct code {
	VEC(struct code_region) regions; /* by address */
	size_t size;       /* bytes in all regions */
	u64 text, certified;             /* bytes marked BYTE_TEXT; BYTE_CERTIFIED */
	u8 *length;
	u32 *mark;
	VEC(u64) functions; /* starts known to anybody, sorted, unique */
	VEC(struct code_reference) branches;
	VEC(struct code_reference) leas;
	VEC(struct code_error) errors;
	/* For jump tables that no notes describe (tables.c): */
	VEC(struct code_reference) indexed; /* reads of table(,index,8); to: the table */
	VEC(u64) widened;                   /* movslq (base,index,4) */
	VEC(u64) computed;                  /* jmp *register */
};

void code_read(struct code *code, const struct image *image, const struct unwind *unwind,
               const struct model *model);
void code_free(struct code *code);

#define CODE_NONE SIZE_MAX
/* Index of the byte at addr, or CODE_NONE outside all regions. */
size_t code_index(const struct code *code, u64 addr);
u64 code_address(const struct code *code, size_t index);
/* Start of the function that holds addr: the nearest known start at or below it; 0 if none. */
u64 code_function(const struct code *code, u64 addr);
static inline bool code_boundary(const struct code *code, u64 addr)
{
	size_t i = code_index(code, addr);

	return i != CODE_NONE && code->length[i];
}

#endif
