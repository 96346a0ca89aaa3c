/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * flow.h - where control can arrive: sets the LEAD_..., RETURN_POINT and BYTE_FREE
 * marks of decoded code.
 *
 * Leaders are function starts, targets of direct branches, what follows a branch,
 * jump-table targets, landing pads and taken addresses. A call ends no block. Only
 * addresses where an instruction was decoded get a mark.
 */
#ifndef DYNOPT_CMD_FLOW_H
#define DYNOPT_CMD_FLOW_H

#include "code.h"

struct flow {
	u64 tables, table_targets; /* jump tables and the leaders they name, noted or guessed */
	u64 table_backward; /* of these targets, those below the jump (where it is known) */
};

void flow_read(struct flow *flow, struct code *code, const struct image *image,
               const struct unwind *unwind, const struct model *model);

/* tables.c: jump tables of ordinary text, by the shapes that compilers give them. */
void tables_guess(struct flow *flow, struct code *code, const struct image *image);
/* Marks addr as a table's target; false if no instruction starts there. */
bool flow_table_target(struct flow *flow, struct code *code, u64 site, u64 addr);

#endif
