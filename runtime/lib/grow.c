/* SPDX-License-Identifier: MIT */
/*
 * grow.c - see grow.h. What lift.c accepts as a tree is what is proposed here: each block follows from its
 * parent by one branch or by falling through, and no two children of a block start at the same address.
 */
#include "grow.h"

#include "decode.h"

struct growth {
	const struct text *text;
	grow_site_fn *is_site;
	const void *ctx;
	void *scratch;
	struct grown *out;
	u32 n_insns;
};

static bool is_ancestor(const struct growth *g, u32 block, u64 start)
{
	for (;;) {
		if (g->out->blocks[block].start == start)
			return true;
		if (block == 0)
			return false;
		block = g->out->blocks[block].parent;
	}
}

static void propose(struct growth *g, u32 parent, u64 start)
{
	struct trace *trace = &g->out->trace;
	u16 marks = text_marks(g->text, start);

	if (trace->n_blocks == GROW_BLOCKS || g->n_insns >= GROW_INSNS)
		return;
	if (!(marks & TEXT_INSN) || (marks & TEXT_NO_TRANSLATE))
		return;
	if (is_ancestor(g, parent, start) || g->is_site(g->ctx, start))
		return;
	for (u32 i = parent + 1; i < trace->n_blocks; i++)
		if (g->out->blocks[i].parent == parent && g->out->blocks[i].start == start)
			return;
	g->out->blocks[trace->n_blocks].start = start;
	g->out->blocks[trace->n_blocks].parent = parent;
	g->out->blocks[trace->n_blocks].weight = 0;
	trace->n_blocks++;
}

/* Walks a block to its branch and proposes what follows. */
static void walk(struct growth *g, u32 block)
{
	u64 addr = g->out->blocks[block].start;

	for (;;) {
		struct insn_brief insn;
		u64 size;
		const u8 *bytes = text_bytes(g->text, addr, &size);
		u16 marks = text_marks(g->text, addr);

		if (!bytes || !(marks & TEXT_INSN) || (marks & TEXT_NO_TRANSLATE) ||
		    decode_brief(bytes, size, addr, g->scratch, &insn, NULL) != STATUS_OK)
			return;
		if (addr != g->out->blocks[block].start && is_ancestor(g, block, addr))
			return; /* falls back into a loop */
		g->n_insns++;
		addr += insn.len;
		if (insn.role != ROLE_PLAIN && insn.target > g->out->blocks[block].start &&
		    insn.target < addr) {
			/* A loop into this very block: it is two blocks, and the second will be walked. */
			propose(g, block, insn.target);
			return;
		}
		switch (insn.role) {
		case ROLE_PLAIN:
			break;
		case ROLE_JCC:
		case ROLE_COUNT:
			propose(g, block, addr);
			propose(g, block, insn.target);
			return;
		case ROLE_JMP:
			propose(g, block, insn.target);
			return;
		default:
			return;
		}
		if (g->n_insns >= 2 * GROW_INSNS)
			return;
	}
}

void grow_trace(const struct text *text, u64 site, grow_site_fn *is_site, const void *ctx,
                void *decode_scratch, struct grown *out)
{
	struct growth g = { text, is_site, ctx, decode_scratch, out, 0 };

	out->blocks[0] = (struct trace_block){ site, TRACE_NO_PARENT, 0 };
	out->trace.blocks = out->blocks;
	out->trace.n_blocks = 1;
	for (u32 i = 0; i < out->trace.n_blocks; i++)
		walk(&g, i);
}
