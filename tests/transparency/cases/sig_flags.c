// SPDX-License-Identifier: MIT
// Every way of installing a handler, and every flag of sigaction: handlers run as asked,
// and questions are answered with what the program itself has set.
#include "t.h"
#include <signal.h>
#include <sys/wait.h>

static volatile int n_old, n_info, n_nested, depth, deepest, on_stack;
static char *stack_low;

static void other(int sig)
{
	(void)sig;
	n_old += 100;
}

static void old_style(int sig)
{
	CHECK(sig > 0);
	n_old++;
}

static void with_info(int sig, siginfo_t *info, void *context)
{
	char here;

	CHECK(info->si_signo == sig && context);
	on_stack = &here >= stack_low && &here < stack_low + 65536;
	n_info++;
}

static void nesting(int sig)
{
	depth++;
	if (depth > deepest)
		deepest = depth;
	if (++n_nested < 5)
		raise(sig);
	depth--;
}

static void same_mask(const sigset_t *a, const sigset_t *b)
{
	for (int i = 1; i < 65; i++)
		CHECK(sigismember(a, i) == sigismember(b, i));
}

static void queries(void)
{
	static const int flags[] = { 0,
		                     SA_SIGINFO,
		                     SA_NODEFER | SA_RESTART,
		                     SA_ONSTACK | SA_SIGINFO,
		                     SA_NOCLDSTOP,
		                     SA_RESETHAND | SA_SIGINFO,
		                     SA_NOCLDWAIT };

	for (int sig = 1; sig < 65; sig++) {
		struct sigaction set, got;

		if (sig == SIGKILL || sig == SIGSTOP || sig == 32 || sig == 33)
			continue;
		CHECK(!sigaction(sig, NULL, &got) && got.sa_handler == SIG_DFL);
		for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
			memset(&set, 0, sizeof(set));
			set.sa_flags = flags[i];
			sigaddset(&set.sa_mask, 1 + (int)i);
			sigaddset(&set.sa_mask, 40);
			if (flags[i] & SA_SIGINFO)
				set.sa_sigaction = with_info;
			else
				set.sa_handler = i & 1 ? SIG_IGN : old_style;
			CHECK(!sigaction(sig, &set, NULL));
			CHECK(!sigaction(sig, NULL, &got));
			CHECK(got.sa_sigaction == set.sa_sigaction);
			CHECK((got.sa_flags & ~0x04000000) == set.sa_flags);
			same_mask(&got.sa_mask, &set.sa_mask);
		}
		CHECK(signal(sig, other) == SIG_IGN || 1);
		CHECK(!sigaction(sig, NULL, &got) && got.sa_handler == other);
		CHECK(signal(sig, SIG_IGN) == other);
		CHECK(signal(sig, SIG_DFL) == SIG_IGN);
		CHECK(signal(sig, SIG_DFL) == SIG_DFL);
	}
	errno = 0;
	CHECK(sigaction(SIGKILL, NULL, NULL) == 0 || errno == EINVAL);
	CHECK(signal(SIGKILL, other) == SIG_ERR && errno == EINVAL);
	CHECK(signal(65, other) == SIG_ERR && errno == EINVAL);
	CHECK(signal(32, other) == SIG_ERR && errno == EINVAL);
	{
		struct sigaction set = { .sa_handler = other };

		CHECK(sigaction(SIGSTOP, &set, NULL) == -1 && errno == EINVAL);
		CHECK(sigaction(0, &set, NULL) == -1 && errno == EINVAL);
		CHECK(sigaction(-3, &set, NULL) == -1 && errno == EINVAL);
	}
}

