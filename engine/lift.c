/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * lift.c - a trace becomes a tree, block by block, in the trace's order.
 *
 * A trace block is lifted when its parent's edges are known: it must be where one of them leads.
 * An instruction that cannot be part of a translation cuts its path in front of it: the block's
 * edge is an exit there, and trace blocks that the path would have reached behind it are left
 * out, as is a block that would be empty. So ends a tree that has all the instructions it may
 * have. Invariant: blocks lifted so far are a tree that ir_verify() accepts, all of whose
 * unclaimed edges are exits or lead back.
 */
#include "lift.h"
#include "limits.h"

#define NOT_LIFTED 0xffffffffu

struct lifter {
	const struct text *text;
	const struct trace *trace;
	struct ir_tree tree;
	u32 *lifted; /* trace block -> tree block, NOT_LIFTED */
	u8 *cut; /* tree block: its path ends in front of an instruction that stays in original text */
	void *decoder;
	struct failure *fail;
};

static enum status refuse(const struct lifter *l, enum status status, u32 block)
{
	return failed(l->fail, status, l->trace->blocks[block].start, block);
}

/* The nearest of the block and its ancestors that starts at addr in this frame; NOT_LIFTED. */
static u32 loop_head(const struct lifter *l, u32 block, u64 addr, u32 frame)
{
	while (block != IR_NO_PARENT &&
	       (l->tree.blocks[block].start != addr || l->tree.blocks[block].frame != frame))
		block = l->tree.blocks[block].parent;
	return block == IR_NO_PARENT ? NOT_LIFTED : block;
}

static struct ir_edge edge_to(const struct lifter *l, u32 from, u64 target, u32 frame)
{
	u32 head = loop_head(l, from, target, frame);
	struct ir_edge edge = { .target = target, .kind = EDGE_EXIT };

	if (head != NOT_LIFTED) {
		edge.kind = EDGE_BACK;
		edge.block = head;
	}
	return edge;
}

static bool child_starts_at(const struct lifter *l, u32 trace_block, u64 addr)
{
	for (u32 i = trace_block + 1; i < l->trace->n_blocks; i++) {
		if (l->trace->blocks[i].parent == trace_block && l->trace->blocks[i].start == addr)
			return true;
	}
	return false;
}

static void end_block(struct lifter *l, u32 b)
{
	struct ir_block *block = &l->tree.blocks[b];
	const struct insn *last = &l->tree.ops[block->first + block->n - 1];
	const struct ir_frame *frame = &l->tree.frames[block->frame];
	u64 behind = last->addr + last->len;

	switch (last->role) {
	case ROLE_RET:
		if (block->frame)
			block->next = edge_to(l, b, frame->ret, frame->parent);
		break;
	case ROLE_JMP_INDIRECT:
		break;
	case ROLE_CALL:
		block->next = (struct ir_edge){ .target = last->target, .kind = EDGE_EXIT };
		break;
	case ROLE_JMP:
		block->next = edge_to(l, b, last->target, block->frame);
		break;
	case ROLE_JCC:
	case ROLE_COUNT:
		block->taken = edge_to(l, b, last->target, block->frame);
		block->next = edge_to(l, b, behind, block->frame);
		break;
	default:
		block->next = edge_to(l, b, behind, block->frame);
		break;
	}
}

static u32 frame_depth(const struct lifter *l, u32 frame)
{
	u32 depth = 0;

	for (; frame; frame = l->tree.frames[frame].parent)
		depth++;
	return depth;
}

/* A direct call that the trace goes into, from code and into code that allow it. */
static bool may_inline(const struct lifter *l, const struct insn *call, u32 trace_block, u32 frame)
{
	const u16 forbidden = TEXT_NO_INLINE | TEXT_NO_DEFER | TEXT_NO_TRANSLATE;
	u16 callee = text_marks(l->text, call->target);

	return call->role == ROLE_CALL && child_starts_at(l, trace_block, call->target) &&
	       (callee & TEXT_FUNCTION) && (callee & TEXT_INSN) &&
	       !((callee | text_marks(l->text, call->addr)) & forbidden) &&
	       frame_depth(l, frame) < LIMIT_INLINE_DEPTH;
}

