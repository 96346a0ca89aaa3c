/* SPDX-License-Identifier: MIT */
/*
 * ir_costs.c - see ir_costs.h. Time is the thread's CPU time.
 */
#include <stdio.h>
#include <time.h>
#include "ir_costs.h"

static u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (u64)now.tv_sec * 1000000000u + (u64)now.tv_nsec;
}

/* From a trace to the phase's end; *n_insns: of the tree. */
static enum status run(enum cost_phase phase, const struct text *text, const struct trace *trace,
                       const struct translate_options *given, struct arena *arena, u32 *n_insns,
                       struct code *code)
{
	struct translate_options options = *given;
	struct ir_tree tree;
	enum status status;

	if (phase == COST_LIFT) {
		status = lift_trace(text, trace, arena, &tree, NULL);
		*n_insns = status ? 0 : tree.n_ops;
		return status ? status : ir_verify(&tree, NULL);
	}
	options.prove = phase == COST_PROOF;
	status = translate_with(text, trace, &options, arena, code, NULL);
	*n_insns = status ? 0 : code->n_insns;
	return status;
}

void costs_take(struct costs *costs, const struct text *text, const struct trace *trace,
                const struct translate_options *options, struct arena *arena, u32 rounds)
{
	u64 mark = arena_mark(arena);
	struct code code;
	enum status status;
	u32 n_insns;

	costs->n++;
	arena->peak = arena->used;
	status = run(COST_PROOF, text, trace, options, arena, &n_insns, &code);
	arena_release(arena, mark);
	costs->refused[status]++;
	if (status)
		return;
	costs->n_proven++;
	costs->executed += (double)code.cost / COST_ENTRY * trace->entries;
	costs->originally += (double)code.cost_original / COST_ENTRY * trace->entries;
	costs->insns += (u64)n_insns * rounds;
	if (arena->peak - mark > costs->workspace)
		costs->workspace = arena->peak - mark;
	for (u32 phase = 0; phase < COST_PHASES; phase++) {
		u64 began = now_ns();

		for (u32 i = 0; i < rounds; i++) {
			(void)!run((enum cost_phase)phase, text, trace, options, arena, &n_insns,
			           &code);
			arena_release(arena, mark);
		}
		costs->ns[phase] += now_ns() - began;
	}
}

static double per_insn(const struct costs *costs, u64 ns)
{
	return costs->insns ? (double)ns / (double)costs->insns : 0;
}

void costs_print(const struct costs *costs)
{
	const u64 *ns = costs->ns;

	printf("%u traces, %u proven; workspace %.2f MiB\n", costs->n, costs->n_proven,
	       (double)costs->workspace / (1 << 20));
	printf("ns for each instruction: lift %.0f, passes and encoding %.0f, proof %.0f; together %.0f\n",
	       per_insn(costs, ns[COST_LIFT]), per_insn(costs, ns[COST_CODE] - ns[COST_LIFT]),
	       per_insn(costs, ns[COST_PROOF] - ns[COST_CODE]), per_insn(costs, ns[COST_PROOF]));
	if (costs->originally > 0)
		printf("by the traces' entries %.2f %% of the original's instructions are executed\n",
		       100 * costs->executed / costs->originally);
	for (u32 i = STATUS_OK + 1; i < STATUS_N; i++)
		if (costs->refused[i])
			printf("  %s %u\n", status_name((enum status)i), costs->refused[i]);
}
