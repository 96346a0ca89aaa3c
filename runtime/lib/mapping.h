/* SPDX-License-Identifier: MIT */
/*
 * mapping.h - publishes an image's translations where the image is loaded, and takes them back.
 */
#ifndef DYNOPT_MAPPING_H
#define DYNOPT_MAPPING_H

#include "world.h"

/*
 * Makes the world's mappings those of world->modules: unloaded ones are forgotten, new ones read, translated
 * and published. In the agent; the loader must stand still meanwhile (its lock, or the thread that waits for us).
 */
void mappings_sync(void);

/* Sites get their original bytes back, then every way from one translation into another or back into itself is cut. */
void mapping_withdraw(struct mapping *mapping);
/* The opposite, after mapping_withdraw(). */
void mapping_restore(struct mapping *mapping);
void mappings_withdraw_all(void);

#endif
