/* SPDX-License-Identifier: MIT */
/*
 * agent.c - talks to the agent, and is it.
 *
 * The agent shares the program's memory but neither its thread group, descriptors, signal handlers nor libc
 * (agent_start.c): a program with one thread stays a program with
 * one thread. It blocks all signals and leaves by itself once its memory is no longer the program's (exit,
 * exec), or if it has used far more CPU time than it may (limit.h). The host side waits with a timeout and looks whether
 * the agent still lives, so a killed agent never hangs the program: it goes on with what is published.
 */
#include "agent.h"

#include "decode.h"
#include "fault.h"
#include "hot.h"
#include "limit.h"
#include "loader.h"
#include "mapping.h"
#include "remember.h"
#include "status_write.h"
#include "sys.h"
#include "traces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <sys/uio.h>
#include <time.h>

#define DECODE_ROOM 8192
#define NS_PER_MS 1000000u
#define HANDLER_NS \
	1000000000u /* that a signal's handler waits, maybe for code that it has interrupted */
#define END_NS 10000000000u /* that a program's end waits for the agent: it is not to hang by it */
#define TICK_MS 50
#define TICK_LIVE_MS 100 /* at most, where something is live that a debugger must not meet */
#define TICK_MOST_MS 200
#define TICK_SAMPLES 4 /* fewer in a tick, and the next one is twice as long */
#define TICKS_TRACED 8 /* between two looks whether it is traced, where nothing is live */
#define TICKS_ASKED 4 /* between two looks for what may as well be seen later */
#define TURNS_THEIRS \
	8 /* between two looks whether the memory is the program's, where the kernel tells of its end */
#define TICK_TEST_MS 2 /* with --all */
#define TICK_FIRST_MS 1 /* until it has acted once */

/* ---- the mailbox's lock ---- */

static bool try_lock(u32 *word)
{
	u32 free = 0;

	return __atomic_compare_exchange_n(word, &free, 1, false, __ATOMIC_ACQUIRE,
	                                   __ATOMIC_RELAXED);
}

/* False: held by somebody all that time. */
static bool lock_within(u32 *word, u64 ns)
{
	u64 until = sys_now_ns() + ns;

	while (!try_lock(word)) {
		if (sys_now_ns() > until)
			return false;
		sys_futex_wait(word, __atomic_load_n(word, __ATOMIC_RELAXED), 1);
	}
	return true;
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
	hot_stop();
	mappings_withdraw_all();
	world->state = STATUS_STATE_WITHDRAWN;
	world->cause = cause;
	if (!world->forked)
		status_write();
}

static bool any_live(void)
{
	for (u32 i = 0; i < world->n_mappings; i++)
		if (world->mappings[i].state == MAPPING_LIVE)
			return true;
	return false;
}

static void follow(void)
{
	bool first = world->ready_ns == 0;

	if (world->state == STATUS_STATE_WITHDRAWN || world->state == STATUS_STATE_FAILED)
		return;
	if (world->forked) {
		mappings_forget();
		return;
	}
	if (first && world->options.traces[0] && !traces_open()) {
		world->state = STATUS_STATE_FAILED;
		status_write();
		return;
	}
	if (first && remember_faulted()) {
		world->state = STATUS_STATE_FAILED;
		world->cause = STATUS_CAUSE_FAULT;
		status_write();
		return;
	}
	if (first) {
		(void)status_disable_asked(); /* of an earlier process of this number */
		loader_hook();
	}
	mappings_sync();
	if (first && world->options.sample && !hot_start()) {
		world->state = STATUS_STATE_FAILED;
		status_write();
		return;
	}
	if (!first)
		hot_modules();
	world->state = any_live() ? STATUS_STATE_RUNNING : STATUS_STATE_IDLE;
	if (first)
		world->ready_ns = sys_now_ns();
	status_soon();
}

/* The bytes of an instruction, as far as there are any. */
static u64 read_code(u64 addr, u8 out[INSN_MAX_LEN])
{
	struct iovec to = { out, INSN_MAX_LEN };
	struct iovec from = { (void *)(uintptr_t)addr, INSN_MAX_LEN };
	long n = sys6(SYS_process_vm_readv, sys_getpid(), (long)&to, 1, (long)&from, 1, 0);

	return sys_failed(n) ? 0 : (u64)n;
}

static void judge_fault(struct fault *fault)
{
	static _Alignas(16) u8 scratch[DECODE_ROOM];
	u8 here[INSN_MAX_LEN], original[INSN_MAX_LEN];
	u64 n_here = read_code(fault->at, here);
	u64 n_original = read_code(fault->origin, original);

	if (decode_scratch_size() > sizeof(scratch) ||
	    !fault_is_ours(fault, here, n_here, original, n_original, scratch))
		return;
	fault->ours = true;
	remember_fault(fault);
	world->detail = fault->origin - fault->base;
	withdraw(STATUS_CAUSE_FAULT);
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
		withdraw((enum status_cause)box->argument);
		break;
	case REQUEST_SITE:
		mappings_drop_site(box->argument);
		break;
	case REQUEST_FAULT:
		judge_fault((struct fault *)(uintptr_t)box->argument);
		break;
	case REQUEST_STATUS:
		hot_keep();
		status_write();
		break;
	default:
		break;
	}
	answer(asked);
}

