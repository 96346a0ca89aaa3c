// SPDX-License-Identifier: MIT
/*
 * storm.c - everything at once: processes fork children that fork, execute programs, are killed, move, split, lock and drop
 * their mappings, come and go in the module, while sites change. Everybody computes right results, and nothing is left.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest.h"

#define STORMERS 5
#define ROUNDS 300 /* at least; then until each act, and a registered child, came so often */
#define OFTEN 20

enum act { FORKS, EXEC, KILLED, MOVE, SPLIT, LOCK, DROP, ACTS };
static const char *const names[] = { "forks", "exec",   "killed", "moved",
	                             "split", "locked", "dropped" };

static struct shared {
	volatile int stop;
	uint64_t done[ACTS]; /* atomic */
} *shared;

static bool is_right(const uint8_t *lib)
{
	static const struct site *const sites[] = { &site_one, &site_two, &site_cross, &site_four };
	uint32_t i;

	for (i = 0; i < 4; i++) {
		int value = lib_call(lib, sites[i]);

		if (value != sites[i]->plain && value != sites[i]->patched)
			return false;
	}
	return true;
}

/* Three children at once, each of which has one. */
static void forks(const uint8_t *lib)
{
	pid_t pids[3];
	int i;

	for (i = 0; i < 3; i++) {
		pids[i] = fork();
		check(pids[i] >= 0);
		if (pids[i])
			continue;
		pids[i] = fork();
		check(pids[i] >= 0);
		if (pids[i])
			wait_ok(pids[i]);
		_exit(!is_right(lib));
	}
	for (i = 0; i < 3; i++)
		wait_ok(pids[i]);
}

/* It maps the library itself, and is not registered. */
static void exec_one(void)
{
	pid_t pid = fork();

	check(pid >= 0);
	if (!pid) {
		execl("/proc/self/exe", "storm", "exec", NULL);
		_exit(98);
	}
	wait_ok(pid);
}

static void kill_one(const uint8_t *lib)
{
	int to[2], status;
	char byte = 0;
	pid_t pid;

	check(pipe(to) == 0);
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		check(is_right(lib) && write(to[1], &byte, 1) == 1);
		while (is_right(lib))
			continue;
		_exit(1);
	}
	check(read(to[0], &byte, 1) == 1);
	check(kill(pid, SIGKILL) == 0);
	check(waitpid(pid, &status, 0) == pid);
	check_is(status, SIGKILL); /* not of something else, before */
	close(to[0]);
	close(to[1]);
}

/* What was split and is taken does not merge again, and the kernel moves no two mappings at once: then it is mapped anew. */
static bool move(uint8_t **lib)
{
	uint8_t *to = mmap(NULL, LIB_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(to != MAP_FAILED);
	if (mremap(*lib, LIB_BYTES, LIB_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to) {
		*lib = to;
		return true;
	}
	check_is(errno, EFAULT);
	check(munmap(to, LIB_BYTES) == 0 && munmap(*lib, LIB_BYTES) == 0);
	*lib = lib_map(LIB);
	return false;
}

static void split(uint8_t *lib, unsigned int n)
{
	uint8_t *text = lib + PAGE * (1 + n % 4), *cache = lib + LIB_CACHE + PAGE * (n % 4);

	check(mprotect(text, PAGE, PROT_READ) == 0);
	check(mprotect(cache, PAGE, PROT_NONE) == 0);
	check(mprotect(cache, PAGE, PROT_READ | PROT_EXEC) == 0);
	check(mprotect(text, PAGE, PROT_READ | PROT_EXEC) == 0);
}

static _Noreturn void storm(unsigned int seed)
{
	uint8_t *lib = lib_map(LIB);
	unsigned int n;

	for (n = seed; !shared->stop; n++) {
		enum act act = rand_r(&seed) % ACTS;
		uint64_t done = 1;

		check(is_right(lib));
		switch (act) {
		case FORKS:
			forks(lib);
			break;
		case EXEC:
			exec_one();
			break;
		case KILLED:
			kill_one(lib);
			break;
		case MOVE:
			done = move(&lib);
			break;
		case SPLIT:
			split(lib, n);
			break;
		case LOCK:
			check(mlockall(MCL_CURRENT) == 0 && is_right(lib) && munlockall() == 0);
			break;
		default:
			check(madvise(lib, LIB_BYTES, MADV_DONTNEED) == 0);
		}
		check(is_right(lib));
		__atomic_add_fetch(&shared->done[act], done, __ATOMIC_RELAXED);
	}
	_exit(0);
}

static pid_t start(int device, unsigned int seed)
{
	pid_t pid = fork();

	check(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(device);
		storm(seed);
	}
	return pid;
}

/* How many children of the first rounds are registered depends on the machine: 74 to 573 mostly, 12 once. */
static bool often_enough(int device)
{
	int i;

	for (i = 0; i < ACTS; i++)
		if (__atomic_load_n(&shared->done[i], __ATOMIC_RELAXED) < OFTEN)
			return false;
	return counter(device, DYNOPT_COUNTER_FORKED) > OFTEN;
}

static void change(int device, int file, const struct site *site)
{
	uint32_t status = call_undo(device, file, site);

	check(status == DYNOPT_KMOD_OK || status == DYNOPT_KMOD_NO_PATCH);
	/* Nobody maps it, for a moment, or somebody has moved or split what belongs together. */
	status = call_patch(device, file, site);
	check(status == DYNOPT_KMOD_OK || status == DYNOPT_KMOD_NOT_MAPPED);
}

/* One comes, one goes. */
static void come_and_go(int device, const pid_t *pids, int round)
{
	uint32_t status = call_register(device, pids[round % STORMERS]);

	check_is(status, DYNOPT_KMOD_OK);
	if (round % 3)
		return;
	status = call_unregister(device, pids[round / 3 % STORMERS]);
	check(status == DYNOPT_KMOD_OK || status == DYNOPT_KMOD_NO_PROCESS);
}

int main(int argc, char **argv)
{
	static const struct site *const sites[] = { &site_one, &site_cross, &site_two, &site_four };
	int device, file, i, rounds;
	pid_t pids[STORMERS];
	uint64_t published;

	if (argc > 1 && !strcmp(argv[1], "exec"))
		return !is_right(lib_map(LIB));
	device = device_open();
	lib_make(LIB);
	file = open(LIB, O_RDONLY | O_CLOEXEC);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	check(shared != MAP_FAILED);
	for (i = 0; i < STORMERS; i++)
		pids[i] = start(device, i + 1);
	for (rounds = 0; rounds < ROUNDS || !often_enough(device); rounds++) {
		come_and_go(device, pids, rounds);
		change(device, file, sites[rounds % 4]);
		/* Whoever has ended has seen something wrong. */
		check_is(waitpid(-1, NULL, WNOHANG), 0);
	}
	shared->stop = 1;
	for (i = 0; i < STORMERS; i++)
		wait_ok(pids[i]);
	printf("%d rounds", rounds);
	for (i = 0; i < ACTS; i++)
		printf(", %s %llu", names[i], (unsigned long long)shared->done[i]);
	published = counter(device, DYNOPT_COUNTER_PUBLISHED);
	printf("; %llu changes, %llu children registered\n", (unsigned long long)published,
	       (unsigned long long)counter(device, DYNOPT_COUNTER_FORKED));
	check(published > ROUNDS / 2);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	check_is(counter(device, DYNOPT_COUNTER_PROCESSES), 0);
	return 0;
}
