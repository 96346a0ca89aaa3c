// SPDX-License-Identifier: MIT
// Floating point and vectors: x87 and its control word, rounding modes and flags of SSE,
// denormals, the MXCSR kept through hot code and signals, SSE to AVX-512 chosen at run
// time, ifuncs of the program's own, and upper halves that must survive.
#include "t.h"
#include <fenv.h>
#include <float.h>
#include <immintrin.h>
#include <math.h>
#include <signal.h>
#include <time.h>

static volatile unsigned n_signals;

static T_NOINLINE double divide(double a, double b)
{
	/* Not to be computed at another time, the flags are part of the result. */
	__asm__ volatile("divsd %1, %0" : "+x"(a) : "x"(b) : "memory");
	return a;
}

static T_NOINLINE long double series(unsigned n)
{
	long double sum = 0;

	for (unsigned i = 1; i <= n; i++)
		sum += 1.0L / ((long double)i * i);
	return sum;
}

static uint64_t rounding(void)
{
	static const int modes[] = { FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO };
	uint64_t sum = 0;

	for (unsigned i = 0; i < 400; i++) {
		double q;
		uint64_t word;

		CHECK(!fesetround(modes[i % 4]));
		feclearexcept(FE_ALL_EXCEPT);
		q = divide(1.0 + i, 3.0 + (double)(i % 7));
		memcpy(&word, &q, 8);
		sum = t_mix(sum, word + (uint64_t)!!fetestexcept(FE_INEXACT));
		sum = t_mix(sum, (uint64_t)(series(20) * 1e15L));
		sum = t_mix(sum, (uint64_t)lrint(q * 1000));
		CHECK(fegetround() == modes[i % 4]);
		q += divide(1.0, 0.0 * i);
		CHECK(fetestexcept(FE_DIVBYZERO | FE_INVALID));
	}
	CHECK(!fesetround(FE_TONEAREST));
	feclearexcept(FE_ALL_EXCEPT);
	return sum;
}

static uint64_t denormals(void)
{
	unsigned saved = _mm_getcsr();
	uint64_t sum = 0;

	for (unsigned i = 0; i < 200; i++) {
		double tiny;

		_mm_setcsr(saved | (i & 1 ? 0x8040u : 0));
		tiny = divide(DBL_MIN, 16.0 + i);
		CHECK((tiny == 0) == (i & 1));
		CHECK((_mm_getcsr() & 0x8040) == (i & 1 ? 0x8040u : 0));
		sum += tiny != 0;
	}
	_mm_setcsr(saved);
	return sum;
}

static uint64_t x87(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < 500; i++) {
		double results[3];
		uint16_t control, saved;
		long double x = 1.0L + i;

		__asm__ volatile("fnstcw %0" : "=m"(saved));
		control = (uint16_t)((saved & ~0xf00) |
		                     (i % 2 ? 0x200 : 0xf00)); /* precision, rounding */
		__asm__ volatile("fldcw %4\n\t"
		                 "fld1\n\tfldt %3\n\tfdivrp\n\t"
		                 "fldpi\n\tfmul %%st(1), %%st\n\tfstpl %1\n\t"
		                 "fld %%st(0)\n\tfsqrt\n\tfxch\n\tfstpl %0\n\tfstpl %2\n\t"
		                 "fldcw %5"
		                 : "=m"(results[0]), "=m"(results[1]), "=m"(results[2])
		                 : "m"(x), "m"(control), "m"(saved)
		                 : "memory");
		for (int k = 0; k < 3; k++) {
			uint64_t word;

			memcpy(&word, &results[k], 8);
			sum = t_mix(sum, word);
		}
	}
	return sum;
}

static float a[64], b[64], c[64];

__attribute__((noinline)) static void kernel_sse(unsigned n)
{
	for (unsigned i = 0; i < n; i += 4)
		_mm_storeu_ps(c + i,
		              _mm_add_ps(_mm_mul_ps(_mm_loadu_ps(a + i), _mm_loadu_ps(b + i)),
		                         _mm_loadu_ps(c + i)));
}

