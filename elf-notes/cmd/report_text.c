/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * report_text.c - prints a subject for people: what is in the notes, what may not be
 * touched and why, how much can be patched, what disagrees.
 */
#include "report.h"

#include <string.h>

#define FINDINGS_SHOWN 20 /* per check, without --verbose */

typedef unsigned long long ull;

static double percent(u64 part, u64 of)
{
	return of ? 100.0 * (double)part / (double)of : 0.0;
}

static const char *plural(u64 n)
{
	return n == 1 ? "" : "s";
}

/* "  label             text\n" */
#define ROW(out, label, ...) \
	(fprintf(out, "  %-18s ", label), fprintf(out, __VA_ARGS__), fputc('\n', out))

static void print_objects(const struct subject *s, const struct subject_sums *t, FILE *out)
{
	ROW(out, "objects", "%zu with notes, format version %d", s->model.objects.n,
	    DYNOPT_NOTES_VERSION);
	if (t->disabled)
		ROW(out, "disabled objects", "%llu: all of their code is left alone",
		    (ull)t->disabled);
	ROW(out, "certified text", "%llu bytes in %llu range%s", (ull)t->range_bytes,
	    (ull)t->ranges, plural(t->ranges));
	if (t->folded)
		ROW(out, "folded records", "%llu that repeat another one's code", (ull)t->folded);
	ROW(out, "functions",
	    "%llu: %.1f %% PLAIN (no atomics), %.1f %% STACK_PRIVATE "
	    "(no stack address escapes)",
	    (ull)t->functions, percent(t->plain, t->functions),
	    percent(t->stack_private, t->functions));
	ROW(out, "slots", "%llu of %d bytes", (ull)t->slots, DYNOPT_SLOT_SIZE);
	ROW(out, "jump tables", "%llu with %llu entries%s", (ull)t->tables, (ull)t->table_entries,
	    t->tables_unknown_jump ? "" : ", each with its jump");
	if (t->tables_unknown_jump)
		ROW(out, "", "%llu of them do not say which jump uses them",
		    (ull)t->tables_unknown_jump);
	ROW(out, "opaque pieces", "%llu of inline assembly or data, %llu bytes", (ull)t->opaque,
	    (ull)t->opaque_bytes);
}

static void print_reserves(const struct subject *s, const struct subject_sums *t, FILE *out)
{
	u64 low = UINT64_MAX, high = 0;

	for (size_t i = 0; i < s->model.objects.n; i++) {
		const struct notes_object *o = &s->model.objects.at[i];

		if (o->cache_size && o->cache < low)
			low = o->cache;
		if (o->cache_size && o->cache + o->cache_size > high)
			high = o->cache + o->cache_size;
	}
	if (t->cache_bytes)
		ROW(out, "code cache", "%llu bytes at 0x%llx..0x%llx (%.1f %% of certified text)",
		    (ull)t->cache_bytes, (ull)low, (ull)high,
		    percent(t->cache_bytes, t->range_bytes));
	else
		ROW(out, "code cache", "none");
	ROW(out, "far pool", t->farslots ? "%llu slots of %d bytes" : "none", (ull)t->farslots,
	    DYNOPT_FARSLOT_SIZE);
	ROW(out, "size of the notes", "%llu bytes (%.2f %% of certified text)",
	    (ull)(s->model.note_bytes + t->record_bytes),
	    percent(s->model.note_bytes + t->record_bytes, t->range_bytes));
}

static void print_noopt(const struct subject *s, FILE *out)
{
	char where[160], reasons[512], forbids[160];
	bool first = true;

	for (size_t i = 0; i < s->model.ranges.n; i++) {
		const struct range *r = &s->model.ranges.at[i];

		for (u64 k = 0; !r->folded && k < r->record.counts[NOTES_NOOPT]; k++) {
			const struct notes_noopt *n =
				&s->model.noopts.at[r->first[NOTES_NOOPT] + k];

			if (first)
				fputs("  no-optimize ranges\n", out);
			first = false;
			fprintf(out, "    0x%llx..0x%llx %s: %s (%s)\n", (ull)n->start, (ull)n->end,
			        image_where(&s->image, n->start, where, sizeof(where)),
			        report_reasons(n->reasons, reasons, sizeof(reasons)),
			        report_forbids(n->forbids, forbids, sizeof(forbids)));
		}
	}
	if (first)
		ROW(out, "no-optimize ranges", "none");
}

static void print_part(FILE *out, const char *label, struct cover_part part)
{
	if (part.of)
		fprintf(out, "    %-40s %llu of %llu = %.2f %%\n", label, (ull)part.patchable,
		        (ull)part.of, percent(part.patchable, part.of));
	else
		fprintf(out, "    %-40s none\n", label);
}

