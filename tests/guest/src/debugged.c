// SPDX-License-Identifier: MIT
/*
 * debugged.c - uprobes and breakpoints, set while a process works from translations and removed again: on sites, on slots,
 * and in the midst of traces. Each is met as often as without translations, results are the same, and so are those of the
 * process beside it, which keeps its translations.
 *
 * Who leaves at a uprobe gets its sites back in place, at work: for an emulator that runs one processor at a time (cookie.c).
 * A breakpoint is a debugger's: one byte is read and written over, and written back to go on.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include "traced.h"

#define EACH 5 /* places of each kind */
#define HITS 30 /* then a breakpoint goes */
#define SEED 7
#define NO_UPROBE \
	524 /* ENOTSUPP, the kernel's: it sets none on int3, and none on prefixes that do nothing */
#define CS_PREFIX 0x2e /* makes leaders longer */

enum kind { SITE, SLOT, MIDST, KINDS };
static const char *const names[] = { "sites", "slots", "midst of traces" };
static uint64_t places[KINDS][EACH];

static struct dynopt_ioc_report reports[TRACES_MAX];
static int device, file;
static char *program;
static uint64_t plain; /* the result */
static struct run beside;

static bool is_site(uint64_t addr)
{
	uint32_t i;

	for (i = 0; i < n_traces; i++)
		if (reports[i].site && addr >= reports[i].site && addr < reports[i].site + 5)
			return true;
	return false;
}

/* Five int3 on a page with a site, and none around them: what nothing executes. */
static uint64_t slot_near(uint64_t site)
{
	uint64_t page = site & ~(PAGE - 1), at;
	const char *text = program + (traced_offset(program, site) & ~(PAGE - 1));

	for (at = 1; at + 6 < PAGE; at++)
		if (!memcmp(text + at, "\xcc\xcc\xcc\xcc\xcc", 5) && text[at - 1] != '\xcc' &&
		    text[at + 5] != '\xcc' && !is_site(page + at))
			return page + at;
	return 0;
}

static void add(enum kind kind, uint32_t *n, uint64_t addr)
{
	uint32_t i;

	for (i = 0; i < *n; i++)
		if (places[kind][i] == addr)
			return;
	if (addr && *n < EACH)
		places[kind][(*n)++] = addr;
}

static bool can_be_probed(uint64_t addr)
{
	return program[traced_offset(program, addr)] != CS_PREFIX;
}

/* Of traces that were published. */
static void find_places(void)
{
	uint32_t n[KINDS] = { 0 }, block = 0, i, k;

	for (i = 0; i < n_traces; block += traces[i++].n_blocks) {
		if (strcmp(reports[i].status, "OK") != 0)
			continue;
		if (can_be_probed(reports[i].site))
			add(SITE, &n[SITE], reports[i].site);
		add(SLOT, &n[SLOT], slot_near(reports[i].site));
		for (k = 1; k < traces[i].n_blocks; k++)
			if (!is_site(blocks[block + k].start) &&
			    can_be_probed(blocks[block + k].start))
				add(MIDST, &n[MIDST], blocks[block + k].start);
	}
	check(n[SITE] > 1 && n[SLOT] > 0 && n[MIDST] > 1);
}

/* The physical page of a site. */
static uint64_t frame(const struct run *run)
{
	return traced_frame(run, places[SITE][0]);
}

/* With translations, or without. */
static struct run start(bool translated)
{
	struct run run = traced_start(TRACED);

	if (translated) {
		check_is(call_register(device, run.pid), DYNOPT_KMOD_OK);
		check_is(frame(&run), frame(&beside));
	}
	return run;
}

/* It goes on in its original text, and the one beside it as before. */
static void end(struct run *run, bool translated)
{
	check_is(traced_sum(run, SEED), plain);
	if (translated)
		check(frame(run) != frame(&beside));
	run_end(run);
	check_is(traced_sum(&beside, SEED), plain);
}

static void wait_for_debugged(uint64_t before)
{
	while (counter(device, DYNOPT_COUNTER_DEBUGGED) == before)
		sched_yield();
}

static int probe_set(pid_t pid, uint64_t addr)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };

	attr.type = atoi(slurp("/sys/bus/event_source/devices/uprobe/type", NULL));
	attr.config1 = (uintptr_t)TRACED;
	attr.config2 = traced_offset(program, addr);
	return syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* How often it is met in one round, after it was set in the midst of others. */
