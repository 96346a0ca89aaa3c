/* SPDX-License-Identifier: MIT */
/*
 * fault.c - a program whose translation is spoiled while it runs: by itself, in the code cache, which nobody else would do.
 *
 *     fault wild     a load in it gets another displacement, and faults
 *     fault illegal  it gets an instruction that is none
 *     fault own      nothing is spoiled; the program's own load faults, in the translation, and its handler goes on elsewhere
 *
 * Says "ok", how often its handlers were called, and whether they have seen the address of original text.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define FAR 0x12345670 /* found again in the code cache */
#define WILD_BYTE 0x52 /* its highest byte then: 1 GiB further, where nothing can be read */
#define ROOM (4ull << 30)
#define N 64

static volatile int handled, in_text;
static sigjmp_buf elsewhere;
static uint64_t *values;

__attribute__((noinline)) static uint64_t work(const char *from, int n)
{
	uint64_t sum = 0;

	for (int i = 0; i < n; i++) {
		const char *at = from + (i & (N - 1)) * 8;

		sum = sum * 3 + *(const volatile uint64_t *)(at + FAR);
		if (sum % 7 == 0)
			sum ^= sum >> 5;
	}
	return sum;
}

/* Called so that no caller's translation has it inlined. */
static uint64_t (*volatile const worked)(const char *from, int n) = work;

static void handler(int sig, siginfo_t *info, void *context)
{
	uintptr_t rip = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

	(void)sig;
	(void)info;
	handled++;
	in_text = rip - (uintptr_t)work < 4096;
	siglongjmp(elsewhere, 1);
}

static int is_far(const unsigned char *at)
{
	/* No instruction has it: it would be found, too. */
	static volatile const unsigned char far[4] = { FAR & 0xff, FAR >> 8 & 0xff,
		                                       FAR >> 16 & 0xff, FAR >> 24 };

	return at[0] == far[0] && at[1] == far[1] && at[2] == far[2] && at[3] == far[3];
}

/* The displacement in the code cache: in executable memory that is no file's. How many were spoiled. */
static int spoil(int illegal)
{
	static const unsigned char wild = WILD_BYTE, ud2[2] = { 0x0f, 0x0b };
	int memory = open("/proc/self/mem", O_RDWR), n = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned long start, end;
		char flags[5], path[256] = "";

		if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %255s", &start, &end, flags, path) < 3 ||
		    flags[2] != 'x' || path[0])
			continue;
		for (unsigned long at = start + 3; at + 4 < end; at++)
			if (is_far((const unsigned char *)at))
				n += illegal ? pwrite(memory, ud2, 2, (off_t)at - 3) == 2
				             : pwrite(memory, &wild, 1, (off_t)at + 3) == 1;
	}
	return n;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	char *room =
		mmap(NULL, ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t first, again;

	if (argc < 2 || room == MAP_FAILED || mprotect(room, 4096, PROT_READ | PROT_WRITE) != 0)
		return 2;
	values = (uint64_t *)(void *)room;
	for (int i = 0; i < N; i++)
		values[i] = (uint64_t)i * 0x9e3779b97f4a7c15u;
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	first = worked(room - FAR, 100000);
	if (strcmp(argv[1], "own") == 0) {
		if (sigsetjmp(elsewhere, 1) == 0)
			worked(room + 8192 - FAR, 100);
	} else if (!spoil(strcmp(argv[1], "illegal") == 0)) {
		printf("nothing to spoil\n");
		return 1;
	}
	again = 0;
	if (sigsetjmp(elsewhere, 1) == 0)
		again = worked(room - FAR, 100000);
	printf("%s %d %d\n", again == first ? "ok" : "wrong", handled, in_text);
	return again != first;
}
