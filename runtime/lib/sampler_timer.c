/* SPDX-License-Identifier: MIT */
/*
 * sampler_timer.c - where perf_event_open is refused: a CPU-time timer whose signal interrupts whoever is running.
 *
 *     agent: wanted -> first thread: handler, timer -> signal in a running thread: its address into a slot -> agent: reads slots
 *
 * The kernel expires such timers at its clock ticks. Since Linux 6.4 the signal of the process' CPU time goes to the thread that is running;
 * before, it may wake a sleeping one, so there only the first thread's own time is sampled. A signal comes only while CPU time is used: who sleeps is
 * never woken. What else may be seen of it: a system call that is just being entered may end with EINTR where no SA_RESTART helps (signal(7));
 * who waits for all signals by sigwait(3) may be told of this one. Its frame needs room on the stack, as any signal's.
 * Invariant: the handler is set before there is a timer, and the timer is gone before the handler is.
 */
#include "sampler_timer.h"

#include "sampler.h"
#include "sys.h"
#include "world.h"

#include <errno.h>
#include <signal.h>
#include <sys/utsname.h>
#include <time.h>
#include <ucontext.h>

#define PERIOD_LEAST_NS 4000000u /* 250 Hz, as most kernels tick */
#define KERNEL_SIGSET_BYTES 8
#define RESTORER 0x04000000 /* SA_RESTORER */

/* As the kernel has it. */
struct action {
	u64 handler, flags, restorer, mask;
};

__attribute__((visibility("hidden"))) void dynopt_sampler_return(void);
__asm__(".pushsection .text\n"
        ".globl dynopt_sampler_return\n.hidden dynopt_sampler_return\n"
        ".type dynopt_sampler_return, @function\n"
        "dynopt_sampler_return:\n"
        "mov $15, %eax\n" /* rt_sigreturn */
        "syscall\n"
        ".size dynopt_sampler_return, . - dynopt_sampler_return\n"
        ".popsection\n");

static long arm(struct sampler_timer *timer)
{
	u64 ns = __atomic_load_n(&timer->period_ns, __ATOMIC_RELAXED);
	struct timespec each = { (long)(ns / 1000000000u), (long)(ns % 1000000000u) };
	struct itimerspec spec = { each, each };

	timer->armed_ns = ns;
	return sys6(SYS_timer_settime, timer->id, 0, (long)&spec, 0, 0, 0);
}

static bool turn(struct sampler_timer *timer, u32 from, u32 to)
{
	return __atomic_compare_exchange_n(&timer->state, &from, to, false, __ATOMIC_ACQ_REL,
	                                   __ATOMIC_RELAXED);
}

/* In the order of WALKER_REGS. */
static const u8 registers[SAMPLER_REGS] = { REG_RAX, REG_RBX, REG_RCX, REG_RDX, REG_RSI, REG_RDI,
	                                    REG_RBP, REG_RSP, REG_RIP, REG_EFL, REG_R8,  REG_R9,
	                                    REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };

/* In whatever thread of the program. */
static void on_signal(int sig, siginfo_t *info, void *context)
{
	struct sampler_timer *timer = &world->timer;
	const mcontext_t *m = &((const ucontext_t *)context)->uc_mcontext;
	u32 slot;

	(void)sig;
	if (info->si_code != SI_TIMER)
		return;
	slot = __atomic_fetch_add(&timer->next, 1, __ATOMIC_RELAXED) % SAMPLER_ROOM;
	for (u32 i = 0; i < SAMPLER_REGS; i++)
		timer->regs[slot][i] = (u64)m->gregs[registers[i]];
	__atomic_store_n(&timer->slots[slot], (u64)m->gregs[REG_RIP], __ATOMIC_RELEASE);
	if (turn(timer, TIMER_STOPS, TIMER_OFF))
		sys6(SYS_timer_delete, timer->id, 0, 0, 0, 0, 0);
	else if (timer->armed_ns != timer->period_ns)
		arm(timer);
}

static long set_action(const struct action *action, struct action *old)
{
	return sys6(SYS_rt_sigaction, SAMPLER_SIGNAL, (long)action, (long)old, KERNEL_SIGSET_BYTES,
	            0, 0);
}

