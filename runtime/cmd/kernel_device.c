/* SPDX-License-Identifier: MIT */
/*
 * kernel_device.c - see kernel_device.h.
 */
#include "kernel_device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char *const texts[] = {
	"done",
#define X(name, error, text) text,
#include "kmod_status.def"
#undef X
};

/* Every request starts with its size and its status. DYNOPT_KMOD_OK, or what was met; UNKNOWN_CALL where the module says nothing. */
static u32 ask(int device, unsigned long command, void *request)
{
	u32 *head = request;
	int result;

	do {
		head[1] = 0;
		result = ioctl(device, command, request);
	} while (result != 0 && errno == EINTR);
	if (result == 0)
		return DYNOPT_KMOD_OK;
	return head[1] ? head[1] : DYNOPT_KMOD_UNKNOWN_CALL;
}

const char *kernel_status_text(u32 status)
{
	return status < sizeof(texts) / sizeof(texts[0]) ? texts[status] : "an unknown answer";
}

/* False and *error, with the module's own words. */
static bool call(int device, unsigned long command, void *request, const char *what, char **error)
{
	u32 status = ask(device, command, request);

	if (status)
		*error = base_printf("%s: %s", what, kernel_status_text(status));
	return !status;
}

int kernel_open(u64 *features, char **error)
{
	struct dynopt_ioc_hello hello = { .size = sizeof(hello),
		                          .min = DYNOPT_ABI_MIN,
		                          .max = DYNOPT_ABI_MAX };
	int device = open(DYNOPT_DEVICE, O_RDWR | O_CLOEXEC);

	if (device < 0) {
		*error = base_printf("%s (load dynopt.ko, and be its administrator)",
		                     strerror(errno));
		return -1;
	}
	if (call(device, DYNOPT_IOC_HELLO, &hello, "the module", error)) {
		if (hello.features & DYNOPT_FEATURE_TRACES) {
			*features = hello.features;
			return device;
		}
		*error = base_printf("this module does not translate traces");
	}
	close(device);
	return -1;
}

bool kernel_register(int device, pid_t pid, char **error)
{
	struct dynopt_ioc_process process = { .size = sizeof(process), .pid = pid };

	return call(device, DYNOPT_IOC_REGISTER, &process, "registering", error);
}

bool kernel_unregister(int device, pid_t pid, char **error)
{
	struct dynopt_ioc_process process = { .size = sizeof(process), .pid = pid };

	u32 status = ask(device, DYNOPT_IOC_UNREGISTER, &process);

	/* LEAVING: it executes its original code, which is what was asked for. */
	if (status && status != DYNOPT_KMOD_LEAVING)
		*error = base_printf("unregistering: %s", kernel_status_text(status));
	return !status || status == DYNOPT_KMOD_LEAVING;
}

bool kernel_sharing(int device, struct kernel_sharing *sharing)
{
	u64 counters[DYNOPT_COUNTER_N];
	struct dynopt_ioc_query query = { .size = sizeof(query),
		                          .n = DYNOPT_COUNTER_N,
		                          .counters = (uintptr_t)counters };

	if (ioctl(device, DYNOPT_IOC_QUERY, &query) != 0 || query.n <= DYNOPT_COUNTER_PATCHES)
		return false;
	*sharing = (struct kernel_sharing){ counters[DYNOPT_COUNTER_PROCESSES],
		                            counters[DYNOPT_COUNTER_FILES],
		                            counters[DYNOPT_COUNTER_PATCHES],
		                            counters[DYNOPT_COUNTER_PAGES] };
	return true;
}

u32 kernel_sample(int device, pid_t pid, u32 flags, u32 period_us)
{
	struct dynopt_ioc_sample sample = {
		.size = sizeof(sample), .pid = pid, .flags = flags, .period_us = period_us
	};

	return ask(device, DYNOPT_IOC_SAMPLE, &sample);
}

u32 kernel_read_samples(int device, pid_t pid, u64 *ips, u32 *n, u64 *lost)
{
	struct dynopt_ioc_sample sample = { .size = sizeof(sample),
		                            .pid = pid,
		                            .flags = DYNOPT_SAMPLE_READ,
		                            .n = *n,
		                            .ips = (uintptr_t)ips };
	u32 status = ask(device, DYNOPT_IOC_SAMPLE, &sample);

	*n = status ? 0 : sample.n;
	if (!status)
		*lost = sample.lost;
	return status;
}

void kernel_batch_add(struct kernel_batch *batch, const struct trace *trace)
{
	*vec_add(&batch->traces) = (struct dynopt_ioc_trace){ trace->n_blocks, trace->entries };
	for (u32 i = 0; i < trace->n_blocks; i++)
		*vec_add(&batch->blocks) = (struct dynopt_ioc_block){ trace->blocks[i].start,
			                                              trace->blocks[i].parent,
			                                              trace->blocks[i].weight,
			                                              trace->blocks[i].branch, 0 };
}

void kernel_batch_free(struct kernel_batch *batch)
{
	free(batch->traces.at);
	free(batch->blocks.at);
}

void kernel_pace_take(struct kernel_pace *pace, u32 advice)
{
	u32 most = pace->most ? pace->most : DYNOPT_SUBMIT_TRACES_MAX;

	most = advice & DYNOPT_ADVICE_SMALLER ? most / 2 : most * 2;
	if (most < 1)
		most = 1;
	if (most > DYNOPT_SUBMIT_TRACES_MAX)
		most = DYNOPT_SUBMIT_TRACES_MAX;
	*pace = (struct kernel_pace){ most, advice };
}

/* As many of the traces from `from` on as one request holds, or the pace allows; their blocks begin at `block`. */
static u32 fill(struct dynopt_ioc_submit *request, const struct kernel_batch *batch, size_t from,
                size_t block, const struct kernel_pace *pace)
{
	u32 n, most = pace->most ? pace->most : DYNOPT_SUBMIT_TRACES_MAX;

	for (n = 0; n < most && from + n < batch->traces.n; n++) {
		u32 more = batch->traces.at[from + n].n_blocks;

		if (n && request->n_blocks + more > DYNOPT_SUBMIT_BLOCKS_MAX)
			break;
		request->n_blocks += more;
	}
	request->n_traces = n;
	request->traces = (uintptr_t)(batch->traces.at + from);
	request->blocks = (uintptr_t)(batch->blocks.at + block);
	return n;
}

u32 kernel_submit(int device, int file, s32 domain, bool all, const struct kernel_batch *batch,
                  struct kernel_pace *pace,
                  void (*take)(void *ctx, size_t trace, const struct dynopt_ioc_report *report),
                  void *ctx)
{
	struct dynopt_ioc_report reports[DYNOPT_SUBMIT_TRACES_MAX];
	size_t block = 0, n;

	for (size_t i = 0; i < batch->traces.n; i += n) {
		struct dynopt_ioc_submit request = { .size = sizeof(request),
			                             .fd = file,
			                             .domain = domain,
			                             .flags = all ? DYNOPT_SUBMIT_ALL : 0,
			                             .reports = (uintptr_t)reports };
		u32 status;

		n = fill(&request, batch, i, block, pace);
		block += request.n_blocks;
		memset(reports, 0, sizeof(reports));
		status = ask(device, DYNOPT_IOC_SUBMIT, &request);
		if (status)
			return status;
		kernel_pace_take(pace, request.advice);
		for (size_t k = 0; k < n; k++) {
			reports[k].status[sizeof(reports[k].status) - 1] = 0;
			take(ctx, i + k, &reports[k]);
		}
	}
	return DYNOPT_KMOD_OK;
}
