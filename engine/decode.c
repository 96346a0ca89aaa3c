/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * decode.c - length, role and class of an instruction; what it defines and uses is
 * decode_effects.c's.
 *
 * The decoder is in 64-bit mode with Intel's reading of the opcode map. Where processors of the
 * two makers disagree on an instruction, it is refused
 * as unknown. Invariant: an instruction that decode_insn() accepts does the same wherever its
 * copy stands, given that its relative fields are redirected.
 */
#include "decode_private.h"

static const ZydisDecoder decoder = {
	.machine_mode = ZYDIS_MACHINE_MODE_LONG_64,
	.stack_width = ZYDIS_STACK_WIDTH_64,
	.decoder_mode = {
		[ZYDIS_DECODER_MODE_CET] = ZYAN_TRUE,
		[ZYDIS_DECODER_MODE_LZCNT] = ZYAN_TRUE,
		[ZYDIS_DECODER_MODE_TZCNT] = ZYAN_TRUE,
		[ZYDIS_DECODER_MODE_CLDEMOTE] = ZYAN_TRUE,
	},
};

enum decode_class {
	CLASS_UNKNOWN,
	CLASS_MODEL,
	CLASS_OPAQUE,
	CLASS_SYSTEM,
	CLASS_TRAP,
	CLASS_TRANSACTION,
	CLASS_FAR,
	CLASS_N
};

static const u8 class_status[CLASS_N] = {
	[CLASS_UNKNOWN] = STATUS_DECODE_UNKNOWN, [CLASS_SYSTEM] = STATUS_DECODE_SYSTEM,
	[CLASS_TRAP] = STATUS_DECODE_TRAP,       [CLASS_TRANSACTION] = STATUS_DECODE_TRANSACTION,
	[CLASS_FAR] = STATUS_DECODE_FAR,
};

static enum decode_class extension_class(ZydisISAExt ext)
{
	switch (ext) {
#define EXT(name, class) \
	case ZYDIS_ISA_EXT_##name: \
		return CLASS_##class;
#include "decode_class.def"
	default:
		return CLASS_UNKNOWN;
	}
}

static enum decode_class insn_class(const ZydisDecodedInstruction *insn)
{
	if (insn->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
		return CLASS_FAR;
	switch (insn->mnemonic) {
#define INSN(name, class) \
	case ZYDIS_MNEMONIC_##name: \
		return CLASS_##class;
#include "decode_class.def"
	default:
		break;
	}
	if (insn->attributes & ZYDIS_ATTRIB_IS_PRIVILEGED)
		return CLASS_SYSTEM;
	return extension_class(insn->meta.isa_ext);
}

static enum insn_role branch_role(const ZydisDecodedInstruction *insn)
{
	switch (insn->meta.category) {
	case ZYDIS_CATEGORY_CALL:
		return insn->raw.imm[0].is_relative ? ROLE_CALL : ROLE_CALL_INDIRECT;
	case ZYDIS_CATEGORY_UNCOND_BR:
		return insn->raw.imm[0].is_relative ? ROLE_JMP : ROLE_JMP_INDIRECT;
	case ZYDIS_CATEGORY_RET:
		return ROLE_RET;
	case ZYDIS_CATEGORY_COND_BR:
		break;
	default:
		return ROLE_PLAIN;
	}
	switch (insn->mnemonic) {
	case ZYDIS_MNEMONIC_JRCXZ:
	case ZYDIS_MNEMONIC_JECXZ:
	case ZYDIS_MNEMONIC_LOOP:
	case ZYDIS_MNEMONIC_LOOPE:
	case ZYDIS_MNEMONIC_LOOPNE:
		return ROLE_COUNT;
	default:
		return ROLE_JCC;
	}
}

static enum insn_role insn_role(const ZydisDecodedInstruction *insn)
{
	switch (insn->mnemonic) {
	case ZYDIS_MNEMONIC_SYSCALL:
		return ROLE_SYSCALL;
	case ZYDIS_MNEMONIC_INT:
		return insn->raw.imm[0].value.u == 0x80 ? ROLE_SYSCALL : ROLE_TRAP;
	case ZYDIS_MNEMONIC_INT3:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
		return ROLE_TRAP;
	default:
		return branch_role(insn);
	}
}

static bool is_relative(const ZydisDecodedInstruction *insn)
{
	return insn->raw.imm[0].size && insn->raw.imm[0].is_relative;
}

static u64 relative_target(const ZydisDecodedInstruction *insn, u64 addr)
{
	return is_relative(insn) ? addr + insn->length + (u64)insn->raw.imm[0].value.s : 0;
}

/*
 * A near branch of 16 bits: Intel ignores the prefix, AMD does not. f3 41 90 is xchg for some,
 * pause for others. The prefetch of a register (0f 0d) does nothing at Intel's, and is #UD at AMD's (APM 3, PREFETCH).
 */
static bool makers_disagree(const ZydisDecodedInstruction *insn, enum insn_role role)
{
	if (insn->mnemonic == ZYDIS_MNEMONIC_PAUSE)
		return insn->raw.rex.B;
	if (insn->meta.category == ZYDIS_CATEGORY_WIDENOP && insn->opcode == 0x0d)
		return true;
	if (role < ROLE_JMP || role > ROLE_RET ||
	    !(insn->attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE))
		return false;
	return !(insn->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY && insn->raw.rex.W);
}

static enum status decode_bytes(const u8 *bytes, u64 size, u64 addr, ZydisDecoderContext *context,
                                ZydisDecodedInstruction *insn, struct failure *fail)
{
	u64 length = size < INSN_MAX_LEN ? size : INSN_MAX_LEN;
	ZyanStatus status;

	port_yield();
	status = ZydisDecoderDecodeInstruction(&decoder, context, bytes, length, insn);
	if (ZYAN_SUCCESS(status))
		return STATUS_OK;
	if (status == ZYDIS_STATUS_NO_MORE_DATA && size < INSN_MAX_LEN)
		return failed(fail, STATUS_DECODE_CUT, addr, size);
	return failed(fail, STATUS_DECODE_INVALID, addr, 0);
}

/* An address relative to eip is an operand with mod 0, rm 5 and a 67 prefix. */
static bool is_eip_relative(const ZydisDecodedInstruction *insn)
{
	return insn->address_width == 32 && (insn->attributes & ZYDIS_ATTRIB_HAS_MODRM) &&
	       insn->raw.modrm.mod == 0 && insn->raw.modrm.rm == 5;
}

u64 decode_scratch_size(void)
{
	return sizeof(struct decode_scratch);
}

enum status decode_brief(const u8 *bytes, u64 size, u64 addr, void *scratch, struct insn_brief *out,
                         struct failure *fail)
{
	ZydisDecodedInstruction *insn = &((struct decode_scratch *)scratch)->insn;
	enum decode_class class;
	enum insn_role role;
	enum status status;

