/* SPDX-License-Identifier: MIT */
/*
 * options.h - the flags that dynopt-clang adds to clang's.
 */
#ifndef DYNOPT_DRIVER_OPTIONS_H
#define DYNOPT_DRIVER_OPTIONS_H

#include "request.h"

/* True if `flag` is ours and was understood; a bad value ends the process. */
bool option_read(struct request *r, const char *flag);

void options_help(void);

#endif
