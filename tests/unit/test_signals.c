/* SPDX-License-Identifier: MIT */
/*
 * test_signals.c - the signal layer (runtime/lib/signals*.c) on a translation made by hand (signals_copy.h).
 *
 * A handler must see original addresses, and execution must go on in original text.
 */
#include "unit.h"
#include "signals.h"
#include "signals_copy.h"
#include "signals_private.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

typedef void (*handler_fn)(int);
handler_fn bsd_signal(int sig, handler_fn handler);
handler_fn sysv_signal(int sig, handler_fn handler);
handler_fn __sysv_signal(int sig, handler_fn handler);
int __sigaction(int sig, const struct sigaction *act, struct sigaction *old);
struct sigvec {
	handler_fn sv_handler;
	int sv_mask, sv_flags;
};
int sigvec(int sig, const struct sigvec *vec, struct sigvec *old);

struct kernel_action {
	uintptr_t handler;
	unsigned long flags;
	uintptr_t restorer;
	unsigned long mask;
};

static struct kernel_action kernel_action(int sig)
{
	struct kernel_action action = { 0 };

	syscall(SYS_rt_sigaction, sig, NULL, &action, 8);
	return action;
}

/* What the last handler saw; `skip` bytes are stepped over. */
static volatile struct {
	int n, sig, code;
	uintptr_t rip, addr, x87;
	int frames;
	void *frame[32];
} seen;
static volatile int skip;

static void look(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	seen.n++;
	seen.sig = sig;
	seen.code = info->si_code;
	seen.addr = (uintptr_t)info->si_addr;
	seen.rip = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
	seen.x87 = uc->uc_mcontext.fpregs->rip;
	uc->uc_mcontext.gregs[REG_RIP] += skip;
}

static void look_back(int sig, siginfo_t *info, void *context)
{
	seen.frames = backtrace((void **)(uintptr_t)seen.frame, 32);
	look(sig, info, context);
}

static void set(int sig, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = flags };

	CU_ASSERT_EQUAL(sigaction(sig, &action, NULL), 0);
}

static void test_faults(void)
{
	set(SIGILL, look, SA_SIGINFO);
	skip = 2;
	CU_ASSERT_EQUAL(call(original_ud2), 2);
	CU_ASSERT_EQUAL(seen.rip, (uintptr_t)at_ud2);
	CU_ASSERT_EQUAL(seen.addr, (uintptr_t)at_ud2);

	set(SIGTRAP, look, SA_SIGINFO);
	skip = 0;
	CU_ASSERT_EQUAL(call(original_int3), 2);
	CU_ASSERT_EQUAL(seen.rip, (uintptr_t)behind_int3);

	set(SIGSEGV, look, SA_SIGINFO);
	skip = 3;
	CU_ASSERT_EQUAL(call(original_load), 2);
	CU_ASSERT_EQUAL(seen.rip, (uintptr_t)at_load);
	CU_ASSERT_EQUAL(seen.addr, 0);
	CU_ASSERT_EQUAL(shown_original, (uintptr_t)at_load); /* to be decoded by the handler */

	set(SIGFPE, look, SA_SIGINFO);
	CU_ASSERT_EQUAL(call(original_div), 2);
	CU_ASSERT_EQUAL(seen.code, FPE_INTDIV);
	CU_ASSERT_EQUAL(seen.rip, (uintptr_t)at_div);
	CU_ASSERT_EQUAL(seen.addr, (uintptr_t)at_div);
}

/* A fault that the original would not have had: no handler hears of it, and the original goes on. */
static void test_fault_of_ours(void)
{
	static const char ud2[2] = { 0x0f, 0x0b };
	volatile int stop = 1;
	char kept[2];

	memcpy(kept, copied(at_spin), 2);
	memcpy(copied(at_spin), ud2, 2);
	set(SIGILL, look, SA_SIGINFO);
	skip = 0;
	seen.n = 0;
	fault_is_to_be_ours = true;
	CU_ASSERT_EQUAL(call_with(original_spin, &stop), 2);
	CU_ASSERT_EQUAL(seen.n, 0);
	CU_ASSERT_EQUAL(fault_seen.sig, SIGILL);
	CU_ASSERT_EQUAL(fault_seen.at, (uintptr_t)copied(at_spin));
	CU_ASSERT_EQUAL(fault_seen.origin, (uintptr_t)at_spin);
	CU_ASSERT_EQUAL(fault_seen.gpr_at[7], (uintptr_t)&stop);
	fault_is_to_be_ours = false;
	CU_ASSERT_EQUAL(call_with(original_spin, &stop), 2);
	CU_ASSERT_EQUAL(seen.n, 1);
	memcpy(copied(at_spin), kept, 2);
}

