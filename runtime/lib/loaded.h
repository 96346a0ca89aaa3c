/* SPDX-License-Identifier: MIT */
/*
 * loaded.h - the loaded modules (world.h), by address, and their files' records.
 */
#ifndef DYNOPT_LOADED_H
#define DYNOPT_LOADED_H

#include "image.h"

/* The module that a run-time address may belong to: that with the highest base not above it; NULL. *end: the next one's base. */
const struct module *loaded_at(u64 rip, u64 *end);
/* Its file's record; asked anew where another file stands by now. NULL: there is no room for one. */
struct image *loaded_record(const struct module *module);
/* Its file's name without folders; "" where there is no record. */
const char *loaded_name(const struct module *module);

#endif