/* The program's status; kept open, as it is asked each tick. */
static long open_status(void)
{
	char path[40] = "/proc/", *out = path + 6;

	for (int pid = world->host_pid, unit = 1000000000; unit; unit /= 10)
		if (pid >= unit)
			*out++ = (char)('0' + pid / unit % 10);
	memcpy(out, "/status", 8);
	return sys_open(path, O_RDONLY, 0);
}

/* "TracerPid:\tN" in the program's status: is N not 0? */
static bool traced(void)
{
	static const char key[] = "TracerPid:\t";
	static long fd = -1;
	char text[1024];
	long n;

	if (fd < 0)
		fd = open_status();
	n = sys6(SYS_pread64, fd, (long)text, sizeof(text), 0, 0, 0);
	for (long i = 0; i + (long)sizeof(key) <= n; i++)
		if (memcmp(text + i, key, sizeof(key) - 1) == 0)
			return text[i + (long)sizeof(key) - 1] != '0';
	return false;
}

static void cycle(void)
{
	mappings_withdraw_all();
	mappings_restore_all();
	world->cycles++;
	world->status_due = true;
}

/*
 * Are they still there, with this memory? Not after exit and not after exec. Where kcmp is forbidden, a
 * process of that number has to do.
 */
static bool still_theirs(void)
{
	long same = sys_kcmp_vm((int)sys_getpid(), world->host_pid);

	if (!sys_failed(same))
		return same == 0;
	return same != -ESRCH && sys6(SYS_kill, world->host_pid, 0, 0, 0, 0, 0) != -ESRCH;
}

/*
 * Waking up is most of what a tick costs, so it is as long as rings have room for, and others may wait. Where the program hardly runs, for others or by
 * itself, they fill more slowly.
 */
static u32 next_tick_ms(void)
{
	static u32 tick_ms = TICK_MS;
	static u64 samples;
	u32 most_ms = any_live() ? TICK_LIVE_MS : TICK_MOST_MS, full_ms = hot_full_ms();
	u64 n = world->samples - samples;

	if (world->options.all)
		return TICK_TEST_MS;
	tick_ms = n < TICK_SAMPLES && tick_ms > full_ms ? tick_ms * 2 : full_ms;
	tick_ms = tick_ms < TICK_MS ? TICK_MS : tick_ms < most_ms ? tick_ms : most_ms;
	samples += n;
	return tick_ms;
}

/*
 * Until a request, a tick, or the end of the program's first thread, by exit or exec: the kernel clears its thread number
 * and wakes those who wait for that (set_tid_address(2)), as this memory has other users. Was it the tick, for all that is known?
 */
static bool sleep_until(u32 answered, bool soon)
{
	struct futex_waitv words[2] = {
		{ .val = answered,
		  .uaddr = (u64)(uintptr_t)&world->mailbox.asked,
		  .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG },
		{ .val = (u32)world->host_pid, .uaddr = world->host_tid, .flags = FUTEX_32 },
	};
	u32 tick_ms = soon ? TICK_FIRST_MS : next_tick_ms();
	u64 until = sys_now_ns() + tick_ms * 1000000ull;
	struct timespec timeout = { (long)(until / 1000000000u), (long)(until % 1000000000u) };
	long result = -ENOSYS;

	if (world->host_tid)
		result = sys6(SYS_futex_waitv, (long)words, 2, 0, (long)&timeout, CLOCK_MONOTONIC,
		              0);
	if (result == -ENOSYS || result == -EINVAL || result == -EPERM)
		sys_futex_wait(&world->mailbox.asked, answered, tick_ms);
	else if (result == -EAGAIN &&
	         *(volatile u32 *)(uintptr_t)world->host_tid != (u32)world->host_pid)
		world->host_tid = 0; /* ended, and others go on: ticks have to do */
	return world->host_tid && result == -ETIMEDOUT;
}

/* Is it time to ask whether they are still there? Now and then, where the kernel would have told. */
static bool is_end_due(bool tick)
{
	static u32 turns;

	return !tick || ++turns % TURNS_THEIRS == 0;
}

