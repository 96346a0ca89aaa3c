/* SPDX-License-Identifier: MIT */
/*
 * mutate_code.h - a translation with one thing changed: a byte, an instruction, a row of a table.
 *
 * The change is one that a wrong pass or encoder could make, or a hostile sender; most of them change what the code does. Bytes
 * that code_place() fills in are not touched, for they would be overwritten.
 */
#ifndef DYNOPT_VALIDATE_MUTATE_CODE_H
#define DYNOPT_VALIDATE_MUTATE_CODE_H

#include "code.h"
#include "decode.h"
#include "text.h"

enum mutant_kind {
#define X(name, help) MUTANT_##name,
#include "mutants.def"
#undef X
	MUTANT_KINDS
};

struct mutant {
	const struct text *text; /* from which the code was made */
	const struct code *from;
	struct code code; /* its arrays are copies */
	struct insn *insns; /* of the unchanged code, at offsets as addresses */
	u32 n_insns;
	void *decoder;
	u32 at; /* offset of what was changed; tables: number of the row */
};

extern const char *const mutant_names[MUTANT_KINDS];
extern const char *const mutant_help[MUTANT_KINDS];

/* False if there is no room, or the code does not decode from its first to its last byte. */
bool mutant_begin(struct mutant *m, const struct text *text, const struct code *from, void *decoder,
                  struct arena *arena);
/* Makes m->code anew with one change of this kind; false if the code has nothing of the kind. */
bool mutant_make(struct mutant *m, enum mutant_kind kind, u64 *rnd);

#endif
