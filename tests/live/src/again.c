/* SPDX-License-Identifier: MIT */
/*
 * again.c - a program whose hot path is another one than last time: one of two ways of its loop. Goes on until its status file
 * says that something was translated, replaced or withdrawn. Every result must be the first one.
 *
 *     again STATUS_DIR 0       the one way, until there is a translation
 *     again STATUS_DIR 1       the other way, until a translation was replaced
 *     again STATUS_DIR 2       another loop, whose call is worth going into, until there is a translation
 *     again STATUS_DIR 3       the same loop, whose call leads elsewhere each time, until a translation was withdrawn
 *
 * Says "ok", or "ok done" if what it waits for has happened within the rounds there are.
 */
#include "status_file.h"

#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#define ROUNDS 8000

static volatile int way;

/* Instructions that samples can fall into; what is translated saves the calls. */
#define MIX(x, n) ((x) = ((x) ^ (x) >> (n)) * 0xbf58476d1ce4e5b9u + (n))

__attribute__((noinline)) static uint64_t twist(uint64_t x)
{
	MIX(x, 29);
	return MIX(x, 31);
}

__attribute__((noinline)) static uint64_t fold(uint64_t x)
{
	MIX(x, 17);
	return MIX(x, 13);
}

__attribute__((noinline)) static uint64_t work(uint64_t x)
{
	for (int i = 0; i < 100000; i++) {
		if (way) {
			MIX(x, 23);
			MIX(x, 27);
			x = fold(x + 0x1234567);
			MIX(x, 21);
		} else {
			MIX(x, 30);
			MIX(x, 33);
			x = twist(x);
			MIX(x, 35);
		}
		if (x % 64 == 5)
			x ^= x << 7;
	}
	return x;
}

__attribute__((noinline)) static uint64_t elsewhere(uint64_t x)
{
	MIX(x, 25);
	return MIX(x, 28);
}
static uint64_t (*volatile hook)(uint64_t) = elsewhere;

/* The near way returns at once; the far one calls by a pointer, where a translation ends. */
__attribute__((noinline)) static uint64_t step(uint64_t x)
{
	if (way == 3)
		return hook(x) + 1;
	return x * 5 + 7;
}

__attribute__((noinline)) static uint64_t stroll(uint64_t x)
{
	for (int i = 0; i < 1000000; i++)
		x ^= step(x);
	return x;
}

static uint64_t do_work(void)
{
	return way < 2 ? work(42) : stroll(42);
}

struct seen {
	unsigned long translated, replaced, withdrawn;
};

/* What the program's own module says in the status file; nothing while there is none. */
static struct seen look(const char *folder)
{
	struct seen seen = { 0, 0, 0 };
	struct status_head head;
	struct status_module module;
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%d" STATUS_FILE_SUFFIX, folder, (int)getpid());
	file = fopen(path, "rb");
	if (!file)
		return seen;
	if (fread(&head, sizeof(head), 1, file) == 1)
		for (uint32_t i = 0;
		     i < head.n_modules && fread(&module, sizeof(module), 1, file) == 1; i++) {
			seen.translated += module.n_translated;
			seen.replaced += module.n_replaced;
			seen.withdrawn += module.n_withdrawn;
		}
	fclose(file);
	return seen;
}

static int has_happened(const char *folder, int turn)
{
	struct seen seen = look(folder);

	return (turn == 1 ? seen.replaced : turn == 3 ? seen.withdrawn : seen.translated) != 0;
}

int main(int argc, char **argv)
{
	uint64_t expected[4];
	int turn = argc == 3 ? argv[2][0] - '0' : 4, done = 0, other = turn & ~1;

	if (turn < 0 || turn > 3)
		return 2;
	for (way = other; way <= turn; way++)
		expected[way] = do_work();
	way = turn;
	for (int round = 0; round < ROUNDS && !done; round++) {
		if (do_work() != expected[way]) {
			printf("wrong result in round %d\n", round);
			return 1;
		}
		if (round % 64 == 63)
			done = has_happened(argv[1], turn);
	}
	for (int round = 0; turn != other && round < 300; round++) {
		way = other | (round & 1);
		if (do_work() != expected[way]) {
			printf("wrong result at the end\n");
			return 1;
		}
	}
	printf("ok%s\n", done ? " done" : "");
	return 0;
}
