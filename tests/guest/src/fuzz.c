// SPDX-License-Identifier: MIT
/*
 * fuzz.c - random calls of every kind, on good and bad processes, files, fields, sizes and
 * addresses, while other processes execute, split, move, copy and unmap what is patched.
 * Every answer has its errno, everybody computes right results; what was answered is printed
 * by call, and each status that can be had at will must have come. Traces of a program that works meanwhile are
 * spoiled and submitted, and what is not refused is published. Somebody writes to requests and traces while the module reads them.
 *
 *     fuzz [CALLS [SEED]]
 *
 * A call that comes new gets a row in `calls` and a function that fills its struct; which
 * bytes may be spoilt, it says there.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "traced.h"

#define STEPS 2 /* of restless processes, for each call */
#define ENOUGH 5000 /* calls, for every status to come */

static uint64_t state;

static uint32_t random_below(uint32_t n)
{
	/* xorshift64*, Vigna 2016 */
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull) >> 32) % n;
}

static const struct site *random_site(void)
{
	static const struct site *const sites[] = { &site_one, &site_two, &site_cross, &site_four };

	return sites[random_below(4)];
}

static uint64_t random_offset(void)
{
	static const uint64_t some[] = { LIB_ONE,     LIB_TWO,   LIB_CROSS,  LIB_FOUR,
		                         LIB_ONE + 1, LIB_CACHE, 0,          LIB_BYTES - 5,
		                         LIB_BYTES,   ~0ull,     1ull << 63, LIB_CACHE - 6 };

	return some[random_below(12)] + (random_below(4) ? 0 : random_below(64));
}

/* Descriptors: the library that others execute comes first, and most often. */
enum file { BUSY, STILL, WRITTEN, FAR, SHARED_MEMORY, DIRECTORY, SELF, DEVICE, NONE, FILE_N };
static int files[FILE_N];
/* Processes: two that are restless, this one, one that is not dumpable, one that is two users', one that works. */
enum { RESTLESS, RESTLESS_TOO, THIS, UNDUMPABLE, TWO_USERS, WORKER, PID_N };
static pid_t pids[PID_N];
static const uint8_t *still;

static int random_file(void)
{
	return files[random_below(3) ? random_below(2) : random_below(FILE_N)];
}

union request {
	struct {
		uint32_t size, status;
	};
	uint8_t bytes[4096];
	struct dynopt_ioc_hello hello;
	struct dynopt_ioc_process process;
	struct dynopt_ioc_patch patch;
	struct dynopt_ioc_undo undo;
	struct dynopt_ioc_query query;
	struct dynopt_ioc_submit submit;
	struct dynopt_ioc_sample sample;
	struct dynopt_ioc_reports reports;
	struct dynopt_ioc_policy policy;
};

static void fill_hello(union request *request)
{
	request->hello.min = random_below(4);
	request->hello.max = random_below(4);
}

/* Mostly the one where something is done. */
static int32_t random_domain(void)
{
	switch (random_below(8)) {
	case 0:
		return DYNOPT_DOMAIN_SYSTEM;
	case 1:
		return pids[random_below(PID_N)];
	default:
		return DYNOPT_DOMAIN_OWN;
	}
}

static void fill_process(union request *request)
{
	request->process.pid = random_below(8) ? pids[random_below(PID_N)]
	                                       : (pid_t)random_below(400);
	request->process.domain = random_below(16) ? DYNOPT_DOMAIN_OWN
	                                           : (int32_t)random_below(4) - 2;
}

/* Who works stays mostly: with him goes the file's text, which it takes long to read. */
static void fill_unregister(union request *request)
{
	fill_process(request);
	if (request->process.pid == pids[WORKER] && random_below(4))
		request->process.pid = pids[RESTLESS];
}

/*
 * What is done is done: the translation must stay one, since it will be executed. In place
 * only where nobody executes meanwhile: the emulator is unsound there.
 */
