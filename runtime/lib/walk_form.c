/* SPDX-License-Identifier: MIT */
/*
 * walk_form.c - prefixes: SDM volume 2, 2.2.1 (REX), 2.3 (VEX), 2.7.1 (EVEX, whose bits P[23:0] follow the byte 62).
 */
#include "reencode.h"
#include "walk_private.h"

#define REX_R 4
#define REX_B 1
#define VEX2 0xc5
#define VEX3 0xc4
#define EVEX 0x62
#define XOP 0x8f
#define ADDR32 0x67

static u8 bit(u8 byte, u32 n)
{
	return byte >> n & 1;
}

/* pp of VEX and EVEX stands for a prefix. */
static void set_prefix(struct walk_form *form, u8 pp)
{
	form->word = pp == 1;
	form->prefix = pp == 2 ? 0xf3 : pp == 3 ? 0xf2 : 0;
}

/* prefix: where c5, c4 or 62 stands. Bits that extend register numbers are inverted. */
static void read_vex(const u8 *prefix, u8 modrm, struct walk_form *form)
{
	u8 reg = modrm >> 3 & 7, rm = modrm & 7;

	form->encoding = *prefix == EVEX ? WALK_EVEX : WALK_VEX;
	form->map = *prefix == VEX2 ? 1 : prefix[1] & (*prefix == EVEX ? 7 : 31);
	set_prefix(form, prefix[*prefix == VEX2 ? 1 : 2] & 3);
	form->width = bit(prefix[*prefix == VEX2 ? 1 : 2], 2) ? 32 : 16;
	reg |= (u8)(!bit(prefix[1], 7) << 3);
	if (*prefix != VEX2)
		rm |= (u8)(!bit(prefix[1], 5) << 3);
	form->rex = *prefix != VEX2 && bit(prefix[2], 7) ? 8 : 0;
	if (*prefix == EVEX) {
		reg |= (u8)(!bit(prefix[1], 4) << 4);
		rm |= (u8)(!bit(prefix[1], 6) << 4);
		form->width = (u8)(16 << (prefix[3] >> 5 & 3));
		form->mask = prefix[3] & 7;
	}
	form->reg = reg;
	form->rm = rm;
}

/* Prefixes of the old kind, up to the opcode or to a VEX prefix; false: one of those that are not understood. */
static bool read_prefixes(const struct insn *insn, struct walk_form *form, u32 *vex)
{
	*vex = INSN_MAX_LEN;
	for (u32 i = 0; i < insn->opcode_at; i++) {
		u8 byte = insn->bytes[i];

		if (byte == VEX2 || byte == VEX3 || byte == EVEX) {
			*vex = i;
			return true;
		}
		if (byte == XOP || byte == ADDR32)
			return false;
		if (byte == 0x66)
			form->word = true;
		else if (byte == 0xf2 || byte == 0xf3)
			form->prefix = byte;
		else if ((byte & 0xf0) == 0x40 && i + 1u == insn->opcode_at)
			form->rex = byte;
	}
	return true;
}

struct walk_form walk_form(const struct insn *insn)
{
	struct walk_form form = { .modrm_at = (u8)reencode_modrm_at(insn), .width = 16 };
	const u8 *op = insn->bytes + insn->opcode_at;
	u32 vex;
	u8 modrm;

	if (!read_prefixes(insn, &form, &vex))
		return form;
	if (vex < insn->opcode_at)
		form.modrm_at = insn->opcode_at + 1;
	modrm = form.modrm_at && form.modrm_at < insn->len ? insn->bytes[form.modrm_at] : 0;
	form.opcode = *op;
	if (vex < insn->opcode_at) {
		read_vex(insn->bytes + vex, modrm, &form);
	} else {
		form.map = *op != 0x0f ? 0 : op[1] == 0x38 ? 2 : op[1] == 0x3a ? 3 : 1;
		if (form.map)
			form.opcode = op[form.map == 1 ? 1 : 2];
		form.reg = (u8)((modrm >> 3 & 7) | (form.rex & REX_R) << 1);
		form.rm = (u8)((modrm & 7) | (form.rex & REX_B) << 3);
	}
	form.size = form.rex & 8 ? 8 : form.word ? 2 : 4;
	form.memory = form.modrm_at && insn->n_mem && insn->bytes[form.modrm_at] < 0xc0;
	form.whole = !form.memory || insn->mem[0].size ||
	             !(insn->mem[0].load || insn->mem[0].store);
	return form;
}
