/* SPDX-License-Identifier: MIT */
/*
 * supervise.c - stands between the caller and the program when something is to be done after its end.
 *
 * The program keeps process group, terminal, signal mask and dispositions as the caller set them. Signals that somebody
 * sends to this process go on to the program; what the terminal or the kernel sends to the whole group has
 * reached it already. When the program stops, this process stops, and both go on together.
 */
#include "launch.h"
#include "runtime_commands.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void passed_on(sigset_t *set)
{
	static const int kept[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGBUS,  SIGILL, SIGFPE,
		                    SIGTRAP, SIGABRT, SIGSYS,  SIGTTIN, SIGTTOU };

	sigfillset(set);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		sigdelset(set, kept[i]);
}

/*
 * The program has stopped: so does this process, for the shell to see. Whoever lets it go on lets the program go on; the
 * SIGCONT that does so is not passed on a second time.
 */
static void stop_too(pid_t child)
{
	struct timespec now = { 0 };
	sigset_t go_on;

	raise(SIGSTOP);
	sigemptyset(&go_on);
	sigaddset(&go_on, SIGCONT);
	sigtimedwait(&go_on, NULL, &now);
	kill(child, SIGCONT);
}

/* Takes note of what the child did; true when it has ended. */
static bool child_changed(pid_t child, int *status)
{
	pid_t got;

	while ((got = waitpid(child, status, WNOHANG | WUNTRACED)) == child) {
		if (!WIFSTOPPED(*status))
			return true;
		stop_too(child);
	}
	return got < 0;
}

static int watch(pid_t child, const sigset_t *set)
{
	int status = -1;

	while (!child_changed(child, &status)) {
		siginfo_t info;
		int sig = sigwaitinfo(set, &info);

		/* SI_KERNEL: from the terminal, so to the group. */
		if (sig > 0 && sig != SIGCHLD && info.si_code != SI_KERNEL)
			kill(child, sig);
	}
	return status;
}

int supervise(const struct target *target, void (*before)(void *ctx), void *ctx, int *pid)
{
	struct sigaction usual = { .sa_handler = SIG_DFL }, children;
	sigset_t set, old;
	pid_t child;
	int status;

	passed_on(&set);
	sigprocmask(SIG_BLOCK, &set, &old);
	sigaction(SIGCHLD, &usual, &children); /* if ignored, there would be nothing to wait for */
	child = fork();
	if (child < 0) {
		base_complain("run", "%s", strerror(errno));
		return -1;
	}
	if (child == 0) {
		sigaction(SIGCHLD, &children, NULL);
		sigprocmask(SIG_SETMASK, &old, NULL);
		if (before)
			before(ctx);
		_exit(launch_exec(target));
	}
	*pid = child;
	status = watch(child, &set);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return status;
}

int supervise_end(int status)
{
	struct sigaction usual = { .sa_handler = SIG_DFL };
	struct rlimit none = { 0, 0 };
	sigset_t set;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	/* The program has left its core; this one's would only overwrite it. */
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	sigaction(WTERMSIG(status), &usual, NULL);
	sigemptyset(&set);
	sigaddset(&set, WTERMSIG(status));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}
