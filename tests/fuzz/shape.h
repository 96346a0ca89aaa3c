/* SPDX-License-Identifier: MIT */
/*
 * shape.h - random traces over a module's proven code: paths, trees, loops, cut anywhere.
 *
 * shape_grow() makes what a profile could have made, so that nearly all of them translate.
 * shape_spoil() changes such a trace into what nobody should send.
 */
#ifndef DYNOPT_FUZZ_SHAPE_H
#define DYNOPT_FUZZ_SHAPE_H

#include "limits.h"
#include "module.h"
#include "trace.h"

#define SHAPE_BLOCKS_MAX 4096 /* far more than any limit, for spoilt ones */

struct shape {
	struct trace_block blocks[SHAPE_BLOCKS_MAX];
	struct trace trace;
	bool calls; /* in: growth goes into direct calls, and back behind them */
};

void shape_grow(struct shape *shape, const struct module *m, u64 *rnd);
void shape_grow_from(struct shape *shape, const struct module *m, u64 head, u64 *rnd);
/* With calls: the same, until lift_trace() finds one inlined, or several times. */
void shape_grow_framed(struct shape *shape, const struct module *m, struct arena *arena, u64 *rnd);
void shape_spoil(struct shape *shape, const struct module *m, u64 *rnd);

#endif