/* The exception is raised by the instruction after: the address of the one before is in the state. */
static void test_x87(void)
{
	unsigned short control = 0x37b, usual = 0x37f; /* division by zero not masked */

	set(SIGFPE, look, SA_SIGINFO);
	skip = 1;
	__asm__ volatile("fninit; fldcw %0" : : "m"(control));
	CU_ASSERT_EQUAL(call(original_x87), 2);
	__asm__ volatile("fninit; fldcw %0" : : "m"(usual));
	CU_ASSERT_EQUAL(seen.code, FPE_FLTDIV);
	CU_ASSERT_EQUAL(seen.rip, (uintptr_t)behind_x87);
	CU_ASSERT_EQUAL(seen.addr, (uintptr_t)behind_x87);
	CU_ASSERT(seen.x87 == (uintptr_t)at_x87 || seen.x87 == 0);
}

/* A sender's number that looks like an address in the copy is a number. */
static void test_sent(void)
{
	siginfo_t info = { .si_signo = SIGILL, .si_code = SI_QUEUE };

	set(SIGILL, look, SA_SIGINFO);
	skip = 0;
	info.si_addr = copied(at_ud2);
	CU_ASSERT_EQUAL(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGILL, &info), 0);
	CU_ASSERT_EQUAL(seen.code, SI_QUEUE);
	CU_ASSERT_EQUAL(seen.addr, (uintptr_t)copied(at_ud2));
}

static void test_without_siginfo(void)
{
	set(SIGILL, look, SA_RESTART);
	skip = 2;
	CU_ASSERT_EQUAL(call(original_ud2), 2);
	CU_ASSERT_EQUAL(seen.rip, (uintptr_t)at_ud2);
	CU_ASSERT_EQUAL(kernel_action(SIGILL).flags & (SA_SIGINFO | SA_RESTART), SA_RESTART);
	signal(SIGILL, (handler_fn)(uintptr_t)look);
	CU_ASSERT_EQUAL(call(original_ud2), 2);
	CU_ASSERT_EQUAL(seen.rip, (uintptr_t)at_ud2);
}

/* No frame is added: handler, restorer, interrupted code (a sanitizer's own frames come before). */
static void test_backtrace(void)
{
	uintptr_t restorer, handler;
	int i = 0;

	backtrace((void **)(uintptr_t)seen.frame, 32); /* loads libgcc_s */
	set(SIGILL, look_back, SA_SIGINFO);
	skip = 2;
	CU_ASSERT_EQUAL(call(original_ud2), 2);
	restorer = kernel_action(SIGILL).restorer;
	while (i + 1 < seen.frames && (uintptr_t)seen.frame[i] != restorer)
		i++;
	CU_ASSERT_FATAL(i > 0 && i + 1 < seen.frames);
	handler = (uintptr_t)seen.frame[i - 1];
	CU_ASSERT(handler > (uintptr_t)look_back && handler < (uintptr_t)look_back + 4096);
	CU_ASSERT_EQUAL((uintptr_t)seen.frame[i + 1], (uintptr_t)at_ud2);
}

