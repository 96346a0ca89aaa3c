/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * text_decode.c - ranges of text to kinds of instructions, and marks where they lead.
 *
 * The only place where the builders decode. Invariant: what it writes of an instruction depends
 * on the bytes of the text alone, so decoding a range twice changes nothing; before a failure
 * everything in front of it is written.
 */
#include "text_private.h"

static u64 relative8(const u8 *field, u64 end)
{
	return end + (u64)(s64)(s8)*field;
}

static u64 relative32(const u8 *field, u64 end)
{
	return end + (u64)(s64)(s32)port_get32(field);
}

/* The distance of a direct branch is its last field, of one byte or four; which of them is told by the target. */
static enum status direct_class(const u8 *insn, u64 addr, const struct insn_brief *brief,
                                enum kind_class class8, enum kind_class class32,
                                enum kind_class *class, struct failure *fail)
{
	u64 end = addr + brief->len;

	if (brief->len >= 5 && brief->target == relative32(insn + brief->len - 4, end))
		*class = class32;
	else if (class8 != class32 && brief->target == relative8(insn + brief->len - 1, end))
		*class = class8;
	else
		return failed(fail, STATUS_DECODE_UNKNOWN, addr, 0);
	return STATUS_OK;
}

/* Opcodes behind which nothing goes on: hlt, retf, iret. */
static bool never_goes_on(u8 opcode)
{
	return opcode == 0xf4 || opcode == 0xca || opcode == 0xcb || opcode == 0xcf;
}

/* T(,%reg,8): ModRM names a SIB byte, whose base is a 32-bit displacement alone and whose scale is 8 (SDM 2, 2.1.5). */
static bool indexes_table(const u8 *modrm)
{
	return (modrm[0] & 0xc7) == 0x04 && (modrm[1] & 0xc7) == 0xc5;
}

/* 48 8d 05 disp32: lea T(%rip),%reg; 48 8b 04 c5 disp32: mov T(,%reg,8),%reg */
bool text_names_table(const u8 *insn, u32 len)
{
	if (len == 7)
		return (insn[0] & 0xfb) == 0x48 && insn[1] == 0x8d && (insn[2] & 0xc7) == 0x05;
	return len == 8 && (insn[0] & 0xf8) == 0x48 && insn[1] == 0x8b && indexes_table(insn + 2);
}

/* ff 24 c5 disp32: jmp *T(,%reg,8), with prefixes or not */
bool text_jumps_by_table(const u8 *insn, u32 len)
{
	return len >= 7 && insn[len - 7] == 0xff && (insn[len - 6] & 0x38) == 0x20 &&
	       indexes_table(insn + len - 6);
}

static enum status classify(const u8 *insn, u64 addr, const struct insn_brief *brief,
                            enum kind_class *class, struct failure *fail)
{
	*class = KIND_PLAIN;
	switch (brief->role) {
	case ROLE_JMP:
		return direct_class(insn, addr, brief, KIND_JMP8, KIND_JMP32, class, fail);
	case ROLE_JCC:
	case ROLE_COUNT:
		return direct_class(insn, addr, brief, KIND_JCC8, KIND_JCC32, class, fail);
	case ROLE_CALL:
		return direct_class(insn, addr, brief, KIND_CALL, KIND_CALL, class, fail);
	case ROLE_CALL_INDIRECT:
		*class = KIND_CALL_INDIRECT;
		break;
	case ROLE_JMP_INDIRECT:
		*class = text_jumps_by_table(insn, brief->len) ? KIND_JUMP_TABLE : KIND_BARRIER;
		break;
	case ROLE_RET:
		*class = KIND_BARRIER;
		break;
	case ROLE_TRAP:
		*class = insn[0] == 0xcc ? KIND_INT3 : KIND_STOP;
		break;
	case ROLE_SYSTEM:
		/* xbegin branches to its abort handler */
		if (brief->target)
			return direct_class(insn, addr, brief, KIND_JCC32, KIND_JCC32, class, fail);
		if (never_goes_on(insn[0]))
			*class = KIND_STOP;
		break;
	default:
		if (brief->nop && !brief->endbr)
			*class = KIND_NOP;
		else if (text_names_table(insn, brief->len))
			*class = KIND_TABLE;
	}
	return STATUS_OK;
}

enum status text_decode_kind(const u8 *bytes, u64 size, u64 addr, void *decoder, u8 *kind,
                             struct failure *fail)
{
	struct insn_brief brief;
	enum kind_class class;
	enum status status;

	status = decode_brief(bytes, size, addr, decoder, &brief, fail);
	if (status == STATUS_OK)
		status = classify(bytes, addr, &brief, &class, fail);
	if (status == STATUS_OK)
		*kind = (u8)(class << 4 | brief.len);
	return status;
}

u64 text_kind_target(u8 kind, const u8 *end, u64 end_addr)
{
	if (kind_class(kind) == KIND_JMP8 || kind_class(kind) == KIND_JCC8)
		return relative8(end - 1, end_addr);
	return relative32(end - 4, end_addr);
}

enum status text_decode(struct builder *b, u64 start, u64 end, struct failure *fail)
{
	struct text *text = b->text;
	enum status status;
	u64 addr, size, target;
	const u8 *bytes = text_bytes(text, start, &size);
	u32 class;
	u8 kind;

	if (!bytes || end - start > size)
		return failed(fail, STATUS_TEXT_UNPROVEN, start, 0);
	status = text_pay(b, end - start, fail);
	if (status)
		return status;
	for (addr = start; addr < end; addr += kind_len(kind), bytes += kind_len(kind)) {
		kind = end - addr >= INSN_MAX_LEN ? text_quick_kind(bytes) : 0;
		if (!kind) {
			status = text_decode_kind(bytes, end - addr, addr, b->decoder, &kind, fail);
			if (status) {
				b->budget += end - addr - 1; /* nobody worked for that */
				return status;
			}
		}
		b->kinds[addr - text->start] = kind;
		class = kind_class(kind);
		if (!kind_direct(class)) {
			b->n_naming += class == KIND_TABLE || class == KIND_JUMP_TABLE;
			continue;
		}
		target = text_kind_target(kind, bytes + kind_len(kind), addr + kind_len(kind));
		if (text_holds(text, target))
			text->marks[target - text->start] |= TEXT_TARGET;
	}
	return STATUS_OK;
}

u64 text_branch_target(const struct builder *b, u64 addr)
{
	u8 kind = b->kinds[addr - b->text->start];
	const u8 *bytes = text_code(b, addr);

	return text_kind_target(kind, bytes + kind_len(kind), addr + kind_len(kind));
}
