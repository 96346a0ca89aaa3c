/* SPDX-License-Identifier: MIT */
/*
 * budget.c - see budget.h.
 */
#include "budget.h"

#define NS_PER_MS 1000000u
#define DIGITS 10

static const char keyword[] = "ran";

u64 budget_credit(u64 cpu_ns, u64 expected_ns, u64 per_mille)
{
	u64 whole_ns = expected_ns > cpu_ns ? expected_ns : cpu_ns;
	u64 early = BUDGET_FIRST_NS + whole_ns / 1000 * per_mille * BUDGET_HASTE;
	u64 late = BUDGET_CREDIT_NS + cpu_ns / 1000 * per_mille;

	return early < late ? early : late;
}

u64 budget_expect(const struct budget_runs *runs, u64 cpu_ns)
{
	u64 shortest = ~(u64)0;

	for (u32 i = 0; i < BUDGET_RUNS; i++) {
		u64 ns = (u64)runs->ms[i] * NS_PER_MS;

		if (ns > cpu_ns && ns < shortest)
			shortest = ns;
	}
	return shortest == ~(u64)0 ? cpu_ns : shortest;
}

void budget_add(struct budget_runs *runs, u64 cpu_ns)
{
	u64 ms = cpu_ns / NS_PER_MS;

	for (u32 i = BUDGET_RUNS - 1; i > 0; i--)
		runs->ms[i] = runs->ms[i - 1];
	runs->ms[0] = ms < 1 ? 1 : ms < 0xffffffffu ? (u32)ms : 0xffffffffu;
}

void budget_print(const struct budget_runs *runs, char line[BUDGET_LINE])
{
	char *out = line;

	memcpy(out, keyword, sizeof(keyword) - 1);
	out += sizeof(keyword) - 1;
	for (u32 i = 0; i < BUDGET_RUNS; i++) {
		u32 value = runs->ms[i];

		*out = ' ';
		for (u32 k = DIGITS; k > 0; k--, value /= 10)
			out[k] = (char)('0' + value % 10);
		out += DIGITS + 1;
	}
	*out = '\n';
}

bool budget_parse(const char *line, u64 size, struct budget_runs *out)
{
	struct budget_runs runs;
	const char *at = line + sizeof(keyword) - 1;

	if (size < BUDGET_LINE || memcmp(line, keyword, sizeof(keyword) - 1) != 0)
		return false;
	for (u32 i = 0; i < BUDGET_RUNS; i++, at += DIGITS + 1) {
		u64 value = 0;

		if (*at != ' ')
			return false;
		for (u32 k = 1; k <= DIGITS; k++) {
			if (at[k] < '0' || at[k] > '9')
				return false;
			value = value * 10 + (u64)(at[k] - '0');
		}
		if (value > 0xffffffffu)
			return false;
		runs.ms[i] = (u32)value;
	}
	if (*at != '\n')
		return false;
	*out = runs;
	return true;
}
