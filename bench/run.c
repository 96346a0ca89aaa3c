/* SPDX-License-Identifier: MIT */
/*
 * run.c - runs one command and writes what it cost to file descriptor 3.
 *
 *     bench-run TIMEOUT_S IN OUT ERR COMMAND [ARGUMENT...] 3>RESULT
 *
 * It is small on purpose: a child's peak memory starts at its parent's, so a
 * Python process cannot measure small programs. Invariant: the figures cover the
 * command and every process it leaves behind. This process is the subreaper of all
 * of them and ends when the last has ended; what the first did not wait for itself
 * (the agent of an optimizer, say) is counted apart, as "helper".
 *
 * The result is one line: wait status, user, system, helper CPU and wall in
 * microseconds, peak memory in KiB, helpers, 1 if it was ended. Wall time is the command's own.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ARG_TIMEOUT = 1, ARG_IN, ARG_OUT, ARG_ERR, ARG_COMMAND };
enum { RESULT_FD = 3, EXIT_NO_EXEC = 127, AFTER_MAIN_S = 10 };

static pid_t main_pid;
static volatile sig_atomic_t timed_out;

struct cost {
	int64_t user_us, system_us, helper_us, wall_us;
	long peak_kib;
	int status, n_helpers;
};

static int64_t timeval_us(const struct timeval *t)
{
	return (int64_t)t->tv_sec * 1000000 + t->tv_usec;
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* The command leads a process group of its own, so that all of it can be ended: when time
 * has run out, and when the user interrupts the harness. */
static void end_command(int signal_number)
{
	(void)signal_number;
	timed_out = 1;
	if (main_pid > 0)
		kill(-main_pid, SIGKILL);
}

static void open_as(const char *path, int flags, int fd)
{
	int opened = open(path, flags, 0644);

	if (opened < 0 || dup2(opened, fd) < 0) {
		dprintf(STDERR_FILENO, "bench-run: %s: %s\n", path, strerror(errno));
		_exit(EXIT_NO_EXEC);
	}
	close(opened);
}

static void become_command(char **argv)
{
	setpgid(0, 0);
	open_as(argv[ARG_IN], O_RDONLY, STDIN_FILENO);
	open_as(argv[ARG_OUT], O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
	open_as(argv[ARG_ERR], O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
	close(RESULT_FD);
	execvp(argv[ARG_COMMAND], argv + ARG_COMMAND);
	dprintf(STDERR_FILENO, "bench-run: %s: %s\n", argv[ARG_COMMAND], strerror(errno));
	_exit(EXIT_NO_EXEC);
}

static void count_main(struct cost *cost, int status, const struct rusage *usage, int64_t start_us)
{
	cost->status = status;
	cost->wall_us = now_us() - start_us;
	cost->user_us = timeval_us(&usage->ru_utime);
	cost->system_us = timeval_us(&usage->ru_stime);
	alarm(AFTER_MAIN_S);
}

static void count_helper(struct cost *cost, const struct rusage *usage)
{
	cost->helper_us += timeval_us(&usage->ru_utime) + timeval_us(&usage->ru_stime);
	cost->n_helpers++;
}

/* __WALL: an agent made by clone() without an exit signal is a child as well. */
static void reap_all(struct cost *cost, int64_t start_us)
{
	struct rusage usage;
	int status;

	for (;;) {
		pid_t pid = wait4(-1, &status, __WALL, &usage);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			return;
		if (usage.ru_maxrss > cost->peak_kib)
			cost->peak_kib = usage.ru_maxrss;
		if (pid == main_pid)
			count_main(cost, status, &usage, start_us);
		else
			count_helper(cost, &usage);
	}
}

int main(int argc, char **argv)
{
	struct cost cost = { 0 };
	int64_t start_us;

	if (argc <= ARG_COMMAND) {
		fprintf(stderr, "usage: bench-run TIMEOUT_S IN OUT ERR COMMAND... 3>RESULT\n");
		return 2;
	}
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
		perror("bench-run: subreaper");
		return 1;
	}
	signal(SIGALRM, end_command);
	signal(SIGINT, end_command);
	signal(SIGTERM, end_command);
	start_us = now_us();
	main_pid = fork();
	if (main_pid == 0)
		become_command(argv);
	if (main_pid < 0) {
		perror("bench-run: fork");
		return 1;
	}
	if (timed_out)
		end_command(0);
	alarm((unsigned int)strtoul(argv[ARG_TIMEOUT], NULL, 10));
	reap_all(&cost, start_us);
	dprintf(RESULT_FD, "%d %jd %jd %jd %jd %ld %d %d\n", cost.status, (intmax_t)cost.user_us,
	        (intmax_t)cost.system_us, (intmax_t)cost.helper_us, (intmax_t)cost.wall_us,
	        cost.peak_kib, cost.n_helpers, (int)timed_out);
	return 0;
}
