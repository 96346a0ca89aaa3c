/* SPDX-License-Identifier: MIT */
/*
 * hot.c - see hot.h.
 *
 * A module is looked at as a whole: its hot functions' heads, and what is live in them, are judged together in one batch (batch.c), as few
 * translations pay by themselves; where there is not time for all, the hottest (pick.c). First when it has FIRST samples, then whenever they have doubled, or a quarter of them are in functions that
 * have become hot since. From COOL on they are halved each time, so that what was long ago counts less.
 *
 * Work is paid for beforehand, by CPU time that the program has used, as samples tell it (budget.h). A module is read when the time that was spent in it is READ_WORTH times what reading is expected to take, and
 * there is enough for the first look, too: what only reads has nothing of it.
 */
#include "hot.h"

#include "account.h"
#include "batch.h"
#include "budget.h"
#include "cover.h"
#include "kept.h"
#include "loaded.h"
#include "looked.h"
#include "mapping.h"
#include "meter.h"
#include "phase.h"
#include "pick.h"
#include "rank.h"
#include "rate.h"
#include "remember.h"
#include "sampler.h"
#include "stages.h"
#include "status_write.h"
#include "sys.h"
#include "waits.h"
#include "walks.h"
#include "ways.h"

#include <fcntl.h>

#define NS_PER_MS 1000000u
#define WARM_NS 500000000u /* of expected CPU time, that what is remembered is worth work */
#define KEEP_NS 200000000u /* of CPU time, of a run that is remembered, */
#define KEEP_SAMPLES 32 /* and its samples, at least: with a slow kernel they come rarely */
#define WALK_PART 3 /* of the budget */
#define OUTSIDE 8 /* a sample outside of translations counts as so many in them */
#define NEW_SAMPLES (32 * OUTSIDE) /* until what is hot is looked at again */
#define LOOK_GROWN 32 /* and one in so many more than there were: a look goes through all of them */
#define READ_WORTH 60
#define FIRST 200 /* samples of a module */
#define SURE 1000 /* samples from which a second look that changes nothing is the last for long */
#define FOREIGN 4 /* one of so many samples in code without notes: the module is read as a whole */
#define GROWN 2
#define NEWS 4
#define COOL 8192
#define HOT_SAMPLES 8 /* of a function, at least */
#define HOT_THOROUGH 2 /* the same, and a head's, where a look costs little of what is left: */
#define THOROUGH 4 /* one of so many parts, as it is then so many times as dear */
#define HOT_EACH 1 /* and so many for each of its addresses that were hit */
#define HOT_SHARE 1000 /* one of so many of all samples */

static struct {
	bool open, kept;
	bool read; /* a module was */
	u32 told_walks; /* what earlier runs have seen is worth so many */
	struct account account;
	int walk_tid; /* of a thread that was sampled in a module that is read; 0: none was */
	u64 walking_ns; /* CPU time of the agent's up to which samples of this tick are walked from; 0: none are */
	struct heat_table heat;
	struct runs runs;
	struct phase phase;
	u32 n_new; /* samples since the last look */
	u64 n_looked; /* samples that were there then */
	u64 reserved_ns; /* of the budget, for a look that is to come */
	u64 next_ns; /* what the cheapest work takes for which there are samples enough; 0: none is known */
	u64 wanted_ns; /* between two samples, as far as the sampler can do that */
	struct meter meter; /* CPU time of the program, and what samples stand for */
	bool rests; /* the sampler does */
	u64 last_batch_ns;
	u32 unchanged; /* batches since one that changed something */
	u64 lively_ns; /* when it began to do something else */
} hot;

/* Branches in original text tell which ways are taken there; those in translations are others. */
static void learn(const struct perf_sample *more)
{
	static struct perf_branch outside[PERF_BRANCHES_MAX];
	u64 origin;

	for (u32 i = 0; i < more->n_branches; i++) {
		const struct perf_branch *branch = &more->branches[i];

		outside[i].from = store_origin(branch->from, &origin) ? 0 : branch->from;
		outside[i].to = store_origin(branch->to, &origin) ? 0 : branch->to;
	}
	runs_add_stack(&hot.runs, outside, more->n_branches,
	               store_origin(more->ip, &origin) ? 0 : more->ip);
}

