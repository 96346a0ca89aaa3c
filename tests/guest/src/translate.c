// SPDX-License-Identifier: MIT
/*
 * translate.c - traces of a program that was compiled with -fdynopt-jumpstations (run.sh does it), translated by the
 * module while processes run it: two, then fifty. Each computes the same as before, from the same physical pages; one that
 * starts later has them at once; undone and submitted again under load, by signals and by leaving, nothing is wrong.
 *
 *     translate            /t/translate.traces has the traces (grow_traces.c)
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include "guest.h"
#include "traced.h"

#define EXE "/proc/self/exe"
#define MANY 50
#define VALUES 512

/* ---- what is translated: loops, recursion, a switch in a loop, calls ---- */

static uint32_t values[VALUES];

static uint32_t next(uint32_t x)
{
	x ^= x << 13;
	x ^= x >> 17;
	return x ^ x << 5;
}

static void fill(uint32_t seed)
{
	uint32_t x = seed * 2654435761u + 1;

	for (int i = 0; i < VALUES; i++)
		values[i] = x = next(x);
}

static void sort(int low, int high)
{
	int i = low, j = high;
	uint32_t middle = values[(low + high) / 2];

	while (i <= j) {
		while (values[i] < middle)
			i++;
		while (values[j] > middle)
			j--;
		if (i <= j) {
			uint32_t held = values[i];

			values[i++] = values[j];
			values[j--] = held;
		}
	}
	if (low < j)
		sort(low, j);
	if (i < high)
		sort(i, high);
}

static uint64_t interpret(int steps)
{
	uint64_t a = 1, b = 2;
	int at = 0;

	for (int i = 0; i < steps; i++) {
		switch (values[at] % 6) {
		case 0:
			a += b;
			break;
		case 1:
			b ^= a << 3;
			break;
		case 2:
			a = a * 31 + values[at];
			break;
		case 3:
			b = b * 17 + a;
			break;
		case 4:
			if (a & 1)
				a >>= 1;
			else
				b--;
			break;
		default:
			a ^= b;
		}
		at = (at + 1) % VALUES;
	}
	return a * 3 + b;
}

__attribute__((noinline)) uint64_t work(uint32_t seed);
uint64_t work(uint32_t seed)
{
	uint64_t sum = 0;

	fill(seed);
	sum = interpret(3000);
	sort(0, VALUES - 1);
	for (int i = 0; i < VALUES; i++)
		sum = sum * 33 + values[i];
	return sum;
}

/* ---- a process that works ---- */

/* Ends of the program's code and of its cache, to see where a signal says it came from. */
static uint64_t cache_addr, cache_end;
static volatile uint64_t signals, in_cache;

static void on_tick(int number, siginfo_t *info, void *context)
{
	uint64_t ip = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

	(void)number;
	(void)info;
	signals++;
	in_cache += ip >= cache_addr && ip < cache_end;
}

