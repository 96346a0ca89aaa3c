/* SPDX-License-Identifier: MIT */
/*
 * timed.c - a program that uses the signal by which it may be sampled: it finds it unset, and once it has a handler of its own that is
 * called when the program raises the signal and at no other time; then the signal kills as ever.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SIGNAL 63

static volatile sig_atomic_t calls;

static void handler(int sig)
{
	calls += sig == SIGNAL;
}

/* CPU time, of which sampling would take some samples. */
static void work(void)
{
	clock_t end = clock() + CLOCKS_PER_SEC / 5;

	while (clock() < end)
		;
}

static int failed(const char *what)
{
	printf("%s\n", what);
	return 1;
}

int main(void)
{
	struct sigaction action, old;
	int status = 0;
	pid_t child;

	work();
	if (sigaction(SIGNAL, NULL, &old) || old.sa_handler != SIG_DFL || old.sa_flags)
		return failed("the signal has a handler");
	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	if (sigaction(SIGNAL, &action, &old) || old.sa_handler != SIG_DFL || old.sa_flags)
		return failed("the signal had a handler");
	work();
	if (calls)
		return failed("the handler was called");
	raise(SIGNAL);
	if (calls != 1)
		return failed("the handler was not called once");
	if (signal(SIGNAL, SIG_DFL) != handler)
		return failed("the handler was another one");
	child = fork();
	if (child == 0) {
		raise(SIGNAL);
		_exit(0);
	}
	work();
	if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status) ||
	    WTERMSIG(status) != SIGNAL)
		return failed("the signal does not kill");
	printf("ok\n");
	return 0;
}
