/* SPDX-License-Identifier: MIT */
/*
 * serve.h - the attached processes, and the threads that work for them.
 *
 * Each process has one worker at a time; workers take the one that is due next. What is asked for a process is done by a worker, too,
 * and answered on the connection that asked.
 */
#ifndef DYNOPT_DAEMON_SERVE_H
#define DYNOPT_DAEMON_SERVE_H

#include "process.h"

#include <stdbool.h>

/* With so many threads. */
void serve_start(int device, u64 features, u32 n_threads);
/* Processes go on with what they have; nothing is sampled any more. */
void serve_stop(void);

/* Each takes the connection, answers and closes it; -1: nobody is told. `asker`: user number. */
void serve_attach(pid_t pid, const struct attach *attach, uid_t asker, int connection);
void serve_detach(pid_t pid, uid_t asker, int connection);
void serve_report(pid_t pid, uid_t asker, int connection);
bool serve_has(pid_t pid);

/* socket.c: "ok", or "error REASON"; closes the connection. */
void answer(int connection, const char *error);

#endif
