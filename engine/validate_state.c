/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * validate_state.c - does the translation's state, made good as its side table says, equal the original's?
 *
 * What the table says is taken at its word and done symbolically, as state.c does it: reloads, results in their order, pending
 * words, rsp. Results are executed as any instruction of the translation is, and must be of a form that state.c knows.
 */
#include "validate_private.h"

u32 state_at(struct validator *v, const struct path *path, s32 at)
{
	return value_plus(&v->values, path->translated.v[GPR_SP], at);
}

static const struct place *find_place(struct validator *v, const struct path *path, u32 address)
{
	struct sum at = value_sum(&v->values, address);

	for (u32 i = 0; i < path->n_places; i++)
		if (path->places[i].atom == at.atom && path->places[i].at == at.c)
			return &path->places[i];
	return NULL;
}

/* Registers as reconstruction brings them back: reloads, then results, each made of what is there by then. */
enum status state_good(struct validator *v, struct path *path, const struct ir_state *state,
                       struct machine *good)
{
	const struct ir_pending *pendings = v->code->pendings + state->first;

	for (u32 i = 0; i < state->n; i++) {
		const struct place *place;

		if (pendings[i].kind != RELOAD_REG)
			continue;
		place = find_place(v, path, state_at(v, path, pendings[i].at));
		good->v[pendings[i].reg] = place ? place->value : 0;
	}
	for (u32 i = 0; i < state->n; i++) {
		const struct insn *insn;

		if (pendings[i].kind != PENDING_RESULT)
			continue;
		insn = owed_insn(v, &pendings[i]);
		if (!insn)
			return STATUS_VALIDATE_TABLE;
		insn_make(v, path, insn, good);
	}
	return STATUS_OK;
}

static enum status same_registers(struct validator *v, const struct path *path,
                                  const struct ir_state *state, const struct machine *good)
{
	const u32 *a = path->original.v, *b = path->translated.v;

	for (u32 i = 0; i < 16; i++)
		if (i != GPR_SP && a[i] != good->v[i])
			return STATUS_VALIDATE_REGISTER;
	if (a[GPR_SP] != state_at(v, path, state->rsp))
		return STATUS_VALIDATE_RSP;
	if (memcmp(a + SLOT_VEC, b + SLOT_VEC, (SLOT_FLAGS - SLOT_VEC) * sizeof(*a)))
		return STATUS_VALIDATE_VECTOR;
	return a[SLOT_EVENTS] == b[SLOT_EVENTS] ? STATUS_OK : STATUS_VALIDATE_MEMORY;
}

static const u16 flag_bits[N_FLAGS] = { FLAG_CF, FLAG_PF, FLAG_AF, FLAG_ZF,
	                                FLAG_SF, FLAG_DF, FLAG_OF };

static enum status same_flags(struct validator *v, const struct path *path)
{
	const u32 *a = path->original.v + SLOT_FLAGS, *b = path->translated.v + SLOT_FLAGS;
	u16 differ = 0;

	for (u32 i = 0; i < N_FLAGS; i++)
		differ |= a[i] == b[i] ? 0 : flag_bits[i];
	differ &= (u16)~path->stale;
	if (!differ || (!(differ & FLAG_DF) && flags_dead_at(v, path->pc, differ)))
		return STATUS_OK;
	return STATUS_VALIDATE_FLAGS;
}

static bool is_return(struct validator *v, const struct path *path, const struct ir_pending *p)
{
	struct sum at = value_sum(&v->values, state_at(v, path, p->at));

	for (u32 i = 0; i < path->n_returns; i++)
		if (path->returns[i].atom == at.atom && path->returns[i].at == at.c)
			return path->returns[i].value == value_text(&v->values, p->value);
	return false;
}

/* Is the address of return `r` in memory, or will reconstruction write it? */
static bool is_written(struct validator *v, const struct path *path, const struct ir_state *state,
                       const struct place *r)
{
	u32 address = value_of(&v->values, r->atom, r->at);
	const struct place *place = find_place(v, path, address);

	for (u32 i = 0; i < state->n; i++) {
		const struct ir_pending *p = &v->code->pendings[state->first + i];

		if (p->kind == PENDING_RETURN && state_at(v, path, p->at) == address)
			return true;
	}
	return place && place->value == r->value;
}

const struct place *state_word(const struct path *path, struct sum at)
{
	for (u32 i = 0; i < path->n_words; i++)
		if (path->words[i].atom == at.atom && path->words[i].at == at.c)
			return &path->words[i];
	return NULL;
}

