// SPDX-License-Identifier: MIT
/*
 * stuck.c - a thread that stays in a translation for as long as it likes holds up nobody: its process executes originals at
 * once, requests of others go on, and what is left to do is done when the thread has gone on, or been killed.
 *
 * Three translations, of bytes that are given: one that runs until it is let go, one that begins with a fault that nobody answers,
 * and one that has such a fault where there is no original to turn back to.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest.h"

/* Below 2 GiB, at the same place in all processes: `shared` is one for all, the other page each has for itself. */
struct shared {
	uint32_t go, inside;
};
static volatile struct shared *shared;
static uint8_t *faulting;

enum kind { SPINS, FAULTS_FIRST, FAULTS_INSIDE, KINDS };

static const struct site sites[KINDS] = {
	[SPINS] = { LIB_ONE, LIB_CACHE, 1, 101, 0 },
	[FAULTS_FIRST] = { LIB_TWO, LIB_CACHE + 2 * PAGE, 2, 102, 0 },
	[FAULTS_INSIDE] = { LIB_FOUR, LIB_CACHE + 4 * PAGE, 4, 104, 0 },
};

static uint8_t *put(uint8_t *at, const char *bytes, int n)
{
	memcpy(at, bytes, n);
	return at + n;
}

static uint8_t *put_address(uint8_t *at, const volatile void *address)
{
	uint32_t value = (uint32_t)(uintptr_t)address;

	return put(at, (const char *)&value, sizeof(value));
}

static void fill_code(struct dynopt_ioc_patch *patch, int file, enum kind kind)
{
	uint8_t *at = patch->code, move[5];

	patch_fill(patch, file, &sites[kind]);
	memcpy(move, patch->code, sizeof(move));
	switch (kind) {
	case SPINS:
		/* mov $shared,%ecx; movl $1,4(%rcx); 1: pause; cmpl $0,(%rcx); je 1b */
		at = put_address(put(at, "\xb9", 1), shared);
		at = put(at, "\xc7\x41\x04\x01\x00\x00\x00", 7);
		at = put(at, "\xf3\x90\x83\x39\x00\x74\xf9", 7);
		break;
	case FAULTS_FIRST:
		/* mov faulting,%ecx */
		at = put_address(put(at, "\x8b\x0c\x25", 3), faulting);
		break;
	default:
		/* mov $faulting,%ecx; mov (%rcx),%ecx */
		at = put_address(put(at, "\xb9", 1), faulting);
		at = put(at, "\x8b\x09", 2);
	}
	memcpy(at, move, sizeof(move));
	patch->code_len = at + sizeof(move) - patch->code;
}

static void patch(int device, int file, enum kind kind)
{
	struct dynopt_ioc_patch request;

	fill_code(&request, file, kind);
	check_is(call_raw(device, DYNOPT_IOC_PATCH, &request), DYNOPT_KMOD_OK);
}

/* ---- the process ---- */

static const uint8_t *lib;
static pthread_t thread;

static void *call_site(void *site)
{
	return (void *)(intptr_t)lib_call(lib, site);
}

static long start_thread(enum kind kind)
{
	return pthread_create(&thread, NULL, call_site, (void *)&sites[kind]);
}

static long in_child(void)
{
	int status;
	pid_t pid = fork();

	check(pid >= 0);
	if (!pid)
		_exit(lib_call(lib, &sites[SPINS]));
	check(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Whoever touches the page waits until somebody answers; -1: this kernel has nothing of the kind. */
static long wait_for_answer(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .range = { (uintptr_t)faulting, PAGE },
		                         .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 && errno == ENOSYS)
		return -1;
	check(fd >= 0 && ioctl(fd, UFFDIO_API, &api) == 0);
	check(ioctl(fd, UFFDIO_REGISTER, &range) == 0);
	return fd;
}

static long answer(int letter, void *context)
{
	void *result;

	lib = context;
	switch (letter) {
	case '0':
	case '1':
	case '2':
		return start_thread(letter - '0');
	case 'r': /* what it came to */
		check(pthread_join(thread, &result) == 0);
		return (long)(intptr_t)result;
	case 'c':
		return lib_call(lib, &sites[SPINS]);
	case 'd':
		return lib_call(lib, &sites[FAULTS_FIRST]);
	case 'f':
		return in_child();
	case 'u':
		return wait_for_answer();
	default:
		return -1;
	}
}

/* ---- what is asked of the module ---- */

static uint32_t once(int device, unsigned long command, pid_t pid)
{
	struct dynopt_ioc_process process = { .size = sizeof(process), .pid = pid };

	return call_raw(device, command, &process);
}

static void wait_until_left(int device)
{
	while (counter(device, DYNOPT_COUNTER_LEAVING))
		sched_yield();
}

/* A thread of it is in the loop. */
static struct child spinning(int device)
{
	struct child child = child_start(answer);

	shared->go = shared->inside = 0;
	check_is(call_register(device, child.pid), DYNOPT_KMOD_OK);
	patch(device, open(LIB, O_RDONLY | O_CLOEXEC), SPINS);
	check_is(child_ask(&child, '0'), 0);
	while (!shared->inside)
		sched_yield();
	return child;
}

/* Others' requests, and what the process itself sees. */
static void others_go_on(int device, int file, const struct child *stuck)
{
	struct child other = child_start(answer);
	uint64_t forked = counter(device, DYNOPT_COUNTER_FORKED);
	const struct site *site =
		&site_two; /* harmless here: its code is another place of the cache */

	check_is(call_register(device, other.pid), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, site), DYNOPT_KMOD_OK);
	check_is(child_ask(&other, 'd'), site->patched);
	check_is(child_ask(stuck, 'd'), site->plain);
	check_is(child_ask(stuck, 'c'), sites[SPINS].plain);
	check_is(child_ask(stuck, 'f'), sites[SPINS].plain);
	check_is(counter(device, DYNOPT_COUNTER_FORKED), forked);
	check_is(call_undo(device, file, site), DYNOPT_KMOD_OK);
	check_is(child_ask(&other, 'd'), site->plain);
	check_is(once(device, DYNOPT_IOC_UNREGISTER, other.pid), DYNOPT_KMOD_OK);
	child_end(&other);
}

