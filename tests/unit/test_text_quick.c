/* SPDX-License-Identifier: MIT */
/*
 * The table of common instructions against the decoder: for every opcode of both maps, every ModRM byte, some SIB
 * bytes and every prefix that is looked at, either nothing is said or the same; and enough is said to be worth it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "text_private.h"
#include "unit.h"

static void *decoder;
static u64 n_compared, n_quick, n_kept;

/* Distances such that 1-byte and 4-byte fields lead to different places. */
static const u8 tail[] = { 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x12, 0x23, 0x34, 0x45, 0x56 };

static bool same_brief(const u8 *bytes)
{
	struct insn_brief quick, slow;
	struct failure fail;

	return text_quick_brief(bytes, 0x401000, &quick) &&
	       decode_brief(bytes, INSN_MAX_LEN, 0x401000, decoder, &slow, &fail) == STATUS_OK &&
	       quick.target == slow.target && quick.len == slow.len && quick.role == slow.role &&
	       quick.endbr == slow.endbr && quick.nop == slow.nop;
}

/* Registers that calls preserve: those that an instruction keeps, it does not define. */
static bool same_kept(const u8 *bytes)
{
	static const u32 regs[] = { 3, 5, 12, 13, 14, 15 };
	struct insn_brief quick, kept;
	struct insn insn = { 0 };
	struct failure fail;
	enum status status = decode_insn(bytes, INSN_MAX_LEN, 0x401000, decoder, &insn, &fail);

	if (!text_quick_brief(bytes, 0x401000, &quick))
		return false;
	for (u32 i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
		if (!text_quick_keeps(bytes, 0x401000, regs[i], &kept))
			continue;
		n_kept++;
		if (status || (insn.flags & INSN_OPAQUE) || (insn.def.gpr >> regs[i] & 1) ||
		    kept.target != quick.target || kept.len != quick.len ||
		    kept.role != quick.role || insn.len != kept.len || insn.role != kept.role)
			return false;
	}
	return true;
}

static bool same(const u8 *bytes)
{
	u8 quick = text_quick_kind(bytes), kind = 0;
	struct failure fail;
	enum status status;

	n_compared++;
	if (!quick)
		return true;
	n_quick++;
	status = text_decode_kind(bytes, INSN_MAX_LEN, 0x401000, decoder, &kind, &fail);
	if (status == STATUS_OK && kind == quick && same_brief(bytes) && same_kept(bytes))
		return true;
	printf("\n    ");
	for (u32 i = 0; i < INSN_MAX_LEN; i++)
		printf("%02x ", bytes[i]);
	printf(": quick %02x, decoder %02x (%s)\n", quick, kind, status_name(status));
	return false;
}

static u32 all_modrm(const u8 *head, u32 n)
{
	static const u8 sibs[] = { 0x00, 0x25, 0xc5, 0xe4 };
	u8 bytes[32];
	u32 n_wrong = 0;

	memcpy(bytes, head, n);
	memcpy(bytes + n + 2, tail, sizeof(tail));
	for (u32 modrm = 0; modrm < 256 && n_wrong < 8; modrm++) {
		bytes[n] = (u8)modrm;
		for (u32 i = 0; i < sizeof(sibs); i++) {
			bytes[n + 1] = sibs[i];
			n_wrong += !same(bytes);
		}
	}
	return n_wrong;
}

static void test_all(void)
{
	static const u8 prefixes[][6] = { "",
		                          "\x66",
		                          "\xf2",
		                          "\xf3",
		                          "\x64",
		                          "\x65",
		                          "\x2e",
		                          "\xf0",
		                          "\x67",
		                          "\x2e\x2e\x2e",
		                          "\x2e\x2e\x2e\x2e\x2e",
		                          "\x66\x2e",
		                          "\x2e\x66",
		                          "\x66\x66\x2e",
		                          "\x66\x66\x66\x66\x2e",
		                          "\x2e\xf3",
		                          "\xf2\x2e",
		                          "\x2e\x64",
		                          "\x64\x2e" };
	static const u8 rexes[] = { 0, 0x40, 0x41, 0x44, 0x48, 0x4f };
	u32 n_wrong = 0;

	for (u32 p = 0; p < sizeof(prefixes) / sizeof(prefixes[0]); p++) {
		for (u32 r = 0; r < sizeof(rexes); r++) {
			for (u32 opcode = 0; opcode < 512 && n_wrong < 8; opcode++) {
				u8 head[16];
				u32 n = (u32)strlen((const char *)prefixes[p]);

				memcpy(head, prefixes[p], n);
				if (rexes[r])
					head[n++] = rexes[r];
				if (opcode >= 256)
					head[n++] = 0x0f;
				head[n++] = (u8)opcode;
				n_wrong += all_modrm(head, n);
			}
		}
	}
	CU_ASSERT_EQUAL(n_wrong, 0);
	CU_ASSERT(n_quick * 10 > n_compared);
	CU_ASSERT(n_kept > n_quick * 4); /* of six registers */
}

static void test_random(void)
{
	u64 x = 1;
	u32 n_wrong = 0;

	for (u32 i = 0; i < 2000000 && n_wrong < 8; i++) {
		u8 bytes[16];

		for (u32 j = 0; j < 16; j++) {
			x = x * 6364136223846793005u + 1442695040888963407u;
			bytes[j] = (u8)(x >> 56);
		}
		n_wrong += !same(bytes);
	}
	CU_ASSERT_EQUAL(n_wrong, 0);
}

static const struct unit_test tests[] = {
	{ "every opcode", test_all },
	{ "random bytes", test_random },
};

int main(void)
{
	decoder = malloc(decode_scratch_size());
	return UNIT_RUN("common instructions", tests);
}
