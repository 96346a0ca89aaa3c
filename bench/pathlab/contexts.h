/* SPDX-License-Identifier: MIT */
/*
 * contexts.h - does the way that led to an indirect jump tell where it leads?
 */
#ifndef DYNOPT_PATHLAB_CONTEXTS_H
#define DYNOPT_PATHLAB_CONTEXTS_H

#include "runs.h"

/*
 * Prints one JSON object: instructions of the path, jumps through a table of addresses of other modules (PLT), and the other indirect jumps and
 * calls; then for several lengths of context, from 0 (the jump alone) on: of these jumps, how many lead where most of
 * that context lead (right), and how many stand in a context that leads to one target in nine of ten cases (sure) and is no rare
 * one: of a context's executions there are as many as a ten thousandth of all jumps.
 */
void contexts_print(const struct runs *runs);

#endif