/* What a sample in a translation says that was saved. */
static s64 saved_by(u64 rip)
{
	const struct translation *t = store_translation(rip);

	return t ? (s64)hot.meter.stands_ns * t->saves / 1000 : 0;
}

static struct ways ways(void)
{
	return (struct ways){ hot.account.told, world->remembered, hot.told_walks, world->samples,
		              world->walks.walks };
}

static u32 walks_due(void)
{
	const struct ways now = ways();

	return ways_due(&now);
}

/* Asks the clock no more once the time is over. */
static bool may_walk(void)
{
	if (hot.walking_ns && sys_cpu_ns() >= hot.walking_ns)
		hot.walking_ns = 0;
	return hot.walking_ns;
}

static void take(void *ctx, const struct sample *sample)
{
	u64 origin, rip = sample->rip;
	bool inside = store_origin(rip, &origin);

	(void)ctx;
	if (sample->more && sample->more->n_branches)
		learn(sample->more);
	if (!sample->timed)
		return;
	if (sample->more && !inside && walks_from(rip)) {
		hot.walk_tid = (int)sample->more->tid;
		if (sample->more->n_regs && walks_due() && may_walk())
			walks_from_sample(sample->more, &hot.runs);
	}
	world->samples++;
	world->recent++;
	world->samples_cache += inside;
	if (inside)
		world->saved_ns += saved_by(rip);
	world->recent_cache += inside;
	heat_add(&hot.heat, inside ? origin : rip, 1, hot.meter.stands_ns, inside);
	if (phase_add(&hot.phase, inside ? origin : rip)) {
		world->phases++;
		hot.lively_ns = sys_now_ns();
	}
	hot.n_new += inside ? 1 : OUTSIDE;
}

/* ---- modules ---- */

u64 hot_credit(void)
{
	return account_left(&hot.account);
}

static bool has_credit(u64 for_ns)
{
	return account_has(&hot.account, for_ns);
}

/* One of so many of what is wanted does. For tests (--all) little does: more is translated, and earlier. */
static u32 part_wanted(void)
{
	return world->options.all ? ACCOUNT_TESTS : 1;
}

static u64 enough(u64 n)
{
	return n / part_wanted();
}

/* Nothing was done yet, and earlier runs have told enough for a first look: samples and walks would only take from what that waits for. */
static bool saves_up(void)
{
	const struct ways now = ways();

	return hot.account.told && !world->batches && hot.heat.samples >= enough(FIRST) &&
	       ways_known(&now, 0, 0, part_wanted()) &&
	       (account_waits(&hot.account) || !has_credit(hot.next_ns));
}

/* There would be work that takes so long. */
static void could_use(u64 ns)
{
	if (!hot.next_ns || ns < hot.next_ns)
		hot.next_ns = ns;
}

/* The workshop of a module with these samples, which stand for so much CPU time, opened if it is worth it. */
static struct workshop *shop_of(const struct module *module, u64 samples, u64 spent_ns, u64 look_ns)
{
	struct image *record = loaded_record(module);
	struct workshop *workshop;
	bool whole;
	u64 cost;

	if (!record || !record->wanted || record->status.refusal)
		return NULL;
	workshop = workshop_find(record, module->base);
	if (!workshop && samples < enough(WAYS_SAMPLES))
		return NULL;
	whole = world->traces || (!workshop && !image_is_noted(record));
	cost = image_cost_ns(record, whole);
	if (!workshop && samples >= enough(FIRST))
		could_use(cost + look_ns);
	if (workshop || !has_credit(cost + look_ns) || account_waits(&hot.account) ||
	    (world->options.agent && spent_ns < cost * enough(READ_WORTH)))
		return workshop;
	workshop = workshop_open(record, module->base, whole);
	if (workshop) {
		workshop->opened_samples = world->samples;
		workshop->opened_walks = world->walks.walks;
		hot.read = true;
	}
	hot.reserved_ns = look_ns;
	return workshop;
}

