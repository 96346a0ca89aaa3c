/* SPDX-License-Identifier: MIT */
/*
 * build.h - what tells one build of a file from another, as one word: its build-id in hexadecimal; where the linker wrote none, size and time of its
 * last change.
 */
#ifndef DYNOPT_BUILD_H
#define DYNOPT_BUILD_H

#include "image.h"

#define BUILD_ROOM 132

/* That of a module's file, by its path (image.h); "" if it cannot be read. */
void build_of_file(const char *path, char out[BUILD_ROOM]);
/* That of a record's file; "" if it cannot be read, or is another by now. */
void build_of(const struct image *record, char out[BUILD_ROOM]);

#endif
