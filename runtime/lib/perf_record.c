/* SPDX-License-Identifier: MIT */
/*
 * perf_record.c - see perf_record.h; perf_event_open(2), "Overflow handling" and "MMAP layout". Fields of a sample follow one another in the
 * order of the manual, which is not that of their bits.
 */
#include "perf_record.h"

#include <linux/perf_event.h>

#define KNOWN \
	(PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_ADDR | PERF_SAMPLE_CPU | \
	 PERF_SAMPLE_READ | PERF_SAMPLE_BRANCH_STACK | PERF_SAMPLE_REGS_USER | \
	 PERF_SAMPLE_STACK_USER | PERF_SAMPLE_WEIGHT | PERF_SAMPLE_DATA_SRC)

/* Of a record: [at, end) is not read yet. Once something does not fit, all that follows does not. */
struct cursor {
	const struct perf_ring *ring;
	u64 at, end;
	bool broken;
};

bool perf_layout_known(const struct perf_layout *layout)
{
	return !(layout->type & ~(u64)KNOWN) && __builtin_popcountll(layout->regs) <= PERF_REGS_MAX;
}

/* Bytes of the ring from `at` on, which may go round its end; false: the record has not so many left. */
static bool take(struct cursor *c, void *out, u64 size)
{
	u64 at = c->at & (c->ring->size - 1), first = c->ring->size - at;

	if (c->broken || size > c->end - c->at) {
		c->broken = true;
		return false;
	}
	first = first < size ? first : size;
	memcpy(out, c->ring->data + at, first);
	memcpy((u8 *)out + first, c->ring->data, size - first);
	c->at += size;
	return true;
}

static u64 take_u64(struct cursor *c)
{
	u64 value = 0;

	return take(c, &value, sizeof(value)) ? value : 0;
}

static u32 take_u32(struct cursor *c)
{
	u32 value = 0;

	return take(c, &value, sizeof(value)) ? value : 0;
}

static void skip(struct cursor *c, u64 size)
{
	if (c->broken || size > c->end - c->at)
		c->broken = true;
	else
		c->at += size;
}

static void take_branches(struct cursor *c, struct perf_sample *sample)
{
	u64 n = take_u64(c);

	if (c->broken || n > PERF_BRANCHES_MAX) {
		c->broken = true;
		return;
	}
	for (u32 i = 0; i < n; i++) {
		sample->branches[i].from = take_u64(c);
		sample->branches[i].to = take_u64(c);
		(void)take_u64(c); /* flags: predicted, transaction */
	}
	sample->n_branches = (u32)n;
}

static void take_regs(struct cursor *c, const struct perf_layout *layout,
                      struct perf_sample *sample)
{
	u32 n = (u32)__builtin_popcountll(layout->regs);
	u64 abi = take_u64(c);

	if (abi == PERF_SAMPLE_REGS_ABI_NONE)
		return;
	for (u32 i = 0; i < n; i++)
		sample->regs[i] = take_u64(c);
	sample->n_regs = abi == PERF_SAMPLE_REGS_ABI_64 ? n : 0;
}

static void take_stack(struct cursor *c, struct perf_sample *sample)
{
	u64 room = take_u64(c), real, at = c->at;

	if (!room)
		return;
	skip(c, room);
	real = take_u64(c);
	if (c->broken || real > room || real > PERF_STACK_MAX) {
		c->broken = true;
		return;
	}
	sample->n_stack = (u32)real;
	(void)take(&(struct cursor){ c->ring, at, at + real, false }, sample->stack, real);
}

static bool take_sample(struct cursor *c, const struct perf_layout *layout,
                        struct perf_sample *sample)
{
	u64 type = layout->type;

	sample->ip = type & PERF_SAMPLE_IP ? take_u64(c) : 0;
	sample->pid = type & PERF_SAMPLE_TID ? take_u32(c) : 0;
	sample->tid = type & PERF_SAMPLE_TID ? take_u32(c) : 0;
	sample->addr = type & PERF_SAMPLE_ADDR ? take_u64(c) : 0;
	sample->cpu = type & PERF_SAMPLE_CPU ? take_u32(c) : 0;
	if (type & PERF_SAMPLE_CPU)
		skip(c, 4);
	sample->value = type & PERF_SAMPLE_READ ? take_u64(c) : 0; /* without PERF_FORMAT_... */
	sample->n_branches = sample->n_regs = sample->n_stack = 0;
	if (type & PERF_SAMPLE_BRANCH_STACK)
		take_branches(c, sample);
	if (type & PERF_SAMPLE_REGS_USER)
		take_regs(c, layout, sample);
	if (type & PERF_SAMPLE_STACK_USER)
		take_stack(c, sample);
	sample->weight = type & PERF_SAMPLE_WEIGHT ? take_u64(c) : 0;
	sample->source = type & PERF_SAMPLE_DATA_SRC ? take_u64(c) : 0;
	return !c->broken;
}

static enum perf_kind read_record(struct cursor *c, const struct perf_layout *layout, u32 type,
                                  struct perf_found *out)
{
	switch (type) {
	case PERF_RECORD_SAMPLE:
		return take_sample(c, layout, &out->sample) ? PERF_KIND_SAMPLE : PERF_KIND_BROKEN;
	case PERF_RECORD_LOST:
		(void)take_u64(c); /* which event */
		out->lost = take_u64(c);
		return c->broken ? PERF_KIND_BROKEN : PERF_KIND_LOST;
	default:
		return PERF_KIND_OTHER;
	}
}

bool perf_next(const struct perf_ring *ring, const struct perf_layout *layout, u64 *at, u64 head,
               struct perf_found *out)
{
	struct perf_event_header header = { 0 };
	struct cursor c = { ring, *at, head, false };

	if (*at == head)
		return false;
	out->lost = 0;
	out->kind = PERF_KIND_LOOSE;
	if (head - *at > ring->size || !take(&c, &header, sizeof(header)) ||
	    header.size < sizeof(header) || header.size > head - *at) {
		*at = head;
		return true;
	}
	*at += header.size;
	c.end = *at;
	out->kind = read_record(&c, layout, header.type, out);
	return true;
}
