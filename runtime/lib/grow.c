/* SPDX-License-Identifier: MIT */
/*
 * grow.c - see grow.h. What lift.c accepts as a tree is what is proposed here: each block follows from its
 * parent by one branch or by falling through, and no two children of a block start at the same address.
 */
#include "grow.h"

#include "decode.h"

struct frame {
	u64 callee, ret;
	u32 parent; /* of frame 0: itself */
};

struct growth {
	const struct text *text;
	const struct grow_rules *rules;
	void *scratch;
	struct grown *out;
	u32 n_insns, n_frames;
	u8 frame_of[GROW_BLOCKS];
	struct frame frames[GROW_BLOCKS];
};

static bool is_ancestor(const struct growth *g, u32 block, u64 start, u32 frame)
{
	for (;;) {
		if (g->out->blocks[block].start == start && g->frame_of[block] == frame)
			return true;
		if (block == 0)
			return false;
		block = g->out->blocks[block].parent;
	}
}

static void propose(struct growth *g, u32 parent, u64 start, u32 frame)
{
	struct trace *trace = &g->out->trace;
	u16 marks = text_marks(g->text, start);
	bool behind_call = frame != g->frame_of[parent];

	if (trace->n_blocks == GROW_BLOCKS_BLIND || g->n_insns >= GROW_INSNS_BLIND)
		return;
	if (!(marks & TEXT_INSN) || (marks & TEXT_NO_TRANSLATE))
		return;
	if (is_ancestor(g, parent, start, frame) ||
	    (!frame && !behind_call && g->rules->is_site(g->rules->ctx, start)))
		return;
	for (u32 i = parent + 1; i < trace->n_blocks; i++)
		if (g->out->blocks[i].parent == parent && g->out->blocks[i].start == start)
			return;
	g->out->blocks[trace->n_blocks] = (struct trace_block){ start, parent, 0, 0 };
	g->frame_of[trace->n_blocks] = (u8)frame;
	trace->n_blocks++;
}

static enum status brief_at(const struct growth *g, u64 addr, struct insn_brief *insn)
{
	if (text_marks(g->text, addr) & TEXT_NO_TRANSLATE)
		return STATUS_TEXT_UNPROVEN;
	return text_brief(g->text, addr, g->scratch, insn, NULL);
}

/* From its entry straight on to a return, within the limit and without calls. */
static bool is_small(const struct growth *g, u64 addr)
{
	for (u32 i = 0; i < GROW_CALLEE_INSNS; i++) {
		struct insn_brief insn;

		if (brief_at(g, addr, &insn) != STATUS_OK)
			return false;
		if (insn.role == ROLE_RET)
			return true;
		if (insn.role != ROLE_PLAIN && insn.role != ROLE_JCC)
			return false;
		addr += insn.len;
	}
	return false;
}

static bool may_inline(const struct growth *g, u64 call, u64 callee, u32 frame)
{
	const u16 forbidden = TEXT_NO_INLINE | TEXT_NO_DEFER | TEXT_NO_TRANSLATE;
	u16 marks = text_marks(g->text, callee);
	u32 depth = 0;

	if (!g->rules->inline_calls || !(marks & TEXT_FUNCTION) || !(marks & TEXT_INSN) ||
	    ((marks | text_marks(g->text, call)) & forbidden) || g->n_frames == GROW_BLOCKS)
		return false;
	for (; frame; frame = g->frames[frame].parent, depth++)
		if (g->frames[frame].callee == callee)
			return false;
	return depth < GROW_DEPTH && is_small(g, callee);
}

static void go_into(struct growth *g, u32 block, u64 call, u64 ret, u64 callee)
{
	u32 frame = g->frame_of[block], n = g->out->trace.n_blocks;

	if (!may_inline(g, call, callee, frame))
		return;
	g->frames[g->n_frames] = (struct frame){ callee, ret, frame };
	propose(g, block, callee, g->n_frames);
	g->n_frames += g->out->trace.n_blocks > n;
}

/* Walks a block to its branch and proposes what follows. */
static void walk(struct growth *g, u32 block)
{
	u64 addr = g->out->blocks[block].start, at;
	u32 frame = g->frame_of[block];

	for (;;) {
		struct insn_brief insn;

		if (brief_at(g, addr, &insn) != STATUS_OK)
			return;
		if (addr != g->out->blocks[block].start && is_ancestor(g, block, addr, frame))
			return; /* falls back into a loop */
		g->n_insns++;
		at = addr;
		addr += insn.len;
		if ((insn.role == ROLE_JMP || insn.role == ROLE_JCC || insn.role == ROLE_COUNT) &&
		    insn.target > g->out->blocks[block].start && insn.target < addr) {
			/* A loop into this very block: it is two blocks, and the second will be walked. */
			propose(g, block, insn.target, frame);
			return;
		}
		switch (insn.role) {
		case ROLE_PLAIN:
			break;
		case ROLE_JCC:
		case ROLE_COUNT:
			propose(g, block, addr, frame);
			propose(g, block, insn.target, frame);
			return;
		case ROLE_JMP:
			propose(g, block, insn.target, frame);
			return;
		case ROLE_CALL:
			go_into(g, block, at, addr, insn.target);
			return;
		case ROLE_RET:
			if (frame)
				propose(g, block, g->frames[frame].ret, g->frames[frame].parent);
			return;
		default:
			return;
		}
		if (g->n_insns >= 2 * GROW_INSNS_BLIND)
			return;
	}
}

void grow_trace(const struct text *text, u64 site, const struct grow_rules *rules,
                void *decode_scratch, struct grown *out)
{
	struct growth g = {
		.text = text, .rules = rules, .scratch = decode_scratch, .out = out, .n_frames = 1
	};

	out->blocks[0] = (struct trace_block){ site, TRACE_NO_PARENT, 0, 0 };
	out->trace.blocks = out->blocks;
	out->trace.n_blocks = 1;
	out->trace.entries = 0;
	for (u32 i = 0; i < out->trace.n_blocks; i++)
		walk(&g, i);
}
