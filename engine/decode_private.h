/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * decode_private.h - between decode.c and decode_effects.c, the only files that know Zydis.
 */
#ifndef DYNOPT_ENGINE_DECODE_PRIVATE_H
#define DYNOPT_ENGINE_DECODE_PRIVATE_H

#include <Zydis/Zydis.h>
#include "decode.h"

/* What the decoder library fills; too large for a kernel stack. */
struct decode_scratch {
	ZydisDecodedInstruction insn;
	ZydisDecoderContext context;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

/*
 * Fills definitions, uses, memory operands and effect flags of *out, whose address, length, role
 * and class flags stand already. STATUS_DECODE_ADDR32, _SYSTEM (segment registers), _UNKNOWN.
 */
__must_check enum status decode_effects(const struct decode_scratch *decoded, struct insn *out,
                                        struct failure *fail);

#endif
