/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * frames.c - the pass that makes calls and returns disappear.
 *
 * Within inlined frames the original's rsp (R) is known at every instruction as a distance from where rsp really stands
 * (A), which does not move from the outermost call to its return: pushes become stores, pops loads, displacements
 * are shifted, return addresses are pending (ir.h) until the tree is left. So much of the callee's stack as would lie
 * lower than 128 bytes below A is made safe from signals by moving A down once, at the call (K).
 *
 * Coordinates are distances from A at the outermost call; the root frame has none: there everything is as in the
 * original. Two walks over the blocks, parents first: the first finds how deep each outermost call goes and where paths
 * must be cut, the second writes. Invariant: whatever is not understood exactly ends its path in front of it.
 */
#include "compact.h"
#include "flags.h"
#include "limits.h"
#include "pass.h"
#include "reencode.h"
#include "stack_op.h"

#define RED_ZONE 128
#define SLOT 8
#define STACK_ALIGN 16
#define NO_CUT 0xffffffffu

/* What is known where a block begins. */
struct where {
	s32 r; /* R in coordinates; nothing in the root frame */
	s32 rbp; /* coordinate that rbp holds, if rbp_known */
	bool rbp_known, reached;
	bool below; /* somebody has a pointer below rsp: all of the red zone may be used */
};

struct frames {
	struct pass *pass;
	struct ir_tree *tree, out;
	struct where *blocks; /* at the block's start */
	u32 *cut; /* block: first op that stays out; NO_CUT */
	s32 *slot; /* frame: coordinate of its return address */
	u32 *outermost; /* frame: the frame of the outermost inlined call around it */
	s32 *low; /* outermost frame: lowest coordinate touched */
	u32 *chain; /* frame: first of its pendings in out.pendings; as many as it is deep */
	u32 max_ops, max_states;
	bool writing;
};

static s32 depth_of(const struct frames *f, u32 frame)
{
	s32 depth = 0;

	for (; frame; frame = f->tree->frames[frame].parent)
		depth++;
	return depth;
}

/* A in coordinates, inside frame's outermost call. */
static s32 real_rsp(const struct frames *f, u32 frame)
{
	s32 missing = -RED_ZONE - f->low[f->outermost[frame]];

	return missing <= 0 ? 0 : -(missing + STACK_ALIGN - 1) / STACK_ALIGN * STACK_ALIGN;
}

/* ---- states ---- */

/* Return addresses of all frames around, as offsets from A. */
static void make_chain(struct frames *f, u32 frame)
{
	s32 a = real_rsp(f, frame);
	u32 n = (u32)depth_of(f, frame);

	f->chain[frame] = f->out.n_pendings;
	f->out.n_pendings += n;
	for (u32 i = f->chain[frame] + n; frame; frame = f->tree->frames[frame].parent)
		f->out.pendings[--i] = (struct ir_pending){ .kind = PENDING_RETURN,
			                                    .at = f->slot[frame] - a,
			                                    .value = f->tree->frames[frame].ret };
}

static u16 state_of(struct frames *f, u32 frame, s32 r)
{
	struct ir_state state = { .rsp = r - real_rsp(f, frame),
		                  .n = (u16)depth_of(f, frame),
		                  .first = f->chain[frame] };

	if (!frame)
		return 0;
	for (u32 i = f->out.n_states; i-- > 1;)
		if (f->out.states[i].rsp == state.rsp && f->out.states[i].first == state.first &&
		    f->out.states[i].n == state.n)
			return (u16)i;
	f->out.states[f->out.n_states] = state;
	return (u16)f->out.n_states++;
}

/* ---- writing ---- */

/* Appends machine code that stands for the instruction at `origin`. False: a bug, it must decode. */
static bool write_op(struct frames *f, const u8 *bytes, u32 len, u64 origin, u16 state)
{
	struct insn *insn = &f->out.ops[f->out.n_ops];

	if (f->out.n_ops == f->max_ops ||
	    decode_insn(bytes, len, origin, f->pass->decoder, insn, NULL) != STATUS_OK)
		return false;
	f->out.op_state[f->out.n_ops++] = state;
	return true;
}

static bool copy_op(struct frames *f, const struct insn *insn, u16 state)
{
	if (f->out.n_ops == f->max_ops)
		return false;
	f->out.ops[f->out.n_ops] = *insn;
	f->out.op_state[f->out.n_ops++] = state;
	return true;
}

static bool move_rsp(struct frames *f, s32 by, u64 origin, u16 state)
{
	u8 bytes[INSN_MAX_LEN];

	return by == 0 || write_op(f, bytes, reencode_lea(bytes, RSP, by), origin, state);
}