/* ---- functions ---- */

/* Entries [from, to) of the table, in one function. */
struct span {
	struct batch_range range; /* module addresses */
	u32 from, to;
	u64 n, inside;
};

/* An entry's function, in module addresses, found once: it takes a walk over its text. One that is in none is a function by itself, without a start. */
static struct batch_range function_at(const struct workshop *workshop, struct heat *heat)
{
	u64 base = workshop->base, addr = heat->rip - base;

	if (heat->end || text_function(&workshop->reading.text, addr, &heat->start, &heat->end))
		return (struct batch_range){ heat->start, heat->end };
	return (struct batch_range){ 0, addr + 1 };
}

/* The function of the table's entry `from`, which ends in front of `to` at the latest. False: not in a known one; it is this entry alone. */
static bool span_of(const struct workshop *workshop, u32 from, u32 to, struct span *out)
{
	struct span span = { .range = function_at(workshop, &hot.heat.at[from]),
		             .from = from,
		             .to = from };
	u64 end = workshop->base + span.range.end;

	do {
		const struct heat *heat = &hot.heat.at[span.to++];

		span.n += heat->n;
		span.inside += heat->inside;
	} while (span.to < to && hot.heat.at[span.to].rip < end);
	*out = span;
	return span.range.start != 0;
}

static bool was_looked_at(const struct workshop *workshop, const struct span *span)
{
	return *looked_at(workshop->base + span->range.start);
}

static bool is_hot(const struct workshop *workshop, const struct span *span)
{
	return was_looked_at(workshop, span) ||
	       (span->n >= enough(workshop->thorough ? HOT_THOROUGH : HOT_SAMPLES) &&
	        span->n >= (u64)HOT_EACH * (span->to - span->from) &&
	        span->n >= hot.heat.samples / HOT_SHARE);
}

/* ---- batches ---- */

/* Samples at an instruction of a workshop's module. */
static u32 heat_at(const void *ctx, u64 addr, u64 *next)
{
	u64 base = ((const struct workshop *)ctx)->base;
	u32 n = heat_near(&hot.heat, base + addr, next);

	*next -= base;
	return n;
}

/* Translations that were published, replaced or withdrawn. */
static u32 changes(const struct status_module *m)
{
	return m->n_translated + m->n_replaced + m->n_withdrawn;
}

static void translate(struct workshop *workshop, const struct pick *pick)
{
	struct failure fail = { STATUS_OK, 0, 0 };
	struct image *image;
	u32 before = changes(&workshop->record->status);

	image = batch_translate(workshop, pick->ranges, pick->n, heat_at, &hot.runs, &fail);
	if (fail.status)
		image_refuse(workshop->record, fail.status, fail.addr, fail.detail);
	if (changes(&workshop->record->status) != before)
		hot.unchanged = 0;
	else if (!hot.unchanged ||
	         hot.heat.samples >= enough(SURE)) /* few samples settle nothing */
		hot.unchanged++;
	before = stages_enter(STATUS_STAGE_patching);
	if (!fail.status && mappings_renew(workshop->record->record) && image)
		mapping_add(image, workshop->base);
	stages_enter(before);
	world->batches++;
	world->recent = world->recent_cache = 0;
	hot.last_batch_ns = sys_now_ns();
	status_soon();
}

/* Before the first look it should be known where control goes: from earlier runs, or by some walks. */
static bool knows_ways(const struct workshop *w)
{
	const struct ways now = ways();

	return w->judged_samples || !world->options.agent ||
	       ways_known(&now, world->samples - w->opened_samples,
	                  world->walks.walks - w->opened_walks, part_wanted());
}

/* Has the module enough more samples? `news`: of functions that have become hot. */
static bool is_due(struct workshop *w, u64 samples, u64 news)
{
	if (samples < w->judged_samples) /* it has cooled */
		w->judged_samples = samples;
	return (samples >= enough(FIRST) || !world->options.agent) &&
	       (samples >= GROWN * w->judged_samples || news >= w->judged_samples / NEWS);
}

