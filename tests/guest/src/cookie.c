// SPDX-License-Identifier: MIT
/*
 * cookie.c - sites in private copies are brought back under an int3 while threads execute them
 * and another thread has int3 of its own, with a handler that counts. Nobody else sees a trap. A change in place is refused
 * while it cannot have all mmap locks.
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
#define CHANGERS 6
#define CHANGED_BYTES (32ul << 20)

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

/* It hardly does anything but hold its mmap lock, also while others run. */
static _Noreturn void change_mappings(void)
{
	uint8_t *bytes = mmap(NULL, CHANGED_BYTES, PROT_READ,
	                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_NORESERVE, -1, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	check(bytes != MAP_FAILED);
	for (;;)
		check(mprotect(bytes, CHANGED_BYTES, PROT_NONE) == 0 &&
		      mprotect(bytes, CHANGED_BYTES, PROT_READ) == 0);
}

/* Until it is refused; then nothing has changed. */
static void refused(int device, int file)
{
	uint32_t status = DYNOPT_KMOD_OK;
	pid_t pids[CHANGERS];
	bool patched = true;
	long tries;
	int i;

	check_is(call_register(device, 0), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	for (i = 0; i < CHANGERS; i++) {
		pids[i] = fork();
		check(pids[i] >= 0);
		if (!pids[i])
			change_mappings();
	}
	for (tries = 0; status != DYNOPT_KMOD_PROCESS_BUSY; tries++) {
		status = patched ? call_undo_in_place(device, file, &site_one)
		                 : call_patch_in_place(device, file, &site_one);
		check(status == DYNOPT_KMOD_OK || status == DYNOPT_KMOD_PROCESS_BUSY);
		patched ^= status == DYNOPT_KMOD_OK;
		check_is(lib_call(lib, &site_one), patched ? site_one.patched : site_one.plain);
	}
	printf("refused at change %ld while %d processes change their mappings\n", tries, CHANGERS);
	for (i = 0; i < CHANGERS; i++)
		check(kill(pids[i], SIGKILL) == 0 && waitpid(pids[i], NULL, 0) == pids[i]);
	status = patched ? call_undo_in_place(device, file, &site_one)
	                 : call_patch_in_place(device, file, &site_one);
	check_is(status, DYNOPT_KMOD_OK);
	check_is(lib_call(lib, &site_one), patched ? site_one.plain : site_one.patched);
	check_is(call_unregister(device, 0), DYNOPT_KMOD_OK);
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
	refused(device, file);
	return 0;
}
