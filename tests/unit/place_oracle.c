/* SPDX-License-Identifier: MIT */
/*
 * place_oracle.c - see place_oracle.h.
 */
#include "place_oracle.h"

#include <string.h>
#include "unit.h"

#define LONG_NOP 8

/* ---- addresses ---- */

int64_t oracle_insn_len(const struct oracle *o, u32 i)
{
	const struct place_unit *u = &o->t->u[i];

	return u->prefixes + (o->far[i] ? u->size_long : o->size[i]);
}

static int64_t pad(const struct oracle *o, u32 i)
{
	const struct place_unit *u = &o->t->u[i];
	int64_t bytes = 0;

	while ((o->at[i] + bytes) % u->arg)
		bytes++;
	return u->max && bytes > u->max ? 0 : bytes;
}

static int64_t unit_len(const struct oracle *o, u32 i)
{
	const struct place_unit *u = &o->t->u[i];

	if (u->kind == PLACE_INSN)
		return oracle_insn_len(o, i) + (int64_t)u->slots * JMP_REL32;
	return u->kind == PLACE_ALIGN ? pad(o, i) : (int64_t)u->arg;
}

static void measure(struct oracle *o)
{
	o->at[0] = 0;
	for (u32 i = 0; i < o->t->n; i++)
		o->at[i + 1] = o->at[i] + unit_len(o, i);
}

/* Branches start short and grow while any is out of reach. */
static int64_t lay_out(struct oracle *o)
{
	const struct section *t = o->t;
	bool again = true;

	for (u32 i = 0; i < t->n; i++)
		o->far[i] = t->u[i].force_long;
	while (again) {
		again = false;
		measure(o);
		for (u32 i = 0; i < t->n; i++) {
			const struct place_unit *u = &t->u[i];
			int64_t away;

			if (u->kind != PLACE_INSN || u->size == u->size_long || o->far[i] ||
			    u->arg == PLACE_NO_TARGET)
				continue;
			away = o->at[u->arg] - o->at[i] - oracle_insn_len(o, i);
			if (away != (int8_t)away)
				again = o->far[i] = true;
		}
	}
	return o->at[t->n];
}

/* ---- sites and slots ---- */

bool oracle_starts(const struct section *t, u32 i)
{
	if (t->u[i].flags & PLACE_LEADER)
		return true;
	while (i && t->u[i - 1].kind == PLACE_ALIGN)
		i--;
	return i && (t->u[i - 1].flags & (PLACE_BRANCH | PLACE_BARRIER)) == PLACE_BRANCH;
}

static bool can_be_site(const struct place_unit *u)
{
	return u->kind == PLACE_INSN && u->size > 1 && !(u->flags & PLACE_ENDBR) &&
	       !(u->flags & PLACE_FORBIDDEN);
}

/* Passed over on the way from a block's start to its site. */
static bool passed_over(const struct place_unit *u)
{
	return u->kind == PLACE_INSN && !can_be_site(u) &&
	       !(u->flags & (PLACE_FORBIDDEN | PLACE_BRANCH));
}

bool oracle_is_site(const struct section *t, u32 i, bool *head)
{
	u32 from = i;

	if (t->u[i].kind == PLACE_ALIGN) {
		*head = t->u[i].flags & PLACE_LOOP_HEAD;
		return oracle_starts(t, i) && !(t->u[i].flags & PLACE_FORBIDDEN);
	}
	if (!can_be_site(&t->u[i]))
		return false;
	while (!oracle_starts(t, from)) {
		if (!from || !passed_over(&t->u[from - 1]))
			return false;
		from--;
	}
	*head = t->u[from].flags & PLACE_LOOP_HEAD;
	return true;
}

static void list_sites(struct oracle *o)
{
	o->n_sites = o->n_heads = 0;
	for (u32 i = 0; i < o->t->n; i++) {
		bool head = false;

		if (!oracle_is_site(o->t, i, &head))
			continue;
		o->head[o->n_sites] = head;
		o->n_heads += head;
		o->site[o->n_sites++] = i;
	}
}

static void add_slot(struct oracle *o, int64_t at)
{
	CU_ASSERT_FATAL(o->n_slots < MAX_SLOTS);
	o->slot[o->n_slots++] = at;
}

