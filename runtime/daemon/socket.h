/* SPDX-License-Identifier: MIT */
/*
 * socket.h - who asks the daemon for something (daemon_protocol.h).
 */
#ifndef DYNOPT_DAEMON_SOCKET_H
#define DYNOPT_DAEMON_SOCKET_H

#include "base.h"

#include <stdbool.h>
#include <sys/types.h>

/* Listens at the path, which members of the group may use, too. -1 after saying why. */
int socket_listen(const char *path, gid_t group);
/* Serves connections until `signals` (a signalfd) says to end, and every second lets `idle` run. */
void socket_serve(int listener, int signals, void (*idle)(void));

#endif