/* ---- one instruction inside an inlined frame ---- */

static s32 lower(s32 a, s32 b)
{
	return a < b ? a : b;
}

/* Do `size` bytes at coordinate `at` touch a return address that is pending? */
static bool touches_pending(const struct frames *f, u32 frame, s32 at, u32 size)
{
	for (; frame; frame = f->tree->frames[frame].parent)
		if (at < f->slot[frame] + SLOT && f->slot[frame] < at + (s32)size)
			return true;
	return false;
}

/* An access at a known coordinate: allowed? Notes how deep it goes. */
static bool access(struct frames *f, u32 frame, s64 at, u32 size)
{
	if (at < -0x100000 || at > 0x100000 || size == 0 ||
	    touches_pending(f, frame, (s32)at, size))
		return false;
	f->low[f->outermost[frame]] = lower(f->low[f->outermost[frame]], (s32)at);
	return true;
}

static void note_depth(struct frames *f, u32 frame, const struct where *w)
{
	s32 *low = &f->low[f->outermost[frame]];

	*low = lower(*low, w->r - (w->below ? RED_ZONE : 0));
}

/* A pointer into the stack is made, or an array is indexed from there. */
static bool point(struct frames *f, u32 frame, s64 at, struct where *w)
{
	if (at < -0x100000 || at > 0x100000 || touches_pending(f, frame, (s32)at, 1))
		return false;
	w->below |= at < w->r;
	note_depth(f, frame, w);
	return true;
}

/* Memory operands based on rsp or on an rbp that points into the stack. */
static bool operands_allowed(struct frames *f, const struct insn *insn, u32 frame, struct where *w)
{
	for (u32 i = 0; i < insn->n_mem; i++) {
		const struct insn_mem *mem = &insn->mem[i];
		bool by_rbp = mem->base == RBP && w->rbp_known;
		s64 at = (by_rbp ? w->rbp : w->r) + mem->disp;

		if (mem->base != RSP && !by_rbp)
			continue;
		if (mem->index != MEM_NO_REG || (!mem->load && !mem->store)) {
			if (!point(f, frame, at, w))
				return false;
		} else if (!access(f, frame, at, mem->size)) {
			return false;
		}
	}
	return true;
}

static void forget_rbp(struct where *w, const struct insn *insn)
{
	if (insn->def.gpr & 1u << RBP)
		w->rbp_known = false;
}

/* push, pop and moves of rsp; `behind` is the op's number in its block. */
static bool stack_insn(struct frames *f, const struct insn *insn, const struct stack_op *op, u32 b,
                       u32 number, struct where *w)
{
	u32 frame = f->tree->blocks[b].frame;
	s32 a = real_rsp(f, frame);
	u16 state = f->writing ? state_of(f, frame, w->r) : 0;
	u8 bytes[INSN_MAX_LEN + 1];
	u32 len = 0;

	switch (op->kind) {
	case STACK_PUSH:
	case STACK_PUSH_IMM:
		w->r -= SLOT;
		if (!access(f, frame, w->r, SLOT))
			return false;
		len = op->kind == STACK_PUSH ? reencode_store(bytes, op->reg, w->r - a)
		                             : reencode_store_imm(bytes, op->value, w->r - a);
		break;
	case STACK_POP:
		if (!access(f, frame, w->r, SLOT))
			return false;
		len = reencode_load(bytes, op->reg, w->r - a);
		w->r += SLOT;
		forget_rbp(w, insn);
		break;
	case STACK_MOVE:
		if (op->flags && !f->writing && !flags_dead_behind(f->pass, b, number))
			return false;
		w->r += op->value;
		break;
	case STACK_COPY:
		if (!point(f, frame, w->r, w))
			return false;
		len = reencode_lea(bytes, op->reg, w->r - a);
		forget_rbp(w, insn);
		if (op->reg == RBP) {
			w->rbp_known = true;
			w->rbp = w->r;
		}
		break;
	case STACK_LEAVE:
		if (!w->rbp_known || !access(f, frame, w->rbp, SLOT))
			return false;
		len = reencode_load(bytes, RBP, w->rbp - a);
		w->r = w->rbp + SLOT;
		w->rbp_known = false;
		break;
	case STACK_FROM_RBP:
		if (!w->rbp_known)
			return false;
		w->r = w->rbp;
		break;
	default:
		return false;
	}
	/* Nothing of a frame lies above its return address but its caller's. */
	if (w->r > f->slot[frame] || w->r < -0x100000)
		return false;
	note_depth(f, frame, w);
	return !f->writing || !len || write_op(f, bytes, len, insn->addr, state);
}

