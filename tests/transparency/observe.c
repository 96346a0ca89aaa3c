/* SPDX-License-Identifier: MIT */
/*
 * observe.c - runs a command and writes down what its parent can see of it.
 *
 *     observe SECONDS FACTS COMMAND...
 *
 * FACTS gets one line each: how the command ended (exit N, signal N), whether the
 * process that was started is the one that ended, and how many processes it left
 * behind. What it leaves is adopted here (PR_SET_CHILD_SUBREAPER) and has ten seconds
 * to end by itself; what is still alive then is counted and killed, one by one.
 * A command that takes longer than SECONDS is killed and noted as "hung".
 * Exit code: 0 unless nothing could be run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Waits for PID (-1: any) until the clock reads DEADLINE; 0: it does not end. */
static pid_t wait_until(pid_t pid, time_t deadline, int *status)
{
	struct timespec now, pause = { 0, 2000000 };

	for (;;) {
		pid_t got = waitpid(pid, status, WNOHANG | __WALL);

		if (got)
			return got;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec >= deadline)
			return 0;
		nanosleep(&pause, NULL);
	}
}

static time_t seconds_from_now(long seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + seconds;
}

/* Kills what is still there, children of killed ones included; how many. */
static unsigned kill_children(FILE *facts)
{
	unsigned killed = 0;

	for (;;) {
		char path[64], name[64] = "?";
		FILE *list = fopen("/proc/thread-self/children", "r");
		int pid, status, found = list && fscanf(list, "%d", &pid) == 1;

		if (list)
			fclose(list);
		if (!found)
			return killed;
		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		list = fopen(path, "r");
		if (list) {
			if (fscanf(list, "%63s", name) != 1)
				strcpy(name, "?");
			fclose(list);
		}
		fprintf(facts, "left behind: %s\n", name);
		kill(pid, SIGKILL);
		waitpid(pid, &status, __WALL);
		killed++;
	}
}

static void run(char **command)
{
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	/* A background job of a shell starts with signals ignored; here all start the same. */
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null >= 0 && null != 0) {
		dup2(null, 0);
		close(null);
	}
	close_range(3, ~0u, 0); /* whatever the test's own runner has open */
	execvp(command[0], command);
	perror(command[0]);
	_exit(127);
}

int main(int argc, char **argv)
{
	int status = 0;
	pid_t child, got;
	FILE *facts;

	if (argc < 4 || !(facts = fopen(argv[2], "we")))
		return 2;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	child = fork();
	if (child < 0) {
		fclose(facts);
		return 2;
	}
	if (!child)
		run(argv + 3);
	got = wait_until(child, seconds_from_now(atol(argv[1])), &status);
	if (!got) {
		fprintf(facts, "hung\n");
		kill(child, SIGKILL);
		waitpid(child, &status, __WALL);
	} else if (WIFSIGNALED(status)) {
		fprintf(facts, "signal %d\n", WTERMSIG(status));
	} else {
		fprintf(facts, "exit %d\n", WEXITSTATUS(status));
	}
	do
		got = wait_until(-1, seconds_from_now(10), &status);
	while (got > 0);
	if (got == 0)
		fprintf(facts, "left %u\n", kill_children(facts));
	else
		fprintf(facts, "left 0\n");
	return fclose(facts) ? 2 : 0;
}
