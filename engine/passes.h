/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * passes.h - the passes' names, for those who count what passes did and know nothing of passes.
 */
#ifndef DYNOPT_ENGINE_PASSES_H
#define DYNOPT_ENGINE_PASSES_H

enum pass_name {
#define X(name, help, counts) PASS_##name,
#include "passes.def"
#undef X
	PASS_N
};

#endif
