/* SPDX-License-Identifier: MIT */
/*
 * hunt.c - from what is hot in a file to what the module is asked to translate.
 *
 * A function is looked at when enough of its samples are new (lib/hot.c has the same rules). Its warm heads that were never asked for
 * get a tree each; nothing is asked for twice, as neither what is translated nor what is refused becomes another by asking again; but
 * what saved nothing is asked for once more for a process that wants all.
 * What was not looked at because the module had no time for it is asked for when it has.
 */
#include "binary.h"

#include "kept.h"
#include "warm.h"

#include <stdlib.h>
#include <string.h>

#define HOT_SAMPLES 32 /* of a function, at least */
#define HOT_EACH 2 /* and so many for each of its addresses that were hit */
#define HOT_SHARE 1000 /* one of so many of all samples outside of translations */
#define NEW_SAMPLES 64 /* of a file, until what is hot in it is looked at again */
#define PERIOD_NS 1000000u
#define READ_NS_PER_BYTE 30 /* of a file */
#define SILENCE 128u /* samples outside of translations, and four times as many after each doubt */
#define DOUBTS 8
#define EAGER_TRACES 256 /* in a round */
#define READ_WORTH 20 /* as much time is spent in it as reading takes */

/* ---- what the module answers ---- */

struct asked {
	struct binary *b;
	const struct kernel_batch *batch;
	const u64 *starts; /* of each trace's first block in batch->blocks */
	u32 n_ok;
	bool later; /* some were not looked at */
};

static const char *const engine_names[] = {
	"OK",
#define X(name, class, detail, text) #name,
#include "engine_status.def"
#undef X
};

static const char *const kernel_names[] = {
	"OK",
#define X(name, error, text) #name,
#include "kmod_status.def"
#undef X
};

/* As in struct status_module; 0: it was translated. */
static u32 reason_of(const char *name)
{
	for (u32 i = 0; i < sizeof(engine_names) / sizeof(engine_names[0]); i++)
		if (strcmp(name, engine_names[i]) == 0)
			return i;
	for (u32 i = 1; i < sizeof(kernel_names) / sizeof(kernel_names[0]); i++)
		if (strcmp(name, kernel_names[i]) == 0)
			return STATUS_KMOD_FIRST + i;
	return STATUS_REASONS - 1;
}

/* Says nothing of the trace. */
static bool is_passing(u32 status)
{
	return status == DYNOPT_KMOD_FIFO_FULL || status == DYNOPT_KMOD_FIFO_QUOTA ||
	       status == DYNOPT_KMOD_BLOCK_TIME || status == DYNOPT_KMOD_PROCESS_BUSY ||
	       status == DYNOPT_KMOD_INTERRUPTED || status == DYNOPT_KMOD_MEMORY ||
	       status == DYNOPT_KMOD_NOT_MAPPED;
}

static struct trace trace_at(const struct asked *asked, size_t i, struct trace_block *blocks)
{
	const struct dynopt_ioc_trace *trace = &asked->batch->traces.at[i];

	for (u32 k = 0; k < trace->n_blocks; k++) {
		const struct dynopt_ioc_block *block =
			&asked->batch->blocks.at[asked->starts[i] + k];

		blocks[k] = (struct trace_block){ block->start, block->parent, block->weight,
			                          block->branch };
	}
	return (struct trace){ blocks, trace->n_blocks, trace->entries };
}

static void keep(struct asked *asked, size_t i, const struct dynopt_ioc_report *report)
{
	struct binary *b = asked->b;
	struct trace_block blocks[GROW_BLOCKS];
	struct trace trace = trace_at(asked, i, blocks);

	kernel_batch_add(&b->kept, &trace);
	b->fates[report->head - b->text.start] = FATE_TRANSLATED;
	binary_translated(b, &(struct status_translation){ .head = report->head,
	                                                   .site = report->site,
	                                                   .size = report->bytes,
	                                                   .n_insns = report->insns,
	                                                   .n_blocks = (u16)trace.n_blocks,
	                                                   .hop = HOP_DIRECT });
}

