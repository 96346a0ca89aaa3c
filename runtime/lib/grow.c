/* SPDX-License-Identifier: MIT */
/*
 * grow.c - see grow.h. What lift.c accepts as a tree is what is proposed here: each block follows from its
 * parent by one branch or by falling through, and no two children of a block start at the same address.
 */
#include "grow.h"

#include "decode.h"

#define DENSITY_INSNS 16
#define ENOUGH_SAMPLES 8

struct frame {
	u64 callee, ret;
	u32 parent; /* of frame 0: itself */
};

struct growth {
	const struct text *text;
	const struct grow_rules *rules;
	void *scratch;
	struct grown *out;
	u32 n_insns, n_frames, most_blocks, most_insns;
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

	if (trace->n_blocks == g->most_blocks || g->n_insns >= g->most_insns)
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
	u64 size;
	const u8 *bytes = text_bytes(g->text, addr, &size);
	u16 marks = text_marks(g->text, addr);

	if (!bytes || !(marks & TEXT_INSN) || (marks & TEXT_NO_TRANSLATE))
		return STATUS_TEXT_UNPROVEN;
	return decode_brief(bytes, size, addr, g->scratch, insn, NULL);
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

/* ---- what samples say ---- */

/* Samples for each 16 instructions of the straight line from addr on, until it branches or is that long; *n samples are behind it. */
static u32 density(const struct growth *g, u64 addr, u32 *n)
{
	u32 insns = 0;

	*n = 0;
	while (insns < DENSITY_INSNS) {
		struct insn_brief insn;

		if (brief_at(g, addr, &insn) != STATUS_OK)
			break;
		*n += g->rules->heat(g->rules->ctx, addr);
		insns++;
		addr += insn.len;
		if (insn.role != ROLE_PLAIN || (text_marks(g->text, addr) & TEXT_TARGET))
			break;
	}
	return insns ? *n * 16 / insns : 0;
}

/*
 * How often the branch at the end of a block from `start` is taken, of 1,000, and 1; 0: too few samples to say. Where a way can
 * only be come to from here, its samples tell; else the two ways' do, as far as they go.
 */
static u32 taken_share(const struct growth *g, u64 start, u64 next, u64 taken)
{
	u32 n, n_next, n_taken, here, there, elsewhere;

	if (!g->rules->heat)
		return 0;
	here = density(g, start, &n);
	elsewhere = density(g, next, &n_next);
	there = density(g, taken, &n_taken);
	if (n + n_next + n_taken < ENOUGH_SAMPLES)
		return 0;
	if (!(text_marks(g->text, next) & TEXT_TARGET) && here)
		return 1 + (elsewhere >= here ? 0 : 1000 - elsewhere * 1000 / here);
	if (there + elsewhere == 0)
		return 0;
	return 1 + there * 1000 / (there + elsewhere);
}

/* Both ways of a conditional branch, the rare one not. */
static void go_both_ways(struct growth *g, u32 block, u64 next, u64 taken, u32 frame)
{
	u32 share = taken_share(g, g->out->blocks[block].start, next, taken);

	g->out->blocks[block].branch = share;
	if (!share || share <= 1001 - GROW_RARE)
		propose(g, block, next, frame);
	if (!share || share > GROW_RARE)
		propose(g, block, taken, frame);
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
			go_both_ways(g, block, addr, insn.target, frame);
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
		if (g->n_insns >= 2 * g->most_insns)
			return;
	}
}

void grow_trace(const struct text *text, u64 site, const struct grow_rules *rules,
                void *decode_scratch, struct grown *out)
{
	struct growth g = { .text = text,
		            .rules = rules,
		            .scratch = decode_scratch,
		            .out = out,
		            .n_frames = 1,
		            .most_blocks = rules->heat ? GROW_BLOCKS : GROW_BLOCKS_BLIND,
		            .most_insns = rules->heat ? GROW_INSNS : GROW_INSNS_BLIND };

	out->blocks[0] = (struct trace_block){ site, TRACE_NO_PARENT, 0, 0 };
	out->trace.blocks = out->blocks;
	out->trace.n_blocks = 1;
	for (u32 i = 0; i < out->trace.n_blocks; i++)
		walk(&g, i);
}

u32 grow_warmth(const struct text *text, u64 addr, grow_heat_fn *heat, const void *ctx,
                void *decode_scratch)
{
	const struct grow_rules rules = { .heat = heat, .ctx = ctx };
	const struct growth g = { .text = text, .rules = &rules, .scratch = decode_scratch };
	u32 n;

	density(&g, addr, &n);
	return n;
}
