/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* limits.h - the budgets of limits.def as constants: LIMIT_TREE_BLOCKS and so on. */
#ifndef DYNOPT_ENGINE_LIMITS_H
#define DYNOPT_ENGINE_LIMITS_H

enum limit {
#define X(name, value, unit, text) LIMIT_##name = value,
#include "limits.def"
#undef X
};

#endif