static void print_group(const struct cover_group *g, FILE *out)
{
	if (!g->blocks)
		return;
	fprintf(out, "  patchable in %s: %llu block%s\n", g->title, (ull)g->blocks,
	        plural(g->blocks));
	print_part(out, "loop heads, all at the same time", g->loops_all);
	print_part(out, "loop heads, one at a time", g->loops);
	print_part(out, "other blocks, one at a time", g->rest);
	print_part(out, "all blocks, one at a time", g->alone);
	if (g->alone.of)
		fprintf(out, "    %-40s %.2f %% (mean of %d draws)\n",
		        "a random 10 % at the same time", g->draw_percent, COVER_DRAWS);
	print_part(out, "everything at the same time", g->everything);
	print_part(out, "return points of calls, one at a time", g->returns);
	fprintf(out, "    %-40s %llu only one-byte instructions, %llu where the notes forbid it\n",
	        "counted apart", (ull)g->one_byte, (ull)g->forbidden);
}

static void print_unpatchable(const struct subject *s, FILE *out)
{
	char where[160], why[160];

	for (size_t i = 0; i < s->cover.blocks.n; i++) {
		const struct block *b = &s->cover.blocks.at[i];

		if (b->kind != BLOCK_NEEDS_SLOT || (b->reached && !b->loop_unmatched))
			continue;
		fprintf(out, "    0x%llx %s%s: %s\n", (ull)b->site,
		        image_where(&s->image, b->leader, where, sizeof(where)),
		        b->loop ? " (loop head)" : "", report_failure(s, b, why, sizeof(why)));
	}
}

static void print_coverage(const struct subject *s, FILE *out)
{
	const struct cover *c = &s->cover;

	fputs("coverage\n", out);
	ROW(out, "text", "%llu bytes, %llu of them certified (%.1f %%)", (ull)s->code.text,
	    (ull)s->code.certified, percent(s->code.certified, s->code.text));
	ROW(out, "instructions", "%llu: %.1f %% of 1 byte, %.1f %% of 2 to 4, %.1f %% of 5 or more",
	    (ull)c->instructions, percent(c->short_insns, c->instructions),
	    percent(c->middle_insns, c->instructions), percent(c->long_insns, c->instructions));
	ROW(out, "free",
	    "%llu bytes (%.2f %%): %llu noted slots, %llu in padding; %llu in long NOPs",
	    (ull)c->free_bytes, percent(c->free_bytes, s->code.text), (ull)c->noted_slots,
	    (ull)c->padding_slots, (ull)c->nop_slots);
	ROW(out, "jump tables", "%llu followed, %llu targets, %llu of them backward",
	    (ull)s->flow.tables, (ull)s->flow.table_targets, (ull)s->flow.table_backward);
	for (int i = 0; i < COVER_N_GROUPS; i++)
		print_group(&c->groups[i], out);
	if (s->verbose) {
		fputs("  not patchable\n", out);
		print_unpatchable(s, out);
	}
}

static void print_check(const struct subject *s, FILE *out)
{
	const struct findings *f = &s->findings;
	size_t shown = 0;

	if (!f->v.n) {
		fputs(s->model.present ? "check: notes and code agree\n"
		                       : "check: nothing to check, there are no notes\n",
		      out);
		return;
	}
	fprintf(out, "check: %zu disagreement%s\n", f->v.n, plural(f->v.n));
	for (size_t i = 0; i < f->v.n; i++) {
		shown = i && f->v.at[i].check == f->v.at[i - 1].check ? shown + 1 : 0;
		if (s->verbose || shown < FINDINGS_SHOWN)
			fprintf(out, "  %s: 0x%llx: %s\n", check_name(f->v.at[i].check),
			        (ull)f->v.at[i].addr, f->v.at[i].text);
		else if (shown == FINDINGS_SHOWN)
			fprintf(out, "  %s: more of them (--verbose shows all)\n",
			        check_name(f->v.at[i].check));
	}
}

static void print_failures(const struct subject *s, FILE *out)
{
	for (size_t i = 0; i < s->model.failures.n; i++) {
		const struct notes_failure *f = &s->model.failures.at[i];

		fprintf(out, "  invalid notes at 0x%llx: %s\n", (ull)f->addr,
		        notes_status_text(f->status));
	}
}

void report_text(const struct subject *s, FILE *out)
{
	struct subject_sums sums = subject_sum(s);

	fprintf(out, "%s: %s", s->image.path, subject_kind(s));
	if (!s->model.present && !s->model.failures.n) {
		fputs(", ordinary text: no dynopt notes\n", out);
	} else {
		fputc('\n', out);
		print_objects(s, &sums, out);
		print_reserves(s, &sums, out);
		print_noopt(s, out);
		if (!s->check)
			print_failures(s, out);
	}
	if (s->coverage)
		print_coverage(s, out);
	if (s->check)
		print_check(s, out);
}
