/* SPDX-License-Identifier: MIT */
/*
 * hot.c - see hot.h.
 *
 * Heat is the number of samples at an address, halved when new samples have come as often as the table has entries.
 * A function is hot when it has HOT_SAMPLES more than when it was looked at last, and HOT_SHARE of the samples outside the code cache;
 * those of its heads that are warm are then tried in one batch (batch.c). Work is paid from a bucket: CREDIT_NS of CPU time at the start, then
 * options.budget per mille of the time that passes; a batch begins only while there is credit.
 */
#include "hot.h"

#include "batch.h"
#include "mapping.h"
#include "sampler.h"
#include "status_write.h"
#include "sys.h"

#define CREDIT_NS 100000000u
#define PERIOD_NS 1000000u       /* while something new is found */
#define PERIOD_QUIET_NS 10000000u
#define QUIET_NS 5000000000u     /* without a batch, until then */
#define HEAT_SLOTS 8192u         /* a power of 2 */
#define HEAT_FULL (HEAT_SLOTS / 2)
#define HOT_SAMPLES 32           /* of a function: enough to tell which ways its branches go */
#define LOOKED 4096u /* a power of 2 */
#define HOT_SHARE 200            /* one of so many */
#define RANGES 1024 /* functions of a module that are considered */

struct heat {
	u64 rip; /* 0: empty */
	u32 n;
};

static struct {
	bool open, quiet;
	struct heat heat[HEAT_SLOTS];
	u32 n_heat, n_new; /* addresses; samples since the last look */
	u64 outside;       /* heat that is not in the code cache */
	u64 last_batch_ns;
} hot;

static struct heat *heat_at(u64 rip)
{
	u64 hash = rip * 0x9e3779b97f4a7c15u;
	u32 at = (u32)(hash >> 40) & (HEAT_SLOTS - 1);

	while (hot.heat[at].rip && hot.heat[at].rip != rip)
		at = (at + 1) & (HEAT_SLOTS - 1);
	return &hot.heat[at];
}

/* Half of each; what falls to nothing makes room. */
static void cool(void)
{
	static struct heat old[HEAT_SLOTS];

	memcpy(old, hot.heat, sizeof(old));
	memset(hot.heat, 0, sizeof(hot.heat));
	hot.n_heat = 0;
	hot.outside = 0;
	for (u32 i = 0; i < HEAT_SLOTS; i++) {
		if (old[i].n < 2)
			continue;
		*heat_at(old[i].rip) = (struct heat){ old[i].rip, old[i].n / 2 };
		hot.n_heat++;
		hot.outside += old[i].n / 2;
	}
}

static void take(void *ctx, u64 rip)
{
	struct heat *heat;
	u64 origin;

	(void)ctx;
	world->samples++;
	world->recent++;
	if (store_origin(rip, &origin)) {
		world->samples_cache++;
		world->recent_cache++;
		return;
	}
	if (hot.n_heat >= HEAT_FULL)
		cool();
	heat = heat_at(rip);
	hot.n_heat += heat->rip == 0;
	heat->rip = rip;
	heat->n++;
	hot.n_new++;
	hot.outside++;
}

/* ---- from addresses to functions ---- */

/* The loaded module that an address may belong to: that with the highest base not above it. */
static const struct module *module_of(u64 rip)
{
	const struct module *best = NULL;

	for (u32 i = 0; i < world->n_modules; i++)
		if (world->modules[i].base <= rip &&
		    (!best || world->modules[i].base >= best->base))
			best = &world->modules[i];
	return best;
}

/* Its workshop, opened if it is worth it. */
static struct workshop *shop_of(const struct module *module)
{
	bool fresh;
	struct image *record = image_of(module, &fresh);
	struct workshop *workshop;

	if (!record || !record->wanted || record->status.refusal)
		return NULL;
	workshop = workshop_find(record, module->base);
	return workshop ? workshop : workshop_open(record, module->base);
}

/* The function around an address: from a start to the next one. False: no code of this module, or none that is known. */
static bool function_of(const struct text *text, u64 addr, struct batch_range *out)
{
	u64 start = addr, end = addr + 1;

	if (addr < text->start || addr >= text->end)
		return false;
	while (start > text->start && !(text_marks(text, start) & TEXT_FUNCTION))
		start--;
	while (end < text->end && !(text_marks(text, end) & TEXT_FUNCTION))
		end++;
	*out = (struct batch_range){ start, end };
	return text_marks(text, start) & TEXT_FUNCTION;
}

/* What a function's heat was when it was looked at last; a place that is taken forgets another function. */
static u32 *looked_at(u64 start)
{
	static struct heat looked[LOOKED];
	struct heat *at = &looked[(start * 0x9e3779b97f4a7c15u) >> 40 & (LOOKED - 1)];

	if (at->rip != start)
		*at = (struct heat){ start, 0 };
	return &at->n;
}

