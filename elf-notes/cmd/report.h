/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * report.h - all that `dynopt notes` has found out about one file, and the two ways to print it.
 *
 * Text is for people and may change; the JSON keys are stable.
 */
#ifndef DYNOPT_CMD_REPORT_H
#define DYNOPT_CMD_REPORT_H

#include <json-c/json.h>

#include "check.h"
#include "cover.h"

struct subject {
	struct image image;
	struct model model;
	struct unwind unwind;
	struct code code;
	struct flow flow;
	struct cover cover;
	struct findings findings;
	bool coverage, check, verbose; /* what was asked for */
};

/* X(NAME, "words", "key"): DYNOPT_FORBID_... in words. */
#define FORBID_WORDS(X) \
	X(PATCH, "no patching", "patch") \
	X(TRANSLATE, "no translating", "translate") \
	X(INLINE, "no inlining through it", "inline") \
	X(DEFER, "no deferred stack writes", "defer")

/* Reads, measures and checks; false with *error when the file cannot be read. */
bool subject_open(struct subject *subject, const char *path, char **error);
bool subject_open_memory(struct subject *subject, const char *path, u8 *bytes, size_t size,
                         char **error);
void subject_close(struct subject *subject);
/* EXIT_OK or EXIT_DISAGREE. */
int subject_verdict(const struct subject *subject);
const char *subject_kind(const struct subject *subject);

/* Figures that both printers need and no other array holds. */
struct subject_sums {
	u64 functions, plain, stack_private, both;
	u64 slots, opaque, opaque_bytes, tables, table_entries, tables_unknown_jump;
	u64 ranges, range_bytes, folded, record_bytes, cache_bytes, farslots, disabled;
};
struct subject_sums subject_sum(const struct subject *subject);

void report_text(const struct subject *subject, FILE *out);
struct json_object *report_json(const struct subject *subject);

/* The reasons of a no-optimize range in words, comma-separated, in buffer; returns buffer. */
const char *report_reasons(u64 reasons, char *buffer, size_t size);
const char *report_forbids(u32 forbids, char *buffer, size_t size);
/* Why a block is not patchable, in words. */
const char *report_failure(const struct subject *subject, const struct block *block, char *buffer,
                           size_t size);

#endif