/* Will reconstruction write what the original has there? */
static bool is_word(struct validator *v, const struct path *path, const struct ir_pending *p,
                    const struct machine *good)
{
	const struct place *word =
		state_word(path, value_sum(&v->values, state_at(v, path, p->at)));

	return word && word->value == good->v[p->reg];
}

bool state_owes(struct validator *v, const struct path *path, const struct ir_state *state,
                u32 address)
{
	for (u32 i = 0; i < state->n; i++) {
		const struct ir_pending *p = &v->code->pendings[state->first + i];

		if (p->kind == PENDING_REG && state_at(v, path, p->at) == address)
			return true;
	}
	return false;
}

/* Private words of inlined calls: each of the original's is there or owed, and there are no others. */
static enum status same_words(struct validator *v, const struct path *path,
                              const struct ir_state *state)
{
	for (u32 i = 0; i < path->n_words; i++) {
		const struct place *word = &path->words[i];
		u32 address = value_of(&v->values, word->atom, word->at);
		const struct place *place = find_place(v, path, address);

		if (!state_owes(v, path, state, address) && (!place || place->value != word->value))
			return STATUS_VALIDATE_PENDING;
	}
	for (u32 i = 0; i < path->n_places; i++) {
		struct sum at = { path->places[i].atom, path->places[i].at };

		if (stack_is_frame(v, path, at) && !state_word(path, at))
			return STATUS_VALIDATE_PENDING;
	}
	return STATUS_OK;
}

enum status state_returns(struct validator *v, const struct path *path,
                          const struct ir_state *state, const struct machine *good)
{
	for (u32 i = 0; i < state->n; i++) {
		const struct ir_pending *p = &v->code->pendings[state->first + i];

		if ((p->kind == PENDING_REG && !is_word(v, path, p, good)) ||
		    (p->kind == PENDING_RETURN && !is_return(v, path, p)))
			return STATUS_VALIDATE_PENDING;
	}
	for (u32 i = 0; i < path->n_returns; i++)
		if (!is_written(v, path, state, &path->returns[i]))
			return STATUS_VALIDATE_PENDING;
	return STATUS_OK;
}

/*
 * A signal overwrites what lies below rsp-128: of the translation's rsp. The original may keep something anywhere down to its own
 * rsp-128; in an inlined call, whose red zone is new, only as deep as it has used it.
 */
static enum status safe_stack(struct validator *v, const struct path *path)
{
	struct sum r = value_sum(&v->values, path->original.v[GPR_SP]);
	struct sum a = value_sum(&v->values, path->translated.v[GPR_SP]);
	s64 low = r.c - RED_ZONE;

	if (path->n_returns && path->low > low)
		low = path->low;
	if (a.atom != r.atom || a.c <= r.c || low >= a.c - RED_ZONE)
		return STATUS_OK; /* unlike atoms: same_registers() has refused */
	return STATUS_VALIDATE_RED_ZONE;
}

enum status state_same(struct validator *v, struct path *path, const struct ir_state *state)
{
	struct machine good = path->translated;
	enum status status = state->n ? state_good(v, path, state, &good) : STATUS_OK;

	if (!status)
		status = same_registers(v, path, state, &good);
	if (!status)
		status = same_flags(v, path);
	if (!status && (state->n || path->n_returns))
		status = state_returns(v, path, state, &good);
	if (!status)
		status = safe_stack(v, path);
	if (!status)
		status = same_words(v, path, state);
	return status;
}

/* What the translation has written below the red zone may be gone at any time. */
void state_drop_places(struct validator *v, struct path *path)
{
	struct sum a = value_sum(&v->values, path->translated.v[GPR_SP]);
	u32 n = 0;

	for (u32 i = 0; i < path->n_places; i++)
		if (path->places[i].atom == a.atom && path->places[i].at >= a.c - RED_ZONE)
			path->places[n++] = path->places[i];
	path->n_places = n;
}

/* General registers that the state owes as results. */
u16 state_owed(const struct validator *v, const struct ir_state *state)
{
	u16 set = 0;

	for (u32 i = 0; i < state->n; i++) {
		const struct ir_pending *p = &v->code->pendings[state->first + i];

		set |= p->kind == PENDING_RESULT ? (u16)(1u << p->reg) : 0;
	}
	return set;
}

/* Are all registers the same on both sides, but for those that are owed? */
bool state_same_but_owed(const struct validator *v, const struct path *path,
                         const struct ir_state *state)
{
	u16 owed = state_owed(v, state);

	for (u32 i = 0; i < 16; i++)
		if (i != GPR_SP && !(owed >> i & 1) && path->original.v[i] != path->translated.v[i])
			return false;
	return true;
}
