/* SPDX-License-Identifier: MIT */
/*
 * launch.h - the environment that makes a program load the library, and its way to an end.
 */
#ifndef DYNOPT_RUNTIME_LAUNCH_H
#define DYNOPT_RUNTIME_LAUNCH_H

#include "hardware.h"
#include "target.h"

struct launch {
	bool eager, all, sample, children, no_inline, no_agent;
	char *modules, *programs; /* lists of file names, or NULL: all */
	const char *sampler; /* of STATUS_SAMPLERS, or NULL */
	bool has_branches; /* the processor keeps branches, by this event */
	struct hardware_event branches;
	char *samples, *keep_samples; /* absolute, or NULL */
	bool no_remember;
	char *remember; /* folder, absolute (launch_policy()), or NULL */
	char *traces;     /* absolute, or NULL */
	char *perf;       /* absolute, or NULL */
	char *leave;      /* ranges (policy_leave.c), or NULL */
	char *status_dir; /* absolute, or NULL: no status file */
	unsigned long cycles, cache_limit, budget; /* 0: the library's default */
	unsigned long policy_line; /* 0: nothing is wrong with the policy */
};

/* Path of a file that is installed for the command, to be freed; false: there is none. */
bool launch_beside(const char *file, char **path);
/*
 * Path of libdynopt.so: DYNOPT_LIBRARY, or found beside the command. False with *error (to be freed) if there is none or if
 * LD_PRELOAD cannot hold its name.
 */
bool launch_library(char **path, char **error);
/* What the library is told (options.def), without LD_PRELOAD; to be freed. NULL with *error if a value cannot be passed on. */
char *launch_options(const struct launch *launch, char **error);
/* Fills in what the policy says of the program and the command line does not, and what the processor has for sampling. False with *error (to be freed): it is not to be translated. */
bool launch_policy(struct launch *launch, const char *program, char **error);
/* Sets LD_PRELOAD and DYNOPT_OPTIONS. False with *error if a value cannot be passed on. */
bool launch_environment(const struct launch *launch, const struct target *target,
                        const char *library, char **error);
/* Becomes the program; returns an exit code if that fails, after saying why. */
int launch_exec(const struct target *target);

/*
 * supervise.c: runs the program as a child, which calls `before` (or NULL) first, passes signals on, waits for its end. Its number is in
 * *pid. Returns waitpid()'s status, or -1 if there was no child, after saying why.
 */
int supervise(const struct target *target, void (*before)(void *ctx), void *ctx, int *pid);
/* Ends like a process with that wait status: the same exit code or the same signal. */
int supervise_end(int status);

#endif