static uint64_t probed(uint64_t addr, bool translated)
{
	uint64_t before = counter(device, DYNOPT_COUNTER_DEBUGGED), first, n;
	struct run run = start(translated);
	int probe;

	traced_ask(&run, SEED, 20, 0, 0);
	probe = probe_set(run.pid, addr);
	if (probe >= 0 && translated)
		wait_for_debugged(before);
	check_is(traced_answer(&run).sum, plain);
	if (probe < 0) {
		check_is(errno, NO_UPROBE);
		check_is(traced_sum(&run, SEED), plain);
		run_end(&run);
		return 0;
	}
	check(read(probe, &first, sizeof(first)) == sizeof(first));
	check_is(traced_sum(&run, SEED), plain);
	check(read(probe, &n, sizeof(n)) == sizeof(n));
	close(probe);
	end(&run, translated);
	return n - first;
}

static void stop(pid_t pid)
{
	int status;

	check(kill(pid, SIGSTOP) == 0);
	check(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	check_is(WSTOPSIG(status), SIGSTOP);
}

/* As debuggers do: the word that is there now, and one byte of it. */
static uint8_t poke(pid_t pid, uint64_t addr, uint8_t byte)
{
	uint64_t word;

	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, pid, addr, NULL);
	check(errno == 0);
	check(ptrace(PTRACE_POKETEXT, pid, addr, (word & ~0xffull) | byte) == 0);
	return (uint8_t)word;
}

/* The instruction under the breakpoint, alone. */
static void step_over(pid_t pid, uint64_t addr, uint8_t byte)
{
	struct user_regs_struct regs;
	int status;

	check(ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0);
	check_is(regs.rip, addr + 1);
	regs.rip = addr;
	check(ptrace(PTRACE_SETREGS, pid, NULL, &regs) == 0);
	poke(pid, addr, byte);
	check(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0);
	check(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	check_is(WSTOPSIG(status), SIGTRAP);
}

static bool has_answered(const struct run *run)
{
	struct pollfd poll_for = { .fd = run->reply, .events = POLLIN };

	return poll(&poll_for, 1, 0) == 1;
}

/* Until it has answered, or met the breakpoint so often; it is stopped then. */
static uint64_t count_hits(const struct run *run, uint64_t addr, uint8_t byte)
{
	uint64_t hits = 0;
	int status;

	for (;;) {
		pid_t pid;

		check(ptrace(PTRACE_CONT, run->pid, NULL, NULL) == 0);
		while ((pid = waitpid(run->pid, &status, WNOHANG)) == 0 && !has_answered(run))
			sched_yield();
		if (pid == 0)
			break;
		check(pid == run->pid && WIFSTOPPED(status));
		check_is(WSTOPSIG(status), SIGTRAP);
		step_over(run->pid, addr, byte);
		if (++hits == HITS)
			return hits;
		poke(run->pid, addr, 0xcc);
	}
	stop(run->pid);
	poke(run->pid, addr, byte);
	return hits;
}

static uint64_t broken(uint64_t addr, bool translated)
{
	uint64_t before = counter(device, DYNOPT_COUNTER_DEBUGGED);
	struct run run = start(translated);
	uint64_t hits;
	int status;
	uint8_t byte;

	check(ptrace(PTRACE_ATTACH, run.pid, NULL, NULL) == 0);
	check(waitpid(run.pid, &status, 0) == run.pid && WIFSTOPPED(status));
	byte = poke(run.pid, addr, 0xcc);
	if (translated) /* before it was stopped */
		check(counter(device, DYNOPT_COUNTER_DEBUGGED) > before);
	traced_ask(&run, SEED, 1, 0, 0);
	hits = count_hits(&run, addr, byte);
	check(ptrace(PTRACE_DETACH, run.pid, NULL, NULL) == 0);
	check_is(traced_answer(&run).sum, plain);
	end(&run, translated);
	return hits;
}

static void both(const char *what, uint64_t (*count)(uint64_t addr, bool translated),
                 enum kind kind)
{
	uint64_t all = 0;
	int i;

	for (i = 0; i < EACH && places[kind][i]; i++) {
		uint64_t alone = count(places[kind][i], false);

		check_is(count(places[kind][i], true), alone);
		all += alone;
	}
	check(!all == (kind == SLOT));
	printf("%s, %s: %d, met %llu times\n", what, names[kind], i, (unsigned long long)all);
	fflush(stdout);
}

int main(void)
{
	enum kind kind;
	size_t bytes;

	traces_read();
	device = device_open_patient();
	file = open(TRACED, O_RDONLY | O_CLOEXEC);
	program = slurp(TRACED, &bytes);
	beside = traced_start(TRACED);
	plain = traced_sum(&beside, SEED);
	check_is(call_register(device, beside.pid), DYNOPT_KMOD_OK);
	check(traced_submit_all(device, file, reports) > 1);
	find_places();
	for (kind = 0; kind < KINDS; kind++)
		both("uprobes", probed, kind);
	for (kind = 0; kind < KINDS; kind++)
		both("breakpoints", broken, kind);
	run_end(&beside);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	return 0;
}