static void fill_patch(union request *request)
{
	struct dynopt_ioc_patch *patch = &request->patch;
	int spoil = random_below(8);
	uint32_t at;

	patch_fill(patch, random_file(), random_site());
	if (patch->fd == files[STILL])
		patch->flags = random_below(2) ? DYNOPT_PATCH_COOKIE : 0;
	if (spoil == 0)
		patch->offset = random_offset();
	if (spoil == 1)
		patch->cache_offset = random_offset();
	if (patch->fd == files[FAR])
		patch->cache_offset += 3ull << 30;
	at = offsetof(struct dynopt_ioc_patch, kind) +
	     random_below(offsetof(struct dynopt_ioc_patch, code) -
	                  offsetof(struct dynopt_ioc_patch, kind));
	if (spoil == 2 && at != offsetof(struct dynopt_ioc_patch, code_len) &&
	    at != offsetof(struct dynopt_ioc_patch, flags))
		request->bytes[at] = random_below(256);
	if (spoil == 3)
		patch->code[patch->code_len + random_below(DYNOPT_CODE_MAX - patch->code_len)] = 1;
}

static void fill_undo(union request *request)
{
	request->undo.fd = random_file();
	request->undo.offset = random_below(8) ? random_site()->offset : random_offset();
	request->undo.flags = random_below(16) ? 0 : random_below(8);
	request->undo.domain = random_below(64) ? random_domain() : -2;
	if (request->undo.fd == files[STILL])
		request->undo.flags ^= random_below(2) * DYNOPT_UNDO_COOKIE;
	else
		request->undo.flags &= ~DYNOPT_UNDO_COOKIE;
}

static void fill_query(union request *request)
{
	static uint64_t counters[DYNOPT_COUNTER_N + 4];

	request->query.n = random_below(DYNOPT_COUNTER_N + 4);
	request->query.pad = !random_below(64);
	/* Far away, not into this program's own memory. */
	request->query.counters =
		(uintptr_t)counters + (random_below(8) ? 0 : 1ull << (40 + random_below(24)));
}

static void fill_sample(union request *request)
{
	static uint64_t ips[64];

	request->sample.pid = pids[random_below(PID_N)];
	request->sample.flags = random_below(16) ? random_below(3) : 3;
	if (request->sample.flags == DYNOPT_SAMPLE_START)
		request->sample.period_us = random_below(8) ? 1000 + random_below(1000) : 999;
	else
		request->sample.n = random_below(65);
	request->sample.ips = random_below(8) ? (uintptr_t)ips : 8;
}

#define FEW 8 /* traces of one call */
#define FEW_BLOCKS 256

/* In memory that the racer writes to as well, while it is told to. */
static struct raced {
	atomic_flag lock;
	sem_t begin; /* posted each time that it is told to */
	sem_t steps; /* of restless processes */
	volatile bool on;
	uint8_t *volatile size_at; /* the request's first member */
	struct dynopt_ioc_trace traces[FEW];
	struct dynopt_ioc_block blocks[FEW_BLOCKS];
} *raced;

/* A program that works, is translated, and has traces. */
static int traced_file = -1;
static struct run worker;
static uint64_t worker_plain, worker_answers;

/* Libraries have nothing that is translated. */
static void fill_traces_of_library(struct dynopt_ioc_submit *submit)
{
	uint32_t i;

	for (i = 0; i < 8; i++)
		raced->blocks[i] = (struct dynopt_ioc_block){ .start = random_offset(),
			                                      .parent = i % 2 ? 0 : 0xffffffff };
	for (i = 0; i < 4; i++)
		raced->traces[i] = (struct dynopt_ioc_trace){ .n_blocks = 2 };
	submit->fd = random_below(4) ? random_file() : files[SELF];
	submit->n_traces = random_below(8) ? 4 : random_below(6);
	submit->n_blocks = random_below(8) ? 8 : random_below(10);
}

/* Some as they are, some spoiled. */
static void fill_traces_of_worker(struct dynopt_ioc_submit *submit)
{
	uint32_t used = 0, k;

	submit->fd = traced_file;
	submit->flags |= DYNOPT_SUBMIT_ALL;
	for (k = 0; k < 1 + random_below(FEW); k++) {
		uint32_t which = random_below(n_traces), n = traces[which].n_blocks;

		if (used + n > FEW_BLOCKS)
			break;
		memcpy(raced->blocks + used, blocks + traces_blocks(which), n * sizeof(blocks[0]));
		if (random_below(2))
			traced_spoil(raced->blocks + used, &n, random_below);
		raced->traces[k] = (struct dynopt_ioc_trace){ .n_blocks = n };
		used += n;
	}
	submit->n_traces = k;
	submit->n_blocks = used;
}

static struct dynopt_ioc_report reports[FEW];

