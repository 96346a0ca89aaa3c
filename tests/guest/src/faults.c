// SPDX-License-Identifier: MIT
/*
 * faults.c - each call, and a fork, with its first allocation failing, then its second, until
 * one runs through: clean answers, right results, nothing left. Needs fault injection, which
 * the debug kernel has.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "traced.h"

#define NTH_MAX 2000

static int device, file, nth;
static struct child child;
static unsigned long injected;
static uint64_t seen[DYNOPT_KMOD_STATUS_N];

static long answer(int letter, void *context)
{
	return lib_call(context, letter == '1' ? &site_one : &site_cross);
}

static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	check(fd >= 0);
	check(write(fd, value, strlen(value)) == (ssize_t)strlen(value));
	close(fd);
}

/* Of one thread: its n-th allocation from here on fails. */
static void fail_set(long n)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", n);
	check(pwrite(nth, text, strlen(text), 0) == (ssize_t)strlen(text));
}

/* Did it fail? Then what counted down is at zero. */
static bool fail_came(void)
{
	char text[24] = "";

	check(pread(nth, text, sizeof(text) - 1, 0) > 0);
	fail_set(0);
	injected += atol(text) == 0;
	return atol(text) == 0;
}

static void sees(bool one, bool cross)
{
	check_is(child_ask(&child, '1'), one ? site_one.patched : site_one.plain);
	check_is(child_ask(&child, '3'), cross ? site_cross.patched : site_cross.plain);
}

static void fresh(void)
{
	child = child_start(answer);
	sees(false, false);
}

static bool is_clean(uint32_t status)
{
	return status == DYNOPT_KMOD_OK || status == DYNOPT_KMOD_MEMORY ||
	       status == DYNOPT_KMOD_FILE_READ;
}

/* What has been done before the call, without a fault; each includes those above, but for the last two. */
enum ready { ALONE, REGISTERED, ONE, CROSS, CROSS_UNDONE, SAMPLED };

static uint32_t run_hello(void)
{
	struct dynopt_ioc_hello hello;

	return call_hello(device, 1, 1, &hello);
}

static uint32_t run_query(void)
{
	uint64_t counters[DYNOPT_COUNTER_N];
	struct dynopt_ioc_query query = { .size = sizeof(query),
		                          .n = DYNOPT_COUNTER_N,
		                          .counters = (uintptr_t)counters };

	return call_raw(device, DYNOPT_IOC_QUERY, &query);
}

static uint32_t run_register(void)
{
	return call_register(device, child.pid);
}

static uint32_t run_patch(void)
{
	return call_patch(device, file, &site_one);
}

