// SPDX-License-Identifier: MIT
// setjmp, _setjmp, sigsetjmp and their longjmps, thousands of times: up the stack from
// deep in hot code, out of a qsort comparison, with and without the signal mask, kept
// registers and volatile variables included; __builtin_setjmp as well.
#include "t.h"
#include <setjmp.h>
#include <signal.h>

static jmp_buf buffer, outer;
static sigjmp_buf signal_buffer;
static unsigned n_compared;

#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Winfinite-recursion"
#pragma GCC diagnostic ignored "-Wclobbered"

static T_NOINLINE uint64_t deep(uint64_t x, unsigned depth)
{
	if (!depth)
		longjmp(buffer, (int)(x & 0xff) + 1);
	x = t_switch(x, (unsigned)x & 7);
	return deep(x, depth - 1) + x;
}

static int leaving(const void *a, const void *b)
{
	if (++n_compared == 40)
		longjmp(outer, 7);
	return t_compare(a, b);
}

static T_NOINLINE uint64_t up(uint64_t seed)
{
	volatile uint64_t sum = seed;

	for (volatile unsigned i = 0; i < 3000; i++) {
		int value = setjmp(buffer);

		if (!value)
			deep(sum, i % 40);
		sum = t_mix(sum, (uint64_t)value);
	}
	return sum;
}

static T_NOINLINE uint64_t out_of_sort(void)
{
	volatile uint64_t sum = 0;
	uint32_t words[100];

	for (volatile unsigned i = 0; i < 300; i++) {
		for (unsigned k = 0; k < 100; k++)
			words[k] = (uint32_t)t_mix(i, k);
		n_compared = 0;
		switch (_setjmp(outer)) {
		case 0:
			qsort(words, 100, 4, leaving);
			CHECK(0);
			break;
		case 7:
			sum++;
			break;
		default:
			CHECK(0);
		}
	}
	return sum;
}

static void from_signal(int sig)
{
	siglongjmp(signal_buffer, sig);
}

static T_NOINLINE void masks(void)
{
	sigset_t now;

	CHECK(signal(SIGUSR1, from_signal) != SIG_ERR);
	for (volatile unsigned i = 0; i < 500; i++) {
		int keep = i & 1;

		if (!sigsetjmp(signal_buffer, keep)) {
			t_hot(2);
			raise(SIGUSR1);
			CHECK(0);
		}
		CHECK(!sigprocmask(SIG_BLOCK, NULL, &now));
		CHECK(sigismember(&now, SIGUSR1) == !(i & 1));
		sigemptyset(&now);
		sigaddset(&now, SIGUSR1);
		CHECK(!sigprocmask(SIG_UNBLOCK, &now, NULL));
	}
}

static void *builtin_buffer[5];

static T_NOINLINE void builtin_jump(unsigned depth)
{
	if (depth)
		builtin_jump(depth - 1);
	__builtin_longjmp(builtin_buffer, 1);
}

static T_NOINLINE uint64_t builtin(void)
{
	volatile uint64_t n = 0;

	for (volatile unsigned i = 0; i < 2000; i++) {
		if (!__builtin_setjmp(builtin_buffer))
			builtin_jump(i & 7);
		n++;
	}
	return n;
}

int main(void)
{
	uint64_t sum = t_hot(100);

	sum = t_mix(sum, up(3));
	CHECK(out_of_sort() == 300);
	masks();
	CHECK(builtin() == 2000);
	return t_ok(sum);
}
