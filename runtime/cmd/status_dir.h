/* SPDX-License-Identifier: MIT */
/*
 * status_dir.h - the folder of status files: which one, is it safe, what is in it.
 */
#ifndef DYNOPT_RUNTIME_STATUS_DIR_H
#define DYNOPT_RUNTIME_STATUS_DIR_H

#include "base.h"

/* `given`, made absolute, or $XDG_RUNTIME_DIR/dynopt if that is this user's, or /tmp/dynopt-UID. To be freed. */
char *status_dir_path(const char *given);
/*
 * True if `path` is a folder of this user that nobody else may look into, no symbolic link; made if `create` and missing. Otherwise
 * *error says why in one line (to be freed); *missing tells that there is simply none.
 */
bool status_dir_check(const char *path, bool create, bool *missing, char **error);

struct status_name {
	char *path;
	u32 pid; /* from the name */
	s64 changed; /* time of the last change, ns since 1970 */
};
struct status_names {
	VEC(struct status_name) v; /* by pid */
};

/* The status files in `path`; other names are skipped. */
void status_dir_list(const char *path, struct status_names *names);
/*
 * Those of a user: in `given`, if it is not NULL; else in the user's own folder, and in dynoptd's (daemon_protocol.h) what this user
 * may read. False after saying why a folder cannot be used; that there is none is no error, unless it was given.
 */
bool status_dir_list_all(const char *given, struct status_names *names);
void status_names_free(struct status_names *names);

#endif
