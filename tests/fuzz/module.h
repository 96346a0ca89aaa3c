/* SPDX-License-Identifier: MIT */
/*
 * module.h - a program or library whose code the native fuzzers run, and what the engine knows of it.
 *
 * Either a file, mapped and read by text_build(), or code that forms.c made: then the view has its
 * spans and the marks say that every instruction is proven. Nothing in it changes afterwards.
 */
#ifndef DYNOPT_FUZZ_MODULE_H
#define DYNOPT_FUZZ_MODULE_H

#include "text.h"

struct module {
	const char *path;
	const u8 *bytes; /* of the file */
	u64 size;
	struct elf_view view;
	struct text text;
	u64 lo, hi; /* module addresses: pages of all its segments, bss included */
	u64 base;   /* where the guest has module address 0 */
	u64 *heads; /* proven instructions at which traces may start, and every one at which they may go on */
	u32 n_heads;
};

/* False with a message. */
bool module_load(struct module *m, const char *path);
/* Fills in heads[], lo, hi and base from view and text. */
bool module_finish(struct module *m, bool relocatable);

/* The engine's decoder memory, one for the process. */
void *scratch_decode(void);

#endif
