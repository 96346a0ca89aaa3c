// SPDX-License-Identifier: MIT
/*
 * inplace.c - shared pages change in place, under the cookie, a hundred thousand times each, one
 * site across two pages. Meanwhile threads of two processes execute the sites, another has
 * int3 of its own, one of real-time priority does nothing but call a site, processes fork,
 * one gets private copies of a site's page all the time, by its own writes and by somebody
 * else's. Nobody sees a wrong result or a trap that is not its own.
 *
 * To be run on an emulator that runs one processor at a time, like cookie.c.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest.h"

#define FLIPS 50000 /* pairs, of each of two sites */

static struct shared {
	volatile int stop;
	volatile uint64_t own, handled, copies;
} *shared;
static uint8_t *lib;

static void pass(uint32_t status)
{
	check_is(status, DYNOPT_KMOD_OK);
}

/* A trap that is not expected kills. */
static void is_right(const struct site *site)
{
	int value = lib_call(lib, site);

	check(value == site->plain || value == site->patched);
}

static void on_trap(int number)
{
	(void)number;
	shared->handled++;
}

static void *trap_itself(void *unused)
{
	while (!shared->stop) {
		__asm__ volatile("int3");
		shared->own++;
		sched_yield();
	}
	return unused;
}

/* Its own int3 beside the sites. */
static void trapping(void)
{
	pthread_t thread;

	signal(SIGTRAP, on_trap);
	check_is(pthread_create(&thread, NULL, trap_itself, NULL), 0);
	while (!shared->stop) {
		is_right(&site_one);
		is_right(&site_cross);
		__builtin_ia32_pause();
	}
	pthread_join(thread, NULL);
}

/* A private copy of the first site's page, dropped again: its sites are never half of anything. */
static void copying(void)
{
	volatile uint8_t *text = lib + PAGE;

	while (!shared->stop) {
		check(mprotect(lib + PAGE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
		is_right(&site_one);
		text[8] = 0x90; /* copies the page that is there */
		is_right(&site_one);
		check(madvise(lib + PAGE, PAGE, MADV_DONTNEED) == 0);
		text[8] = 0x90; /* copies one that the fault brings */
		is_right(&site_one);
		check(mprotect(lib + PAGE, PAGE, PROT_READ | PROT_EXEC) == 0);
		check(madvise(lib + PAGE, PAGE, MADV_DONTNEED) == 0);
		is_right(&site_one);
		shared->copies++;
	}
}

/* A copy as debuggers make it, from outside, again and again. */
static void debugging(pid_t pid)
{
	char path[64];
	int memory;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	memory = open(path, O_RDWR | O_CLOEXEC);
	check(memory >= 0);
	while (!shared->stop) {
		check(pwrite(memory, "\x90", 1, (uintptr_t)lib + PAGE + 8) == 1);
		sched_yield();
	}
	close(memory);
}

static pid_t start(void (*run)(void), int device)
{
	pid_t pid = fork();

	check(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(device);
		run();
		_exit(0);
	}
	return pid;
}

static void fork_one(void)
{
	pid_t pid = fork();
	int i;

	check(pid >= 0);
	if (pid) {
		wait_ok(pid);
		return;
	}
	for (i = 0; i < 100; i++) {
		is_right(&site_one);
		is_right(&site_cross);
	}
	_exit(0);
}

static void flip(int device, int file, long flips, long forks)
{
	long i;

	for (i = 0; i < flips; i++) {
		pass(call_undo_in_place(device, file, &site_one));
		pass(call_patch_in_place(device, file, &site_one));
		pass(call_undo_in_place(device, file, &site_cross));
		pass(call_patch_in_place(device, file, &site_cross));
		if (forks && i % (flips / forks) == 0)
			fork_one();
	}
}

/* Each of what disturbs gets its share of the changes. */
static void disturbed(int device, int file, long flips)
{
	struct spinner *spinner;
	pid_t pids[2], debugger;
	uint64_t spins;
	int i;

	pids[0] = start(trapping, device);
	pids[1] = start(copying, device);
	debugger = fork();
	if (!debugger) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(device);
		debugging(pids[1]);
		_exit(0);
	}
	flip(device, file, flips / 25, flips / 250);
	spinner = spinner_start(lib);
	flip(device, file, flips / 4, 0);
	spins = spinner_stop(spinner);
	shared->stop = 1;
	for (i = 0; i < 2; i++)
		wait_ok(pids[i]);
	wait_ok(debugger);
	printf("int3 of its own %llu, copies %llu, calls in real time %llu\n",
	       (unsigned long long)shared->own, (unsigned long long)shared->copies,
	       (unsigned long long)spins);
	check_is(shared->handled, shared->own);
	check(shared->own > 0 && shared->copies > 0 && spins > 0);
}

/* What it refuses: a site one half of which somebody has for himself. */
static long answer(int letter, void *context)
{
	uint8_t *page = (uint8_t *)context + (LIB_CROSS & ~(PAGE - 1));

	if (letter == '3')
		return lib_call(context, &site_cross);
	check(mprotect(page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
	*(volatile uint8_t *)(page + 64) = 0x90;
	return mprotect(page, PAGE, PROT_READ | PROT_EXEC);
}

static void halves(int device, int file)
{
	struct child child = child_start(answer);

	pass(call_register(device, child.pid));
	pass(call_patch_in_place(device, file, &site_cross));
	check_is(child_ask(&child, '3'), site_cross.patched);
	check_is(child_ask(&child, 'w'), 0);
	check_is(call_undo_in_place(device, file, &site_cross), DYNOPT_KMOD_PRIVATE_PAGE);
	check_is(child_ask(&child, '3'), site_cross.patched);
	child_end(&child);
	pass(call_undo_in_place(device, file, &site_cross));
}

int main(int argc, char **argv)
{
	long flips = argc > 1 ? atol(argv[1]) : FLIPS;
	int device = device_open(), file;
	uint64_t before, calls, trapped;
	struct load *load;

	lib_make(LIB);
	file = open(LIB, O_RDONLY | O_CLOEXEC);
	lib = lib_map(LIB);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	check(shared != MAP_FAILED);
	pass(call_register(device, 0));
	pass(call_patch(device, file,
	                &site_one)); /* the gate's pages, changed in place from now on */
	halves(device, file);
	pass(call_patch_in_place(device, file, &site_cross));
	load = load_start(lib, 2, 2, true, device);
	before = counter(device, DYNOPT_COUNTER_COOKIES);
	check(nice(-19) != -1);
	disturbed(device, file, flips);
	flip(device, file, flips - flips / 4 - flips / 25, 100);
	load_pass(load, 100);
	calls = load_stop(load);
	trapped = counter(device, DYNOPT_COUNTER_TRAPPED);
	printf("%ld changes, %llu calls, %llu traps\n", flips * 4, (unsigned long long)calls,
	       (unsigned long long)trapped);
	check_is(counter(device, DYNOPT_COUNTER_COOKIES) - before, flips * 4);
	check(trapped > (uint64_t)flips / 10);
	check_is(lib_call(lib, &site_one), site_one.patched);
	check_is(lib_call(lib, &site_cross), site_cross.patched);
	pass(call_undo_all(device, file));
	check_is(lib_call(lib, &site_one), site_one.plain);
	check_is(lib_call(lib, &site_cross), site_cross.plain);
	return 0;
}