/* A handler finds every register and the stack as the kernel leaves them. */
extern void asm_handler(int sig, siginfo_t *info, void *context);
void asm_raise(void);
uintptr_t entry[16];
__asm__(".text\n"
        "asm_handler:\n"
        "mov %rax, entry(%rip)\nmov %rbx, entry+8(%rip)\nmov %rcx, entry+16(%rip)\n"
        "mov %rdx, entry+24(%rip)\nmov %rsi, entry+32(%rip)\nmov %rdi, entry+40(%rip)\n"
        "mov %rbp, entry+48(%rip)\nmov %rsp, entry+56(%rip)\nmov %r8, entry+64(%rip)\n"
        "mov %r9, entry+72(%rip)\nmov %r10, entry+80(%rip)\nmov %r11, entry+88(%rip)\n"
        "mov (%rsp), %rax\nmov %rax, entry+96(%rip)\n"
        "addq $2, 168(%rdx)\nret\n" /* gregs[REG_RIP] */
        "asm_raise: push %rbx\npush %rbp\nmov $3, %ebx\nmov $5, %ecx\nmov $7, %ebp\n"
        "mov $8, %r8d\nmov $9, %r9d\nmov $10, %r10d\nmov $11, %r11d\nud2\n"
        "pop %rbp\npop %rbx\nret\n");

static void test_registers(void)
{
	set(SIGILL, asm_handler, SA_SIGINFO);
	asm_raise();
	CU_ASSERT_EQUAL(entry[0], 0);
	CU_ASSERT_EQUAL(entry[1], 3);
	CU_ASSERT_EQUAL(entry[2], 5);
	CU_ASSERT_EQUAL(entry[3], entry[7] + 8);
	CU_ASSERT_EQUAL(entry[5], SIGILL);
	CU_ASSERT_EQUAL(entry[6], 7);
	CU_ASSERT_EQUAL(entry[7] % 16, 8);
	for (unsigned i = 8; i < 12; i++)
		CU_ASSERT_EQUAL(entry[i], i);
	CU_ASSERT_EQUAL(entry[12], kernel_action(SIGILL).restorer);
}

static volatile int n_plain;

static void plain(int sig)
{
	(void)sig;
	n_plain++;
}

static void other(int sig)
{
	(void)sig;
}

/* Set by `setter`, the kernel has a thunk and the program sees its handler. */
static void one_api(handler_fn (*setter)(int, handler_fn))
{
	struct sigaction action;

	signal(SIGUSR1, other);
	CU_ASSERT_EQUAL(setter(SIGUSR1, plain), other);
	CU_ASSERT_NOT_EQUAL(kernel_action(SIGUSR1).handler, (uintptr_t)plain);
	CU_ASSERT_EQUAL(sigaction(SIGUSR1, NULL, &action), 0);
	CU_ASSERT_EQUAL(action.sa_handler, plain);
	CU_ASSERT_EQUAL((int)kernel_action(SIGUSR1).flags, action.sa_flags | 0x04000000);
	n_plain = 0;
	raise(SIGUSR1);
	CU_ASSERT_EQUAL(n_plain, 1);
	setter(SIGUSR1, SIG_IGN);
	CU_ASSERT_EQUAL(kernel_action(SIGUSR1).handler, 1);
	CU_ASSERT_EQUAL(setter(SIGUSR1, SIG_DFL), SIG_IGN);
	CU_ASSERT_EQUAL(kernel_action(SIGUSR1).handler, 0);
}

static handler_fn by_sigaction(int sig, handler_fn handler)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_NODEFER }, old;

	return sigaction(sig, &action, &old) ? SIG_ERR : old.sa_handler;
}

static handler_fn by___sigaction(int sig, handler_fn handler)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK }, old;

	return __sigaction(sig, &action, &old) ? SIG_ERR : old.sa_handler;
}

static handler_fn by_sigvec(int sig, handler_fn handler)
{
	struct sigvec vec = { handler, 0, 0 }, old;

	return sigvec(sig, &vec, &old) ? SIG_ERR : old.sv_handler;
}

static void test_apis(void)
{
	one_api(by_sigaction);
	one_api(by___sigaction);
	one_api(signal);
	one_api(bsd_signal);
	one_api(ssignal);
	one_api(sysv_signal);
	one_api(__sysv_signal);
	one_api(sigset);
	one_api(by_sigvec);
	CU_ASSERT_EQUAL(sigset(SIGUSR1, plain), SIG_DFL);
	CU_ASSERT_EQUAL(sigset(SIGUSR1, SIG_HOLD), plain);
	CU_ASSERT_EQUAL(sigset(SIGUSR1, plain), SIG_HOLD);
	CU_ASSERT_EQUAL(siginterrupt(SIGUSR1, 1), 0);
	CU_ASSERT_EQUAL(signal(SIGUSR1, SIG_DFL), plain);
}

