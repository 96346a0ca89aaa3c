// SPDX-License-Identifier: MIT
// Programs built with a sanitizer run to their end without a complaint, and a child that
// makes a mistake on purpose is caught and ends with the sanitizer's exit code.
#include "t_proc.h"
#include <pthread.h>
#include <signal.h>

/* One only: a runtime may hold several sanitizers, and the last one's options win. */
#if defined(CASE_TSAN)
#define OPTIONS __tsan_default_options
#elif defined(CASE_UBSAN)
#define OPTIONS __ubsan_default_options
#else
#define OPTIONS __asan_default_options
#endif

const char *OPTIONS(void);

const char *OPTIONS(void)
{
	return "exitcode=23:halt_on_error=1";
}

static uint64_t counter;

static T_UNUSED void *racing(void *unused)
{
	for (int i = 0; i < 1000; i++)
		++*(volatile uint64_t *)&counter;
	return unused;
}

static T_NOINLINE void mistake(unsigned n)
{
#if defined(CASE_TSAN)
	pthread_t a, b;

	(void)n;
	pthread_create(&a, NULL, racing, NULL);
	pthread_create(&b, NULL, racing, NULL);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
#elif defined(CASE_UBSAN)
	volatile int big = 0x7fffffff;

	big = big + (int)n;
#else
	volatile char *p = malloc(n);

	p[n] = 1;
	free((void *)p);
#endif
}

static void *body(void *sum)
{
	CHECK(t_hot(100) == *(uint64_t *)sum);
	return NULL;
}

int main(void)
{
	uint64_t sum = t_hot(100);
	pthread_t thread;

	for (int i = 0; i < 10; i++) {
		CHECK(!pthread_create(&thread, NULL, body, &sum));
		CHECK(!pthread_join(thread, NULL));
	}
	for (int i = 0; i < 3; i++) {
		pid_t child = fork();

		CHECK(child >= 0);
		if (!child) {
			CHECK(freopen("/dev/null", "w", stderr)); /* the report has addresses */
			t_hot(100);
			mistake(30);
			exit(1);
		}
#ifdef CASE_UBSAN
		CHECK(t_wait(child) != 1); /* GCC's own exit code differs */
#else
		CHECK(t_wait(child) == 23);
#endif
	}
	return t_ok(sum);
}
