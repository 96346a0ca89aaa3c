/* SPDX-License-Identifier: MIT */
/*
 * mapping.h - publishes an image's translations where the image is loaded, and takes them back.
 */
#ifndef DYNOPT_MAPPING_H
#define DYNOPT_MAPPING_H

#include "world.h"

/*
 * Makes the world's mappings those of world->modules: unloaded ones are forgotten, new ones noted, and in the eager modes read, translated
 * and published. In the agent; the loader must stand still meanwhile (its lock, or the thread that waits for us).
 */
void mappings_sync(void);

/* Publishes an image that was made after its module was loaded, at that loading. */
void mapping_add(struct image *image, u64 base);

/*
 * What the last batch has retired of a file's translations (batch_again.h) is taken out of live text, before its successors are published.
 * False: refused, said in the record's status.
 */
bool mappings_renew(u32 record);

/* Sites get their original bytes back, then every way from one translation into another or back into itself is cut. */
void mappings_withdraw_all(void);
/* The opposite, in the order in which images were made. */
void mappings_restore_all(void);

/* Of mappings_sync(): forgets what is no longer loaded. */
void mappings_forget(void);
/*
 * The site at this run-time address, if there is one, gets its original bytes back and is never patched again, for somebody is about to
 * read the instruction there. Its translation stays, as others lead into it.
 */
void mappings_drop_site(u64 addr);

#endif
