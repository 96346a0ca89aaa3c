/* SPDX-License-Identifier: MIT */
/*
 * linker.h - which linker clang is going to run.
 */
#ifndef DYNOPT_DRIVER_LINKER_H
#define DYNOPT_DRIVER_LINKER_H

#include "request.h"

enum linker_kind { LINKER_LLD, LINKER_BFD, LINKER_GOLD, LINKER_MOLD, LINKER_OTHER };

struct linker {
	enum linker_kind kind;
	const char *choice; /* -fuse-ld=... that we add; NULL: clang or the user decides */
	bool same_llvm;     /* an lld of our clang's own version: it takes our pass plugin */
	const char *name;   /* for messages */
};

/* `clang_dir` is the directory of the real compiler, links resolved. */
void linker_find(const struct request *r, const char *clang_dir, struct linker *linker);

/* First executable `name` in the directories of a PATH-like list, or NULL. */
char *path_find(const char *list, const char *name);

#endif
