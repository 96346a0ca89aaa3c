/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * lift.h - from a trace, which nobody vouches for, to a tree of decoded instructions.
 *
 * Everything is checked against the module's text: block starts are proven instruction boundaries
 * that may be translated, each follows from its parent, and a block ends at its branch, where the
 * next block of the trace starts, or in front of the first instruction that cannot be part of a
 * translation (the path then exits there). A branch to an ancestor becomes a back-edge, any other
 * way out of the tree an exit. A direct call goes on in its callee where the trace has a block
 * there (a new frame), a return in such a frame behind the call.
 */
#ifndef DYNOPT_ENGINE_LIFT_H
#define DYNOPT_ENGINE_LIFT_H

#include "ir.h"
#include "text.h"
#include "trace.h"

/* *tree lives in `arena`. On failure the arena is as before. */
__must_check enum status lift_trace(const struct text *text, const struct trace *trace,
                                    struct arena *arena, struct ir_tree *tree,
                                    struct failure *fail);

#endif