static void fill_submit(union request *request)
{
	struct dynopt_ioc_submit *submit = &request->submit;

	submit->flags = random_below(3);
	submit->domain = random_domain();
	if (traced_file >= 0 && random_below(2))
		fill_traces_of_worker(submit);
	else
		fill_traces_of_library(submit);
	submit->traces = (uintptr_t)raced->traces + (random_below(8) ? 0 : 1ull << 62);
	submit->blocks = (uintptr_t)raced->blocks + (random_below(8) ? 0 : 1ull << 46);
	submit->reports = random_below(8) ? (uintptr_t)reports : 8;
	if (random_below(2)) {
		submit->flags |= DYNOPT_SUBMIT_QUEUE;
		submit->reports = 0;
	}
}

static void fill_reports(union request *request)
{
	request->reports.n = random_below(FEW + 1);
	request->reports.reports = random_below(8) ? (uintptr_t)reports : 8;
}

/* Little, or all that is needed. */
static void fill_policy(union request *request)
{
	request->policy.flags = random_below(16) ? random_below(2) : random_below(0xffffffff);
	if (request->policy.flags != DYNOPT_POLICY_SET)
		return;
	request->policy.block_us = random_below(4) ? 10000000 : 1;
	request->policy.queue_blocks = random_below(4) ? 128 : 1 + random_below(4);
	request->policy.user_blocks = random_below(4) ? 64 : 1 + random_below(4);
	request->policy.process_blocks = 1 + random_below(16);
	request->policy.user_pages = random_below(6) ? 8192 : 1;
}

static void fill_nothing(union request *request)
{
	(void)request;
}

static struct call {
	const char *name;
	unsigned long command;
	uint32_t size, weight;
	void (*fill)(union request *request);
	uint64_t seen[DYNOPT_KMOD_STATUS_N];
} calls[] = {
	{ "hello", DYNOPT_IOC_HELLO, sizeof(struct dynopt_ioc_hello), 1, fill_hello, { 0 } },
	{ "register",
	  DYNOPT_IOC_REGISTER,
	  sizeof(struct dynopt_ioc_process),
	  3,
	  fill_process,
	  { 0 } },
	{ "unregister",
	  DYNOPT_IOC_UNREGISTER,
	  sizeof(struct dynopt_ioc_process),
	  1,
	  fill_unregister,
	  { 0 } },
	{ "patch", DYNOPT_IOC_PATCH, sizeof(struct dynopt_ioc_patch), 6, fill_patch, { 0 } },
	{ "undo", DYNOPT_IOC_UNDO, sizeof(struct dynopt_ioc_undo), 5, fill_undo, { 0 } },
	{ "query", DYNOPT_IOC_QUERY, sizeof(struct dynopt_ioc_query), 1, fill_query, { 0 } },
	{ "submit", DYNOPT_IOC_SUBMIT, sizeof(struct dynopt_ioc_submit), 2, fill_submit, { 0 } },
	{ "sample", DYNOPT_IOC_SAMPLE, sizeof(struct dynopt_ioc_sample), 1, fill_sample, { 0 } },
	{ "reports", DYNOPT_IOC_REPORTS, sizeof(struct dynopt_ioc_reports), 1, fill_reports, { 0 } },
	{ "policy", DYNOPT_IOC_POLICY, sizeof(struct dynopt_ioc_policy), 1, fill_policy, { 0 } },
	{ "none", _IOWR('D', 0x7f, struct dynopt_ioc_hello), 32, 1, fill_nothing, { 0 } },
};
#define CALLS_N (sizeof(calls) / sizeof(calls[0]))

static struct call *random_call(void)
{
	uint32_t all = 0, i, at;

	for (i = 0; i < CALLS_N; i++)
		all += calls[i].weight;
	at = random_below(all);
	for (i = 0; at >= calls[i].weight; i++)
		at -= calls[i].weight;
	return &calls[i];
}

static const struct {
	int error;
} statuses[] = {
	{ 0 },
#define X(name, error, text) { error },
#include "kmod_status.def"
#undef X
};

static uint32_t status_of(const struct call *call, union request *at, bool readable)
{
	int result = ioctl(files[DEVICE], call->command, at), error = result ? errno : 0;

	if (error == ENOTTY)
		return DYNOPT_KMOD_UNKNOWN_CALL; /* it has no struct to say so in */
	if (!readable) {
		check_is(error, EFAULT);
		return DYNOPT_KMOD_BAD_ADDRESS;
	}
	if (at->status >= DYNOPT_KMOD_STATUS_N || statuses[at->status].error != error) {
		fprintf(stderr, "%s: status %s, but %s\n", call->name, kmod_status_name(at->status),
		        strerror(error));
		_exit(1);
	}
	return at->status;
}

