/* SPDX-License-Identifier: MIT */
/*
 * plan.h - decides what is added to clang's command line.
 */
#ifndef DYNOPT_DRIVER_PLAN_H
#define DYNOPT_DRIVER_PLAN_H

#include "request.h"

struct installation {
	const char *lib_dir;   /* plugins, scripts, far pool */
	const char *clang_dir; /* of the real compiler, links resolved */
	const char *clang;     /* the real compiler, links resolved */
};

/* The flag is not there: says which of our other flags are in vain. */
void plan_nothing(const struct request *r);

/* Appends to `out`; ends the process when the request cannot be honoured. */
void plan_make(const struct request *r, const struct installation *where, struct strings *out);

#endif
