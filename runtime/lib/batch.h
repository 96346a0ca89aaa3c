/* SPDX-License-Identifier: MIT */
/*
 * batch.h - a set of heads of one module, translated together.
 *
 *     heads -> sites -> hops (refused ones end here) -> trees -> code -> links -> image
 *
 * Exits lead directly to the module's other translations, those of earlier batches included.
 */
#ifndef DYNOPT_BATCH_H
#define DYNOPT_BATCH_H

#include "grow.h"
#include "workshop.h"

/* Module addresses: the heads in [start, end) are meant. */
struct batch_range {
	u64 start, end;
};

/*
 * `runs` (run-time addresses) say which ways branches went where they were seen; NULL: nowhere.
 * With `heat`, which is asked with the workshop and module addresses, heads are all places that are jumped to and warm, and what is live
 * in the ranges is judged with all others as if it were not published, and kept, replaced or withdrawn (batch_again.h): mappings_renew()
 * follows, whatever is returned.
 * Translates the proven heads in the ranges (ascending, not overlapping), or, where there is a file of traces, its heads. The result is
 * an image of the workshop's record: the record itself if it has no translations yet, else a new one. NULL if nothing was
 * translated; *fail says why if that is no head's fault. Single heads that are refused are counted in the record's status.
 */
struct image *batch_translate(struct workshop *workshop, const struct batch_range *ranges,
                              u32 n_ranges, flow_heat_fn *heat, const struct runs *runs,
                              struct failure *fail);

#endif
