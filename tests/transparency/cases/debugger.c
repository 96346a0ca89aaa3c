// SPDX-License-Identifier: MIT
// The program is a debugger of its own child, by ptrace: a breakpoint written into the
// child's text in the middle of a hot loop is hit exactly as often as the loop turns,
// whether it was set before the loop ran or while it ran.
#include "t_proc.h"
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>

extern const char watched_here[];
static volatile uint64_t word;

static T_NOINLINE uint64_t watched(uint64_t sum, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		sum = t_switch(sum, (unsigned)(sum >> 3) & 7);
		__asm__ volatile(".globl watched_here\nwatched_here:\n\tlea 3(%0), %0" : "+r"(sum));
		sum = t_depth(sum, i & 3);
	}
	return sum;
}

static void poke(pid_t child, long value)
{
	CHECK(!ptrace(PTRACE_POKETEXT, child, watched_here, value));
}

static int wait_stop(pid_t child)
{
	int status;

	CHECK(waitpid(child, &status, 0) == child);
	return status;
}

/* Runs the child with the breakpoint until it ends; how often it was hit. */
static unsigned count_hits(pid_t child, int *status)
{
	long original, trap;
	unsigned hits = 0;

	errno = 0;
	original = ptrace(PTRACE_PEEKTEXT, child, watched_here, NULL);
	CHECK(!errno);
	trap = (original & ~0xffl) | 0xcc;
	poke(child, trap);
	CHECK(!ptrace(PTRACE_CONT, child, NULL, NULL));
	for (;;) {
		struct user_regs_struct regs;

		*status = wait_stop(child);
		if (!WIFSTOPPED(*status))
			return hits;
		CHECK(WSTOPSIG(*status) == SIGTRAP);
		CHECK(!ptrace(PTRACE_GETREGS, child, NULL, &regs));
		CHECK(regs.rip == (uintptr_t)watched_here + 1);
		hits++;
		regs.rip--;
		CHECK(!ptrace(PTRACE_SETREGS, child, NULL, &regs));
		poke(child, original);
		CHECK(!ptrace(PTRACE_SINGLESTEP, child, NULL, NULL));
		*status = wait_stop(child);
		CHECK(WIFSTOPPED(*status) && WSTOPSIG(*status) == SIGTRAP);
		poke(child, trap);
		CHECK(!ptrace(PTRACE_CONT, child, NULL, NULL));
	}
}

int main(void)
{
	uint64_t sum = t_hot(50);
	int status;
	pid_t child;

	word = watched(3, 1000);
	for (int i = 0; i < 5; i++) {
		child = fork();
		CHECK(child >= 0);
		if (!child) {
			CHECK(!ptrace(PTRACE_TRACEME, 0, NULL, NULL));
			raise(SIGSTOP);
			_exit(watched(3, 1000) == word ? 5 : 1);
		}
		status = wait_stop(child);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
		CHECK(count_hits(child, &status) == 1000);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
	}
	/* Attached while it runs: it stops itself after some turns, so the count is known. */
	for (int i = 0; i < 5; i++) {
		int ready[2];
		char byte;

		CHECK(!pipe(ready));
		child = fork();
		CHECK(child >= 0);
		if (!child) {
			for (int k = 0; k < 20; k++)
				CHECK(watched(3, 1000) == word);
			CHECK(write(ready[1], "x", 1) == 1);
			raise(SIGSTOP);
			_exit(watched(3, 1000) == word ? 5 : 1);
		}
		CHECK(read(ready[0], &byte, 1) == 1);
		CHECK(!ptrace(PTRACE_SEIZE, child, NULL, NULL));
		status = wait_stop(child);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
		while (status >> 16 == 0) { /* the signal's own stop, then the group's */
			CHECK(!ptrace(PTRACE_CONT, child, NULL, SIGSTOP));
			status = wait_stop(child);
		}
		CHECK(!kill(child, SIGCONT));
		CHECK(!ptrace(PTRACE_CONT, child, NULL, NULL));
		do {
			status = wait_stop(child);
			CHECK(WIFSTOPPED(status));
			if (WSTOPSIG(status) == SIGCONT)
				break;
			CHECK(!ptrace(PTRACE_CONT, child, NULL, NULL));
		} while (1);
		CHECK(count_hits(child, &status) == 1000);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
		close(ready[0]);
		close(ready[1]);
	}
	t_no_children();
	return t_ok(sum);
}
