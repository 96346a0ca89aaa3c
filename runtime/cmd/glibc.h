/* SPDX-License-Identifier: MIT */
/*
 * glibc.h - what this machine's dynamic loader says of itself, and where its libraries are. `dynopt` may be linked statically, and then it has
 * neither of its own (or those of the machine that built it).
 */
#ifndef DYNOPT_RUNTIME_GLIBC_H
#define DYNOPT_RUNTIME_GLIBC_H

#include "base.h"

/* "2.36", to be freed; NULL: there is no such loader, or it does not say. */
char *glibc_version(void);

/* The path of a library that every program has, libc.so.6 for example, as the loader finds it; to be freed. NULL: not known. */
char *glibc_library(const char *name);

#endif
