/* SPDX-License-Identifier: MIT */
/*
 * worth.h - which translations of a batch are worth it: those that save more instructions than the way in costs.
 *
 *     what each saves, how often it is entered, where it leads -> the set that is kept
 *
 * Who comes from another translation comes by a link, which costs no jump. So translations are judged together, as far as it is known
 * how often each is entered: a site is dropped if all others are better off without it, its own savings counted, until none is.
 * That drops nothing that the best set has: fewer others never make one better. What is not known to be entered is judged by itself,
 * for one entry. Instructions are not time, and translations that save few take as long as the original, or longer: by samples one has to save one of
 * WORTH_TOLL instructions that it executes, and its jumps in and out cost twice what they are.
 */
#ifndef DYNOPT_WORTH_H
#define DYNOPT_WORTH_H

#include "code.h"
#include "cost.h"

#define WORTH_TOLL \
	40 /* by samples: of so many instructions in a translation one is to be saved at least */
#define WORTH_JUMP 2 /* and a jump into one, or out of it, is as dear as so many instructions */
/* Less than this many (for COST_ENTRY entries) are not worth a change. */
#define WORTH_SLACK (COST_ENTRY / 4)

#define WORTH_NO_SITE 0xffffffffu
#define WORTH_EARLIER 0xfffffffeu /* a translation of an earlier batch */

/* A translation's way out that may become a link. */
struct lead {
	u64 target; /* a site, or a function's start */
	u32 flow; /* of COST_ENTRY entries */
	u32 site; /* index in the batch, or WORTH_EARLIER, WORTH_NO_SITE */
};

struct verdict {
	enum status status; /* dropped: STATUS_COST_GAIN */
	s64 gain; /* what COST_ENTRY entries save, the way in apart */
	u64 toll; /* and what they have to save more than, as instructions are not time */
	u64 entries; /* scaled by worth_together() */
	u64 linked; /* of entries * COST_ENTRY: those that come from others that are kept */
	u32 first, n; /* leads */
	u8 jumps; /* on the way in through the site */
	bool known; /* how often it is entered */
	bool tabled; /* others' jumps through tables lead there */
	bool live; /* it has a translation already */
};

/* The sites of a batch. */
struct worth {
	struct verdict *verdicts;
	u32 n;
	const struct lead *leads;
	bool sampled;
};

/* Fills in gain and toll. */
void worth_of(const struct code *code, bool sampled, struct verdict *out);
/* What COST_ENTRY entries save if all of them come through the site, by so many jumps. */
s64 worth_alone(const struct verdict *verdict, u32 jumps, bool sampled);
/* Drops those that others are better off without. */
void worth_together(struct worth *w);
/* Jumps on the way in, for COST_ENTRY entries by whatever way. */
u64 worth_paid(const struct verdict *verdict);

#endif