static void leaves_later(int device, int file)
{
	struct child child = spinning(device);
	int status;

	check_is(once(device, DYNOPT_IOC_UNREGISTER, child.pid), DYNOPT_KMOD_LEAVING);
	check_is(counter(device, DYNOPT_COUNTER_LEAVING), 1);
	check_is(once(device, DYNOPT_IOC_REGISTER, child.pid), DYNOPT_KMOD_LEAVING);
	others_go_on(device, file, &child);
	check(kill(child.pid, SIGSTOP) == 0);
	check(waitpid(child.pid, &status, WUNTRACED) == child.pid && WIFSTOPPED(status));
	shared->go = 1;
	check_is(once(device, DYNOPT_IOC_UNREGISTER, child.pid), DYNOPT_KMOD_LEAVING);
	check_is(counter(device, DYNOPT_COUNTER_LEAVING), 1);
	check(kill(child.pid, SIGCONT) == 0);
	wait_until_left(device);
	check_is(counter(device, DYNOPT_COUNTER_PROCESSES), 0);
	check_is(child_ask(&child, 'r'), sites[SPINS].patched);
	check_is(child_ask(&child, 'c'), sites[SPINS].plain);
	check_is(call_register(device, child.pid), DYNOPT_KMOD_OK);
	check_is(counter(device, DYNOPT_COUNTER_MAPPINGS), 0); /* nobody had the file any more */
	child_end(&child);
}

static void killed(int device)
{
	struct child child = spinning(device);

	check_is(once(device, DYNOPT_IOC_UNREGISTER, child.pid), DYNOPT_KMOD_LEAVING);
	child_kill(&child);
	wait_until_left(device);
	check_is(counter(device, DYNOPT_COUNTER_PROCESSES), 0);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
}

static void until_fault(int events)
{
	struct uffd_msg message;

	check(read(events, &message, sizeof(message)) == sizeof(message));
	check_is(message.event, UFFD_EVENT_PAGEFAULT);
}

/* In a fault that is never answered a thread turns back, if it can; else its process leaves when it is answered. */
static void faults(int device, int file)
{
	struct child child = child_start(answer);
	struct uffdio_zeropage zero = { .range = { (uintptr_t)faulting, PAGE } };
	long fd = child_ask(&child, 'u');
	int events;

	if (fd < 0) {
		printf("no userfaultfd in this kernel: not tried\n");
		child_end(&child);
		return;
	}
	events = syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, child.pid, 0), (int)fd, 0);
	check(events >= 0);
	check_is(call_register(device, child.pid), DYNOPT_KMOD_OK);
	patch(device, file, FAULTS_FIRST);
	check_is(child_ask(&child, '1'), 0);
	until_fault(events);
	check_is(call_unregister(device, child.pid), DYNOPT_KMOD_OK);
	check_is(child_ask(&child, 'r'), sites[FAULTS_FIRST].plain);

	check_is(call_register(device, child.pid), DYNOPT_KMOD_OK);
	patch(device, file, FAULTS_INSIDE);
	check_is(child_ask(&child, '2'), 0);
	until_fault(events);
	check_is(once(device, DYNOPT_IOC_UNREGISTER, child.pid), DYNOPT_KMOD_LEAVING);
	check_is(child_ask(&child, 'd'), sites[FAULTS_FIRST].plain);
	check(ioctl(events, UFFDIO_ZEROPAGE, &zero) == 0);
	wait_until_left(device);
	check_is(child_ask(&child, 'r'), sites[FAULTS_INSIDE].patched);
	close(events);
	child_end(&child);
}

/* Who unloads waits: there would be nothing under the thread's feet. */
static void unloading(int device)
{
	struct child child = spinning(device);
	pid_t helper;

	close(device);
	helper = fork();
	check(helper >= 0);
	if (!helper)
		_exit(module_unload());
	until_waiting(helper); /* for the worker's end, maybe: sites may be there yet */
	check_is(waitpid(helper, NULL, WNOHANG), 0);
	shared->go = 1;
	wait_ok(helper);
	check_is(child_ask(&child, 'r'), sites[SPINS].patched);
	check_is(child_ask(&child, 'c'), sites[SPINS].plain);
	child_end(&child);
	module_load();
}

static void *low_page(int flags)
{
	void *page =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_32BIT | flags, -1, 0);

	check(page != MAP_FAILED);
	return page;
}

int main(void)
{
	struct dynopt_ioc_policy policy = { .size = sizeof(policy),
		                            .flags = DYNOPT_POLICY_SET,
		                            .leave_ms = 1 };
	int device = device_open(), file;

	lib_make(LIB);
	file = open(LIB, O_RDONLY | O_CLOEXEC);
	shared = low_page(MAP_SHARED);
	faulting = low_page(MAP_PRIVATE);
	check_is(call_raw(device, DYNOPT_IOC_POLICY, &policy), DYNOPT_KMOD_OK);
	check_is(policy.leave_ms, 1);
	leaves_later(device, file);
	killed(device);
	faults(device, file);
	check_is(counter(device, DYNOPT_COUNTER_PROCESSES), 0);
	unloading(device);
	return 0;
}
