/* SPDX-License-Identifier: MIT */
/*
 * leave.h - functions that the policy says to leave alone.
 */
#ifndef DYNOPT_LEAVE_H
#define DYNOPT_LEAVE_H

#include "text.h"

/* Marks the ranges of `list` ("MODULE:0xSTART-0xEND ...", link-time addresses) that are the module `name`'s, as notes would. */
void leave_mark(const char *list, const char *name, struct text *text);

#endif
