// SPDX-License-Identifier: MIT
/*
 * queue.c - blocks of traces in the module's queue: how many there may be, whose turn it is, what becomes of them when their
 * time ends, their sender goes or a signal comes; undo and unregister do not wait for what is translated.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/capability.h>
#include "traced.h"

#define OTHER_USER 4242

static struct dynopt_ioc_report reports[DYNOPT_SUBMIT_TRACES_MAX];
static int device, file;
static pid_t registered; /* the process that runs the program, if it is registered */
static uint32_t many; /* traces of a block that takes long: half of them */

static uint32_t put(int to, uint32_t first, uint32_t n, uint64_t *id)
{
	struct dynopt_ioc_submit submit;
	uint32_t status;

	traced_fill(&submit, file, first, n);
	submit.flags |= DYNOPT_SUBMIT_QUEUE;
	submit.domain = registered;
	status = call_raw(to, DYNOPT_IOC_SUBMIT, &submit);
	if (id)
		*id = submit.id;
	return status;
}

static bool is_readable(int from, int timeout_ms)
{
	struct pollfd poll_for = { .fd = from, .events = POLLIN };

	return poll(&poll_for, 1, timeout_ms) == 1 && (poll_for.revents & POLLIN);
}

static struct dynopt_ioc_reports read_one(int from, uint32_t wanted)
{
	struct dynopt_ioc_reports request = { .size = sizeof(request),
		                              .n = DYNOPT_SUBMIT_TRACES_MAX,
		                              .reports = (uintptr_t)reports };

	check_is(call_raw(from, DYNOPT_IOC_REPORTS, &request), wanted);
	return request;
}

static struct dynopt_ioc_reports wait_one(int from)
{
	check(is_readable(from, -1));
	return read_one(from, DYNOPT_KMOD_OK);
}

static struct dynopt_ioc_policy set_policy(struct dynopt_ioc_policy policy)
{
	policy.size = sizeof(policy);
	policy.flags = DYNOPT_POLICY_SET;
	check_is(call_raw(device, DYNOPT_IOC_POLICY, &policy), DYNOPT_KMOD_OK);
	return policy;
}

static struct dynopt_ioc_policy get_policy(void)
{
	struct dynopt_ioc_policy policy = { .size = sizeof(policy) };

	check_is(call_raw(device, DYNOPT_IOC_POLICY, &policy), DYNOPT_KMOD_OK);
	return policy;
}

static uint32_t n_ok(uint32_t n)
{
	uint32_t ok = 0, i;

	for (i = 0; i < n; i++)
		ok += !strcmp(reports[i].status, "OK");
	return ok;
}

/* As many as one process may have, read in their order; unread reports count. */
static void bounded(void)
{
	uint32_t most = get_policy().process_blocks, n = n_traces / most, i;
	uint64_t id, published = 0;
	struct dynopt_ioc_reports done;

	check(!is_readable(device, 0));
	read_one(device, DYNOPT_KMOD_NO_REPORTS);
	for (i = 0; i < most; i++) {
		check_is(put(device, i * n, n, &id), DYNOPT_KMOD_OK);
		check_is(id, i + 1);
	}
	check_is(put(device, 0, 1, NULL), DYNOPT_KMOD_FIFO_QUOTA);
	check(is_readable(device, -1));
	done = (struct dynopt_ioc_reports){ .size = sizeof(done), .n = n - 1 };
	check_is(call_raw(device, DYNOPT_IOC_REPORTS, &done), DYNOPT_KMOD_REPORTS_ROOM);
	check_is(done.n, n);
	done.reports = 8;
	check_is(call_raw(device, DYNOPT_IOC_REPORTS, &done), DYNOPT_KMOD_BAD_ADDRESS);
	for (i = 0; i < most; i++) {
		done = wait_one(device);
		check_is(done.id, i + 1);
		check_is(done.block_status, DYNOPT_KMOD_OK);
		check_is(done.more + done.waiting, most - 1 - i);
		check_is(n_ok(done.n), done.published);
		check(!(done.advice & DYNOPT_ADVICE_SLOWER) == (2 * (most - i) < most));
		published += done.published;
	}
	printf("%u blocks, %llu traces published\n", most, (unsigned long long)published);
	check(published > 10);
	check_is(counter(device, DYNOPT_COUNTER_PATCHES), published);
	check_is(call_undo_all(device, file), DYNOPT_KMOD_OK);
	check_is(put(device, 0, 1, NULL), DYNOPT_KMOD_OK);
	wait_one(device);
	check_is(counter(device, DYNOPT_COUNTER_BLOCKS), 0);
}

/* Another user with the right to submit. */
static void become_other(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	check(prctl(PR_SET_KEEPCAPS, 1) == 0);
	check(setresuid(OTHER_USER, OTHER_USER, OTHER_USER) == 0);
	check(syscall(SYS_capget, &header, data) == 0);
	data[0].effective = data[0].permitted;
	check(syscall(SYS_capset, &header, data) == 0);
}