/*
 * Decodes the instruction at addr into ops[n_ops]; *cut if it stays in original text (reason in
 * *why) or the tree is full.
 */
static enum status take_insn(struct lifter *l, u64 addr, u32 trace_block, u32 frame, bool *cut,
                             struct failure *why)
{
	struct insn *insn = &l->tree.ops[l->tree.n_ops];
	enum status status;

	*cut = true;
	if (l->tree.n_ops == LIMIT_TREE_INSNS)
		return STATUS_OK;
	status = text_insn(l->text, addr, l->decoder, insn, why);
	if (status && status_class(status) != STATUS_CLASS_REFUSED)
		return failed(l->fail, status, why->addr, why->detail);
	*cut = status != STATUS_OK;
	if (!status && insn_ends_path(insn) && !may_inline(l, insn, trace_block, frame)) {
		*cut = true;
		failed(why, STATUS_TRACE_NOTHING, addr, insn->role);
	}
	return STATUS_OK;
}

/*
 * Instructions up to the block's branch, a child of it, a loop head, or the first that stays in
 * original text.
 */
static enum status lift_insns(struct lifter *l, u32 trace_block, u32 b, struct failure *why)
{
	struct ir_block *block = &l->tree.blocks[b];
	u64 addr = block->start;
	enum status status;
	bool cut = false;

	for (;;) {
		status = take_insn(l, addr, trace_block, block->frame, &cut, why);
		if (status)
			return status;
		if (cut)
			break;
		addr += l->tree.ops[l->tree.n_ops].len;
		block->n++;
		if (l->tree.ops[l->tree.n_ops++].role != ROLE_PLAIN ||
		    child_starts_at(l, trace_block, addr) ||
		    loop_head(l, b, addr, block->frame) != NOT_LIFTED)
			break;
	}
	l->cut[b] = cut;
	if (block->n)
		end_block(l, b);
	return STATUS_OK;
}

/* The edge of `parent` that leads to addr and that no child has claimed yet. */
static struct ir_edge *free_edge(struct ir_block *parent, u64 addr)
{
	if (parent->next.kind > EDGE_CHILD && parent->next.target == addr)
		return &parent->next;
	if (parent->taken.kind > EDGE_CHILD && parent->taken.target == addr)
		return &parent->taken;
	return NULL;
}

/* The frame in which a child of `parent` runs: a call opens one, a return leaves it. */
static u32 child_frame(struct lifter *l, const struct ir_block *parent)
{
	const struct insn *last = &l->tree.ops[parent->first + parent->n - 1];
	struct ir_frame *frame;

	if (last->role == ROLE_RET)
		return l->tree.frames[parent->frame].parent;
	if (last->role != ROLE_CALL)
		return parent->frame;
	frame = &l->tree.frames[l->tree.n_frames];
	frame->parent = parent->frame;
	frame->call = last->addr;
	frame->ret = last->addr + last->len;
	return l->tree.n_frames++;
}

static bool has_twin(const struct trace *trace, u32 block)
{
	for (u32 i = 1; i < block; i++) {
		if (trace->blocks[i].parent == trace->blocks[block].parent &&
		    trace->blocks[i].start == trace->blocks[block].start)
			return true;
	}
	return false;
}

static enum status lift_block(struct lifter *l, u32 trace_block)
{
	const struct trace_block *from = &l->trace->blocks[trace_block];
	u32 parent = l->lifted[from->parent], b = l->tree.n_blocks, n_frames = l->tree.n_frames;
	struct ir_block *block = &l->tree.blocks[b];
	struct ir_edge *edge;
	struct failure why = { STATUS_OK, 0, 0 };
	enum status status;

	l->lifted[trace_block] = NOT_LIFTED;
	if (parent == NOT_LIFTED)
		return STATUS_OK;
	edge = free_edge(&l->tree.blocks[parent], from->start);
	if (!edge)
		return l->cut[parent] ? STATUS_OK : refuse(l, STATUS_TRACE_PATH, trace_block);
	memset(block, 0, sizeof(*block));
	block->start = from->start;
	block->parent = parent;
	block->weight = from->weight;
	block->branch = from->branch;
	block->first = l->tree.n_ops;
	block->frame = child_frame(l, &l->tree.blocks[parent]);
	status = lift_insns(l, trace_block, b, &why);
	if (status || !block->n) {
		l->tree.n_frames = n_frames;
		return status;
	}
	edge->kind = EDGE_CHILD;
	edge->block = b;
	l->lifted[trace_block] = b;
	l->tree.n_blocks++;
	return STATUS_OK;
}

