/* SPDX-License-Identifier: MIT */
/*
 * agent.c - starts the agent, talks to it, and is it.
 *
 * The agent shares the program's memory but neither its thread group, descriptors, signal handlers nor libc
 * (clone(CLONE_VM | CLONE_UNTRACED), exit signal 0): a program with one thread stays a program with
 * one thread. It blocks all signals, dies with the program, and leaves by itself once its
 * memory is no longer the program's (exec). The host side waits with a timeout and looks whether
 * the agent still lives, so a killed agent never hangs the program: it goes on with what is published.
 */
#include "agent.h"

#include "loader.h"
#include "mapping.h"
#include "status_write.h"
#include "sys.h"
#include "traces.h"

#include <linux/prctl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define STACK_BYTES (512u << 10)
#define TICK_MS 50
#define KERNEL_SIGSET_BYTES 8

/* ---- the mailbox's lock ---- */

static bool try_lock(u32 *word)
{
	u32 free = 0;

	return __atomic_compare_exchange_n(word, &free, 1, false, __ATOMIC_ACQUIRE,
	                                   __ATOMIC_RELAXED);
}

static void lock(u32 *word)
{
	if (try_lock(word))
		return;
	while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0)
		sys_futex_wait(word, 2, 0);
}

static void unlock(u32 *word)
{
	if (__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) == 2)
		sys_futex_wake(word, 1);
}

/* ---- the agent's side ---- */

static void answer(u32 sequence)
{
	__atomic_store_n(&world->mailbox.answered, sequence, __ATOMIC_RELEASE);
	sys_futex_wake(&world->mailbox.answered, 1);
}

static void withdraw(enum status_cause cause)
{
	if (world->state == STATUS_STATE_WITHDRAWN)
		return;
	mappings_withdraw_all();
	world->state = STATUS_STATE_WITHDRAWN;
	world->cause = cause;
	status_write();
}

static void follow(void)
{
	bool first = world->ready_ns == 0;

	if (world->state == STATUS_STATE_WITHDRAWN || world->state == STATUS_STATE_FAILED)
		return;
	if (first && world->options.traces[0] && !traces_open()) {
		world->state = STATUS_STATE_FAILED;
		status_write();
		return;
	}
	if (first)
		loader_hook();
	mappings_sync();
	world->state = STATUS_STATE_IDLE;
	for (u32 i = 0; i < world->n_mappings; i++)
		if (world->mappings[i].state == MAPPING_LIVE)
			world->state = STATUS_STATE_RUNNING;
	if (first)
		world->ready_ns = sys_now_ns();
	status_soon();
}

static void serve(void)
{
	struct mailbox *box = &world->mailbox;
	u32 asked = __atomic_load_n(&box->asked, __ATOMIC_ACQUIRE);

	if (asked == box->answered)
		return;
	switch (box->request) {
	case REQUEST_MODULES:
		follow();
		break;
	case REQUEST_WITHDRAW:
		withdraw((enum status_cause)box->cause);
		break;
	case REQUEST_STATUS:
		status_write();
		break;
	default:
		break;
	}
	answer(asked);
}

/* "TracerPid:\tN" in the program's status: is N not 0? */
static bool traced(void)
{
	static const char key[] = "TracerPid:\t";
	char path[40] = "/proc/", text[1024], *out = path + 6;
	long n;

	for (int pid = world->host_pid, unit = 1000000000; unit; unit /= 10)
		if (pid >= unit)
			*out++ = (char)('0' + pid / unit % 10);
	memcpy(out, "/status", 8);
	n = sys_read_file(path, text, sizeof(text));
	for (long i = 0; i + (long)sizeof(key) <= n; i++)
		if (memcmp(text + i, key, sizeof(key) - 1) == 0)
			return text[i + (long)sizeof(key) - 1] != '0';
	return false;
}

static void cycle(void)
{
	for (u32 i = 0; i < world->n_mappings; i++)
		mapping_withdraw(&world->mappings[i]);
	for (u32 i = 0; i < world->n_mappings; i++)
		mapping_restore(&world->mappings[i]);
	world->cycles++;
	world->status_due = true;
}

/* 1 while memory is shared, 0 once it is not, from what kcmp says; where kcmp is forbidden, by the parent's number. */
static bool still_theirs(void)
{
	long same = sys_kcmp_vm((int)sys_getpid(), world->host_pid);

	if (same == 0)
		return true;
	if (same > 0)
		return false;
	return sys6(SYS_getppid, 0, 0, 0, 0, 0, 0) == world->host_pid;
}

