// SPDX-License-Identifier: MIT
// Handlers of SIGSEGV and SIGFPE throw, and the exception leaves from the faulting
// instruction: it must be found in a try block's range, so the context has to name the
// original instruction. Synchronous, thousands of times. GCC keeps such ranges with
// -fnon-call-exceptions; clang does not, so there the fault is in a function that has
// nothing to clean up.
#include "t.h"
#include <signal.h>
#include <stdexcept>
#include <sys/mman.h>

struct null_access {
	void *address;
};
struct division {
};

static unsigned n_gone;
struct cleanup {
	~cleanup()
	{
		n_gone++;
	}
};

static void handler(int sig, siginfo_t *info, void *)
{
	sigset_t unblock;

	sigemptyset(&unblock);
	sigaddset(&unblock, sig);
	sigprocmask(SIG_UNBLOCK, &unblock, nullptr);
	if (sig == SIGFPE)
		throw division();
	throw null_access{ info->si_addr };
}

#ifdef __clang__
#define CLEANUP_HERE
#define CLEANUP_OUTSIDE cleanup c
#else
#define CLEANUP_HERE cleanup c
#define CLEANUP_OUTSIDE
#endif

static T_NOINLINE uint64_t reading(const volatile uint64_t *p, unsigned n)
{
	CLEANUP_HERE;
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum = t_mix(sum, p[i]);
	return sum;
}

/* Not known to never throw. */
static uint64_t (*volatile via_pointer)(const volatile uint64_t *, unsigned) = reading;

static T_NOINLINE uint64_t caught(const uint64_t *p, unsigned n, const uint64_t *end)
{
	try {
		CLEANUP_OUTSIDE;
		return via_pointer(p, n);
	} catch (const null_access &e) {
		CHECK(e.address == (const void *)end);
		return 5;
	}
}

static T_NOINLINE uint64_t quotient(int a, int b)
{
	return (uint64_t)(a / b);
}

static uint64_t (*volatile via_quotient)(int, int) = quotient;

static T_NOINLINE uint64_t dividing(int a, int b)
{
	volatile uint64_t sum = 0;

	try {
		for (int i = 0; i < 10; i++)
			sum = sum + via_quotient(a, b - i);
	} catch (const division &) {
		sum = sum + 1000;
	}
	return sum;
}

int main()
{
	struct sigaction action = {};
	uint64_t sum = t_hot(100);
	char *page = (char *)mmap(nullptr, 8192, PROT_READ | PROT_WRITE,
	                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t *end = (uint64_t *)(page + 4096);

	CHECK(page != MAP_FAILED && !mprotect(end, 4096, PROT_NONE));
	action.sa_sigaction = handler;
	action.sa_flags = SA_SIGINFO;
	CHECK(!sigaction(SIGSEGV, &action, nullptr) && !sigaction(SIGFPE, &action, nullptr));
	for (unsigned i = 0; i < 2000; i++) {
		const uint64_t *start = end - 16;

		sum = t_mix(sum, caught(start, i & 1 ? 16 : 17 + i % 7, end));
		if (i % 4 == 0)
			sum = t_mix(sum, dividing((int)i, (int)(i % 20)));
	}
	CHECK(n_gone == 2000);
	return t_ok(sum);
}