static void take(void *ctx, size_t i, const struct dynopt_ioc_report *report)
{
	struct asked *asked = ctx;
	struct binary *b = asked->b;
	u32 reason = reason_of(report->status);

	if (report->head < b->text.start || report->head >= b->text.end)
		return;
	if (!reason) {
		asked->n_ok++;
		keep(asked, i, report);
	} else if (i && reason > STATUS_KMOD_FIRST && is_passing(reason - STATUS_KMOD_FIRST)) {
		/* The first one had all the time that there is. */
		b->fates[report->head - b->text.start] = 0;
		b->judged[report->head - b->text.start] = 0;
		asked->later = true;
	} else {
		binary_refuse(b, report->head, reason);
	}
}

/* With the lock. What is refused as a whole is refused for good, if that is not for want of time. */
static void submit(struct binary *b, const struct work *work, const struct kernel_batch *batch)
{
	u64 *starts = base_calloc(batch->traces.n, sizeof(*starts)), at = 0;
	struct asked asked = { .b = b, .batch = batch, .starts = starts };
	u32 status;

	for (size_t i = 0; i < batch->traces.n; i++) {
		starts[i] = at;
		at += batch->traces.at[i].n_blocks;
	}
	b->owned = true;
	status = kernel_submit(work->device, b->fd, work->domain, b->all, batch, &b->pace, take,
	                       &asked);
	b->enough = b->pace.advice & DYNOPT_ADVICE_ENOUGH;
	if (asked.n_ok)
		kept_write(b);
	if (status && !is_passing(status)) {
		b->status.refusal = STATUS_KMOD_FIRST + status;
	} else if (status) {
		/* Those that were not answered are asked for again. */
		for (size_t i = 0; i < batch->traces.n; i++) {
			u64 head = batch->blocks.at[starts[i]].start - b->text.start;

			if (b->fates[head] == STATUS_END)
				b->fates[head] = b->judged[head] = 0;
		}
	}
	free(starts);
}

/* ---- what is asked for ---- */

/* Heads that wait for their answer have STATUS_END, which no report has. */
static void ask_for(struct binary *b, struct kernel_batch *batch, const struct grown *grown)
{
	kernel_batch_add(batch, &grown->trace);
	b->fates[grown->blocks[0].start - b->text.start] = STATUS_END;
	b->status.n_heads++;
}

struct hot {
	u64 start, end;
	u32 n, fresh, addresses;
};

/* The function of the heat table's entry `from`; *to is behind its last entry. */
static bool function_at(struct binary *b, u32 from, u32 *to, struct hot *out)
{
	struct heat_table *table = &b->heat;
	bool known = text_function(&b->text, table->at[from].rip, &out->start, &out->end);

	if (!known)
		out->end = table->at[from].rip + 1;
	out->n = out->fresh = out->addresses = 0;
	for (*to = from; *to < table->n && table->at[*to].rip < out->end; ++*to) {
		out->n += table->at[*to].n;
		out->fresh += table->at[*to].fresh;
		out->addresses++;
	}
	return known;
}

static bool is_hot(const struct binary *b, const struct hot *f)
{
	return f->fresh >= HOT_SAMPLES && f->fresh >= b->heat.fresh / HOT_SHARE &&
	       2 * f->fresh >= f->n && f->n >= HOT_EACH * f->addresses;
}

static u32 heat_at(const void *ctx, u64 addr, u64 *next)
{
	return heat_near(ctx, addr, next);
}

/* Was nothing asked for here, or what saved nothing, which now is wanted, too? */
static bool is_open(struct binary *b, u64 i)
{
	if (b->all && b->fates[i] == STATUS_COST_GAIN) {
		b->fates[i] = b->judged[i] = 0;
		b->status.refused[STATUS_COST_GAIN]--;
		b->status.n_heads--;
	}
	return !b->fates[i];
}

static void find_heads(struct binary *b, struct flows *flows, const struct hot *f,
                       struct kernel_batch *batch)
{
	for (u64 addr = f->start; addr < f->end; addr++) {
		u64 i = addr - b->text.start;
		u16 marks = text_marks(&b->text, addr);
		struct grown grown;

		if (!(warm_is_head(marks) || (warm_may_begin(marks) && (marks & TEXT_TARGET))) ||
		    !is_open(b, i))
			continue;
		if (!warm_again(flows, addr, false, &b->judged[i]))
			continue;
		warm_grow(flows, addr, false, &grown);
		if (grown.trace.n_blocks)
			ask_for(b, batch, &grown);
	}
}

