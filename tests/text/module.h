/* SPDX-License-Identifier: MIT */
/*
 * module.h - a file's text, built with as much memory as text_build_size() says, for the programs of this folder.
 */
#ifndef DYNOPT_TESTS_TEXT_MODULE_H
#define DYNOPT_TESTS_TEXT_MODULE_H

#include "text.h"

struct module {
	const u8 *bytes;
	u64 size;
	struct elf_view view;
	struct arena keep, scratch;
	struct text text;
	double cpu_s; /* of text_build() */
};

/* False if the file cannot be read or is refused as a whole; then it has said why on stderr. */
bool module_build(struct module *m, const char *path);
/* Zeroes that nobody has touched; there is memory, or the program ends. */
void module_arena(struct arena *arena, u64 size);
void module_close(struct module *m);

#endif