static uint32_t first_ok, second_ok; /* traces that are published if nothing is in their way */

/*
 * One that has a descriptor of its own, and does what it is asked: a and b put one of two traces in, p reads what became of it,
 * and says whether it was published; u becomes another user.
 */
static long answer_queue(int letter, void *context)
{
	static int own = -1;

	(void)context;
	if (own < 0) {
		own = device_open();
		file = open(TRACED, O_RDONLY | O_CLOEXEC);
	}
	switch (letter) {
	case 'u':
		become_other();
		return 0;
	case 'a':
		return put(own, first_ok, 1, NULL);
	case 'b':
		return put(own, second_ok, 1, NULL);
	case 'p':
		return wait_one(own).published;
	default:
		return -1;
	}
}

/* The queue as a whole, and one user's part of it. */
static void shared(void)
{
	struct dynopt_ioc_policy before = get_policy();
	struct child child = child_start(answer_queue), other = child_start(answer_queue);

	child_ask(&other, 'u');
	set_policy((struct dynopt_ioc_policy){ .user_blocks = 2 });
	check_is(put(device, 0, 1, NULL), DYNOPT_KMOD_OK);
	check_is(child_ask(&child, 'a'), DYNOPT_KMOD_OK);
	check_is(child_ask(&child, 'a'), DYNOPT_KMOD_FIFO_QUOTA);
	check_is(put(device, 0, 1, NULL), DYNOPT_KMOD_FIFO_QUOTA);
	check_is(child_ask(&other, 'a'), DYNOPT_KMOD_OK);
	set_policy((struct dynopt_ioc_policy){ .queue_blocks = 3 });
	check_is(child_ask(&other, 'a'), DYNOPT_KMOD_FIFO_FULL);
	child_ask(&other, 'p');
	check_is(child_ask(&other, 'a'), DYNOPT_KMOD_OK);
	child_ask(&other, 'p');
	child_ask(&child, 'p');
	wait_one(device);
	child_end(&child);
	child_end(&other);
	set_policy(before);
}

/*
 * While a large block is worked on, one process puts two traces in, twice; then come another process of the same user and
 * another user with one of the two each. In turn, these are before the first process's second ones.
 */
static bool fair_round(struct child *child, struct child *other)
{
	bool in_time;

	check_is(call_undo_all(device, file), DYNOPT_KMOD_OK);
	check_is(put(device, 0, many, NULL), DYNOPT_KMOD_OK);
	check_is(put(device, 0, 1, NULL), DYNOPT_KMOD_OK);
	check_is(put(device, first_ok, 1, NULL), DYNOPT_KMOD_OK);
	check_is(put(device, second_ok, 1, NULL), DYNOPT_KMOD_OK);
	check_is(child_ask(child, 'a'), DYNOPT_KMOD_OK);
	check_is(child_ask(other, 'b'), DYNOPT_KMOD_OK);
	in_time = !is_readable(device, 0);
	wait_one(device);
	wait_one(device);
	if (in_time) {
		check_is(wait_one(device).published, 0);
		check_is(wait_one(device).published, 0);
		check_is(child_ask(child, 'p'), 1);
		check_is(child_ask(other, 'p'), 1);
	} else {
		wait_one(device);
		wait_one(device);
		child_ask(child, 'p');
		child_ask(other, 'p');
	}
	return in_time;
}

static void fair(void)
{
	struct child child = child_start(answer_queue), other = child_start(answer_queue);
	int rounds = 1;

	child_ask(&other, 'u');
	while (!fair_round(&child, &other))
		rounds++;
	printf("fair: round %d\n", rounds);
	child_end(&child);
	child_end(&other);
}

/* What is translated holds up nobody: a block is still worked on when an undo, and a leave, are done. */
static void in_front(const struct run *run)
{
	bool undone = false, left = false;
	struct dynopt_ioc_reports done;

	while (!undone || !left) {
		check_is(put(device, 0, many, NULL), DYNOPT_KMOD_OK);
		check_is(call_undo_all(device, file), DYNOPT_KMOD_OK);
		undone |= !is_readable(device, 0);
		check_is(call_unregister(device, run->pid), DYNOPT_KMOD_OK);
		left |= !is_readable(device, 0);
		check_is(call_register(device, run->pid), DYNOPT_KMOD_OK);
		done = wait_one(device);
		check(done.block_status == DYNOPT_KMOD_OK ||
		      done.block_status == DYNOPT_KMOD_NOT_MAPPED);
		check(!(done.advice & DYNOPT_ADVICE_GONE) == (done.block_status == DYNOPT_KMOD_OK));
	}
}

