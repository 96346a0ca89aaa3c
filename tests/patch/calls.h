/* SPDX-License-Identifier: MIT */
/*
 * calls.h - direct calls in original text that lead into translations of what they call: another distance, written as sites are.
 */
#ifndef DYNOPT_TESTS_CALLS_H
#define DYNOPT_TESTS_CALLS_H

#include "story.h"

/* Leads calls to the group's translations, most of those that can. */
void lead_calls(const struct group *g, struct plan *plan);
/* Wrongly: some are not led back. */
void keep_calls(struct plan *live);

#endif
