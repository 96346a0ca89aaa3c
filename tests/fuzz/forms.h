/* SPDX-License-Identifier: MIT */
/*
 * forms.h - code made of the instructions of a file: each form (mnemonic, encoding, kinds of operands) that its text has
 * stands beside every other, with other registers, displacements and immediates.
 *
 * The result is a module like one from a file: two megabytes of functions with branches of all kinds among them,
 * read-only and writable data for RIP-relative operands. With `calls`, functions have frames and call one another.
 */
#ifndef DYNOPT_FUZZ_FORMS_H
#define DYNOPT_FUZZ_FORMS_H

#include "module.h"

/* False with a message. */
bool forms_load(struct module *m, const char *path, bool calls, u64 seed);

#endif
