/* SPDX-License-Identifier: MIT */
/*
 * test_operand.c - reads of one register become reads of another (engine/operand.h), against the processor.
 *
 * Every legacy encoding that reads a register, with registers or memory, is tried with random pairs. What is made must do on a state in
 * which the two registers hold the same what the old one does: all registers, flags, faults and memory. Forms that have to be
 * replaced, and those that must not, are listed below.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "decode.h"
#include "operand.h"
#include "oracle_forms.h"
#include "oracle_machine.h"

#define ROUNDS 6
#define SHOWN 10
#define RSP 4
#define FLAGS 0x202u

/* from, to; old and new bytes, NULL: not to be replaced. */
static const struct {
	u8 from, to;
	bool narrow;
	const char *old, *new;
} cases[] = {
	{ 0, 1, false, "4801c2", "4801ca" }, /* add rdx, rax */
	{ 0, 9, false, "4801c2", "4c01ca" },
	{ 0, 9, false, "01c2", "4401ca" },
	{ 0, 9, true, "01c2", "4401ca" },
	{ 0, 9, true, "4801c2", NULL },
	{ 2, 9, false, "4801c2", NULL }, /* rdx is written */
	{ 0, 3, false, "4839c0", "4839db" }, /* cmp rax, rax */
	{ 0, 3, false, "85c0", "85db" },
	{ 0, 6, false, "84c0", NULL }, /* test al, al: sil takes a rex */
	{ 0, 6, false, "4084c0", "4084f6" },
	{ 0, 3, false, "84c0", "84db" },
	{ 0, 3, false, "84e0", NULL }, /* ah */
	{ 0, 3, false, "8b4808", "8b4b08" }, /* mov ecx, [rax+8] */
	{ 0, 3, true, "8b4808", NULL }, /* all of an address is read */
	{ 0, 5, false, "8b08", NULL }, /* [rbp] takes a displacement, */
	{ 0, 5, false, "8b4808", NULL }, /* and is in the stack's segment */
	{ 0, 5, false, "488d4808", "488d4d08" }, /* lea rcx, [rax+8] */
	{ 0, 12, false, "8b08", NULL }, /* [r12] takes a SIB */
	{ 0, 12, false, "8b0c03", "428b0c23" }, /* [rbx+rax] */
	{ 3, 12, false, "8b0c03", "418b0c04" },
	{ 3, 13, false, "8b0c03", NULL },
	{ 3, 13, false, "8b4c0308", "418b4c0508" },
	{ 0, 3, false, "890425b8000000", "891c25b8000000" }, /* mov [0xb8], eax */
	{ 0, 3, false, "8903", "891b" },
	{ 0, 3, false, "668903", "66891b" },
	{ 0, 3, false, "480fafc8", "480fafcb" },
	{ 0, 3, false, "6bc80a", "6bcb0a" },
	{ 0, 3, true, "4863c8", "4863cb" }, /* movsxd rcx, eax */
	{ 0, 3, true, "480fb7c8", "480fb7cb" },
	{ 0, 3, false, "0f44c8", "0f44cb" },
	{ 0, 3, false, "f30f1000", "f30f1003" }, /* movss xmm0, [rax] */
	{ 0, 3, false, "f7e1", NULL }, /* mul */
	{ 1, 3, false, "d3e2", NULL }, /* shl edx, cl */
	{ 0, 3, false, "a804", NULL }, /* test al, 4 */
	{ 0, 3, false, "3d00010000", NULL },
	{ 0, 3, false, "ffc0", NULL },
	{ 7, 3, false, "a4", NULL }, /* movsb */
	{ 0, 3, false, "50", NULL },
	{ 0, 3, false, "ffe0", NULL },
	{ 0, 3, false, "29c3", NULL }, /* sub ebx, eax: zero, of nothing */
	{ 0, 3, false, "c5f81000", NULL }, /* VEX */
};

static struct {
	unsigned long made, runs, failures;
	uint64_t seed;
	void *decoder;
} test = { .seed = 1 };

static void print_bytes(const u8 *bytes, u32 n)
{
	for (u32 i = 0; i < n; i++)
		fprintf(stderr, "%02x", bytes[i]);
}

static void complain(const char *what, const struct insn *old, const struct insn *new)
{
	if (test.failures++ >= SHOWN)
		return;
	fprintf(stderr, "%s: ", what);
	print_bytes(old->bytes, old->len);
	if (new) {
		fprintf(stderr, " became ");
		print_bytes(new->bytes, new->len);
	}
	fprintf(stderr, "\n");
}

/* ---- by hand ---- */