/* Masks, flags, errors: libc's. */
static void test_queries(void)
{
	struct sigaction action = { .sa_sigaction = look, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct sigaction mine, libcs, *volatile same;
	int (*libc_sigaction)(int, const struct sigaction *, struct sigaction *);

	libc_sigaction = (int (*)(int, const struct sigaction *,
	                          struct sigaction *))dlsym(RTLD_NEXT, "sigaction");
	sigaddset(&action.sa_mask, SIGUSR2);
	sigaction(SIGUSR1, &action, NULL);
	memset(&mine, 0x55, sizeof(mine));
	memset(&libcs, 0x55, sizeof(libcs));
	errno = 4711;
	CU_ASSERT_EQUAL(sigaction(SIGUSR1, NULL, &mine), 0);
	CU_ASSERT_EQUAL(errno, 4711);
	CU_ASSERT_EQUAL(libc_sigaction(SIGUSR1, NULL, &libcs), 0);
	CU_ASSERT_NOT_EQUAL(libcs.sa_sigaction, look);
	CU_ASSERT_EQUAL(mine.sa_sigaction, look);
	CU_ASSERT_EQUAL(mine.sa_flags, libcs.sa_flags);
	CU_ASSERT_EQUAL(mine.sa_restorer, libcs.sa_restorer);
	CU_ASSERT_EQUAL(memcmp(&mine.sa_mask, &libcs.sa_mask, sizeof(u64)), 0);
	same = &mine;
	CU_ASSERT_EQUAL(sigaction(SIGUSR1, &mine, same), 0); /* in and out the same */
	CU_ASSERT_EQUAL(sigaction(SIGUSR1, NULL, &mine), 0);
	CU_ASSERT_EQUAL(mine.sa_sigaction, look);
	for (int sig = -1; sig < 70; sig++) {
		errno = 0;
		int got = sigaction(sig, NULL, NULL), error = errno;

		errno = 0;
		CU_ASSERT_EQUAL(libc_sigaction(sig, NULL, NULL), got);
		CU_ASSERT_EQUAL(errno, error);
	}
	CU_ASSERT_EQUAL(signal(SIGKILL, plain), SIG_ERR);
	CU_ASSERT_EQUAL(errno, EINVAL);
	CU_ASSERT_EQUAL(signal(65, plain), SIG_ERR);
	set(SIGUSR1, look, (int)(SA_RESETHAND | SA_SIGINFO));
	raise(SIGUSR1);
	CU_ASSERT_EQUAL(sigaction(SIGUSR1, NULL, &mine), 0);
	CU_ASSERT_EQUAL(mine.sa_handler, SIG_DFL);
}

static volatile int depth, deepest;

static void nest(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)info;
	CU_ASSERT(uc->uc_mcontext.gregs[REG_RIP] < (greg_t)copy ||
	          uc->uc_mcontext.gregs[REG_RIP] >= (greg_t)(copy + copy_size()));
	if (++depth > deepest)
		deepest = depth;
	if (depth < 5)
		CU_ASSERT_EQUAL(call(original_ud2), 2);
	depth--;
	(void)sig;
	uc->uc_mcontext.gregs[REG_RIP] += 2;
}

static void test_nested(void)
{
	static char stack[65536];
	stack_t on = { .ss_sp = stack, .ss_size = sizeof(stack) }, off = { .ss_flags = SS_DISABLE };

	set(SIGILL, nest, SA_SIGINFO | SA_NODEFER);
	CU_ASSERT_EQUAL(call(original_ud2), 2);
	CU_ASSERT_EQUAL(deepest, 5);
	set(SIGILL, nest, SA_SIGINFO | SA_NODEFER | SA_ONSTACK);
	deepest = 0;
	sigaltstack(&on, NULL);
	CU_ASSERT_EQUAL(call(original_ud2), 2);
	CU_ASSERT_EQUAL(deepest, 5);
	sigaltstack(&off, NULL);
}

static sigjmp_buf jump;

static void leave(int sig)
{
	siglongjmp(jump, sig);
}

