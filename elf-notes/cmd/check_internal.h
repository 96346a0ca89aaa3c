/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * check_internal.h - what check.c (who arrives where) and check_items.c (what the
 * lists and reserves hold) share. Nobody else includes it.
 */
#ifndef DYNOPT_CMD_CHECK_INTERNAL_H
#define DYNOPT_CMD_CHECK_INTERNAL_H

#include "check.h"

struct checking {
	struct findings *findings;
	const struct image *image;
	const struct model *model;
	const struct unwind *unwind;
	const struct code *code;
};

struct where {
	char text[160];
};

void check_found(struct checking *c, enum check check, u64 addr, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Is addr in certified text, but at no instruction's start? */
bool check_inside(const struct checking *c, u64 addr);
const char *check_where(const struct checking *c, u64 addr, struct where *where);

/* check_items.c */
void check_ranges(struct checking *c);   /* slots, no-optimize ranges, PLAIN facts */
void check_records(struct checking *c);
void check_reserves(struct checking *c); /* code cache and far pool */

#endif
