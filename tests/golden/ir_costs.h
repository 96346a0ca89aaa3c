/* SPDX-License-Identifier: MIT */
/*
 * ir_costs.h - what the engine costs: CPU time for each original instruction by phase, workspace, and what is refused; and what
 * its translations save by their cost model.
 */
#ifndef DYNOPT_TESTS_IR_COSTS_H
#define DYNOPT_TESTS_IR_COSTS_H

#include "translate.h"

/* Each phase goes from a trace to its own end, so that what one takes is the difference to the one before. */
enum cost_phase { COST_LIFT, COST_CODE, COST_PROOF, COST_PHASES };

struct costs {
	u64 ns[COST_PHASES];
	u64 insns; /* of proven translations, times the rounds */
	u64 workspace; /* bytes, the most that one needed */
	double executed, originally; /* instructions, by the traces' entries and weights */
	u32 n, n_proven, refused[STATUS_N];
};

/* Translates a trace `rounds` times, up to each phase's end. */
void costs_take(struct costs *costs, const struct text *text, const struct trace *trace,
                const struct translate_options *options, struct arena *arena, u32 rounds);
void costs_print(const struct costs *costs);

#endif
