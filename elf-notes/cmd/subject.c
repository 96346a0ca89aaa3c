/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * subject.c - runs one file through image, notes, code, coverage and check, in that
 * order, each step only when it is asked for; adds up what the printers share.
 */
#include "report.h"

#include <string.h>

static bool examine(struct subject *s, char **error)
{
	if (!model_read(&s->model, &s->image, error))
		return false;
	if (!s->coverage && !s->check)
		return true;
	unwind_read(&s->unwind, &s->image);
	code_read(&s->code, &s->image, &s->unwind, &s->model);
	flow_read(&s->flow, &s->code, &s->image, &s->unwind, &s->model);
	if (s->coverage)
		cover_measure(&s->cover, &s->code, &s->model);
	if (s->check)
		check_notes(&s->findings, &s->image, &s->model, &s->unwind, &s->code);
	return true;
}

bool subject_open(struct subject *s, const char *path, char **error)
{
	return image_open(&s->image, path, error) && examine(s, error);
}

bool subject_open_memory(struct subject *s, const char *path, u8 *bytes, size_t size, char **error)
{
	return image_open_memory(&s->image, path, bytes, size, error) && examine(s, error);
}

void subject_close(struct subject *s)
{
	findings_free(&s->findings);
	cover_free(&s->cover);
	code_free(&s->code);
	unwind_free(&s->unwind);
	model_free(&s->model);
	image_close(&s->image);
}

int subject_verdict(const struct subject *s)
{
	return s->model.failures.n || s->findings.v.n ? EXIT_DISAGREE : EXIT_OK;
}

const char *subject_kind(const struct subject *s)
{
	bool interpreter = false, dynamic = false;

	for (size_t i = 0; i < s->image.segments.n; i++) {
		interpreter |= s->image.segments.at[i].type == PT_INTERP;
		dynamic |= s->image.segments.at[i].type == PT_DYNAMIC;
	}
	if (s->image.type == ET_REL)
		return "object file";
	if (s->image.type == ET_EXEC)
		return dynamic ? "program" : "static program";
	if (interpreter)
		return "position-independent program";
	return s->image.entry ? "position-independent static program" : "shared library";
}

struct subject_sums subject_sum(const struct subject *s)
{
	const struct model *m = &s->model;
	struct subject_sums sums = { 0 };

	for (size_t i = 0; i < m->objects.n; i++) {
		sums.record_bytes += m->objects.at[i].records_end - m->objects.at[i].records;
		sums.cache_bytes += m->objects.at[i].cache_size;
		sums.disabled += m->objects.at[i].flags & DYNOPT_OBJECT_DISABLED;
	}
	for (size_t i = 0; i < m->farpools.n; i++)
		sums.farslots +=
			(m->farpools.at[i].end - m->farpools.at[i].start) / DYNOPT_FARSLOT_SIZE;
	for (size_t i = 0; i < m->ranges.n; i++) {
		const struct range *r = &m->ranges.at[i];

		if (r->folded) {
			sums.folded++;
			continue;
		}
		sums.ranges++;
		sums.range_bytes += r->record.end - r->record.start;
		sums.slots += r->record.counts[NOTES_SLOTS];
		for (u64 k = 0; k < r->record.counts[NOTES_FUNCTIONS]; k++) {
			u32 facts = m->functions.at[r->first[NOTES_FUNCTIONS] + k].facts;

			sums.functions++;
			sums.plain += !!(facts & DYNOPT_FACT_PLAIN);
			sums.stack_private += !!(facts & DYNOPT_FACT_STACK_PRIVATE);
		}
		for (u64 k = 0; k < r->record.counts[NOTES_OPAQUE]; k++) {
			const struct notes_opaque *o = &m->opaques.at[r->first[NOTES_OPAQUE] + k];

			sums.opaque++;
			sums.opaque_bytes += o->end - o->start;
		}
		for (u64 k = 0; k < r->record.counts[NOTES_TABLES]; k++) {
			const struct notes_table *t = &m->tables.at[r->first[NOTES_TABLES] + k];

			sums.tables++;
			sums.table_entries += t->count;
			sums.tables_unknown_jump += !t->site;
		}
	}
	return sums;
}

const char *report_reasons(u64 reasons, char *buffer, size_t size)
{
	size_t used = 0;

	buffer[0] = 0;
#define X(name, bit, forbids, text) \
	if ((reasons & (bit)) && used < size) \
		used += (size_t)snprintf(buffer + used, size - used, "%s%s", used ? "; " : "", \
		                         text); \
	reasons &= ~(u64)(bit);
	DYNOPT_REASONS(X)
#undef X
	if (reasons && used < size)
		snprintf(buffer + used, size - used, "%sunknown reason 0x%llx", used ? "; " : "",
		         (unsigned long long)reasons);
	return buffer;
}

const char *report_forbids(u32 forbids, char *buffer, size_t size)
{
	size_t used = 0;

	if (forbids == DYNOPT_FORBID_ALL) {
		snprintf(buffer, size, "left alone altogether");
		return buffer;
	}
	buffer[0] = 0;
#define X(name, words, key) \
	if ((forbids & DYNOPT_FORBID_##name) && used < size) \
		used += (size_t)snprintf(buffer + used, size - used, "%s%s", used ? ", " : "", \
		                         words);
	FORBID_WORDS(X)
#undef X
	return buffer;
}

const char *report_failure(const struct subject *s, const struct block *b, char *buffer,
                           size_t size)
{
	s64 distance;

	if (b->reached)
		snprintf(buffer, size,
		         "%u-byte instruction; other loop heads take all slots in reach",
		         b->length);
	else if (cover_nearest(&s->cover, b, &distance))
		snprintf(buffer, size, "%u-byte instruction; the nearest slot is %lld bytes away",
		         b->length, (long long)distance);
	else
		snprintf(buffer, size, "%u-byte instruction; no slot anywhere", b->length);
	return buffer;
}
