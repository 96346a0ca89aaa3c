/* SPDX-License-Identifier: MIT */
/*
 * binaries.h - the table of files that attached processes map, or mapped lately.
 *
 * A file is found again by what stat(2) says of it; another file under the same name is another one.
 */
#ifndef DYNOPT_DAEMON_BINARIES_H
#define DYNOPT_DAEMON_BINARIES_H

#include "binary.h"

/* Held until binaries_put(). NULL: it cannot be opened, or is no regular file. `path` is for people. */
struct binary *binaries_get(const char *opened, const char *path, const struct domain *domain);
void binaries_put(struct binary *binary);
/* How many processes hold it. */
u32 binaries_users(const struct binary *binary);

#endif
