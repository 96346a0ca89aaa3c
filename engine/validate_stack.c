/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * validate_stack.c - memory of 8 bytes, and the stack of inlined calls.
 *
 * Words that inlined calls keep on their stack are private as long as no address in it is in another register or in memory:
 * nothing but operands based on rsp can reach them (DESIGN's axiom). Such words are no events. Each side has its own: the
 * original in path->words, the translation in path->places; at every boundary the translation must have, or owe, what the
 * original has. They become events, the lowest first, when an access touches them that is not of just that word, and when
 * an address is computed. A return kills what lies below rsp: by the ABI nothing is kept there across calls (psABI, 3.2.2).
 */
#include "validate_private.h"

/* Does [at, at + size) of the stack touch a place? Of unknown size: upwards without end. */
static bool touches(const struct place *place, struct sum at, u32 size)
{
	return place->atom == at.atom && at.c < place->at + WORD &&
	       (size == 0 || place->at < at.c + (s64)size);
}

bool touches_return(const struct path *path, struct sum at, u32 size)
{
	for (u32 i = 0; i < path->n_returns; i++)
		if (touches(&path->returns[i], at, size))
			return true;
	return false;
}

static bool is_return(const struct path *path, struct sum at)
{
	for (u32 i = 0; i < path->n_returns; i++)
		if (path->returns[i].atom == at.atom && path->returns[i].at == at.c)
			return true;
	return false;
}

static struct place *place_at(struct place *places, u32 n, struct sum at)
{
	for (u32 i = 0; i < n; i++)
		if (places[i].atom == at.atom && places[i].at == at.c)
			return &places[i];
	return NULL;
}

/* Below the outermost inlined call's return address, in its callees' frames and their red zone. */
static bool in_frames(const struct validator *v, const struct path *path, struct sum at)
{
	struct sum rsp = value_sum(&v->values, path->original.v[GPR_SP]);

	return path->n_returns && at.atom == rsp.atom && path->returns[0].atom == at.atom &&
	       at.c + WORD <= path->returns[0].at && at.c >= rsp.c - RED_ZONE;
}

bool stack_is_frame(const struct validator *v, const struct path *path, struct sum at)
{
	return in_frames(v, path, at) && !is_return(path, at);
}

static void put(struct validator *v, struct place *list, u32 *n, struct sum at, u32 value)
{
	u32 kept = 0;

	for (u32 i = 0; i < *n; i++)
		if (!touches(&list[i], at, WORD))
			list[kept++] = list[i];
	if (kept == PLACES) {
		refuse(v, STATUS_VALIDATE_SLOT);
		return;
	}
	list[kept] = (struct place){ at.atom, value, at.c };
	*n = kept + 1;
}

static void store_event(struct validator *v, struct machine *m, u32 addr, bool by_stack, u32 value)
{
	struct node node = { .n = 5,
		             .word = { NODE_STORE, m->v[SLOT_EVENTS], addr, by_stack, value } };

	m->v[SLOT_EVENTS] = node_number(&v->values, &node) << SLOT_BITS | SLOT_EVENTS;
}

/* The lowest of a side's words that [at, at + size) touches, or of all; but not the very word `except`. NULL: none. */
static struct place *lowest(struct validator *v, struct path *path, bool translated,
                            const struct sum *at, u32 size, const struct sum *except)
{
	struct place *list = translated ? path->places : path->words, *found = NULL;
	u32 n = translated ? path->n_places : path->n_words;

	for (u32 i = 0; i < n; i++) {
		struct sum here = { list[i].atom, list[i].at };

		if (translated && !stack_is_frame(v, path, here))
			continue;
		if ((at && !touches(&list[i], *at, size)) ||
		    (except && except->atom == here.atom && except->c == here.c))
			continue;
		found = !found || list[i].at < found->at ? &list[i] : found;
	}
	return found;
}

/* Makes words events. */
static void flush(struct validator *v, struct path *path, bool translated, const struct sum *at,
                  u32 size, const struct sum *except)
{
	struct place *list = translated ? path->places : path->words, *word;
	u32 *n = translated ? &path->n_places : &path->n_words;

	while ((word = lowest(v, path, translated, at, size, except))) {
		store_event(v, translated ? &path->translated : &path->original,
		            value_of(&v->values, word->atom, word->at), true, word->value);
		*word = list[--*n];
	}
}

void stack_access(struct validator *v, struct path *path, bool translated, u32 address, u32 size)
{
	struct sum at = value_sum(&v->values, address);
	struct sum rsp = value_sum(&v->values, path->original.v[GPR_SP]);

	if (!path->n_returns)
		return;
	if (at.atom == rsp.atom)
		flush(v, path, translated, size ? &at : NULL, size, NULL);
	else if (value_has(&v->values, address, rsp.atom))
		flush(v, path, translated, NULL, 0, NULL);
}

/* Is this an address in the stack of inlined calls, or what may be one? Above them is the caller's. */
static bool is_pointer(const struct validator *v, const struct path *path, u32 value)
{
	struct sum rsp = value_sum(&v->values, path->original.v[GPR_SP]);
	struct sum at = value_sum(&v->values, value);

	return (at.atom == rsp.atom && at.c <= path->returns[0].at) ||
	       value_has(&v->values, value, rsp.atom);
}

void stack_reveal(struct validator *v, struct path *path, bool translated)
{
	if (!path->n_returns || path->escaped[translated])
		return;
	flush(v, path, translated, NULL, 0, NULL);
	path->escaped[translated] = true;
}

void stack_escape(struct validator *v, struct path *path, bool translated, u16 written)
{
	const struct machine *m = translated ? &path->translated : &path->original;

	for (u32 i = 0; path->n_returns && i < 16; i++)
		if (i != GPR_SP && (written >> i & 1) && is_pointer(v, path, m->v[i]))
			stack_reveal(v, path, translated);
}

u32 memory_load(struct validator *v, struct path *path, bool translated, u32 addr)
{
	struct machine *m = translated ? &path->translated : &path->original;
	struct sum at = value_sum(&v->values, addr);
	struct node node = { .n = 4, .word = { NODE_LOAD, 0, addr, v->by_stack } };
	struct place *place = translated ? place_at(path->places, path->n_places, at)
	                                 : place_at(path->words, path->n_words, at);
	u32 number;

	if (!translated)
		note_depth(v, path, addr, true);
	if (place)
		return place->value;
	if (touches_return(path, at, WORD))
		refuse(v, STATUS_VALIDATE_SLOT);
	stack_access(v, path, translated, addr, WORD);
	node.word[1] = m->v[SLOT_EVENTS];
	number = node_number(&v->values, &node);
	m->v[SLOT_EVENTS] = number << SLOT_BITS | SLOT_EVENTS;
	return number << SLOT_BITS;
}

/*
 * The translation's own: the place of a return address, or below what lives; in inlined calls only, and no further than one word and
 * one for each of them, for nobody says that there is a stack any further down.
 */
static bool is_scratch(const struct validator *v, const struct path *path, struct sum at)
{
	struct sum rsp = value_sum(&v->values, path->original.v[GPR_SP]);
	s64 end = rsp.c - RED_ZONE;

	if (is_return(path, at))
		return true;
	return path->n_returns && at.atom == rsp.atom && at.c + WORD <= end &&
	       at.c >= end - WORD * (1 + (s64)path->n_returns);
}

void memory_store(struct validator *v, struct path *path, bool translated, u32 addr, u32 value)
{
	struct sum at = value_sum(&v->values, addr);

	if (path->n_returns && is_pointer(v, path, value))
		stack_reveal(v, path, translated); /* rsp itself: no other is left that has not */
	if (translated && is_scratch(v, path, at)) {
		put(v, path->places, &path->n_places, at, value);
		return;
	}
	if (!translated)
		note_depth(v, path, addr, true);
	if (touches_return(path, at, WORD))
		refuse(v, STATUS_VALIDATE_SLOT);
	if (in_frames(v, path, at) && !path->escaped[translated]) {
		flush(v, path, translated, &at, WORD, &at);
		if (translated)
			put(v, path->places, &path->n_places, at, value);
		else
			put(v, path->words, &path->n_words, at, value);
		return;
	}
	stack_access(v, path, translated, addr, WORD);
	store_event(v, translated ? &path->translated : &path->original, addr, v->by_stack, value);
}

static u32 keep_from(struct place *list, u32 n, u32 atom, s64 low)
{
	u32 kept = 0;

	for (u32 i = 0; i < n; i++)
		if (list[i].atom != atom || list[i].at >= low)
			list[kept++] = list[i];
	return kept;
}

void stack_return(struct validator *v, struct path *path)
{
	struct sum rsp = value_sum(&v->values, path->original.v[GPR_SP]);

	path->n_words = path->n_returns ? keep_from(path->words, path->n_words, rsp.atom, rsp.c)
	                                : 0;
	path->n_places = keep_from(path->places, path->n_places, rsp.atom, rsp.c);
	if (!path->n_returns)
		path->escaped[0] = path->escaped[1] = false;
}

void stack_call(struct path *path, struct sum at)
{
	u32 kept = 0;

	for (u32 i = 0; i < path->n_words; i++)
		if (!touches(&path->words[i], at, WORD))
			path->words[kept++] = path->words[i];
	path->n_words = kept;
}

void stack_settle(struct validator *v, struct path *path, const struct ir_state *state)
{
	for (u32 i = 0; i < path->n_words;) {
		struct sum at = { path->words[i].atom, path->words[i].at };
		struct place *place = place_at(path->places, path->n_places, at);
		u32 addr = value_of(&v->values, at.atom, at.c);

		if (!place || place->value != path->words[i].value ||
		    state_owes(v, path, state, addr)) {
			i++;
			continue;
		}
		store_event(v, &path->original, addr, true, place->value);
		store_event(v, &path->translated, addr, true, place->value);
		*place = path->places[--path->n_places];
		path->words[i] = path->words[--path->n_words];
	}
	for (u32 i = 0; i < path->n_places;) {
		struct sum at = { path->places[i].atom, path->places[i].at };

		if (stack_is_frame(v, path, at))
			path->places[i] = path->places[--path->n_places];
		else
			i++;
	}
}
