/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * validate_value.c - symbolic values: see validate_private.h.
 *
 * A node is a row of words; equal rows have equal numbers, so that comparing two values is comparing two numbers.
 * Sums with constants have one form only: an atom, which is no such sum itself, and a constant that is not 0. Rows
 * live in chunks that are taken from the arena as they are needed; word 0 of a stored row is its hash.
 */
#include "validate_private.h"

#define TABLE_START 512u
#define HEADER 2u /* hash, length */
#define NODE_OF(value) ((value) >> SLOT_BITS)
#define MAKE(number) ((number) << SLOT_BITS)

static u32 *row(const struct values *values, u32 number)
{
	return values->chunk[number / CHUNK_WORDS] + number % CHUNK_WORDS;
}

static u32 hash_of(const struct node *node)
{
	u64 hash = node->n;

	for (u32 i = 0; i < node->n; i++)
		hash = (hash ^ node->word[i]) * 0x9e3779b97f4a7c15u, hash ^= hash >> 29;
	return (u32)(hash >> 8);
}

/* Room for `n` words in one chunk; 0: none. Number 0 is no node's. */
static u32 take_words(struct values *values, u32 n)
{
	u32 at = values->used;

	if (at / CHUNK_WORDS != (at + n) / CHUNK_WORDS || !values->chunk[at / CHUNK_WORDS]) {
		at = (at + CHUNK_WORDS - 1) / CHUNK_WORDS * CHUNK_WORDS;
		if (at / CHUNK_WORDS == CHUNKS)
			return 0;
		values->chunk[at / CHUNK_WORDS] = arena_alloc(values->arena, CHUNK_WORDS, 4);
		if (!values->chunk[at / CHUNK_WORDS])
			return 0;
		at += at == 0;
	}
	values->used = at + n;
	return at;
}

static bool grow_table(struct values *values)
{
	u32 size = 2 * values->size;
	u32 *table = arena_alloc(values->arena, size, sizeof(*table));

	if (!table)
		return false;
	for (u32 i = 0; i < values->size; i++) {
		u32 number = values->table[i], at;

		if (!number)
			continue;
		for (at = row(values, number)[0] & (size - 1); table[at];)
			at = (at + 1) & (size - 1);
		table[at] = number;
	}
	values->table = table;
	values->size = size;
	return true;
}

bool values_init(struct values *values, struct arena *arena)
{
	*values = (struct values){ .arena = arena, .size = TABLE_START };
	values->table = arena_alloc(arena, TABLE_START, sizeof(*values->table));
	values->chunk = arena_alloc(arena, CHUNKS, sizeof(*values->chunk));
	return values->table && values->chunk;
}

u32 node_number(struct values *values, const struct node *node)
{
	u32 hash = hash_of(node), at, number;
	u32 *words;

	for (at = hash & (values->size - 1); values->table[at];
	     at = (at + 1) & (values->size - 1)) {
		words = row(values, values->table[at]);
		if (words[0] == hash && words[1] == node->n &&
		    !memcmp(words + HEADER, node->word, node->n * sizeof(u32)))
			return values->table[at];
	}
	number = node->n < NODE_ARGS ? take_words(values, node->n + HEADER) : 0;
	if (!number) {
		values->full = true;
		return 0;
	}
	words = row(values, number);
	words[0] = hash;
	words[1] = node->n;
	memcpy(words + HEADER, node->word, node->n * sizeof(u32));
	values->table[at] = number;
	if (++values->n > values->size / 2 && !grow_table(values))
		values->full = true;
	return number;
}

/* The words of a value that is a node's only result; NULL if it is of another kind. */
static const u32 *words_of(const struct values *values, u32 value, enum node_kind kind)
{
	const u32 *words;

	if (!value || value != MAKE(NODE_OF(value)))
		return NULL;
	words = row(values, NODE_OF(value)) + HEADER;
	return words[0] == (u32)kind ? words : NULL;
}

const u32 *value_node(const struct values *values, u32 value)
{
	return NODE_OF(value) ? row(values, NODE_OF(value)) + HEADER : NULL;
}

u32 value_node_words(const struct values *values, u32 value)
{
	return NODE_OF(value) ? row(values, NODE_OF(value))[1] : 0;
}

struct sum value_sum(const struct values *values, u32 value)
{
	const u32 *words = words_of(values, value, NODE_SUM);
	struct sum sum = { value, 0 };

	if (words) {
		sum.atom = words[1];
		sum.c = (s64)((u64)words[3] << 32 | words[2]);
	}
	return sum;
}

static u32 make(struct values *values, enum node_kind kind, u32 a, u32 b, u32 c)
{
	struct node node = { .n = 4, .word = { kind, a, b, c } };

	return MAKE(node_number(values, &node));
}

u32 value_of(struct values *values, u32 atom, s64 c)
{
	if (c == 0 && atom)
		return atom;
	return make(values, NODE_SUM, atom, (u32)c, (u32)((u64)c >> 32));
}

u32 value_plus(struct values *values, u32 value, s64 c)
{
	struct sum sum = value_sum(values, value);

	return value_of(values, sum.atom, (s64)((u64)sum.c + (u64)c));
}

u32 value_pair(struct values *values, u32 base, u32 index, u32 scale)
{
	struct sum a = value_sum(values, base), b = value_sum(values, index);
	s64 c = (s64)((u64)a.c + (u64)b.c * scale);

	if (!b.atom)
		return value_of(values, a.atom, c);
	if (scale == 1 && !a.atom)
		return value_of(values, b.atom, c);
	if (scale == 1 && a.atom > b.atom) {
		u32 swap = a.atom;

		a.atom = b.atom;
		b.atom = swap;
	}
	return value_of(values, make(values, NODE_PAIR, a.atom, b.atom, scale), c);
}

bool value_has(const struct values *values, u32 value, u32 atom)
{
	const u32 *words = words_of(values, value_sum(values, value).atom, NODE_PAIR);

	return words && (words[1] == atom || words[2] == atom);
}

u32 value_narrow(struct values *values, u32 value)
{
	const u32 *words = words_of(values, value, NODE_ZERO);
	struct sum sum = value_sum(values, value);

	if (!sum.atom && value)
		return value_of(values, 0, (s64)((u64)sum.c & 0xffffffff));
	return words ? words[1] : value;
}

u32 value_zero(struct values *values, u32 value)
{
	u32 narrow = value_narrow(values, value);

	if (range_most(values, value) <= 0xffffffff)
		return value;
	if (!value_sum(values, narrow).atom)
		return narrow;
	return make(values, NODE_ZERO, narrow, 0, 0);
}

u32 value_text(struct values *values, u64 addr)
{
	return value_of(values, make(values, NODE_BASE, 0, 0, 0), (s64)addr);
}

u32 value_translated(struct values *values, u64 offset)
{
	return value_of(values, make(values, NODE_BASE, 1, 0, 0), (s64)offset);
}
