// SPDX-License-Identifier: MIT
// What compilers make of C: switches of all kinds, variable arguments, structures by
// value, alloca, variable arrays, big frames, tail and mutual calls, recursion, function
// pointers, bit fields, strings, 128-bit integers, long double. Built in many ways.
#include "t.h"
#include <alloca.h>
#include <complex.h>
#include <ctype.h>
#include <math.h>
#include <stdarg.h>

struct big {
	uint64_t words[12];
};
struct mixed {
	double d;
	uint32_t i;
	float f;
};
struct bits {
	unsigned a : 3, b : 11, c : 18;
	signed d : 9;
};

static T_NOINLINE uint64_t dense(unsigned x)
{
	switch (x) {
#define C(n) \
	case n: \
		return t_mix(n, x * 3 + n * n);
#define C8(n) C(n) C(n + 1) C(n + 2) C(n + 3) C(n + 4) C(n + 5) C(n + 6) C(n + 7)
		C8(0) C8(8) C8(16) C8(24) C8(32) C8(40) default : return x;
	}
}

static T_NOINLINE uint64_t sparse(uint64_t x)
{
	switch (x) {
	case 3:
	case 1000:
		return 1;
	case 70000 ... 70100:
		return 2;
	case 0x123456789ab:
		return 3;
	case 99:
		return t_hot_from(x, 1);
	case 0xffffffffffffffff:
		return 5;
	default:
		return x & 1 ? sparse(x / 2) + 1 : x;
	}
}

static T_NOINLINE uint64_t variable(unsigned n, ...)
{
	va_list args, copy;
	double total = 0;
	uint64_t sum = n;

	va_start(args, n);
	va_copy(copy, args);
	for (unsigned i = 0; i < n; i++) {
		sum = t_mix(sum, va_arg(args, uint64_t));
		total += va_arg(args, double);
		if (i % 3 == 0) {
			struct mixed m = va_arg(args, struct mixed);
			long double ld = va_arg(args, long double);

			total += m.d + (double)m.f + (double)ld;
			sum += m.i;
		}
	}
	sum ^= va_arg(copy, uint64_t);
	va_end(copy);
	va_end(args);
	return t_mix(sum, (uint64_t)total);
}

static T_NOINLINE struct big by_value(struct big b, struct mixed m)
{
	for (unsigned i = 0; i < 12; i++)
		b.words[i] = t_mix(b.words[i], m.i + i);
	return b;
}

static T_NOINLINE struct mixed in_registers(struct mixed m, double x)
{
	m.d = m.d * 0.5 + x;
	m.i += (uint32_t)m.d;
	m.f = (float)m.i * 0.25f;
	return m;
}

static T_NOINLINE uint64_t frames(unsigned n)
{
	volatile uint64_t large[3000];
	uint64_t *small = alloca((n & 31) * 8 + 8), sum = 0;
	uint32_t array[(n & 15) + 1];

	for (unsigned i = 0; i < 3000; i += 100)
		large[i] = i + n;
	for (unsigned i = 0; i <= (n & 31); i++)
		small[i] = t_mix(n, i);
	for (unsigned i = 0; i <= (n & 15); i++)
		array[i] = (uint32_t)(small[i & n & 31] >> 7);
	for (unsigned i = 0; i < 3000; i += 100)
		sum += large[i] ^ array[i & n & 15];
	return sum;
}

static uint64_t odd(uint64_t n, uint64_t sum);
static T_NOINLINE uint64_t even(uint64_t n, uint64_t sum)
{
	return n ? odd(n - 1, t_mix(sum, n)) : sum;
}
static T_NOINLINE uint64_t odd(uint64_t n, uint64_t sum)
{
	return n ? even(n - 1, sum ^ n) : ~sum;
}

static T_NOINLINE unsigned ackermann(unsigned m, unsigned n)
{
	if (!m)
		return n + 1;
	return n ? ackermann(m - 1, ackermann(m, n - 1)) : ackermann(m - 1, 1);
}

static T_NOINLINE uint64_t text_work(unsigned n)
{
	static const char sample[] = "The quick brown fox, 42 times; jumps over 7 lazy dogs!";
	char copy[sizeof(sample)], number[32];
	uint64_t sum = n;
	char *save, *word;

	memcpy(copy, sample, sizeof(sample));
	for (unsigned i = 0; copy[i]; i++)
		copy[i] = (char)(isupper((unsigned char)copy[i]) ? tolower((unsigned char)copy[i])
		                                                 : copy[i]);
	for (word = strtok_r(copy, " ,;!", &save); word; word = strtok_r(NULL, " ,;!", &save)) {
		sum = t_mix(sum, strlen(word) * 7 + (uint64_t)atoi(word));
		if (strstr(word, "ox"))
			sum++;
	}
	snprintf(number, sizeof(number), "%.6g|%u|%-5d|%lx", (double)n / 7, n, (int)n % 100, sum);
	sum = t_mix(sum, strtoul(strchr(number, '|') + 1, NULL, 10));
	return t_mix(sum, (uint64_t)(strtod(number, NULL) * 1000));
}

static T_NOINLINE uint64_t numbers(uint64_t n)
{
	unsigned __int128 wide = (unsigned __int128)n * 0x123456789abcdef1u + 77;
	long double ld = (long double)n / 3.0L;
	double complex z = (double)(n & 7) + 2.0 * I;
	struct bits b = { (unsigned)n & 7, (unsigned)n & 2047, (unsigned)n & 0x3ffff,
		          (int)(n & 255) - 128 };

	b.b += b.a;
	b.d -= 3;
	wide = wide / (n | 1) % 1000003;
	z = z * z + conj(z);
	ld = sqrtl(ld) + floorl(ld) * 0.5L;
	return t_mix((uint64_t)wide, b.b + (uint64_t)b.c + (uint64_t)b.d) +
	       (uint64_t)(int64_t)creal(z) + (uint64_t)ld +
	       (uint64_t)__builtin_popcountll(n) * (uint64_t)__builtin_ctzll(n | 1024) +
	       (uint64_t)(sin((double)(n & 1023)) * 1e6);
}

int main(void)
{
	struct big b = { { 1, 2, 3 } };
	struct mixed m = { 1.5, 3, 0.25f };
	uint64_t sum = t_hot(200);

	for (unsigned i = 0; i < 3000; i++) {
		sum = t_mix(sum, dense(i % 60));
		sum = t_mix(sum, sparse(sum >> (i % 60)) + sparse(i * 35) + sparse(~0ul));
		sum = t_mix(sum, variable(4, sum, 1.5, m, 2.25L, 8ul, 2.5, 9ul, 3.5, 10ul, 4.5, m,
		                          1e3L));
		b = by_value(b, m);
		m = in_registers(m, (double)(i & 255));
		sum = t_mix(sum, b.words[i % 12] + m.i);
		sum = t_mix(sum, frames(i));
		sum = even(i % 200, sum);
		sum = t_mix(sum, text_work(i));
		sum = t_mix(sum, numbers(sum));
	}
	CHECK(ackermann(2, 200) == 403);
	return t_ok(sum);
}
