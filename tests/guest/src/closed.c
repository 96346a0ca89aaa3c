// SPDX-License-Identifier: MIT
/*
 * closed.c - a library that was compiled with the flag and is translated comes and goes with dlopen() and dlclose() in one
 * process, while another keeps it: the same physical page each time, nothing left after it, and when nobody has it any more it is
 * forgotten.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "traced.h"

#define CLOSER "/t/programs/closer"
#define LIBRARY "/t/programs/libwork.so"
#define ROUNDS 20

static struct dynopt_ioc_report reports[DYNOPT_SUBMIT_TRACES_MAX];
static int device, file;

static long ask(const struct run *run, char letter)
{
	long value;

	check(write(run->ask, &letter, 1) == 1);
	check(read(run->reply, &value, sizeof(value)) == sizeof(value));
	return value;
}

/* Where a process has the library's address 0. */
static uint8_t *base(pid_t pid)
{
	char path[64], *maps, *line;
	unsigned long start = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = slurp(path, NULL);
	for (line = strtok(maps, "\n"); line && !start; line = strtok(NULL, "\n"))
		if (strstr(line, LIBRARY))
			start = strtoul(line, NULL, 16);
	free(maps);
	check(start);
	return (uint8_t *)start;
}

static uint32_t submit(void)
{
	struct dynopt_ioc_submit request;

	traced_fill(&request, file, 0, DYNOPT_SUBMIT_TRACES_MAX);
	request.reports = (uintptr_t)reports;
	check_is(call_raw(device, DYNOPT_IOC_SUBMIT, &request), DYNOPT_KMOD_OK);
	return request.published;
}

/* Of the first trace that was published. */
static uint64_t site(void)
{
	uint32_t i;

	for (i = 0; strcmp(reports[i].status, "OK"); i++)
		check(i + 1 < n_traces);
	return reports[i].site;
}

static void come_and_go(const struct run *keeper, const struct run *guest, long plain)
{
	uint64_t before = counter(device, DYNOPT_COUNTER_MAPPINGS), at = site(), frame;

	check_is(ask(guest, 'o'), plain);
	check_is(call_register(device, guest->pid), DYNOPT_KMOD_OK);
	check(counter(device, DYNOPT_COUNTER_MAPPINGS) > before);
	check_is(ask(guest, 'w'), plain);
	check_is(ask(keeper, 'w'), plain);
	frame = page_frame(keeper->pid, base(keeper->pid) + at);
	check(frame);
	check_is(page_frame(guest->pid, base(guest->pid) + at), frame);
	check_is(ask(guest, 'c'), 0);
	check_is(counter(device, DYNOPT_COUNTER_MAPPINGS), before);
}

int main(void)
{
	struct run keeper, guest;
	int i;
	long plain;

	if (access(CLOSER, X_OK))
		guest_skip("no library was compiled with the flag (dynopt-clang, Debian's lua)");
	traces_read_from("/t/libwork.traces");
	device = device_open_patient();
	file = open(LIBRARY, O_RDONLY | O_CLOEXEC);
	keeper = run_start(CLOSER, "closer");
	guest = run_start(CLOSER, "closer");
	plain = ask(&keeper, 'o');
	check_is(call_register(device, keeper.pid), DYNOPT_KMOD_OK);
	check(submit() > 0);
	for (i = 0; i < ROUNDS; i++) {
		come_and_go(&keeper, &guest, plain);
		if (i % 4)
			continue;
		check_is(call_undo_all(device, file), DYNOPT_KMOD_OK);
		check(submit() > 0);
	}
	check_is(counter(device, DYNOPT_COUNTER_FILES), 1);
	check_is(ask(&keeper, 'c'), 0);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	check_is(counter(device, DYNOPT_COUNTER_PAGES), 0);
	check_is(ask(&keeper, 'o'), plain);
	run_end(&keeper);
	run_end(&guest);
	check_is(counter(device, DYNOPT_COUNTER_PROCESSES), 0);
	return 0;
}
