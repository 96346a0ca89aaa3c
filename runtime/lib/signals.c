/* SPDX-License-Identifier: MIT */
/*
 * signals.c - the thunks that stand between the kernel and the program's handlers.
 *
 * Each different handler of the program gets a thunk of its own, and the thunk's address is what
 * the kernel is told. So which handler a signal has, with which mask and flags, is the kernel's knowledge alone:
 * there is no second copy that could contradict it. What follows from that:
 *   concurrent settings   are ordered by the kernel, as without dynopt
 *   a vfork child         shares the memory but not the kernel's table: its settings only ever add thunks
 *   a fork child          has a copy of both
 *   SA_RESETHAND          the kernel resets, and the next query says so
 *   a raw rt_sigaction    reads a thunk, may save it and put it back
 * Invariant: handlers[i] is written once, from 0 to a handler, and thunk i calls handlers[i] for ever.
 * Lock-free, no system call, no allocation: setting a handler stays async-signal-safe.
 *
 * A thunk mends what the handler will see and *jumps* to it with every register and the stack as the kernel
 * left them: the handler's caller is libc's restorer, a backtrace has no frame of dynopt's. It may be called by somebody
 * else, who read it with a raw rt_sigaction and calls it with arguments of his own: what comes from the kernel is known by
 * its frame (the ucontext begins 8 bytes above the stack pointer), anything else goes on to the handler untouched.
 *
 * Past SIGNALS_THUNKS different handlers, each signal has SIGNALS_TURNS more thunks that are used in turn, so
 * that the one that the kernel returns as the old setting still holds the old handler. That goes wrong only where more than so many
 * threads set one signal at the same moment, or a vfork child sets one so often.
 */
#include "signals.h"
#include "fault.h"
#include "host.h"
#include "signals_private.h"
#include "store.h"
#include "sys.h"
#include "world.h"

#include <stdatomic.h>
#include <ucontext.h>

#define HIDDEN __attribute__((visibility("hidden")))
#define N_SIGNALS 65 /* 1 to 64 */
#define TRAP_GENERAL 13 /* SDM 3A, 6.15 */
#define TRAP_PAGE_FAULT 14
#define N_THUNKS (SIGNALS_THUNKS + 65 * SIGNALS_TURNS)
#define TEXT_OF(x) #x
#define NUMBER(x) TEXT_OF(x)
#define SIZE NUMBER(SIGNALS_THUNK_SIZE)
#define COUNT NUMBER(N_THUNKS)

static _Atomic uintptr_t handlers[N_THUNKS];
static atomic_uchar turns[N_SIGNALS];

extern const char dynopt_signal_resume[] HIDDEN;
extern const char dynopt_signal_thunks[] HIDDEN, dynopt_signal_thunks_end[] HIDDEN;
HIDDEN uintptr_t dynopt_signal_handler(int sig, siginfo_t *info, ucontext_t *context, u64 index,
                                       uintptr_t entry_sp);

/*
 * Thunk i: push i; jmp. For unwinders, the CFA is rsp+8, and 8 more from the fifth byte of a thunk on (the same
 * expression as linkers write for the PLT).
 */
