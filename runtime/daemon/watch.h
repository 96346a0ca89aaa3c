/* SPDX-License-Identifier: MIT */
/*
 * watch.h - programs that are attached because the system's policy names them (`kernel = yes`).
 */
#ifndef DYNOPT_DAEMON_WATCH_H
#define DYNOPT_DAEMON_WATCH_H

/* Looks for processes that came since the last time. */
void watch_look(void);
#endif
