/* SPDX-License-Identifier: MIT */
/*
 * looked.h - which functions were looked at.
 */
#ifndef DYNOPT_LOOKED_H
#define DYNOPT_LOOKED_H

#include "port.h"

/* Whether the function that starts at this run-time address was; a place that is taken forgets another function. */
bool *looked_at(u64 start);

#endif
