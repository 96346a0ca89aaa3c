/* SPDX-License-Identifier: MIT */
/*
 * heat.h - how many samples were taken where.
 *
 * A table by address. Samples in translations count where their instructions come from. When the table is full all counts are halved, and
 * what falls to nothing makes room.
 */
#ifndef DYNOPT_HEAT_H
#define DYNOPT_HEAT_H

#include "port.h"

#define HEAT_MAX 8192u

struct heat {
	u64 rip;
	u64 start,
		end; /* of its function, as who uses the table has found it; 0, 0: not asked yet */
	u32 n; /* samples */
	u32 inside; /* of these, in translations */
	u32 told; /* of these, of earlier runs: neither in translations nor outside of them */
	u32 fresh; /* of the others, since its function was looked at last */
	u64 ns; /* CPU time that those that are not told stand for */
};

struct heat_table {
	struct heat at[HEAT_MAX]; /* by rip */
	u32 n;
	u64 samples, fresh; /* sums */
};

/* `ns`: CPU time that these stand for, all together; 0 where nobody asks for that. */
void heat_add(struct heat_table *table, u64 rip, u32 n, u64 ns, bool inside);
/* Samples of earlier runs. */
void heat_tell(struct heat_table *table, u64 rip, u32 n);
/* Halves all counts; what falls to nothing is gone. */
void heat_cool(struct heat_table *table);
/* Index of the first one at or behind rip; table->n: none. */
u32 heat_from(const struct heat_table *table, u64 rip);
/* Samples at an address. */
u32 heat_of(const struct heat_table *table, u64 rip);
/* The same; *next: the next address that has some, ~0: none. */
u32 heat_near(const struct heat_table *table, u64 rip, u64 *next);

#endif
