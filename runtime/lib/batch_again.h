/* SPDX-License-Identifier: MIT */
/*
 * batch_again.h - translations that are live, judged anew by the samples of today.
 *
 *     live translations -> trees of today -> judged with all others as if nothing were published (batch_judge.c)
 *                       -> kept, replaced by another tree, or withdrawn
 *
 * The old code stays where it is: whoever is in it goes on and leaves by an exit. Its site gets its original bytes back (mappings_renew()),
 * its loops let go, and nothing leads into it any more.
 */
#ifndef DYNOPT_BATCH_AGAIN_H
#define DYNOPT_BATCH_AGAIN_H

#include "batch_private.h"

/* Takes the live translations in the ranges among the sites of this batch. */
__must_check enum status batch_find_published(struct batch *b, const struct batch_range *ranges,
                                              u32 n_ranges);
/* That of a site; NULL: it is new. */
struct published *batch_published(const struct batch *b, u64 site);
/* One more that is withdrawn: a function's front (batch_private.h). */
void batch_withdraw_front(struct batch *b, u64 function);

/* Was a site translated so often that it is enough? */
bool batch_often(const struct batch *b, u64 site);
/* The tree by which a site is translated, with branches taken as often as they are today; false: that of today is no other. */
bool batch_old_trace(struct batch *b, u64 site, struct grown *old);
/* Is what a tree of today saves, for COST_ENTRY entries, worth the change? */
bool batch_is_better(s64 gain, s64 gain_before);

/* The slot by which a site was reached, and will be again; 0: none. */
u64 batch_old_slot(const struct batch *b, u64 site);
/* Remembers by which tree a site of this batch was translated. */
void batch_keep_trace(struct batch *b, u64 site, const struct trace *trace);
/* Once everything is translated: who got no new translation keeps the old one. */
void batch_settle_again(struct batch *b);
/* `made` holds the new translations, or is NULL: those of others that are replaced or withdrawn are retired, links to them lead to original text. */
void batch_retire(struct batch *b, const struct image *made);

#endif
