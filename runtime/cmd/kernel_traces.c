/* SPDX-License-Identifier: MIT */
/*
 * kernel_traces.c - traces of a file (engine/trace.h), for the files that a process maps.
 *
 * Which files these are its memory map says; they are opened through map_files, so that what is meant is what is mapped, not
 * what has its name now. Only the module decides what of a trace is true.
 */
#include "kernel_device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARSER_BYTES (1u << 20)

/* The text's traces for the module `name`. */
static bool read_traces(const char *text, size_t size, const char *name, struct kernel_batch *batch,
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
			kernel_batch_add(batch, &stanza.trace);
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

static void add_report(void *ctx, size_t trace, const struct dynopt_ioc_report *report)
{
	struct kernel_sum *sum = ctx;

	(void)trace;
	sum->n_traces++;
	if (strcmp(report->status, "OK") != 0) {
		add_refusal(sum, report->status);
		return;
	}
	sum->published++;
	sum->bytes += report->bytes;
}

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

static bool submit_mapped(int device, pid_t pid, const char *range, s32 domain,
                          const struct kernel_batch *batch, bool all, struct kernel_sum *sum,
                          char **error)
{
	char *path = base_printf("/proc/%d/map_files/%s", (int)pid, range);
	int file = open(path, O_RDONLY | O_CLOEXEC);
	struct kernel_pace pace = { 0 };
	u32 status = DYNOPT_KMOD_OK;

	if (file < 0) {
		*error = base_printf("%s: %s", path, strerror(errno));
	} else {
		status = kernel_submit(device, file, domain, all, batch, &pace, add_report, sum);
		if (status)
			*error = base_printf("submitting: %s", kernel_status_text(status));
		close(file);
	}
	free(path);
	return file >= 0 && !status;
}

bool kernel_submit_text(int device, pid_t pid, s32 domain, const char *text, size_t size, bool all,
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
		struct kernel_batch batch = { 0 };

		if (!name)
			continue;
		done = read_traces(text, size, name, &batch, error) &&
		       submit_mapped(device, pid, range, domain, &batch, all, sum, error);
		kernel_batch_free(&batch);
	}
	if (maps)
		fclose(maps);
	free(line);
	free(path);
	return done;
}
