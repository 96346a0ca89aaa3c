/* SPDX-License-Identifier: MIT */
/*
 * limit.h - an end for an agent that has come to none: the kernel counts its CPU time, and calls it away from whatever it is at.
 *
 * The budget (budget.h) is asked before work is begun. Work that never ends, by an error of ours, would take a processor from the machine as long as the program runs.
 */
#ifndef DYNOPT_LIMIT_H
#define DYNOPT_LIMIT_H

#include "port.h"

/* In the agent, once. `over` is called by a signal, at any instruction of the agent's, and does not return. */
void limit_open(void (*over)(void));
/* So much CPU time from now on, until this is called again. */
void limit_set(u64 ns);

#endif
