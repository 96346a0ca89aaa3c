/* SPDX-License-Identifier: MIT */
/*
 * traces.h - the traces of a file (text form: engine/trace.h) that are meant for one module.
 */
#ifndef DYNOPT_TRACES_H
#define DYNOPT_TRACES_H

#include "arena.h"
#include "engine_status.h"
#include "trace.h"

/*
 * Reads options.traces once and checks its syntax as a whole. False: it cannot be read (world->cause TRACES,
 * detail: errno) or parsed (detail: 4096 + line).
 */
bool traces_open(void);

/* Traces for modules whose file name, without folders, is `name`: *out[0..*n) in `arena`. */
__must_check enum status traces_of(const char *name, struct arena *arena, struct trace **out,
                                   u32 *n, struct failure *fail);

#endif
