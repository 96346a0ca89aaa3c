/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * cover.h - how much of a file's code can be patched, by a strict definition.
 *
 * A block is patchable if its first instruction of two or more bytes before the
 * block ends, not counting endbr64, has at least five bytes (jmp rel32 fits inside) or has its
 * *own* slot within reach of a two-byte jmp rel8 put on it. Blocks of only one-byte
 * instructions, and blocks where the notes forbid patching, are counted apart.
 *
 * Slots are those of the notes plus five-byte pieces of free padding. Which sites can
 * have a slot at the same time is a matching problem; all windows have one length,
 * so giving each site in ascending order the lowest slot it reaches is optimal.
 */
#ifndef DYNOPT_CMD_COVER_H
#define DYNOPT_CMD_COVER_H

#include "flow.h"

#define COVER_DRAWS 20
#define COVER_DRAW_PERCENT 10

enum block_kind {
	BLOCK_FITS,       /* the site has >= 5 bytes */
	BLOCK_NEEDS_SLOT, /* 2..4 bytes */
	BLOCK_ONE_BYTE,   /* only one-byte instructions */
	BLOCK_FORBIDDEN,  /* the notes forbid patching, or it is inline assembly */
};

struct block {
	u64 leader, site;
	u8 length; /* of the instruction at site */
	u8 kind;   /* enum block_kind */
	bool loop, reached, certified;
	bool loop_unmatched; /* fails when all loop heads are patched at the same time */
};

/* `of` are those that could be patched at all: FITS or NEEDS_SLOT. */
struct cover_part {
	u64 of, patchable;
};

struct cover_group {
	const char *key, *title;
	u64 blocks, one_byte, forbidden;
	struct cover_part alone;      /* every leader, one at a time */
	struct cover_part loops;      /* loop heads, one at a time */
	struct cover_part loops_all;  /* all loop heads at the same time */
	struct cover_part rest;       /* other leaders, one at a time */
	struct cover_part everything; /* all leaders at the same time */
	struct cover_part returns;    /* return points of calls, one at a time */
	double draw_percent;          /* random tenth at the same time: mean of COVER_DRAWS */
};

enum { COVER_CERTIFIED, COVER_ORDINARY, COVER_N_GROUPS };

struct cover {
	struct cover_group groups[COVER_N_GROUPS];
	VEC(struct block) blocks; /* by leader */
	VEC(u64) slots;           /* all of them, sorted */
	u64 noted_slots, padding_slots, nop_slots, free_bytes;
	u64 instructions, short_insns, middle_insns, long_insns; /* 1, 2-4, >= 5 bytes */
};

void cover_measure(struct cover *cover, const struct code *code, const struct model *model);
void cover_free(struct cover *cover);

/* Distance in bytes from the site's jmp rel8 to the nearest slot; false if there is no slot. */
bool cover_nearest(const struct cover *cover, const struct block *block, s64 *distance);

#endif
