/* SPDX-License-Identifier: MIT */
/*
 * status_write.c - one consistent picture for `dynopt status` and `report`.
 *
 * Written to a new file beside the old one and renamed over it, so a reader never sees half of it and a full
 * disk costs the report, nothing else.
 */
#include "status_write.h"

#include "hot.h"
#include "stages.h"
#include "sys.h"
#include "world.h"

#include <fcntl.h>

struct writer {
	int fd;
	bool failed;
	u64 used;
	u8 buffer[16384];
};

static void flush(struct writer *w)
{
	u64 done = 0;

	while (!w->failed && done < w->used) {
		long n = sys_write(w->fd, w->buffer + done, w->used - done);

		if (n <= 0)
			w->failed = true;
		else
			done += (u64)n;
	}
	w->used = 0;
}

static void put(struct writer *w, const void *bytes, u64 size)
{
	if (size > sizeof(w->buffer) - w->used)
		flush(w);
	memcpy(w->buffer + w->used, bytes, size);
	w->used += size;
}

static u64 text(char *out, u64 at, const char *in)
{
	while (*in && at < OPTION_PATH_MAX)
		out[at++] = *in++;
	out[at] = 0;
	return at;
}

static void name(char *out, const char *suffix)
{
	u64 at = text(out, 0, world->options.status_dir);
	bool leading = true;

	out[at++] = '/';
	for (int unit = 1000000000; unit; unit /= 10) {
		int digit = world->host_pid / unit % 10;

		leading = leading && digit == 0 && unit > 1;
		if (!leading)
			out[at++] = (char)('0' + digit);
	}
	text(out, at, suffix);
}

static u32 live_translations(const struct image *image)
{
	u32 n = 0;

	for (u32 i = 0; i < image->n_translations; i++)
		n += !image->translations[i].retired;
	return n;
}

static void put_head(struct writer *w, const struct status_heat *heat, u32 n_functions)
{
	struct status_head head = { 0 };

	head.magic = STATUS_FILE_MAGIC;
	head.version = STATUS_FILE_VERSION;
	head.size = sizeof(head);
	head.module_size = sizeof(struct status_module);
	head.translation_size = sizeof(struct status_translation);
	for (u32 i = 0; i < world->n_images; i++) {
		head.n_modules += world->images[i].record == i;
		head.n_translations += live_translations(&world->images[i]);
	}
	head.function_size = sizeof(struct status_function);
	head.n_functions = n_functions;
	head.heat = *heat;
	head.pid = (u32)world->host_pid;
	head.agent_pid = (u32)world->agent_pid;
	head.start_time = world->start_time;
	head.state = world->state;
	head.cause = world->cause;
	head.detail = world->detail;
	head.eager_ns = world->ready_ns ? world->ready_ns - world->start_ns : 0;
	head.agent_cpu_ns = sys_cpu_ns();
	stages_settle();
	memcpy(head.stage_ns, world->stage_ns, sizeof(head.stage_ns));
	head.cycles = world->cycles;
	head.flips = world->flips;
	head.flip_ns = world->flip_ns;
	head.samples = world->samples;
	head.samples_cache = world->samples_cache;
	head.remembered = world->remembered;
	head.remembered_left = world->remembered_left;
	head.remember_wrong = world->remember_wrong;
	head.remember_detail = world->remember_detail;
	head.first_live_ns = world->first_live_ns ? world->first_live_ns - world->start_ns : 0;
	head.first_live_cpu_ns = world->first_live_cpu_ns;
	head.saved_ns = world->saved_ns;
	head.left_ns = world->left_ns;
	head.phases = world->phases;
	head.sample_ns = world->sample_ns;
	head.walks = world->walks.walks;
	head.walk_runs = world->walks.runs;
	head.walk_insns = world->walks.insns;
	head.walk_ns = world->walks.cpu_ns;
	head.walks_stood = world->walks.stood;
	head.walk_samples = world->walks.samples;
	head.recent = world->recent;
	head.recent_cache = world->recent_cache;
	head.batches = world->batches;
	head.sampler = world->sampler;
	head.mode = world->options.traces[0] ? 2
	            : world->options.eager   ? 1
	            : world->options.sample  ? 3
	                                     : 0;
	memcpy(head.program, world->program, sizeof(head.program));
	put(w, &head, sizeof(head));
}

