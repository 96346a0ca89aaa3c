/* SPDX-License-Identifier: MIT */
/*
 * place_oracle.h - what a section offers once it is placed, found without the policy's ideas.
 *
 * It works on the caller's units only: addresses by relaxing until nothing changes, sites by looking backward for a
 * block's start, slots by the rules of the note format, many patches at once by augmenting paths.
 */
#ifndef DYNOPT_TEST_PLACE_ORACLE_H
#define DYNOPT_TEST_PLACE_ORACLE_H

#include <stdbool.h>
#include "notes_image.h"
#include "place.h"

#define MAX_UNITS 1200
#define MAX_SLOTS (MAX_UNITS * 25)
#define JMP_REL8 2
#define JMP_REL32 5

struct section {
	struct place_unit u[MAX_UNITS];
	size_t n;
	u32 nop_max;
	struct place_stats stats;
};

struct oracle {
	const struct section *t;
	int64_t at[MAX_UNITS + 1];
	bool far[MAX_UNITS]; /* branches in their long form */
	u8 size[MAX_UNITS];  /* of the instruction that stands in this place */
	int64_t slot[MAX_SLOTS];
	u32 n_slots, n_found; /* of the slots, those in padding */
	u32 site[MAX_UNITS];  /* units */
	bool head[MAX_UNITS]; /* by index of site */
	u32 n_sites, n_heads;
};

enum who { HEADS, STIFF_HEADS, EVERY_THIRD };

/* Fills in *o for a section, decided or not, which must outlive it. */
void oracle_look(struct oracle *o, const struct section *t);
int64_t oracle_insn_len(const struct oracle *o, u32 i);
/* Does a block start at unit i? Padding behind a branch may be empty: both start one. */
bool oracle_starts(const struct section *t, u32 i);
/* Is unit i where its block would be patched? *head: at a loop's head. */
bool oracle_is_site(const struct section *t, u32 i, bool *head);
/* Sites by their index in o->site: */
bool oracle_too_short(const struct oracle *o, u32 s);
bool oracle_served(const struct oracle *o, u32 s);
/* Could the policy have made this short site longer? */
bool oracle_can_lengthen(const struct oracle *o, u32 s);
/* How many of these sites cannot be patched when all of them are. */
u32 oracle_misses(const struct oracle *o, enum who who);

#endif
