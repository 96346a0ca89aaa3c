/* SPDX-License-Identifier: MIT */
/*
 * resume.h - what a daemon before this one has left: its status files say which processes it had, and what the module has made of their
 * files. A process that is still there has the same files, so nothing of that is asked for again.
 */
#ifndef DYNOPT_DAEMON_RESUME_H
#define DYNOPT_DAEMON_RESUME_H

#include "status_file.h"

#include "port.h"

/* Attaches the processes again. Before anybody asks for one. */
void resume_attach(const char *folder);
/* Was anything of a user's file translated then? */
bool resume_knows(const char *path, u64 uid);
/* Hands over it. */
void resume_translations(const char *path, u64 uid,
                         void (*take)(void *ctx, const struct status_translation *translation),
                         void *ctx);

#endif
