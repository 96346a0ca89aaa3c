/* SPDX-License-Identifier: MIT */
/*
 * Whose fault it is, from the instruction that faulted in a translation, and the original one (runtime/lib/fault.c).
 */
#include "decode.h"
#include "fault.h"
#include "unit.h"

#include <signal.h>

#define RAX_AT 0x10000000u
#define BAD 0x7654321000
#define STACK 0x7fff00000000

enum kind { PAGE, GENERAL, OTHER };

/* clang-format off */
/* rax is RAX_AT in both, rdx BAD in the translation and RAX_AT in the original, rbx no address, rsp STACK. */
static const struct row {
	const char *what;
	int sig;
	enum kind kind;
	u64 addr;
	u8 here[12], original[12];
	bool ours;
} rows[] = {
	/* mov rcx, [rdx] */
	{ "the address is another", SIGSEGV, PAGE, BAD, { 0x48, 0x8b, 0x0a }, { 0x48, 0x8b, 0x0a }, true },
	{ "another displacement", SIGSEGV, PAGE, BAD + 8, { 0x48, 0x8b, 0x4a, 8 }, { 0x48, 0x8b, 0x48, 8 }, true },
	{ "SIGBUS", SIGBUS, PAGE, BAD, { 0x48, 0x8b, 0x0a }, { 0x48, 0x8b, 0x0a }, true },
	{ "a load that the original does not have", SIGSEGV, PAGE, BAD, { 0x48, 0x8b, 0x0a }, { 0x48, 0x89, 0xc1 }, true },
	{ "both load from there", SIGSEGV, PAGE, RAX_AT, { 0x48, 0x8b, 0x08 }, { 0x48, 0x8b, 0x08 }, false },
	{ "its last byte", SIGSEGV, PAGE, RAX_AT + 7, { 0x48, 0x8b, 0x08 }, { 0x48, 0x8b, 0x08 }, false },
	{ "a store of the original at the same place", SIGSEGV, PAGE, RAX_AT, { 0x48, 0x8b, 0x08 }, { 0x48, 0x89, 0x08 }, false },
	{ "not where the translation reads: it was sent", SIGSEGV, PAGE, 0x1234, { 0x48, 0x8b, 0x0a }, { 0x48, 0x8b, 0x0a }, false },
	/* mov rcx, [rsp]; push rax */
	{ "the end of the stack", SIGSEGV, PAGE, STACK, { 0x48, 0x8b, 0x0c, 0x24 }, { 0x48, 0x89, 0xc1 }, false },
	{ "near the end of the stack", SIGSEGV, PAGE, STACK - 8, { 0x50 }, { 0x90 }, false },
	/* mov rcx, fs:[rdx]; rep movsb; movaps xmm0, [rdx + 1] */
	{ "a segment's base is not known", SIGSEGV, PAGE, BAD, { 0x48, 0x8b, 0x0a }, { 0x64, 0x48, 0x8b, 0x0a }, false },
	{ "a string's end is not known", SIGSEGV, PAGE, BAD, { 0x48, 0x8b, 0x0a }, { 0xf3, 0xa4 }, false },
	{ "neither a page nor protection", SIGSEGV, OTHER, 0, { 0x48, 0x8b, 0x0a }, { 0x48, 0x8b, 0x0a }, false },
	{ "protection: alignment", SIGSEGV, GENERAL, 0, { 0x0f, 0x28, 0x42, 1 }, { 0x0f, 0x28, 0x42, 1 }, false },
	/* mov rcx, [rbx] */
	{ "an address that is none", SIGSEGV, GENERAL, 0, { 0x48, 0x8b, 0x0b }, { 0x48, 0x8b, 0x08 }, true },
	{ "of the original's, too", SIGSEGV, GENERAL, 0, { 0x48, 0x8b, 0x0b }, { 0x48, 0x8b, 0x0b }, false },
	{ "an instruction that is none", SIGILL, OTHER, 0, { 0x06 }, { 0x90 }, true },
	{ "ud2", SIGILL, OTHER, 0, { 0x0f, 0x0b }, { 0x48, 0x8b, 0x0a }, true },
	{ "ud2 of the original", SIGILL, OTHER, 0, { 0x0f, 0x0b }, { 0x0f, 0x0b }, false },
	{ "one that the processor may not have", SIGILL, OTHER, 0, { 0x0f, 0x0b }, { 0xc5, 0xf5, 0xfe, 0xc2 }, false },
	{ "an instruction that is one: it was sent", SIGILL, OTHER, 0, { 0x90 }, { 0x90 }, false },
	/* div rcx; mul rcx */
	{ "a division that is the original's", SIGFPE, OTHER, 0, { 0x48, 0xf7, 0xf1 }, { 0x48, 0xf7, 0xf1 }, false },
	{ "a division that is not", SIGFPE, OTHER, 0, { 0x48, 0xf7, 0xf1 }, { 0x48, 0x89, 0xc1 }, true },
	{ "not a division: it was sent", SIGFPE, OTHER, 0, { 0x48, 0xf7, 0xe1 }, { 0x48, 0x89, 0xc1 }, false },
	{ "an original that is not understood", SIGSEGV, PAGE, BAD, { 0x48, 0x8b, 0x0a }, { 0x0f, 0x01, 0xd0 }, false },
};
/* clang-format on */

static void test_rows(void)
{
	static _Alignas(16) u8 scratch[8192];

	CU_ASSERT_FATAL(decode_scratch_size() <= sizeof(scratch));
	for (u32 i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct fault fault = { .sig = row->sig,
			               .page = row->kind == PAGE,
			               .general = row->kind == GENERAL,
			               .addr = row->addr,
			               .at = 0x500000,
			               .origin = 0x400000 };
		bool ours;

		fault.gpr[0] = fault.gpr_at[0] = fault.gpr[2] = RAX_AT;
		fault.gpr_at[2] = BAD;
		fault.gpr[3] = fault.gpr_at[3] = 0x8000000000000000;
		fault.gpr[4] = fault.gpr_at[4] = STACK;
		ours = fault_is_ours(&fault, row->here, sizeof(row->here), row->original,
		                     sizeof(row->original), scratch);
		CU_ASSERT_EQUAL(ours, row->ours);
		if (ours != row->ours)
			printf("\n    %s\n", row->what);
	}
}

static const struct unit_test tests[] = {
	{ "whose it is", test_rows },
};

int main(void)
{
	return UNIT_RUN("faults", tests);
}
