/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * report_json.c - a subject as JSON, for scripts: the same facts as report_text.c
 * with nothing left out. Addresses are numbers. Keys are an interface: add, never
 * rename.
 */
#include "report.h"

static void put(struct json_object *to, const char *key, u64 value)
{
	json_object_object_add(to, key, json_object_new_uint64(value));
}

static void put_text(struct json_object *to, const char *key, const char *text)
{
	json_object_object_add(to, key, json_object_new_string(text));
}

static struct json_object *child(struct json_object *to, const char *key)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(to, key, object);
	return object;
}

static struct json_object *list(struct json_object *to, const char *key)
{
	struct json_object *array = json_object_new_array();

	json_object_object_add(to, key, array);
	return array;
}

static struct json_object *item(struct json_object *array)
{
	struct json_object *object = json_object_new_object();

	json_object_array_add(array, object);
	return object;
}

static void put_noopt(struct json_object *to, const struct subject *s, const struct notes_noopt *n)
{
	char where[160];
	struct json_object *reasons, *forbids;

	put(to, "start", n->start);
	put(to, "end", n->end);
	put_text(to, "where", image_where(&s->image, n->start, where, sizeof(where)));
	put(to, "reason_bits", n->reasons);
	reasons = list(to, "reasons");
#define X(name, bit, forbidden, text) \
	if (n->reasons & (bit)) \
		json_object_array_add(reasons, json_object_new_string(#name));
	DYNOPT_REASONS(X)
#undef X
	forbids = list(to, "forbids");
#define X(name, words, key) \
	if (n->forbids & DYNOPT_FORBID_##name) \
		json_object_array_add(forbids, json_object_new_string(key));
	FORBID_WORDS(X)
#undef X
}

static void put_notes(struct json_object *to, const struct subject *s)
{
	struct subject_sums t = subject_sum(s);
	struct json_object *array;

	put(to, "objects", s->model.objects.n);
	put(to, "disabled_objects", t.disabled);
	put(to, "certified_bytes", t.range_bytes);
	put(to, "certified_ranges", t.ranges);
	put(to, "folded_records", t.folded);
	put(to, "functions", t.functions);
	put(to, "plain", t.plain);
	put(to, "stack_private", t.stack_private);
	put(to, "slots", t.slots);
	put(to, "jump_tables", t.tables);
	put(to, "jump_table_entries", t.table_entries);
	put(to, "jump_tables_without_jump", t.tables_unknown_jump);
	put(to, "opaque_pieces", t.opaque);
	put(to, "opaque_bytes", t.opaque_bytes);
	put(to, "cache_bytes", t.cache_bytes);
	put(to, "far_slots", t.farslots);
	put(to, "note_bytes", s->model.note_bytes);
	put(to, "record_bytes", t.record_bytes);
	array = list(to, "no_optimize");
	for (size_t i = 0; i < s->model.ranges.n; i++) {
		const struct range *r = &s->model.ranges.at[i];

		for (u64 k = 0; !r->folded && k < r->record.counts[NOTES_NOOPT]; k++)
			put_noopt(item(array), s, &s->model.noopts.at[r->first[NOTES_NOOPT] + k]);
	}
	array = list(to, "invalid");
	for (size_t i = 0; i < s->model.failures.n; i++) {
		struct json_object *f = item(array);

		put_text(f, "status", notes_status_name(s->model.failures.at[i].status));
		put(f, "address", s->model.failures.at[i].addr);
		put_text(f, "text", notes_status_text(s->model.failures.at[i].status));
	}
}

static void put_part(struct json_object *to, const char *key, struct cover_part part)
{
	struct json_object *object = child(to, key);

	put(object, "of", part.of);
	put(object, "patchable", part.patchable);
}

static void put_group(struct json_object *to, const struct cover_group *g)
{
	put(to, "blocks", g->blocks);
	put(to, "only_one_byte", g->one_byte);
	put(to, "forbidden", g->forbidden);
	put_part(to, "loop_heads_together", g->loops_all);
	put_part(to, "loop_heads_alone", g->loops);
	put_part(to, "others_alone", g->rest);
	put_part(to, "all_alone", g->alone);
	put_part(to, "all_together", g->everything);
	put_part(to, "return_points", g->returns);
	json_object_object_add(to, "random_tenth_percent", json_object_new_double(g->draw_percent));
}

static void put_coverage(struct json_object *to, const struct subject *s)
{
	const struct cover *c = &s->cover;
	struct json_object *array;
	char where[160], why[160];

	put(to, "text_bytes", s->code.text);
	put(to, "certified_bytes", s->code.certified);
	put(to, "instructions", c->instructions);
	put(to, "instructions_1", c->short_insns);
	put(to, "instructions_2_to_4", c->middle_insns);
	put(to, "instructions_5_or_more", c->long_insns);
	put(to, "free_bytes", c->free_bytes);
	put(to, "noted_slots", c->noted_slots);
	put(to, "padding_slots", c->padding_slots);
	put(to, "nop_slots", c->nop_slots);
	put(to, "tables", s->flow.tables);
	put(to, "table_targets", s->flow.table_targets);
	put(to, "table_targets_backward", s->flow.table_backward);
	for (int i = 0; i < COVER_N_GROUPS; i++)
		put_group(child(to, c->groups[i].key), &c->groups[i]);
	if (!s->verbose)
		return;
	array = list(to, "not_patchable");
	for (size_t i = 0; i < c->blocks.n; i++) {
		const struct block *b = &c->blocks.at[i];

		if (b->kind != BLOCK_NEEDS_SLOT || (b->reached && !b->loop_unmatched))
			continue;
		struct json_object *o = item(array);

		put(o, "leader", b->leader);
		put(o, "site", b->site);
		json_object_object_add(o, "loop_head", json_object_new_boolean(b->loop));
		put_text(o, "where", image_where(&s->image, b->leader, where, sizeof(where)));
		put_text(o, "why", report_failure(s, b, why, sizeof(why)));
	}
}

struct json_object *report_json(const struct subject *s)
{
	struct json_object *to = json_object_new_object(), *array;

	put_text(to, "file", s->image.path);
	put_text(to, "kind", subject_kind(s));
	json_object_object_add(to, "has_notes", json_object_new_boolean(s->model.present));
	put_notes(child(to, "notes"), s);
	if (s->coverage)
		put_coverage(child(to, "coverage"), s);
	if (!s->check)
		return to;
	array = list(to, "disagreements");
	for (size_t i = 0; i < s->findings.v.n; i++) {
		struct json_object *f = item(array);

		put_text(f, "check", check_name(s->findings.v.at[i].check));
		put(f, "address", s->findings.v.at[i].addr);
		put_text(f, "text", s->findings.v.at[i].text);
	}
	return to;
}
