/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * reencode.c - ModRM, SIB and displacement of operands based on rsp (SDM volume 2, 2.1.5 and table 2-3).
 *
 * rsp as a base takes a SIB byte: ModRM.rm is 100, SIB.base is 100 and neither REX.B nor VEX.B is set (with it the base is
 * r12). mod 00: no displacement, 01: 8 bits, 10: 32 bits; the shortest that holds the sum is written.
 */
#include "reencode.h"

#define RM_SIB 4
#define BASE_RSP 4
#define SIB_RSP 0x24 /* no index, base rsp */
#define REX_W 0x48
#define REX_R 0x04

enum { MOD_NONE, MOD_DISP8, MOD_DISP32, MOD_REG };

static bool is_legacy_prefix(u8 byte)
{
	static const u8 prefixes[] = { 0x66, 0x67, 0x2e, 0x36, 0x3e, 0x26,
		                       0x64, 0x65, 0xf0, 0xf2, 0xf3 };

	for (u32 i = 0; i < sizeof(prefixes); i++)
		if (byte == prefixes[i])
			return true;
	return false;
}

/* insn->opcode_at is behind a VEX prefix. */
u32 reencode_modrm_at(const struct insn *insn)
{
	const u8 *opcode = insn->bytes + insn->opcode_at;
	u32 first = 0;

	while (first < insn->opcode_at && is_legacy_prefix(insn->bytes[first]))
		first++;
	if (first < insn->opcode_at) {
		if (insn->bytes[first] == 0xc4 || insn->bytes[first] == 0xc5)
			return insn->opcode_at + 1;
		if ((insn->bytes[first] & 0xf0) != 0x40) /* EVEX, XOP: nothing but REX is left */
			return 0;
	}
	if (opcode[0] != 0x0f)
		return insn->opcode_at + 1;
	return insn->opcode_at + (opcode[1] == 0x38 || opcode[1] == 0x3a ? 3 : 2);
}

static u8 mod_for(s64 disp)
{
	return disp == 0 ? MOD_NONE : disp >= -128 && disp <= 127 ? MOD_DISP8 : MOD_DISP32;
}

static u32 put_disp(u8 *out, u8 mod, s32 disp)
{
	if (mod == MOD_DISP8)
		out[0] = (u8)disp;
	else if (mod == MOD_DISP32)
		memcpy(out, &disp, sizeof(disp));
	return mod == MOD_DISP8 ? 1 : mod == MOD_DISP32 ? 4 : 0;
}

static s64 get_disp(const u8 *at, u8 mod)
{
	s32 disp = 0;

	if (mod == MOD_DISP8)
		disp = (s8)at[0];
	else if (mod == MOD_DISP32)
		memcpy(&disp, at, sizeof(disp));
	return disp;
}

bool reencode_rsp(const struct insn *insn, s32 delta, u8 *out, u32 *len)
{
	u32 at = reencode_modrm_at(insn), n, tail, old = 0;
	u8 bytes[INSN_MAX_LEN + 8], modrm, mod;
	s64 disp;

	if (!at || at + 1 >= insn->len)
		return false;
	modrm = insn->bytes[at];
	mod = modrm >> 6;
	if (mod == MOD_REG || (modrm & 7) != RM_SIB || (insn->bytes[at + 1] & 7) != BASE_RSP ||
	    !insn->n_mem || insn->mem[0].base != BASE_RSP)
		return false;
	old = mod == MOD_DISP8 ? 1 : mod == MOD_DISP32 ? 4 : 0;
	disp = get_disp(insn->bytes + at + 2, mod) + delta;
	if (disp < -0x80000000ll || disp > 0x7fffffffll)
		return false;
	mod = mod_for(disp);
	memcpy(bytes, insn->bytes, at);
	bytes[at] = (u8)(mod << 6 | (modrm & 0x3f));
	bytes[at + 1] = insn->bytes[at + 1];
	n = at + 2 + put_disp(bytes + at + 2, mod, (s32)disp);
	tail = insn->len - (at + 2 + old);
	if (n + tail > INSN_MAX_LEN)
		return false;
	memcpy(bytes + n, insn->bytes + at + 2 + old, tail);
	memcpy(out, bytes, n + tail);
	*len = n + tail;
	return true;
}

/* opcode reg, [rsp+at] */
static u32 reg_and_rsp(u8 *out, u8 opcode, u8 reg, s32 at)
{
	u8 mod = mod_for(at);

	out[0] = (u8)(REX_W | (reg & 8 ? REX_R : 0));
	out[1] = opcode;
	out[2] = (u8)(mod << 6 | (reg & 7) << 3 | RM_SIB);
	out[3] = SIB_RSP;
	return 4 + put_disp(out + 4, mod, at);
}

u32 reencode_store(u8 *out, u8 reg, s32 at)
{
	return reg_and_rsp(out, 0x89, reg, at);
}

u32 reencode_load(u8 *out, u8 reg, s32 at)
{
	return reg_and_rsp(out, 0x8b, reg, at);
}

u32 reencode_lea(u8 *out, u8 reg, s32 at)
{
	return reg_and_rsp(out, 0x8d, reg, at);
}

u32 reencode_store_imm(u8 *out, s32 value, s32 at)
{
	u32 n = reg_and_rsp(out, 0xc7, 0, at);

	memcpy(out + n, &value, sizeof(value));
	return n + 4;
}
