/* SPDX-License-Identifier: MIT */
/*
 * show_json.c - a status file as JSON. Addresses are module addresses as numbers, times are nanoseconds, sizes bytes.
 * Keys are an interface (docs/runtime.md): add, never rename.
 */
#include "show.h"

static void put_hops(struct json_object *to, const u64 *hops)
{
	to = json_child(to, "hops");
	for (u32 k = HOP_NONE + 1; k < HOP_KINDS; k++)
		json_number(to, status_hop_key(k), hops[k]);
}

static void put_refused(struct json_object *to, const u64 *refused)
{
	struct json_object *array = json_list(to, "refused");

	for (u32 i = 0; i < STATUS_REASONS; i++) {
		struct json_object *row;

		if (!refused[i])
			continue;
		row = json_item(array);
		json_text(row, "status", status_reason_name(i));
		json_text(row, "class", status_reason_class(i));
		json_text(row, "text", status_reason_words(i));
		json_number(row, "count", refused[i]);
	}
}

static void put_passes(struct json_object *to, const u64 *done)
{
	struct json_object *array = json_list(to, "passes");

	for (u32 k = 0; k < PASS_N; k++) {
		struct json_object *row = json_item(array);

		json_text(row, "pass", status_pass_key(k));
		json_text(row, "text", status_pass_words(k));
		json_text(row, "counts", status_pass_counts(k));
		json_number(row, "count", done[k]);
	}
}

static void put_totals(struct json_object *to, const struct status_view *v)
{
	struct status_sums s = status_sum(v);

	to = json_child(to, "totals");
	json_number(to, "text_bytes", s.text);
	json_number(to, "proven_bytes", s.proven);
	json_number(to, "functions", s.functions);
	json_number(to, "heads", s.heads);
	json_number(to, "translated", s.translated);
	json_number(to, "replaced", s.replaced);
	json_number(to, "withdrawn", s.withdrawn);
	json_number(to, "instructions", s.insns);
	json_number(to, "slots", s.slots);
	json_number(to, "cache_reserved", s.reserved);
	json_number(to, "cache_mapped", s.mapped);
	json_number(to, "cache_used", s.used);
	json_number(to, "build_ns", s.build_ns);
	json_number(to, "translate_ns", s.translate_ns);
	json_number(to, "apply_ns", s.apply_ns);
	put_hops(to, s.hops);
	put_passes(to, s.passes);
	put_refused(to, s.refused);
}

static void put_module(struct json_object *to, const struct status_module *m)
{
	u64 hops[HOP_KINDS], refused[STATUS_REASONS];

	json_text(to, "path", m->path);
	json_number(to, "base", m->base);
	json_flag(to, "live", m->live);
	json_flag(to, "noted", m->noted);
	json_number(to, "text_bytes", m->text_bytes);
	json_number(to, "proven_bytes", m->proven_bytes);
	json_number(to, "functions", m->n_functions);
	json_number(to, "heads", m->n_heads);
	json_number(to, "translated", m->n_translated);
	json_number(to, "replaced", m->n_replaced);
	json_number(to, "processes", m->n_processes);
	json_number(to, "withdrawn", m->n_withdrawn);
	json_number(to, "instructions", m->insns);
	json_number(to, "slots", m->n_slots);
	json_number(to, "cache_reserved", m->cache_reserved);
	json_number(to, "cache_mapped", m->cache_mapped);
	json_number(to, "cache_used", m->cache_used);
	json_number(to, "build_ns", m->build_ns);
	json_number(to, "translate_ns", m->translate_ns);
	json_number(to, "apply_ns", m->apply_ns);
	for (int k = 0; k < HOP_KINDS; k++)
		hops[k] = m->hops[k];
	for (int k = 0; k < STATUS_REASONS; k++)
		refused[k] = m->refused[k];
	put_hops(to, hops);
	put_refused(to, refused);
	if (m->refusal) {
		to = json_child(to, "refusal");
		json_text(to, "status", status_reason_name(m->refusal));
		json_text(to, "text", status_reason_words(m->refusal));
		json_number(to, "address", m->refusal_addr);
		json_number(to, "detail", m->refusal_detail);
	}
}

static void put_translations(struct json_object *to, const struct status_view *v)
{
	struct json_object *array = json_list(to, "translations");
	struct show_names *names = show_names_new(v);
	char name[256];

	for (u32 i = 0; i < v->head->n_translations; i++) {
		const struct status_translation *t = &v->translations[i];
		struct json_object *row = json_item(array);

		json_number(row, "module", t->module);
		json_number(row, "head", t->head);
		json_text(row, "where", show_name(names, t->module, t->head, name, sizeof(name)));
		json_number(row, "site", t->site);
		json_number(row, "code", t->code);
		json_number(row, "bytes", t->size);
		json_number(row, "instructions", t->n_insns);
		json_number(row, "blocks", t->n_blocks);
		json_text(row, "hop", status_hop_key(t->hop));
		row = json_child(row, "passes");
		for (u32 k = 0; k < PASS_N; k++)
			if (t->passes[k])
				json_number(row, status_pass_key(k), t->passes[k]);
	}
	show_names_free(names);
}

static void put_stages(struct json_object *to, const struct status_head *h)
{
	char key[32];

	for (u32 i = 0; i < STATUS_STAGE_N; i++) {
		snprintf(key, sizeof(key), "%s_ns", status_stage_key(i));
		json_number(to, key, h->stage_ns[i]);
	}
}

