/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * pass.h - what a pass gets and what it gives.
 *
 * A pass takes a tree that ir_verify() accepts and leaves one in its place; new arrays live in the arena. It
 * includes the IR and helpers that know nothing of passes, and never another pass. Passes in their order: passes.def.
 * Where a pass is in doubt it does less: it ends the path in front of what it does not understand.
 */
#ifndef DYNOPT_ENGINE_PASS_H
#define DYNOPT_ENGINE_PASS_H

#include "code.h"
#include "text.h"

struct pass {
	struct ir_tree *tree;
	const struct text *text; /* original text, for what lies behind exits */
	struct arena *arena;
	void *decoder; /* decode_scratch_size() bytes */
	struct failure *fail;
	enum pass_name name;
	u32 left; /* changes that may still be made, by all passes together (for bisection) */
	u16 done[PASS_N];
};

static inline void pass_did(struct pass *pass, u32 n)
{
	pass->done[pass->name] = (u16)(pass->done[pass->name] + n);
}

/* May the pass make one more change? Counts it. Asked last, when nothing else speaks against it. */
static inline bool pass_may(struct pass *pass)
{
	if (!pass->left)
		return false;
	pass->left--;
	pass_did(pass, 1);
	return true;
}

#define X(name, help, counts) __must_check enum status pass_##name(struct pass *pass);
#include "passes.def"
#undef X

#endif
