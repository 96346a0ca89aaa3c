/* SPDX-License-Identifier: MIT */
/*
 * remember.h - the folder in which programs are remembered by what their runs have sampled (runtime/lib/remember.h, which reads and writes the files).
 *
 * dynopt/ in the user's cache folder. It may be removed at any time.
 */
#ifndef DYNOPT_RUNTIME_REMEMBER_H
#define DYNOPT_RUNTIME_REMEMBER_H

#include "base.h"

/* Its path, to be freed: XDG_CACHE_HOME, or ~/.cache, with /dynopt; NULL: nobody knows one. */
char *remember_folder(void);
/* Makes it if it is missing, and leaves at most REMEMBER_FILES files there, those that were written last. What fails the library finds, too. */
void remember_prepare(const char *folder);
/* Does the library use it? Else *error says why not (to be freed). One that is missing is in order. */
bool remember_check(const char *folder, char **error);

/* Programs of which a translation was wrong (runtime/lib/fault.h), as file names without ".fault"; to be freed, with the array. */
size_t remember_faults(const char *folder, char ***names);
/* Forgets that of programs whose file's name is like the pattern `program`; how many that were. False with *error (to be freed): it could not. */
bool remember_forgive(const char *folder, const char *program, size_t *n, char **error);

#define REMEMBER_FILES 256

#endif
