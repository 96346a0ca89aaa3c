/* SPDX-License-Identifier: MIT */
/*
 * entries.h - shadows of jump tables in a story, and where their entries lead: written with the code, linked and cut with the links.
 */
#ifndef DYNOPT_TESTS_ENTRIES_H
#define DYNOPT_TESTS_ENTRIES_H

#include "story.h"

/* Gives each jump of the code through a table a shadow, one for each table and group; false: no room. */
bool find_shadows(struct group *g, struct code *code);
/* What a new shadow holds: original targets, and translations of this group and of those that are live. */
void make_shadow(struct group *g, const struct group_shadow *shadow, struct plan *plan);
/* Entries of live shadows that can lead to this group's translations now. */
void link_entries(const struct group *g, struct plan *plan);
/* Those of the group's own shadows, and those that lead into it, lead to original text again. */
void cut_entries(const struct group *g, struct plan *plan);
/* Wrongly: shadows are written behind the sites. */
void delay_shadows(struct group *g);

#endif