static void families(void)
{
	struct sigaction got;

	CHECK(signal(SIGUSR1, old_style) == SIG_DFL);
	raise(SIGUSR1);
	raise(SIGUSR1);
	CHECK(n_old == 2);
	CHECK(!sigaction(SIGUSR1, NULL, &got) && (got.sa_flags & SA_RESTART));
	CHECK(sysv_signal(SIGUSR1, old_style) == old_style);
	raise(SIGUSR1);
	CHECK(n_old == 3);
	CHECK(signal(SIGUSR1, SIG_DFL) == SIG_DFL); /* it was reset */
	CHECK(ssignal(SIGUSR1, old_style) == SIG_DFL);
	raise(SIGUSR1);
	CHECK(n_old == 4);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	CHECK(sigset(SIGUSR1, other) == old_style);
	CHECK(sigset(SIGUSR1, SIG_HOLD) == other);
	raise(SIGUSR1);
	CHECK(n_old == 4);
	CHECK(sigset(SIGUSR1, old_style) == SIG_HOLD);
	CHECK(n_old == 5);
	CHECK(!sighold(SIGUSR1));
	raise(SIGUSR1);
	CHECK(n_old == 5 && !sigrelse(SIGUSR1) && n_old == 6);
	CHECK(!sigignore(SIGUSR1));
	raise(SIGUSR1);
	CHECK(!siginterrupt(SIGUSR1, 1));
	CHECK(!sigaction(SIGUSR1, NULL, &got) && got.sa_handler == SIG_IGN);
	CHECK(signal(SIGUSR1, old_style) == SIG_IGN);
	CHECK(!siginterrupt(SIGUSR1, 1));
	CHECK(!sigaction(SIGUSR1, NULL, &got) && !(got.sa_flags & SA_RESTART));
	CHECK(!siginterrupt(SIGUSR1, 0));
#pragma GCC diagnostic pop
	signal(SIGUSR1, SIG_DFL);
}

static void flags(void)
{
	struct sigaction set, got;
	stack_t stack = { 0 };

	memset(&set, 0, sizeof(set));
	set.sa_handler = old_style;
	set.sa_flags = (int)SA_RESETHAND;
	n_old = 0;
	CHECK(!sigaction(SIGUSR2, &set, NULL));
	raise(SIGUSR2);
	CHECK(n_old == 1);
	CHECK(!sigaction(SIGUSR2, NULL, &got) && got.sa_handler == SIG_DFL);
	set.sa_sigaction = with_info;
	set.sa_flags = (int)(SA_RESETHAND | SA_SIGINFO);
	CHECK(!sigaction(SIGUSR2, &set, NULL));
	raise(SIGUSR2);
	CHECK(n_info == 1);
	CHECK(!sigaction(SIGUSR2, NULL, &got) && got.sa_handler == SIG_DFL);

	set.sa_handler = nesting;
	set.sa_flags = SA_NODEFER;
	CHECK(!sigaction(SIGUSR2, &set, NULL));
	raise(SIGUSR2);
	CHECK(deepest == 5 && depth == 0 && n_nested == 5);
	set.sa_flags = 0;
	deepest = n_nested = 0;
	CHECK(!sigaction(SIGUSR2, &set, NULL));
	raise(SIGUSR2); /* each waits until the one before has returned */
	CHECK(depth == 0 && deepest == 1 && n_nested == 5);

	stack_low = malloc(65536);
	stack.ss_sp = stack_low;
	stack.ss_size = 65536;
	CHECK(!sigaltstack(&stack, NULL));
	set.sa_sigaction = with_info;
	set.sa_flags = SA_SIGINFO | SA_ONSTACK;
	CHECK(!sigaction(SIGUSR2, &set, NULL));
	raise(SIGUSR2);
	CHECK(on_stack == 1);
	set.sa_flags = SA_SIGINFO;
	CHECK(!sigaction(SIGUSR2, &set, NULL));
	raise(SIGUSR2);
	CHECK(on_stack == 0);
	stack.ss_flags = SS_DISABLE;
	CHECK(!sigaltstack(&stack, NULL));
	free(stack_low);
	stack_low = NULL;
}

/* A reset handler and an uncaught signal end a child the way they always do. */
static void ends(void)
{
	static const int signals[] = { SIGUSR1, SIGSEGV, SIGTERM, SIGTRAP, SIGABRT, SIGILL };

	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		int status;
		pid_t child = fork();

		CHECK(child >= 0);
		if (!child) {
			struct sigaction set = { .sa_handler = other };

			set.sa_flags = (int)SA_RESETHAND;
			sigaction(signals[i], &set, NULL);
			raise(signals[i]);
			t_hot(5);
			raise(signals[i]);
			_exit(1);
		}
		CHECK(waitpid(child, &status, 0) == child);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signals[i]);
	}
}

int main(void)
{
	uint64_t sum = t_hot(200);

	queries();
	for (int i = 0; i < 3; i++) {
		n_old = n_info = n_nested = depth = deepest = 0;
		families();
		flags();
		sum = t_mix(sum, t_hot(50));
	}
	ends();
	return t_ok(sum);
}