static enum status lift_root(struct lifter *l)
{
	struct ir_block *root = &l->tree.blocks[0];
	struct failure why = { STATUS_OK, 0, 0 };
	enum status status;

	root->start = l->tree.head = l->trace->blocks[0].start;
	root->parent = IR_NO_PARENT;
	l->tree.frames[0].parent = IR_NO_PARENT;
	l->tree.n_frames = 1;
	l->tree.n_states = 1;
	root->weight = l->trace->blocks[0].weight;
	root->branch = l->trace->blocks[0].branch;
	status = lift_insns(l, 0, 0, &why);
	if (status)
		return status;
	if (!root->n)
		return failed(l->fail, why.status, why.addr, why.detail);
	if (!(text_marks(l->text, root->start) & TEXT_REACHED))
		return failed(l->fail, STATUS_TEXT_UNPROVEN, root->start, 0);
	l->tree.n_blocks = 1;
	l->lifted[0] = 0;
	return STATUS_OK;
}

/* What can be said of a trace without looking at text. */
static enum status check_trace(const struct lifter *l)
{
	const struct trace *trace = l->trace;

	if (!trace->n_blocks)
		return failed(l->fail, STATUS_TRACE_EMPTY, 0, 0);
	if (trace->n_blocks > LIMIT_TREE_BLOCKS)
		return failed(l->fail, STATUS_TRACE_BLOCKS, trace->blocks[0].start,
		              trace->n_blocks);
	if (trace->blocks[0].parent != TRACE_NO_PARENT)
		return refuse(l, STATUS_TRACE_PARENT, 0);
	for (u32 i = 1; i < trace->n_blocks; i++) {
		if (trace->blocks[i].parent >= i)
			return refuse(l, STATUS_TRACE_PARENT, i);
		if (has_twin(trace, i))
			return refuse(l, STATUS_TRACE_TWICE, i);
	}
	return STATUS_OK;
}

static enum status lift_blocks(struct lifter *l)
{
	enum status status = lift_root(l);

	for (u32 i = 1; !status && i < l->trace->n_blocks; i++)
		status = lift_block(l, i);
	return status;
}

enum status lift_trace(const struct text *text, const struct trace *trace, struct arena *arena,
                       struct ir_tree *tree, struct failure *fail)
{
	struct lifter l = { .text = text, .trace = trace, .fail = fail };
	u64 before = arena_mark(arena), keep;
	enum status status = check_trace(&l);

	if (status)
		return status;
	l.tree.blocks = arena_alloc(arena, trace->n_blocks, sizeof(*l.tree.blocks));
	l.tree.frames = arena_alloc(arena, trace->n_blocks + 1, sizeof(*l.tree.frames));
	l.tree.states = arena_alloc(arena, 1, sizeof(*l.tree.states));
	l.tree.ops = arena_alloc(arena, LIMIT_TREE_INSNS, sizeof(*l.tree.ops));
	keep = arena_mark(arena);
	l.lifted = arena_alloc(arena, trace->n_blocks, sizeof(*l.lifted));
	l.cut = arena_alloc(arena, trace->n_blocks, sizeof(*l.cut));
	l.decoder = arena_alloc(arena, 1, decode_scratch_size());
	if (!l.tree.blocks || !l.tree.frames || !l.tree.states || !l.tree.ops || !l.lifted ||
	    !l.cut || !l.decoder)
		status = failed(fail, STATUS_WORKSPACE, trace->blocks[0].start, arena->size);
	else
		status = lift_blocks(&l);
	if (status) {
		arena_release(arena, before);
		return status;
	}
	arena_release(arena, keep - (LIMIT_TREE_INSNS - l.tree.n_ops) * sizeof(*l.tree.ops));
	*tree = l.tree;
	return STATUS_OK;
}