/* What became of single traces: statuses of the module's, or the engine's, by name. */
#define NAMES_MAX 128
static struct {
	char name[32];
	uint64_t seen;
} trace_statuses[NAMES_MAX];

static void count_reports(const struct call *call, const union request *request)
{
	uint32_t n = 0, i, k;

	if (call->command == DYNOPT_IOC_REPORTS)
		n = request->reports.n;
	if (call->command == DYNOPT_IOC_SUBMIT && !(request->submit.flags & DYNOPT_SUBMIT_QUEUE))
		n = request->submit.n_traces;
	for (i = 0; i < n && i < FEW; i++) {
		for (k = 0; trace_statuses[k].seen &&
		            strcmp(trace_statuses[k].name, reports[i].status) != 0;
		     k++)
			check(k + 1 < NAMES_MAX);
		strcpy(trace_statuses[k].name, reports[i].status);
		trace_statuses[k].seen++;
	}
}

/* ---- who writes meanwhile ---- */

static void lock(void)
{
	while (atomic_flag_test_and_set(&raced->lock))
		sched_yield();
}

static void unlock(void)
{
	atomic_flag_clear(&raced->lock);
}

static void race(bool on, union request *at)
{
	lock();
	raced->size_at = (uint8_t *)at;
	raced->on = on;
	unlock();
	if (on)
		check(sem_post(&raced->begin) == 0);
}

/* The size of the request, and the traces, never what the answer is written to. */
static _Noreturn void racer(void)
{
	volatile uint8_t *bytes = (volatile uint8_t *)raced->traces;
	uint32_t n = sizeof(raced->traces) + sizeof(raced->blocks);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(files[DEVICE]);
	state = getpid();
	for (;;) {
		lock();
		if (raced->on && random_below(16))
			bytes[random_below(random_below(2) ? n : 256)] = random_below(256);
		else if (raced->on)
			*(volatile uint32_t *)raced->size_at = random_below(2 * PAGE);
		unlock();
		while (!raced->on)
			sem_wait(&raced->begin);
	}
}

