/* SPDX-License-Identifier: MIT */
/*
 * kernel_device.c - see kernel_device.h.
 *
 * Which files a process maps its memory map says; they are opened through map_files, so that what is meant is what is mapped, not
 * what has its name now. Only the module decides what of a trace is true.
 */
#include "kernel_device.h"
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PARSER_BYTES (1u << 20)

static const char *const texts[] = {
	"done",
#define X(name, error, text) text,
#include "kmod_status.def"
#undef X
};

/* False and *error, with the module's own words. Every request starts with its size and its status. */
static bool call(int device, unsigned long command, void *request, const char *what, char **error)
{
	u32 *head = request;
	int result;

	do {
		head[1] = 0;
		result = ioctl(device, command, request);
	} while (result != 0 && errno == EINTR);
	if (result == 0)
		return true;
	if (head[1] && head[1] < sizeof(texts) / sizeof(texts[0]))
		*error = base_printf("%s: %s", what, texts[head[1]]);
	else
		*error = base_printf("%s: %s", what, strerror(errno));
	return false;
}

int kernel_open(char **error)
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
		if (hello.features & DYNOPT_FEATURE_TRACES)
			return device;
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

	return call(device, DYNOPT_IOC_UNREGISTER, &process, "unregistering", error);
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

/* ---- traces ---- */

struct batch {
	VEC(struct dynopt_ioc_trace) traces;
	VEC(struct dynopt_ioc_block) blocks;
};

static void add_trace(struct batch *batch, const struct trace *trace)
{
	*vec_add(&batch->traces) = (struct dynopt_ioc_trace){ trace->n_blocks, trace->entries };
	for (u32 i = 0; i < trace->n_blocks; i++)
		*vec_add(&batch->blocks) = (struct dynopt_ioc_block){ trace->blocks[i].start,
			                                              trace->blocks[i].parent,
			                                              trace->blocks[i].weight,
			                                              trace->blocks[i].branch, 0 };
}

/* The text's traces for the module `name`. */
static bool read_traces(const char *text, size_t size, const char *name, struct batch *batch,
                        char **error)
{
	struct failure fail = { STATUS_OK, 0, 0 };
	void *memory = malloc(PARSER_BYTES);
	struct trace_stanza stanza;
	struct arena arena;
	enum status status = STATUS_WORKSPACE;
	u64 pos = 0;
	u32 line = 0;

	for (arena_init(&arena, memory, memory ? PARSER_BYTES : 0);; arena_release(&arena, 0)) {
		status = trace_parse(text, size, &pos, &line, &arena, &stanza, &fail);
		if (status)
			break;
		if (strlen(name) == stanza.module_len &&
		    memcmp(name, stanza.module, stanza.module_len) == 0)
			add_trace(batch, &stanza.trace);
	}
	free(memory);
	if (status == STATUS_END)
		return true;
	*error = base_printf("the traces, line %llu: %s", (unsigned long long)fail.detail,
	                     status_text(status));
	return false;
}

static void add_refusal(struct kernel_sum *sum, const char *name)
{
	struct kernel_refusal *refusal;

	for (size_t i = 0; i < sum->refusals.n; i++) {
		if (strcmp(sum->refusals.at[i].name, name) == 0) {
			sum->refusals.at[i].n++;
			return;
		}
	}
	refusal = vec_add(&sum->refusals);
	*refusal = (struct kernel_refusal){ .n = 1 };
	memcpy(refusal->name, name, sizeof(refusal->name) - 1);
}

static void add_reports(struct kernel_sum *sum, struct dynopt_ioc_report *reports, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		reports[i].status[sizeof(reports[i].status) - 1] = 0;
		sum->n_traces++;
		if (strcmp(reports[i].status, "OK") != 0) {
			add_refusal(sum, reports[i].status);
			continue;
		}
		sum->published++;
		sum->bytes += reports[i].bytes;
	}
}

/* In as many requests as it takes. */
static bool submit(int device, int file, const struct batch *batch, bool all,
                   struct kernel_sum *sum, char **error)
{
	struct dynopt_ioc_report reports[DYNOPT_SUBMIT_TRACES_MAX];
	size_t block = 0, n;
	bool done = true;

	for (size_t i = 0; i < batch->traces.n && done; i += n) {
		struct dynopt_ioc_submit request = { .size = sizeof(request),
			                             .fd = file,
			                             .flags = all ? DYNOPT_SUBMIT_ALL : 0 };

		request.traces = (uintptr_t)(batch->traces.at + i);
		request.blocks = (uintptr_t)(batch->blocks.at + block);
		request.reports = (uintptr_t)reports;
		for (n = 0; n < DYNOPT_SUBMIT_TRACES_MAX && i + n < batch->traces.n; n++) {
			u32 more = batch->traces.at[i + n].n_blocks;

			if (n && request.n_blocks + more > DYNOPT_SUBMIT_BLOCKS_MAX)
				break;
			request.n_blocks += more;
		}
		request.n_traces = (u32)n;
		block += request.n_blocks;
		memset(reports, 0, sizeof(reports));
		done = call(device, DYNOPT_IOC_SUBMIT, &request, "submitting", error);
		if (done)
			add_reports(sum, reports, (u32)n);
	}
	return done;
}

/* ---- what a process maps ---- */

/* "START-END r-xp … PATH": of a private executable file mapping the range and the file's name. */
static const char *mapped_name(char *line, char *range, size_t room)
{
	char *blank = strchr(line, ' '), *path = strchr(line, '/'), *end;

	if (!blank || !path || (size_t)(blank - line) >= room || blank[3] != 'x' || blank[4] != 'p')
		return NULL;
	memcpy(range, line, (size_t)(blank - line));
	range[blank - line] = 0;
	end = strstr(path, " (deleted)");
	path[end ? (size_t)(end - path) : strcspn(path, "\n")] = 0;
	return strrchr(path, '/') + 1;
}

static bool submit_mapped(int device, pid_t pid, const char *range, const struct batch *batch,
                          bool all, struct kernel_sum *sum, char **error)
{
	char *path = base_printf("/proc/%d/map_files/%s", (int)pid, range);
	int file = open(path, O_RDONLY | O_CLOEXEC);
	bool done;

	if (file < 0)
		*error = base_printf("%s: %s", path, strerror(errno));
	done = file >= 0 && submit(device, file, batch, all, sum, error);
	if (file >= 0)
		close(file);
	free(path);
	return done;
}

bool kernel_submit(int device, pid_t pid, const char *text, size_t size, bool all,
                   struct kernel_sum *sum, char **error)
{
	char *path = base_printf("/proc/%d/maps", (int)pid), *line = NULL, range[64];
	FILE *maps = fopen(path, "re");
	size_t room = 0;
	bool done = maps;

	if (!maps)
		*error = base_printf("%s: %s", path, strerror(errno));
	while (done && getline(&line, &room, maps) > 0) {
		const char *name = mapped_name(line, range, sizeof(range));
		struct batch batch = { 0 };

		if (!name)
			continue;
		done = read_traces(text, size, name, &batch, error) &&
		       submit_mapped(device, pid, range, &batch, all, sum, error);
		free(batch.traces.at);
		free(batch.blocks.at);
	}
	if (maps)
		fclose(maps);
	free(line);
	free(path);
	return done;
}