static void __attribute__((noreturn)) leave(void)
{
	for (;;)
		sys6(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}

/* It has the mailbox's lock. */
static bool acting;

/*
 * Wherever it was: tables may be half made, so nothing is asked of them but what is published; nobody is to wait for the lock.
 */
static void overrun(void)
{
	world->cause = STATUS_CAUSE_OVERRUN;
	world->agent_pid = 0;
	status_write_last();
	if (acting)
		unlock(&world->mailbox.lock);
	leave();
}

/* Has translated what is worth it; false: a debugger is there, and everything is withdrawn instead. */
static bool look_if_due(void)
{
	if (!hot_is_due())
		return true;
	if (traced()) {
		withdraw(STATUS_CAUSE_TRACED);
		return false;
	}
	hot_look();
	return true;
}

static void observe(void)
{
	static u32 ticks;

	ticks++;
	hot_begin_warm();
	if (!look_if_due()) /* what a file has said, by itself */
		return;
	hot_take();
	/* Where nothing is live, there is nothing to withdraw. */
	if ((any_live() || ticks % TICKS_TRACED == 0) && traced()) {
		withdraw(STATUS_CAUSE_TRACED);
		return;
	}
	if (ticks % TICKS_ASKED == 0 && status_disable_asked()) {
		withdraw(STATUS_CAUSE_REQUEST);
		return;
	}
	if (!look_if_due())
		return;
	if (world->state == STATUS_STATE_IDLE && any_live())
		world->state = STATUS_STATE_RUNNING;
}

/*
 * What the agent does without being asked; not while the loader is about to unmap something. Did it do anything? *soon: it has not yet done so, and
 * whoever asked first, and waits with main(), has not let go of the lock.
 */
static bool act(bool *soon)
{
	static bool before;

	bool running = world->ready_ns &&
	               (world->state == STATUS_STATE_RUNNING || world->state == STATUS_STATE_IDLE);
	bool acted = false;

	*soon = running && !before;
	if (!running || !try_lock(&world->mailbox.lock))
		return false;
	acting = true;
	*soon = false;
	before = true;
	if (world->cycles < world->options.cycles) {
		cycle();
		acted = true;
	}
	observe();
	acting = false;
	unlock(&world->mailbox.lock);
	return acted;
}

void agent_main(void)
{
	static const char name[] = "dynopt-agent";

	sys6(SYS_prctl, PR_SET_NAME, (long)name, 0, 0, 0, 0);
	sys6(SYS_close_range, 0, 0xffffffffl, 0, 0, 0, 0);
	if (world->options.sample)
		limit_open(overrun);
	for (;;) {
		u32 answered = world->mailbox.answered;
		bool soon, tick = false;

		if (world->options.sample)
			limit_set(hot_credit() + world->options.overrun_ms * NS_PER_MS);
		serve();
		status_tick();
		if (!act(&soon) &&
		    __atomic_load_n(&world->mailbox.asked, __ATOMIC_ACQUIRE) == answered)
			tick = sleep_until(answered, soon);
		if (is_end_due(tick) && !still_theirs()) {
			hot_keep();
			leave();
		}
	}
}

/* ---- the host's side ---- */

/* The kernel clears the word when the agent dies, however that comes about. */
static bool agent_dead(void)
{
	if (__atomic_load_n(&world->agent_tid, __ATOMIC_ACQUIRE))
		return false;
	world->agent_pid = 0;
	if (world->cause != STATUS_CAUSE_OVERRUN)
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

static bool ask(enum request request, u64 argument, void (*prepare)(void))
{
	struct mailbox *box = &world->mailbox;
	u32 sequence = box->asked + 1;

	if (!world->agent_pid && world->options.agent)
		return false;
	if (prepare)
		prepare();
	box->request = request;
	box->argument = argument;
	__atomic_store_n(&box->asked, sequence, __ATOMIC_RELEASE);
	if (!world->options.agent) {
		serve();
		return true;
	}
	sys_futex_wake(&box->asked, 1);
	return wait_for(sequence);
}

bool agent_ask(enum request request, u64 argument, void (*prepare)(void))
{
	struct mailbox *box = &world->mailbox;
	bool done;

	if (!world || sys_getpid() != world->host_pid)
		return false;
	if (request == REQUEST_MODULES && box->paused)
		box->paused = 0;
	else if (request == REQUEST_MODULES || request == REQUEST_WITHDRAW)
		lock(&box->lock);
	else if (!lock_within(&box->lock, request == REQUEST_STATUS ? END_NS : HANDLER_NS))
		return false;
	done = ask(request, argument, prepare);
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

void agent_forked(void)
{
	if (!world)
		return;
	world->host_pid = (int)sys_getpid();
	world->agent_pid = 0;
	world->agent_tid = 0;
	world->options.agent = 0;
	world->forked = true;
	world->timer.state = TIMER_OFF; /* timers are not inherited */
	world->status_due = false;
	if (any_live()) /* whatever the agent was at */
		world->state = STATUS_STATE_RUNNING;
	world->mailbox = (struct mailbox){ 0 };
}
