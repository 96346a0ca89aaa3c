/* SPDX-License-Identifier: MIT */
/*
 * native.c - see native.h. The switch is written in assembler, because nothing of the host's state may be
 * assumed on either side of it. iretq loads rip, flags and rsp at once, so that the trap flag
 * takes effect at the first foreign instruction. Until the handler has given fs back to libc, it may use no thread-local
 * storage: this file is compiled without stack protector, and the handler calls nothing before.
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include "native.h"

#define WATCHDOG_TICK_US 20000
#define WATCHDOG_TICKS 4
#define XSTATE_BV 512 /* offset of the header; SDM 1, 13.4.2 */
#define XSAVE_PARTS 0xe7u /* x87, SSE, AVX, the three of AVX-512; the assembler's constant too */

struct native native;
static u8 signal_stack[65536];
static u32 ticks_of_run, ticks_serial;

/* Offsets for the assembler below. */
#define OFF_GPR 0
#define OFF_RIP 128
#define OFF_RFLAGS 136
#define OFF_XSAVE 192
#define OFF_OUT (192 + NATIVE_XSAVE_MAX)
#define OFF_HOST_RSP (2 * OFF_OUT)
static_assert(offsetof(struct native_state, rip) == OFF_RIP, "layout");
static_assert(offsetof(struct native_state, xsave) == OFF_XSAVE, "layout");
static_assert(offsetof(struct native, out) == OFF_OUT, "layout");
static_assert(offsetof(struct native, host_rsp) == OFF_HOST_RSP, "layout");

#define STR_(x) #x
#define STR(x) STR_(x)
#define OUT(off) "native+" STR(OFF_OUT) "+" STR(off) "(%rip)"
#define HOST(n) "native+2*(" STR(OFF_OUT) ")+" STR(n) "(%rip)"

void native_enter(void);
void native_probe(void); /* two NOPs, and the end of the run */
void native_leave(void);

/* clang-format off */
__asm__(".text\n"
        ".globl native_enter, native_probe, native_exit, native_leave\n"
        ".hidden native_enter, native_probe, native_exit, native_leave\n"
        "native_enter:\n"
        "	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
        "	mov %rsp, " HOST(0) "\n"
        "	lea native(%rip), %rdi\n"
        "	mov $0xe7, %eax\n	xor %edx, %edx\n"
        "	xrstor64 192(%rdi)\n"
        "	mov %ss, %eax\n	push %rax\n"
        "	push 32(%rdi)\n	push 136(%rdi)\n"
        "	mov %cs, %eax\n	push %rax\n"
        "	push 128(%rdi)\n"
        "	mov 0(%rdi), %rax\n	mov 8(%rdi), %rcx\n	mov 16(%rdi), %rdx\n"
        "	mov 24(%rdi), %rbx\n	mov 40(%rdi), %rbp\n	mov 48(%rdi), %rsi\n"
        "	mov 64(%rdi), %r8\n	mov 72(%rdi), %r9\n	mov 80(%rdi), %r10\n"
        "	mov 88(%rdi), %r11\n	mov 96(%rdi), %r12\n	mov 104(%rdi), %r13\n"
        "	mov 112(%rdi), %r14\n	mov 120(%rdi), %r15\n	mov 56(%rdi), %rdi\n"
        "	iretq\n"

        "native_probe:\n"
        "	nop\n	nop\n"

        "native_exit:\n"
        "	mov %rax, " OUT(0) "\n	mov %rcx, " OUT(8) "\n	mov %rdx, " OUT(16) "\n"
        "	mov %rbx, " OUT(24) "\n	mov %rsp, " OUT(32) "\n	mov %rbp, " OUT(40) "\n"
        "	mov %rsi, " OUT(48) "\n	mov %rdi, " OUT(56) "\n	mov %r8, " OUT(64) "\n"
        "	mov %r9, " OUT(72) "\n	mov %r10, " OUT(80) "\n	mov %r11, " OUT(88) "\n"
        "	mov %r12, " OUT(96) "\n	mov %r13, " OUT(104) "\n	mov %r14, " OUT(112) "\n"
        "	mov %r15, " OUT(120) "\n"
        "	mov " HOST(0) ", %rsp\n"
        "	pushfq\n	pop %rax\n	mov %rax, " OUT(136) "\n"
        "	pushq $0x202\n	popfq\n"
        "	mov $0xe7, %eax\n	xor %edx, %edx\n"
        "	lea native+" STR(OFF_OUT) "(%rip), %rdi\n"
        "	xsave64 192(%rdi)\n"

        "native_leave:\n"
        "	mov " HOST(0) ", %rsp\n"
        "	pushq $0x202\n	popfq\n"
        "	fninit\n	vzeroupper\n"
        "	pushq $0x1f80\n	ldmxcsr (%rsp)\n	add $8, %rsp\n"
        "	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbp\n	pop %rbx\n"
        "	ret\n");
