/* SPDX-License-Identifier: MIT */
/*
 * spoil_code.h - a translation whose bytes and tables lie: what the validator may be handed by somebody hostile.
 *
 * Every array is a heap block of exactly its length, so that a sanitizer sees an access past it. What is kept true is what a
 * caller answers for: the lengths.
 */
#ifndef DYNOPT_FUZZ_SPOIL_CODE_H
#define DYNOPT_FUZZ_SPOIL_CODE_H

#include "code.h"

/* False if there is no memory; then, too, code_forget() is due. */
bool code_copy(struct code *copy, const struct code *from);
void code_forget(struct code *copy);
/* Changes the copy in up to 12 places; it may get shorter. */
void code_spoil(struct code *copy, u64 *rnd);

#endif
