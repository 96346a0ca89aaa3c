/* SPDX-License-Identifier: MIT */
/*
 * test_result.c - results that are made good (engine/result.h), against the processor.
 *
 * Every legacy encoding and the forms below are tried with random registers and immediates; what result_make() executes, the
 * processor executes beside it on random registers, and all registers must agree. It must be what the decoder says, too: one
 * register written, no memory, no rsp. Which forms there are is counted, so that none gets lost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "decode.h"
#include "oracle_forms.h"
#include "oracle_machine.h"
#include "result.h"

#define ROUNDS 24 /* of every encoding */
#define STATES 4 /* of registers */
#define SHOWN 10
#define RSP 4
#define FLAGS 0x202u

/* Forms that have to be among those that are executed; those behind NULL must not. */
static const char *const known[] = {
	"4889c8",
	"89c8",
	"418bd1",
	"b805000000",
	"41bf05000000",
	"48c7c0ffffffff",
	"488d4701",
	"488d0437",
	"4a8d04a500000000",
	"488d843700010000",
	"8d0411",
	"4863d1",
	"0fb6c1",
	"400fb6c6",
	"0fb7c1",
	"0fbec1",
	"480fbfc1",
	"4801c8",
	"4803c1",
	"09c8",
	"21c8",
	"29c8",
	"31c0",
	"31c8",
	"33c8",
	"4883c001",
	"81e100010000",
	"0d00010000",
	"2d00010000",
	"4883e8ff",
	"c1e003",
	"c1e803",
	"48c1f803",
	"d1e0",
	"48d1f8",
	"f7d0",
	"48f7d8",
	"ffc0",
	"48ffc9",
	"0fafc1",
	"6bc10a",
	"69c1e8030000",
	"4898",
	"98",
	"2e4889c8",
	NULL,
	"488d0500000000", /* lea relative to rip */
	"4801e0",
	"488d442408",
	"4889e0",
	"4889c4", /* rsp */
	"11c8",
	"19c8",
	"0f44c1",
	"39c8",
	"85c0",
	"4883f801", /* carry, conditions, comparisons */
	"488b00",
	"480301",
	"4d89",
	"4889c890",
	"d3e0",
	"c0e003",
	"88c8",
	"6689c8",
	"f7e1",
	"ffd0",
	"c1d003",
	"87c1",
	"90",
	"0fbae003",
	"0fb6c4",
	"48b8112233445566",
	"66b80500",
	"83d001",
	"e8",
};

static struct {
	unsigned long done, runs, failures;
	uint64_t seed;
} test = { .seed = 1 };

static void complain(const char *what, const u8 *bytes, u32 len)
{
	test.failures++;
	if (test.failures > SHOWN)
		return;
	fprintf(stderr, "%s:", what);
	for (u32 i = 0; i < len; i++)
		fprintf(stderr, " %02x", bytes[i]);
	fprintf(stderr, "\n");
}

static void random_registers(u64 gpr[16])
{
	for (u32 i = 0; i < 16; i++) {
		gpr[i] = oracle_random(&test.seed);
		if (oracle_random(&test.seed) % 4 == 0)
			gpr[i] = (u64)(s64)(s8)gpr[i];
	}
	gpr[RSP] = oracle_rsp(gpr[RSP]);
}

static void compare(const u8 *bytes, u32 len)
{
	u64 gpr[16];

	random_registers(gpr);
	memcpy(oracle_in.gpr, gpr, sizeof(gpr));
	oracle_in.flags = FLAGS | (oracle_random(&test.seed) & 1);
	test.runs++;
	if (!result_make(bytes, len, gpr))
		complain("depends on what is in registers", bytes, len);
	else if (oracle_run())
		complain("faults", bytes, len);
	else if (memcmp(oracle_out.gpr, gpr, sizeof(gpr)))
		complain("makes something else than the processor", bytes, len);
}

static bool is_one_register(const struct insn *insn)
{
	return insn->role == ROLE_PLAIN && !insn->flags && !insn->flags_use &&
	       insn->full.gpr == insn->def.gpr && insn->def.gpr &&
	       !(insn->def.gpr & (insn->def.gpr - 1)) &&
	       !((insn->use.gpr | insn->def.gpr) >> RSP & 1) && !insn->use.vec && !insn->def.vec;
}

/* Executed by result_make() at this very length? */
static bool try_bytes(const u8 *bytes, u32 len, void *scratch)
{
	u64 gpr[16] = { 0 };
	struct insn insn;

	if (!result_make(bytes, len, gpr))
		return false;
	test.done++;
	if (decode_insn(bytes, len, 0, scratch, &insn, NULL) || insn.len != len ||
	    !is_one_register(&insn)) {
		complain("the decoder says something else", bytes, len);
		return true;
	}
	oracle_set_insn(bytes, len);
	for (u32 i = 0; i < STATES; i++)
		compare(bytes, len);
	return true;
}

static void try_known(void *scratch)
{
	bool wanted = true;

	for (u32 i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		u8 bytes[16];
		u32 n = 0;

		if (!known[i]) {
			wanted = false;
			continue;
		}
		for (; known[i][2 * n]; n++)
			sscanf(known[i] + 2 * n, "%2hhx", &bytes[n]);
		if (try_bytes(bytes, n, scratch) != wanted)
			complain(wanted ? "not executed" : "executed", bytes, n);
	}
}

int main(void)
{
	void *scratch = malloc(decode_scratch_size());
	u32 n = oracle_n_forms(true);

	if (!scratch)
		return 1;
	oracle_init();
	try_known(scratch);
	for (u32 round = 0; round < ROUNDS; round++) {
		for (u32 form = 0; form < n; form++) {
			u8 bytes[FORM_SIZE];

			oracle_form(form, &test.seed, bytes);
			for (u32 len = 1; len <= RESULT_MAX_LEN + 2; len++)
				try_bytes(bytes, len, scratch);
		}
	}
	printf("%lu instructions made good, %lu times; %lu failures\n", test.done, test.runs,
	       test.failures);
	return test.failures || test.done < 1000;
}