/* clang-format on */

/* ---- segment bases, by instructions where programs may use them (HWCAP2_FSGSBASE), else by the kernel ---- */

static inline void arch_prctl(long code, u64 argument)
{
	long result = SYS_arch_prctl;

	__asm__ volatile("syscall"
	                 : "+a"(result)
	                 : "D"(code), "S"(argument)
	                 : "rcx", "r11", "memory");
}

static inline struct native_bases bases_get(void)
{
	struct native_bases bases = { 0, 0 };

	if (native.has_fsgsbase) {
		__asm__ volatile("rdfsbase %0" : "=r"(bases.fs));
		__asm__ volatile("rdgsbase %0" : "=r"(bases.gs));
	} else {
		arch_prctl(ARCH_GET_FS, (u64)&bases.fs);
		arch_prctl(ARCH_GET_GS, (u64)&bases.gs);
	}
	return bases;
}

static inline void bases_set(const struct native_bases *bases)
{
	if (native.has_fsgsbase) {
		__asm__ volatile("wrfsbase %0" ::"r"(bases->fs) : "memory");
		__asm__ volatile("wrgsbase %0" ::"r"(bases->gs) : "memory");
	} else {
		arch_prctl(ARCH_SET_FS, bases->fs);
		arch_prctl(ARCH_SET_GS, bases->gs);
	}
}

static void take_context(const ucontext_t *uc)
{
	static const u8 order[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
		                      REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
		                      REG_R12, REG_R13, REG_R14, REG_R15 };
	const greg_t *regs = uc->uc_mcontext.gregs;
	struct native_state *out = &native.out;

	for (u32 i = 0; i < 16; i++)
		out->gpr[i] = (u64)regs[order[i]];
	out->rip = (u64)regs[REG_RIP];
	out->rflags = (u64)regs[REG_EFL];
	memcpy(out->xsave, uc->uc_mcontext.fpregs, native.xsave_size);
}

static bool watchdog_waits(void)
{
	if (ticks_serial != native.serial) {
		ticks_serial = native.serial;
		ticks_of_run = 0;
	}
	return ++ticks_of_run < WATCHDOG_TICKS;
}

static __attribute__((noreturn)) void leave(u32 kind)
{
	native.stop.kind = kind;
	__asm__ volatile("jmp native_leave");
	__builtin_unreachable();
}

/* A signal of the host itself: the default action, as if nobody had asked. */
static void host_signal(int signal_number)
{
	if (signal_number == SIGVTALRM)
		return;
	signal(signal_number, SIG_DFL);
}

static void on_signal(int signal_number, siginfo_t *info, void *context)
{
	const struct native_bases bases = bases_get();
	const ucontext_t *uc = context;

	bases_set(&native.host);
	if (!native.running) {
		host_signal(signal_number);
		return;
	}
	if (signal_number == SIGVTALRM && watchdog_waits()) {
		bases_set(&bases);
		return;
	}
	take_context(uc);
	native.out.fs = bases.fs;
	native.out.gs = bases.gs;
	if (signal_number == SIGVTALRM)
		leave(NATIVE_ENDLESS);
	if (signal_number == SIGTRAP && info->si_code == TRAP_TRACE && native.on_step) {
		if (!native.on_step())
			leave(NATIVE_ENOUGH);
		bases_set(&bases);
		return;
	}
	native.stop.signal = (u32)signal_number;
	native.stop.code = (u32)info->si_code;
	native.stop.trap = (u32)uc->uc_mcontext.gregs[REG_TRAPNO];
	native.stop.error = (u64)uc->uc_mcontext.gregs[REG_ERR];
	native.stop.addr = signal_number == SIGSEGV || signal_number == SIGBUS ? (u64)info->si_addr
	                                                                       : 0;
	leave(NATIVE_SIGNAL);
}

/* Bytes that belong to no component of this CPU (SDM 1, 13.4.3: components need not follow one another). */
static void clear_gaps(u8 *x)
{
	for (u32 at = XSTATE_BV + 64; at < native.xsave_size;) {
		u32 next = native.xsave_size;
		bool inside = false;

		for (u32 i = 2; i < 8 && !inside; i++) {
			if (!native.at[i])
				continue;
			inside = native.at[i] <= at && at < native.at[i] + native.size[i];
			if (inside)
				next = native.at[i] + native.size[i];
			else if (native.at[i] > at && native.at[i] < next)
				next = native.at[i];
		}
		if (!inside)
			memset(x + at, 0, next - at);
		at = next;
	}
}

