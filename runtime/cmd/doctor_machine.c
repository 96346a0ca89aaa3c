/* SPDX-License-Identifier: MIT */
/*
 * doctor_machine.c - facts about the machine that run --eager works with or without: samplers, limits, filters, debuggers.
 */
#include "doctor.h"
#include "backend.h"
#include "hardware.h"
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

/* 0 or an errno. */
static int open_event(u32 type, u64 config)
{
	struct perf_event_attr attr = {
		.type = type,
		.size = sizeof(attr),
		.config = config,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void look_lbr(struct findings_list *list, enum hardware_answer answer,
                     const struct hardware_event *event, int error)
{
	static const struct {
		const char *text, *advice;
	} answers[] = {
		[HARDWARE_NO_COUNTERS] = { "the kernel knows no performance counters",
		                           "in a virtual machine they are the hypervisor's to give (QEMU: -cpu host,pmu=on; clouds: "
		                           "a larger or a bare-metal instance)" },
		[HARDWARE_REFUSED] = { "the event cycles does not open",
		                       "set kernel.perf_event_paranoid to 2 or less or give the capability CAP_PERFMON; in a container, allow "
		                       "perf_event_open in its seccomp filter" },
		[HARDWARE_NO_STACK] = { "no event opens with branch stacks",
		                        "needs Intel's LBR, or AMD's BRS or LBRv2 (Zen 3 or later, Linux 5.19 and 6.1); hypervisors seldom pass "
		                        "them on" },
	};

	if (answer == HARDWARE_WORKS)
		finding_add(list, "lbr", LEVEL_OK,
		            base_printf("the event %s opens with branch stacks", event->name),
		            NULL);
	else
		finding_add(list, "lbr", LEVEL_WARN,
		            base_printf("lbr does not work: %s%s%s", answers[answer].text,
		                        answer == HARDWARE_REFUSED ? ": " : "",
		                        answer == HARDWARE_REFUSED ? strerror(error) : ""),
		            answers[answer].advice);
}

/* Which one `run` uses, and why not the better ones. */
static void look_samplers(struct findings_list *list)
{
	struct hardware_event event;
	int ip = open_event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK), error = 0;
	enum hardware_answer answer = hardware_branches(&event, &error);
	u32 used = ip                         ? STATUS_SAMPLER_timer
	           : answer == HARDWARE_WORKS ? STATUS_SAMPLER_lbr
	                                      : STATUS_SAMPLER_walk;

	look_lbr(list, answer, &event, error);
	finding_add(
		list, "perf-software", ip ? LEVEL_WARN : LEVEL_OK,
		ip ? base_printf("the event cpu-clock does not open: %s", strerror(ip))
		   : base_printf("the event cpu-clock opens"),
		ip ? "sampler `ip` needs it: set kernel.perf_event_paranoid to 2 or less, and look for a seccomp filter (containers) that forbids perf_event_open"
		   : NULL);
	finding_add(list, "sampler", ip ? LEVEL_WARN : LEVEL_OK,
	            base_printf("run uses %s: %s%s", status_sampler_key(used),
	                        status_sampler_words(used),
	                        ip ? "; perf_event_open is refused" : ""),
	            ip ? "a quarter of the samples; the line above says what to do" : NULL);
}

static void look_perf(struct findings_list *list)
{
	long paranoid = doctor_number("/proc/sys/kernel/perf_event_paranoid");
	bool known = paranoid != DOCTOR_UNKNOWN, fits = known && paranoid <= 2;
	int cycles = open_event(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES);

	finding_add(list, "perf-paranoid", fits ? LEVEL_OK : LEVEL_WARN,
	            known ? base_printf("kernel.perf_event_paranoid is %ld", paranoid)
	                  : base_printf("kernel.perf_event_paranoid cannot be read"),
	            fits    ? NULL
	            : known ? "samplers `lbr` and `ip` need at most 2"
	                    : "mount /proc; a kernel without it has no perf_event_open");
	finding_add(list, "perf-hardware", cycles ? LEVEL_WARN : LEVEL_OK,
	            cycles ? base_printf("the event cycles does not open: %s", strerror(cycles))
	                   : base_printf("the event cycles opens"),
	            cycles ? "the next line says what that means for sampling" : NULL);
	look_samplers(list);
}

static void look_limits(struct findings_list *list)
{
	long overcommit = doctor_number("/proc/sys/vm/overcommit_memory");
	long maps = doctor_number("/proc/sys/vm/max_map_count");

	if (overcommit == DOCTOR_UNKNOWN || maps == DOCTOR_UNKNOWN) {
		finding_add(list, "overcommit", LEVEL_WARN,
		            base_printf("limits of memory in /proc/sys/vm cannot be read"),
		            "mount /proc");
		return;
	}
	finding_add(list, "overcommit", overcommit == 2 ? LEVEL_WARN : LEVEL_OK,
	            base_printf("vm.overcommit_memory is %ld", overcommit),
	            overcommit == 2 ? "reserved code caches count against the limit" : NULL);
	finding_add(list, "map-count", maps < MAP_COUNT_USUAL ? LEVEL_WARN : LEVEL_OK,
	            base_printf("vm.max_map_count is %ld", maps),
	            maps < MAP_COUNT_USUAL
	                    ? "a patched run of text pages needs up to two more mappings"
	                    : NULL);
}

static void look_tracing(struct findings_list *list)
{
	long scope = doctor_number("/proc/sys/kernel/yama/ptrace_scope"),
	     tracer = self_field("TracerPid");

	if (scope == DOCTOR_UNKNOWN)
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

/* Which one `run` uses, and why not the other. */
static void look_backend(struct findings_list *list)
{
	char *why = NULL;
	bool works = backend_kernel_works(&why);

	finding_add(
		list, "backend", LEVEL_OK,
		works ? base_printf(
				"run uses kernel for programs with a code cache, embedded for others")
		      : base_printf("run uses embedded: for kernel, %s", why),
		NULL);
	free(why);
}

void doctor_machine(struct findings_list *list)
{
	look_tracing(list);
	look_seccomp(list);
	look_container(list);
	look_limits(list);
	look_perf(list);
	look_backend(list);
}
