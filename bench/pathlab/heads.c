/* SPDX-License-Identifier: MIT */
/*
 * heads.c - what it gives that a loop's head is aligned (engine/align.c).
 *
 *     cmake --build build --target pathlab-heads && build/bench/tool/pathlab-heads
 *
 * Loops of four lengths are copied to each of 64 places of a cache line. Printed is CPU time of one round, the best of some tries:
 * where heads stand at multiples of 16, and the worst of all places.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define ROUNDS 100000
#define TRIES 15
#define LINE 64
#define ALIGNED 16
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

static double time_of(const unsigned char *code)
{
	struct timespec from, to;
	unsigned rounds = ROUNDS;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	__asm__ volatile("mov %1, %%edi\n\tcall *%0"
	                 :
	                 : "r"(code), "r"(rounds)
	                 : "rdi", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	return ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) /
	       ROUNDS;
}

int main(void)
{
	unsigned char *code = mmap(NULL, (size_t)LINE * APART, PROT_READ | PROT_WRITE | PROT_EXEC,
	                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (code == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	for (unsigned i = 0; i < N_LOOPS; i++) {
		double best[LINE] = { 0 }, aligned = 0, worst = 0;

		for (unsigned at = 0; at < LINE; at++) {
			unsigned char *place = code + at * APART + at;

			memcpy(place, loops[i].bytes, loops[i].size);
			place[loops[i].size] = 0xc3; /* ret */
		}
		for (unsigned try = 0; try < TRIES; try++) {
			for (unsigned at = 0; at < LINE; at++) {
				double took = time_of(code + at * APART + at);

				if (try == 0 || took < best[at])
					best[at] = took;
			}
		}
		for (unsigned at = 0; at < LINE; at++) {
			worst = best[at] > worst ? best[at] : worst;
			if (at % ALIGNED == 0)
				aligned = best[at] > aligned ? best[at] : aligned;
		}
		printf("%2u bytes: aligned %.2f ns, anywhere %.2f ns\n", loops[i].size, aligned,
		       worst);
	}
	return 0;
}
