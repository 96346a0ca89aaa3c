/* SPDX-License-Identifier: MIT */
/*
 * need.h - who reads an instruction's result, on which ways, how often.
 */
#ifndef DYNOPT_PATHLAB_NEED_H
#define DYNOPT_PATHLAB_NEED_H

#include "gains.h"

/* Adds to .dead, .sinkable, .copies and .moves what the node's instruction number `at` gives. */
void need_sum(const struct forest *f, const struct tree *tree, const struct node *node, u32 at,
              struct gains *gains);

#endif