__asm__(".pushsection .text\n"
        ".balign " SIZE "\n"
        ".globl dynopt_signal_thunks\n.hidden dynopt_signal_thunks\n"
        ".type dynopt_signal_thunks, @function\n"
        "dynopt_signal_thunks:\n"
        ".cfi_startproc\n"
        /* def_cfa_expression, 11 bytes: rsp + 8 + (((rip & 15) >= 5) << 3) */
        ".cfi_escape 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x35, 0x2a, 0x33, 0x24, 0x22\n"
        ".set signal_index, 0\n"
        ".rept " COUNT "\n"
        ".byte 0x68\n.long signal_index\n" /* 68 id: push imm32 */
        "jmp signal_enter\n"
        ".balign " SIZE ", 0xcc\n"
        ".set signal_index, signal_index + 1\n"
        ".endr\n"
        ".cfi_endproc\n"
        ".size dynopt_signal_thunks, . - dynopt_signal_thunks\n"
        ".globl dynopt_signal_thunks_end\n.hidden dynopt_signal_thunks_end\n"
        "dynopt_signal_thunks_end:\n"
        ".type signal_enter, @function\n"
        "signal_enter:\n"
        ".cfi_startproc\n"
        ".cfi_def_cfa_offset 16\n"
        "push %rax\n.cfi_adjust_cfa_offset 8\n"
        "push %rcx\n.cfi_adjust_cfa_offset 8\n"
        "push %rdx\n.cfi_adjust_cfa_offset 8\n"
        "push %rsi\n.cfi_adjust_cfa_offset 8\n"
        "push %rdi\n.cfi_adjust_cfa_offset 8\n"
        "push %r8\n.cfi_adjust_cfa_offset 8\n"
        "push %r9\n.cfi_adjust_cfa_offset 8\n"
        "push %r10\n.cfi_adjust_cfa_offset 8\n"
        "push %r11\n.cfi_adjust_cfa_offset 8\n"
        "sub $8, %rsp\n.cfi_adjust_cfa_offset 8\n"
        "mov 80(%rsp), %rcx\n"
        "lea 88(%rsp), %r8\n"
        "call dynopt_signal_handler\n"
        "mov %rax, 80(%rsp)\n"
        "add $8, %rsp\n.cfi_adjust_cfa_offset -8\n"
        "pop %r11\n.cfi_adjust_cfa_offset -8\n"
        "pop %r10\n.cfi_adjust_cfa_offset -8\n"
        "pop %r9\n.cfi_adjust_cfa_offset -8\n"
        "pop %r8\n.cfi_adjust_cfa_offset -8\n"
        "pop %rdi\n.cfi_adjust_cfa_offset -8\n"
        "pop %rsi\n.cfi_adjust_cfa_offset -8\n"
        "pop %rdx\n.cfi_adjust_cfa_offset -8\n"
        "pop %rcx\n.cfi_adjust_cfa_offset -8\n"
        "pop %rax\n.cfi_adjust_cfa_offset -8\n"
        "lea 8(%rsp), %rsp\n.cfi_adjust_cfa_offset -8\n"
        "jmp *-8(%rsp)\n" /* in the red zone: a signal that comes now leaves it alone */
        ".cfi_endproc\n"
        ".size signal_enter, . - signal_enter\n"
        /* A handler that does nothing: back to the context, as it is mended. */
        ".type dynopt_signal_resume, @function\n"
        ".globl dynopt_signal_resume\n.hidden dynopt_signal_resume\n"
        "dynopt_signal_resume:\n"
        ".cfi_startproc\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size dynopt_signal_resume, . - dynopt_signal_resume\n"
        ".popsection\n");

static_assert(N_THUNKS == SIGNALS_THUNKS + N_SIGNALS * SIGNALS_TURNS, "a thunk for every entry");

/* Signals that come of what an instruction does: a handler may decode it, to mend or to skip it. */
static bool is_fault(int sig)
{
	return sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE || sig == SIGILL;
}

/* Signals whose siginfo may name the instruction; si_call_addr of SIGSYS lies where si_addr does. */
static bool names_instruction(int sig)
{
	return sig == SIGILL || sig == SIGFPE || sig == SIGTRAP || sig == SIGSYS;
}

/*
 * Memory as mend() touches it: the page that has just faulted is left alone, the program knows of it already. Where the stack ends, what is
 * owed may lie in another page that is none (docs/engine.md): the kernel is asked, which fails instead of faulting.
 */
struct faulted {
	u64 page; /* of SIGSEGV and SIGBUS; 1: none */
};

#define STACK_AHEAD (2u << 20) /* the stack of inlined calls is at most that deep (frames.c) */

static bool load_word(void *ctx, u64 addr, u64 *value)
{
	(void)ctx;
	*value = *(const u64 *)(uintptr_t)addr;
	return true;
}

