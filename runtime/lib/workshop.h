/* SPDX-License-Identifier: MIT */
/*
 * workshop.h - a module while it can be translated: its text, what is taken of its sites and slots, and where its
 * next translations go.
 *
 * Opened when there is something to translate, closed when that is over or the module is unloaded; images stay.
 */
#ifndef DYNOPT_WORKSHOP_H
#define DYNOPT_WORKSHOP_H

#include "cache.h"
#include "image.h"
#include "pool.h"

#define WORKSHOPS 64
#define FATE_TRANSLATED 0xff

struct workshop {
	struct image *record; /* NULL: not in use */
	u64 base; /* load bias: the code cache is near that loading */
	struct reading reading;
	void *decoder;
	u8 *is_site; /* one bit for each byte of text: there is a translation that starts here, or will be */
	bool thorough; /* of the look that is under way, or was the last: there is time to try what few samples speak for */
	u64 began_ns; /* CPU time of the agent's at which that look began, */
	u64 until_ns; /* and at which it is to be over, so that what is hottest goes first; 0: nobody minds */
	u8 *covers; /* by offset from the text's start: enum status_tree (cover.h); NULL: not kept */
	u8 *fates; /* for each byte of text: what became of the head there: enum status, FATE_TRANSLATED, or 0 */
	u64 *slots; /* addresses of the text's slots, and which are taken */
	u8 *taken;
	u64 opened_samples, opened_walks; /* all, when it was opened (hot.c) */
	u64 judged_samples; /* of the module, when it was looked at last (hot.c); 0: not yet */
	struct pool traces; /* by which sites were translated from samples (batch_again.c) */
	struct cache cache; /* areas in the order of the images' */
	bool mapped[IMAGE_AREAS];
	bool has_areas;
	u64 near, near_size; /* run-time place reserved for the mapped area; 0: none */
};

/* That of the module, read as a whole or by parts (image.h); NULL if its file is refused (said in the record's status) or there are WORKSHOPS of them. */
struct workshop *workshop_open(struct image *record, u64 base, bool whole);
/* Reads the functions that n module addresses are in, if they were not read. False: there is no memory for it. */
__must_check bool workshop_read(struct workshop *workshop, const u64 *addrs, u32 n);
/* The open one of a loading; NULL: none. */
struct workshop *workshop_find(const struct image *record, u64 base);
/* Finds the places of the code cache, once. */
__must_check enum status workshop_areas(struct workshop *workshop, struct failure *fail);
/* Closes one that was read by parts and has made nothing yet: the next one reads the module as a whole. False: it stays. */
bool workshop_give_up(struct workshop *workshop);
/* What is not used of the places near the module goes back. */
void workshop_close(struct workshop *workshop);

static inline bool workshop_is_site(const struct workshop *workshop, u64 addr)
{
	const struct text *text = &workshop->reading.text;
	u64 i = addr - text->start;

	return addr >= text->start && addr < text->end && (workshop->is_site[i / 8] >> i % 8 & 1);
}
void workshop_set_site(struct workshop *workshop, u64 addr, bool set);

#endif
