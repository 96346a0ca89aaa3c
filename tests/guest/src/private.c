// SPDX-License-Identifier: MIT
/*
 * private.c - pages that one process has a copy of its own of: breakpoints of a debugger, and a
 * program that writes its own text. Everybody computes right results, before and after, and so does who is forked meanwhile.
 *
 * To be run on an emulator that runs one processor at a time, like cookie.c: copies change in place while children execute them.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest.h"

/* The program writes n into its own `mov $n,%eax`. */
static long write_own(uint8_t *lib, uint64_t at, uint8_t value)
{
	uint8_t *page = lib + (at & ~(PAGE - 1));

	check(mprotect(page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
	*(volatile uint8_t *)(lib + at) = value;
	check(mprotect(page, PAGE, PROT_READ | PROT_EXEC) == 0);
	return 0;
}

#define FORKERS 2
#define FORK_ROUNDS 4

/* Threads that fork children, which call the site, until they are told to stop. */
static struct {
	pthread_t threads[FORKERS];
	const uint8_t *lib;
	bool stop;
	long forks, wrong; /* how one ended that was wrong */
} forking;

static void *fork_on(void *context)
{
	int status;
	pid_t pid;

	(void)context;
	while (!__atomic_load_n(&forking.stop, __ATOMIC_RELAXED)) {
		pid = fork();
		check(pid >= 0);
		if (!pid) {
			int value = lib_call(forking.lib, &site_one);

			_exit(value != site_one.plain && value != site_one.patched);
		}
		check(waitpid(pid, &status, 0) == pid);
		if (status)
			__atomic_store_n(&forking.wrong, status, __ATOMIC_RELAXED);
		__atomic_add_fetch(&forking.forks, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static long forking_start(const uint8_t *lib)
{
	int i;

	forking.lib = lib;
	forking.stop = false;
	forking.forks = forking.wrong = 0;
	for (i = 0; i < FORKERS; i++)
		check_is(pthread_create(&forking.threads[i], NULL, fork_on, NULL), 0);
	return 0;
}

/* Returns how a child ended that was wrong, or 0. */
static long forking_stop(void)
{
	int i;

	__atomic_store_n(&forking.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < FORKERS; i++)
		check_is(pthread_join(forking.threads[i], NULL), 0);
	return forking.wrong;
}

static long answer(int letter, void *context)
{
	uint8_t *lib = context;

	switch (letter) {
	case '1':
		return lib_call(lib, &site_one);
	case '2':
		return lib_call(lib, &site_two);
	case '3':
		return lib_call(lib, &site_cross);
	case 'l':
		return (long)(uintptr_t)lib;
	case 'a': /* the page of one and two becomes private, one's result another */
		return write_own(lib, LIB_ONE + 1, 77);
	case 'b': /* a page of the cache becomes private, with nothing else in it */
		return write_own(lib, LIB_CACHE + 3 * PAGE + 16, 0xcc);
	case 'c': /* first page of the site that crosses */
		return write_own(lib, LIB_CROSS - 64, 0x90);
	case 'd': /* its second page */
		return write_own(lib, LIB_CROSS + 64, 0x90);
	case 'e': /* page of one and two, with nothing else in it than there was */
		return write_own(lib, LIB_ONE + 64, lib[LIB_ONE + 64]);
	case 'o': /* that page is the file's again */
		return madvise(lib + (LIB_ONE & ~(PAGE - 1)), PAGE, MADV_DONTNEED);
	case 'f':
		return forking_start(lib);
	case 'n':
		return __atomic_load_n(&forking.forks, __ATOMIC_RELAXED);
	case 's':
		return forking_stop();
	default:
		return -1;
	}
}

static void attach(pid_t pid)
{
	int status;

	check(ptrace(PTRACE_ATTACH, pid, NULL, NULL) == 0);
	check(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
}

static uint64_t peek(pid_t pid, long addr)
{
	errno = 0;
	return ptrace(PTRACE_PEEKTEXT, pid, addr, NULL);
}

/* A debugger's breakpoint on a site: int3 over what is there, and back again. */
static void breakpoints(int device, int file)
{
	struct child a = child_start(answer), b = child_start(answer);
	long addr = child_ask(&a, 'l') + LIB_ONE;
	uint64_t word;

	check_is(call_register(device, a.pid), DYNOPT_KMOD_OK);
	check_is(call_register(device, b.pid), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	check_is(child_ask(&a, '1'), site_one.patched);
	attach(a.pid);
	word = peek(a.pid, addr);
	check_is(word & 0xff, 0xe9);
	check(ptrace(PTRACE_POKETEXT, a.pid, addr, (word & ~0xffull) | 0xcc) == 0);
	check(ptrace(PTRACE_POKETEXT, a.pid, addr, word) == 0);
	check(ptrace(PTRACE_DETACH, a.pid, NULL, NULL) == 0);
	check_is(child_ask(&a, '1'), site_one.patched);
	check_is(child_ask(&b, '1'), site_one.patched);
	/* a's copy no longer follows; both go on being right. */
	check_is(call_undo(device, file, &site_one), DYNOPT_KMOD_OK);
	check_is(child_ask(&b, '1'), site_one.plain);
	check_is(child_ask(&a, '1'), site_one.patched);
	check_is(child_ask(&a, '2'), site_two.plain);
	/* Leaving brings it back in the copy, too, under an int3. */
	check_is(call_unregister(device, a.pid), DYNOPT_KMOD_OK);
	check_is(child_ask(&a, '1'), site_one.plain);
	check_is(counter(device, DYNOPT_COUNTER_COOKIES), 1);
	child_end(&a);
	child_end(&b);
}

/* What a program wrote is its own, whatever happens to the page for others. */
static void own_text(int device, int file)
{
	struct child a = child_start(answer), b = child_start(answer), c;

	check_is(child_ask(&a, 'a'), 0);
	check_is(call_register(device, a.pid), DYNOPT_KMOD_OK);
	check_is(call_register(device, b.pid), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_two), DYNOPT_KMOD_OK);
	check_is(child_ask(&a, '1'), 77);
	check_is(child_ask(&a, '2'), site_two.plain);
	check_is(child_ask(&b, '1'), site_one.patched);
	check_is(child_ask(&b, '2'), site_two.patched);
	c = child_start(answer);
	check_is(child_ask(&c, '2'), site_two.plain);
	check_is(call_register(device, c.pid), DYNOPT_KMOD_OK);
	check_is(child_ask(&c, '2'), site_two.patched);
	check_is(call_undo_all(device, file), DYNOPT_KMOD_OK);
	check_is(child_ask(&c, 'a'), 0);
	check_is(child_ask(&c, '1'), 77);
	check_is(child_ask(&a, '1'), 77);
	check_is(child_ask(&b, '1'), site_one.plain);
	child_end(&a);
	child_end(&b);
	child_end(&c);
}

/* Pages that must change together do not, while somebody has one of them for himself. */
static void together(int device, int file)
{
	struct child a = child_start(answer), b = child_start(answer), c = child_start(answer);
	int i;

	check_is(call_register(device, a.pid), DYNOPT_KMOD_OK);
	check_is(call_register(device, b.pid), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_cross), DYNOPT_KMOD_OK);
	check_is(call_undo(device, file, &site_cross), DYNOPT_KMOD_OK);
	check_is(child_ask(&a, 'c'), 0);
	check_is(call_patch(device, file, &site_cross), DYNOPT_KMOD_PRIVATE_PAGE);
	check_is(child_ask(&a, '3'), site_cross.plain);
	check_is(child_ask(&b, '3'), site_cross.plain);
	child_end(&a);
	check_is(call_patch(device, file, &site_cross), DYNOPT_KMOD_OK);
	check_is(child_ask(&b, '3'), site_cross.patched);
	/* One half of the jump in a copy: undone with the other half. First half, then second. */
	for (i = 0; i < 2; i++) {
		a = child_start(answer);
		check_is(call_register(device, a.pid), DYNOPT_KMOD_OK);
		check_is(child_ask(&a, '3'), site_cross.patched);
		check_is(child_ask(&a, i ? 'c' : 'd'), 0);
		check_is(child_ask(&a, '3'), site_cross.patched);
		check_is(call_undo(device, file, &site_cross), DYNOPT_KMOD_OK);
		check_is(child_ask(&a, '3'), site_cross.plain);
		check_is(child_ask(&b, '3'), site_cross.plain);
		child_end(&a);
		check_is(call_patch(device, file, &site_cross), DYNOPT_KMOD_OK);
	}
	/* Both halves in copies: the jump stays there whole, as does what it leads to. */
	check_is(child_ask(&b, 'c'), 0);
	check_is(child_ask(&b, 'd'), 0);
	check_is(call_undo(device, file, &site_cross), DYNOPT_KMOD_OK);
	check_is(child_ask(&b, '3'), site_cross.patched);
	check_is(call_unregister(device, b.pid), DYNOPT_KMOD_OK);
	check_is(child_ask(&b, '3'), site_cross.plain);
	check_is(call_register(device, b.pid), DYNOPT_KMOD_OK);
	/* A private page of the cache, before: no process with one is taken over. */
	check_is(child_ask(&c, 'b'), 0);
	check_is(call_register(device, c.pid), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	check_is(child_ask(&c, '1'), site_one.patched);
	child_end(&b);
	child_end(&c);
}

/* Leaving with one half in a copy: the other half must not become original alone. */
static void leaving_half(int device, int file)
{
	struct child a = child_start(answer), b = child_start(answer);

	check_is(call_register(device, a.pid), DYNOPT_KMOD_OK);
	check_is(call_register(device, b.pid), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_cross), DYNOPT_KMOD_OK);
	check_is(child_ask(&a, '3'), site_cross.patched);
	check_is(child_ask(&a, 'c'), 0);
	check_is(call_unregister(device, a.pid), DYNOPT_KMOD_OK);
	check_is(child_ask(&a, '3'), site_cross.plain);
	check_is(child_ask(&b, '3'), site_cross.patched);
	child_end(&a);
	child_end(&b);
}

static void until_forked(const struct child *child, long n)
{
	while (child_ask(child, 'n') < n)
		continue;
}

/* Who forks while it leaves, with a jump in a copy, has no children that have the jump and not what it leads to. */
static void forked(int file, bool unload)
{
	struct child a = child_start(answer);
	int i, device;

	for (i = 0; i < FORK_ROUNDS; i++) {
		device = device_open();
		check_is(call_register(device, a.pid), DYNOPT_KMOD_OK);
		check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
		check_is(child_ask(&a, '1'), site_one.patched);
		check_is(child_ask(&a, 'e'), 0);
		check_is(child_ask(&a, 'f'), 0);
		until_forked(&a, 4);
		if (!unload)
			check_is(call_unregister(device, a.pid), DYNOPT_KMOD_OK);
		close(device);
		if (unload)
			check_is(module_unload(), 0);
		check_is(child_ask(&a, 's'), 0);
		check_is(child_ask(&a, '1'), site_one.plain);
		check_is(child_ask(&a, 'o'), 0);
		if (unload)
			module_load();
	}
	child_end(&a);
}

int main(void)
{
	int device = device_open(), file;

	lib_make(LIB);
	file = open(LIB, O_RDONLY | O_CLOEXEC);
	breakpoints(device, file);
	own_text(device, file);
	together(device, file);
	leaving_half(device, file);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	close(device);
	forked(file, false);
	forked(file, true);
	return 0;
}