/* As somebody who may do nothing, for one call. */
static uint32_t as_nobody(const struct call *call, union request *at)
{
	uint32_t status;

	check(seteuid(65534) == 0);
	status = status_of(call, at, true);
	check(seteuid(0) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
	return status;
}

/* Its struct at the end of a page, so that each byte that is read too far is a fault. */
static uint8_t *edge;

static uint32_t one_call(struct call *call)
{
	union request request = { .bytes = { 0 } };
	uint32_t bytes = call->size, announced, status;
	union request *at;

	call->fill(&request);
	if (!random_below(16))
		bytes += random_below(64) * 4;
	announced = random_below(32) ? bytes : random_below(2 * PAGE);
	if (!random_below(32))
		request.bytes[call->size + random_below(bytes - call->size + 1)] = 1;
	at = (union request *)(edge + PAGE - bytes);
	request.size = announced;
	request.status = 0xffffffff;
	memcpy(at, &request, bytes);
	if (!random_below(32))
		return status_of(call, at + 1, false);
	memset(reports, 0, sizeof(reports));
	race(random_below(call->command == DYNOPT_IOC_SUBMIT ? 4 : 8) == 0, at);
	status = random_below(32) ? status_of(call, at, true) : as_nobody(call, at);
	race(false, NULL);
	if (!status)
		count_reports(call, at);
	return status;
}

/* Its answers are right, whatever it executes. */
static void look_at_worker(bool wait)
{
	struct pollfd poll_for = { .fd = worker.reply, .events = POLLIN };

	if (traced_file < 0 || poll(&poll_for, 1, wait ? -1 : 0) != 1)
		return;
	check_is(traced_answer(&worker).sum, worker_plain);
	worker_answers++;
	if (!wait)
		traced_ask(&worker, 7, 20, 0, 0);
}

static void start_worker(void)
{
	if (access("/t/translate.traces", R_OK)) {
		printf("dynopt-clang was not built, so nothing is translated\n");
		return;
	}
	traces_read();
	worker = traced_start(TRACED);
	worker_plain = traced_sum(&worker, 7);
	pids[WORKER] = worker.pid;
	traced_file = open(TRACED, O_RDONLY | O_CLOEXEC);
	check(traced_file >= 0);
	traced_ask(&worker, 7, 20, 0, 0);
}

static void right(const uint8_t *lib, const struct site *site)
{
	int value = lib_call(lib, site);

	if (value == site->plain || value == site->patched)
		return;
	fprintf(stderr, "%#lx returns %d\n", (long)site->offset, value);
	_exit(1);
}

static void disturb(uint8_t *lib, const struct site *site)
{
	uint8_t *page = lib + random_below(LIB_CACHE / PAGE) * PAGE;
	int status;

	switch (random_below(8)) {
	case 0:
		mprotect(page, PAGE, PROT_READ);
		mprotect(page, PAGE, PROT_READ | PROT_EXEC);
		break;
	case 1:
		madvise(lib, LIB_BYTES, MADV_DONTNEED);
		break;
	case 2:
		if (!fork())
			_exit(lib_call(lib, site) < 0);
		wait(&status);
		check_is(status, 0);
		break;
	case 3:
		/* the byte that is there anyway: beside a site, or beside half of one */
		page = lib + PAGE * (1 + 2 * random_below(2) + random_below(2));
		mprotect(page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
		*(volatile uint8_t *)(page + 64) = page[64];
		mprotect(page, PAGE, PROT_READ | PROT_EXEC);
		break;
	}
}

/* Calls, splits, copies, unmaps and maps the library, as many steps as it is given: it would take all processors for itself. */
static _Noreturn void restless(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(files[DEVICE]);
	state = getpid();
	for (;;) {
		uint8_t *lib =
			mmap(NULL, LIB_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE, files[BUSY], 0);
		int i;

		check(lib != MAP_FAILED);
		for (i = 0; i < 20; i++) {
			const struct site *site = random_site();

			while (sem_wait(&raced->steps))
				continue;
			right(lib, site);
			disturb(lib, site);
		}
		munmap(lib, LIB_BYTES);
	}
}

/* While the next call is made; those that are late need no more. */
static void let_step(void)
{
	int waiting, i;

	check(sem_getvalue(&raced->steps, &waiting) == 0);
	for (i = 0; i < STEPS && waiting < 2 * STEPS; i++)
		check(sem_post(&raced->steps) == 0);
}

static _Noreturn void undumpable(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_DUMPABLE, 0);
	close(files[DEVICE]);
	for (;;)
		pause();
}

static _Noreturn void two_users(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	check(seteuid(65534) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
	close(files[DEVICE]);
	for (;;)
		pause();
}

static pid_t start(void (*run)(void))
{
	pid_t pid = fork();

	check(pid >= 0);
	if (!pid)
		run();
	return pid;
}

static void stop(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	check(waitpid(pid, &status, 0) == pid);
	check_is(status, SIGKILL); /* not of something else, before */
}

static void make_files(void)
{
	static const char *const paths[] = { LIB, LIB_DIR "/still", LIB_DIR "/written",
		                             LIB_DIR "/far", "/tmp/lib" };
	uint32_t i;

	for (i = 0; i <= SHARED_MEMORY; i++) {
		lib_make(paths[i]);
		if (i == FAR)
			check(truncate(paths[i], (3ll << 30) + LIB_BYTES) == 0);
		files[i] = open(paths[i], O_RDONLY | O_CLOEXEC);
		check(files[i] >= 0);
		if (i != BUSY)
			still = i == STILL ? lib_map(paths[i]) : (lib_map(paths[i]), still);
	}
	check(open(paths[WRITTEN], O_WRONLY | O_CLOEXEC) >= 0);
	files[DIRECTORY] = open(LIB_DIR, O_RDONLY | O_CLOEXEC);
	files[SELF] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	files[DEVICE] = device_open();
	files[NONE] = -1;
}

/* Random calls do not come to these at will; other tests do. */
static bool comes_by_chance(uint32_t status)
{
	switch (status) {
	case DYNOPT_KMOD_LIMIT: /* hostile */
	case DYNOPT_KMOD_WORKSPACE: /* of thousands of calls, one */
	case DYNOPT_KMOD_PRIVATE_PAGE: /* private */
	case DYNOPT_KMOD_FILE_READ: /* faults */
	case DYNOPT_KMOD_MEMORY:
	case DYNOPT_KMOD_INTERRUPTED: /* queue */
	case DYNOPT_KMOD_PROCESS_BUSY: /* cookie */
	case DYNOPT_KMOD_NOT_EXECUTABLE: /* domains */
	case DYNOPT_KMOD_LEAVING: /* stuck */
	case DYNOPT_KMOD_TRACED: /* debugged */
	case DYNOPT_KMOD_SITE_SEGMENT: /* flagged */
	case DYNOPT_KMOD_CACHE_FULL:
	/* never: on later kernels only; if the engine forgot what it has promised */
	case DYNOPT_KMOD_KERNEL:
	case DYNOPT_KMOD_NOT_EXACT:
		return true;
	/* of traces */
	case DYNOPT_KMOD_BLOCK_TIME:
	case DYNOPT_KMOD_SITE_SLOT:
		return traced_file < 0;
	}
	return false;
}

/* Returns how many traces were published. */
static uint64_t show_traces(uint64_t *all)
{
	uint64_t published = 0;
	uint32_t k, status;

	printf("traces:");
	for (k = 0; k < NAMES_MAX && trace_statuses[k].seen; k++) {
		printf(" %s %llu", trace_statuses[k].name,
		       (unsigned long long)trace_statuses[k].seen);
		if (!strcmp(trace_statuses[k].name, "OK"))
			published = trace_statuses[k].seen;
		for (status = 0; status < DYNOPT_KMOD_STATUS_N; status++)
			if (!strcmp(trace_statuses[k].name, kmod_status_name(status)))
				all[status] += trace_statuses[k].seen;
	}
	printf("\n");
	return published;
}

static void show(long n)
{
	uint64_t all[DYNOPT_KMOD_STATUS_N] = { 0 };
	uint32_t status, i;

	for (i = 0; i < CALLS_N; i++) {
		printf("%s:", calls[i].name);
		for (status = 0; status < DYNOPT_KMOD_STATUS_N; status++) {
			all[status] += calls[i].seen[status];
			if (calls[i].seen[status])
				printf(" %s %llu", kmod_status_name(status),
				       (unsigned long long)calls[i].seen[status]);
		}
		printf("\n");
	}
	check(show_traces(all) > 0 || traced_file < 0 || n < ENOUGH);
	for (status = 0; status < DYNOPT_KMOD_STATUS_N && n >= ENOUGH; status++) {
		if (all[status] || comes_by_chance(status))
			continue;
		fprintf(stderr, "%s never came\n", kmod_status_name(status));
		_exit(1);
	}
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : ENOUGH, i;
	uint64_t published;
	pid_t racing;

	state = argc > 2 ? strtoull(argv[2], NULL, 0) : 20261129;
	printf("fuzz %ld %llu\n", n, (unsigned long long)state);
	make_files();
	edge = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	raced = mmap(NULL, sizeof(*raced), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	             0);
	check(edge != MAP_FAILED && mprotect(edge, PAGE, PROT_READ | PROT_WRITE) == 0);
	check(raced != MAP_FAILED && sem_init(&raced->begin, 1, 0) == 0 &&
	      sem_init(&raced->steps, 1, 0) == 0);
	start_worker();
	pids[RESTLESS] = start(restless);
	pids[RESTLESS_TOO] = start(restless);
	pids[THIS] = getpid();
	pids[UNDUMPABLE] = start(undumpable);
	pids[TWO_USERS] = start(two_users);
	racing = start(racer);
	for (i = 0; i < n; i++) {
		struct call *call = random_call();

		let_step();
		call->seen[one_call(call)]++;
		right(still, random_site());
		look_at_worker(false);
	}
	look_at_worker(true);
	stop(racing);
	stop(pids[RESTLESS]);
	stop(pids[RESTLESS_TOO]);
	stop(pids[UNDUMPABLE]);
	stop(pids[TWO_USERS]);
	if (traced_file >= 0)
		run_end(&worker);
	published = counter(files[DEVICE], DYNOPT_COUNTER_PUBLISHED);
	show(n);
	printf("%ld calls, %llu changes published, %llu right answers of who works\n", n,
	       (unsigned long long)published, (unsigned long long)worker_answers);
	check(published > (uint64_t)n / 20);
	fflush(stdout);
	return 0;
}
