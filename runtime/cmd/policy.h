/* SPDX-License-Identifier: MIT */
/*
 * policy.h - what the administrator, the user and the environment say of a program.
 *
 * What is said later holds: defaults of this program, [default] of /etc/dynopt.conf, [default] of the user's file, [program NAME] of
 * both in this order, the environment. A file that is wrong anywhere counts as a whole as a no: it may have said one.
 */
#ifndef DYNOPT_RUNTIME_POLICY_H
#define DYNOPT_RUNTIME_POLICY_H

#include "base.h"

#define POLICY_SYSTEM "/etc/dynopt.conf" /* DYNOPT_SYSTEM_CONFIG names another, for tests */

/* Numbers and names that nothing was said of are -1 and NULL. */
struct policy {
#define POLICY_FIELD_YES_NO(key) long key;
#define POLICY_FIELD_NUMBER(key) long key;
#define POLICY_FIELD_NAMES(key) char *key;
#define X(key, kind, text) POLICY_FIELD_##kind(key)
#include "../policy.def"
#undef X
	char *no; /* who said enabled = no last, in words; NULL: nobody */
	char *wrong; /* "FILE:LINE: what is wrong there"; NULL: nothing. enabled is 0 then. */
	long wrong_line;
};

/* `program`: path of the file that runs. */
void policy_read(struct policy *policy, const char *program);
void policy_free(struct policy *policy);
/* Does the system's file say `kernel = yes` anywhere? */
bool policy_names_kernel(void);
/* The user's file, to be freed: DYNOPT_CONFIG, or XDG_CONFIG_HOME or ~/.config with dynopt/config; NULL: nobody knows one. */
char *policy_user_file(void);

/* policy_edit.c: writes enabled = yes or no for programs of that name into the user's file. False after saying why. */
bool policy_set(const char *name, bool enabled);

/* policy_leave.c: ranges of the functions in `names`, as the library's option leave has them. False with *error (to be freed). */
bool policy_leave(const char *names, const char *program, char **ranges, char **error);

#endif
