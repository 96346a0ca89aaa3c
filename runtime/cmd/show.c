/* SPDX-License-Identifier: MIT */
/*
 * show.c - a status file as text of at most 100 columns: the process, totals, a row per module, refusals by reason.
 *
 * For people: words and columns may change. The same facts with stable keys are in show_json.c.
 */
#include "show.h"

#include <string.h>

#define MODULE_COLUMNS 30
#define REASONS_SHOWN 12 /* per module */
#define FUNCTIONS_SHOWN 20
#define NAME_COLUMNS 30

typedef unsigned long long ull;

static double percent(u64 part, u64 of)
{
	return of ? 100.0 * (double)part / (double)of : 0.0;
}

static double kib(u64 bytes)
{
	return (double)bytes / 1024;
}

static double ms(u64 ns)
{
	return (double)ns / 1e6;
}

/* "  label             text\n" */
#define ROW(out, label, ...) \
	(fprintf(out, "  %-12s ", label), fprintf(out, __VA_ARGS__), fputc('\n', out))

/* The last `columns` characters, "..." in front if some are missing. */
static const char *tail(const char *text, size_t columns, char *buffer, size_t size)
{
	size_t n = strlen(text);

	if (n <= columns)
		snprintf(buffer, size, "%s", text);
	else
		snprintf(buffer, size, "...%s", text + n - (columns - 3));
	return buffer;
}

static void print_head(const struct status_view *v, FILE *out)
{
	const struct status_head *h = v->head;
	char buffer[256];
	const char *detail = status_detail_words(h, buffer, sizeof(buffer));

	fprintf(out, "%s: process %u%s\n", h->program, h->pid, v->alive ? "" : ", ended");
	ROW(out, v->alive ? "state" : "last state", "%s (mode %s)", status_state_words(h->state),
	    status_mode_key(h->mode));
	if (h->backend == STATUS_BACKEND_kernel)
		ROW(out, "backend", "kernel module; translations shared by %llu processes",
		    (ull)status_share(v).processes);
	if (h->cause != STATUS_CAUSE_NONE)
		ROW(out, "reason", "%s%s%s", status_cause_words(h->cause), *detail ? ": " : "",
		    detail);
}

/* What most people want to know: the first row. */
static void print_heat(const struct status_view *v, FILE *out)
{
	const struct status_heat *heat = &v->head->heat;
	struct status_reason top = status_top_reason(heat);

	if (!heat->samples)
		return;
	ROW(out, "hot time", "%.1f %% in code that can be translated, %.1f %% in translations",
	    percent(status_reachable(heat), heat->samples),
	    percent(heat->samples_cache, heat->samples));
	if (top.samples)
		ROW(out, "top reason", "%.1f %% %s: %.60s", percent(top.samples, heat->samples),
		    top.key, top.words);
}

static const char *function_name(struct show_names *names, const struct status_view *v,
                                 const struct status_function *f, char *buffer, size_t size)
{
	const char *file, *slash;
	char where[NAME_COLUMNS + 1];

	if (f->module == STATUS_NO_MODULE) {
		snprintf(buffer, size, "0x%llx", (ull)f->start);
		return buffer;
	}
	file = v->modules[f->module].path;
	slash = strrchr(file, '/');
	file = slash ? slash + 1 : file;
	if (f->why == STATUS_HEAT_UNREAD || f->why == STATUS_HEAT_MODULE)
		snprintf(buffer, size, "%.40s", file);
	else
		snprintf(buffer, size, "%s (%.16s)",
		         show_name(names, f->module, f->start, where, sizeof(where)), file);
	return buffer;
}

static void print_functions(const struct status_view *v, FILE *out)
{
	const struct status_head *h = v->head;
	struct show_names *names = show_names_new(v);
	u32 n = h->n_functions < FUNCTIONS_SHOWN ? h->n_functions : FUNCTIONS_SHOWN;
	char name[256];

	if (n) /* "others": why samples in it are outside of translations */
		fprintf(out, "\n  %8s %10s %6s %10s  %-10s %s\n", "samples", "translated", "heads",
		        "translated", "others", "function");
	for (u32 i = 0; i < n; i++) {
		const struct status_function *f = &v->functions[i];

		fprintf(out, "  %6.1f %% %8.1f %% %6u %10u  %-10s %s\n",
		        percent(f->samples, h->heat.samples), percent(f->samples_cache, f->samples),
		        f->n_heads, f->n_translated,
		        f->why == STATUS_HEAT_REFUSED ? status_reason_name(f->status)
		                                      : status_heat_key(f->why),
		        function_name(names, v, f, name, sizeof(name)));
		if (f->wait_samples)
			fprintf(out, "  %6.1f %% waits for memory: the load at %s\n",
			        percent(f->wait_samples, h->heat.samples),
			        show_name(names, f->module, f->wait_load, name, sizeof(name)));
	}
	show_names_free(names);
}

