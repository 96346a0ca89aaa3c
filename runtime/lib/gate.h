/* SPDX-License-Identifier: MIT */
/*
 * gate.h - replaces bytes of pages that threads may be executing, all at one moment.
 *
 * A copy of the pages is made beside them, changed there, made executable, and moved over the live ones in one
 * system call: a thread that comes by meanwhile waits in the kernel's fault handler. Never a page that is
 * both writable and executable, no signal, no trap byte; file names in /proc/PID/maps stay.
 *
 * One gate is one run of pages; all its bytes change at once, those of two runs do not.
 */
#ifndef DYNOPT_GATE_H
#define DYNOPT_GATE_H

#include "port.h"

struct gate {
	u64 live, size; /* run-time address and bytes of the run: whole pages */
	u64 copy;       /* run-time address of the copy being changed */
	u64 offset;     /* in the file */
	int fd;         /* the caller's */
};

/*
 * Opens a gate on [live, live + size). `fd`, `offset`: the file mapped there, so that unchanged pages stay shared with
 * the page cache, and the descriptor stays open as long as the gate; fd -1: anonymous memory. Returns 0 or -errno (then nothing has
 * happened).
 */
__must_check long gate_open(struct gate *gate, u64 live, u64 size, int fd, u64 offset);

/* Where the byte at run-time address `addr` of the run can be read and written now. */
static inline u8 *gate_at(const struct gate *gate, u64 addr)
{
	return (u8 *)(uintptr_t)(gate->copy + (addr - gate->live));
}

/* Publishes the copy. 0 or -errno; on failure the live pages are as they were. The gate is closed either way. */
__must_check long gate_publish(struct gate *gate);
void gate_abort(struct gate *gate);

#endif
