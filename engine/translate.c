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

static enum status run_passes(const struct text *text, struct ir_tree *tree, struct arena *arena,
                              struct failure *fail)
{
	static enum status (*const passes[])(struct pass *) = {
#define X(name, help) pass_##name,
#include "passes.def"
#undef X
	};
	struct pass pass = { .tree = tree, .text = text, .arena = arena, .fail = fail };
	enum status status = STATUS_OK;

	pass.decoder = arena_alloc(arena, 1, decode_scratch_size());
	if (!pass.decoder)
		return failed(fail, STATUS_WORKSPACE, tree->head, arena->size);
	for (u32 i = 0; i < sizeof(passes) / sizeof(passes[0]) && !status; i++)
		status = passes[i](&pass);
	return status;
}

static enum status run(const struct text *text, const struct trace *trace, struct arena *arena,
                       bool prove, struct code *code, struct failure *fail)
{
	struct ir_tree tree, lifted;
	enum status status;

	status = lift_trace(text, trace, arena, &tree, fail);
	if (status)
		return status;
	lifted = tree; /* passes make ops anew */
	status = ir_verify(&tree, fail);
	if (!status)
		status = run_passes(text, &tree, arena, fail);
	if (status)
		return status;
	status = encode_tree(&tree, arena, code, fail);
	return status || !prove ? status : validate(text, &lifted, code, arena, fail);
}

static enum status run_or_nothing(const struct text *text, const struct trace *trace,
                                  struct arena *arena, bool prove, struct code *code,
                                  struct failure *fail)
{
	u64 before = arena_mark(arena);
	struct code made;
	enum status status = run(text, trace, arena, prove, &made, fail);

	if (status)
		arena_release(arena, before);
	else
		*code = made;
	return status;
}

enum status translate(const struct text *text, const struct trace *trace, struct arena *arena,
                      struct code *code, struct failure *fail)
{
	return run_or_nothing(text, trace, arena, false, code, fail);
}

enum status translate_proven(const struct text *text, const struct trace *trace,
                             struct arena *arena, struct code *code, struct failure *fail)
{
	return run_or_nothing(text, trace, arena, true, code, fail);
}
