/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * operand.h - a register that an instruction reads is replaced by another one.
 */
#ifndef DYNOPT_ENGINE_OPERAND_H
#define DYNOPT_ENGINE_OPERAND_H

#include "decode.h"

/*
 * *out: the instruction with general register `to` wherever it reads `from`. `narrow`: only bits 0 to 31 of the two are the same.
 * False if it reads `from` in a way that no field names, or writes it there, or the result would be no instruction of the same kind.
 * `out` may be `insn`.
 */
__must_check bool operand_replace(const struct insn *insn, u8 from, u8 to, bool narrow,
                                  void *decoder, struct insn *out);

#endif