static void test_longjmp(void)
{
	static volatile int n;

	signal(SIGSEGV, leave);
	for (volatile int i = 0; i < 1000; i++) {
		int sig = sigsetjmp(jump, 1);

		if (sig) {
			CU_ASSERT_EQUAL(sig, SIGSEGV);
			n++;
		} else {
			call(original_load);
		}
	}
	CU_ASSERT_EQUAL(n, 1000);
}

#define N_TIMER 100000
#define N_SENT 1000
static volatile int stop;
static atomic_int n_got, n_foreign, n_in_spin;
static pid_t receiver;

static void stopper(int sig, siginfo_t *info, void *context)
{
	uintptr_t rip = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

	(void)sig;
	(void)info;
	if (rip - (uintptr_t)copy < copy_size())
		n_foreign++;
	if (rip - (uintptr_t)originals < copy_size())
		n_in_spin++;
	stop = 1;
	n_got++;
}

static void *sender(void *unused)
{
	for (int i = 0; i < N_SENT; i++) {
		syscall(SYS_tgkill, getpid(), receiver, SIGUSR1);
		while (atomic_load(&n_got) <= i)
			sched_yield();
	}
	return unused;
}

/* Runs the copy until `n` signals came; each takes it to the original, which then ends. */
static void spin(int n)
{
	long wrong = 0;

	while (atomic_load(&n_got) < n) {
		long result = call_with((const void *)(uintptr_t)original_spin, &stop);

		wrong += result != 2 && result != 101;
		stop = 0;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(n_foreign, 0);
	CU_ASSERT(n_in_spin > n / 10);
}

static void test_storm(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec every = { { 0, 15000 }, { 0, 15000 } };
	pthread_t thread;
	timer_t timer;

	set(SIGUSR1, stopper, SA_SIGINFO);
	CU_ASSERT_EQUAL(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	CU_ASSERT_EQUAL(timer_settime(timer, 0, &every, NULL), 0);
	spin(N_TIMER);
	CU_ASSERT_EQUAL(timer_delete(timer), 0);

	n_got = n_in_spin = 0;
	receiver = gettid();
	CU_ASSERT_EQUAL(pthread_create(&thread, NULL, sender, NULL), 0);
	spin(N_SENT);
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(n_got, N_SENT);
}

/* Somebody read the thunk with a system call and calls it himself. */
static void test_called_thunk(void)
{
	struct kernel_action action;

	signal(SIGUSR1, plain);
	action = kernel_action(SIGUSR1);
	n_plain = 0;
	((void (*)(int, long, long))action.handler)(SIGUSR1, -1, -1);
	CU_ASSERT_EQUAL(n_plain, 1);
	signal(SIGUSR1, other);
	syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 8);
	raise(SIGUSR1);
	CU_ASSERT_EQUAL(n_plain, 2);
	CU_ASSERT_EQUAL(signal(SIGUSR1, (handler_fn)action.handler), plain);
	CU_ASSERT_EQUAL(kernel_action(SIGUSR1).handler, action.handler);
	signal(SIGUSR1, SIG_DFL);
}

/* In a child: 0 if all was right. */
static int in_child(int (*run)(void))
{
	int status = -1;
	pid_t child = fork();

	if (child == 0)
		_exit(run());
	waitpid(child, &status, 0);
	return status;
}

/* Sets more handlers than there are thunks; `ret` is all they do. */
static int exhaust(void)
{
	static const unsigned char code[16] = { 0xc3 };
	unsigned n = SIGNALS_THUNKS + 100;
	char *page = mmap(NULL, 16 * n, PROT_READ | PROT_WRITE | PROT_EXEC,
	                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	handler_fn before = SIG_DFL;
	int bad = 0;

	signal(SIGUSR1, SIG_DFL);
	for (unsigned i = 0; i < n; i++) {
		handler_fn f = (handler_fn)(uintptr_t)(page + 16 * i);

		memcpy(page + 16 * i, code, sizeof(code));
		bad |= signal(SIGUSR1, f) != before;
		bad |= signal(SIGUSR1, f) != f;
		bad |= kernel_action(SIGUSR1).handler == (uintptr_t)f;
		raise(SIGUSR1);
		before = f;
	}
	set(SIGILL, look, SA_SIGINFO);
	skip = 2;
	bad |= call(original_ud2) != 2 || seen.rip != (uintptr_t)at_ud2;
	signal(SIGALRM, (handler_fn)(uintptr_t)(page + 16 * (n - 1)));
	signal(SIGUSR1, (handler_fn)(uintptr_t)(page + 16 * (n - 2)));
	bad |= signal(SIGALRM, SIG_DFL) != (handler_fn)(uintptr_t)(page + 16 * (n - 1));
	bad |= signal(SIGUSR1, SIG_DFL) != (handler_fn)(uintptr_t)(page + 16 * (n - 2));
	return bad;
}

static int late_fault(void)
{
	exhaust();
	set(SIGILL, nest, SA_SIGINFO | SA_NODEFER);
	deepest = 0;
	return call(original_ud2) != 2 || deepest != 5;
}

/* What an inlined call has not pushed is on the stack when the handler runs, and the original returns by it. */
static void test_owed(void)
{
	set(SIGILL, look, SA_SIGINFO);
	skip = 2;
	CU_ASSERT_EQUAL(((long (*)(void))(uintptr_t)owed_start)(), 2);
	CU_ASSERT_EQUAL(seen.rip, (uintptr_t)at_owed);
}

static void step_back(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)info;
	seen.sig = sig;
	seen.rip = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)owed_back;
}

