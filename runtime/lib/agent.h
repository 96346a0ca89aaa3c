/* SPDX-License-Identifier: MIT */
/*
 * agent.h - the process that does the work: same memory as the program, everything else its own.
 */
#ifndef DYNOPT_AGENT_H
#define DYNOPT_AGENT_H

#include "world.h"

/* What it does, on its own stack; agent_start.c starts it there. */
void agent_main(void) __attribute__((noreturn));

/* Starts it, from a thread of the program. False with world->cause set if that is impossible. */
bool agent_start(void);

/*
 * Puts a request into the mailbox and waits until the agent has done it; from any thread of the program. False
 * if there is no agent (any more). Before asking, `prepare` (may be NULL) is called with the mailbox held.
 * REQUEST_SITE is asked from signal handlers: it gives up where the mailbox stays held, maybe by the same thread.
 */
bool agent_ask(enum request request, u64 argument, void (*prepare)(void));

/* In a forked child, before anything else runs there: from now on it serves its own requests. */
void agent_forked(void);

/*
 * Keeps the agent's hands off everything until the same thread asks for REQUEST_MODULES: the loader is about to unmap
 * something. Requests of other threads wait so long.
 */
void agent_pause(void);

#endif
