// SPDX-License-Identifier: MIT
/*
 * inside.c - a thread is stopped at a certain place of a translation while its process leaves
 * the code cache. Leaving has to wait for it; going on, it is led to the original where there
 * is one, and else runs the translation to its end.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest.h"

/* The places: at its start, in its loop, at the jump back. */
enum place { START, MIDDLE, END };

/* What each call gave, by its number; kept, since the next call may be over before this one's is looked at. */
#define MOST_CALLS 100000
struct log {
	long calls;
	int value[MOST_CALLS + 1];
};

static volatile struct log *results;
static uint8_t *lib;
static struct site slow;

static _Noreturn void work(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int value = lib_call(lib, &slow);
		long i = results->calls + 1;

		if (value != slow.plain && value != slow.patched)
			_exit(1);
		if (i <= MOST_CALLS)
			results->value[i] = value;
		results->calls = i;
	}
}

static void stop(pid_t pid, struct user_regs_struct *regs)
{
	int status;

	check(ptrace(PTRACE_ATTACH, pid, NULL, NULL) == 0);
	check(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	check(ptrace(PTRACE_GETREGS, pid, NULL, regs) == 0);
}

static void go(pid_t pid)
{
	check(ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0);
}

/*
 * Stopped in the loop of the translation, where nearly all of its time passes. Stopped at its start, the thread is led to the
 * original, and its process leaves for good, since it is debugged: then it comes back.
 */
static void stop_inside(int device, pid_t pid, struct user_regs_struct *regs)
{
	uint64_t at = (uintptr_t)lib + slow.cache;

	for (;;) {
		uint64_t turned = counter(device, DYNOPT_COUNTER_TURNED);
		uint64_t debugged = counter(device, DYNOPT_COUNTER_DEBUGGED);

		stop(pid, regs);
		if (regs->rip > at + 5 && regs->rip < at + 11)
			return;
		go(pid);
		sched_yield();
		if (counter(device, DYNOPT_COUNTER_TURNED) == turned)
			continue;
		while (counter(device, DYNOPT_COUNTER_DEBUGGED) == debugged)
			sched_yield();
		check_is(call_register(device, pid), DYNOPT_KMOD_OK);
	}
}

static void place(int device, pid_t pid, enum place place, uint32_t code_len)
{
	struct user_regs_struct regs;

	stop_inside(device, pid, &regs);
	if (place == START) {
		regs.rip = (uintptr_t)lib + slow.cache;
	} else if (place == END) {
		regs.rip = (uintptr_t)lib + slow.cache + code_len;
		regs.rax = slow.patched;
	} else {
		regs.rcx = 1000; /* not for ever */
	}
	check(ptrace(PTRACE_SETREGS, pid, NULL, &regs) == 0);
}

/* By the fault handler, or asked to turn back. */
static uint64_t led_out(int device)
{
	return counter(device, DYNOPT_COUNTER_EVICTED) + counter(device, DYNOPT_COUNTER_TURNED);
}

static void leave_from(int device, int file, enum place where)
{
	uint64_t before, waited = counter(device, DYNOPT_COUNTER_WAITED);
	struct dynopt_ioc_patch patch;
	pid_t pid, helper;
	long calls;

	results->calls = 0;
	pid = fork();
	check(pid >= 0);
	if (!pid)
		work();
	patch_fill(&patch, file, &slow);
	check_is(call_register(device, pid), DYNOPT_KMOD_OK);
	place(device, pid, where, patch.code_len);
	results->calls = calls = 0; /* it is stopped, and counts from here */
	before = led_out(device);
	helper = fork();
	check(helper >= 0);
	if (!helper) {
		check_is(call_unregister(device, pid), DYNOPT_KMOD_OK);
		_exit(0);
	}
	until_waiting(helper);
	check_is(results->calls, calls);
	go(pid);
	wait_ok(helper);
	while (results->calls < calls + 2)
		sched_yield();
	/* The call it was in, and then only originals. */
	check_is(results->value[calls + 1], where == START ? slow.plain : slow.patched);
	check_is(results->value[calls + 2], slow.plain);
	check(counter(device, DYNOPT_COUNTER_WAITED) > waited);
	check_is(led_out(device), before + (where != MIDDLE));
	check(kill(pid, SIGKILL) == 0);
	check(waitpid(pid, NULL, 0) == pid);
}

int main(void)
{
	int device = device_open(), file;

	lib_make(LIB);
	file = open(LIB, O_RDONLY | O_CLOEXEC);
	lib = lib_map(LIB);
	slow = site_four;
	slow.pauses = 1000000;
	results = mmap(NULL, sizeof(*results), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	               -1, 0);
	check(results != MAP_FAILED);
	check_is(call_register(device, 0), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &slow), DYNOPT_KMOD_OK);
	leave_from(device, file, START);
	leave_from(device, file, MIDDLE);
	leave_from(device, file, END);
	return 0;
}
