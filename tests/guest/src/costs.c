// SPDX-License-Identifier: MIT
/*
 * costs.c - no test: what calls and faults cost, for docs/kmod.md. Emulated time says little,
 * ratios more: beside each figure stands what it is to be compared with.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "embedded.h"
#include "traced.h"

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
	double undone, patched, left, came;

	for (; n_children < n; n_children++) {
		children[n_children] = child_start(answer);
		check_is(call_register(device, children[n_children].pid), DYNOPT_KMOD_OK);
	}
	undone = median_of(undo, all_patched);
	patch();
	patched = median_of(patch, all_undone);
	undo();
	left = median_of(unregister_self, register_self);
	registered = false;
	came = median_of(register_self, unregister_if);
	printf("%2d processes: undo %.0f us, patch again %.0f us; one more: register %.0f us, unregister %.0f us\n",
	       n, undone, patched, came, left);
}

/* ---- traces ---- */

#define QUEUED 16 /* as many as one process may have */

static struct dynopt_ioc_report reports[DYNOPT_SUBMIT_TRACES_MAX];

static uint32_t queue(int to, uint32_t n)
{
	struct dynopt_ioc_submit submit;

	traced_fill(&submit, to, 0, n);
	submit.flags |= DYNOPT_SUBMIT_QUEUE;
	return call_raw(device, DYNOPT_IOC_SUBMIT, &submit);
}

static struct dynopt_ioc_reports read_reports(void)
{
	struct dynopt_ioc_reports done = { .size = sizeof(done),
		                           .n = DYNOPT_SUBMIT_TRACES_MAX,
		                           .reports = (uintptr_t)reports };
	struct pollfd poll_for = { .fd = device, .events = POLLIN };

	check_is(poll(&poll_for, 1, -1), 1);
	check_is(call_raw(device, DYNOPT_IOC_REPORTS, &done), DYNOPT_KMOD_OK);
	return done;
}

/* Putting blocks of one trace in, being refused, reading reports. The file is mapped by nobody: nothing is translated. */
static void full_queue(int to)
{
	double put = -now_us(), refused, read;
	int i;

	for (i = 0; i < QUEUED; i++)
		check_is(queue(to, 1), DYNOPT_KMOD_OK);
	put += now_us();
	refused = -now_us();
	for (i = 0; i < QUEUED; i++)
		check_is(queue(to, 1), DYNOPT_KMOD_FIFO_QUOTA);
	refused += now_us();
	read = -now_us();
	for (i = 0; i < QUEUED; i++)
		read_reports();
	read += now_us();
	printf("queue: put %.0f us, refused because full %.0f us, reports read %.0f us, each\n",
	       put / QUEUED, refused / QUEUED, read / QUEUED);
}

static void translation(int to)
{
	struct run run = traced_start(TRACED);
	uint32_t n = n_traces < DYNOPT_SUBMIT_TRACES_MAX ? n_traces : DYNOPT_SUBMIT_TRACES_MAX;
	struct dynopt_ioc_reports one, kept, many;
	struct embedded embedded;

	check_is(call_register(device, run.pid), DYNOPT_KMOD_OK);
	check_is(queue(to, n), DYNOPT_KMOD_OK);
	many = read_reports();
	check_is(queue(to, 1), DYNOPT_KMOD_OK); /* it is there already: what remains is the text */
	one = read_reports();
	check_is(queue(to, 1), DYNOPT_KMOD_OK); /* the text was kept */
	kept = read_reports();
	embedded = embedded_translate(TRACED, "/t/translate.traces", n);
	printf("module: a block with the text that was kept %llu us\n",
	       (unsigned long long)kept.time_us);
	printf("module: file and text %llu us, %u traces more %llu us, %u published\n",
	       (unsigned long long)one.time_us, n, (unsigned long long)(many.time_us - one.time_us),
	       many.published);
	printf("embedded: file and text %.0f us, %u traces %.0f us, %u accepted\n",
	       embedded.text_us, n, embedded.traces_us, embedded.accepted);
	run_end(&run);
}

int main(void)
{
	int to = open(TRACED, O_RDONLY | O_CLOEXEC);
	double fork_plain, fault_plain;

	device = device_open_patient();
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
	traces_read();
	unregister_self();
	full_queue(to);
	translation(to);
	return 0;
}
