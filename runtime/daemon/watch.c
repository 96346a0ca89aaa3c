/* SPDX-License-Identifier: MIT */
/*
 * watch.c - see watch.h. Each process is asked about once, by its number and when it began; nothing is looked for while the policy
 * names no program.
 */
#include "watch.h"
#include "policy.h"
#include "serve.h"
#include "status_file.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct seen {
	pid_t pid;
	u64 program; /* the file's number: a process may execute another */
};

static VEC(struct seen) seen, seen_now;

static bool was_seen(const struct seen *one)
{
	size_t low = 0, high = seen.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (seen.at[middle].pid < one->pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < seen.n && seen.at[low].pid == one->pid && seen.at[low].program == one->program;
}

static void look_at(pid_t pid)
{
	char *link = base_printf("/proc/%d/exe", (int)pid), path[STATUS_PATH_MAX];
	const struct attach attach = { ATTACH_SAMPLE, false, false };
	struct seen one = { .pid = pid };
	struct policy policy;
	struct stat st;
	ssize_t n = readlink(link, path, sizeof(path) - 1);

	/* What is attached counts as not seen: it may have executed this program, which is noticed later. */
	if (n > 0 && !serve_has(pid) && stat(link, &st) == 0) {
		path[n] = 0;
		one.program = st.st_ino;
		if (!was_seen(&one)) {
			policy_read(&policy, path);
			if (policy.kernel == 1)
				serve_attach(pid, &attach, 0, -1);
			policy_free(&policy);
		}
		*vec_add(&seen_now) = one;
	}
	free(link);
}

static int by_pid(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

void watch_look(void)
{
	DIR *all = policy_names_kernel() ? opendir("/proc") : NULL;
	struct dirent *entry;

	if (!all) {
		seen.n = 0;
		return;
	}
	seen_now.n = 0;
	while ((entry = readdir(all)))
		if (isdigit((unsigned char)entry->d_name[0]))
			look_at((pid_t)atol(entry->d_name));
	closedir(all);
	if (seen_now.n)
		qsort(seen_now.at, seen_now.n, sizeof(*seen_now.at), by_pid);
	free(seen.at);
	seen.at = seen_now.at;
	seen.n = seen_now.n;
	seen.cap = seen_now.cap;
	seen_now.at = NULL;
	seen_now.n = seen_now.cap = 0;
}