void native_normalize(struct native_state *state)
{
	u8 *x = state->xsave;
	u64 bv;

	memcpy(&bv, x + XSTATE_BV, 8);
	if (!(bv & 1)) {
		memset(x, 0, 24);
		memset(x + 32, 0, 128);
		x[0] = 0x7f;
		x[1] = 0x03;
	}
	if (!(bv & 2))
		memset(x + 160, 0, 256);
	for (u32 i = 2; i < 8; i++) {
		if (native.at[i] && !(bv >> i & 1))
			memset(x + native.at[i], 0, native.size[i]);
	}
	memset(x + 28, 0, 4); /* which bits MXCSR has */
	memset(x + 416, 0, 96); /* reserved, and free for software: the kernel's signal frame */
	clear_gaps(x);
	memset(x + XSTATE_BV, 0, 64);
	memcpy(x + XSTATE_BV, &native.xsave_mask, 8); /* everything is written out now */
	/* The last x87 instruction's address and opcode, which has its ModRM, are those of the copy: nobody can keep them. */
	memset(x + 6, 0, 10);
	state->rflags &= RFLAGS_STATUS;
}

#define TRAP_OPCODE 6 /* #UD */
#define TRAP_STACK 12 /* #SS */
#define TRAP_PROTECTION 13 /* #GP */
#define NO_ADDRESS 0x8123456789abcdefull /* not canonical */

static bool is_address(u64 value)
{
	return (u64)((s64)(value << 16) >> 16) == value;
}

bool native_is_lost(const struct native_stop *stop, u64 rsp)
{
	return native.loses_rsp && stop->kind == NATIVE_SIGNAL && !is_address(rsp) &&
	       (stop->trap == TRAP_STACK || stop->trap == TRAP_PROTECTION ||
	        stop->trap == TRAP_OPCODE);
}

static bool step_on(void)
{
	return true;
}

/* Two NOPs, each of them trapped, with an rsp that is no address: nothing uses it. */
static bool loses_rsp(void)
{
	native.in = (struct native_state){ .rip = (u64)native_probe,
		                           .rflags = RFLAGS_FIXED | RFLAGS_TRAP,
		                           .fs = native.host.fs,
		                           .gs = native.host.gs };
	native.in.gpr[RSP] = NO_ADDRESS;
	native.on_step = step_on;
	native_run();
	native.on_step = NULL;
	return native.stop.kind == NATIVE_SIGNAL;
}

bool native_init(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGVTALRM };
	const stack_t stack = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };
	struct sigaction action = { .sa_sigaction = on_signal,
		                    .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };
	u32 a, b, c, d;

	native.has_fsgsbase = getauxval(AT_HWCAP2) & 2; /* HWCAP2_FSGSBASE */
	__cpuid_count(1, 0, a, b, c, d);
	if (!(c & bit_OSXSAVE) || !(c & bit_AVX)) {
		fprintf(stderr, "this CPU has no XSAVE or no AVX\n");
		return false;
	}
	__cpuid_count(0xd, 0, a, b, c, d);
	native.xsave_mask = a & XSAVE_PARTS;
	native.xsave_size = 576;
	for (u32 i = 2; i < 8; i++) {
		if (!(native.xsave_mask >> i & 1))
			continue;
		__cpuid_count(0xd, i, a, b, c, d);
		native.size[i] = a;
		native.at[i] = b;
		if (a + b > native.xsave_size)
			native.xsave_size = a + b;
	}
	if (native.xsave_size > NATIVE_XSAVE_MAX) {
		fprintf(stderr, "this CPU's state is larger than %d bytes\n", NATIVE_XSAVE_MAX);
		return false;
	}
	native.host = bases_get();
	sigaltstack(&stack, NULL);
	for (u32 i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	native.loses_rsp = loses_rsp();
	return true;
}

void native_watchdog(void)
{
	const struct timeval tick = { .tv_usec = WATCHDOG_TICK_US };
	const struct itimerval timer = { .it_interval = tick, .it_value = tick };

	setitimer(ITIMER_VIRTUAL, &timer, NULL);
}

void native_run(void)
{
	native.serial++;
	memset(&native.stop, 0, sizeof(native.stop));
	native.running = true;
	bases_set(&(struct native_bases){ native.in.fs, native.in.gs });
	native_enter();
	if (native.stop.kind == NATIVE_EXIT) { /* else the handler has done it */
		const struct native_bases bases = bases_get();

		bases_set(&native.host);
		native.out.fs = bases.fs;
		native.out.gs = bases.gs;
	}
	native.running = false;
}
