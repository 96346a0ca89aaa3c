/* SPDX-License-Identifier: MIT */
/*
 * eager.h - static traces: every proven head of a module, without having watched it run.
 */
#ifndef DYNOPT_EAGER_H
#define DYNOPT_EAGER_H

#include "image.h"

/*
 * `base`: where the module is loaded just now, so that its code cache gets a place near it.
 * Finds heads, plans their hops, grows a tree from each and translates it; the result is in *image. STATUS_OK even if
 * single heads were refused (counted in image->status.refused); a status if nothing can be translated at all.
 */
__must_check enum status eager_translate(struct image *image, struct reading *r, u64 base,
                                         struct failure *fail);

#endif
