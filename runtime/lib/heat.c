/* SPDX-License-Identifier: MIT */
/*
 * heat.c - see heat.h.
 */
#include "heat.h"

u32 heat_from(const struct heat_table *table, u64 rip)
{
	u32 low = 0, high = table->n;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (table->at[middle].rip < rip)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

u32 heat_near(const struct heat_table *table, u64 rip, u64 *next)
{
	u32 i = heat_from(table, rip);
	bool here = i < table->n && table->at[i].rip == rip;

	*next = i + here < table->n ? table->at[i + here].rip : ~(u64)0;
	return here ? table->at[i].n : 0;
}

u32 heat_of(const struct heat_table *table, u64 rip)
{
	u64 next;

	return heat_near(table, rip, &next);
}

void heat_cool(struct heat_table *table)
{
	u32 kept = 0;

	table->samples = table->fresh = 0;
	for (u32 i = 0; i < table->n; i++) {
		struct heat heat = table->at[i];

		heat.n /= 2;
		heat.inside /= 2;
		heat.told /= 2;
		heat.fresh /= 2;
		heat.ns /= 2;
		if (!heat.n)
			continue;
		table->samples += heat.n;
		table->fresh += heat.fresh;
		table->at[kept++] = heat;
	}
	table->n = kept;
}

/* Its entry, with n more samples. */
static struct heat *entry(struct heat_table *table, u64 rip, u32 n)
{
	u32 i = heat_from(table, rip);

	if (i == table->n || table->at[i].rip != rip) {
		while (table->n == HEAT_MAX)
			heat_cool(table);
		i = heat_from(table, rip);
		for (u32 k = table->n++; k > i; k--)
			table->at[k] = table->at[k - 1];
		table->at[i] = (struct heat){ .rip = rip };
	}
	n = n < 0xffffffffu - table->at[i].n ? n : 0xffffffffu - table->at[i].n;
	table->at[i].n += n;
	table->samples += n;
	return &table->at[i];
}

void heat_add(struct heat_table *table, u64 rip, u32 n, u64 ns, bool inside)
{
	struct heat *heat = entry(table, rip, n);

	heat->ns += ns;
	if (inside) {
		heat->inside += n;
	} else {
		heat->fresh += n;
		table->fresh += n;
	}
}

void heat_tell(struct heat_table *table, u64 rip, u32 n)
{
	entry(table, rip, n)->told += n;
}
