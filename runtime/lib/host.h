/* SPDX-License-Identifier: MIT */
/*
 * host.h - what the interposed functions, which run in the program's threads, may ask of the runtime.
 */
#ifndef DYNOPT_HOST_H
#define DYNOPT_HOST_H

#include "status_file.h"

#include <stdbool.h>

/* Is there a runtime in this process (option given, not refused)? Forked children have one, too, without an agent. */
bool host_active(void);

/*
 * Asks the agent to withdraw every translation of this process, and waits until no site leads into the code cache (threads inside leave
 * at their next exit). Safe to call from any thread, not from signal handlers; does nothing where it was done already or no agent lives.
 */
void host_withdraw(enum status_cause cause);

/*
 * For a handler of a fault at run-time address `rip` of original text, which may want to read the instruction there: it finds the
 * original bytes afterwards. Async-signal-safe.
 */
void host_show_original(u64 rip);

#endif
