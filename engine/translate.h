/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * translate.h - the pipe: lift, verify, passes in the order of passes.def, verify, encode.
 *
 * One call, one trace, no side effects but in the arena. The same call serves the embedded
 * backend, the kernel module, the fuzzers and dynopt-ir, so what one of them sees can be repeated
 * by another.
 */
#ifndef DYNOPT_ENGINE_TRANSLATE_H
#define DYNOPT_ENGINE_TRANSLATE_H

#include "code.h"
#include "cost.h"
#include "lift.h"
#include "pass.h"

/* What may be asked for besides the whole. */
struct translate_options {
	u32 without; /* bit i: pass i of passes.def is left out */
	u32 limit; /* changes that passes may make, all together; calls that disappear do not count */
	bool prove; /* refuse what validate() cannot prove (STATUS_VALIDATE_...) */
};
#define TRANSLATE_ALL ((struct translate_options){ .limit = 0xffffffffu })

__must_check enum status translate_with(const struct text *text, const struct trace *trace,
                                        const struct translate_options *options,
                                        struct arena *arena, struct code *code,
                                        struct failure *fail);

/* *code lives in `arena`. On failure the arena is as before and *fail names the place. */
__must_check enum status translate(const struct text *text, const struct trace *trace,
                                   struct arena *arena, struct code *code, struct failure *fail);
/* The same, but refused as well if validate() cannot prove it (STATUS_VALIDATE_...). */
__must_check enum status translate_proven(const struct text *text, const struct trace *trace,
                                          struct arena *arena, struct code *code,
                                          struct failure *fail);
/* The same where nobody can make good what is owed: code that has the original's state at each instruction (exact.c). */
__must_check enum status translate_exact(const struct text *text, const struct trace *trace,
                                         struct arena *arena, struct code *code,
                                         struct failure *fail);

#endif
