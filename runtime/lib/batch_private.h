/* SPDX-License-Identifier: MIT */
/*
 * batch_private.h - a batch in the making, between batch_sites.c, batch_judge.c and batch.c.
 */
#ifndef DYNOPT_BATCH_PRIVATE_H
#define DYNOPT_BATCH_PRIVATE_H

#include "batch.h"
#include "grow_hot.h"
#include "pool.h"

/* A jump out of a translation that may become a link once all translations stand. */
struct way_out {
	u64 target;
	u32 at, end; /* offsets in the area */
	u32 cut; /* of a back-edge: the stub in the area that makes an exit of it; 0: the original itself */
	u8 area, kind;
};

#define OWN_IMAGE 0xffffffffu /* of entries: that of this batch, which has no number yet */
#define NO_IMAGE 0xfffffffeu /* never linked */

/* A jump table's shadow in this batch. */
struct shadow {
	u64 table, addr; /* module addresses */
};

/* A live translation that is judged anew. */
enum published_fate { PUBLISHED_KEPT, PUBLISHED_REPLACED, PUBLISHED_WITHDRAWN };
struct published {
	u64 site; /* of a front: the function */
	u8 fate;
	bool front;
};

/*
 * A function whose translation is entered at its first instruction, by direct calls that lead there and by links. Its site, where
 * others enter, stands further on in the same block and has a translation of its own.
 */
struct front {
	u64 function, site;
};

struct batch {
	struct workshop *w;
	struct status_module *record; /* status of the module */
	struct image result; /* becomes an image of the world if anything is in it */
	const struct text *text;
	struct flows *flows; /* NULL: no samples */
	struct arena *scratch;
	u8 *fresh; /* one bit for each byte of text: sites of this batch */
	u8 *cases; /* the same: text's jump tables lead there */
	struct hop *hops; /* by site */
	u32 n_hops;
	u64 *paid; /* parallel: instructions on the way in, for COST_ENTRY entries; NULL: nobody has judged */
	bool anew; /* live translations in the ranges are judged, too (batch_again.h) */
	struct published *published;
	u32 n_published;
	struct front *fronts; /* by function */
	u32 n_fronts;
	struct pool origins[IMAGE_AREAS], links[IMAGE_AREAS], entries[IMAGE_AREAS],
		staging[IMAGE_AREAS];
	struct pool shadows, translations, sites, by_slot, ways, states, pendings;
	struct trace *traces; /* of the file; heads are then theirs */
	u64 *trace_sites; /* parallel: where each is entered; 0: refused */
	u32 n_traces;
};

/* Gives back what was taken of b->scratch since `mark`; flows are in it, too. */
static inline void batch_release(struct batch *b, u64 mark)
{
	if (b->flows)
		flows_release(b->flows, mark);
	else
		arena_release(b->scratch, mark);
}

static inline void set_bit(u8 *bits, u64 i)
{
	bits[i / 8] |= (u8)(1 << i % 8);
}

static inline bool has_bit(const u8 *bits, u64 i)
{
	return bits[i / 8] >> i % 8 & 1;
}

void batch_count(struct batch *b, enum status status, u64 head);

/* Finds the places and lists them in b->hops, not yet planned. */
__must_check enum status batch_sites(struct batch *b, const struct batch_range *ranges,
                                     u32 n_ranges, struct failure *fail);
/* Of a function; NULL. */
const struct front *batch_front(const struct batch *b, u64 function);
void batch_take_site(struct batch *b, u64 addr);
void batch_drop_site(struct batch *b, u64 addr);
/* Leaves out of b->hops what would save no instructions, before others want for slots; may move sites (batch_judge.c). */
__must_check enum status batch_judge(struct batch *b, struct failure *fail);
/* How each is reached; those that are not have HOP_NONE. Once the workshop's areas are there. */
void batch_plan_hops(struct batch *b);
/* The trace by which a site is translated: the file's, entered where the site is, or one grown from it. */
__must_check enum status batch_trace(struct batch *b, u64 site, struct grown *grown,
                                     struct trace *out);

#endif
