/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * translate.c - the order of the pipe.
 *
 * Every step hands its successor a plain struct in the same arena. Invariant: nothing reaches the
 * encoder that ir_verify() has not seen in that very state, and translate_proven() hands out
 * nothing that validate() has not proven.
 */
#include "translate.h"

#include "pass.h"
#include "validate.h"

/* A tree on its way through the passes. */
struct work {
	struct ir_tree tree;
	struct pass pass;
	u32 without;
	u64 cost;
};

/* Passes that have parts of loops stand twice; they come first. */
#define UNROLL (1u << PASS_unroll)
#define PEEL (1u << PASS_peel)
#define COPYING (1u << PASS_rotate | UNROLL | PEEL)

#define WORTH 1024 /* a share of what is executed that is worth more code */

/* The lifted tree, which other work is done on as well: passes make its instructions anew, but not its blocks. */
static enum status work_begin(struct work *work, const struct text *text,
                              const struct ir_tree *lifted, const struct translate_options *options,
                              u32 without, struct arena *arena, struct failure *fail)
{
	*work = (struct work){
		.tree = *lifted,
		.pass = { .text = text, .arena = arena, .fail = fail, .left = options->limit },
		.without = options->without | without
	};
	work->tree.blocks = arena_alloc(arena, lifted->n_blocks, sizeof(*lifted->blocks));
	work->pass.decoder = arena_alloc(arena, 1, decode_scratch_size());
	if (!work->tree.blocks || !work->pass.decoder)
		return failed(fail, STATUS_WORKSPACE, lifted->head, arena->size);
	memcpy(work->tree.blocks, lifted->blocks, lifted->n_blocks * sizeof(*lifted->blocks));
	return STATUS_OK;
}

static enum status run_passes(struct work *work, u32 which)
{
	static enum status (*const passes[])(struct pass *) = {
#define X(name, help, counts) pass_##name,
#include "passes.def"
#undef X
	};
	enum status status = STATUS_OK;

	work->pass.tree = &work->tree;
	for (u32 i = 0; i < PASS_N && !status; i++) {
		work->pass.name = (enum pass_name)i;
		if ((which & ~work->without) >> i & 1)
			status = passes[i](&work->pass);
	}
	return status;
}

static bool copied_the_same(const struct work *a, const struct work *b)
{
	for (u32 i = 0; i < PASS_N; i++)
		if ((COPYING >> i & 1) && a->pass.done[i] != b->pass.done[i])
			return false;
	return true;
}

/* Is the tree worth more code? */
static bool saves(const struct work *work, const struct work *smaller)
{
	return work->cost + smaller->cost / WORTH < smaller->cost;
}

/*
 * The tree through all passes: as it is, and with loops rotated, unrolled or peeled, too. The one that executes least is taken; one with
 * more code has to save something.
 */
static enum status pass_through(const struct text *text, const struct ir_tree *lifted,
                                const struct translate_options *options, struct arena *arena,
                                struct work *best, struct failure *fail)
{
	static const u32 left_out[] = { COPYING, PEEL | UNROLL, PEEL, UNROLL };
	enum status status = STATUS_OK;

	for (u32 i = 0; i < sizeof(left_out) / sizeof(left_out[0]) && !status; i++) {
		u64 before = arena_mark(arena);
		struct work work;

		status = work_begin(&work, text, lifted, options, left_out[i], arena, fail);
		if (!status)
			status = run_passes(&work, COPYING);
		if (status || (i && copied_the_same(&work, best))) {
			arena_release(arena, before);
			continue;
		}
		status = run_passes(&work, ~COPYING);
		work.cost = cost_of(&work.tree);
		if (!status && (!i || saves(&work, best)))
			*best = work;
		else
			arena_release(arena, before);
	}
	return status;
}

/* From the lifted tree to code. */
static enum status make(const struct text *text, const struct ir_tree *lifted,
                        const struct translate_options *options, struct arena *arena,
                        struct code *code, struct failure *fail)
{
	struct work best;
	enum status status = pass_through(text, lifted, options, arena, &best, fail);

	if (!status)
		status = encode_tree(&best.tree, arena, code, fail);
	if (status)
		return status;
	code->n_insns = lifted->n_ops;
	memcpy(code->done, best.pass.done, sizeof(code->done));
	code->cost_original = cost_original(lifted);
	code->cost = best.cost + code->cost_nops;
	return options->prove ? validate(text, lifted, code, arena, fail) : STATUS_OK;
}

/* What meets a limit is made once more without the copies. */
static enum status run(const struct text *text, const struct trace *trace,
                       const struct translate_options *options, struct arena *arena,
                       struct code *code, struct failure *fail)
{
	struct translate_options smaller = *options;
	struct ir_tree lifted;
	enum status status;
	u64 before;

	status = lift_trace(text, trace, arena, &lifted, fail);
	if (!status)
		status = ir_verify(&lifted, fail);
	if (status)
		return status;
	cost_weigh(&lifted);
	before = arena_mark(arena);
	status = make(text, &lifted, options, arena, code, fail);
	smaller.without |= COPYING;
	if (!status || status_class(status) != STATUS_CLASS_LIMIT ||
	    smaller.without == options->without)
		return status;
	arena_release(arena, before);
	return make(text, &lifted, &smaller, arena, code, fail);
}

enum status translate_with(const struct text *text, const struct trace *trace,
                           const struct translate_options *options, struct arena *arena,
                           struct code *code, struct failure *fail)
{
	u64 before = arena_mark(arena);
	struct code made;
	enum status status = run(text, trace, options, arena, &made, fail);

	if (status)
		arena_release(arena, before);
	else
		*code = made;
	return status;
}

enum status translate(const struct text *text, const struct trace *trace, struct arena *arena,
                      struct code *code, struct failure *fail)
{
	return translate_with(text, trace, &TRANSLATE_ALL, arena, code, fail);
}

enum status translate_proven(const struct text *text, const struct trace *trace,
                             struct arena *arena, struct code *code, struct failure *fail)
{
	struct translate_options options = TRANSLATE_ALL;

	options.prove = true;
	return translate_with(text, trace, &options, arena, code, fail);
}
