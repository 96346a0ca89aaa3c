/* SPDX-License-Identifier: MIT */
/*
 * profile_formats.h - a module's samples in the formats of other tools.
 */
#ifndef DYNOPT_RUNTIME_PROFILE_FORMATS_H
#define DYNOPT_RUNTIME_PROFILE_FORMATS_H

#include "profile_file.h"

/* X(name, "for the manual"); format_<name>() writes it. */
#define PROFILE_FORMATS(X) \
	X(profgen, \
	  "an unsymbolized profile, for llvm-profgen-19 --use-offset=0 --unsymbolized-profile=FILE") \
	X(clang, \
	  "for clang-19 -fprofile-sample-use=FILE; made by llvm-profgen-19 of the lines in BINARY's debug information") \
	X(bolt, "for llvm-bolt-19 -data=FILE: samples by symbol, without branches") \
	X(pprof, "a CPU profile of gperftools, for pprof and google-pprof")

/* False with *error in one line (to be freed): nothing useful was written. */
#define X(name, text) \
	bool format_##name(const struct profile *profile, const struct image *image, FILE *out, \
	                   char **error);
PROFILE_FORMATS(X)
#undef X

/* "1 name" or "1 name/file/N": how BOLT calls a function; by address, for one image. False: its symbol is no function. */
bool bolt_name(const struct image *image, const struct symbol *symbol, char *buffer, size_t size);
/* The address of what bolt_name() has called so. */
bool bolt_find(const struct image *image, const char *name, u64 *addr);

#endif