__attribute__((noinline, target("avx2"))) static void kernel_avx2(unsigned n)
{
	for (unsigned i = 0; i < n; i += 8) {
		__m256 x = _mm256_mul_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i));
		__m256i y = _mm256_castps_si256(_mm256_add_ps(x, _mm256_loadu_ps(c + i)));

		y = _mm256_permute4x64_epi64(_mm256_permute4x64_epi64(y, 0x4e), 0x4e);
		_mm256_storeu_ps(c + i, _mm256_castsi256_ps(y));
	}
}

__attribute__((noinline, target("avx512f"))) static void kernel_avx512(unsigned n)
{
	for (unsigned i = 0; i < n; i += 16) {
		__mmask16 m =
			_mm512_cmp_ps_mask(_mm512_loadu_ps(a + i), _mm512_setzero_ps(), _CMP_GE_OQ);
		__m512 x = _mm512_mul_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i));

		_mm512_mask_storeu_ps(c + i, m, _mm512_add_ps(x, _mm512_loadu_ps(c + i)));
	}
}

/* SSE code between AVX code keeps the upper halves; a signal may come in between. */
__attribute__((noinline, target("avx2"))) static uint64_t upper_halves(uint64_t n)
{
	uint64_t bad = 0;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t out[4];
		uint64_t in[4] = { i, i + 1, i + 2, i + 3 };

		__asm__ volatile("vmovdqu %1, %%ymm9\n\t"
		                 "call 1f\n\t"
		                 "jmp 2f\n"
		                 "1:\tpaddq %%xmm9, %%xmm9\n\t"
		                 "ret\n"
		                 "2:\tvmovdqu %%ymm9, %0"
		                 : "=m"(out)
		                 : "m"(in)
		                 : "xmm9", "memory");
		bad += out[0] != 2 * i || out[1] != 2 * i + 2 || out[2] != i + 2 || out[3] != i + 3;
	}
	__asm__ volatile("vzeroupper" ::: "memory");
	return bad;
}

static uint64_t vectors(void (*kernel)(unsigned))
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < 64; i++) {
		a[i] = (float)i * 0.5f;
		b[i] = (float)(64 - i) * 0.25f;
		c[i] = 1.0f;
	}
	for (unsigned i = 0; i < 200; i++)
		kernel(64);
	for (unsigned i = 0; i < 64; i++) {
		uint32_t word;

		memcpy(&word, &c[i], 4);
		sum = t_mix(sum, word);
	}
	return sum;
}

typedef uint64_t chosen_function(uint64_t);
static uint64_t chosen_old(uint64_t x)
{
	return t_mix(x, 11);
}
static uint64_t chosen_new(uint64_t x)
{
	return t_mix(x, 11);
}
chosen_function *choose(void);
chosen_function *choose(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx2") ? chosen_new : chosen_old;
}
uint64_t chosen(uint64_t x) __attribute__((ifunc("choose")));

static void handler(int sig)
{
	volatile double x = 3;

	(void)sig;
	for (int i = 0; i < 10; i++)
		x = divide(x, 1.1); /* uses xmm registers and flags of its own */
	__asm__ volatile("pcmpeqd %%xmm9, %%xmm9" ::: "xmm9");
	n_signals++;
}

static uint64_t everything(void)
{
	uint64_t sum = rounding(), sse = vectors(kernel_sse);

	sum = t_mix(sum, denormals());
	sum = t_mix(sum, x87());
	sum = t_mix(sum, sse);
	if (__builtin_cpu_supports("avx2")) {
		CHECK(vectors(kernel_avx2) == sse);
		CHECK(upper_halves(2000) == 0);
	}
	if (__builtin_cpu_supports("avx512f"))
		CHECK(vectors(kernel_avx512) == sse);
	for (uint64_t i = 0; i < 500; i++)
		sum = t_mix(sum, chosen(i));
	return sum;
}

int main(void)
{
	struct itimerspec every = { { 0, 91000 }, { 0, 91000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	uint64_t sum = everything();
	timer_t timer;

	signal(SIGALRM, handler);
	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK(!timer_settime(timer, 0, &every, NULL));
	while (n_signals < 500)
		CHECK(everything() == sum);
	CHECK(!timer_settime(timer, 0, &never, NULL));
	return t_ok(sum);
}
