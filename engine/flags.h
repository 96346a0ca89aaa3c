/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * flags.h - are the arithmetic flags dead?
 *
 * Dead: on every way on, each of CF PF AF ZF SF OF is written before it is read. A call or a return ends a way: by the
 * System V ABI (x86-64 psABI, 3.2.3) flags carry nothing across either. Ways are followed in the tree and, behind
 * an exit, in original text for a few instructions; what cannot be followed counts as read.
 */
#ifndef DYNOPT_ENGINE_FLAGS_H
#define DYNOPT_ENGINE_FLAGS_H

#include "pass.h"

/* Behind instruction `op` (index in block b, counted from 0) of the tree. */
bool flags_dead_behind(struct pass *pass, u32 b, u32 op);
/* The same of some flags only. */
bool flags_some_dead_behind(struct pass *pass, u32 b, u32 op, u16 flags);
/* In front of it. */
bool flags_dead_before(struct pass *pass, u32 b, u32 op);
/* On a way out of the tree. */
bool flags_dead_outside(struct pass *pass, u64 target);

#endif
