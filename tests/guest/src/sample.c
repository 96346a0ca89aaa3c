// SPDX-License-Identifier: MIT
/*
 * sample.c - the module samples a process that may not use perf: all of its threads, those that
 * come later, too, each found where it is; and stops with the process, or when told.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest.h"

#define ENOUGH 40 /* samples of each thread */
#define ROOM 512

static struct shared {
	volatile int more, stop;
} *shared;

/* Two instructions and an end, so that their addresses are known. */
#define SPIN(name) \
	__asm__(".globl " #name "\n" #name ": pause\n cmpl $0,(%rdi)\n je " #name "\n" #name \
	        "_end: ret\n"); \
	void name(volatile int *stop); \
	extern char name##_end[];
SPIN(spin_one)
SPIN(spin_two)
SPIN(spin_three)

static void *run_two(void *unused)
{
	spin_two(&shared->stop);
	return unused;
}

static void *run_three(void *unused)
{
	spin_three(&shared->stop);
	return unused;
}

static _Noreturn void work(void)
{
	pthread_t two, three;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	check_is(pthread_create(&two, NULL, run_two, NULL), 0);
	spin_one(&shared->more);
	check_is(pthread_create(&three, NULL, run_three, NULL), 0);
	spin_one(&shared->stop);
	pthread_join(two, NULL);
	pthread_join(three, NULL);
	_exit(0);
}

static uint32_t ask(int device, pid_t pid, uint32_t flags, uint32_t period_us)
{
	struct dynopt_ioc_sample sample = {
		.size = sizeof(sample), .pid = pid, .flags = flags, .period_us = period_us
	};

	return call_raw(device, DYNOPT_IOC_SAMPLE, &sample);
}

static uint32_t take(int device, pid_t pid, uint64_t *ips)
{
	struct dynopt_ioc_sample sample = { .size = sizeof(sample),
		                            .pid = pid,
		                            .flags = DYNOPT_SAMPLE_READ,
		                            .n = ROOM,
		                            .ips = (uintptr_t)ips };

	check_is(call_raw(device, DYNOPT_IOC_SAMPLE, &sample), DYNOPT_KMOD_OK);
	check(sample.n <= ROOM);
	return sample.n;
}

static bool within(uint64_t ip, void (*from)(volatile int *), const char *end)
{
	return ip >= (uintptr_t)from && ip <= (uintptr_t)end;
}

static uint64_t one, two, three, elsewhere;

static void sort(const uint64_t *ips, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (within(ips[i], spin_one, spin_one_end))
			one++;
		else if (within(ips[i], spin_two, spin_two_end))
			two++;
		else if (within(ips[i], spin_three, spin_three_end))
			three++;
		else
			elsewhere++;
	}
}

static void collect(int device, pid_t pid, bool with_third)
{
	uint64_t ips[ROOM];

	one = two = three = elsewhere = 0;
	while (one < ENOUGH || two < ENOUGH || (with_third && three < ENOUGH)) {
		sort(ips, take(device, pid, ips));
		sched_yield();
	}
	printf("%llu %llu %llu, elsewhere %llu\n", (unsigned long long)one, (unsigned long long)two,
	       (unsigned long long)three, (unsigned long long)elsewhere);
	check(elsewhere <= (one + two + three) / 4);
}

