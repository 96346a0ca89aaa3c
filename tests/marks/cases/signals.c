// SPDX-License-Identifier: MIT
// Signal handlers, by the ways in which programs install them.
// FLAGS: -Wall -Werror
// EXPECT: by_signal plain private SIGNAL
// EXPECT: by_sigaction plain private SIGNAL
// EXPECT: by_siginfo plain private SIGNAL
// EXPECT: by_initializer plain private SIGNAL
// EXPECT: by_static plain private SIGNAL
// EXPECT: by_wrapper plain private SIGNAL
// EXPECT: by_choice_1 plain private SIGNAL
// EXPECT: by_choice_2 plain private SIGNAL
// EXPECT: no_handler plain private
// EXPECT: install_all plain
// EXPECT: wrapper plain
#include <signal.h>
#include <string.h>

int seen;
void (*table)(int);

static void by_signal(int s)
{
	seen = 1;
}

static void by_sigaction(int s)
{
	seen = 2;
}

static void by_siginfo(int s, siginfo_t *i, void *c)
{
	seen = 3;
}

static void by_initializer(int s)
{
	seen = 4;
}

static void by_static(int s)
{
	seen = 5;
}

static void by_wrapper(int s)
{
	seen = 6;
}

static void by_choice_1(int s)
{
	seen = 7;
}

static void by_choice_2(int s)
{
	seen = 8;
}

static void no_handler(int s)
{
	seen = 9;
}

__attribute__((noinline)) static int wrapper(int s, void (*handler)(int))
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	return sigaction(s, &action, 0);
}

static struct sigaction fixed = { .sa_handler = by_static };

int install_all(int choice)
{
	struct sigaction action, other = { .sa_handler = by_initializer };

	table = no_handler;
	signal(SIGUSR1, by_signal);
	signal(SIGUSR2, choice ? by_choice_1 : by_choice_2);
	signal(SIGHUP, SIG_IGN);
	memset(&action, 0, sizeof(action));
	action.sa_handler = by_sigaction;
	sigaction(SIGALRM, &action, 0);
	action.sa_sigaction = by_siginfo;
	action.sa_flags = SA_SIGINFO;
	sigaction(SIGSEGV, &action, 0);
	sigaction(SIGINT, &other, 0);
	sigaction(SIGTERM, &fixed, 0);
	return wrapper(SIGCHLD, by_wrapper);
}
