// SPDX-License-Identifier: MIT
/*
 * cookie.c - sites in private copies are brought back under an int3 while threads execute them
 * and another thread has int3 of its own, with a handler that counts. Nobody else sees a trap.
 *
 * To be run on an emulator that runs one processor at a time: QEMU's other mode is unsound for
 * code that changes under execution, the kernel's own included.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest.h"

#define ROUNDS 40

static struct shared {
	volatile int stop;
	volatile uint64_t calls, wrong, own, handled;
} *shared;
static uint8_t *lib;

static void on_trap(int number)
{
	(void)number;
	shared->handled++;
}

static void *call_sites(void *unused)
{
	while (!shared->stop) {
		int one = lib_call(lib, &site_one), two = lib_call(lib, &site_two);

		if ((one != site_one.plain && one != site_one.patched) ||
		    (two != site_two.plain && two != site_two.patched))
			shared->wrong++;
		shared->calls++;
		/* Gives up the emulated processor, so that rounds are short. */
		__builtin_ia32_pause();
	}
	return unused;
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

static _Noreturn void work(void)
{
	pthread_t threads[3];
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTRAP, on_trap);
	for (i = 0; i < 3; i++)
		check_is(pthread_create(&threads[i], NULL, i < 2 ? call_sites : trap_itself, NULL),
		         0);
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}

static void pass(pid_t pid, uint64_t more)
{
	uint64_t calls = shared->calls, own = shared->own;
	int status;

	while (shared->calls - calls < more || shared->own == own) {
		check_is(waitpid(pid, &status, WNOHANG), 0);
		sched_yield();
	}
}

/* A page of its own, as a debugger makes one: through /proc/PID/mem. */
static void make_private(pid_t pid)
{
	char path[64];
	int memory;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	memory = open(path, O_RDWR | O_CLOEXEC);
	check(memory >= 0);
	check(pwrite(memory, "\x90", 1, (uintptr_t)lib + PAGE + 8) == 1);
	close(memory);
}

static void round_of(int device, int file)
{
	uint64_t cookies = counter(device, DYNOPT_COUNTER_COOKIES);
	pid_t pid;

	*shared = (struct shared){ 0 };
	pid = fork();
	check(pid >= 0);
	if (!pid)
		work();
	check_is(call_register(device, pid), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_two), DYNOPT_KMOD_OK);
	pass(pid, 10);
	make_private(pid);
	pass(pid, 10);
	check_is(call_unregister(device, pid), DYNOPT_KMOD_OK);
	check_is(counter(device, DYNOPT_COUNTER_COOKIES), cookies + 2);
	pass(pid, 10);
	shared->stop = 1;
	wait_ok(pid);
	check_is(shared->wrong, 0);
	check_is(shared->handled, shared->own);
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : ROUNDS, i;
	int device = device_open(), file;

	lib_make(LIB);
	file = open(LIB, O_RDONLY | O_CLOEXEC);
	lib = lib_map(LIB);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	check(shared != MAP_FAILED);
	for (i = 0; i < rounds; i++)
		round_of(device, file);
	printf("%llu threads met the int3\n",
	       (unsigned long long)counter(device, DYNOPT_COUNTER_TRAPPED));
	check(counter(device, DYNOPT_COUNTER_TRAPPED) > 0);
	return 0;
}