/* Which of the modules in the file an image belongs to. */
u32 status_row(const struct image *image)
{
	u32 row = 0;

	for (u32 i = 0; i < image->record; i++)
		row += world->images[i].record == i;
	return row;
}

static void put_translations(struct writer *w, u32 index)
{
	const struct image *image = &world->images[index];
	u32 row_of_module = status_row(image);

	for (u32 i = 0, site = 0; i < image->n_translations; i++) {
		const struct translation *t = &image->translations[i];
		struct status_translation row = { .hop = HOP_CALL };

		if (t->retired)
			continue;
		while (site < image->n_sites && image->sites[site].hop.site < t->site)
			site++;
		row.head = t->site;
		row.site = t->site;
		row.code = image->areas[t->area].start + t->at;
		row.module = row_of_module;
		row.size = t->size;
		row.n_insns = t->n_insns;
		row.n_blocks = t->n_blocks;
		memcpy(row.passes, t->passes, sizeof(t->passes));
		if (site < image->n_sites && image->sites[site].hop.site == t->site)
			row.hop = image->sites[site].hop.kind;
		put(w, &row, sizeof(row));
	}
}

bool status_disable_asked(void)
{
	static const char suffix[] = STATUS_DISABLE_SUFFIX;
	char path[OPTION_PATH_MAX + 32];

	if (!world->options.status_dir[0])
		return false;
	name(path, suffix);
	return sys6(SYS_faccessat, AT_FDCWD, (long)path, F_OK, 0, 0, 0) == 0 &&
	       sys_unlink(path) == 0; /* mostly nobody has */
}

#define PAUSE_NS 250000000u

void status_tick(void)
{
	if (world->status_due && sys_now_ns() - world->status_ns >= PAUSE_NS)
		status_write();
}

void status_soon(void)
{
	world->status_due = true;
	status_tick();
}

static void write_file(const struct status_heat *heat, const struct status_function *functions,
                       u32 n_functions)
{
	static const char suffix[] = STATUS_FILE_SUFFIX, fresh[] = STATUS_FILE_SUFFIX "~";
	char path[OPTION_PATH_MAX + 32], temporary[OPTION_PATH_MAX + 32];
	struct writer w;
	long fd;

	if (!world->options.status_dir[0])
		return;
	name(path, suffix);
	name(temporary, fresh);
	sys_unlink(temporary);
	fd = sys_open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (sys_failed(fd))
		return;
	w.fd = (int)fd;
	w.failed = false;
	w.used = 0;
	put_head(&w, heat, n_functions);
	for (u32 i = 0; i < world->n_images; i++)
		if (world->images[i].record == i)
			put(&w, &world->images[i].status, sizeof(struct status_module));
	for (u32 i = 0; i < world->n_images; i++)
		put_translations(&w, i);
	put(&w, functions, n_functions * sizeof(*functions));
	flush(&w);
	sys_close(w.fd);
	if (w.failed || sys_failed(sys_rename(temporary, path)))
		sys_unlink(temporary);
}

void status_write(void)
{
	static struct status_function functions[STATUS_FUNCTIONS];
	struct status_heat heat;
	u32 n_functions = hot_functions(functions, &heat); /* may find modules that are new */

	world->status_due = false;
	world->status_ns = sys_now_ns();
	write_file(&heat, functions, n_functions);
}

void status_write_last(void)
{
	const struct status_heat none = { 0 };
	const struct status_function no_function = { 0 };

	write_file(&none, &no_function, 0);
}
