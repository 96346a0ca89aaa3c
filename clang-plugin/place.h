/* SPDX-License-Identifier: MIT */
/*
 * place.h - which barriers get slots, which instructions are made longer.
 *
 * Pure: one text section in as an array of units (instructions, padding, data)
 * in emission order, decisions out in the same array. Knows nothing of LLVM.
 *
 * A block is *patchable* when its site, the first instruction of two bytes or
 * more, is at least JMP_REL32_LEN long or reaches a slot with a two-byte jump.
 * On return every site that the caller has not forbidden to touch is patchable, and
 * all loop heads are patchable at the same time; within the budget, so are most
 * other selections. No decision adds an executed instruction; instructions change
 * places only where the caller has proven them independent (hoist).
 */
#ifndef DYNOPT_PLACE_H
#define DYNOPT_PLACE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PLACE_NO_TARGET UINT32_MAX

enum place_kind {
	PLACE_INSN,
	PLACE_ALIGN, /* arg: alignment in bytes, max: most bytes it may add (0: any) */
	PLACE_BYTES, /* arg: size in bytes */
};

/* Set by the caller. */
#define PLACE_BARRIER 0x01   /* execution never continues behind it; slots may follow */
#define PLACE_BRANCH 0x02    /* ends a block */
#define PLACE_LEADER 0x04    /* something other than falling through may arrive here */
#define PLACE_LOOP_HEAD 0x08 /* a branch that stands later in the same function leads here */
#define PLACE_PREFIXABLE 0x10 /* redundant prefixes may be put in front */
#define PLACE_ENDBR 0x20     /* must stay the first instruction, whole */
#define PLACE_FORBIDDEN 0x40 /* never a site, never touched */

struct place_unit {
	uint32_t arg;    /* INSN: unit index of a relaxable branch's target, or PLACE_NO_TARGET */
	uint8_t kind;    /* enum place_kind */
	uint8_t flags;   /* PLACE_... */
	uint8_t size;    /* INSN: bytes; of a relaxable branch: of its short form */
	uint8_t size_long; /* INSN: of the long form; equals size where there is only one */
	uint8_t max;     /* ALIGN */
	uint8_t hoist;   /* INSN: the instruction so many units on may be put in front; 0: none */
	/* decisions */
	uint8_t prefixes;   /* redundant prefixes to put in front */
	uint8_t force_long; /* relax this branch */
	uint8_t slots;      /* free slots behind this barrier */
	uint8_t hoisted;    /* do put it there; the others up to it move back */
};

struct place_stats {
	uint32_t text;       /* bytes without any decision */
	uint32_t text_grown; /* bytes with them */
	uint32_t sites;      /* blocks that have a site */
	uint32_t sites_long; /* of these, long enough by themselves */
	uint32_t loop_heads;
	uint32_t slots;
	uint32_t gaps;       /* slots' worth of padding behind barriers, found free */
	uint32_t lengthened; /* sites made longer */
	uint32_t unpatchable;
};

struct place_options {
	uint32_t budget_permyriad; /* most growth wanted, in 1/100 percent of the section */
	uint32_t nop_max;          /* longest NOP the assembler pads with, in bytes */
};

/*
 * Decide for one section. What is promised above comes first and may pass the
 * budget. scratch: PLACE_SCRATCH(n) bytes, aligned for uint32_t.
 */
void place_section(struct place_unit *units, size_t n, const struct place_options *options,
                   void *scratch, struct place_stats *stats);

#define PLACE_SCRATCH(n) (((size_t)(n) + 2) * 23 * sizeof(uint32_t))

#ifdef __cplusplus
}
#endif
#endif