static void find_hot(struct binary *b, struct kernel_batch *batch)
{
	struct flows *flows = base_calloc(1, sizeof(*flows));
	u64 mark = arena_mark(&b->scratch);
	struct hot f;

	*flows = (struct flows){ .text = &b->text,
		                 .heat = heat_at,
		                 .ctx = &b->heat,
		                 .decoder = b->decoder,
		                 .arena = &b->scratch };
	for (u32 from = 0, to; from < b->heat.n; from = to) {
		if (!function_at(b, from, &to, &f) || !is_hot(b, &f))
			continue;
		find_heads(b, flows, &f, batch);
		for (u32 i = from; i < to; i++) {
			b->heat.fresh -= b->heat.at[i].fresh;
			b->heat.at[i].fresh = 0;
		}
	}
	arena_release(&b->scratch, mark);
	free(flows);
}

static void tell_again(struct binary *b, const struct work *work);

/*
 * Nobody was seen in the file's translations for long: the module may have forgotten it, with the last process but this one, before that
 * was noticed here.
 */
static void doubt(struct binary *b, const struct work *work)
{
	if (!b->status.n_translated || b->unseen < SILENCE << 2 * b->doubts || b->doubts == DOUBTS)
		return;
	b->doubts++;
	b->unseen = 0;
	tell_again(b, work);
}

bool binary_is_slowed(struct binary *b)
{
	bool is;

	pthread_mutex_lock(&b->lock);
	is = b->pace.advice & DYNOPT_ADVICE_SLOWER;
	pthread_mutex_unlock(&b->lock);
	return is;
}

bool binary_look(struct binary *b, const struct work *work)
{
	struct kernel_batch batch = { 0 };
	bool asked = false;

	pthread_mutex_lock(&b->lock);
	b->all |= work->all;
	doubt(b, work);
	if (!b->status.refusal && !b->enough && b->fresh >= NEW_SAMPLES &&
	    (b->was_read ||
	     b->heat.samples * PERIOD_NS / READ_NS_PER_BYTE / READ_WORTH >= b->size)) {
		b->fresh = 0;
		if (binary_read(b, work))
			find_hot(b, &batch);
	}
	if (batch.traces.n) {
		submit(b, work, &batch);
		asked = true;
	}
	kernel_batch_free(&batch);
	pthread_mutex_unlock(&b->lock);
	return asked;
}

static bool no_site(const void *ctx, u64 addr)
{
	(void)ctx;
	(void)addr;
	return false;
}

bool binary_eager(struct binary *b, const struct work *work)
{
	static const struct grow_rules rules = { .is_site = no_site };
	struct kernel_batch batch = { 0 };
	bool more;

	pthread_mutex_lock(&b->lock);
	b->all |= work->all;
	for (u64 addr = !b->enough && binary_read(b, work) ? b->text.start : ~(u64)0;
	     addr < b->text.end && batch.traces.n < EAGER_TRACES; addr++) {
		struct grown grown;

		if (b->fates[addr - b->text.start] || !warm_is_head(text_marks(&b->text, addr)))
			continue;
		grow_trace(&b->text, addr, &rules, b->decoder, &grown);
		if (grown.trace.n_blocks)
			ask_for(b, &batch, &grown);
		else
			binary_refuse(b, addr, STATUS_TRACE_EMPTY);
	}
	more = batch.traces.n;
	if (more)
		submit(b, work, &batch);
	kernel_batch_free(&batch);
	pthread_mutex_unlock(&b->lock);
	return more;
}

/* What the module has of it all the same it refuses: OVERLAP, which tells nothing new. */
static void told_again(void *ctx, size_t i, const struct dynopt_ioc_report *report)
{
	(void)ctx;
	(void)i;
	(void)report;
}

static void tell_again(struct binary *b, const struct work *work)
{
	struct work again = *work;

	again.all = true; /* it was worth it once */
	binary_forget_others(b);
	b->enough = false;
	if (!b->kept.traces.n || b->status.refusal)
		return;
	b->owned = true;
	if (kernel_submit(again.device, b->fd, again.domain, again.all, &b->kept, &b->pace,
	                  told_again, NULL))
		b->owned = false;
}

void binary_begin(struct binary *b, const struct work *work)
{
	pthread_mutex_lock(&b->lock);
	if (!b->was_read && kept_has(b))
		binary_read(b, work);
	if (!b->owned)
		tell_again(b, work);
	pthread_mutex_unlock(&b->lock);
}