/* The code cache's pages, which nobody has mapped, have to be read. */
static uint32_t run_patch_cold(void)
{
	check_is(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
	return run_patch();
}

static uint32_t run_patch_cross(void)
{
	return call_patch(device, file, &site_cross);
}

static uint32_t run_patch_in_place(void)
{
	return call_patch_in_place(device, file, &site_cross);
}

static uint32_t run_undo(void)
{
	return call_undo(device, file, &site_one);
}

static uint32_t run_undo_in_place(void)
{
	return call_undo_in_place(device, file, &site_one);
}

static uint32_t run_undo_all(void)
{
	return call_undo_all(device, file);
}

static uint32_t sample(uint32_t flags)
{
	static uint64_t ips[64];
	struct dynopt_ioc_sample request = {
		.size = sizeof(request), .pid = child.pid, .flags = flags, .ips = (uintptr_t)ips
	};

	if (flags == DYNOPT_SAMPLE_START)
		request.period_us = DYNOPT_SAMPLE_PERIOD_MIN_US;
	if (flags == DYNOPT_SAMPLE_READ)
		request.n = 64;
	return call_raw(device, DYNOPT_IOC_SAMPLE, &request);
}

static uint32_t run_sample_start(void)
{
	return sample(DYNOPT_SAMPLE_START);
}

static uint32_t run_sample_read(void)
{
	return sample(DYNOPT_SAMPLE_READ);
}

static uint32_t run_sample_stop(void)
{
	return sample(DYNOPT_SAMPLE_STOP);
}

static uint32_t run_unregister(void)
{
	return call_unregister(device, child.pid);
}

/* Is the first site patched, and the one across pages? */
struct view {
	bool one, cross;
};

static const struct step {
	const char *name;
	uint32_t (*run)(void);
	enum ready ready;
	struct view refused, done;
	bool cannot_fail; /* for want of memory */
} steps[] = {
	{ "hello", run_hello, ALONE, { 0, 0 }, { 0, 0 }, true },
	{ "query", run_query, CROSS, { 1, 1 }, { 1, 1 }, true },
	{ "register", run_register, ALONE, { 0, 0 }, { 0, 0 }, false },
	{ "patch", run_patch, REGISTERED, { 0, 0 }, { 1, 0 }, false },
	{ "patch a file that is not in memory",
	  run_patch_cold,
	  REGISTERED,
	  { 0, 0 },
	  { 1, 0 },
	  false },
	{ "patch across", run_patch_cross, ONE, { 1, 0 }, { 1, 1 }, false },
	{ "patch again", run_patch_cross, CROSS_UNDONE, { 1, 0 }, { 1, 1 }, false },
	{ "patch in place", run_patch_in_place, ONE, { 1, 0 }, { 1, 1 }, false },
	{ "patch in place again", run_patch_in_place, CROSS_UNDONE, { 1, 0 }, { 1, 1 }, false },
	{ "undo", run_undo, CROSS, { 1, 1 }, { 0, 1 }, true },
	{ "undo in place", run_undo_in_place, CROSS, { 1, 1 }, { 0, 1 }, true },
	{ "undo all", run_undo_all, CROSS, { 1, 1 }, { 0, 0 }, true },
	{ "sample start", run_sample_start, REGISTERED, { 0, 0 }, { 0, 0 }, false },
	{ "sample start anew", run_sample_start, SAMPLED, { 0, 0 }, { 0, 0 }, false },
	{ "sample read", run_sample_read, SAMPLED, { 0, 0 }, { 0, 0 }, false },
	{ "sample stop", run_sample_stop, SAMPLED, { 0, 0 }, { 0, 0 }, true },
	{ "unregister", run_unregister, CROSS, { 1, 1 }, { 0, 0 }, false },
};

static void prepare(enum ready ready)
{
	fresh();
	if (ready >= REGISTERED)
		check_is(call_register(device, child.pid), DYNOPT_KMOD_OK);
	if (ready == SAMPLED)
		check_is(run_sample_start(), DYNOPT_KMOD_OK);
	if (ready >= ONE && ready <= CROSS_UNDONE)
		check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	if (ready == CROSS || ready == CROSS_UNDONE)
		check_is(call_patch(device, file, &site_cross), DYNOPT_KMOD_OK);
	if (ready == CROSS_UNDONE)
		check_is(call_undo(device, file, &site_cross), DYNOPT_KMOD_OK);
}

static void finish(const struct step *step, uint32_t status)
{
	const struct view *view = status == DYNOPT_KMOD_OK ? &step->done : &step->refused;

	sees(view->one, view->cross);
	child_end(&child);
	check_is(counter(device, DYNOPT_COUNTER_PAGES), 0);
	check_is(counter(device, DYNOPT_COUNTER_PATCHES), 0);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	check_is(counter(device, DYNOPT_COUNTER_MAPPINGS), 0);
	check_is(counter(device, DYNOPT_COUNTER_PROCESSES), 0);
	check_is(counter(device, DYNOPT_COUNTER_SAMPLERS), 0);
}

static void each(const struct step *step)
{
	uint32_t status;
	bool came = true;
	long n;

	for (n = 1; came; n++) {
		check(n < NTH_MAX);
		prepare(step->ready);
		fail_set(n);
		status = step->run();
		came = fail_came();
		check(is_clean(status));
		seen[status]++;
		check((came && !step->cannot_fail) || status == DYNOPT_KMOD_OK);
		finish(step, status);
	}
	printf("%s: %ld\n", step->name, n - 2);
	fflush(stdout);
}

/* The device's file itself: opened, or not, and nothing is left of it. */
static void opens(void)
{
	struct dynopt_ioc_hello hello;
	bool came = true;
	long n;
	int fd;

	for (n = 1; came; n++) {
		check(n < NTH_MAX);
		fail_set(n);
		fd = open(DYNOPT_DEVICE, O_RDWR | O_CLOEXEC);
		came = fail_came();
		check(fd >= 0 || (came && (errno == ENOMEM || errno == ENFILE)));
		if (fd < 0)
			continue;
		check_is(call_hello(fd, 1, 1, &hello), DYNOPT_KMOD_OK);
		close(fd);
	}
	check(n > 2);
	printf("open: %ld\n", n - 2);
}

/* Gone from page tables, or written to: the fault comes again until it has the memory. */
static void page_faults(void)
{
	uint8_t *lib = lib_map(LIB);
	volatile uint8_t *text = lib + PAGE;
	bool came = true;
	long n;

	check_is(call_register(device, 0), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	for (n = 1; came; n++) {
		check(n < NTH_MAX);
		check(mprotect(lib + PAGE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
		check(madvise(lib, LIB_BYTES, MADV_DONTNEED) == 0);
		fail_set(n);
		check_is(lib_call(lib, &site_one), site_one.patched);
		text[8] = 0x90;
		check_is(lib_call(lib, &site_one), site_one.patched);
		came = fail_came();
		check(madvise(lib + PAGE, PAGE, MADV_DONTNEED) == 0);
		check(mprotect(lib + PAGE, PAGE, PROT_READ | PROT_EXEC) == 0);
	}
	check(n > 2);
	printf("page faults: %ld\n", n - 2);
	check_is(call_unregister(device, 0), DYNOPT_KMOD_OK);
	check_is(lib_call(lib, &site_one), site_one.plain);
	munmap(lib, LIB_BYTES);
}

/* A registered parent's fork: it fails, or the child computes right, registered or not. */
static void forks(void)
{
	uint8_t *lib = lib_map(LIB);
	int status, value;
	bool came = true;
	pid_t pid;
	long n;

	check_is(call_register(device, 0), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	for (n = 1; came; n++) {
		check(n < NTH_MAX);
		fail_set(n);
		pid = fork();
		if (!pid) {
			value = lib_call(lib, &site_one);
			_exit(value != site_one.plain && value != site_one.patched);
		}
		came = fail_came();
		check(pid > 0 || (came && (errno == ENOMEM || errno == EAGAIN)));
		if (pid > 0) {
			check(waitpid(pid, &status, 0) == pid);
			check_is(status, 0);
		}
		check_is(lib_call(lib, &site_one), site_one.patched);
	}
	printf("fork: %ld, %llu of them left out\n", n - 2,
	       (unsigned long long)counter(device, DYNOPT_COUNTER_LEFT_OUT));
	check(counter(device, DYNOPT_COUNTER_LEFT_OUT) > 0);
	check_is(call_unregister(device, 0), DYNOPT_KMOD_OK);
	check_is(lib_call(lib, &site_one), site_one.plain);
	munmap(lib, LIB_BYTES);
}

/* ---- traces: of who sends them, and of the worker that translates ---- */

#define FEW 4

static struct dynopt_ioc_report reports[FEW];
static uint32_t first; /* of a few traces that are published */

static uint32_t submit(int to, uint32_t *published)
{
	struct dynopt_ioc_submit request;
	uint32_t status;

	traced_fill(&request, to, first, FEW);
	request.reports = (uintptr_t)reports;
	status = call_raw(device, DYNOPT_IOC_SUBMIT, &request);
	*published = request.published;
	return status;
}

static void find_few(int to)
{
	uint32_t published = 0;

	for (first = 0; !published && first + FEW < n_traces; first += FEW)
		check_is(submit(to, &published), DYNOPT_KMOD_OK);
	first -= FEW;
	check(published > 0);
}

/* The module's thread. */
static int open_worker(void)
{
	char path[64], name[32];
	int fd, pid;

	for (pid = 2; pid < 32768; pid++) {
		ssize_t n = 0;

		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		n = read(fd, name, sizeof(name));
		close(fd);
		if (n != 7 || memcmp(name, "dynopt\n", 7))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%d/fail-nth", pid, pid);
		return open(path, O_RDWR | O_CLOEXEC);
	}
	return -1;
}

static void traced(const char *name, int of)
{
	struct run run = traced_start(TRACED);
	uint64_t plain = traced_sum(&run, 7);
	int to = open(TRACED, O_RDONLY | O_CLOEXEC), own = nth;
	uint32_t published, status;
	bool came = true;
	long n;

	check_is(call_register(device, run.pid), DYNOPT_KMOD_OK);
	find_few(to);
	check_is(call_unregister(device, run.pid), DYNOPT_KMOD_OK);
	for (n = 1; came; n++) {
		check(n < NTH_MAX);
		check_is(call_register(device, run.pid), DYNOPT_KMOD_OK);
		nth = of;
		fail_set(n);
		status = submit(to, &published);
		came = fail_came();
		nth = own;
		check(is_clean(status));
		check(came || (status == DYNOPT_KMOD_OK && published > 0));
		check_is(traced_sum(&run, 7), plain);
		check_is(counter(device, DYNOPT_COUNTER_BLOCKS), 0);
		check_is(call_unregister(device, run.pid), DYNOPT_KMOD_OK);
		check_is(counter(device, DYNOPT_COUNTER_PAGES), 0);
		check_is(counter(device, DYNOPT_COUNTER_PATCHES), 0);
		check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	}
	printf("%s: %ld\n", name, n - 2);
	close(to);
	run_end(&run);
}

/* The reports of what waited are there, or not lost. */
static void queued(void)
{
	struct dynopt_ioc_reports done = { .size = sizeof(done),
		                           .n = FEW,
		                           .reports = (uintptr_t)reports };
	struct dynopt_ioc_submit request;
	uint32_t status;
	bool came = true;
	long n;
	int to = open(TRACED, O_RDONLY | O_CLOEXEC);
	struct pollfd poll_for = { .fd = device, .events = POLLIN };

	for (n = 1; came; n++) {
		struct dynopt_ioc_policy policy = { .size = sizeof(policy) };

		traced_fill(&request, to, first, FEW);
		request.flags |= DYNOPT_SUBMIT_QUEUE;
		fail_set(n);
		status = call_raw(device, DYNOPT_IOC_SUBMIT, &request);
		came = fail_came();
		check(status == DYNOPT_KMOD_OK || (came && status == DYNOPT_KMOD_MEMORY));
		if (status)
			continue;
		check_is(poll(&poll_for, 1, -1), 1);
		/* Neither needs memory: nothing is there that could fail. */
		fail_set(1);
		status = call_raw(device, DYNOPT_IOC_REPORTS, &done);
		check(!fail_came());
		check_is(status, DYNOPT_KMOD_OK);
		check_is(done.block_status, DYNOPT_KMOD_NOT_MAPPED);
		fail_set(1);
		status = call_raw(device, DYNOPT_IOC_POLICY, &policy);
		check(!fail_came());
		check_is(status, DYNOPT_KMOD_OK);
	}
	check_is(counter(device, DYNOPT_COUNTER_BLOCKS), 0);
	printf("queued: %ld\n", n - 2);
	close(to);
}

int main(void)
{
	uint32_t i;
	int worker;

	nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth < 0 || access("/sys/kernel/debug/failslab/verbose", W_OK))
		guest_skip("this kernel has no fault injection");
	set("/sys/kernel/debug/failslab/verbose", "0");
	set("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
	set("/sys/kernel/debug/fail_page_alloc/verbose", "0");
	set("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N");
	set("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N");
	set("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	device = device_open_patient();
	lib_make(LIB);
	file = open(LIB, O_RDONLY | O_CLOEXEC);
	check(fsync(file) == 0); /* or it stays in memory */
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		each(&steps[i]);
	check(seen[DYNOPT_KMOD_MEMORY] && seen[DYNOPT_KMOD_FILE_READ]);
	/* Where there was no memory for pages, sites changed without any. */
	check(counter(device, DYNOPT_COUNTER_COOKIES) > 0);
	forks();
	opens();
	page_faults();
	traces_read();
	worker = open_worker();
	check(worker >= 0);
	traced("submit", nth);
	queued();
	traced("worker", worker);
	printf("%lu faults\n", injected);
	return 0;
}
