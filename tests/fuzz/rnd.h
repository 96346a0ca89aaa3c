/* SPDX-License-Identifier: MIT */
/* rnd.h - random numbers of the native fuzzers: a state is one word, so a case is repeated from its number. */
#ifndef DYNOPT_FUZZ_RND_H
#define DYNOPT_FUZZ_RND_H

#include "port.h"

/* splitmix64 */
static inline u64 rnd_next(u64 *state)
{
	u64 z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* In [0, n), n > 0. */
static inline u64 rnd_below(u64 *state, u64 n)
{
	return (u64)(((unsigned __int128)rnd_next(state) * n) >> 64);
}

/* True in `percent` of 100 cases. */
static inline bool rnd_chance(u64 *state, u32 percent)
{
	return rnd_below(state, 100) < percent;
}

/* The start state of item `number` of a stream. */
static inline u64 rnd_start(u64 seed, u64 stream, u64 number)
{
	u64 state = seed * 0xd1342543de82ef95u + stream;

	state ^= rnd_next(&state) + number * 0x2545f4914f6cdd1du;
	rnd_next(&state);
	return state;
}

#endif
