/* SPDX-License-Identifier: MIT */
/*
 * target.h - what will run when the user names a program, and whether a library can be loaded into it.
 *
 * Found as execvp() finds it; a script's interpreter is what runs, and `#!/usr/bin/env NAME` is taken for NAME.
 * Nothing is executed here and nothing printed.
 */
#ifndef DYNOPT_RUNTIME_TARGET_H
#define DYNOPT_RUNTIME_TARGET_H

#include "base.h"

/* X(NAME, "why the program runs without the library"): said of the file that would load it. */
#define TARGET_REFUSALS(X) \
	X(NONE, "") \
	X(UNREADABLE, \
	  "cannot be read, so it is not known whether a library can be loaded into it") \
	X(FORMAT, "is no ELF program") \
	X(DAMAGED, "has damaged program headers") \
	X(BITS, "is a 32-bit program") \
	X(MACHINE, "is built for another machine") \
	X(STATIC, "is statically linked, so no library can be loaded into it") \
	X(MUSL, "is built for musl, not for glibc") \
	X(LOADER, "has another dynamic loader than glibc's") \
	X(PRIVILEGED, "is set-user-ID or set-group-ID, so the loader ignores LD_PRELOAD") \
	X(CAPABILITIES, "has file capabilities, so the loader ignores LD_PRELOAD")

enum target_refusal {
#define X(name, text) TARGET_##name,
	TARGET_REFUSALS(X)
#undef X
};

struct target {
	char *path;   /* to be given to execve */
	char **argv;  /* likewise; NULL-terminated */
	char *loads; /* the ELF file that would load the library: path, or a script's interpreter */
	char *first; /* sanitizer runtime that must stay first in LD_PRELOAD, or NULL */
	enum target_refusal refusal;
};

/* 0, or the errno of the search: ENOENT, EACCES, ... *target is to be freed in either case. */
int target_find(struct target *target, char **argv);
void target_free(struct target *target);
const char *target_refusal_text(enum target_refusal refusal);

#endif