/* Can the word be written? Where it can, it is another one afterwards: this thread's signal mask. */
static bool is_writable(u64 addr)
{
	return !sys_failed(sys6(SYS_rt_sigprocmask, SIG_BLOCK, 0, (long)addr, sizeof(u64), 0, 0));
}

static bool store_word(void *ctx, u64 addr, u64 value)
{
	const struct faulted *faulted = ctx;

	if ((addr & PAGE_MASK) == faulted->page || ((addr + 7) & PAGE_MASK) == faulted->page)
		return false;
	if (faulted->page != 1 && addr - faulted->page < STACK_AHEAD && !is_writable(addr))
		return false;
	*(u64 *)(uintptr_t)addr = value;
	return true;
}

static const u8 gpr_place[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
	                          REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
	                          REG_R12, REG_R13, REG_R14, REG_R15 };

static void read_gpr(const mcontext_t *m, u64 gpr[16])
{
	for (u32 i = 0; i < 16; i++)
		gpr[i] = (u64)m->gregs[gpr_place[i]];
}

/* What the translation owes the original (state.h) is paid. What is owed lies above the kernel's frame: the red zone is kept. */
static void pay(const struct store_hit *hit, const struct faulted *faulted, mcontext_t *m)
{
	struct state_memory memory = { load_word, store_word, (void *)faulted };
	u64 gpr[16];

	read_gpr(m, gpr);
	state_apply(hit->state, hit->pendings, hit->base, gpr, &memory);
	for (u32 i = 0; i < 16; i++)
		m->gregs[gpr_place[i]] = (greg_t)gpr[i];
}

/* A fault at m's rip, which lies in a translation. */
static struct fault note_fault(int sig, const mcontext_t *m, const struct store_hit *hit)
{
	struct fault fault = {
		.sig = sig,
		.page = m->gregs[REG_TRAPNO] == TRAP_PAGE_FAULT,
		.general = m->gregs[REG_TRAPNO] == TRAP_GENERAL,
		.addr = (u64)m->gregs[REG_CR2],
		.at = (u64)m->gregs[REG_RIP],
		.origin = hit->origin,
		.base = hit->base,
	};

	read_gpr(m, fault.gpr_at);
	return fault;
}

/* False: a fault that the original would not have had. The program goes on there, and its handler is not to hear of it. */
static bool mend(int sig, siginfo_t *info, ucontext_t *context)
{
	mcontext_t *m = &context->uc_mcontext;
	/* From the context, which is always filled in, unlike *info. */
	bool page_fault = (sig == SIGSEGV || sig == SIGBUS) &&
	                  m->gregs[REG_TRAPNO] == TRAP_PAGE_FAULT;
	struct faulted faulted = { page_fault ? (u64)m->gregs[REG_CR2] & PAGE_MASK : 1 };
	bool inside;
	struct fault fault;
	struct store_hit hit;
	u64 origin;

	inside = store_find((u64)m->gregs[REG_RIP], &hit);
	if (inside) {
		fault = note_fault(sig, m, &hit);
		if (hit.state)
			pay(&hit, &faulted, m);
		m->gregs[REG_RIP] = (greg_t)hit.origin;
	}
	if (is_fault(sig))
		host_show_original((u64)m->gregs[REG_RIP]);
	/* The last x87 instruction; not there for a task that never used it. */
	if (m->fpregs && store_origin(m->fpregs->rip, &origin))
		m->fpregs->rip = origin;
	/* Without SA_SIGINFO the kernel leaves *info unwritten: then this may change what nobody reads. */
	if (names_instruction(sig) && info->si_code > 0 &&
	    store_origin((u64)(uintptr_t)info->si_addr, &origin))
		info->si_addr = (void *)(uintptr_t)origin;
	if (!inside || !is_fault(sig))
		return true;
	read_gpr(m, fault.gpr);
	return !host_fault_is_ours(&fault);
}

/*
 * Called by the thunks. The kernel passes info and context to every handler, with or without SA_SIGINFO, so flags
 * stay what the program asked for. entry_sp: stack pointer when the thunk was entered.
 */