void show_head_json(const struct status_view *v, struct json_object *to)
{
	const struct status_head *h = v->head;
	char detail[256];

	json_number(to, "pid", h->pid);
	json_text(to, "program", h->program);
	json_flag(to, "alive", v->alive);
	json_text(to, "mode", status_mode_key(h->mode));
	json_text(to, "backend", status_backend_key(h->backend));
	json_text(to, "sampler",
	          h->backend == STATUS_BACKEND_kernel && h->mode == 3
	                  ? "module"
	                  : status_sampler_key(h->sampler));
	json_text(to, "state", status_state_key(h->state));
	json_text(to, "state_text", status_state_words(h->state));
	json_text(to, "cause", status_cause_key(h->cause));
	json_text(to, "cause_text", status_cause_words(h->cause));
	json_number(to, "detail", h->detail);
	json_text(to, "detail_text", status_detail_words(h, detail, sizeof(detail)));
	json_number(to, "agent_pid", h->agent_pid);
	json_number(to, "agent_cpu_ns", h->agent_cpu_ns);
	put_stages(json_child(to, "agent"), h);
	json_number(to, "before_main_ns", h->eager_ns);
	json_number(to, "flips", h->flips);
	json_number(to, "flip_ns", h->flip_ns);
	json_number(to, "cycles", h->cycles);
	json_number(to, "samples", h->samples);
	json_number(to, "samples_cache", h->samples_cache);
	json_number(to, "remembered", h->remembered);
	json_number(to, "remembered_left", h->remembered_left);
	json_text(to, "remember_wrong", status_remember_key(h->remember_wrong));
	json_text(to, "remember_text", status_remember_words(h->remember_wrong));
	json_text(to, "remember_detail", status_remember_detail(h, detail, sizeof(detail)));
	json_number(to, "first_live_ns", h->first_live_ns);
	json_number(to, "first_live_cpu_ns", h->first_live_cpu_ns);
	json_signed(to, "saved_ns", h->saved_ns);
	json_signed(to, "left_ns", h->left_ns);
	json_number(to, "phases", h->phases);
	json_number(to, "sample_ns", h->sample_ns);
	json_number(to, "walks", h->walks);
	json_number(to, "walk_runs", h->walk_runs);
	json_number(to, "walk_instructions", h->walk_insns);
	json_number(to, "walk_ns", h->walk_ns);
	json_number(to, "walks_stood", h->walks_stood);
	json_number(to, "walk_samples", h->walk_samples);
	json_number(to, "recent", h->recent);
	json_number(to, "recent_cache", h->recent_cache);
	json_number(to, "batches", h->batches);
}

void show_status_json(const struct status_view *v, const char *path, struct json_object *to)
{
	struct status_sums s = status_sum(v);

	show_head_json(v, to);
	json_number(to, "modules", v->head->n_modules);
	json_number(to, "heads", s.heads);
	json_number(to, "translated", s.translated);
	json_number(to, "cache_used", s.used);
	if (v->head->backend == STATUS_BACKEND_kernel)
		json_number(to, "shared_by", status_share(v).processes);
	json_text(to, "file", path);
}

/* Numbers of samples. */
static void put_heat(struct json_object *to, const struct status_heat *heat)
{
	struct status_reason top = status_top_reason(heat);
	struct json_object *outside, *refused, *trees;

	to = json_child(to, "heat");
	json_number(to, "samples", heat->samples);
	json_number(to, "reachable", status_reachable(heat));
	json_number(to, "in_translations", heat->samples_cache);
	json_text(to, "top_reason", top.key);
	json_text(to, "top_reason_text", top.words);
	json_number(to, "top_reason_samples", top.samples);
	trees = json_child(to, "trees");
	for (u32 i = 0; i < STATUS_TREE_N; i++)
		if (heat->trees[i])
			json_number(trees, status_tree_key(i), heat->trees[i]);
	outside = json_child(to, "outside");
	for (u32 i = 0; i < STATUS_HEAT_N; i++)
		if (heat->outside[i])
			json_number(outside, status_heat_key(i), heat->outside[i]);
	refused = json_child(to, "refused");
	for (u32 i = 0; i < STATUS_REASONS; i++)
		if (heat->refused[i])
			json_number(refused, status_reason_name(i), heat->refused[i]);
}

static void put_functions(struct json_object *to, const struct status_view *v)
{
	struct json_object *array = json_list(to, "functions");
	struct show_names *names = show_names_new(v);
	char name[256];

	for (u32 i = 0; i < v->head->n_functions; i++) {
		const struct status_function *f = &v->functions[i];
		struct json_object *row = json_item(array);
		bool known = f->module != STATUS_NO_MODULE;

		if (known)
			json_number(row, "module", f->module);
		json_number(row, "start", f->start);
		json_text(row, "where",
		          known ? show_name(names, f->module, f->start, name, sizeof(name)) : "");
		json_number(row, "samples", f->samples);
		json_number(row, "in_translations", f->samples_cache);
		json_number(row, "heads", f->n_heads);
		json_number(row, "translated", f->n_translated);
		json_text(row, "outside", status_heat_key(f->why));
		json_text(row, "outside_text", status_heat_words(f->why));
		json_text(row, "refused", f->status ? status_reason_name(f->status) : "");
		if (f->wait_samples) {
			json_number(row, "wait_load", f->wait_load);
			json_text(row, "wait_where",
			          show_name(names, f->module, f->wait_load, name, sizeof(name)));
			json_number(row, "wait_samples", f->wait_samples);
		}
	}
	show_names_free(names);
}

struct json_object *show_report_json(const struct status_view *v, bool translations)
{
	struct json_object *to = json_object_new_object(), *array;

	show_head_json(v, to);
	put_heat(to, &v->head->heat);
	put_functions(to, v);
	put_totals(to, v);
	array = json_list(to, "modules");
	for (u32 i = 0; i < v->head->n_modules; i++)
		put_module(json_item(array), &v->modules[i]);
	if (translations)
		put_translations(to, v);
	return to;
}