static void tick(void)
{
	struct sigaction action = { .sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerval each = { { 0, 2000 }, { 0, 2000 } };

	check(sigaction(SIGALRM, &action, NULL) == 0);
	check(setitimer(ITIMER_REAL, &each, NULL) == 0);
}

static int serve(void)
{
	struct traced_question q;
	struct traced_reply r;

	while (read(RUN_ASK, &q, sizeof(q)) == sizeof(q)) {
		memset(&r, 0, sizeof(r));
		signals = in_cache = 0;
		if (q.ticks)
			tick();
		for (uint64_t i = 0; i < q.rounds || signals < q.ticks; i++)
			r.sum = work(q.seed + i % 8) + (i % 8 ? 0 : 1);
		if (q.ticks)
			setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
		r.sum = work(q.seed);
		r.signals = signals;
		r.in_cache = in_cache;
		r.frame = page_frame(0, (void *)(uintptr_t)q.frame_of);
		check(write(RUN_REPLY, &r, sizeof(r)) == sizeof(r));
	}
	return 0;
}

static struct run start(void)
{
	return traced_start("/proc/self/exe");
}

static struct dynopt_ioc_report reports[TRACES_MAX];

static void print_reports(void)
{
	uint32_t i, k, n;

	for (i = 0; i < n_traces; i++) {
		for (k = 0; k < i && strcmp(reports[k].status, reports[i].status) != 0; k++)
			;
		if (k < i)
			continue;
		for (n = 0; k < n_traces; k++)
			n += !strcmp(reports[k].status, reports[i].status);
		printf("%s %u\n", reports[i].status, n);
	}
}

/* The place of a section, which the program has: it is not position-independent. */
static void find_cache(const char *program)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)program;
	const Elf64_Shdr *sections = (const Elf64_Shdr *)(program + header->e_shoff);
	const char *names = program + sections[header->e_shstrndx].sh_offset;
	int i;

	for (i = 0; i < header->e_shnum; i++) {
		if (strcmp(names + sections[i].sh_name, ".dynopt.cache"))
			continue;
		cache_addr = sections[i].sh_addr;
		cache_end = cache_addr + sections[i].sh_size;
	}
}

/* Any published site that is not on the page of the cache. */
static uint64_t a_site(void)
{
	uint32_t i;

	for (i = 0; i < n_traces; i++)
		if (!strcmp(reports[i].status, "OK"))
			return reports[i].site;
	return 0;
}

static void many(int device, const struct run *first, uint64_t plain)
{
	uint64_t site_frame = traced_frame(first, a_site()), cache_frame;
	uint64_t cache = (cache_addr + PAGE - 1) & ~(PAGE - 1);
	struct run runs[MANY];
	int i;

	cache_frame = traced_frame(first, cache);
	check(site_frame && cache_frame);
	for (i = 0; i < MANY; i++) {
		runs[i] = start();
		check_is(call_register(device, runs[i].pid), DYNOPT_KMOD_OK);
	}
	for (i = 0; i < MANY; i++) {
		check_is(traced_sum(&runs[i], 7), plain);
		check_is(traced_frame(&runs[i], a_site()), site_frame);
		check_is(traced_frame(&runs[i], cache), cache_frame);
	}
	check_is(counter(device, DYNOPT_COUNTER_FILES), 1);
	for (i = 0; i < MANY; i++)
		run_end(&runs[i]);
}

/* ---- debuggers ---- */

#define PROBES 16
#define STEPS 300

#define NO_UPROBE 524 /* ENOTSUPP, the kernel's: there are instructions that it sets no uprobe on */

/* Counts how often a process executes the instruction at this offset of the file; -1: cannot be had. */
static int probe_set(pid_t pid, uint64_t offset)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	int fd;

	attr.type = atoi(slurp("/sys/bus/event_source/devices/uprobe/type", NULL));
	attr.config1 = (uintptr_t)"/t/bin/translate";
	attr.config2 = offset;
	fd = syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
	check(fd >= 0 || errno == NO_UPROBE);
	return fd;
}

/* Inside traces, not at their heads: executed in translations, if there are any. */
static int probe_places(uint64_t *offsets, const char *program)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)program;
	const Elf64_Phdr *segments = (const Elf64_Phdr *)(program + header->e_phoff);
	int n = 0;

	for (uint32_t i = 0; i < 2000 && n < PROBES; i += 7) {
		uint64_t start = blocks[i].start;

		if (blocks[i].parent == 0xffffffff)
			start = blocks[++i].start;
		for (int k = 0; k < header->e_phnum; k++)
			if ((segments[k].p_flags & PF_X) && segments[k].p_type == PT_LOAD &&
			    start - segments[k].p_vaddr < segments[k].p_filesz)
				offsets[n] = start - segments[k].p_vaddr + segments[k].p_offset;
		n += n == 0 || offsets[n] != offsets[n - 1];
	}
	check_is(n, PROBES);
	return n;
}

static void wait_for_debugged(int device, uint64_t before)
{
	while (counter(device, DYNOPT_COUNTER_DEBUGGED) == before)
		sched_yield();
}

