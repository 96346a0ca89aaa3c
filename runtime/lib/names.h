/* SPDX-License-Identifier: MIT */
/* names.h - file names and lists of them. */
#ifndef DYNOPT_NAMES_H
#define DYNOPT_NAMES_H

#include "port.h"

/* What is behind the last slash. */
const char *names_file(const char *path);
/* Is `name` one of those in `list`, which are separated by colons? An empty list holds every name. */
bool names_hold(const char *list, const char *name);

#endif
