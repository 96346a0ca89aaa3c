/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * reencode.h - instructions that a pass makes, and operands that it moves.
 *
 * All of them are about rsp: that is what changes when calls disappear. Each function writes machine code and
 * nothing else; whoever wants a struct insn of it decodes it, so there is one source of what an instruction does.
 */
#ifndef DYNOPT_ENGINE_REENCODE_H
#define DYNOPT_ENGINE_REENCODE_H

#include "decode.h"

/* Offset of the ModRM byte of an instruction that has one; 0: a form that is not known here (EVEX, XOP). */
u32 reencode_modrm_at(const struct insn *insn);

/*
 * The instruction with `delta` added to the displacement of its memory operand, whose base is rsp: out[0..*len).
 * False for EVEX, for operands that are not based on rsp, and if the result would be longer than an instruction may be.
 */
__must_check bool reencode_rsp(const struct insn *insn, s32 delta, u8 *out, u32 *len);

/* mov [rsp+at], reg; mov reg, [rsp+at]; lea reg, [rsp+at]: 64 bits each. Return the length, at most 8. */
u32 reencode_store(u8 *out, u8 reg, s32 at);
u32 reencode_load(u8 *out, u8 reg, s32 at);
u32 reencode_lea(u8 *out, u8 reg, s32 at);
/* mov qword [rsp+at], value (sign-extended). Returns the length, at most 12. */
u32 reencode_store_imm(u8 *out, s32 value, s32 at);

#endif