static void pick_spans(struct pick *pick, const struct workshop *workshop, u32 from, u32 to)
{
	bool room = true;

	pick->n = pick->unknown = 0;
	while (from < to && room) {
		struct span span;

		if (!span_of(workshop, from, to, &span))
			pick->unknown += span.n;
		else if (is_hot(workshop, &span))
			room = pick_add(pick, span.range, span.n, span.to - span.from);
		from = span.to;
	}
}

/* Samples of functions that were not looked at yet. */
static u64 news_of(const struct pick *pick, const struct workshop *workshop)
{
	u64 n = 0;

	for (u32 i = 0; i < pick->n; i++)
		if (!*looked_at(workshop->base + pick->ranges[i].start))
			n += pick->weights[i].samples;
	return n;
}

static void note_look(struct workshop *workshop, const struct pick *pick, u64 samples)
{
	for (u32 i = 0; i < pick->n; i++)
		*looked_at(workshop->base + pick->ranges[i].start) = true;
	workshop->judged_samples = samples;
	if (samples >= COOL) {
		heat_cool(&hot.heat);
		workshop->judged_samples /= 2;
	}
}

/* A first look is left to the next run, if that can pay for it, and for reading the module again. */
static bool next_can_look(const struct workshop *workshop, const struct pick *pick)
{
	u64 reading = image_cost_ns(workshop->record, !workshop->reading.text.parts);

	return !workshop->judged_samples &&
	       account_next_has(&hot.account, reading + pick_cost(pick));
}

static bool read_functions(struct workshop *workshop, const struct pick *pick)
{
	u64 addrs[PICK_RANGES];

	for (u32 i = 0; i < pick->n; i++)
		addrs[i] = pick->ranges[i].start;
	return workshop_read(workshop, addrs, pick->n);
}

/* Entries [from, to) of the table are a module's. */
static void look_at(const struct module *module, u32 from, u32 to)
{
	static struct pick pick;
	struct workshop *workshop;
	u64 samples = 0, spent_ns = 0, need_ns;

	for (u32 i = from; i < to; i++) {
		samples += hot.heat.at[i].n;
		spent_ns += hot.heat.at[i].ns + hot.heat.at[i].told * remember_sample_ns();
	}
	workshop = shop_of(module, samples, spent_ns, pick_guess(to - from));
	if (!workshop || !knows_ways(workshop))
		return;
	workshop->thorough = false;
	pick_spans(&pick, workshop, from, to);
	if (pick.unknown > samples / FOREIGN && workshop_give_up(workshop))
		return;
	if (pick_cost(&pick) <= hot_credit() / THOROUGH) {
		workshop->thorough = true;
		pick_spans(&pick, workshop, from, to);
	}
	if (!pick_afford(&pick, hot_credit(), &need_ns)) {
		hot.reserved_ns = workshop->judged_samples ? 0 : need_ns;
		could_use(need_ns);
		return;
	}
	could_use(pick_cost(&pick));
	if (!is_due(workshop, samples, news_of(&pick, workshop)) || next_can_look(workshop, &pick))
		return;
	hot.reserved_ns = 0;
	workshop->began_ns = sys_cpu_ns();
	workshop->until_ns = world->options.agent ? workshop->began_ns + hot_credit() : 0;
	if (!read_functions(workshop, &pick))
		return;
	translate(workshop, &pick);
	note_look(workshop, &pick, samples);
}

u32 hot_full_ms(void)
{
	u64 ms = hot.wanted_ns * SAMPLER_FULL / NS_PER_MS;

	return ms < 0xffffffffu ? (u32)ms : 0xffffffffu;
}

