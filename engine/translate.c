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

static enum status run_passes(const struct text *text, struct ir_tree *tree,
                              const struct translate_options *options, struct arena *arena,
                              u16 *done, struct failure *fail)
{
	static enum status (*const passes[])(struct pass *) = {
#define X(name, help, counts) pass_##name,
#include "passes.def"
#undef X
	};
	struct pass pass = {
		.tree = tree, .text = text, .arena = arena, .fail = fail, .left = options->limit
	};
	enum status status = STATUS_OK;

	pass.decoder = arena_alloc(arena, 1, decode_scratch_size());
	if (!pass.decoder)
		return failed(fail, STATUS_WORKSPACE, tree->head, arena->size);
	for (u32 i = 0; i < PASS_N && !status; i++) {
		pass.name = (enum pass_name)i;
		if (!(options->without >> i & 1))
			status = passes[i](&pass);
	}
	memcpy(done, pass.done, sizeof(pass.done));
	return status;
}

static enum status run(const struct text *text, const struct trace *trace,
                       const struct translate_options *options, struct arena *arena,
                       struct code *code, struct failure *fail)
{
	struct ir_tree tree, lifted;
	u16 done[PASS_N];
	enum status status;
	u64 before;

	status = lift_trace(text, trace, arena, &tree, fail);
	if (status)
		return status;
	lifted = tree; /* passes make ops anew */
	status = ir_verify(&tree, fail);
	if (status)
		return status;
	cost_weigh(&tree);
	before = cost_original(&tree);
	status = run_passes(text, &tree, options, arena, done, fail);
	if (!status)
		status = encode_tree(&tree, arena, code, fail);
	if (status)
		return status;
	code->n_insns = lifted.n_ops;
	memcpy(code->done, done, sizeof(done));
	code->cost_original = before;
	code->cost = cost_of(&tree);
	return options->prove ? validate(text, &lifted, code, arena, fail) : STATUS_OK;
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
