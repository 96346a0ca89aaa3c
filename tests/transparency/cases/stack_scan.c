// SPDX-License-Identifier: MIT
// A handler reads the interrupted stack, word by word, up to main's frame: no word points
// into executable memory that is not original code, and the frames that are known to be
// active are found there with their original return addresses.
#include "t_text.h"
#include <signal.h>
#include <time.h>
#include <ucontext.h>

static uintptr_t top, exec_start[1024], exec_end[1024];
static unsigned n_exec;
static volatile unsigned n_signals, n_returns;
extern const char after_inner[];

/* Executable memory, whatever it belongs to. */
static void read_maps(void)
{
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");

	CHECK(maps);
	n_exec = 0;
	while (fgets(line, sizeof(line), maps)) {
		unsigned long start, end;
		char flags[8];

		CHECK(sscanf(line, "%lx-%lx %7s", &start, &end, flags) == 3);
		if (flags[2] != 'x' || start > 0x7fffffffffff)
			continue;
		CHECK(n_exec < 1024);
		exec_start[n_exec] = start;
		exec_end[n_exec++] = end;
	}
	fclose(maps);
}

static int executable(uintptr_t word)
{
	for (unsigned i = 0; i < n_exec; i++)
		if (word >= exec_start[i] && word < exec_end[i])
			return 1;
	return 0;
}

/* Newer kernels (seen with Linux 6.18) may leave out what mremap is just replacing. */
static void read_executable(void)
{
	unsigned i;

	do {
		read_maps();
		for (i = 0; i < t_n_segments && executable(t_segments[i].start); i++)
			continue;
	} while (i < t_n_segments);
}

/* The loader computes numbers on the stack that may look like addresses in the code cache, and leaves them there. */
static T_NOINLINE void wipe_stack(void)
{
	char below[1 << 16], *at = below;
	size_t n = sizeof(below);

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(0) : "memory");
}

static void handler(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	uintptr_t at = (uintptr_t)uc->uc_mcontext.gregs[REG_RSP];

	(void)sig;
	(void)info;
	CHECK(at < top && (at & 7) == 0);
	for (; at < top; at += 8) {
		uintptr_t word = *(const uintptr_t *)at;

		if (!executable(word))
			continue;
		CHECK(t_text_of(word));
		if (word == (uintptr_t)after_inner)
			n_returns++;
	}
	n_signals++;
}

/* Its frame is always there while it calls t_hot: the return address is a label. */
static T_NOINLINE uint64_t known_frame(uint64_t n)
{
	uint64_t sum;

	__asm__ volatile("sub $128, %%rsp\n\t"
	                 "mov %%rsp, %%rbx\n\t"
	                 "and $-16, %%rsp\n\t"
	                 "call *%2\n\t"
	                 ".globl after_inner\nafter_inner:\n\t"
	                 "mov %%rbx, %%rsp\n\t"
	                 "add $128, %%rsp"
	                 : "=a"(sum), "+D"(n)
	                 : "r"(t_hot_from), "S"(20ul)
	                 : "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2",
	                   "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
	                   "xmm12", "xmm13", "xmm14", "xmm15", "cc", "memory");
	return sum;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerspec every = { { 0, 97000 }, { 0, 97000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	uint64_t sum = 0;
	timer_t timer;

	top = (uintptr_t)__builtin_frame_address(0) & ~7ul;
	t_text_read();
	read_executable();
	CHECK(!sigaction(SIGALRM, &action, NULL));
	known_frame(5); /* the loader is not asked later */
	wipe_stack();
	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK(!timer_settime(timer, 0, &every, NULL));
	while (n_signals < 2000)
		sum = known_frame(5);
	CHECK(!timer_settime(timer, 0, &never, NULL));
	CHECK(n_returns > 1000);
	return t_ok(sum);
}
