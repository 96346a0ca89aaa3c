/* SPDX-License-Identifier: MIT */
/*
 * signals_private.h - between the thunks (signals.c) and the interposed functions (signals_api.c).
 */
#ifndef DYNOPT_SIGNALS_PRIVATE_H
#define DYNOPT_SIGNALS_PRIVATE_H

#include <signal.h>
#include <stdint.h>

#define SIGNALS_THUNKS \
	1024 /* different handlers that a process may have; then signals_wrap() falls back */
#define SIGNALS_TURNS 8 /* thunks that a signal uses in turn from then on; a power of two */
#define SIGNALS_THUNK_SIZE 16

/* What the kernel gets for a handler of the program; SIG_DFL, SIG_IGN, SIG_HOLD, SIG_ERR and thunks as they are. */
uintptr_t signals_wrap(int sig, uintptr_t handler);
/* The handler behind a thunk; everything else as it is. */
uintptr_t signals_unwrap(uintptr_t handler);
/* The next sigaction() behind dynopt's own. */
int signals_real_sigaction(int sig, const struct sigaction *act, struct sigaction *old);

#endif
