/* SPDX-License-Identifier: MIT */
/*
 * profile_import.h - what other tools have sampled, as samples of one module.
 */
#ifndef DYNOPT_RUNTIME_PROFILE_IMPORT_H
#define DYNOPT_RUNTIME_PROFILE_IMPORT_H

#include "profile_file.h"

/* X(name, "for the manual"); import_<name>() reads it. */
#define PROFILE_IMPORTS(X) \
	X(perf, "what perf script -F pid,ip,dso --show-mmap-events prints of a perf.data") \
	X(bolt, \
	  "samples by symbol (no_lbr), as perf2bolt-19 -nl and profile export --format=bolt write them")

/* Adds samples of the image; false with *error in one line (to be freed), a line of the file where one is wrong. */
#define X(name, text) \
	bool import_##name(struct profile *profile, const struct image *image, FILE *in, \
	                   char **error);
PROFILE_IMPORTS(X)
#undef X

#endif
