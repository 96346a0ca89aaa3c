/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * step.h - instructions that move a register on by a constant, and what reads the register when that is still to be done.
 */
#ifndef DYNOPT_ENGINE_STEP_H
#define DYNOPT_ENGINE_STEP_H

#include "decode.h"

/* Is it `reg` := reg + by, 64 bits? add, sub, lea; flags are not looked at. */
bool step_of(const struct insn *insn, u8 *reg, s64 *by);
/*
 * *out: the same instruction where `reg` is less by `by`, so its address is moved. False: it reads the register for more than the base of
 * its one address, or writes it, or there is no such instruction.
 */
__must_check bool step_displace(const struct insn *insn, u8 reg, s64 by, void *decoder,
                                struct insn *out);
/* *out: reg := reg + by, as a lea at the instruction's place. False: the constant has more than 32 bits. */
__must_check bool step_make(const struct insn *insn, u8 reg, s64 by, void *decoder,
                            struct insn *out);

#endif
