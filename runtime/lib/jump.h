/* SPDX-License-Identifier: MIT */
/* jump.h - what patches are made of (SDM volume 2, JMP, CALL): eb rel8, e9 rel32, e8 rel32. */
#ifndef DYNOPT_JUMP_H
#define DYNOPT_JUMP_H

#include "decode.h"
#include "port.h"

static inline void jump8(u8 *out, u64 from, u64 to)
{
	out[0] = 0xeb;
	out[1] = (u8)(s8)(to - (from + JMP_REL8_LEN));
}

static inline void jump32(u8 *out, u64 from, u64 to)
{
	s32 distance = (s32)(to - (from + JMP_REL32_LEN));

	out[0] = 0xe9;
	memcpy(out + 1, &distance, sizeof(distance));
}

static inline void call32(u8 *out, u64 from, u64 to)
{
	jump32(out, from, to);
	out[0] = 0xe8;
}

#endif