/* The page that faulted is where the return address would go: a second fault would end the program. */
static int unpayable(int flags)
{
	static char stack[65536];
	stack_t on = { .ss_sp = stack, .ss_size = sizeof(stack) };
	char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	sigaltstack(&on, NULL);
	memset(stack, 0xff, sizeof(stack));
	set(SIGSEGV, step_back, flags | SA_ONSTACK);
	return owed_elsewhere((volatile int *)(uintptr_t)(page + 1024)) != 7 ||
	       seen.sig != SIGSEGV || seen.rip != (uintptr_t)at_owed;
}

static int unpayable_with_info(void)
{
	return unpayable(SA_SIGINFO);
}

static int unpayable_without(void)
{
	return unpayable(0);
}

static void test_unpayable(void)
{
	CU_ASSERT_EQUAL(in_child(unpayable_with_info), 0);
	CU_ASSERT_EQUAL(in_child(unpayable_without), 0);
}

static void test_exhaustion(void)
{
	CU_ASSERT_EQUAL(in_child(exhaust), 0);
	CU_ASSERT_EQUAL(in_child(late_fault), 0);
}

static void test_children(void)
{
	int status;
	pid_t child;

	signal(SIGUSR1, plain);
	child = vfork();
	if (child == 0) {
		signal(SIGUSR1, other);
		_exit(signal(SIGUSR1, SIG_DFL) == other ? 0 : 1);
	}
	waitpid(child, &status, 0);
	CU_ASSERT_EQUAL(status, 0);
	n_plain = 0;
	raise(SIGUSR1);
	CU_ASSERT_EQUAL(n_plain, 1);
	CU_ASSERT_EQUAL(signal(SIGUSR1, plain), plain);
	child = fork();
	if (child == 0) {
		raise(SIGUSR1);
		_exit(n_plain == 2 && signal(SIGUSR1, other) == plain ? 0 : 1);
	}
	waitpid(child, &status, 0);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(signal(SIGUSR1, SIG_DFL), plain);
}

static atomic_int done;

static void *setter(void *flag)
{
	for (int i = 0; i < 20000; i++) {
		if (flag)
			set(SIGUSR2, look, SA_SIGINFO);
		else
			signal(SIGUSR2, plain);
	}
	done++;
	return NULL;
}

/* Whoever asks gets one of the two settings, never a mixture. */
static void test_concurrent(void)
{
	pthread_t a, b;
	int mixed = 0;

	signal(SIGUSR2, plain);
	pthread_create(&a, NULL, setter, NULL);
	pthread_create(&b, NULL, setter, &a);
	while (done < 2) {
		struct sigaction action;

		sigaction(SIGUSR2, NULL, &action);
		if (action.sa_flags & SA_SIGINFO)
			mixed += action.sa_sigaction != look;
		else
			mixed += action.sa_handler != plain;
	}
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	CU_ASSERT_EQUAL(mixed, 0);
	signal(SIGUSR2, SIG_DFL);
}

