// SPDX-License-Identifier: MIT
// backtrace() and the unwinder below it name the program's own functions, in order, from
// ordinary code, from a handler of a synchronous fault and from one that interrupts hot
// code; dladdr finds the same names; no frame is missing or added.
#include "t_text.h"
#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <time.h>
#include <ucontext.h>

static volatile unsigned n_seen, n_signals;
static volatile int mode;
static uint64_t *guard;
uint64_t outer(unsigned n), middle(unsigned n), inner(unsigned n);

static const char *name_of(void *address)
{
	Dl_info info;

	if (!dladdr(address, &info) || !info.dli_sname)
		return "?";
	return info.dli_sname;
}

/* The frames are exactly these, innermost first. */
static void frames_are(void **frames, int n, const char *const *names)
{
	int i;

	for (i = 0; names[i]; i++) {
		CHECK(i < n);
		if (!strcmp(names[i], "*"))
			continue;
		if (strcmp(name_of((char *)frames[i] - 1), names[i])) {
			fprintf(stderr, "frame %d is %s, not %s\n", i,
			        name_of((char *)frames[i] - 1), names[i]);
			CHECK(0);
		}
	}
}

__attribute__((noinline)) uint64_t inner(unsigned n)
{
	static const char *const expected[] = { "inner", "middle", "outer", "main", NULL };
	void *frames[64];
	int depth;

	if (mode == 1)
		return *(volatile uint64_t *)guard + n;
	depth = backtrace(frames, 64);
	CHECK(depth >= 6 && depth < 64);
	for (int i = 0; i < depth - 1; i++)
		CHECK(t_text_original((uintptr_t)frames[i]));
	frames_are(frames, depth, expected);
	n_seen++;
	return n + (uint64_t)depth;
}

__attribute__((noinline)) uint64_t middle(unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < 3; i++)
		sum += inner(n + i) * 3;
	return sum;
}

__attribute__((noinline)) uint64_t outer(unsigned n)
{
	uint64_t sum = middle(n);

	return sum ^ middle(n + 1);
}

void on_fault(int sig, siginfo_t *info, void *context);
void on_fault(int sig, siginfo_t *info, void *context)
{
	/* The second one is the trampoline that the handler returns to. */
	static const char *const expected[] = { "on_fault", "*",    "inner", "middle",
		                                "outer",    "main", NULL };
	ucontext_t *uc = context;
	void *frames[64];
	int depth = backtrace(frames, 64);

	(void)sig;
	(void)info;
	for (int i = 0; i < depth - 1; i++)
		CHECK(t_text_original((uintptr_t)frames[i]));
	/* The interrupted frame holds the instruction itself, not the one behind it. */
	CHECK(frames[2] == (void *)uc->uc_mcontext.gregs[REG_RIP]);
	frames[2] = (char *)frames[2] + 1;
	frames_are(frames, depth, expected);
	n_seen++;
	CHECK(!mprotect(guard, 4096, PROT_READ));
	mode = 2;
}

void on_timer(int sig);
void on_timer(int sig)
{
	void *frames[64];
	int depth = backtrace(frames, 64), has_main = 0;

	(void)sig;
	CHECK(depth > 3);
	for (int i = 0; i < depth - 1; i++) {
		CHECK(t_text_original((uintptr_t)frames[i]));
		has_main |= !strcmp(name_of(frames[i]), "main");
	}
	CHECK(has_main);
	n_signals++;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	struct itimerspec every = { { 0, 311000 }, { 0, 311000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	timer_t timer;
	uint64_t sum = t_hot(50);
	void *frames[64];

	t_text_read();
	backtrace(frames, 64);
	for (unsigned i = 0; i < 300; i++)
		sum = t_mix(sum, outer(i));
	CHECK(n_seen == 1800);
	guard = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(guard != MAP_FAILED && !sigaction(SIGSEGV, &action, NULL));
	for (unsigned i = 0; i < 200; i++) {
		CHECK(!mprotect(guard, 4096, PROT_NONE));
		mode = 1;
		sum = t_mix(sum, outer(i) & 0);
	}
	CHECK(n_seen > 1800 + 200);
	signal(SIGALRM, on_timer);
	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK(!timer_settime(timer, 0, &every, NULL));
	while (n_signals < 500)
		t_hot(50);
	CHECK(!timer_settime(timer, 0, &never, NULL));
	printf("%u\n", n_seen);
	return t_ok(sum);
}
