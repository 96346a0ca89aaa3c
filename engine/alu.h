/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * alu.h - integer instructions by what they compute: for passes that know something of registers' values.
 *
 * Only instructions of 8, 32 and 64 bits that pair a general register with a register, a constant or memory; what is not named here is ALU_NONE,
 * and whoever asks knows nothing of what it writes.
 */
#ifndef DYNOPT_ENGINE_ALU_H
#define DYNOPT_ENGINE_ALU_H

#include "decode.h"

enum alu_op {
	ALU_NONE,
	ALU_MOVE,
	ALU_ZERO_EXTEND, /* of from_width bits */
	ALU_ADD,
	ALU_OR,
	ALU_AND,
	ALU_SUB,
	ALU_XOR,
	ALU_CMP,
	ALU_TEST,
	ALU_SHR, /* by a constant, not 0 */
	ALU_LEA, /* of one register and a constant */
	ALU_OTHER, /* makes its register wholly, of nobody knows what */
};

#define ALU_NO_REG 0xff /* memory, or nothing */

struct alu {
	u8 op; /* ALU_... */
	u8 width, from_width; /* bits */
	u8 to; /* the first operand; ALU_NO_REG */
	u8 from; /* the second; ALU_NO_REG: memory, or .constant */
	bool constant;
	u64 value; /* of the constant, .width bits */
};

struct alu alu_of(const struct insn *insn);

static inline u64 alu_mask(u8 width)
{
	return width == 64 ? ~(u64)0 : ((u64)1 << width) - 1;
}

#endif
