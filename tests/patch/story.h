/* SPDX-License-Identifier: MIT */
/*
 * story.h - what test_patch.c tells: a program, groups of translations that are published, linked, and withdrawn.
 */
#ifndef DYNOPT_TESTS_STORY_H
#define DYNOPT_TESTS_STORY_H

#include "cache.h"
#include "dynopt_notes.h"
#include "model.h"

#define MAX_GROUPS 4
#define MAX_UNITS 6 /* translations in a group */
#define MAX_EDITS 4096
#define N_FAR (FAR_SIZE / DYNOPT_FARSLOT_SIZE)

enum broken {
	AS_IT_IS,
#define X(name, text, seen) name,
#include "broken.def"
#undef X
	N_BROKEN
};

struct unit {
	struct code code;
	struct hop hop;
	u64 addr;
};

/* Made for a group, of a table that its translations jump through. */
struct group_shadow {
	const struct table *table;
	u64 addr;
};

struct group {
	struct unit units[MAX_UNITS];
	struct group_shadow shadows[MAX_TABLES];
	u32 n_shadows;
	struct plan plan;
	u32 n_units;
	u8 owner;
	bool live;
};

/* A jump that leads into another group's translation and not to original text. */
struct link {
	const struct unit *from, *to;
	const struct code_fixup *fixup;
	bool live;
};

struct story {
	struct program program;
	struct model model;
	struct dice dice;
	struct cache cache;
	struct arena arena;
	struct hop_places places;
	u8 taken[MAX_GAPS], far_taken[N_FAR];
	u64 far[N_FAR];
	struct group groups[MAX_GROUPS];
	struct link links[512];
	u32 n_groups, n_links;
	enum broken broken;
	bool did; /* the wrong thing has been done */
	u64 seed;
	/* counts, to see that the stories are worth telling */
	u64 n_published, n_hops[HOP_KINDS], n_links_made, n_back, n_half, n_shadows, n_entries,
		n_calls;
};

extern struct story story;

/* A status that is none of the story's. */
void must(enum status status, const char *what);
/* Is it time to do this wrong? */
bool do_wrong(enum broken what);
u8 *memory_at(u64 addr);

#endif
