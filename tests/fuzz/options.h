/* SPDX-License-Identifier: MIT */
/* options.h - the options of fuzzers that make up their inputs: how many cases, from which number on, of which seed. */
#ifndef DYNOPT_FUZZ_OPTIONS_H
#define DYNOPT_FUZZ_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port.h"

/* What is not given stays as it is. False, after the usage: something else was said. */
static inline bool options_read(int argc, char **argv, u64 *count, u64 *seed, u64 *start)
{
	for (int i = 1; i < argc; i += 2) {
		u64 *field = strcmp(argv[i], "--count") == 0   ? count
		             : strcmp(argv[i], "--seed") == 0  ? seed
		             : strcmp(argv[i], "--start") == 0 ? start
		                                               : NULL;
		char *end = NULL;

		if (field && i + 1 < argc)
			*field = strtoull(argv[i + 1], &end, 10);
		if (!end || end == argv[i + 1] || *end) {
			fprintf(stderr, "usage: %s [--count N] [--seed S] [--start I]\n", argv[0]);
			return false;
		}
	}
	return true;
}

#endif