static void list_padding(struct oracle *o, u32 i)
{
	const struct place_unit *u = &o->t->u[i];
	int64_t bytes = pad(o, i), nop = bytes < o->t->nop_max ? bytes : o->t->nop_max;

	if (u->flags & PLACE_FORBIDDEN)
		return;
	if (i && (u[-1].flags & PLACE_BARRIER) && !(u->flags & PLACE_LEADER)) {
		for (int64_t k = 0; k + JMP_REL32 <= bytes; k += JMP_REL32)
			add_slot(o, o->at[i] + k);
	} else if (nop >= LONG_NOP && !oracle_starts(o->t, i)) {
		add_slot(o, o->at[i] + nop - JMP_REL32);
	}
}

static void list_slots(struct oracle *o)
{
	o->n_slots = o->n_found = 0;
	for (u32 i = 0; i < o->t->n; i++) {
		const struct place_unit *u = &o->t->u[i];
		u32 had = o->n_slots;

		if (u->kind == PLACE_ALIGN) {
			list_padding(o, i);
			o->n_found += o->n_slots - had;
		}
		for (u32 k = 0; k < u->slots; k++)
			add_slot(o, o->at[i] + oracle_insn_len(o, i) + k * JMP_REL32);
	}
}

static void change_places(struct oracle *o)
{
	for (u32 i = 0; i < o->t->n; i++)
		o->size[i] = o->t->u[i].size;
	for (u32 i = 0; i < o->t->n; i++) {
		u32 from = i + o->t->u[i].hoist;

		for (u32 k = from; k > i && o->t->u[i].hoisted; k--)
			o->size[k] = o->t->u[k - 1].size;
		if (o->t->u[i].hoisted)
			o->size[i] = o->t->u[from].size;
	}
}

void oracle_look(struct oracle *o, const struct section *t)
{
	o->t = t;
	change_places(o);
	lay_out(o);
	list_sites(o);
	list_slots(o);
}

/* ---- patches ---- */

bool oracle_too_short(const struct oracle *o, u32 s)
{
	u32 i = o->site[s];

	if (o->t->u[i].kind == PLACE_ALIGN)
		return pad(o, i) >= JMP_REL8 && pad(o, i) < JMP_REL32;
	return oracle_insn_len(o, i) < JMP_REL32;
}

static bool reaches(const struct oracle *o, u32 s, u32 k)
{
	int64_t away = o->slot[k] - o->at[o->site[s]] - JMP_REL8;

	return away == (int8_t)away;
}

bool oracle_served(const struct oracle *o, u32 s)
{
	for (u32 k = 0; k < o->n_slots; k++)
		if (reaches(o, s, k))
			return true;
	return !oracle_too_short(o, s);
}

bool oracle_can_lengthen(const struct oracle *o, u32 s)
{
	const struct place_unit *u = &o->t->u[o->site[s]];

	return u->kind == PLACE_INSN && (u->size_long > u->size || (u->flags & PLACE_PREFIXABLE));
}

#define NOBODY UINT32_MAX
static u32 owner[MAX_SLOTS];
static bool visited[MAX_SLOTS];

static bool augment(const struct oracle *o, u32 s)
{
	for (u32 k = 0; k < o->n_slots; k++) {
		if (visited[k] || !reaches(o, s, k))
			continue;
		visited[k] = true;
		if (owner[k] == NOBODY || augment(o, owner[k])) {
			owner[k] = s;
			return true;
		}
	}
	return false;
}

static bool wanted(const struct oracle *o, u32 s, enum who who)
{
	if (who == EVERY_THIRD)
		return s % 3 == 0;
	return o->head[s] && (who == HEADS || !oracle_can_lengthen(o, s));
}

u32 oracle_misses(const struct oracle *o, enum who who)
{
	u32 n = 0;

	for (u32 k = 0; k < o->n_slots; k++)
		owner[k] = NOBODY;
	for (u32 s = 0; s < o->n_sites; s++) {
		if (!wanted(o, s, who) || !oracle_too_short(o, s))
			continue;
		memset(visited, 0, o->n_slots * sizeof(*visited));
		n += !augment(o, s);
	}
	return n;
}
