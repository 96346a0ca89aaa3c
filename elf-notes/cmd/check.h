/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * check.h - do the notes agree with the code? Rows of checks.def, applied to one file.
 *
 * The judge is the disassembly (code.h), the symbol table and the unwind table; of
 * the notes it believes only where a certified range starts, and tests that too
 * wherever a function runs into one.
 */
#ifndef DYNOPT_CMD_CHECK_H
#define DYNOPT_CMD_CHECK_H

#include "flow.h"

enum check {
#define X(name, key, text) CHECK_##name,
#include "checks.def"
#undef X
	CHECK_N
};

struct finding {
	enum check check;
	u64 addr;
	char *text; /* owned */
};

struct findings {
	VEC(struct finding) v; /* by check, then in address order */
};

void check_notes(struct findings *findings, const struct image *image, const struct model *model,
                 const struct unwind *unwind, const struct code *code);
void findings_free(struct findings *findings);
const char *check_name(enum check check);

#endif