/* Counts the system calls of a child that sets and asks `times` times. */
static int count_calls(int times)
{
	int status, n = 0;
	pid_t child = fork();

	if (child == 0) {
		struct sigaction action;

		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		for (int i = 0; i < times; i++) {
			signal(SIGUSR1, i % 2 ? plain : other);
			sigaction(SIGUSR1, NULL, &action);
			sigaction(SIGUSR1, &action, NULL);
		}
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		return -1;
	while (WIFSTOPPED(status)) {
		if (ptrace(PTRACE_SYSCALL, child, NULL, NULL) != 0 ||
		    waitpid(child, &status, 0) != child)
			return -1;
		n++;
	}
	return n / 2; /* a stop on the way in and one on the way out */
}

static void test_system_calls(void)
{
	CU_ASSERT_EQUAL(count_calls(100) - count_calls(0), 300);
}

static void test_existing(void)
{
	struct sigaction action = { .sa_sigaction = look, .sa_flags = SA_SIGINFO };
	int (*libc_sigaction)(int, const struct sigaction *, struct sigaction *);

	libc_sigaction = (int (*)(int, const struct sigaction *,
	                          struct sigaction *))dlsym(RTLD_NEXT, "sigaction");
	libc_sigaction(SIGILL, &action, NULL);
	CU_ASSERT_EQUAL(kernel_action(SIGILL).handler, (uintptr_t)look);
	signal(SIGUSR1, SIG_IGN);
	signals_start();
	CU_ASSERT_NOT_EQUAL(kernel_action(SIGILL).handler, (uintptr_t)look);
	CU_ASSERT_EQUAL(kernel_action(SIGUSR1).handler, 1);
	CU_ASSERT_EQUAL(kernel_action(SIGUSR2).handler, 0);
	skip = 2;
	CU_ASSERT_EQUAL(call(original_ud2), 2);
	CU_ASSERT_EQUAL(seen.rip, (uintptr_t)at_ud2);
	CU_ASSERT_EQUAL(sigaction(SIGILL, NULL, &action), 0);
	CU_ASSERT_EQUAL(action.sa_sigaction, look);
	signal(SIGUSR1, SIG_DFL);
}

static void test_cancel(void)
{
	int old = -1;

	CU_ASSERT_EQUAL(pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &old), 0);
	CU_ASSERT_EQUAL(n_withdrawn, 0);
	CU_ASSERT_EQUAL(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old), 0);
	CU_ASSERT_EQUAL(old, PTHREAD_CANCEL_DEFERRED);
	CU_ASSERT_EQUAL(n_withdrawn, 1);
	CU_ASSERT_EQUAL(withdrawn_cause, STATUS_CAUSE_ASYNC_CANCEL);
	CU_ASSERT_EQUAL(pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &old), 0);
	CU_ASSERT_EQUAL(old, PTHREAD_CANCEL_ASYNCHRONOUS);
	CU_ASSERT_EQUAL(n_withdrawn, 1);
}

static const struct unit_test tests[] = {
	{ "handlers of faults see original addresses and go on in original text", test_faults },
	{ "a fault that is not the original's", test_fault_of_ours },
	{ "the last x87 instruction is an original one", test_x87 },
	{ "what a sender passes is not touched", test_sent },
	{ "handlers without SA_SIGINFO, too, and flags stay", test_without_siginfo },
	{ "a backtrace has no additional frame", test_backtrace },
	{ "registers and stack are the kernel's", test_registers },
	{ "every function that sets a handler", test_apis },
	{ "queries and errors are libc's", test_queries },
	{ "nested signals, alternate stack", test_nested },
	{ "siglongjmp out of handlers", test_longjmp },
	{ "a hundred thousand signals", test_storm },
	{ "a thunk may be called by others", test_called_thunk },
	{ "what an inlined call owes is paid", test_owed },
	{ "what cannot be paid is left", test_unpayable },
	{ "more handlers than thunks", test_exhaustion },
	{ "vfork and fork children", test_children },
	{ "concurrent settings do not mix", test_concurrent },
	{ "no system call is added", test_system_calls },
	{ "handlers that were there before", test_existing },
	{ "asynchronous cancellation withdraws", test_cancel },
};

int main(void)
{
	make_copy();
	return UNIT_RUN("signals", tests);
}
