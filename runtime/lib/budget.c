/* SPDX-License-Identifier: MIT */
/*
 * budget.c - see budget.h.
 */
#include "budget.h"

#define NS_PER_MS 1000000u
#define NS_PER_US 1000
#define DIGITS 10

static const char ran[] = "ran", left[] = "left", owes[] = "owed";

static s64 earned(const struct budget *b)
{
	s64 most = (s64)(b->cpu_ns / 1000 * b->per_mille) / BUDGET_SAVED_MOST;
	s64 part = b->saved_ns / BUDGET_SAVED;

	return part < 0 ? 0 : part < most ? part : most;
}

static s64 part(const struct budget *b, u64 cpu_ns)
{
	return (s64)(cpu_ns / 1000 * b->per_mille);
}

static s64 paid(const struct budget *b, u64 cpu_ns)
{
	return part(b, cpu_ns) + earned(b);
}

/* Of how much CPU time the pay is there already. */
static u64 beforehand(const struct budget *b)
{
	u64 ns = b->cpu_ns < BUDGET_BEFORE_NS / BUDGET_HASTE ? b->cpu_ns * BUDGET_HASTE
	                                                     : BUDGET_BEFORE_NS;
	u64 known_ns = b->expected_ns / BUDGET_AT_ONCE;

	if (known_ns > BUDGET_AT_ONCE_NS)
		known_ns = BUDGET_AT_ONCE_NS;
	return known_ns > ns ? known_ns : ns;
}

/* What is paid to who is past the first second, for as long again. */
static s64 ahead(const struct budget *b)
{
	u64 past_ns = b->cpu_ns > BUDGET_BEFORE_NS ? b->cpu_ns - BUDGET_BEFORE_NS : 0;
	s64 pay = part(b, past_ns < BUDGET_AHEAD_NS ? past_ns : BUDGET_AHEAD_NS);
	s64 most = part(b, BUDGET_BEFORE_NS) + (b->saved_ns > 0 ? b->saved_ns : 0);

	return pay < most ? pay : most;
}

static s64 larger(s64 a, s64 b)
{
	return a > b ? a : b;
}

/* Who has something left is paid less beforehand. */
u64 budget_credit(const struct budget *b)
{
	s64 now = paid(b, b->cpu_ns) + b->left_ns;
	s64 before = larger(part(b, beforehand(b)), part(b, b->cpu_ns) + ahead(b)) +
	             (b->left_ns < 0 ? b->left_ns : 0);

	return (u64)larger(larger(now, before), 0);
}

s64 budget_change(const struct budget *b, u64 used_ns)
{
	bool vain = b->looked && b->saved_ns < (s64)used_ns;
	s64 owed = used_ns < BUDGET_VAIN_NS ? (s64)used_ns : BUDGET_VAIN_NS;

	return paid(b, b->cpu_ns) - (s64)used_ns - (vain ? owed : 0);
}

bool budget_waits(const struct budget *b, u64 expected_ns, u64 used_ns)
{
	struct budget end = *b;

	end.cpu_ns = expected_ns;
	return b->cpu_ns > expected_ns / BUDGET_LATE &&
	       b->left_ns + budget_change(&end, used_ns) <= BUDGET_LEFT_NS;
}

u64 budget_expect(const struct budget_past *past, u64 cpu_ns)
{
	u64 shortest = ~(u64)0;

	for (u32 i = 0; i < BUDGET_RUNS; i++) {
		u64 ns = (u64)past->ms[i] * NS_PER_MS;

		if (ns > cpu_ns && ns < shortest)
			shortest = ns;
	}
	return shortest == ~(u64)0 ? cpu_ns : shortest;
}

u64 budget_sampled_ns(const struct budget_past *past, u32 share)
{
	u64 ns = 0;

	for (u32 i = BUDGET_RUNS; i-- > 0;)
		ns = (ns + (u64)past->ms[i] * NS_PER_MS) / share;
	return ns;
}

void budget_add(struct budget_past *past, u64 cpu_ns, s64 change_ns)
{
	u64 ms = cpu_ns / NS_PER_MS;
	s64 sum = (s64)past->left_us * NS_PER_US + change_ns;

	for (u32 i = BUDGET_RUNS - 1; i > 0; i--)
		past->ms[i] = past->ms[i - 1];
	past->ms[0] = ms < 1 ? 1 : ms < 0xffffffffu ? (u32)ms : 0xffffffffu;
	if (sum > BUDGET_LEFT_NS)
		sum = BUDGET_LEFT_NS;
	if (sum < -BUDGET_LEFT_NS)
		sum = -BUDGET_LEFT_NS;
	past->left_us = (s32)(sum / NS_PER_US);
}

/* Ten digits and what stands behind them; returns what follows. */
static char *print_number(char *out, u32 value, char behind)
{
	for (u32 k = DIGITS; k-- > 0; value /= 10)
		out[k] = (char)('0' + value % 10);
	out[DIGITS] = behind;
	return out + DIGITS + 1;
}

static char *print_word(char *out, const char *word)
{
	while (*word)
		*out++ = *word++;
	*out++ = ' ';
	return out;
}

void budget_print(const struct budget_past *past, char lines[BUDGET_LINES])
{
	bool owed = past->left_us < 0;
	char *out = print_word(lines, ran);

	for (u32 i = 0; i < BUDGET_RUNS; i++)
		out = print_number(out, past->ms[i], i < BUDGET_RUNS - 1 ? ' ' : '\n');
	out = print_word(out, owed ? owes : left);
	print_number(out, (u32)(owed ? -past->left_us : past->left_us), '\n');
}

/* What print_number() has made. */
static bool parse_number(const char **at, char behind, u32 *out)
{
	u64 value = 0;

	for (u32 k = 0; k < DIGITS; k++) {
		if ((*at)[k] < '0' || (*at)[k] > '9')
			return false;
		value = value * 10 + (u64)((*at)[k] - '0');
	}
	if (value > 0xffffffffu || (*at)[DIGITS] != behind)
		return false;
	*at += DIGITS + 1;
	*out = (u32)value;
	return true;
}

static bool parse_word(const char **at, const char *word)
{
	const char *from = *at;

	while (*word)
		if (*from++ != *word++)
			return false;
	if (*from++ != ' ')
		return false;
	*at = from;
	return true;
}

bool budget_parse(const char *lines, u64 size, struct budget_past *out)
{
	struct budget_past past;
	const char *at = lines;
	bool owed = false;
	u32 us;

	if (size < BUDGET_LINES || !parse_word(&at, ran))
		return false;
	for (u32 i = 0; i < BUDGET_RUNS; i++)
		if (!parse_number(&at, i < BUDGET_RUNS - 1 ? ' ' : '\n', &past.ms[i]))
			return false;
	if (!parse_word(&at, left)) {
		owed = parse_word(&at, owes);
		if (!owed)
			return false;
	}
	if (!parse_number(&at, '\n', &us) || us > BUDGET_LEFT_NS / NS_PER_US)
		return false;
	past.left_us = owed ? -(s32)us : (s32)us;
	*out = past;
	return true;
}
