/* SPDX-License-Identifier: MIT */
/*
 * status_read.h - a status file, checked: what is reached through struct status_view can be used without a look.
 */
#ifndef DYNOPT_RUNTIME_STATUS_READ_H
#define DYNOPT_RUNTIME_STATUS_READ_H

#include "base.h"
#include "status_file.h"

struct status_view {
	void *bytes; /* the file */
	const struct status_head *head;
	const struct status_module *modules;
	const struct status_translation *translations;
	const struct status_function *functions; /* hottest first */
	bool alive; /* the process is there and is the same one */
};

/* False with *error in one line (to be freed); *missing: there is no such file. */
bool status_read(struct status_view *view, const char *path, bool *missing, char **error);
void status_free(struct status_view *view);

/* Names and words of the enums; "?" for what this version does not know. */
const char *status_state_key(u32 state);
const char *status_state_words(u32 state);
const char *status_cause_key(u32 cause);
const char *status_cause_words(u32 cause);
const char *status_mode_key(u32 mode);
const char *status_backend_key(u32 backend);
const char *status_sampler_key(u32 sampler); /* "?" behind the last one */
const char *status_sampler_words(u32 sampler);
/* What head->detail says beside the cause, in buffer: an error's words, a line, a number, or ""; returns buffer. */
const char *status_detail_words(const struct status_head *head, char *buffer, size_t size);
const char *status_hop_key(u32 hop);
/* Of enum pass_name, below PASS_N: its name, what it does, what it counts. */
const char *status_pass_key(u32 pass);
const char *status_pass_words(u32 pass);
const char *status_pass_counts(u32 pass);
/* Of enum status_remember, and what head->remember_detail says beside it, as status_detail_words(). */
const char *status_remember_key(u32 what);
const char *status_remember_words(u32 what);
const char *status_remember_detail(const struct status_head *head, char *buffer, size_t size);
/* Of enum status_heat_why. */
const char *status_heat_key(u32 why);
const char *status_heat_words(u32 why);
const char *status_stage_key(u32 stage);
const char *status_tree_key(u32 tree);
/* Rows of engine_status.def. */
const char *status_reason_name(u32 status);
const char *status_reason_class(u32 status);
const char *status_reason_words(u32 status);

/* Samples in code that can be translated, wherever they were taken. */
u64 status_reachable(const struct status_heat *heat);
/* What keeps most samples out of translations: its key, words and samples (0: nothing does). */
struct status_reason {
	const char *key, *words;
	u64 samples;
};
struct status_reason status_top_reason(const struct status_heat *heat);

/* Sums over a file's modules. */
struct status_sums {
	u64 text, proven, functions, heads, translated, replaced, withdrawn, slots, reserved,
		mapped, used, insns;
	u64 build_ns, translate_ns, apply_ns;
	u64 hops[HOP_KINDS], refused[STATUS_REASONS];
	u64 passes[PASS_N]; /* over its translations: how much each pass did */
};
struct status_sums status_sum(const struct status_view *view);

/* Backend kernel: what the process shares with others. */
struct status_sharing {
	u64 translations, bytes; /* of the code cache */
	u64 processes; /* that share the file with most of them, itself included */
};
struct status_sharing status_share(const struct status_view *view);

#endif
