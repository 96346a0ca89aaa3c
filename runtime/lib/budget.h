/* SPDX-License-Identifier: MIT */
/*
 * budget.h - CPU time that the agent may use: by what the program has used so far, and by what earlier runs let expect of this one.
 *
 * Per mille of the program's, three times as many until that comes to 100 ms. What is expected counts as used, for these 100 ms only: so a program
 * that ran for seconds can be worked for at once, and whatever becomes of this run, the agent has not used more than
 * 100 ms and its part.
 */
#ifndef DYNOPT_BUDGET_H
#define DYNOPT_BUDGET_H

#include "port.h"

#define BUDGET_FIRST_NS 10000000u
#define BUDGET_CREDIT_NS 100000000u
#define BUDGET_HASTE 3 /* the budget so many times, until there */

/* What it may have used when the program has used cpu_ns, and expected_ns (or less: then nothing is expected) are expected in all. */
u64 budget_credit(u64 cpu_ns, u64 expected_ns, u64 per_mille);

/* CPU time of earlier runs, latest first; 0: there was none. */
#define BUDGET_RUNS 8
struct budget_runs {
	u32 ms[BUDGET_RUNS];
};

/*
 * What is expected in all of a run that has used cpu_ns: the shortest of earlier runs that was longer than that; cpu_ns where none was. So one that is started
 * in vain now and then is not worked for until it is past these.
 */
u64 budget_expect(const struct budget_runs *runs, u64 cpu_ns);
void budget_add(struct budget_runs *runs, u64 cpu_ns);

/* As a line of a sample file: "ran", eight numbers of ten digits, always of this size, so that it can be written in place. */
#define BUDGET_LINE (3 + BUDGET_RUNS * 11 + 1)
void budget_print(const struct budget_runs *runs, char line[BUDGET_LINE]);
/* False: it is none. */
bool budget_parse(const char *line, u64 size, struct budget_runs *out);

#endif
