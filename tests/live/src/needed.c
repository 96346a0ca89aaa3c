/* SPDX-License-Identifier: MIT */
/*
 * needed.c - a program that brings libdynopt.so by itself: nothing of how the library has asked the policy is left to be seen.
 * It starts itself once, then looks. Prints "ok"; prefork workers and a program started by exec do the same work.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#define FDS 64

static int work(const char *text)
{
	int sum = 0;

	for (int i = 0; i < 20000; i++)
		sum += (int)strlen(text) + i % 7;
	return sum;
}

static void die(const char *what)
{
	printf("FAILED: %s\n", what);
	exit(1);
}

static int ended_well(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
	int expected = work("a few words"), open_fds = 0;
	sigset_t blocked;

	if (argc == 1) { /* without what its parent may have left open */
		close_range(3, ~0u, 0);
		execl("/proc/self/exe", argv[0], "check", (char *)NULL);
		die("exec");
	}
	if (strcmp(argv[1], "again") == 0)
		return work("a few words") == expected ? 0 : 1;
	if (waitpid(-1, NULL, __WALL | WNOHANG) != -1 || errno != ECHILD)
		die("there is a child");
	for (int fd = 3; fd < FDS; fd++)
		open_fds += fcntl(fd, F_GETFD) >= 0;
	if (open_fds)
		die("there are more descriptors");
	sigprocmask(SIG_SETMASK, NULL, &blocked);
	for (int sig = 1; sig < 32; sig++)
		if (sigismember(&blocked, sig))
			die("signals are blocked");
	if (getenv("DYNOPT_OPTIONS") || (!getenv("LD_PRELOAD") && !getauxval(AT_SECURE)))
		die("the environment is another");
	for (int i = 0; i < 4; i++) {
		pid_t pid = fork();

		if (pid == 0 && i < 3)
			_exit(work("a few words") == expected ? 0 : 1);
		if (pid == 0) {
			execl("/proc/self/exe", argv[0], "again", (char *)NULL);
			_exit(2);
		}
		if (!ended_well(pid))
			die("a child");
	}
	puts("ok");
	return 0;
}
