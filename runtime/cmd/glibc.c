/* SPDX-License-Identifier: MIT */
/*
 * glibc.c - see glibc.h. The loader is asked as ldd asks it (ld.so(8): --version, --list). Libraries are those of /bin/sh: nothing
 * that an unknown program names is opened for it, as the daemon asks, too, and is root.
 */
#include "glibc.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOADER "/lib64/ld-linux-x86-64.so.2" /* where the x86-64 psABI has it */
#define SAID_MAX 4096

/* What it prints, as much of it as there is room for. */
static bool ask(const char *option, const char *program, char *said)
{
	char *argv[] = { (char *)LOADER, (char *)option, (char *)program, NULL };
	posix_spawn_file_actions_t actions;
	size_t n = 0;
	ssize_t got;
	int ends[2], failed;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	failed = posix_spawn(&pid, LOADER, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	while (!failed && n < SAID_MAX - 1 && (got = read(ends[0], said + n, SAID_MAX - 1 - n)) > 0)
		n += (size_t)got;
	close(ends[0]);
	said[n] = 0;
	if (!failed)
		waitpid(pid, NULL, 0);
	return n > 0;
}

char *glibc_version(void)
{
	static const char words[] = " release version "; /* "stable", most often */
	char said[SAID_MAX], *at;
	size_t n;

	if (!ask("--version", NULL, said) || !(at = strstr(said, words)))
		return NULL;
	at += strlen(words);
	n = strspn(at, "0123456789.");
	if (n && at[n - 1] == '.') /* the sentence's */
		n--;
	return n ? base_printf("%.*s", (int)n, at) : NULL;
}

char *glibc_library(const char *name)
{
	static const char arrow[] = " => ";
	char said[SAID_MAX], *save = NULL;

	if (!ask("--list", "/bin/sh", said))
		return NULL;
	for (char *line = strtok_r(said, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *path = strstr(line, arrow);

		line += strspn(line, " \t");
		if (path && (size_t)(path - line) == strlen(name) &&
		    memcmp(line, name, strlen(name)) == 0) {
			path += strlen(arrow);
			return base_printf("%.*s", (int)strcspn(path, " "), path);
		}
	}
	return NULL;
}