void hot_look(void)
{
	while (__atomic_load_n(&world->options.spin, __ATOMIC_RELAXED))
		;
	hot.n_new = 0;
	hot.next_ns = 0;
	for (u32 from = 0, to; from < hot.heat.n && has_credit(0); from = to) {
		u64 end;
		const struct module *module = loaded_at(hot.heat.at[from].rip, &end);

		to = heat_from(&hot.heat, end);
		if (module)
			look_at(module, from, to);
	}
	hot.n_looked = hot.heat.samples;
}

/* ---- for people ---- */

static u32 own(const struct heat *heat)
{
	return heat->n - heat->told;
}

/* Samples of this run at an address. */
static u32 own_at(const void *ctx, u64 addr)
{
	u64 rip = ((const struct workshop *)ctx)->base + addr;
	u32 i = heat_from(&hot.heat, rip);

	return i < hot.heat.n && hot.heat.at[i].rip == rip ? own(&hot.heat.at[i]) : 0;
}

/* Asked only where one instruction has a quarter of the function's samples: it takes a walk over its text. */
static void find_wait(const struct workshop *workshop, const struct span *span,
                      struct status_function *out)
{
	struct wait wait;
	u32 most = 0;

	for (u32 i = span->from; i < span->to; i++)
		most = own(&hot.heat.at[i]) > most ? own(&hot.heat.at[i]) : most;
	if (most < WAITS_SAMPLES || (u64)most * 4 < out->samples ||
	    !waits_find(&workshop->reading.text, span->range.start, span->range.end, own_at,
	                workshop, workshop->decoder, &wait))
		return;
	out->wait_load = wait.load;
	out->wait_samples = wait.samples;
}

static bool is_unproven(const struct text *text, u64 start)
{
	u16 marks;

	if (text_is_unread(text, start))
		return false;
	marks = text_marks(text, start);
	return !(marks & TEXT_INSN) || (marks & TEXT_NO_TRANSLATE);
}

/* What has become of a function's heads. */
static void judge(const struct workshop *workshop, const struct span *span,
                  struct status_function *out)
{
	const struct text *text = &workshop->reading.text;
	u32 counts[STATUS_REASONS] = { 0 }, most = 0;

	/* Before the first look there is none, and reading would only touch pages. */
	for (u64 addr = span->range.start; addr < span->range.end && workshop->judged_samples;
	     addr++) {
		u8 fate = workshop->fates[addr - text->start];

		if (!fate)
			continue;
		out->n_heads++;
		out->n_translated += fate == FATE_TRANSLATED;
		if (fate != FATE_TRANSLATED && ++counts[fate % STATUS_REASONS] > counts[most])
			most = fate;
	}
	out->status = most;
	find_wait(workshop, span, out);
	if (out->n_translated)
		out->why = STATUS_HEAT_BESIDE;
	else if (out->n_heads)
		out->why = STATUS_HEAT_REFUSED;
	else if (is_unproven(text, span->range.start))
		out->why = STATUS_HEAT_UNPROVEN;
	else if (was_looked_at(workshop, span))
		out->why = STATUS_HEAT_NO_HEAD;
	else
		out->why = is_hot(workshop, span) ? STATUS_HEAT_WAITS : STATUS_HEAT_FEW;
}

/* The function, or what is known of no function, that begins at entry `from` and ends in front of `to`; returns its end. */
static u32 describe(const struct module *module, u32 from, u32 to, struct status_function *out,
                    struct status_heat *sums)
{
	bool known = false;
	struct image *record = module ? loaded_record(module) : NULL;
	struct workshop *workshop = record ? workshop_find(record, module->base) : NULL;
	struct span span = { .from = from, .to = to };

	*out = (struct status_function){ .module = STATUS_NO_MODULE, .why = STATUS_HEAT_NOWHERE };
	if (record) {
		out->module = status_row(record);
		out->why = record->status.refusal ? STATUS_HEAT_MODULE : STATUS_HEAT_UNREAD;
	}
	if (workshop)
		known = span_of(workshop, from, to, &span);
	if (workshop && !known)
		out->why = STATUS_HEAT_UNPROVEN;
	out->start = module ? hot.heat.at[from].rip - module->base : hot.heat.at[from].rip;
	for (u32 i = span.from; i < span.to; i++) {
		out->samples += own(&hot.heat.at[i]);
		out->samples_cache += hot.heat.at[i].inside;
	}
	if (!known)
		return span.to;
	out->start = span.range.start;
	judge(workshop, &span, out);
	for (u32 i = span.from; i < span.to; i++)
		sums->trees[cover_of(workshop, hot.heat.at[i].rip - module->base)] +=
			own(&hot.heat.at[i]);
	return span.to;
}