/* What it began with. */
static void print_remembered(const struct status_head *h, FILE *out)
{
	char buffer[256];
	const char *detail = status_remember_detail(h, buffer, sizeof(buffer));

	if (h->remembered || h->remembered_left)
		ROW(out, "begun with", "%llu samples of earlier runs; %llu are of other builds",
		    (ull)h->remembered, (ull)h->remembered_left);
	if (h->remember_wrong)
		ROW(out, "remembering", "%s%s%s", status_remember_words(h->remember_wrong),
		    *detail ? ": " : "", detail);
	if (h->left_ns)
		ROW(out, "budget", "earlier runs have %s %.1f ms",
		    h->left_ns < 0 ? "used up" : "left",
		    ms(h->left_ns < 0 ? (u64)-h->left_ns : (u64)h->left_ns));
	if (h->first_live_ns)
		ROW(out, "first live", "%.1f ms after the start, %.1f of the agent's CPU time",
		    ms(h->first_live_ns), ms(h->first_live_cpu_ns));
}

#define STAGES_A_ROW 4

/* What the agent's CPU time went into. */
static void print_stages(const struct status_head *h, FILE *out)
{
	char text[256];
	size_t at = 0;

	for (u32 i = 0; i < STATUS_STAGE_N; i++) {
		bool first = i % STAGES_A_ROW == 0, last = i % STAGES_A_ROW == STAGES_A_ROW - 1;

		at = first ? 0 : at;
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s %.1f", first ? "" : ", ",
		                       status_stage_key(i), ms(h->stage_ns[i]));
		if (last || i == STATUS_STAGE_N - 1)
			ROW(out, i < STAGES_A_ROW ? "spent on" : "", "%s ms", text);
	}
}

static void print_totals(const struct status_view *v, const struct status_sums *s, FILE *out)
{
	const struct status_head *h = v->head;

	ROW(out, "text", "%.0f KiB in %u module%s, %.1f %% with proven instruction boundaries",
	    kib(s->text), h->n_modules, h->n_modules == 1 ? "" : "s", percent(s->proven, s->text));
	ROW(out, "heads", "%llu in %llu functions, %llu translated (%.1f %%)", (ull)s->heads,
	    (ull)s->functions, (ull)s->translated, percent(s->translated, s->heads));
	if (s->replaced)
		ROW(out, "replaced", "%llu translations, by better ones", (ull)s->replaced);
	if (s->withdrawn)
		ROW(out, "withdrawn",
		    "%llu translations, by more samples thought to save nothing (COST_GAIN)",
		    (ull)s->withdrawn);
	ROW(out, "copied", "%llu instructions", (ull)s->insns);
	ROW(out, "hops",
	    "%llu direct, %llu by a slot, %llu far, %llu by a slot and far, %llu calls",
	    (ull)s->hops[HOP_DIRECT], (ull)s->hops[HOP_SLOT], (ull)s->hops[HOP_FAR],
	    (ull)s->hops[HOP_SLOT_FAR], (ull)s->hops[HOP_CALL]);
	ROW(out, "code cache", "%.0f KiB used of %.0f reserved in files and %.0f mapped near",
	    kib(s->used), kib(s->reserved), kib(s->mapped));
	ROW(out, "before main",
	    "%.1f ms; reading %.1f, translating %.1f, patching %.1f (over all modules)",
	    ms(h->eager_ns), ms(s->build_ns), ms(s->translate_ns), ms(s->apply_ns));
	ROW(out, "agent", "%.1f ms of CPU time; text replaced %llu times in %.1f ms",
	    ms(h->agent_cpu_ns), (ull)h->flips, ms(h->flip_ns));
	if (h->backend == STATUS_BACKEND_embedded)
		print_stages(h, out);
	if (h->samples)
		ROW(out, "samples",
		    "%llu, %.1f %% of them in translations; since the last of %llu batches %llu, %.1f %%",
		    (ull)h->samples, percent(h->samples_cache, h->samples), (ull)h->batches,
		    (ull)h->recent, percent(h->recent_cache, h->recent));
	if (h->saved_ns)
		ROW(out, "reckoned", "that translations have %s %.1f ms of the program's CPU time",
		    h->saved_ns < 0 ? "cost" : "saved",
		    ms(h->saved_ns < 0 ? (u64)-h->saved_ns : (u64)h->saved_ns));
	print_remembered(h, out);
	if (h->walks)
		ROW(out, "walks",
		    "%llu from samples, %.1f straight runs each, %llu of them from threads that stood still; %.1f ms of the agent's time",
		    (ull)h->walks, (double)h->walk_runs / (double)h->walks, (ull)h->walks_stood,
		    ms(h->walk_ns));
	if (h->cycles)
		ROW(out, "cycles", "%llu times undone and applied", (ull)h->cycles);
}