static void __attribute__((noreturn)) leave(void)
{
	for (;;)
		sys6(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}

/* What the agent does without being asked; not while the loader is about to unmap something. Did it do anything? */
static bool act(void)
{
	bool running = world->ready_ns && world->state == STATUS_STATE_RUNNING;
	bool acted = false;

	if (!running || !try_lock(&world->mailbox.lock))
		return false;
	if (world->cycles < world->options.cycles) {
		cycle();
		acted = true;
	}
	if (traced())
		withdraw(STATUS_CAUSE_TRACED);
	unlock(&world->mailbox.lock);
	return acted;
}

static void __attribute__((noreturn, used)) agent_main(void)
{
	static const char name[] = "dynopt-agent";

	sys6(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0, 0);
	if (sys6(SYS_getppid, 0, 0, 0, 0, 0, 0) != world->host_pid)
		leave();
	sys6(SYS_prctl, PR_SET_NAME, (long)name, 0, 0, 0, 0);
	sys6(SYS_close_range, 0, 0xffffffffl, 0, 0, 0, 0);
	for (;;) {
		u32 answered = world->mailbox.answered;

		serve();
		status_tick();
		if (!act() && __atomic_load_n(&world->mailbox.asked, __ATOMIC_ACQUIRE) == answered)
			sys_futex_wait(&world->mailbox.asked, answered, TICK_MS);
		if (!still_theirs())
			leave();
	}
}

/* ---- the host's side ---- */

/* clone(2) without libc: the child runs agent_main() on its own stack and never returns here. */
static long clone_agent(u64 stack_top)
{
	register long r10 __asm__("r10") = 0;
	register long r8 __asm__("r8") = 0;
	long result;

	__asm__ volatile("syscall\n\t"
	                 "test %%rax, %%rax\n\t"
	                 "jnz 1f\n\t"
	                 "xor %%ebp, %%ebp\n\t"
	                 "call *%[main]\n\t"
	                 "ud2\n"
	                 "1:"
	                 : "=a"(result)
	                 : "a"((long)SYS_clone), "D"((long)(CLONE_VM | CLONE_UNTRACED)),
	                   "S"(stack_top), "d"(0l), "r"(r10), "r"(r8), [main] "r"(agent_main)
	                 : "rcx", "r11", "memory");
	return result;
}

static bool start_process(void)
{
	u64 all = ~0ull, before;
	long stack = sys_mmap(0, STACK_BYTES, PROT_READ | PROT_WRITE,
	                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	long pid;

	if (sys_failed(stack)) {
		world->cause = STATUS_CAUSE_MEMORY;
		world->detail = (u64)-stack;
		return false;
	}
	sys_mprotect((u64)stack, PAGE_SIZE, PROT_NONE);
	world->agent_stack = (u64)stack;
	world->agent_stack_size = STACK_BYTES;
	sys6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&before, KERNEL_SIGSET_BYTES, 0, 0);
	pid = clone_agent((u64)stack + STACK_BYTES - 64);
	sys6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, KERNEL_SIGSET_BYTES, 0, 0);
	if (sys_failed(pid)) {
		world->cause = STATUS_CAUSE_CLONE;
		world->detail = (u64)-pid;
		return false;
	}
	world->agent_pid = (int)pid;
	return true;
}

bool agent_start(void)
{
	return !world->options.agent || start_process();
}

/* Gone, or dead and not yet taken leave of: both are found out without a trace for the program's own wait(). */
static bool agent_dead(void)
{
	long got = sys6(SYS_wait4, world->agent_pid, 0, WNOHANG | (long)__WCLONE, 0, 0, 0);

	if (got == 0)
		return false;
	world->agent_pid = 0;
	world->cause = STATUS_CAUSE_AGENT_DIED;
	return true;
}

static bool wait_for(u32 sequence)
{
	struct mailbox *box = &world->mailbox;

	for (;;) {
		u32 answered = __atomic_load_n(&box->answered, __ATOMIC_ACQUIRE);

		if (answered == sequence)
			return true;
		sys_futex_wait(&box->answered, answered, TICK_MS);
		if (__atomic_load_n(&box->answered, __ATOMIC_ACQUIRE) != sequence && agent_dead())
			return false;
	}
}

static bool ask(enum request request, enum status_cause cause, void (*prepare)(void))
{
	struct mailbox *box = &world->mailbox;
	u32 sequence = box->asked + 1;

	if (!world->agent_pid && world->options.agent)
		return false;
	if (prepare)
		prepare();
	box->request = request;
	box->cause = cause;
	__atomic_store_n(&box->asked, sequence, __ATOMIC_RELEASE);
	if (!world->options.agent) {
		serve();
		return true;
	}
	sys_futex_wake(&box->asked, 1);
	return wait_for(sequence);
}

bool agent_ask(enum request request, enum status_cause cause, void (*prepare)(void))
{
	struct mailbox *box = &world->mailbox;
	bool done;

	if (!world || sys_getpid() != world->host_pid)
		return false;
	if (request == REQUEST_MODULES && box->paused)
		box->paused = 0;
	else
		lock(&box->lock);
	done = ask(request, cause, prepare);
	unlock(&box->lock);
	return done;
}

void agent_pause(void)
{
	if (!world || sys_getpid() != world->host_pid || world->mailbox.paused)
		return;
	lock(&world->mailbox.lock);
	world->mailbox.paused = 1;
}