static bool other_insn(struct frames *f, const struct insn *insn, const struct stack_op *op,
                       u32 frame, struct where *w)
{
	u8 bytes[INSN_MAX_LEN + 1];
	u16 state = f->writing ? state_of(f, frame, w->r) : 0;
	u32 len;

	if (!operands_allowed(f, insn, frame, w))
		return false;
	forget_rbp(w, insn);
	if (op->kind == STACK_NONE)
		return !f->writing || copy_op(f, insn, state);
	if (!reencode_rsp(insn, w->r - real_rsp(f, frame), bytes, &len))
		return false;
	return !f->writing || write_op(f, bytes, len, insn->addr, state);
}

/* A return in an inlined frame: nothing is left of it but, at the outermost, rsp going back. */
static bool return_insn(struct frames *f, const struct insn *insn, u32 frame, struct where *w)
{
	s32 a = real_rsp(f, frame);

	if (w->r != f->slot[frame] || insn->bytes[insn->opcode_at] != 0xc3)
		return false;
	if (f->writing && !f->tree->frames[frame].parent &&
	    !move_rsp(f, -a, insn->addr, state_of(f, frame, w->r)))
		return false;
	w->r += SLOT;
	return true;
}

/* One op; false: the path ends in front of it. *w moves behind it. */
static bool walk_op(struct frames *f, u32 b, u32 number, struct where *w)
{
	const struct ir_block *block = &f->tree->blocks[b];
	const struct insn *insn = &f->tree->ops[block->first + number];
	u32 frame = block->frame;
	struct stack_op op;

	if (insn->role == ROLE_CALL)
		return block->next.kind == EDGE_CHILD;
	if (!frame)
		return !f->writing || copy_op(f, insn, 0);
	if (insn->role == ROLE_RET)
		return return_insn(f, insn, frame, w);
	if (insn->role == ROLE_JMP_INDIRECT)
		return false;
	op = stack_op(insn);
	if (op.kind == STACK_NONE || op.kind == STACK_OPERAND)
		return other_insn(f, insn, &op, frame, w);
	return stack_insn(f, insn, &op, b, number, w);
}

/* ---- blocks ---- */

/* The call at the end of block b opens its child's frame, at w->r. */
static void open_frame(struct frames *f, u32 b, struct where *w)
{
	const struct ir_block *block = &f->tree->blocks[b];
	u32 frame = f->tree->blocks[block->next.block].frame;

	if (!block->frame) {
		*w = (struct where){ 0 };
		f->outermost[frame] = frame;
	} else {
		f->outermost[frame] = f->outermost[block->frame];
	}
	w->r -= SLOT;
	w->rbp_known = block->frame ? w->rbp_known : false;
	f->slot[frame] = w->r;
	note_depth(f, frame, w);
}

static bool same_where(const struct where *head, const struct where *here)
{
	return head->r == here->r &&
	       (!head->rbp_known || (here->rbp_known && head->rbp == here->rbp));
}

/* First walk: where things are, how deep they go, where paths end. */
static void measure_block(struct frames *f, u32 b)
{
	const struct ir_block *block = &f->tree->blocks[b];
	struct where w = f->blocks[b];
	u32 i = 0;

	while (i < block->n && walk_op(f, b, i, &w))
		i++;
	f->cut[b] = i < block->n ? i : NO_CUT;
	if (i < block->n)
		return;
	if (f->tree->ops[block->first + block->n - 1].role == ROLE_CALL)
		open_frame(f, b, &w);
	w.reached = true;
	if (block->next.kind == EDGE_CHILD)
		f->blocks[block->next.block] = w;
	if (block->taken.kind == EDGE_CHILD)
		f->blocks[block->taken.block] = w;
}

/* Frame in which an edge of the block leads on, and whether that is the root. */
static u32 frame_behind(const struct frames *f, const struct ir_block *block)
{
	const struct insn *last = &f->tree->ops[block->first + block->n - 1];

	return last->role == ROLE_RET && block->frame ? f->tree->frames[block->frame].parent
	                                              : block->frame;
}

static void finish_edge(struct frames *f, struct ir_edge *edge, u32 frame, const struct where *w)
{
	if (edge->kind == EDGE_BACK && frame && !same_where(&f->blocks[edge->block], w))
		*edge = (struct ir_edge){ .target = edge->target,
			                  .flow = edge->flow,
			                  .kind = EDGE_EXIT };
	if (edge->kind == EDGE_EXIT)
		edge->state = state_of(f, frame, w->r);
}

