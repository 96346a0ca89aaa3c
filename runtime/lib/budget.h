/* SPDX-License-Identifier: MIT */
/*
 * budget.h - CPU time that the agent may use: an account for each program, carried on from run to run.
 *
 * It is paid `per_mille` of the CPU time that the program uses, and a small part of what translations are reckoned to have saved; what the agent uses is taken from it. What BUDGET_BEFORE_NS will have earned is paid beforehand,
 * BUDGET_HASTE times as fast: nobody gets anything done of less. Who is past that is expected to run as long again, and is paid for that, up to BUDGET_AHEAD_NS of it, but not much more than translations have saved. Where it is known how long earlier runs were, half of what this one is expected to earn is there at once; what earlier runs have left counts as paid beforehand. So a program that gains nothing loses `per_mille`, in the mean over its runs and, but for what its account has, in each that takes
 * that long.
 */
#ifndef DYNOPT_BUDGET_H
#define DYNOPT_BUDGET_H

#include "port.h"

#define BUDGET_BEFORE_NS 1000000000u
#define BUDGET_HASTE 3 /* times as fast, until that much is paid for */
#define BUDGET_AHEAD_NS 4000000000u
#define BUDGET_SAVED 8 /* one of so many parts of what is saved, as instructions are not time, */
#define BUDGET_SAVED_MOST 2 /* and of what is paid anyway, at most */
#define BUDGET_AT_ONCE 2 /* one of so many parts of what a run is expected to earn, */
#define BUDGET_AT_ONCE_NS \
	4000000000u /* and no more than is paid for so long, as it may be another one */
#define BUDGET_LATE 4 /* one of so many parts of a run */
#define BUDGET_LEFT_NS 20000000 /* that is carried on, or owed, at most */
#define BUDGET_VAIN_NS \
	10000000 /* that a run owes besides which has looked and saved less than that took, at most: the same would come of it the next time */

/* A run so far. */
struct budget {
	u64 per_mille;
	u64 cpu_ns; /* that the program has used */
	s64 saved_ns; /* of that, by translations; may be less than nothing */
	u64 expected_ns; /* that it is expected to use in all; 0: nothing is known */
	s64 left_ns; /* by earlier runs; less than 0: owed */
	bool looked; /* for something to translate; the agent has, in this run */
};

/* What the agent may have used by now. */
u64 budget_credit(const struct budget *b);
/* What this run adds to the account, if the agent has used used_ns; less than 0: takes. */
s64 budget_change(const struct budget *b, u64 used_ns);

/*
 * Is it better to leave what there is to the next run? So it is when a part of what is expected of this one is over, of which the next will have the use, and when
 * it can be carried on.
 */
bool budget_waits(const struct budget *b, u64 expected_ns, u64 used_ns);

/* What is known of earlier runs: their CPU time, latest first (0: there was none), and what is left on the account. */
#define BUDGET_RUNS 8
struct budget_past {
	u32 ms[BUDGET_RUNS];
	s32 left_us;
};

/*
 * What is expected in all of a run that has used cpu_ns: the shortest of earlier runs that was longer than that; cpu_ns where none was. So one that is started
 * in vain now and then is not worked for until it is past these.
 */
u64 budget_expect(const struct budget_past *past, u64 cpu_ns);
/* CPU time that remembered samples stand for, if each run keeps one of `share` of its own and of those that it has found. */
u64 budget_sampled_ns(const struct budget_past *past, u32 share);
/* A run that has used cpu_ns, and changes the account. */
void budget_add(struct budget_past *past, u64 cpu_ns, s64 change_ns);

/*
 * As the first lines of a sample file: "ran" and eight numbers, "left" or "owed" and one, of ten digits each, so always of this size, and they can be written
 * in place.
 */
#define BUDGET_LINES (3 + BUDGET_RUNS * 11 + 1 + 4 + 11 + 1)
void budget_print(const struct budget_past *past, char lines[BUDGET_LINES]);
/* False: they are none. */
bool budget_parse(const char *lines, u64 size, struct budget_past *out);

#endif
