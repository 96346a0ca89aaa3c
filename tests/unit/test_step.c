/* SPDX-License-Identifier: MIT */
/*
 * Steps of registers (engine/step.h): which instructions are one, what becomes of those that read a register whose step is still to be
 * done, and what is not touched. That both do the same is shown by the fuzzer and the validator.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "step.h"
#include "toy.h"
#include "unit.h"

#define AT 0x1000u

static void *decoder;

static struct insn decode(const char *hex)
{
	struct insn insn = { 0 };
	u8 bytes[16];
	u32 n = toy_hex(hex, bytes, sizeof(bytes));

	if (decode_insn(bytes, n, AT, decoder, &insn, NULL) != STATUS_OK || insn.len != n)
		printf("\n    %s: does not decode\n", hex);
	CU_ASSERT_EQUAL(insn.len, n);
	return insn;
}

static void print(const struct insn *insn, char *out)
{
	*out = '\0';
	for (u32 i = 0; i < insn->len; i++)
		out += sprintf(out, "%s%02x", i ? " " : "", insn->bytes[i]);
}

static void test_steps(void)
{
	static const struct {
		const char *hex;
		int reg; /* -1: it is none */
		s64 by;
	} rows[] = {
		{ "48 83 c6 04", 6, 4 }, /* add $4, %rsi */
		{ "48 83 ee 04", 6, -4 }, /* sub $4, %rsi */
		{ "49 81 c4 00 01 00 00", 12, 256 }, /* add $256, %r12 */
		{ "48 81 ef 00 00 00 80", 7, 0x80000000ll }, /* sub $-2^31, %rdi */
		{ "48 8d 76 f8", 6, -8 }, /* lea -8(%rsi), %rsi */
		{ "4d 8d 6d 08", 13, 8 }, /* lea 8(%r13), %r13 */
		{ "83 c6 04", -1, 0 }, /* 32 bits */
		{ "48 8d 7e 08", -1, 0 }, /* lea 8(%rsi), %rdi */
		{ "48 8d 74 36 08", -1, 0 }, /* lea 8(%rsi,%rsi), %rsi */
		{ "67 48 8d 76 08", -1, 0 }, /* lea 8(%esi), %rsi */
		{ "48 83 e6 04", -1, 0 }, /* and $4, %rsi */
		{ "48 83 d6 04", -1, 0 }, /* adc $4, %rsi */
		{ "48 83 06 04", -1, 0 }, /* addq $4, (%rsi) */
		{ "48 01 f6", -1, 0 }, /* add %rsi, %rsi */
	};

	for (u32 i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct insn insn = decode(rows[i].hex);
		u8 reg = 99;
		s64 by = 0;
		bool is = step_of(&insn, &reg, &by);

		if (is != (rows[i].reg >= 0) || (is && (reg != rows[i].reg || by != rows[i].by)))
			printf("\n    %s: %d, %u, %lld\n", rows[i].hex, is, reg, (long long)by);
		CU_ASSERT(is == (rows[i].reg >= 0));
		CU_ASSERT(!is || (reg == rows[i].reg && by == rows[i].by));
	}
}

static void test_displaced(void)
{
	static const struct {
		const char *hex;
		u8 reg;
		s64 by;
		const char *moved; /* NULL: it stays */
	} rows[] = {
		{ "8b 06", 6, 4, "8b 46 04" }, /* mov (%rsi), %eax */
		{ "8b 46 fc", 6, 4, "8b 06" },
		{ "8b 46 7c", 6, 4, "8b 86 80 00 00 00" },
		{ "8b 86 80 00 00 00", 6, -4, "8b 46 7c" },
		{ "8b 45 fc", 5, 4, "8b 45 00" }, /* -4(%rbp): no form without displacement */
		{ "41 8b 45 04", 13, -4, "41 8b 45 00" }, /* nor for r13 */
		{ "41 8b 44 24 04", 12, -4, "41 8b 04 24" },
		{ "8b 44 8e 04", 6, 4, "8b 44 8e 08" }, /* 4(%rsi,%rcx,4) */
		{ "c7 06 78 56 34 12", 6, 8, "c7 46 08 78 56 34 12" }, /* an immediate behind it */
		{ "48 01 06", 6, 8, "48 01 46 08" }, /* add %rax, (%rsi) */
		{ "80 3e 00", 6, 1, "80 7e 01 00" },
		{ "48 8d 46 01", 6, 1, "48 8d 46 02" }, /* lea 1(%rsi), %rax */
		{ "c5 fa 6f 06", 6, 16, "c5 fa 6f 46 10" }, /* vmovdqu (%rsi), %xmm0 */
		{ "48 89 36", 6, 8, NULL }, /* mov %rsi, (%rsi) */
		{ "8b 04 36", 6, 4, NULL }, /* (%rsi,%rsi) */
		{ "8b 04 b1", 6, 4, NULL }, /* (%rcx,%rsi,4) */
		{ "48 8b 36", 6, 8, NULL }, /* mov (%rsi), %rsi */
		{ "48 01 f0", 6, 8, NULL }, /* add %rsi, %rax */
		{ "67 8b 06", 6, 4, NULL }, /* (%esi) */
		{ "ac", 6, 1, NULL }, /* lods */
		{ "48 0f a3 06", 6, 8, NULL }, /* bt %rax, (%rsi): a string of bits */
		{ "ff 26", 6, 8, NULL }, /* jmp *(%rsi) */
		{ "8b 86 fc ff ff 7f", 6, 4, NULL }, /* 2^31 */
		{ "62 f1 fe 48 6f 06", 6, 64, NULL }, /* vmovdqu64 (%rsi), %zmm0: EVEX */
	};

	for (u32 i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct insn insn = decode(rows[i].hex), out = insn;
		char text[64] = "";

		if (step_displace(&insn, rows[i].reg, rows[i].by, decoder, &out))
			print(&out, text);
		if (strcmp(text, rows[i].moved ? rows[i].moved : ""))
			printf("\n    %s: '%s'\n", rows[i].hex, text);
		CU_ASSERT_STRING_EQUAL(text, rows[i].moved ? rows[i].moved : "");
	}
}

/* One for each register and each length of constant; what comes out is a step again. */
static void test_made(void)
{
	static const s64 constants[] = { 1, -1, 127, 128, -128, -129, 0x7fffffff, -0x80000000ll };
	struct insn at = decode("90"), out;

	for (u8 reg = 0; reg < 16; reg++) {
		for (u32 i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
			u8 of = 99;
			s64 by = 0;

			CU_ASSERT_FATAL(step_make(&at, reg, constants[i], decoder, &out));
			CU_ASSERT(step_of(&out, &of, &by) && of == reg && by == constants[i]);
			CU_ASSERT(out.addr == AT && !out.flags_def);
		}
		CU_ASSERT_FALSE(step_make(&at, reg, 0x80000000ll, decoder, &out));
	}
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "which are steps", test_steps },
		{ "addresses are moved", test_displaced },
		{ "two steps are one", test_made },
	};
	int result;

	decoder = malloc(decode_scratch_size());
	result = UNIT_RUN("step", tests);
	free(decoder);
	return result;
}
