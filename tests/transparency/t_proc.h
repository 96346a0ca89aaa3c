/* SPDX-License-Identifier: MIT */
/*
 * t_proc.h - what a process sees of itself in /proc, and children made simple.
 *
 * A single-threaded program must go on looking like one: one task, no children that it
 * did not make, its own descriptors only.
 */
#ifndef T_PROC_H
#define T_PROC_H

#include "t.h"
#include <dirent.h>
#include <sys/wait.h>

/* Entries of a folder of /proc, as numbers, in rising order; how many. */
static T_UNUSED int t_numbers(const char *folder, int *numbers, int max)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	int n = 0;

	CHECK(d);
	while ((e = readdir(d))) {
		int number = atoi(e->d_name), at;

		if (e->d_name[0] == '.')
			continue;
		if (!strcmp(folder, "/proc/self/fd") && number == dirfd(d))
			continue;
		CHECK(n < max);
		for (at = n++; at > 0 && numbers[at - 1] > number; at--)
			numbers[at] = numbers[at - 1];
		numbers[at] = number;
	}
	closedir(d);
	return n;
}

static T_UNUSED int t_threads(void)
{
	int numbers[4096];

	return t_numbers("/proc/self/task", numbers, 4096);
}

/* How many descriptors are open; each is printed. */
static T_UNUSED int t_descriptors(void)
{
	int numbers[4096], n = t_numbers("/proc/self/fd", numbers, 4096);

	printf("descriptors:");
	for (int i = 0; i < n; i++)
		printf(" %d", numbers[i]);
	printf("\n");
	return n;
}

/* Waits for one child; its exit code. */
static T_UNUSED int t_wait(pid_t child)
{
	int status;
	pid_t got;

	do
		got = waitpid(child, &status, 0);
	while (got < 0 && errno == EINTR);
	CHECK(got == child && WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* There is no child left that any wait would see. */
static T_UNUSED void t_no_children(void)
{
	siginfo_t info;

	CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
	CHECK(wait(NULL) == -1 && errno == ECHILD);
	CHECK(waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == -1 && errno == ECHILD);
}

#endif