static uint64_t count_probes(const struct run *run, const uint64_t *offsets, int device,
                             bool leaves)
{
	uint64_t before = counter(device, DYNOPT_COUNTER_DEBUGGED), n, sum = 0;
	int probes[PROBES], i;

	for (i = 0; i < PROBES; i++)
		probes[i] = probe_set(run->pid, offsets[i]);
	if (leaves)
		wait_for_debugged(device, before);
	traced_sum(run, 9);
	for (i = 0; i < PROBES; i++) {
		if (probes[i] < 0)
			continue;
		check(read(probes[i], &n, sizeof(n)) == sizeof(n));
		sum = sum * 31 + n;
		close(probes[i]);
	}
	return sum;
}

/* A process that is alone with uprobes, and one that has translations. */
static void probed(int device, const char *program)
{
	uint64_t offsets[PROBES], plain;
	struct run run = start();

	probe_places(offsets, program);
	plain = count_probes(&run, offsets, device, false);
	check(plain != 0);
	run_end(&run);
	run = start();
	check_is(call_register(device, run.pid), DYNOPT_KMOD_OK);
	check_is(count_probes(&run, offsets, device, true), plain);
	run_end(&run);
}

/* What a tracer writes, be it what is there anyway, makes a process leave; the others stay. */
static void poked(int device, const struct run *other)
{
	uint64_t before = counter(device, DYNOPT_COUNTER_DEBUGGED), plain = traced_sum(other, 3);
	uint64_t shared = traced_frame(other, a_site());
	struct run run = start();
	int status;
	long word;

	check_is(call_register(device, run.pid), DYNOPT_KMOD_OK);
	check_is(traced_frame(&run, a_site()), shared);
	check(ptrace(PTRACE_ATTACH, run.pid, NULL, NULL) == 0);
	check(waitpid(run.pid, &status, 0) == run.pid);
	word = ptrace(PTRACE_PEEKTEXT, run.pid, (void *)(uintptr_t)a_site(), NULL);
	check(ptrace(PTRACE_POKETEXT, run.pid, (void *)(uintptr_t)a_site(), (void *)word) == 0);
	wait_for_debugged(device, before);
	check(ptrace(PTRACE_DETACH, run.pid, NULL, NULL) == 0);
	check_is(traced_sum(&run, 3), plain);
	check(traced_frame(&run, a_site()) != shared);
	check_is(traced_frame(other, a_site()), shared);
	run_end(&run);
}

/* Who is traced leaves before the tracer sees anything. Step by step, nobody sees the cache, and the program comes on. */
static void stepped(int device)
{
	uint64_t before = counter(device, DYNOPT_COUNTER_DEBUGGED);
	struct user_regs_struct regs;
	struct run run = start();
	int status, i;

	check_is(call_register(device, run.pid), DYNOPT_KMOD_OK);
	/* Asked when it is stopped: it would have answered by then, and wait for ever. */
	check(ptrace(PTRACE_ATTACH, run.pid, NULL, NULL) == 0);
	check_is(counter(device, DYNOPT_COUNTER_DEBUGGED), before + 1);
	check(waitpid(run.pid, &status, 0) == run.pid);
	check_is(call_register(device, run.pid), DYNOPT_KMOD_TRACED);
	traced_ask(&run, 3, 1, 0, 0);
	for (i = 0; i < STEPS; i++) {
		check(ptrace(PTRACE_SINGLESTEP, run.pid, NULL, NULL) == 0);
		check(waitpid(run.pid, &status, 0) == run.pid && WIFSTOPPED(status));
		check(ptrace(PTRACE_GETREGS, run.pid, NULL, &regs) == 0);
		check(regs.rip < cache_addr || regs.rip >= cache_end);
	}
	check(ptrace(PTRACE_DETACH, run.pid, NULL, NULL) == 0);
	check(traced_answer(&run).sum != 0);
	run_end(&run);
}

