/* SPDX-License-Identifier: MIT */
/*
 * walks.c - see walks.h.
 */
#include "walks.h"

#include "loaded.h"
#include "mapping.h"
#include "still.h"
#include "sys.h"
#include "workshop.h"
#include "world.h"

#define WAIT_MS 5 /* for a sample of a thread that may be asleep */

/* Code as it is without patches: of a module that is read as its file has it, of others, which are never patched, as it is in memory. */
static u32 code_at(void *ctx, u64 addr, u8 *out, u32 size)
{
	u64 end, n = 0;
	const struct module *module = loaded_at(addr, &end);
	const struct image *record = module ? loaded_record(module) : NULL;
	const struct workshop *workshop = record ? workshop_find(record, module->base) : NULL;
	const u8 *bytes;

	(void)ctx;
	if (!workshop)
		return record && !record->n_translations ? walker_read(addr, out, size) : 0;
	bytes = text_bytes(&workshop->reading.text, addr - module->base, &n);
	if (!bytes)
		return 0;
	n = n < size ? n : size;
	memcpy(out, bytes, n);
	return (u32)n;
}

bool walks_from(u64 rip)
{
	u64 end;
	const struct module *module = loaded_at(rip, &end);
	const struct image *record = module ? loaded_record(module) : NULL;

	return record && workshop_find(record, module->base);
}

void walks_begin(void)
{
	walker_round(world->mailbox.answered);
}

void walks_from_sample(const struct perf_sample *sample, struct runs *runs)
{
	walker_take(sample, code_at, runs, &world->walks);
}

static bool is_asked(void)
{
	return __atomic_load_n(&world->mailbox.asked, __ATOMIC_ACQUIRE) != world->mailbox.answered;
}

void walks_make(const struct walks_plan *plan, struct runs *runs)
{
	u64 until = world->walks.walks + plan->n, origin;

	if (!still_begin(plan->tid))
		return;
	while (world->walks.walks < until && sys_cpu_ns() < plan->until_ns && !is_asked()) {
		const struct perf_sample *sample = still_next(WAIT_MS);

		if (!sample)
			break;
		world->walks.samples++;
		if (store_origin(sample->ip, &origin) || !walks_from(sample->ip))
			continue;
		walks_from_sample(sample, runs);
		world->walks.stood += still_stands();
	}
	still_end();
}
