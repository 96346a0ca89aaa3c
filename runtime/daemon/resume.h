/* SPDX-License-Identifier: MIT */
/*
 * resume.h - processes that a daemon before this one had: its status files name them. What it knew of their files is in kept.h.
 */
#ifndef DYNOPT_DAEMON_RESUME_H
#define DYNOPT_DAEMON_RESUME_H

/* Attaches the processes again. Before anybody asks for one. */
void resume_attach(const char *folder);

#endif