/* Second walk: ops, states, edges. */
static bool write_block(struct frames *f, u32 b)
{
	const struct ir_block *block = &f->tree->blocks[b];
	struct ir_block *out = &f->out.blocks[b];
	struct where w = f->blocks[b];
	u32 n = f->cut[b] == NO_CUT ? block->n : f->cut[b];
	const struct insn *last = &f->tree->ops[block->first + block->n - 1];

	out->first = f->out.n_ops;
	for (u32 i = 0; i < n; i++)
		if (!walk_op(f, b, i, &w))
			return false;
	if (f->cut[b] != NO_CUT) {
		out->next = (struct ir_edge){ .target = f->tree->ops[block->first + n].addr,
			                      .flow = block->freq,
			                      .kind = EDGE_EXIT };
		out->taken = (struct ir_edge){ 0 };
		finish_edge(f, &out->next, block->frame, &w);
	} else {
		if (last->role == ROLE_CALL && !block->frame &&
		    !move_rsp(f, real_rsp(f, f->tree->blocks[block->next.block].frame), last->addr,
		              0))
			return false;
		finish_edge(f, &out->next, frame_behind(f, block), &w);
		finish_edge(f, &out->taken, frame_behind(f, block), &w);
	}
	out->n = f->out.n_ops - out->first;
	return true;
}

static bool allocate(struct frames *f)
{
	struct arena *arena = f->pass->arena;
	u32 n_blocks = f->tree->n_blocks, n_frames = f->tree->n_frames + 1;

	f->max_ops = f->tree->n_ops + 2 * n_frames;
	f->max_states = f->max_ops + 2 * n_blocks + 1;
	f->blocks = arena_alloc(arena, n_blocks, sizeof(*f->blocks));
	f->cut = arena_alloc(arena, n_blocks, sizeof(*f->cut));
	f->slot = arena_alloc(arena, n_frames, sizeof(*f->slot));
	f->low = arena_alloc(arena, n_frames, sizeof(*f->low));
	f->outermost = arena_alloc(arena, n_frames, sizeof(*f->outermost));
	f->chain = arena_alloc(arena, n_frames, sizeof(*f->chain));
	f->out.blocks = arena_alloc(arena, n_blocks, sizeof(*f->out.blocks));
	f->out.ops = arena_alloc(arena, f->max_ops, sizeof(*f->out.ops));
	f->out.op_state = arena_alloc(arena, f->max_ops, sizeof(*f->out.op_state));
	f->out.states = arena_alloc(arena, f->max_states, sizeof(*f->out.states));
	f->out.pendings =
		arena_alloc(arena, n_frames * LIMIT_INLINE_DEPTH, sizeof(*f->out.pendings));
	return f->blocks && f->cut && f->slot && f->low && f->outermost && f->chain &&
	       f->out.blocks && f->out.ops && f->out.op_state && f->out.states && f->out.pendings;
}

static bool has_calls(const struct ir_tree *tree)
{
	for (u32 b = 0; b < tree->n_blocks; b++)
		if (tree->ops[tree->blocks[b].first + tree->blocks[b].n - 1].role == ROLE_CALL)
			return true;
	return false;
}

enum status pass_frames(struct pass *pass)
{
	struct frames f = { .pass = pass, .tree = pass->tree };

	if (!has_calls(pass->tree))
		return STATUS_OK;
	pass_did(pass, pass->tree->n_frames - 1);
	if (!allocate(&f))
		return failed(pass->fail, STATUS_WORKSPACE, pass->tree->head, pass->arena->size);
	f.blocks[0].reached = true;
	for (u32 b = 0; b < f.tree->n_blocks; b++)
		if (f.blocks[b].reached)
			measure_block(&f, b);
	for (u32 frame = 1; frame < f.tree->n_frames; frame++)
		if (f.outermost[frame])
			make_chain(&f, frame);
	f.writing = true;
	f.out.n_states = 1;
	f.out.n_blocks = f.tree->n_blocks;
	memcpy(f.out.blocks, f.tree->blocks, f.tree->n_blocks * sizeof(*f.out.blocks));
	for (u32 b = 0; b < f.tree->n_blocks; b++)
		if (f.blocks[b].reached && !write_block(&f, b))
			return failed(pass->fail, STATUS_IR_ORDER, f.tree->blocks[b].start, b);
	pass->tree->blocks = f.out.blocks;
	pass->tree->ops = f.out.ops;
	pass->tree->op_state = f.out.op_state;
	pass->tree->states = f.out.states;
	pass->tree->pendings = f.out.pendings;
	pass->tree->n_ops = f.out.n_ops;
	pass->tree->n_states = f.out.n_states;
	pass->tree->n_pendings = f.out.n_pendings;
	return compact_blocks(pass);
}