/* Nothing was translated when the tracer came: what comes now is not for who is traced. */
static void traced_before(int device, int file)
{
	uint64_t before = counter(device, DYNOPT_COUNTER_DEBUGGED);
	uint64_t processes = counter(device, DYNOPT_COUNTER_PROCESSES);
	struct run run = start();
	uint64_t plain = traced_sum(&run, 3);
	int status;

	check_is(call_register(device, run.pid), DYNOPT_KMOD_OK);
	check(ptrace(PTRACE_ATTACH, run.pid, NULL, NULL) == 0);
	check(waitpid(run.pid, &status, 0) == run.pid);
	check_is(counter(device, DYNOPT_COUNTER_PROCESSES), processes + 1);
	traced_submit_all(device, file, reports);
	check_is(counter(device, DYNOPT_COUNTER_DEBUGGED), before + 1);
	check_is(counter(device, DYNOPT_COUNTER_PROCESSES), processes);
	check(ptrace(PTRACE_DETACH, run.pid, NULL, NULL) == 0);
	check_is(traced_sum(&run, 3), plain);
	run_end(&run);
	check_is(call_undo_all(device, file), DYNOPT_KMOD_OK);
}

static uint64_t state = 20261129;

static uint32_t random_below(uint32_t n)
{
	/* xorshift64*, Vigna 2016 */
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull) >> 32) % n;
}

/* What is not refused is right: the processes go on working, and say so in the end. */
static void hostile_traces(int device, int file, int calls)
{
	struct dynopt_ioc_block some[256];
	struct dynopt_ioc_report report;
	uint32_t published = 0, refused = 0, bad = 0;

	for (int i = 0; i < calls; i++) {
		uint32_t which = random_below(n_traces), first = 0, n = traces[which].n_blocks;
		struct dynopt_ioc_trace trace;
		struct dynopt_ioc_submit submit = { .size = sizeof(submit),
			                            .fd = file,
			                            .flags = DYNOPT_SUBMIT_ALL,
			                            .n_traces = 1,
			                            .traces = (uintptr_t)&trace,
			                            .blocks = (uintptr_t)some,
			                            .reports = (uintptr_t)&report };
		uint32_t status;

		for (uint32_t k = 0; k < which; k++)
			first += traces[k].n_blocks;
		n = n < 256 ? n : 256;
		memcpy(some, blocks + first, n * sizeof(some[0]));
		traced_spoil(some, &n, random_below);
		trace = (struct dynopt_ioc_trace){ n, 0 };
		submit.n_blocks = n;
		status = call_raw(device, DYNOPT_IOC_SUBMIT, &submit);
		check(status == DYNOPT_KMOD_OK || status == DYNOPT_KMOD_BAD_REQUEST);
		bad += status != DYNOPT_KMOD_OK;
		published += submit.published;
		refused += !status && !submit.published;
		if (submit.published && random_below(4) == 0)
			check_is(call_undo_all(device, file), DYNOPT_KMOD_OK);
	}
	printf("%d spoiled traces: %u published, %u refused, %u malformed\n", calls, published,
	       refused, bad);
	check(published > 0 && refused > 0 && bad > 0);
}

/* Signals come at any instruction; all of them say that they came in the original. */
static void under_signals(const struct run *run, uint64_t plain)
{
	struct traced_reply r;

	traced_ask(run, 7, 1, 200, 0);
	r = traced_answer(run);
	check_is(r.sum, plain);
	check(r.signals >= 200);
	check_is(r.in_cache, 0);
}

/* While processes work: undone and submitted again, left and come back. */
static void under_load(int device, int file, struct run *runs, int n, uint64_t plain)
{
	int round, i;

	for (i = 0; i < n; i++)
		traced_ask(&runs[i], 7, 400, 0, 0);
	for (round = 0; round < 2; round++) {
		check_is(call_undo_all(device, file), DYNOPT_KMOD_OK);
		check(traced_submit_all(device, file, reports) > 0);
		check_is(call_unregister(device, runs[0].pid), DYNOPT_KMOD_OK);
		check_is(call_register(device, runs[0].pid), DYNOPT_KMOD_OK);
	}
	for (i = 0; i < n; i++)
		check_is(traced_answer(&runs[i]).sum, plain);
}

