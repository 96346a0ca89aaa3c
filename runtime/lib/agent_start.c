/* SPDX-License-Identifier: MIT */
/*
 * agent_start.c - makes the agent: a process with the program's memory and nothing else of it.
 *
 * clone(CLONE_VM | CLONE_UNTRACED) without CLONE_THREAD, CLONE_FILES, CLONE_SIGHAND, and without libc. It is not to
 * be the program's child, or a wait for any child with __WALL would see it: so a middle process makes it and ends, and
 * whoever adopts orphans has it. Where that would be the program itself (PR_SET_CHILD_SUBREAPER), it stays a child with exit
 * signal 0, which an ordinary wait() does not see. All signals are blocked from its first instruction on.
 */
#include "agent.h"

#include "sys.h"

#include <linux/prctl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define STACK_BYTES (512u << 10)
#define MIDDLE_STACK_BYTES (64u << 10)
#define KERNEL_SIGSET_BYTES 8

static long clone_agent(void)
{
	return sys_clone_to(agent_main, world->agent_stack + STACK_BYTES - MIDDLE_STACK_BYTES - 64,
	                    CLONE_VM | CLONE_UNTRACED | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
	                    &world->agent_tid);
}

static void middle_main(void)
{
	world->agent_pid = (int)clone_agent();
	sys6(SYS_exit, 0, 0, 0, 0, 0, 0);
}

/* By way of a middle process, for which we wait by its number. */
static long clone_orphan(void)
{
	long middle = sys_clone_to(middle_main, world->agent_stack + STACK_BYTES - 64,
	                           CLONE_VM | CLONE_VFORK | CLONE_UNTRACED, NULL);

	if (sys_failed(middle))
		return middle;
	sys6(SYS_wait4, middle, 0, (long)__WCLONE, 0, 0, 0);
	return world->agent_pid;
}

static bool is_subreaper(void)
{
	int yes = 0;

	return !sys_failed(sys6(SYS_prctl, PR_GET_CHILD_SUBREAPER, (long)&yes, 0, 0, 0, 0)) && yes;
}

static void find_host_tid(void)
{
	u32 *address = NULL;

	if (!sys_failed(sys6(SYS_prctl, PR_GET_TID_ADDRESS, (long)&address, 0, 0, 0, 0)) &&
	    address && *address == (u32)world->host_pid)
		world->host_tid = (u64)(uintptr_t)address;
}

static bool no_agent(enum status_cause cause, long result)
{
	world->agent_pid = 0;
	world->cause = cause;
	world->detail = (u64)-result;
	return false;
}

static bool start_process(void)
{
	u64 all = ~0ull, before;
	long stack = sys_mmap(0, STACK_BYTES, PROT_READ | PROT_WRITE,
	                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	long pid;

	if (sys_failed(stack))
		return no_agent(STATUS_CAUSE_MEMORY, stack);
	sys_mprotect((u64)stack, PAGE_SIZE, PROT_NONE);
	world->agent_stack = (u64)stack;
	find_host_tid();
	world->agent_tid = 1;
	sys6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&before, KERNEL_SIGSET_BYTES, 0, 0);
	pid = is_subreaper() ? clone_agent() : clone_orphan();
	sys6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, KERNEL_SIGSET_BYTES, 0, 0);
	if (sys_failed(pid)) {
		sys_munmap((u64)stack, STACK_BYTES);
		return no_agent(STATUS_CAUSE_CLONE, pid);
	}
	world->agent_pid = (int)pid;
	return true;
}

bool agent_start(void)
{
	return !world->options.agent || start_process();
}