u32 hot_functions(struct status_function *out, struct status_heat *sums)
{
	u32 n = 0;

	*sums = (struct status_heat){ 0 };
	for (u32 from = 0; from < hot.heat.n;) {
		struct status_function f;
		u64 end;
		const struct module *module = loaded_at(hot.heat.at[from].rip, &end);

		from = describe(module, from, heat_from(&hot.heat, end), &f, sums);
		if (!f.samples)
			continue;
		rank_count(&f, sums);
		rank_keep(out, &n, &f);
	}
	return n;
}

/* ---- samples of earlier runs, and for later ones ---- */

/* With what earlier runs have sampled, which is as good as samples of this one. */
static void begun(void)
{
	u32 walks; /* with this run's, where modules were loaded since */

	hot.n_new = NEW_SAMPLES;
	hot.account.told = true;
	walks = ways_walks(&hot.runs);
	hot.told_walks = walks > world->walks.walks ? walks - (u32)world->walks.walks : 0;
}

/* options.samples. False with world->cause set if it cannot be read, or a line is wrong. */
static bool begin_with_samples(void)
{
	struct kept_sums sums = { 0, 0 };
	const char *text;
	u32 line = 0;
	u64 size;
	long result = sys_map_file(world->options.samples, &text, &size);
	bool good = !sys_failed(result) &&
	            kept_read(text, size, &hot.heat, &hot.runs, &sums, NULL, &line);

	if (!sys_failed(result) && size)
		sys_munmap((u64)(uintptr_t)text, size);
	world->remembered = sums.taken;
	world->remembered_left = sums.left;
	if (sums.taken)
		begun();
	world->left_ns = BUDGET_LEFT_NS; /* who names a file wants it used, */
	hot.told_walks = WAYS_WALKS; /* at once */
	if (good)
		return true;
	world->cause = STATUS_CAUSE_SAMPLES;
	world->detail = sys_failed(result) ? (u64)-result : STATUS_DETAIL_LINE + line;
	return false;
}

void hot_modules(void)
{
	remember_more();
}

/* What this program is remembered by is as good as a look, once the run is worth it. */
void hot_begin_warm(void)
{
	if (hot.open && remember_take(hot.account.cpu_ns, enough(WARM_NS), &hot.heat, &hot.runs))
		begun();
}

static void keep_samples(void)
{
	static struct sample_file file;

	if (!world->options.keep_samples[0] || !hot.heat.n ||
	    !samples_create(&file, AT_FDCWD, world->options.keep_samples, 0644))
		return;
	kept_write(&file, &hot.heat, &hot.runs,
	           &(const struct kept_shares){ .samples = 1, .runs = 1, .nameless = true });
	samples_close(&file);
}

/* Does this run tell something that earlier ones have not? */
static bool is_worth_keeping(u64 cpu_ns)
{
	bool new = world->walks.walks || hot.heat.samples < REMEMBER_PLENTY || !saves_up();

	return new && world->samples >= enough(KEEP_SAMPLES) && cpu_ns >= enough(KEEP_NS);
}

void hot_keep(void)
{
	u64 cpu_ns = sys_process_ns(world->host_pid); /* since the last tick, too */

	if (hot.kept || world->forked)
		return;
	hot.kept = true;
	if (cpu_ns > hot.account.cpu_ns)
		hot.account.cpu_ns = cpu_ns;
	keep_samples();
	remember_keep(hot.account.cpu_ns, account_change(&hot.account), is_worth_keeping(cpu_ns),
	              &hot.heat, &hot.runs);
}

/* ---- start, go on, stop ---- */