static void submit_one(int device, int file)
{
	struct dynopt_ioc_submit submit;

	traced_fill(&submit, file, 0, 1);
	submit.reports = (uintptr_t)reports;
	check_is(call_raw(device, DYNOPT_IOC_SUBMIT, &submit), DYNOPT_KMOD_OK);
}

/* The file was read by now, and how much its text needs is known: the next one is kept, until memory is short. */
static void kept_text(int device, int file)
{
	uint64_t before;
	int i, drop = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	submit_one(device, file);
	before = counter(device, DYNOPT_COUNTER_READ);
	for (i = 0; i < 3; i++)
		submit_one(device, file);
	check_is(counter(device, DYNOPT_COUNTER_READ), before);
	check_is(counter(device, DYNOPT_COUNTER_TEXTS), 1);
	check(drop >= 0 && write(drop, "2", 1) == 1);
	close(drop);
	check_is(counter(device, DYNOPT_COUNTER_TEXTS), 0);
	submit_one(device, file);
	check_is(counter(device, DYNOPT_COUNTER_READ), before + 1);
	check_is(counter(device, DYNOPT_COUNTER_TEXTS), 1);
}

/* For who reads the log of a test that took too long. */
static void stage(const char *done)
{
	printf("%s: done\n", done);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	uint64_t plain, other;
	int device, file, i;
	struct run runs[2];
	uint32_t published;
	char *program;
	size_t bytes;

	program = slurp(EXE, &bytes);
	find_cache(program);
	if (argc > 1 && !strcmp(argv[1], "run"))
		return serve();
	if (!cache_addr)
		guest_skip("dynopt-clang was not built, so this program has no code cache");
	traces_read();
	device = device_open_patient();
	file = open(EXE, O_RDONLY | O_CLOEXEC);
	for (i = 0; i < 2; i++) {
		runs[i] = start();
		check_is(call_register(device, runs[i].pid), DYNOPT_KMOD_OK);
	}
	plain = traced_sum(&runs[0], 7);
	other = traced_sum(&runs[0], 8);
	check(plain != other);

	traced_before(device, file);
	published = traced_submit_all(device, file, reports);
	printf("%u traces, %u published\n", n_traces, published);
	print_reports();
	check(published > 10);
	check_is(counter(device, DYNOPT_COUNTER_PATCHES), published);
	for (i = 0; i < 2; i++) {
		check_is(traced_sum(&runs[i], 7), plain);
		check_is(traced_sum(&runs[i], 8), other);
	}
	kept_text(device, file);
	stage("kept_text");
	many(device, &runs[0], plain);
	stage("many");
	under_signals(&runs[0], plain);
	stage("under_signals");
	poked(device, &runs[0]);
	stage("poked");
	stepped(device);
	stage("stepped");
	probed(device, program);
	stage("probed");
	under_load(device, file, runs, 2, plain);
	stage("under_load");
	check_is(call_undo_all(device, file), DYNOPT_KMOD_OK);
	for (i = 0; i < 2; i++)
		traced_ask(&runs[i], 7, 200, 0, 0);
	hostile_traces(device, file, argc > 1 ? atoi(argv[1]) : 60);
	for (i = 0; i < 2; i++)
		check_is(traced_answer(&runs[i]).sum, plain);
	file_same(EXE, program, bytes);
	check_is(call_undo_all(device, file), DYNOPT_KMOD_OK);
	check_is(traced_sum(&runs[1], 8), other);
	for (i = 0; i < 2; i++)
		run_end(&runs[i]);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	check_is(counter(device, DYNOPT_COUNTER_PATCHES), 0);
	check_is(counter(device, DYNOPT_COUNTER_TEXTS), 0);
	return 0;
}
