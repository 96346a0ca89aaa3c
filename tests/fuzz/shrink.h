/* SPDX-License-Identifier: MIT */
/*
 * shrink.h - a trace that fails, made as small as it still fails, and written as a case of tests/golden.
 */
#ifndef DYNOPT_FUZZ_SHRINK_H
#define DYNOPT_FUZZ_SHRINK_H

#include <stdio.h>
#include "shape.h"

typedef bool shrink_fails(void *ctx);

/*
 * Takes blocks away, with all that hangs on them or all that they hang on, and the head's first instructions, as long as fails() still
 * says so of shape->trace. Afterwards no single step of these makes it smaller.
 */
void shrink(const struct text *text, struct shape *shape, shrink_fails *fails, void *ctx);
/*
 * Arguments, code and trace, as tests/golden/run.sh reads them; between the trace's instructions int3. False: some are far apart, a
 * comment stands between them, and somebody has to move them together.
 */
bool shrink_print(const struct text *text, const struct trace *trace, FILE *out);

#endif
