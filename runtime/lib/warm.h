/* SPDX-License-Identifier: MIT */
/*
 * warm.h - is a place of a hot function worth a tree that begins there, as samples tell it?
 */
#ifndef DYNOPT_WARM_H
#define DYNOPT_WARM_H

#include "grow_hot.h"

/* Can a path begin at an instruction with these marks? Whether one should, warm_again() says. */
bool warm_may_begin(u16 marks);
/* Is it a head where nothing but the marks is known? */
bool warm_is_head(u16 marks);

/*
 * Would a tree from addr have taken over enough samples, and four times as many as when it was asked last? Then *judged (0 at first)
 * takes note of how many.
 */
bool warm_again(struct flows *flows, u64 addr, bool inline_calls, u8 *judged);
/* The same, whenever it is asked. */
bool warm_enough(struct flows *flows, u64 addr, bool inline_calls);
/* The tree from a site, with how often it is entered beside others of these flows. */
void warm_grow(struct flows *flows, u64 site, bool inline_calls, struct grown *out);

#endif