__attribute__((used)) uintptr_t dynopt_signal_handler(int sig, siginfo_t *info, ucontext_t *context,
                                                      u64 index, uintptr_t entry_sp)
{
	/* struct rt_sigframe: restorer, ucontext, siginfo */
	if ((uintptr_t)context == entry_sp + sizeof(void *) && !mend(sig, info, context))
		return (uintptr_t)dynopt_signal_resume;
	return atomic_load_explicit(&handlers[index], memory_order_acquire);
}

static bool is_thunk(uintptr_t handler)
{
	return handler >= (uintptr_t)dynopt_signal_thunks &&
	       handler < (uintptr_t)dynopt_signal_thunks_end;
}

static uintptr_t thunk(size_t index)
{
	return (uintptr_t)dynopt_signal_thunks + index * SIGNALS_THUNK_SIZE;
}

uintptr_t signals_unwrap(uintptr_t handler)
{
	size_t index;

	if (!is_thunk(handler))
		return handler;
	index = (handler - (uintptr_t)dynopt_signal_thunks) / SIGNALS_THUNK_SIZE;
	return atomic_load_explicit(&handlers[index], memory_order_acquire);
}

static bool is_word(uintptr_t handler)
{
	return handler == (uintptr_t)SIG_DFL || handler == (uintptr_t)SIG_IGN ||
	       handler == (uintptr_t)SIG_HOLD || handler == (uintptr_t)SIG_ERR;
}

uintptr_t signals_wrap(int sig, uintptr_t handler)
{
	size_t at = (size_t)((handler * 0x9e3779b97f4a7c15u) >> 32) % SIGNALS_THUNKS;

	if (is_word(handler) || is_thunk(handler) || sig < 1 || sig >= N_SIGNALS)
		return handler;
	for (size_t n = 0; n < SIGNALS_THUNKS; n++, at = (at + 1) % SIGNALS_THUNKS) {
		uintptr_t there = 0;

		if (atomic_compare_exchange_strong_explicit(&handlers[at], &there, handler,
		                                            memory_order_acq_rel,
		                                            memory_order_acquire) ||
		    there == handler)
			return thunk(at);
	}
	at = SIGNALS_THUNKS + (size_t)sig * SIGNALS_TURNS +
	     atomic_fetch_add_explicit(&turns[sig], 1, memory_order_relaxed) % SIGNALS_TURNS;
	atomic_store_explicit(&handlers[at], handler, memory_order_release);
	return thunk(at);
}

static bool same_setting(const struct sigaction *a, const struct sigaction *b)
{
	return a->sa_handler == b->sa_handler && a->sa_flags == b->sa_flags &&
	       memcmp(&a->sa_mask, &b->sa_mask, sizeof(u64)) == 0;
}

/*
 * Wraps what was set before this library could see it. Another thread may set the same signal meanwhile: what was
 * replaced then is not what was read, and is put back, wrapped.
 */
static void wrap_existing(int sig)
{
	struct sigaction expected = { 0 }, wrapped, replaced = { 0 };

	if (signals_real_sigaction(sig, NULL, &expected) != 0)
		return;
	for (;;) {
		uintptr_t handler = (uintptr_t)expected.sa_handler;

		if (is_word(handler) || is_thunk(handler))
			return;
		wrapped = expected;
		wrapped.sa_handler = (void (*)(int))signals_wrap(sig, handler);
		if (signals_real_sigaction(sig, &wrapped, &replaced) != 0 ||
		    same_setting(&replaced, &expected))
			return;
		if (is_word((uintptr_t)replaced.sa_handler) ||
		    is_thunk((uintptr_t)replaced.sa_handler)) {
			signals_real_sigaction(sig, &replaced, NULL);
			return;
		}
		expected = replaced;
	}
}

void signals_start(void)
{
	for (int sig = 1; sig < N_SIGNALS; sig++)
		wrap_existing(sig);
}