static void sampled(int device)
{
	uint64_t ips[ROOM];
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	pid = fork();
	check(pid >= 0);
	if (!pid)
		work();
	check_is(ask(device, pid, DYNOPT_SAMPLE_START, 1000), DYNOPT_KMOD_NO_PROCESS);
	check_is(call_register(device, pid), DYNOPT_KMOD_OK);
	check_is(ask(device, pid, DYNOPT_SAMPLE_READ, 0), DYNOPT_KMOD_NOT_SAMPLED);
	check_is(ask(device, pid, DYNOPT_SAMPLE_START, 999), DYNOPT_KMOD_BAD_REQUEST);
	check_is(ask(device, pid, 3, 0), DYNOPT_KMOD_BAD_REQUEST);
	check_is(ask(device, pid, DYNOPT_SAMPLE_START, 1000), DYNOPT_KMOD_OK);
	collect(device, pid, false);
	check_is(three, 0);
	shared->more = 1;
	collect(device, pid, true);
	/* Anew, and stopped: nothing comes any more. */
	check_is(ask(device, pid, DYNOPT_SAMPLE_START, 2000), DYNOPT_KMOD_OK);
	check_is(counter(device, DYNOPT_COUNTER_SAMPLERS), 1);
	collect(device, pid, true);
	check_is(ask(device, pid, DYNOPT_SAMPLE_STOP, 0), DYNOPT_KMOD_OK);
	check_is(ask(device, pid, DYNOPT_SAMPLE_READ, 0), DYNOPT_KMOD_NOT_SAMPLED);
	check_is(counter(device, DYNOPT_COUNTER_SAMPLERS), 0);
	/* It ends by being unregistered. */
	check_is(ask(device, pid, DYNOPT_SAMPLE_START, 1000), DYNOPT_KMOD_OK);
	check(take(device, pid, ips) <= ROOM);
	check_is(call_unregister(device, pid), DYNOPT_KMOD_OK);
	check_is(ask(device, pid, DYNOPT_SAMPLE_READ, 0), DYNOPT_KMOD_NOT_SAMPLED);
	shared->stop = 1;
	wait_ok(pid);
}

/* Killed while it is sampled; what is left is counted at unload. */
static void killed(int device)
{
	uint64_t ips[ROOM];
	int status;
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	pid = fork();
	check(pid >= 0);
	if (!pid)
		work();
	check_is(call_register(device, pid), DYNOPT_KMOD_OK);
	check_is(ask(device, pid, DYNOPT_SAMPLE_START, 1000), DYNOPT_KMOD_OK);
	while (take(device, pid, ips) == 0)
		sched_yield();
	check(kill(pid, SIGKILL) == 0);
	check(waitpid(pid, &status, 0) == pid);
	check_is(status, SIGKILL);
}

/* Whoever has started it closes the device, or is killed: it stops, and can be started again. */
static void closed(int device)
{
	uint64_t ips[ROOM];
	pid_t pid;
	int other;

	memset(shared, 0, sizeof(*shared));
	pid = fork();
	check(pid >= 0);
	if (!pid)
		work();
	other = device_open(); /* not the child's, too */
	check_is(call_register(device, pid), DYNOPT_KMOD_OK);
	check_is(ask(other, pid, DYNOPT_SAMPLE_START, 1000), DYNOPT_KMOD_OK);
	while (take(device, pid, ips) == 0)
		sched_yield();
	close(other);
	check_is(ask(device, pid, DYNOPT_SAMPLE_READ, 0), DYNOPT_KMOD_NOT_SAMPLED);
	check_is(ask(device, pid, DYNOPT_SAMPLE_START, 1000), DYNOPT_KMOD_OK);
	while (take(device, pid, ips) == 0)
		sched_yield();
	shared->more = shared->stop = 1;
	wait_ok(pid);
}

/* Who may not use perf samples himself, and nobody else. */
static void as_member(void)
{
	uint64_t ips[ROOM];
	pid_t pid;
	int own;

	check(chown(DYNOPT_DEVICE, 0, 4242) == 0);
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		check(setgroups(0, NULL) == 0 && setresgid(4242, 4242, 4242) == 0 &&
		      setresuid(65534, 65534, 65534) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
		own = open(DYNOPT_DEVICE, O_RDWR | O_CLOEXEC);
		check(own >= 0);
		check_is(call_register(own, 0), DYNOPT_KMOD_OK);
		check_is(ask(own, 1, DYNOPT_SAMPLE_START, 1000), DYNOPT_KMOD_PERMISSION);
		check_is(ask(own, 1, DYNOPT_SAMPLE_READ, 0), DYNOPT_KMOD_PERMISSION);
		check_is(ask(own, 0, DYNOPT_SAMPLE_START, 1000), DYNOPT_KMOD_OK);
		while (take(own, 0, ips) == 0)
			continue;
		_exit(0);
	}
	wait_ok(pid);
	check(chown(DYNOPT_DEVICE, 0, 0) == 0);
}

int main(void)
{
	int device = device_open();

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	check(shared != MAP_FAILED);
	sampled(device);
	killed(device);
	closed(device);
	as_member();
	check_is(counter(device, DYNOPT_COUNTER_PROCESSES), 0);
	return 0;
}
