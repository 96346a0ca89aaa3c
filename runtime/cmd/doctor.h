/* SPDX-License-Identifier: MIT */
/*
 * doctor.h - findings of `dynopt doctor`: one line each, with what to do.
 */
#ifndef DYNOPT_RUNTIME_DOCTOR_H
#define DYNOPT_RUNTIME_DOCTOR_H

#include "base.h"

#include <limits.h>

enum level { LEVEL_OK, LEVEL_WARN, LEVEL_MISSING };

struct finding {
	const char *name;   /* stable key */
	enum level level;   /* MISSING: what run --eager needs is not there */
	char *text;         /* what was found */
	const char *advice; /* NULL with LEVEL_OK */
};

struct findings_list {
	VEC(struct finding) v;
};

/* Takes `text`. */
void finding_add(struct findings_list *list, const char *name, enum level level, char *text,
                 const char *advice);

/* doctor_needs.c: what run --eager cannot do without; tried, not guessed. */
void doctor_needs(struct findings_list *list);
/* doctor_machine.c: what else of the machine plays a part. */
void doctor_machine(struct findings_list *list);
/* doctor_trial.c: starts a shell under run --eager. */
void doctor_trial(struct findings_list *list);

/* The number in a one-line file, or DOCTOR_UNKNOWN: perf_event_paranoid may well be -1. */
#define DOCTOR_UNKNOWN LONG_MIN
long doctor_number(const char *path);

#endif
