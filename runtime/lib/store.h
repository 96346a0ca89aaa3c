/* SPDX-License-Identifier: MIT */
/*
 * store.h - from an address in a code cache, a slot or a far slot back to the original text.
 *
 * Written by the agent before anything becomes reachable, read by signal wrappers in any thread at
 * any moment: readers take no lock and call nothing. What was published stays readable until the process ends.
 */
#ifndef DYNOPT_STORE_H
#define DYNOPT_STORE_H

#include "port.h"

/*
 * If run-time address `rip` lies in code that dynopt made (translation, slot, far slot), sets *origin to the run-time address
 * of the original instruction with the same machine state and returns true. Async-signal-safe.
 */
bool store_origin(u64 rip, u64 *origin);

#endif
