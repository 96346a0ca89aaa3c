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

/*
 * A fault in a translation, with the registers as they are there and as the original would have them: true if the original would not have faulted. Then all
 * translations are withdrawn, and this program is not translated any more until the user says so. Async-signal-safe.
 */
struct fault;
bool host_fault_is_ours(struct fault *fault);

#endif
