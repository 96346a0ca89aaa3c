/* SPDX-License-Identifier: MIT */
/*
 * toy.c - instructions by a table: opcode bytes, how much follows, role.
 *
 * The first row that fits wins. Prefixes are stepped over in front of direct branches only, so a
 * row's opcode may itself begin with what is a prefix elsewhere.
 */
#include <stdio.h>
#include <string.h>
#include "toy.h"

enum field { NONE, REL8, REL32, RIP32, ABS32 };

struct row {
	u8 opcode[3], n_opcode;
	u8 first_mask; /* of the last opcode byte, bits that matter */
	u8 field, n_after; /* field, then this many bytes more */
	u8 role;
};

static const struct row rows[] = {
	{ { 0x90 }, 1, 0xff, NONE, 0, ROLE_PLAIN }, /* nop */
	{ { 0x50 }, 1, 0xf8, NONE, 0, ROLE_PLAIN }, /* push */
	{ { 0x89, 0xc8 }, 2, 0xff, NONE, 0, ROLE_PLAIN }, /* mov %ecx,%eax */
	{ { 0x48, 0x89, 0xc8 }, 3, 0xff, NONE, 0, ROLE_PLAIN }, /* mov %rcx,%rax */
	{ { 0x48, 0x83, 0xc0 }, 3, 0xff, NONE, 1, ROLE_PLAIN }, /* add $imm8,%rax */
	{ { 0xb8 }, 1, 0xf8, NONE, 4, ROLE_PLAIN }, /* mov $imm32,%reg */
	{ { 0x0f, 0x1f, 0x44 }, 3, 0xff, NONE, 2, ROLE_PLAIN }, /* nopl */
	{ { 0x48, 0x8b, 0x05 }, 3, 0xff, RIP32, 0, ROLE_PLAIN }, /* mov x(%rip),%rax */
	{ { 0xc7, 0x05 }, 2, 0xff, RIP32, 4, ROLE_PLAIN }, /* movl $imm32,x(%rip) */
	{ { 0x70 }, 1, 0xf0, REL8, 0, ROLE_JCC },
	{ { 0x0f, 0x80 }, 2, 0xf0, REL32, 0, ROLE_JCC },
	{ { 0xeb }, 1, 0xff, REL8, 0, ROLE_JMP },
	{ { 0xe9 }, 1, 0xff, REL32, 0, ROLE_JMP },
	{ { 0xe0 }, 1, 0xfc, REL8, 0, ROLE_COUNT },
	{ { 0xe8 }, 1, 0xff, REL32, 0, ROLE_CALL },
	{ { 0xff, 0xd0 }, 2, 0xff, NONE, 0, ROLE_CALL_INDIRECT }, /* call *%rax */
	{ { 0xff, 0xe0 }, 2, 0xff, NONE, 0, ROLE_JMP_INDIRECT }, /* jmp *%rax */
	{ { 0xff, 0x25 }, 2, 0xff, RIP32, 0, ROLE_JMP_INDIRECT }, /* jmp *x(%rip) */
	{ { 0xff, 0x24, 0xc5 }, 3, 0xff, ABS32, 0, ROLE_JMP_INDIRECT }, /* jmp *x(,%rax,8) */
	{ { 0xc3 }, 1, 0xff, NONE, 0, ROLE_RET },
	{ { 0x0f, 0x05 }, 2, 0xff, NONE, 0, ROLE_SYSCALL },
	{ { 0xcc }, 1, 0xff, NONE, 0, ROLE_TRAP },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static const u8 field_len[] = { 0, 1, 4, 4, 4 };

static bool is_direct(u8 role)
{
	return role == ROLE_JMP || role == ROLE_JCC || role == ROLE_COUNT;
}

static bool is_prefix(u8 byte)
{
	return memchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3", byte, 11) ||
	       (byte & 0xf0) == 0x40;
}

static const struct row *find(const u8 *bytes, u64 size, bool direct)
{
	for (u32 i = 0; i < N_ROWS; i++) {
		const struct row *r = &rows[i];
		u32 last = r->n_opcode - 1u;

		if (r->n_opcode <= size && !memcmp(bytes, r->opcode, last) &&
		    (bytes[last] & r->first_mask) == r->opcode[last] &&
		    (!direct || is_direct(r->role)))
			return r;
	}
	return NULL;
}

bool toy_decode(const u8 *bytes, u64 size, u64 addr, struct insn *out)
{
	const struct row *r = find(bytes, size, false);
	u32 prefixes = 0, at, len;
	s32 value = 0;

	if (!r) {
		while (prefixes < size && prefixes < INSN_MAX_LEN && is_prefix(bytes[prefixes]))
			prefixes++;
		r = find(bytes + prefixes, size - prefixes, true);
	}
	if (!r)
		return false;
	at = prefixes + r->n_opcode;
	len = at + field_len[r->field] + r->n_after;
	if (len > size || len > INSN_MAX_LEN)
		return false;
	if (r->field == REL8)
		value = (s8)bytes[at];
	else if (r->field != NONE)
		memcpy(&value, bytes + at, sizeof(value));
	memset(out, 0, sizeof(*out));
	out->addr = addr;
	out->len = (u8)len;
	out->role = r->role;
	out->opcode_at = (u8)prefixes;
	memcpy(out->bytes, bytes, len);
	if (r->role == ROLE_JCC)
		out->cc = bytes[at - 1] & 15;
	if (r->field != NONE)
		out->target = addr + len + (u64)(s64)value;
	if (r->field == RIP32) {
		out->flags = INSN_RIP;
		out->rip_at = (u8)at;
	}
	if (r->field == ABS32) {
		out->target = (u64)(s64)value;
		out->rip_at = (u8)at;
		out->n_mem = 1;
		out->mem[0].disp = value;
	}
	return true;
}

u32 toy_hex(const char *hex, u8 *bytes, u32 max)
{
	u32 n = 0;
	unsigned byte;
	int used;

	for (; n < max && sscanf(hex, " %2x%n", &byte, &used) == 1; hex += used)
		bytes[n++] = (u8)byte;
	return n;
}