static void check_case(u32 i)
{
	u8 bytes[16], wanted[16];
	u32 n = 0, n_wanted = 0;
	struct insn insn, new = { 0 };
	bool made;

	for (; cases[i].old[2 * n]; n++)
		sscanf(cases[i].old + 2 * n, "%2hhx", &bytes[n]);
	for (; cases[i].new && cases[i].new[2 * n_wanted]; n_wanted++)
		sscanf(cases[i].new + 2 * n_wanted, "%2hhx", &wanted[n_wanted]);
	if (decode_insn(bytes, n, 0, test.decoder, &insn, NULL) || insn.len != n) {
		test.failures++;
		fprintf(stderr, "case %u is no instruction\n", i);
		return;
	}
	made = operand_replace(&insn, cases[i].from, cases[i].to, cases[i].narrow, test.decoder,
	                       &new);
	if (made != !!cases[i].new)
		complain(made ? "is not to be replaced" : "is not replaced", &insn,
		         made ? &new : NULL);
	else if (made && (new.len != n_wanted || memcmp(new.bytes, wanted, n_wanted)))
		complain("is not what it should be", &insn, &new);
}

/* ---- by the processor ---- */

static struct oracle_state first;
static u8 memory[ORACLE_MEM_SIZE], first_memory[ORACLE_MEM_SIZE];

/* Operands point into oracle_mem mostly. */
static void random_state(const struct insn *insn, u8 from, u8 to, bool narrow)
{
	for (u32 i = 0; i < ORACLE_GPRS; i++)
		oracle_in.gpr[i] = oracle_random(&test.seed);
	oracle_in.gpr[RSP] = oracle_rsp(oracle_in.gpr[RSP]);
	for (u32 i = 0; i < insn->n_mem; i++) {
		const struct insn_mem *mem = &insn->mem[i];

		if (mem->index != MEM_NO_REG)
			oracle_in.gpr[mem->index] &= 0xff;
		if (mem->base != MEM_NO_REG)
			oracle_in.gpr[mem->base] =
				(u64)(uintptr_t)oracle_mem + 1024 - (u64)mem->disp;
	}
	oracle_in.gpr[to] = oracle_in.gpr[from];
	if (narrow)
		oracle_in.gpr[from] = (u32)oracle_in.gpr[from];
	oracle_in.flags = FLAGS | (oracle_random(&test.seed) & 0x8d5);
	for (u32 i = 0; i < sizeof(memory); i++)
		memory[i] = (u8)oracle_random(&test.seed);
}

static int execute(const struct insn *insn)
{
	memcpy(oracle_mem, memory, sizeof(memory));
	oracle_set_insn(insn->bytes, insn->len);
	test.runs++;
	return oracle_run();
}

static bool same_outcome(u16 undefined)
{
	u64 flags = (first.flags ^ oracle_out.flags) & ~(u64)undefined;

	return !flags && !memcmp(first.gpr, oracle_out.gpr, sizeof(first.gpr)) &&
	       !memcmp(first.vec, oracle_out.vec, sizeof(first.vec)) &&
	       !memcmp(first_memory, oracle_mem, sizeof(first_memory));
}

static void compare(const struct insn *old, const struct insn *new, u8 from, u8 to, bool narrow)
{
	int signal;

	random_state(old, from, to, narrow);
	signal = execute(old);
	first = oracle_out;
	memcpy(first_memory, oracle_mem, sizeof(first_memory));
	if (execute(new) != signal)
		complain("faults otherwise", old, new);
	else if (!signal && !same_outcome(old->flags_undef))
		complain("does something else", old, new);
}

static void try_form(const u8 *bytes)
{
	struct insn insn, new;
	u8 from = (u8)(oracle_random(&test.seed) % 16), to = (u8)(oracle_random(&test.seed) % 16);
	bool narrow = oracle_random(&test.seed) % 4 == 0;

	if (decode_insn(bytes, FORM_SIZE, 0, test.decoder, &insn, NULL) || !insn.use.gpr ||
	    (insn.flags & (INSN_RIP | INSN_STACK)))
		return;
	while (!(insn.use.gpr >> from & 1))
		from = (from + 1) % 16;
	if (from == to || from == RSP || to == RSP ||
	    !operand_replace(&insn, from, to, narrow, test.decoder, &new))
		return;
	test.made++;
	compare(&insn, &new, from, to, narrow);
}

int main(void)
{
	u32 n = oracle_n_forms(true);

	test.decoder = malloc(decode_scratch_size());
	if (!test.decoder)
		return 1;
	oracle_init();
	for (u32 i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(i);
	for (u32 round = 0; round < ROUNDS; round++) {
		for (u32 form = 0; form < n; form++) {
			u8 bytes[FORM_SIZE];

			oracle_form(form, &test.seed, bytes);
			try_form(bytes);
		}
	}
	printf("%lu instructions replaced, %lu executed; %lu failures\n", test.made, test.runs,
	       test.failures);
	return test.failures || test.made < 1000;
}
