// SPDX-License-Identifier: MIT
/*
 * costs.c - no test: what calls and faults cost, for docs/kmod.md. Emulated time says little,
 * ratios more: beside each figure stands what it is to be compared with.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "guest.h"

#define ROUNDS 101
#define PROCESSES 50

static int device, file;
static uint8_t *lib;

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The median, in microseconds. */
static double median_of(void (*run)(void), void (*prepare)(void))
{
	static double times[ROUNDS];
	int i;

	for (i = 0; i < ROUNDS; i++) {
		if (prepare)
			prepare();
		times[i] = -now_us();
		run();
		times[i] += now_us();
	}
	qsort(times, ROUNDS, sizeof(times[0]), compare);
	return times[ROUNDS / 2];
}

static void say_hello(void)
{
	struct dynopt_ioc_hello hello;

	check_is(call_hello(device, 1, 1, &hello), DYNOPT_KMOD_OK);
}

static void patch(void)
{
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
}

static void undo(void)
{
	check_is(call_undo(device, file, &site_one), DYNOPT_KMOD_OK);
}

static void register_self(void)
{
	check_is(call_register(device, 0), DYNOPT_KMOD_OK);
}

static void unregister_self(void)
{
	check_is(call_unregister(device, 0), DYNOPT_KMOD_OK);
}

static bool registered;

static void unregister_if(void)
{
	if (registered)
		unregister_self();
	registered = true;
}

static void fork_and_wait(void)
{
	pid_t pid = fork();

	check(pid >= 0);
	if (!pid)
		_exit(0);
	wait_ok(pid);
}

static void drop(void)
{
	check(madvise(lib, LIB_CACHE, MADV_DONTNEED) == 0);
}

static void touch(void)
{
	(void)*(volatile uint8_t *)(lib + LIB_ONE);
}

static long answer(int letter, void *context)
{
	(void)letter;
	return lib_call(context, &site_one);
}

/* All of them run once, so that the page is in each one's page tables. */
static struct child children[PROCESSES];
static int n_children;

static void all_patched(void)
{
	int i;

	patch();
	for (i = 0; i < n_children; i++)
		child_ask(&children[i], '1');
}

static void all_undone(void)
{
	int i;

	undo();
	for (i = 0; i < n_children; i++)
		child_ask(&children[i], '1');
}

static void undo_and_patch(void)
{
	undo();
	patch();
}

static void with_processes(int n)
{
	double undone, patched;

	for (; n_children < n; n_children++) {
		children[n_children] = child_start(answer);
		check_is(call_register(device, children[n_children].pid), DYNOPT_KMOD_OK);
	}
	undone = median_of(undo, all_patched);
	patch();
	patched = median_of(patch, all_undone);
	undo();
	printf("%2d processes: undo %.0f us, patch again %.0f us\n", n, undone, patched);
}

int main(void)
{
	double fork_plain, fault_plain;

	device = device_open();
	lib_make(LIB);
	file = open(LIB, O_RDONLY | O_CLOEXEC);
	lib = lib_map(LIB);
	median_of(fork_and_wait, NULL); /* the first ones are slow, and not meant */
	fork_plain = median_of(fork_and_wait, NULL);
	fault_plain = median_of(touch, drop);
	printf("a call that does nothing: %.1f us\n", median_of(say_hello, NULL));
	register_self();
	patch();
	touch();
	printf("fault: file's page %.1f us, module's page %.1f us\n", fault_plain,
	       median_of(touch, drop));
	printf("fork, exit, wait: plain %.0f us, registered %.0f us\n", fork_plain,
	       median_of(fork_and_wait, NULL));
	printf("undo and patch, nobody runs it: %.0f us\n", median_of(undo_and_patch, NULL));
	undo();
	with_processes(1);
	with_processes(10);
	with_processes(PROCESSES);
	printf("unregister %.0f us", median_of(unregister_self, register_self));
	printf(", register %.0f us, with a file of two pages\n",
	       median_of(register_self, unregister_if));
	return 0;
}
