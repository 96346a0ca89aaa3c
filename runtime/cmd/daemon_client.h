/* SPDX-License-Identifier: MIT */
/*
 * daemon_client.h - dynoptd, as the commands ask it (daemon_protocol.h).
 */
#ifndef DYNOPT_DAEMON_CLIENT_H
#define DYNOPT_DAEMON_CLIENT_H

#include "base.h"

#include <stdbool.h>

enum daemon_answer { DAEMON_OK, DAEMON_REFUSED, DAEMON_ABSENT };

/* Where it has its socket and its folder of status files; to be freed. */
char *daemon_path(const char *name);
/*
 * Sends the line (without its end), and reads the answer. With REFUSED and ABSENT *error says why (to be freed). If `connection` is
 * not NULL, it gets the open connection of an OK, which execve() closes.
 */
enum daemon_answer daemon_ask(const char *line, int *connection, char **error);

#endif