/* A microsecond is over when the file is read. */
static void timed(void)
{
	struct dynopt_ioc_policy before = get_policy();
	struct dynopt_ioc_reports done;
	struct dynopt_ioc_submit waited;
	uint32_t i;

	set_policy((struct dynopt_ioc_policy){ .block_us = 1 });
	check_is(call_undo_all(device, file), DYNOPT_KMOD_OK);
	check_is(put(device, 0, 20, NULL), DYNOPT_KMOD_OK);
	done = wait_one(device);
	check_is(done.n, 20);
	check_is(done.published, 0);
	check(done.advice & DYNOPT_ADVICE_SMALLER);
	for (i = 0; i < done.n; i++)
		check(!strcmp(reports[i].status, "BLOCK_TIME"));
	traced_fill(&waited, file, 0, 20);
	waited.domain = registered;
	waited.reports = (uintptr_t)reports;
	check_is(call_raw(device, DYNOPT_IOC_SUBMIT, &waited), DYNOPT_KMOD_OK);
	check_is(waited.advice, DYNOPT_ADVICE_SMALLER);
	set_policy(before);
	check_is(get_policy().block_us, before.block_us);
	check_is(put(device, 0, 20, NULL), DYNOPT_KMOD_OK);
	done = wait_one(device);
	check(done.published > 0 && !(done.advice & DYNOPT_ADVICE_SMALLER));
}

static void wait_for_none(void)
{
	while (counter(device, DYNOPT_COUNTER_BLOCKS))
		sched_yield();
}

/* Nothing stays of who goes, be it that he closes the descriptor or is killed. */
static void dropped(void)
{
	uint64_t before = counter(device, DYNOPT_COUNTER_DROPPED);
	int other = device_open();
	struct child child;

	check_is(put(other, 0, many, NULL), DYNOPT_KMOD_OK);
	check_is(put(other, 0, 1, NULL), DYNOPT_KMOD_OK);
	check_is(put(other, 0, 1, NULL), DYNOPT_KMOD_OK);
	close(other);
	wait_for_none();
	check(counter(device, DYNOPT_COUNTER_DROPPED) >= before + 1);
	child = child_start(answer_queue);
	check_is(child_ask(&child, 'a'), DYNOPT_KMOD_OK);
	check_is(child_ask(&child, 'b'), DYNOPT_KMOD_OK);
	child_kill(&child);
	wait_for_none();
}

static int ioctl_once(int to, struct dynopt_ioc_submit *submit)
{
	return ioctl(to, DYNOPT_IOC_SUBMIT, submit) ? errno : 0;
}

static void on_alarm(int number)
{
	(void)number;
}

/* Who waits for his reports may be interrupted, and nothing is left of it then; what is published is not. */
static void interrupted(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval soon = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };
	struct dynopt_ioc_submit submit;
	bool came = false;

	check(sigaction(SIGALRM, &action, NULL) == 0);
	while (!came) {
		check_is(call_undo_all(device, file), DYNOPT_KMOD_OK);
		traced_fill(&submit, file, 0, many);
		submit.reports = (uintptr_t)reports;
		check(setitimer(ITIMER_REAL, &soon, NULL) == 0);
		came = ioctl_once(device, &submit) == EINTR;
		check(setitimer(ITIMER_REAL, &never, NULL) == 0);
		if (came)
			check_is(submit.status, DYNOPT_KMOD_INTERRUPTED);
		check_is(submit.published, came ? 0 : n_ok(submit.n_traces));
	}
	wait_for_none();
	check_is(call_undo_all(device, file), DYNOPT_KMOD_OK);
}

/* Two traces that are in nobody's way: of the last ones, published behind the first ones. */
static void find_two(void)
{
	uint32_t first = n_traces - many, i;

	check_is(put(device, 0, many, NULL), DYNOPT_KMOD_OK);
	wait_one(device);
	check_is(put(device, first, many, NULL), DYNOPT_KMOD_OK);
	wait_one(device);
	for (i = 0; i < many; i++) {
		if (strcmp(reports[i].status, "OK"))
			continue;
		second_ok = first_ok;
		first_ok = first + i;
	}
	check(first_ok && second_ok);
	check_is(call_undo_all(device, file), DYNOPT_KMOD_OK);
}

int main(void)
{
	struct run run;
	uint64_t plain;

	traces_read();
	many = n_traces < 2 * DYNOPT_SUBMIT_TRACES_MAX ? n_traces / 2 : DYNOPT_SUBMIT_TRACES_MAX;
	device = device_open_patient();
	file = open(TRACED, O_RDONLY | O_CLOEXEC);
	run = traced_start(TRACED);
	lib_make(LIB); /* children want to map it */
	plain = traced_sum(&run, 7);
	check_is(put(device, 0, 1, NULL), DYNOPT_KMOD_OK);
	check_is(wait_one(device).block_status, DYNOPT_KMOD_NOT_MAPPED);
	check_is(call_register(device, run.pid), DYNOPT_KMOD_OK);
	registered = run.pid;
	close(device);
	device = device_open_patient();
	bounded();
	check_is(traced_sum(&run, 7), plain);
	find_two();
	shared();
	fair();
	in_front(&run);
	timed();
	dropped();
	interrupted();
	check_is(traced_sum(&run, 7), plain);
	run_end(&run);
	check_is(counter(device, DYNOPT_COUNTER_BLOCKS), 0);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	close(file);
	return 0;
}
