/* SPDX-License-Identifier: MIT */
/*
 * guard.h - work of the agent's that may fault: it reads the program's memory, which others may unmap, and executes instructions that this processor may not have.
 */
#ifndef DYNOPT_GUARD_H
#define DYNOPT_GUARD_H

#include "port.h"

/* In the agent, once: its signal handlers are its own (agent_start.c). False: guard_run() would not help. */
bool guard_open(void);
/* False: it has faulted, and was left where it was. Not one within another. */
bool guard_run(void (*work)(void *ctx), void *ctx);

#endif
