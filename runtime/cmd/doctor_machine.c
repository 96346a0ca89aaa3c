/* SPDX-License-Identifier: MIT */
/*
 * doctor_machine.c - facts about the machine that run --eager works with or without: samplers, limits, filters, debuggers.
 */
#include "doctor.h"
#include "status_read.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAP_COUNT_USUAL 65530

/* "/proc/self/status", the value of a field; -1 if there is none. */
static long self_field(const char *field)
{
	char line[256];
	long value = -1;
	FILE *in = fopen("/proc/self/status", "re");

	while (in && fgets(line, sizeof(line), in)) {
		size_t n = strlen(field);

		if (strncmp(line, field, n) == 0 && line[n] == ':')
			value = strtol(line + n + 1, NULL, 10);
	}
	if (in)
		fclose(in);
	return value;
}

static bool event_opens(u32 type, u64 config, bool branches)
{
	struct perf_event_attr attr = {
		.type = type,
		.size = sizeof(attr),
		.config = config,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	int fd;

	if (branches) {
		attr.sample_period = 100000;
		attr.sample_type = PERF_SAMPLE_BRANCH_STACK;
		attr.branch_sample_type = PERF_SAMPLE_BRANCH_USER | PERF_SAMPLE_BRANCH_ANY;
	}
	fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Which one `run` uses, and why not the better one. */
static void look_samplers(struct findings_list *list, bool opens, int error)
{
	u32 used = opens ? STATUS_SAMPLER_ip : STATUS_SAMPLER_timer;

	finding_add(
		list, "sampler", opens ? LEVEL_OK : LEVEL_WARN,
		base_printf("run uses %s: %s%s%s", status_sampler_key(used),
	                    status_sampler_words(used),
	                    opens ? "" : "; ip does not work, as perf_event_open says: ",
	                    opens ? "" : strerror(error)),
		opens ? NULL
		      : "set kernel.perf_event_paranoid to 2 or less, and look for a seccomp filter (containers) that forbids perf_event_open");
}

static void look_perf(struct findings_list *list)
{
	static const char samples_by_timer[] = "sampler `ip` needs at most 2";
	static const char later[] = "nothing that exists in this version needs it";
	static const struct {
		const char *name, *what;
		u32 type;
		u64 config;
		bool branches;
	} events[] = {
		{ "perf-software", "cpu-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK,
		  false },
		{ "perf-hardware", "cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, false },
		{ "lbr", "branch stacks", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, true },
	};
	long paranoid = doctor_number("/proc/sys/kernel/perf_event_paranoid");

	finding_add(list, "perf-paranoid", paranoid >= 0 && paranoid <= 2 ? LEVEL_OK : LEVEL_WARN,
	            base_printf("kernel.perf_event_paranoid is %ld", paranoid),
	            paranoid >= 0 && paranoid <= 2 ? NULL : samples_by_timer);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		bool opens = event_opens(events[i].type, events[i].config, events[i].branches);
		int error = errno;

		finding_add(list, events[i].name, opens ? LEVEL_OK : LEVEL_WARN,
		            opens ? base_printf("the event %s opens", events[i].what)
		                  : base_printf("the event %s does not open: %s", events[i].what,
		                                strerror(error)),
		            opens ? NULL : later);
		if (i == 0)
			look_samplers(list, opens, error);
	}
}

static void look_limits(struct findings_list *list)
{
	long overcommit = doctor_number("/proc/sys/vm/overcommit_memory");
	long maps = doctor_number("/proc/sys/vm/max_map_count");

	finding_add(list, "overcommit", overcommit == 2 ? LEVEL_WARN : LEVEL_OK,
	            base_printf("vm.overcommit_memory is %ld", overcommit),
	            overcommit == 2 ? "reserved code caches count against the limit" : NULL);
	finding_add(list, "map-count", maps >= 0 && maps < MAP_COUNT_USUAL ? LEVEL_WARN : LEVEL_OK,
	            base_printf("vm.max_map_count is %ld", maps),
	            maps >= 0 && maps < MAP_COUNT_USUAL
	                    ? "a patched run of text pages needs up to two more mappings"
	                    : NULL);
}

static void look_tracing(struct findings_list *list)
{
	long scope = doctor_number("/proc/sys/kernel/yama/ptrace_scope"),
	     tracer = self_field("TracerPid");

	if (scope < 0)
		finding_add(list, "yama", LEVEL_OK, base_printf("Yama is not active"), NULL);
	else
		finding_add(list, "yama", scope > 1 ? LEVEL_WARN : LEVEL_OK,
		            base_printf("kernel.yama.ptrace_scope is %ld", scope),
		            scope > 1 ? "debuggers are restricted; dynopt run does not need them"
		                      : NULL);
	finding_add(list, "tracer", tracer > 0 ? LEVEL_WARN : LEVEL_OK,
	            tracer > 0 ? base_printf("process %ld traces this one", tracer)
	                       : base_printf("no tracer is attached"),
	            tracer > 0 ? "a program is not optimized while a debugger is attached" : NULL);
}

static void look_seccomp(struct findings_list *list)
{
	long mode = self_field("Seccomp");

	finding_add(list, "seccomp", mode > 0 ? LEVEL_WARN : LEVEL_OK,
	            mode > 0 ? base_printf("a seccomp filter is active")
	                     : base_printf("no seccomp filter is active"),
	            mode > 0 ? "the lines above tell whether it stands in the way" : NULL);
}

static void look_container(struct findings_list *list)
{
	const char *kind = getenv("container");

	if (access("/.dockerenv", F_OK) == 0)
		kind = "Docker";
	else if (access("/run/.containerenv", F_OK) == 0)
		kind = "Podman";
	finding_add(list, "container", LEVEL_OK,
	            kind ? base_printf("inside a container (%s)", kind)
	                 : base_printf("no sign of a container"),
	            NULL);
}

void doctor_machine(struct findings_list *list)
{
	look_tracing(list);
	look_seccomp(list);
	look_container(list);
	look_limits(list);
	look_perf(list);
}
