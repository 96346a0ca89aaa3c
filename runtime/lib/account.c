/* SPDX-License-Identifier: MIT */
/*
 * account.c - see account.h.
 */
#include "account.h"

#include "budget.h"
#include "remember.h"
#include "sys.h"
#include "world.h"

#define AS_LONG 8 /* runs that differ by one of so many parts are as long as each other */

/* What earlier runs have left is for what can be known from them; what comes later is this run's matter. */
static struct budget budget_of(const struct account *account)
{
	s64 left_ns = remember_left_ns();

	return (struct budget){ .per_mille = world->options.budget *
		                             (world->options.all ? ACCOUNT_TESTS : 1),
		                .cpu_ns = account->cpu_ns,
		                .saved_ns = world->saved_ns,
		                .looked = world->batches,
		                .expected_ns = account->told ? remember_expect(account->cpu_ns) : 0,
		                .left_ns = left_ns > 0 && world->batches ? 0 : left_ns };
}

static u64 used_ns(const struct account *account)
{
	return sys_cpu_ns() + (world->samples + world->walks.samples) * account->sample_ns;
}

u64 account_credit(const struct account *account)
{
	const struct budget budget = budget_of(account);

	return budget_credit(&budget);
}

u64 account_left(const struct account *account)
{
	u64 used = used_ns(account), all = account_credit(account);

	if (!world->options.agent)
		return ~(u64)0;
	return used < all ? all - used : 0;
}

bool account_waits(const struct account *account)
{
	const struct budget now = budget_of(account);
	u64 about_ns = account->cpu_ns - account->cpu_ns / AS_LONG;
	u64 expected_ns = remember_expect(about_ns);

	return expected_ns > about_ns && !world->options.all &&
	       budget_waits(&now, expected_ns, used_ns(account));
}

bool account_next_has(const struct account *account, u64 ns)
{
	return ns <= BUDGET_LEFT_NS && account_waits(account);
}

s64 account_change(const struct account *account)
{
	const struct budget now = budget_of(account);

	return budget_change(&now, used_ns(account));
}
