/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * result.h - instructions that make one general register of general registers and constants, and can be made good later.
 *
 * Whoever meets an interrupted translation has registers and no decoder: what is owed as a result (PENDING_RESULT) is of the few
 * forms that are executed here. 32 and 64 bits; no memory, no rsp, no flags read; flags that the processor would write are not made.
 */
#ifndef DYNOPT_ENGINE_RESULT_H
#define DYNOPT_ENGINE_RESULT_H

#include "port.h"

#define RESULT_MAX_LEN 8 /* it fits in ir_pending.value */

/*
 * Executes the instruction at bytes[0..len) on registers in encoding order. False, and nothing is changed, if it is none of the
 * forms or longer or shorter than len.
 */
bool result_make(const u8 *bytes, u32 len, u64 gpr[16]);

/* As in ir_pending: the first byte is the lowest. */
static inline u64 result_pack(const u8 *bytes, u32 len)
{
	u64 value = 0;

	for (u32 i = 0; i < len && i < RESULT_MAX_LEN; i++)
		value |= (u64)bytes[i] << 8 * i;
	return value;
}
static inline void result_unpack(u64 value, u8 bytes[RESULT_MAX_LEN])
{
	for (u32 i = 0; i < RESULT_MAX_LEN; i++)
		bytes[i] = (u8)(value >> 8 * i);
}

#endif
