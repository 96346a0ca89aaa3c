/* SPDX-License-Identifier: MIT */
/* entries.c - see entries.h. */
#include <string.h>
#include "entries.h"

/* The group's shadow of the table at this address; 0: no room. */
static u64 shadow_for(struct group *g, u64 at)
{
	const struct table *table = &story.program.tables[(at - TABLE_BASE) / TABLE_SIZE];
	struct group_shadow *shadow = &g->shadows[g->n_shadows];
	struct failure fail;

	for (u32 i = 0; i < g->n_shadows; i++)
		if (g->shadows[i].table == table)
			return g->shadows[i].addr;
	if (cache_reserve(&story.cache, TABLE_SIZE, &shadow->addr, &fail))
		return 0;
	cache_commit(&story.cache, shadow->addr);
	shadow->table = table;
	g->n_shadows++;
	story.n_shadows++;
	return shadow->addr;
}

bool find_shadows(struct group *g, struct code *code)
{
	for (u32 i = 0; i < code->n_fixups; i++) {
		struct code_fixup *fixup = &code->fixups[i];

		if (fixup->kind != FIXUP_TABLE)
			continue;
		fixup->shadow = shadow_for(g, fixup->target);
		if (!fixup->shadow)
			return false;
		if (fixup->shadow != g->shadows[0].addr && do_wrong(OTHER_SHADOW))
			fixup->shadow = g->shadows[0].addr;
	}
	return true;
}

/* ---- entries of shadows ---- */

static u64 entry_now(const struct group_shadow *shadow, u32 i)
{
	u64 value;

	memcpy(&value, memory_at(shadow->addr + i * 8), sizeof(value));
	return value;
}

static void add_entry_edit(struct plan *plan, const struct group_shadow *shadow, u32 i, u64 value)
{
	u64 addr = shadow->addr + i * 8;
	struct failure fail;

	must(plan_add(plan, STAGE_LINK, addr, memory_at(addr), (const u8 *)&value, sizeof(value),
	              &fail),
	     "entry");
}

/* Where a translation of the group stands that begins at this address, mostly; 0: nowhere. */
static u64 translation_of(const struct group *g, u64 head)
{
	for (u32 i = 0; i < g->n_units; i++)
		if (g->units[i].code.head == head && roll(&story.dice, 4))
			return g->units[i].addr;
	return 0;
}

/* What a new shadow holds: original targets, and translations of this group and of those that are live. */
void make_shadow(struct group *g, const struct group_shadow *shadow, struct plan *plan)
{
	const struct table *table = shadow->table;
	u64 entries[TABLE_ENTRIES];
	struct failure fail;

	for (u32 i = 0; i < table->n; i++) {
		entries[i] = table->targets[i];
		if (table->targets[(i + 1) % table->n] != entries[i] && do_wrong(OTHER_ENTRY))
			entries[i] = table->targets[(i + 1) % table->n];
		for (u32 k = 0; k < story.n_groups && entries[i] == table->targets[i]; k++) {
			const struct group *other = &story.groups[k];
			u64 to = other->live || other == g ? translation_of(other, entries[i]) : 0;

			entries[i] = to ? to : entries[i];
			story.n_entries += to != 0;
		}
	}
	must(plan_add(plan, STAGE_CODE, shadow->addr, NULL, (const u8 *)entries, table->n * 8,
	              &fail),
	     "shadow");
}

/* Entries of live shadows that can lead to this group's translations now. */
void link_entries(const struct group *g, struct plan *plan)
{
	for (u32 k = 0; k < story.n_groups; k++) {
		const struct group *other = &story.groups[k];

		for (u32 s = 0; other->live && other != g && s < other->n_shadows; s++) {
			const struct group_shadow *shadow = &other->shadows[s];

			for (u32 i = 0; i < shadow->table->n; i++) {
				u64 original = shadow->table->targets[i];
				u64 to = translation_of(g, original);

				if (!to || entry_now(shadow, i) != original)
					continue;
				add_entry_edit(plan, shadow, i, to);
				story.n_entries++;
			}
		}
	}
}

static bool is_in(const struct group *g, u64 addr)
{
	for (u32 i = 0; i < g->n_units; i++)
		if (g->units[i].addr == addr)
			return true;
	return false;
}

/* Those of the group's own shadows, and those that lead into it, lead to original text again. */
void cut_entries(const struct group *g, struct plan *plan)
{
	for (u32 k = 0; k < story.n_groups; k++) {
		const struct group *other = &story.groups[k];

		for (u32 s = 0; (other->live || other == g) && s < other->n_shadows; s++) {
			const struct group_shadow *shadow = &other->shadows[s];

			for (u32 i = 0; i < shadow->table->n; i++) {
				u64 now = entry_now(shadow, i);

				if (now != shadow->table->targets[i] &&
				    (other == g || is_in(g, now)) && !do_wrong(KEEP_ENTRY))
					add_entry_edit(plan, shadow, i, shadow->table->targets[i]);
			}
		}
	}
}

/* Shadows behind the sites; the applier writes them as what they are, byte by byte. */
void delay_shadows(struct group *g)
{
	for (u32 i = 0, n = g->plan.n; i < n;) {
		struct edit edit = g->plan.edits[i];
		bool entry = false;

		for (u32 k = 0; k < g->n_shadows; k++)
			entry |= edit.addr - g->shadows[k].addr < TABLE_SIZE;
		if (!entry) {
			i++;
			continue;
		}
		story.did = true;
		memmove(&g->plan.edits[i], &g->plan.edits[i + 1],
		        (g->plan.n - i - 1) * sizeof(edit));
		g->plan.edits[g->plan.n - 1] = edit;
		n--;
	}
}
