/* SPDX-License-Identifier: MIT */
/*
 * backend.h - who translates in `dynopt run`: the library in the program, or the kernel module, by dynoptd, for all its processes.
 */
#ifndef DYNOPT_RUNTIME_BACKEND_H
#define DYNOPT_RUNTIME_BACKEND_H

#include "launch.h"

#include <stdbool.h>

/* X(name): as --backend has it. */
#define BACKENDS(X) \
	X(auto) \
	X(embedded) \
	X(kernel)
enum backend {
#define X(name) BACKEND_##name,
	BACKENDS(X) BACKEND_N
#undef X
};
const char *backend_name(enum backend backend);

/* Does dynoptd run, and may this user ask it? False and why not (to be freed). */
bool backend_kernel_works(char **why);
/* Does the program bring a code cache, without which the module does nothing? False and why not. */
bool backend_kernel_fits(const struct target *target, char **why);
/*
 * In the process that becomes the program: has it attached as soon as it does. False and *error (to be freed): it runs as it is.
 */
bool backend_kernel_arm(const struct launch *launch, char **error);
/* After its end: the daemon has written all it knows. */
void backend_kernel_ended(int pid);

#endif
