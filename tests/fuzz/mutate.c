/* SPDX-License-Identifier: MIT */
/*
 * mutate.c - see mutate.h. The kinds of change are those that a length-prefixed, LEB128
 * coded format is weak against: sizes and counts at their borders, numbers that do not
 * end, bytes that move so that fields are read as other fields.
 */
#include "mutate.h"

static const u8 bytes_of_interest[] = { 0x00, 0x01, 0x02, 0x04, 0x05, 0x10, 0x20,
	                                0x3f, 0x40, 0x7f, 0x80, 0xcc, 0xfe, 0xff };

static const u64 words_of_interest[] = {
	0,
	1,
	4,
	16,
	0x7f,
	0xff,
	0x100,
	0x1000,
	0x7fffffff,
	0x80000000,
	0xfffffffc,
	0xffffffff,
	0x100000000,
	0x7fffffffffffffff,
	0x8000000000000000,
	0xfffffffffffffff0,
	0xffffffffffffffff,
};

#define PICK(rnd, array) ((array)[random_below(rnd, sizeof(array) / sizeof((array)[0]))])

/* A number near one of interest, or near what is there. */
static u64 word(u64 *rnd, const u8 *at, u32 width)
{
	u64 value = 0;

	if (random_below(rnd, 2))
		value = PICK(rnd, words_of_interest);
	else
		memcpy(&value, at, width);
	return value + random_below(rnd, 9) - 4;
}

static void change_word(u8 *at, u64 left, u64 *rnd)
{
	static const u8 widths[] = { 2, 4, 4, 4, 8, 8 };
	u32 width = PICK(rnd, widths);

	if (width > left)
		width = 1;
	put_le(at, word(rnd, at, width), width);
}

/* Moves the rest of the range up or down by a few bytes. */
static void change_shift(u8 *at, u64 left, u64 *rnd)
{
	u64 by = 1 + random_below(rnd, 4);

	if (by >= left)
		return;
	if (random_below(rnd, 2)) {
		memmove(at, at + by, left - by);
		return;
	}
	memmove(at + by, at, left - by);
	for (u64 i = 0; i < by; i++)
		at[i] = (u8)random_next(rnd);
}

static void change_run(u8 *at, u64 left, u64 *rnd)
{
	u64 n = 1 + random_below(rnd, 12);
	u8 bits = random_below(rnd, 2) ? 0x80 : 0xff;

	for (u64 i = 0; i < n && i < left; i++)
		at[i] |= bits;
}

static void change_copy(const struct hot *h, u8 *range, u8 *at, u64 left, u64 *rnd)
{
	u64 n = 1 + random_below(rnd, 16), from;

	n = n < left ? n : left;
	from = random_below(rnd, h->size - n + 1);
	memmove(at, range + from, n);
}

static void change(const struct hot *h, u8 *range, u64 *rnd)
{
	u64 offset = random_below(rnd, h->size), left = h->size - offset;
	u8 *at = range + offset;

	switch (random_below(rnd, 10)) {
	case 0:
	case 1:
		*at ^= (u8)(1u << random_below(rnd, 8));
		break;
	case 2:
		*at = (u8)random_next(rnd);
		break;
	case 3:
	case 4:
		*at = PICK(rnd, bytes_of_interest);
		break;
	case 5:
		*at = (u8)(*at + random_below(rnd, 9) - 4);
		break;
	case 6:
		change_word(at, left, rnd);
		break;
	case 7:
		change_shift(at, left, rnd);
		break;
	case 8:
		change_run(at, left, rnd);
		break;
	default:
		change_copy(h, range, at, left, rnd);
		break;
	}
}

void mutate(struct entry *e, u64 *rnd, struct mutations *done)
{
	static const u8 counts[] = { 1, 1, 1, 1, 2, 2, 3, 4, 8, MUTATIONS_MAX };
	u32 n = PICK(rnd, counts);

	for (done->n = 0; done->n < n && e->n_hot; done->n++) {
		const struct hot *h = &e->hot[random_below(rnd, e->n_hot)];

		change(h, e->bytes + h->offset, rnd);
		done->changed[done->n] = *h;
	}
}

void mutate_undo(struct entry *e, const struct mutations *done)
{
	for (u32 i = 0; i < done->n; i++) {
		const struct hot *h = &done->changed[i];

		memcpy(e->bytes + h->offset, e->pristine + h->offset, h->size);
	}
}
