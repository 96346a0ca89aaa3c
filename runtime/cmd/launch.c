/* SPDX-License-Identifier: MIT */
/*
 * launch.c - LD_PRELOAD with the library in front of what the user had there, and DYNOPT_OPTIONS, which
 * tells the library what was asked for and what LD_PRELOAD was, so that it can put the environment back.
 *
 * A sanitizer's run-time library goes before ours: it wants to be first, and then its interceptors call ours.
 */
#include "launch.h"
#include "policy.h"
#include "remember.h"
#include "runtime_commands.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "libdynopt.so"
#define OPTION_PATH_MAX 1023 /* as options.def says */
#define SEPARATORS " :"      /* of LD_PRELOAD; there is no way to quote them */

/* Beside bin/, in the folders that builds and packages use. */
static const char *const folders[] = { "../lib/dynopt/", "../" DYNOPT_LIBDIR "/dynopt/" };

bool launch_beside(const char *file, char **path)
{
	char self[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	*path = NULL;
	if (n <= 0)
		return false;
	self[n] = 0;
	slash = strrchr(self, '/');
	for (size_t i = 0; slash && i < sizeof(folders) / sizeof(folders[0]); i++) {
		char *try = base_printf("%.*s/%s%s", (int)(slash - self), self, folders[i], file);

		*path = realpath(try, NULL);
		free(try);
		if (*path && access(*path, R_OK) == 0)
			return true;
		free(*path);
		*path = NULL;
	}
	return false;
}

static bool find_library(char **path)
{
	const char *given = getenv("DYNOPT_LIBRARY");

	if (!given || !*given)
		return launch_beside(LIBRARY, path);
	*path = realpath(given, NULL);
	return *path && access(*path, R_OK) == 0;
}

bool launch_library(char **path, char **error)
{
	if (!find_library(path)) {
		free(*path);
		*path = NULL;
		*error = base_printf(
			"is not beside this command (in ../lib/dynopt) or cannot be read%s",
			access("/proc/self/exe", F_OK) == 0
				? ""
				: ": /proc is not mounted, so nobody knows where that is");
		return false;
	}
	if (strpbrk(*path, SEPARATORS)) {
		*error = base_printf(
			"its path has a space or a colon, which LD_PRELOAD cannot hold");
		return false;
	}
	return true;
}

static bool is_ours(const char *entry, size_t n)
{
	size_t own = strlen(LIBRARY);

	return n >= own && memcmp(entry + n - own, LIBRARY, own) == 0 &&
	       (n == own || entry[n - own - 1] == '/');
}

/* What LD_PRELOAD holds, without our own library (dynopt run inside dynopt run --children). */
static char *users_preload(void)
{
	const char *at = getenv("LD_PRELOAD");
	char *kept = base_printf("%s", at && !strstr(at, LIBRARY) ? at : "");

	if (!at || !strstr(at, LIBRARY))
		return kept;
	while (*(at += strspn(at, SEPARATORS))) {
		size_t n = strcspn(at, SEPARATORS);

		if (!is_ours(at, n)) {
			char *longer = base_printf("%s%s%.*s", kept, *kept ? ":" : "", (int)n, at);

			free(kept);
			kept = longer;
		}
		at += n;
	}
	return kept;
}

/* Appends "key=value\n"; false if the value cannot stand there. */
static bool add_path(char **text, const char *key, const char *value, char **error)
{
	char *longer;

	if (!value || !*value)
		return true;
	if (strchr(value, '\n') || strlen(value) > OPTION_PATH_MAX) {
		*error = base_printf(
			"%s: a path of more than %d bytes or with a line break cannot be "
			"passed on",
			key, OPTION_PATH_MAX);
		return false;
	}
	longer = base_printf("%s%s=%s\n", *text, key, value);
	free(*text);
	*text = longer;
	return true;
}

static void add_number(char **text, const char *key, unsigned long value)
{
	char *longer;

	if (!value)
		return;
	longer = base_printf("%s%s=%lu\n", *text, key, value);
	free(*text);
	*text = longer;
}

/* A flag whose default is 1. */
static void add_off(char **text, const char *key, bool off)
{
	char *longer;

	if (!off)
		return;
	longer = base_printf("%s%s=0\n", *text, key);
	free(*text);
	*text = longer;
}

char *launch_options(const struct launch *launch, char **error)
{
	char *options = base_printf("%s", "");

	add_number(&options, "eager", launch->eager);
	add_number(&options, "sample", launch->sample);
	add_number(&options, "budget", launch->budget);
	add_number(&options, "all", launch->all);
	add_number(&options, "children", launch->children);
	add_number(&options, "cycles", launch->cycles);
	add_number(&options, "cache_limit", launch->cache_limit);
	add_number(&options, "policy_line", launch->policy_line);
	if (launch->has_branches) {
		add_number(&options, "branches", 1);
		add_number(&options, "branch_type", launch->branches.type);
		add_number(&options, "branch_config", launch->branches.config);
		add_number(&options, "branch_config1", launch->branches.config1);
	}
	add_off(&options, "inline_calls", launch->no_inline);
	add_off(&options, "agent", launch->no_agent);
	if (add_path(&options, "modules", launch->modules, error) &&
	    add_path(&options, "programs", launch->programs, error) &&
	    add_path(&options, "sampler", launch->sampler, error) &&
	    add_path(&options, "samples", launch->samples, error) &&
	    add_path(&options, "keep_samples", launch->keep_samples, error) &&
	    add_path(&options, "remember", launch->remember, error) &&
	    add_path(&options, "traces", launch->traces, error) &&
	    add_path(&options, "perf", launch->perf, error) &&
	    add_path(&options, "leave", launch->leave, error) &&
	    add_path(&options, "status_dir", launch->status_dir, error))
		return options;
	free(options);
	return NULL;
}

/* What the library takes for a list has colons. */
static char *with_colons(const char *names)
{
	char *list = base_printf("%s", names), *at = list;

	for (const char *from = names + strspn(names, " \t"); *from;) {
		size_t n = strcspn(from, " \t");

		if (at > list)
			*at++ = ':';
		memcpy(at, from, n);
		at += n;
		from += n + strspn(from + n, " \t");
	}
	*at = 0;
	return list;
}

static void choose_remember(struct launch *launch, const struct policy *policy)
{
	if (launch->no_remember || policy->remember == 0)
		return;
	launch->remember = remember_folder();
	if (launch->remember &&
	    (strchr(launch->remember, '\n') || strlen(launch->remember) > OPTION_PATH_MAX)) {
		free(launch->remember);
		launch->remember = NULL;
	}
	if (launch->remember)
		remember_prepare(launch->remember);
}

bool launch_policy(struct launch *launch, const char *program, char **error)
{
	bool mode = launch->eager || launch->traces;
	struct policy policy;
	bool good;
	int unused;

	policy_read(&policy, program);
	good = policy.enabled != 0;
	launch->policy_line = (unsigned long)policy.wrong_line;
	if (!good)
		*error = policy.wrong ? base_printf("%s", policy.wrong)
		                      : base_printf("%s says enabled = no", policy.no);
	if (good && policy.leave)
		good = policy_leave(policy.leave, program, &launch->leave, error);
	if (policy.eager == 1 && !mode) {
		launch->eager = true;
		launch->sample = false;
	}
	launch->children |= policy.children == 1;
	if (!launch->budget && policy.budget > 0)
		launch->budget = (unsigned long)policy.budget;
	if (!launch->cache_limit && policy.cache_limit > 0)
		launch->cache_limit = (unsigned long)policy.cache_limit;
	if (!launch->modules && policy.modules)
		launch->modules = with_colons(policy.modules);
	if (good)
		choose_remember(launch, &policy);
	if (launch->sample && (!launch->sampler || strcmp(launch->sampler, "lbr") == 0))
		launch->has_branches = hardware_branches(&launch->branches, &unused) ==
		                       HARDWARE_WORKS;
	policy_free(&policy);
	return good;
}

bool launch_environment(const struct launch *launch, const struct target *target,
                        const char *library, char **error)
{
	char *options = launch_options(launch, error), *users = users_preload(), *preload;
	bool done = options && add_path(&options, "preload", users, error);

	preload = base_printf("%s%s%s%s%s", target->first ? target->first : "",
	                      target->first ? ":" : "", library, *users ? ":" : "", users);
	if (done &&
	    (setenv("LD_PRELOAD", preload, 1) != 0 || setenv("DYNOPT_OPTIONS", options, 1) != 0)) {
		*error = base_printf("%s", strerror(errno));
		done = false;
	}
	free(options);
	free(users);
	free(preload);
	return done;
}

int launch_exec(const struct target *target)
{
	int error;

	execv(target->path, target->argv);
	error = errno;
	base_complain(target->path, "%s", strerror(error));
	return error == ENOENT || error == ENOTDIR ? RUN_EXIT_NOT_FOUND : RUN_EXIT_NOT_EXECUTABLE;
}
