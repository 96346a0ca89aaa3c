/* SPDX-License-Identifier: MIT */
/*
 * kept.h - what was translated of a file, on disk: the traces, and what the module made of them. The next daemon goes on with it, also when
 * no process that maps the file has been there in between.
 *
 * One file for each file and domain, in a folder of root's; what it says is believed as little as any trace is. It is about a file as long
 * as that has the same number, size and time.
 */
#ifndef DYNOPT_DAEMON_KEPT_H
#define DYNOPT_DAEMON_KEPT_H

#include "binary.h"

/* Before all others. The oldest files are removed, if there are too many. */
void kept_folder(const char *path);
/* Writes what there is now in place of what there was. With the binary's lock. */
void kept_write(const struct binary *binary);
bool kept_has(const struct binary *binary);
/* Each trace, with its translation; nothing, if the file does not hold what it should. */
void kept_read(const struct binary *binary,
               void (*take)(void *ctx, const struct trace *trace,
                            const struct status_translation *translation),
               void *ctx);

#endif