	status = decode_bytes(bytes, size, addr, NULL, insn, fail);
	if (status)
		return status;
	role = insn_role(insn);
	if (makers_disagree(insn, role))
		return failed(fail, STATUS_DECODE_UNKNOWN, addr, insn->mnemonic);
	class = insn_class(insn);
	out->target = relative_target(insn, addr);
	out->len = insn->length;
	out->role = class_status[class] || is_eip_relative(insn) ? ROLE_SYSTEM : role;
	out->endbr = insn->mnemonic == ZYDIS_MNEMONIC_ENDBR64;
	out->nop = out->endbr || insn->mnemonic == ZYDIS_MNEMONIC_NOP ||
	           insn->meta.category == ZYDIS_CATEGORY_WIDENOP;
	return STATUS_OK;
}

/* Prefixes first, REX among them; VEX and EVEX are counted neither as prefixes nor as opcode. */
static u8 opcode_offset(const ZydisDecodedInstruction *insn)
{
	switch (insn->encoding) {
	case ZYDIS_INSTRUCTION_ENCODING_VEX:
		return insn->raw.vex.offset + insn->raw.vex.size;
	case ZYDIS_INSTRUCTION_ENCODING_EVEX:
		return insn->raw.evex.offset + 4;
	case ZYDIS_INSTRUCTION_ENCODING_XOP:
		return insn->raw.xop.offset + 3;
	default:
		return insn->raw.prefix_count;
	}
}

enum status decode_insn(const u8 *bytes, u64 size, u64 addr, void *scratch, struct insn *out,
                        struct failure *fail)
{
	struct decode_scratch *decoded = scratch;
	const ZydisDecodedInstruction *zydis = &decoded->insn;
	enum decode_class class;
	enum status status;
	struct insn insn;

	status = decode_bytes(bytes, size, addr, &decoded->context, &decoded->insn, fail);
	if (status)
		return status;
	memset(&insn, 0, sizeof(insn));
	insn.role = insn_role(zydis);
	class = insn_class(zydis);
	if (makers_disagree(zydis, insn.role))
		class = CLASS_UNKNOWN;
	if (class_status[class])
		return failed(fail, class_status[class], addr, zydis->mnemonic);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeOperands(&decoder, &decoded->context, zydis,
	                                             decoded->operands, zydis->operand_count)))
		return failed(fail, STATUS_DECODE_INVALID, addr, 0);
	insn.addr = addr;
	insn.target = relative_target(zydis, addr);
	insn.mnemonic = zydis->mnemonic;
	insn.len = zydis->length;
	insn.opcode_at = opcode_offset(zydis);
	insn.flags = class == CLASS_OPAQUE ? INSN_OPAQUE : 0;
	if (insn.role == ROLE_JCC)
		insn.cc = zydis->opcode & 0xf;
	memcpy(insn.bytes, bytes, zydis->length);
	status = decode_effects(decoded, &insn, fail);
	if (status)
		return status;
	*out = insn;
	return STATUS_OK;
}

const char *insn_mnemonic(u16 mnemonic)
{
	const char *name = ZydisMnemonicGetString(mnemonic);

	return name ? name : "unknown";
}