/* ---- what is worth it ---- */

struct pick {
	struct workshop *workshop;
	struct batch_range ranges[RANGES]; /* ascending */
	u32 heat[RANGES];
	u32 n;
};

/* Index of the first range that starts behind addr. */
static u32 pick_behind(const struct pick *pick, u64 addr)
{
	u32 low = 0, high = pick->n;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (pick->ranges[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void pick_add(struct pick *pick, u64 addr, u32 heat)
{
	u32 at = pick_behind(pick, addr);
	struct batch_range range;

	if (at && addr < pick->ranges[at - 1].end) {
		pick->heat[at - 1] += heat;
		return;
	}
	if (pick->n == RANGES || !function_of(&pick->workshop->reading.text, addr, &range))
		return;
	for (u32 i = pick->n++; i > at; i--) {
		pick->ranges[i] = pick->ranges[i - 1];
		pick->heat[i] = pick->heat[i - 1];
	}
	pick->ranges[at] = range;
	pick->heat[at] = heat;
}

/* All functions of one module with any heat; entries of the table that were looked at are marked in `seen`. */
static void pick_module(struct pick *pick, const struct module *module, u8 *seen)
{
	pick->n = 0;
	pick->workshop = shop_of(module);
	for (u32 i = 0; i < HEAT_SLOTS; i++) {
		const struct heat *heat = &hot.heat[i];

		if (!heat->rip || seen[i] || module_of(heat->rip) != module)
			continue;
		seen[i] = 1;
		if (pick->workshop)
			pick_add(pick, heat->rip - module->base, heat->n);
	}
}

static void keep_hot(struct pick *pick)
{
	u32 n = 0;

	for (u32 i = 0; i < pick->n; i++) {
		u32 *before = looked_at(pick->workshop->base + pick->ranges[i].start);

		if (pick->heat[i] < *before) /* it has cooled */
			*before = pick->heat[i];
		if (pick->heat[i] < *before + HOT_SAMPLES ||
		    pick->heat[i] < hot.outside / HOT_SHARE)
			continue;
		*before = pick->heat[i];
		pick->ranges[n++] = pick->ranges[i];
	}
	pick->n = n;
}

static bool has_credit(void)
{
	u64 passed = sys_now_ns() - world->start_ns;

	return sys_cpu_ns() < CREDIT_NS + passed / 1000 * world->options.budget;
}

/* Samples at an instruction of a workshop's module. */
static u32 heat_of(const void *ctx, u64 addr)
{
	return heat_at(((const struct workshop *)ctx)->base + addr)->n;
}

static void translate(struct pick *pick)
{
	struct failure fail = { STATUS_OK, 0, 0 };
	struct image *image;

	image = batch_translate(pick->workshop, pick->ranges, pick->n, heat_of, &fail);
	if (image)
		mapping_add(image, pick->workshop->base);
	else if (fail.status)
		image_refuse(pick->workshop->record, fail.status, fail.addr, fail.detail);
	world->batches++;
	world->recent = world->recent_cache = 0;
	hot.last_batch_ns = sys_now_ns();
	status_soon();
}

/* Modules in the order in which their addresses come; each with something hot gets a batch. */
static void look(void)
{
	static struct pick pick;
	static u8 seen[HEAT_SLOTS];

	hot.n_new = 0;
	memset(seen, 0, sizeof(seen));
	for (u32 i = 0; i < HEAT_SLOTS && has_credit(); i++) {
		const struct module *module;

		if (!hot.heat[i].rip || seen[i] || hot.heat[i].n < 2)
			continue;
		module = module_of(hot.heat[i].rip);
		if (!module)
			continue;
		pick_module(&pick, module, seen);
		keep_hot(&pick);
		if (pick.n)
			translate(&pick);
	}
}

bool hot_start(void)
{
	long result = sampler_open(world->host_pid, PERIOD_NS);

	hot.open = !sys_failed(result);
	hot.last_batch_ns = sys_now_ns();
	if (hot.open)
		return true;
	world->cause = STATUS_CAUSE_SAMPLER;
	world->detail = (u64)-result;
	return false;
}

static void adapt(void)
{
	bool quiet = sys_now_ns() - hot.last_batch_ns > QUIET_NS;

	if (quiet != hot.quiet)
		sampler_period(quiet ? PERIOD_QUIET_NS : PERIOD_NS);
	hot.quiet = quiet;
}

void hot_tick(void)
{
	if (!hot.open)
		return;
	sampler_read(take, NULL);
	if (hot.n_new >= HOT_SAMPLES && has_credit())
		look();
	adapt();
}

void hot_stop(void)
{
	if (hot.open)
		sampler_close();
	hot.open = false;
}
