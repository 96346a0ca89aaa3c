/* SPDX-License-Identifier: MIT */
/*
 * signals.h - handlers of the program see original addresses, always.
 *
 * The sigaction family is interposed: the kernel gets a wrapper, the program gets what it set when it asks.
 * The wrapper turns the interrupted instruction pointer (and si_addr of SIGILL, SIGFPE, SIGTRAP, where it is one)
 * back into the original one before the program's handler runs, so the handler, its unwinder and what follows it
 * know nothing of the code cache: execution resumes in original text.
 */
#ifndef DYNOPT_SIGNALS_H
#define DYNOPT_SIGNALS_H

/* Called once before translations exist: handlers that are installed already get wrapped. */
void signals_start(void);

#endif
