/* SPDX-License-Identifier: MIT */
/*
 * heads.c - what it gives that a loop needs few cache lines (engine/align.c).
 *
 *     cmake --build build --target pathlab-heads && build/bench/tool/pathlab-heads
 *
 * Loops of four lengths are copied to each of 64 places of a cache line, and visited: for many rounds each time, and for one to eight, nobody
 * knows how many, so that leaving is predicted wrong. Printed is CPU time, the best of some tries for each place: the mean of the places where the
 * loop needs one line, and of those where it needs two.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define LONG 100000 /* rounds */
#define VISITS 16384
#define SHORT 8 /* rounds of a short visit, at most */
#define TRIES 15
#define LINE 64
#define APART 4096 /* between two places */

/* dec %edi; jnz, as the encoder makes it, back by so many bytes */
#define AGAIN(back) 0xff, 0xcf, 0x0f, 0x85, 0x100 - (back), 0xff, 0xff, 0xff
#define ADD_RDX 0x48, 0x8d, 0x52, 0x01 /* lea 1(%rdx), %rdx, and of r8 to r11: all independent */
#define FOUR_MORE \
	0x4d, 0x8d, 0x40, 0x01, 0x4d, 0x8d, 0x49, 0x01, 0x4d, 0x8d, 0x52, 0x01, 0x4d, 0x8d, 0x5b, \
		0x01

static const unsigned char shortest[] = { AGAIN(8) };
static const unsigned char one[] = { ADD_RDX, ADD_RDX, AGAIN(16) };
static const unsigned char two[] = { ADD_RDX, FOUR_MORE, AGAIN(28) };
static const unsigned char three[] = { ADD_RDX, FOUR_MORE, ADD_RDX, FOUR_MORE, AGAIN(48) };

static const struct {
	const unsigned char *bytes;
	unsigned size;
} loops[] = { { shortest, sizeof(shortest) },
	      { one, sizeof(one) },
	      { two, sizeof(two) },
	      { three, sizeof(three) } };
#define N_LOOPS (sizeof(loops) / sizeof(loops[0]))

static unsigned visits[VISITS];

/* Visits of so many rounds each; ns for all of them. */
static double time_of(const unsigned char *code, const unsigned *rounds, unsigned n)
{
	struct timespec from, to;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	for (unsigned i = 0; i < n; i++)
		__asm__ volatile("mov %1, %%edi\n\tcall *%0"
		                 :
		                 : "r"(code), "r"(rounds[i])
		                 : "rdi", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	return (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
}

/* A row's half: the mean of the places where the loop needs one line, and of the others. */
static void print_means(const unsigned char *code, unsigned size, const unsigned *rounds,
                        unsigned n, unsigned parts)
{
	double best[LINE] = { 0 }, sum[2] = { 0 };
	unsigned places[2] = { 0 };

	for (unsigned try = 0; try < TRIES; try++) {
		for (unsigned at = 0; at < LINE; at++) {
			double took = time_of(code + at * APART + at, rounds, n);

			if (try == 0 || took < best[at])
				best[at] = took;
		}
	}
	for (unsigned at = 0; at < LINE; at++) {
		sum[at + size > LINE] += best[at] / parts;
		places[at + size > LINE]++;
	}
	printf(" %5.2f %5.2f ns", sum[0] / places[0], sum[1] / places[1]);
}

int main(void)
{
	static const unsigned once[] = { LONG };
	unsigned char *code = mmap(NULL, (size_t)LINE * APART, PROT_READ | PROT_WRITE | PROT_EXEC,
	                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (code == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	srandom(1);
	for (unsigned i = 0; i < VISITS; i++)
		visits[i] = 1 + (unsigned)random() % SHORT;
	puts("in one line, in two: a round of many, a visit of one to eight rounds");
	for (unsigned i = 0; i < N_LOOPS; i++) {
		for (unsigned at = 0; at < LINE; at++) {
			unsigned char *place = code + at * APART + at;

			memcpy(place, loops[i].bytes, loops[i].size);
			place[loops[i].size] = 0xc3; /* ret */
		}
		printf("%2u bytes:", loops[i].size);
		print_means(code, loops[i].size, once, 1, LONG);
		print_means(code, loops[i].size, visits, VISITS, VISITS);
		puts("");
	}
	return 0;
}
