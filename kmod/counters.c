// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * counters.c - what the module counts, and what is left of it when it goes.
 *
 * Everything that is made is counted where it is made and where it is freed, so that a leak
 * shows as a number at unload, beside what the kernel itself would find.
 */
#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/printk.h>
#include "own.h"

static atomic64_t counters[DYNOPT_COUNTER_N];

static const struct {
	const char *name;
	bool live;
} rows[] = {
#define LIVE true
#define EVENT false
#define X(name, kind, text) { #name, kind },
#include "kmod_counters.def"
#undef X
#undef EVENT
#undef LIVE
};

void count(enum dynopt_kmod_counter counter, long n)
{
	atomic64_add(n, &counters[counter]);
}

u64 counted(enum dynopt_kmod_counter counter)
{
	return atomic64_read(&counters[counter]);
}

bool counters_settled(void)
{
	bool settled = true;
	unsigned int i;

	for (i = 0; i < DYNOPT_COUNTER_N; i++) {
		if (!rows[i].live || !counted(i))
			continue;
		pr_err("dynopt: left behind: %lld %s\n", (long long)counted(i), rows[i].name);
		settled = false;
	}
	return settled;
}

int status_errno(enum dynopt_kmod_status status)
{
	switch (status) {
	case DYNOPT_KMOD_OK:
	case DYNOPT_KMOD_STATUS_N:
		return 0;
#define X(name, error, text) \
	case DYNOPT_KMOD_##name: \
		return -error;
#include "kmod_status.def"
#undef X
	}
	return -EINVAL;
}