static void adapt(void)
{
	u64 now = sys_now_ns(), period_ns;
	const struct rate rate = { .all = world->options.all,
		                   .sample_ns = hot.account.sample_ns,
		                   .read = hot.read,
		                   .paid = (!hot.account.told && world->samples < FIRST) ||
		                           has_credit(hot.next_ns),
		                   .saves_up = saves_up(),
		                   .unchanged = hot.unchanged,
		                   .look_ns = now - hot.last_batch_ns,
		                   .phase_ns = now - hot.lively_ns };

	period_ns = rate_period(&rate);
	if (period_ns == hot.wanted_ns)
		return;
	hot.wanted_ns = period_ns;
	meter_want(&hot.meter, sampler_period(period_ns));
}

bool hot_start(void)
{
	long result;

	if (world->options.samples[0] && !begin_with_samples())
		return false;
	remember_begin();
	if (!world->options.agent) {
		hot_look();
		return true;
	}
	result = sampler_open(world->options.sampler, world->host_pid, &world->sampler);
	hot.open = !sys_failed(result);
	hot.last_batch_ns = sys_now_ns();
	if (hot.open) {
		world->sample_ns = hot.account.sample_ns = sampler_cost();
		adapt();
		return true;
	}
	world->cause = STATUS_CAUSE_SAMPLER;
	world->detail = (u64)-result;
	return false;
}

bool hot_is_due(void)
{
	return hot.open && hot.n_new >= enough(NEW_SAMPLES) &&
	       hot.heat.samples - hot.n_looked >= enough(hot.n_looked / LOOK_GROWN) &&
	       has_credit(0);
}

/* The sampler is gone; what is translated stays. */
static void ended(long result)
{
	hot.open = false;
	world->cause = STATUS_CAUSE_SAMPLER;
	world->detail = (u64)-result;
	if (world->state == STATUS_STATE_IDLE)
		world->state = STATUS_STATE_FAILED;
	status_soon();
}

/* Walks may take a part of the agent's time, and nothing of what is kept for a look. */
static u64 for_walks(void)
{
	u64 part = account_credit(&hot.account) / WALK_PART, left = hot_credit();

	if (saves_up())
		return 0;
	part = part > world->walks.cpu_ns ? part - world->walks.cpu_ns : 0;
	left = left > hot.reserved_ns ? left - hot.reserved_ns : 0;
	return part < left ? part : left;
}

/* As many as are due, in the way of a thread that was sampled in this tick. */
static void walk(void)
{
	const struct walks_plan plan = { hot.walk_tid, walks_due(), hot.walking_ns };
	u32 before = stages_enter(STATUS_STAGE_walks);

	if (plan.tid && plan.n && plan.until_ns && world->sampler == STATUS_SAMPLER_walk)
		walks_make(&plan, &hot.runs);
	stages_enter(before);
}

static long read_samples(void)
{
	u64 began = sys_cpu_ns(), before_walks = world->walks.walks, walks_ns = for_walks();
	u32 before = stages_enter(STATUS_STAGE_samples);
	long result;

	hot.walk_tid = 0;
	hot.walking_ns = walks_ns ? began + walks_ns : 0;
	walks_begin();
	result = sampler_read(take, NULL);
	walk();
	if (world->walks.walks > before_walks)
		world->walks.cpu_ns += sys_cpu_ns() - began;
	stages_enter(before);
	return result;
}

void hot_take(void)
{
	u64 before = world->samples;
	long result;
	bool rests;

	if (!hot.open)
		return;
	result = read_samples();
	if (sys_failed(result)) {
		ended(result);
		return;
	}
	rests = meter_rests(&hot.meter, sys_process_ns(world->host_pid), world->samples - before,
	                    hot.wanted_ns);
	hot.account.cpu_ns = hot.meter.cpu_ns;
	if (rests != hot.rests)
		sampler_rest(rests);
	hot.rests = rests;
	adapt();
}

void hot_stop(void)
{
	if (hot.open)
		sampler_close();
	hot.open = false;
}
