/* SPDX-License-Identifier: MIT */
/*
 * cover.c - see cover.h.
 */
#include "cover.h"

/* Does a block of the tree go on here? */
static bool is_start(const struct trace *trace, u64 addr)
{
	for (u32 i = 0; i < trace->n_blocks; i++)
		if (trace->blocks[i].start == addr)
			return true;
	return false;
}

void cover_add(struct workshop *workshop, const struct trace *trace, enum status_tree kind)
{
	const struct text *text = &workshop->reading.text;

	for (u32 i = 0; i < trace->n_blocks && workshop->covers; i++) {
		struct insn_brief insn = { .role = ROLE_PLAIN };
		u64 addr = trace->blocks[i].start;

		do {
			u8 *cover = &workshop->covers[addr - text->start];

			if (text_brief(text, addr, workshop->decoder, &insn, NULL))
				break;
			*cover = *cover < kind ? (u8)kind : *cover;
			addr += insn.len;
		} while (insn.role == ROLE_PLAIN && !is_start(trace, addr));
	}
}

u32 cover_of(const struct workshop *workshop, u64 addr)
{
	return workshop->covers ? workshop->covers[addr - workshop->reading.text.start]
	                        : STATUS_TREE_NONE;
}
