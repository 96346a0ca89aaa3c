/* SPDX-License-Identifier: MIT */
/*
 * t.h - what every case of the suite uses.
 *
 * A case is a program that checks itself. It prints nothing that differs from one
 * run to the next (no address, pid or time), and `ok` with a checksum at the end:
 * the harness compares the outputs of a plain run and of one under dynopt.
 * CHECK and what it calls may be used in a signal handler. t_hot() is the work
 * that makes the program worth translating: calls, a jump table, function
 * pointers, floating point, vectors and libc. It is deterministic.
 */
#ifndef T_H
#define T_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define T_UNUSED __attribute__((unused))
#define T_NOINLINE __attribute__((noinline, unused))
#define T_STRING_(x) #x
#define T_STRING(x) T_STRING_(x)

#define CHECK(condition) \
	((condition) ? (void)0 : t_fail(__FILE__ ":" T_STRING(__LINE__) ": " #condition "\n"))

/* Ends the program; only async-signal-safe calls. */
static T_UNUSED void t_fail(const char *text)
{
	char number[24] = "errno 0\n";
	int value = errno, at = 22;

	if (write(2, text, strlen(text)) < 0)
		_exit(99);
	do {
		number[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value && at > 8);
	number[22] = '\n';
	if (write(2, "errno ", 6) < 0 || write(2, number + at, (size_t)(23 - at)) < 0)
		_exit(99);
	_exit(98);
}

/* The reason why a case cannot run here; the harness counts it as skipped. */
static T_UNUSED void t_skip(const char *reason)
{
	printf("SKIP: %s\n", reason);
	fflush(stdout);
	_exit(77);
}

static T_UNUSED int t_ok(uint64_t sum)
{
	printf("ok %016llx\n", (unsigned long long)sum);
	return fflush(stdout) ? 97 : 0;
}

static T_UNUSED uint64_t t_mix(uint64_t sum, uint64_t value)
{
	sum = (sum ^ value) * 0x9e3779b97f4a7c15u;
	return sum ^ (sum >> 29);
}

static T_NOINLINE uint64_t t_add(uint64_t a, uint64_t b)
{
	return a + b;
}

static T_NOINLINE uint64_t t_rotate(uint64_t a, uint64_t b)
{
	return (a << (b & 31)) | (a >> (64 - (b & 31) - 1) >> 1);
}

static T_NOINLINE uint64_t t_switch(uint64_t sum, unsigned what)
{
	switch (what) {
	case 0:
		return sum + 17;
	case 1:
		return sum * 5;
	case 2:
		return t_add(sum, sum >> 7);
	case 3:
		return t_rotate(sum, 13);
	case 4:
		return ~sum;
	case 5:
		return sum ^ 0x5555;
	case 6:
		return sum - (sum >> 3);
	default:
		return sum / 3;
	}
}

static T_NOINLINE uint64_t t_depth(uint64_t sum, unsigned depth)
{
	if (!depth)
		return sum;
	sum = t_depth(sum + depth, depth - 1);
	return t_mix(sum, depth);
}

static T_NOINLINE double t_float(uint64_t seed, unsigned n)
{
	double a[32], total = 0;

	for (unsigned i = 0; i < 32; i++)
		a[i] = (double)((seed >> (i & 15)) & 0xff);
	for (unsigned round = 0; round < n; round++) {
		for (unsigned i = 0; i < 32; i++)
			a[i] = a[i] * 0.5 + (double)(i + round);
		total += a[round & 31];
	}
	return total;
}

static T_UNUSED int t_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static T_NOINLINE uint64_t t_libc(uint64_t seed)
{
	uint32_t words[64];
	char text[80];

	for (unsigned i = 0; i < 64; i++)
		words[i] = (uint32_t)(t_mix(seed, i) >> 32);
	qsort(words, 64, sizeof(words[0]), t_compare);
	snprintf(text, sizeof(text), "%x/%d/%.3f", words[3], (int)(seed & 1023),
	         (double)(seed & 4095) / 8);
	for (unsigned i = 1; i < 64; i++)
		CHECK(words[i - 1] <= words[i]);
	return t_mix(words[31], strlen(text) + (uint64_t)strtol(text, NULL, 16));
}

/* About 2 microseconds a round. */
static T_NOINLINE uint64_t t_hot_from(uint64_t sum, unsigned rounds)
{
	static uint64_t (*const volatile table[])(uint64_t, uint64_t) = { t_add, t_rotate, t_mix };

	for (unsigned i = 0; i < rounds; i++) {
		for (unsigned k = 0; k < 16; k++)
			sum = t_switch(sum, (unsigned)(sum >> 3 ^ k) & 7);
		sum = table[i % 3](sum, i);
		sum = t_depth(sum, i & 15);
		if ((i & 15) == 0)
			sum = t_mix(sum, (uint64_t)t_float(sum, 20));
		if ((i & 63) == 0)
			sum = t_mix(sum, t_libc(sum));
	}
	return sum;
}

static T_UNUSED uint64_t t_hot(unsigned rounds)
{
	return t_hot_from(1, rounds);
}

#endif
