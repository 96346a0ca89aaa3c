/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * compact.h - what every pass that takes instructions away does in the end.
 */
#ifndef DYNOPT_ENGINE_COMPACT_H
#define DYNOPT_ENGINE_COMPACT_H

#include "pass.h"

/*
 * Drops blocks that have no instructions left, or to which no edge leads any more, and numbers the rest anew, parents first. A
 * root without instructions stays. The tree's blocks are a new array.
 */
__must_check enum status compact_blocks(struct pass *pass);
/* Takes out the instructions that are marked (op: gone), and drops blocks as above. The tree's instructions are a new array. */
__must_check enum status compact_ops(struct pass *pass, const u8 *gone);

#endif
