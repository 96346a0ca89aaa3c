/* SPDX-License-Identifier: MIT */
/*
 * batch_again.h - translations that take the place of earlier ones, whose paths were chosen from fewer samples.
 *
 *     site that is translated -> tree of today -> better than the old one? -> translated -> the old one is retired
 *
 * The old code stays where it is: whoever is in it goes on and leaves by an exit. Its site gets its original bytes back (mapping_renew())
 * before the new one is published, its loops let go, and nothing leads into it any more.
 */
#ifndef DYNOPT_BATCH_AGAIN_H
#define DYNOPT_BATCH_AGAIN_H

#include "batch_private.h"

/* A site that has a translation: is it to get another one in this batch? Then it is listed in b->again. */
bool batch_again(struct batch *b, u64 site);
bool batch_is_again(const struct batch *b, u64 site);
/* The slot by which its old translation is reached, and the new one will be; 0: none. */
u64 batch_old_slot(const struct batch *b, u64 site);
/* Remembers by which tree a site of this batch was translated. */
void batch_keep_trace(struct batch *b, u64 site, const struct trace *trace);
/* Once everything is translated: who got no new translation keeps the old one. */
void batch_settle_again(struct batch *b);
/* `made` holds the new translations: the others' translations of these sites are retired, links to them lead to original text. */
void batch_retire(struct batch *b, const struct image *made);

#endif
