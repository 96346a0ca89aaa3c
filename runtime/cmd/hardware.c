/* SPDX-License-Identifier: MIT */
/*
 * hardware.c - see hardware.h.
 */
#include "hardware.h"

#include <errno.h>
#include <perfmon/pfmlib_perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Best first: those that count what they sample. The last needs no name. */
static const char *const rows[] = {
	"BR_INST_RETIRED:NEAR_TAKEN", /* Intel's LBR */
	"amd64_fam19h_zen4::RETIRED_TAKEN_BRANCH_INSTRUCTIONS", /* AMD's LBRv2 */
	"amd64_fam19h_zen3::RETIRED_TAKEN_BRANCH_INSTRUCTIONS", /* AMD's BRS knows no other */
	"cycles",
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

u32 hardware_rows(void)
{
	return ROWS;
}

bool hardware_encode(u32 row, struct hardware_event *event, const char **why)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	pfm_perf_encode_arg_t arg = { .attr = &attr, .size = sizeof(arg) };
	pfm_err_t result;

	*event = (struct hardware_event){ .name = rows[row],
		                          .type = PERF_TYPE_HARDWARE,
		                          .config = PERF_COUNT_HW_CPU_CYCLES };
	if (row == ROWS - 1)
		return true;
	result = pfm_initialize();
	if (result == PFM_SUCCESS)
		result = pfm_get_os_event_encoding(rows[row], PFM_PLM3, PFM_OS_PERF_EVENT, &arg);
	if (result != PFM_SUCCESS) {
		*why = pfm_strerror(result);
		return false;
	}
	event->type = attr.type;
	event->config = attr.config;
	event->config1 = attr.config1;
	return true;
}

/* 0 or an errno. */
static int try(const struct hardware_event *event, bool branches)
{
	struct perf_event_attr attr = {
		.type = event->type,
		.size = sizeof(attr),
		.config = event->config,
		.config1 = event->config1,
		.sample_period = 1000000,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	int fd;

	if (branches) {
		attr.sample_type = PERF_SAMPLE_BRANCH_STACK;
		attr.branch_sample_type = PERF_SAMPLE_BRANCH_USER | PERF_SAMPLE_BRANCH_ANY;
	}
	fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static bool has_counters(void)
{
	static const char *const names[] = { "cpu", "cpu_core", "cpu_atom" };
	char path[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/type", names[i]);
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

enum hardware_answer hardware_branches(struct hardware_event *event, int *error)
{
	const char *why;

	if (!has_counters())
		return HARDWARE_NO_COUNTERS;
	for (u32 row = 0; row < ROWS; row++)
		if (hardware_encode(row, event, &why) && try(event, true) == 0)
			return HARDWARE_WORKS;
	*error = try(event, false);
	return *error ? HARDWARE_REFUSED : HARDWARE_NO_STACK;
}
