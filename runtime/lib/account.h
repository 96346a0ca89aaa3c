/* SPDX-License-Identifier: MIT */
/*
 * account.h - what of this run's budget is left, now.
 *
 *     CPU time of the program, samples taken, what is remembered -> CPU time that the agent may still use
 *
 * budget.h has the rules. Samples are paid for, too: they are the program's time and not the agent's, but it is dynopt that takes it.
 */
#ifndef DYNOPT_ACCOUNT_H
#define DYNOPT_ACCOUNT_H

#include "port.h"

#define ACCOUNT_TESTS \
	16 /* times as much as else, with --all: its ticks alone use more than there would be */

struct account {
	u64 cpu_ns; /* that the program has used */
	u64 sample_ns; /* what a sample costs it, about */
	bool told; /* begun with what earlier runs have sampled */
};

/* What the agent may have used by now, with samples. */
u64 account_credit(const struct account *account);
/* What of it is left. Without an agent everything that a file says is done at once. */
u64 account_left(const struct account *account);
static inline bool account_has(const struct account *account, u64 ns)
{
	return account_left(account) > ns;
}
/* Is it better to leave what there is to the next run? */
bool account_waits(const struct account *account);
/* The same of work that takes so long, for which it has to be enough. */
bool account_next_has(const struct account *account, u64 ns);
/* What this run adds to the account that is carried on. */
s64 account_change(const struct account *account);

#endif