/* What each pass did to the translations, in the order in which they run. */
static void print_passes(const struct status_view *v, const struct status_sums *s, FILE *out)
{
	if (!v->head->n_translations)
		return;
	fprintf(out, "\n  %-8s %9s %s\n", "pass", "did", "of what");
	for (u32 k = 0; k < PASS_N; k++)
		fprintf(out, "  %-8s %9llu %s\n", status_pass_key(k), (ull)s->passes[k],
		        status_pass_counts(k));
}

static void print_modules(const struct status_view *v, FILE *out)
{
	char name[MODULE_COLUMNS + 8];

	if (!v->head->n_modules)
		return;
	fprintf(out, "\n  %-*s %9s %7s %8s %17s %9s %9s\n", MODULE_COLUMNS, "module", "text KiB",
	        "proven", "heads", "translated", "cache KiB", "notes");
	for (u32 i = 0; i < v->head->n_modules; i++) {
		const struct status_module *m = &v->modules[i];

		fprintf(out, "  %-*s %9.0f %5.1f %% %8u %8u %6.1f %% %9.0f %9s\n", MODULE_COLUMNS,
		        tail(m->path, MODULE_COLUMNS, name, sizeof(name)), kib(m->text_bytes),
		        percent(m->proven_bytes, m->text_bytes), m->n_heads, m->n_translated,
		        percent(m->n_translated, m->n_heads), kib(m->cache_used),
		        m->n_translated && !m->live ? "withdrawn"
		        : m->noted                  ? "yes"
		                                    : "no");
	}
}

/* The reasons with counts, most frequent first, in `order`; returns how many. */
static int by_count(const u32 *counts, int *order)
{
	int n = 0;

	for (int i = 0; i < STATUS_REASONS; i++) {
		int at = n;

		if (!counts[i])
			continue;
		for (; at > 0 && counts[order[at - 1]] < counts[i]; at--)
			order[at] = order[at - 1];
		order[at] = i;
		n++;
	}
	return n;
}

static void print_refusals(const struct status_view *v, FILE *out)
{
	int order[STATUS_REASONS];

	for (u32 i = 0; i < v->head->n_modules; i++) {
		const struct status_module *m = &v->modules[i];
		int n = by_count(m->refused, order);
		u64 rest = 0;

		if (!n && !m->refusal)
			continue;
		fprintf(out, "\n  refused in %s\n", m->path);
		if (m->refusal)
			fprintf(out, "    %9s %-16s %.69s\n", "all of it",
			        status_reason_name(m->refusal), status_reason_words(m->refusal));
		for (int k = 0; k < n && k < REASONS_SHOWN; k++)
			fprintf(out, "    %9u %-16s %.69s\n", m->refused[order[k]],
			        status_reason_name((u32)order[k]),
			        status_reason_words((u32)order[k]));
		for (int k = REASONS_SHOWN; k < n; k++)
			rest += m->refused[order[k]];
		if (rest)
			fprintf(out, "    %9llu %-16s for %d more reasons (--json has all)\n",
			        (ull)rest, "others", n - REASONS_SHOWN);
	}
}

static void print_translations(const struct status_view *v, FILE *out)
{
	struct show_names *names = show_names_new(v);
	u32 module = UINT32_MAX;
	char name[256];

	for (u32 i = 0; i < v->head->n_translations; i++) {
		const struct status_translation *t = &v->translations[i];

		if (t->module != module) {
			module = t->module;
			fprintf(out, "\n  translations of %s\n    %-12s %6s %6s %6s %-8s %s\n",
			        v->modules[module].path, "head", "bytes", "insns", "blocks", "hop",
			        "where");
		}
		fprintf(out, "    0x%-10llx %6u %6u %6u %-8s %s\n", (ull)t->head, t->size,
		        t->n_insns, t->n_blocks, status_hop_key(t->hop),
		        show_name(names, t->module, t->head, name, sizeof(name)));
	}
	show_names_free(names);
}

void show_report(const struct status_view *view, bool translations, FILE *out)
{
	struct status_sums sums = status_sum(view);

	print_head(view, out);
	print_heat(view, out);
	print_totals(view, &sums, out);
	print_functions(view, out);
	print_passes(view, &sums, out);
	print_modules(view, out);
	print_refusals(view, out);
	if (translations)
		print_translations(view, out);
}
