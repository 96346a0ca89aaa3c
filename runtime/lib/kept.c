/* SPDX-License-Identifier: MIT */
/*
 * kept.c - see kept.h. Samples are written module by module, each under a line that says of which build it is.
 */
#include "kept.h"

#include "build.h"
#include "loaded.h"
#include "rate.h"

/* 0 is not known, here and there. */
static u64 moved(u64 addr, u64 by)
{
	return addr ? addr + by : 0;
}

/* ---- reading ---- */

struct reader {
	struct heat_table *heat;
	struct runs *runs;
	struct kept_sums *sums;
	struct kept_modules *told;
	bool before; /* the last `module` line's samples were taken before */
	const char *name; /* of the last `module` line; NULL: there was none */
	u32 name_len;
	const struct module *module; /* what it means here; NULL: nothing that is loaded */
};

/* Is it what a line has at `what`? */
static bool is_text(const char *text, const char *what, u32 len)
{
	u32 n = 0;

	while (n < len && text[n] && samples_letter(text[n]) == what[n])
		n++;
	return n == len && !text[n];
}

static const struct module *module_of(const struct sample_line *line)
{
	char build[BUILD_ROOM];

	for (u32 i = 0; i < world->n_modules; i++) {
		const struct module *module = &world->modules[i];

		if (!is_text(loaded_name(module), line->name, line->name_len))
			continue;
		if (line->kind != SAMPLE_MODULE)
			return module;
		build_of(loaded_record(module), build);
		if (is_text(build, line->build, line->build_len))
			return module;
	}
	return NULL;
}

static bool is_told(const struct reader *r, const struct sample_line *line)
{
	return r->name && r->name_len == line->name_len &&
	       memcmp(r->name, line->name, line->name_len) == 0;
}

static void begin_module(struct reader *r, const struct sample_line *line)
{
	bool *taken;

	r->name = line->name;
	r->name_len = line->name_len;
	r->module = module_of(line);
	r->before = false;
	if (!r->told || !r->module)
		return;
	taken = &r->told->taken[loaded_record(r->module)->record];
	r->before = *taken;
	*taken = true;
}

static void take(void *ctx, const struct sample_line *line)
{
	struct reader *r = ctx;
	const struct module *module;

	if (line->kind >= SAMPLE_RAN)
		return;
	if (line->kind == SAMPLE_MODULE) {
		begin_module(r, line);
		return;
	}
	if (r->before && is_told(r, line))
		return;
	module = is_told(r, line) ? r->module : module_of(line);
	if (line->kind == SAMPLE_RUN && module) {
		runs_add(r->runs, moved(line->start, module->base), module->base + line->addr,
		         moved(line->to, module->base), line->n);
	} else if (line->kind == SAMPLE_COUNT && module) {
		if (r->told)
			heat_tell(r->heat, module->base + line->addr, line->n);
		else
			heat_add(r->heat, module->base + line->addr, line->n,
			         (u64)line->n * RATE_FIRST_NS, false);
		r->sums->taken += line->n;
	} else if (line->kind == SAMPLE_COUNT) {
		r->sums->left += line->n;
	}
}

bool kept_read(const char *text, u64 size, struct heat_table *heat, struct runs *runs,
               struct kept_sums *sums, struct kept_modules *told, u32 *line)
{
	struct reader reader = { .heat = heat, .runs = runs, .sums = sums, .told = told };

	return samples_read(text, size, take, &reader, line);
}

/* ---- writing ---- */

/* A count's share; what is left of it goes to the next one, so that many small ones are not lost. */
static u32 shared(u32 n, u32 share, u32 *rest)
{
	u64 all = (u64)n + *rest;

	*rest = (u32)(all % share);
	return (u32)(all / share);
}

static void put_counts(struct sample_file *file, const struct module *module,
                       const struct heat *from, const struct heat *to, u32 share)
{
	u32 rest = 0;

	for (; from < to; from++) {
		u32 n = shared(from->n, share, &rest);

		if (n)
			samples_put(file, loaded_name(module), from->rip - module->base, n);
	}
}

/* Of a branch into another module it is kept that it was reached; of a run that comes from another module, where it led. */
static void put_run(struct sample_file *file, const struct module *module, u64 end,
                    const struct run *run, u32 n)
{
	u64 base = module->base;
	bool here = run->to >= base && run->to < end;
	u64 start = run->start >= base && run->start < end ? run->start - base : 0;

	if (n && (start || here))
		samples_put_run(file, loaded_name(module), start, run->last - base,
		                here ? run->to - base : 0, n);
}

static void put_runs(struct sample_file *file, const struct module *module, u64 end,
                     const struct runs *runs, u32 share)
{
	u32 at = 0, rest = 0;

	for (const struct run *run; (run = runs_next(runs, &at));)
		if (run->last >= module->base && run->last < end)
			put_run(file, module, end, run, shared(run->n, share, &rest));
}

/* False: its lines are not to be written. */
static bool put_module(struct sample_file *file, const struct module *module, bool nameless)
{
	const struct image *record = loaded_record(module);
	char build[BUILD_ROOM];

	if (!record)
		return false;
	build_of(record, build);
	if (!build[0])
		return nameless;
	samples_put_module(file, loaded_name(module), build);
	return true;
}

void kept_write(struct sample_file *file, const struct heat_table *heat, const struct runs *runs,
                const struct kept_shares *shares)
{
	for (u32 from = 0, to; from < heat->n; from = to) {
		u64 end;
		const struct module *module = loaded_at(heat->at[from].rip, &end);

		to = heat_from(heat, end);
		if (!module || !put_module(file, module, shares->nameless))
			continue;
		put_counts(file, module, heat->at + from, heat->at + to, shares->samples);
		put_runs(file, module, end, runs, shares->runs);
	}
}