/* "6.4" or later. */
static bool signals_running_thread(void)
{
	struct utsname name;
	u32 parts[2] = { 0, 0 }, n = 0;

	if (sys_failed(sys6(SYS_uname, (long)&name, 0, 0, 0, 0, 0)))
		return false;
	for (u32 i = 0; name.release[i] && n < 2; i++) {
		if (name.release[i] < '0' || name.release[i] > '9')
			n++;
		else
			parts[n] = parts[n] * 10 + (u32)(name.release[i] - '0');
	}
	return parts[0] > 6 || (parts[0] == 6 && parts[1] >= 4);
}

static long make_timer(struct sampler_timer *timer)
{
	bool process = signals_running_thread();
	struct sigevent event = { .sigev_signo = SAMPLER_SIGNAL,
		                  .sigev_notify = process ? SIGEV_SIGNAL : SIGEV_THREAD_ID };

	if (!process)
		event._sigev_un._tid = world->host_pid;
	return sys6(SYS_timer_create, process ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_THREAD_CPUTIME_ID,
	            (long)&event, (long)&timer->id, 0, 0, 0);
}

static long begin(struct sampler_timer *timer)
{
	struct action action = { .handler = (u64)(uintptr_t)on_signal,
		                 .flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK | RESTORER,
		                 .restorer = (u64)(uintptr_t)dynopt_sampler_return };
	struct action old = { 0 };
	long result = set_action(NULL, &old);

	if (result == 0 && old.handler) /* inherited as ignored, or another library's */
		result = -EBUSY;
	if (result == 0)
		result = set_action(&action, NULL);
	if (result == 0)
		result = make_timer(timer);
	if (result)
		return result;
	result = arm(timer);
	if (result)
		sys6(SYS_timer_delete, timer->id, 0, 0, 0, 0, 0);
	return result;
}

void sampler_timer_begin(void)
{
	struct sampler_timer *timer = &world->timer;

	if (timer->state != TIMER_WANTED)
		return;
	timer->result = begin(timer);
	__atomic_store_n(&timer->state, timer->result ? TIMER_REFUSED : TIMER_RUNS,
	                 __ATOMIC_RELEASE);
}

bool sampler_timer_is_ours(u64 handler)
{
	return handler == (u64)(uintptr_t)on_signal;
}

/* A signal that the timer has sent already is taken back by the kernel with the timer, or ignored by the setting in between. */
void sampler_timer_yield(int sig)
{
	struct action ignore = { .handler = (u64)(uintptr_t)SIG_IGN }, none = { 0 }, old = { 0 };

	if (sig != SAMPLER_SIGNAL || !world || set_action(NULL, &old) ||
	    !sampler_timer_is_ours(old.handler))
		return;
	if (sys_getpid() == world->host_pid && /* not a vfork child, whose timer it is not */
	    (turn(&world->timer, TIMER_RUNS, TIMER_TAKEN) ||
	     turn(&world->timer, TIMER_STOPS, TIMER_TAKEN)))
		sys6(SYS_timer_delete, world->timer.id, 0, 0, 0, 0, 0);
	set_action(&ignore, NULL);
	set_action(&none, NULL);
}

/* ---- the agent's side ---- */

static long timer_open(int pid)
{
	(void)pid;
	world->timer.period_ns = PERIOD_LEAST_NS;
	__atomic_store_n(&world->timer.state, TIMER_WANTED, __ATOMIC_RELEASE);
	return 0;
}

static u64 timer_period(u64 ns)
{
	ns = ns < PERIOD_LEAST_NS ? PERIOD_LEAST_NS : ns;
	__atomic_store_n(&world->timer.period_ns, ns, __ATOMIC_RELAXED);
	return ns;
}

static long timer_read(sampler_take_fn *take, void *ctx)
{
	static struct perf_sample more; /* no stack: none is touched in the handler */
	u32 state = __atomic_load_n(&world->timer.state, __ATOMIC_ACQUIRE);

	more.n_regs = SAMPLER_REGS;
	for (u32 i = 0; i < SAMPLER_ROOM; i++) {
		u64 rip = __atomic_exchange_n(&world->timer.slots[i], 0, __ATOMIC_ACQUIRE);

		if (!rip)
			continue;
		memcpy(more.regs, world->timer.regs[i], sizeof(world->timer.regs[i]));
		take(ctx, &(struct sample){ .rip = rip, .timed = true, .more = &more });
	}
	return state == TIMER_REFUSED ? world->timer.result : state == TIMER_TAKEN ? -EBUSY : 0;
}

static void timer_close(void)
{
	turn(&world->timer, TIMER_RUNS, TIMER_STOPS);
}

const struct sampler sampler_timer = { "timer", timer_open, timer_period,
	                               NULL,    timer_read, timer_close };
