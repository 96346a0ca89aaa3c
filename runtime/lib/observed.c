/* SPDX-License-Identifier: MIT */
/*
 * observed.c - a program that has itself traced: its breakpoints, written into original text, must fire, so
 * everything is withdrawn first (rule 8). Who attaches from outside is seen by the agent, at its next tick.
 *
 * Interposed: ptrace. A program that calls the kernel itself is not seen.
 */
#include "host.h"
#include "sys.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/ptrace.h>
#include <sys/types.h>

#define EXPORT __attribute__((visibility("default")))

/* Like libc's: requests that read a word return it, with errno 0 (ptrace(2), C library/kernel differences). */
EXPORT long ptrace(enum __ptrace_request request, ...)
{
	bool peek = request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA ||
	            request == PTRACE_PEEKUSER;
	long pid, addr, data, word = 0, result;
	va_list list;

	va_start(list, request);
	pid = va_arg(list, pid_t);
	addr = (long)va_arg(list, void *);
	data = peek ? (long)&word : (long)va_arg(list, void *);
	va_end(list);
	if (request == PTRACE_TRACEME)
		host_withdraw(STATUS_CAUSE_TRACED);
	result = sys6(SYS_ptrace, request, pid, addr, data, 0, 0);
	if (sys_failed(result)) {
		errno = (int)-result;
		return -1;
	}
	if (peek)
		errno = 0;
	return peek ? word : result;
}
