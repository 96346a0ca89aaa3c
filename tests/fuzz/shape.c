/* SPDX-License-Identifier: MIT */
/*
 * shape.c - see shape.h. Growth keeps a list of ways out of the blocks it has (`open`), and takes
 * one at random, or the newest for a path, until the tree is as large as it was meant to be.
 */
#include "lift.h"
#include "rnd.h"
#include "shape.h"

#define OPEN_MAX 256
#define FRAMED_TRIES 12
#define INSNS_MAX (LIMIT_TREE_INSNS + 100) /* somewhat more than a tree can hold */

struct way {
	u64 to;
	u32 from, frame;
};

struct growth {
	const struct module *m;
	struct shape *shape;
	u64 *rnd;
	u32 n_insns;
	struct way open[OPEN_MAX];
	u32 n_open;
	u32 frame[LIMIT_TREE_BLOCKS * 2]; /* of each block; 0: the head's */
	struct {
		u64 ret;
		u32 parent;
	} frames[LIMIT_TREE_BLOCKS * 4];
	u32 n_frames;
};

static bool is_ancestor(const struct growth *g, u32 block, u64 start, u32 frame)
{
	for (; block != TRACE_NO_PARENT; block = g->shape->blocks[block].parent) {
		if (g->shape->blocks[block].start == start && g->frame[block] == frame)
			return true;
	}
	return false;
}

static void way_add(struct growth *g, u32 from, u64 to, u32 frame)
{
	u16 marks = text_marks(&g->m->text, to);

	if (g->n_open == OPEN_MAX || is_ancestor(g, from, to, frame))
		return;
	if ((marks & (TEXT_INSN | TEXT_NO_TRANSLATE)) != TEXT_INSN)
		return;
	for (u32 i = 0; i < g->n_open; i++) {
		if (g->open[i].from == from && g->open[i].to == to)
			return;
	}
	g->open[g->n_open++] = (struct way){ to, from, frame };
}

/* A call that ends at `ret` is gone into, or a return followed. */
static void walk_call(struct growth *g, u32 block, const struct insn_brief *brief, u64 ret)
{
	u32 frame = g->frame[block];

	if (!g->shape->calls)
		return;
	if (brief->role == ROLE_RET && frame)
		way_add(g, block, g->frames[frame].ret, g->frames[frame].parent);
	if (brief->role != ROLE_CALL || g->n_frames == sizeof(g->frames) / sizeof(g->frames[0]) ||
	    !(text_marks(&g->m->text, brief->target) & TEXT_FUNCTION))
		return;
	g->frames[g->n_frames].ret = ret;
	g->frames[g->n_frames].parent = frame;
	way_add(g, block, brief->target, g->n_frames++);
}

/* Walks the block to its end and opens its ways out. */
static void walk(struct growth *g, u32 block)
{
	u64 at = g->shape->blocks[block].start;
	u32 cut = rnd_chance(g->rnd, 8) ? 1 + (u32)rnd_below(g->rnd, 12) : INSNS_MAX;
	u32 frame = g->frame[block];
	struct insn_brief brief;

	for (u32 n = 0; n < cut; n++) {
		u64 left;
		const u8 *bytes = text_bytes(&g->m->text, at, &left);

		if (!bytes || decode_brief(bytes, left, at, scratch_decode(), &brief, NULL))
			return;
		at += brief.len;
		if (brief.role != ROLE_PLAIN && brief.role != ROLE_JMP && brief.role != ROLE_JCC &&
		    brief.role != ROLE_COUNT) {
			walk_call(g, block, &brief, at);
			return;
		}
		g->n_insns++;
		if (brief.role == ROLE_PLAIN && is_ancestor(g, block, at, frame))
			return; /* falls into a loop's head */
		if (brief.role == ROLE_PLAIN)
			continue;
		way_add(g, block, brief.target, frame);
		if (brief.role != ROLE_JMP)
			way_add(g, block, at, frame);
		return;
	}
	way_add(g, block, at, frame);
}

static u32 size_wanted(u64 *rnd)
{
	u32 how = (u32)rnd_below(rnd, 10);

	if (how < 2)
		return 1;
	if (how < 6)
		return 2 + (u32)rnd_below(rnd, 5);
	if (how < 9)
		return 4 + (u32)rnd_below(rnd, 16);
	return 8 + (u32)rnd_below(rnd, LIMIT_TREE_BLOCKS - 2); /* up to a few too many */
}

/* Some go round and round. */
static u32 weight(u64 *rnd)
{
	u32 runs = (u32)rnd_below(rnd, 1001);

	return rnd_chance(rnd, 20) ? 200 * runs : runs;
}

static u64 pick_head(const struct module *m, u64 *rnd)
{
	u64 head = m->heads[rnd_below(rnd, m->n_heads)];

	for (u32 i = 0; i < 16; i++) {
		if (text_marks(&m->text, head) & (TEXT_REACHED | TEXT_CERTIFIED))
			break;
		head = m->heads[rnd_below(rnd, m->n_heads)];
	}
	return head;
}

void shape_grow(struct shape *shape, const struct module *m, u64 *rnd)
{
	shape_grow_from(shape, m, pick_head(m, rnd), rnd);
}

void shape_grow_from(struct shape *shape, const struct module *m, u64 head, u64 *rnd)
{
	struct growth g = { .m = m, .shape = shape, .rnd = rnd, .n_frames = 1 };
	u32 n = size_wanted(rnd);
	bool path = rnd_chance(rnd, 30);

	shape->trace.blocks = shape->blocks;
	shape->trace.n_blocks = 1;
	shape->blocks[0] = (struct trace_block){ head, TRACE_NO_PARENT, 1000, 0 };
	walk(&g, 0);
	while (shape->trace.n_blocks < n && g.n_open && g.n_insns < INSNS_MAX) {
		u32 i = path ? g.n_open - 1 : (u32)rnd_below(rnd, g.n_open);
		struct way way = g.open[i];
		u32 new = shape->trace.n_blocks++;

		g.open[i] = g.open[--g.n_open];
		if (path)
			g.n_open = 0;
		shape->blocks[new] = (struct trace_block){ way.to, way.from, weight(rnd), 0 };
		g.frame[new] = way.frame;
		walk(&g, new);
	}
}

void shape_grow_framed(struct shape *shape, const struct module *m, struct arena *arena, u64 *rnd)
{
	u64 mark = arena_mark(arena);
	struct ir_tree tree = { 0 };

	for (u32 tries = 0; tries < FRAMED_TRIES; tries++) {
		bool lifted;

		shape_grow(shape, m, rnd);
		lifted = !lift_trace(&m->text, &shape->trace, arena, &tree, NULL);
		arena_release(arena, mark);
		if (!shape->calls || (lifted && tree.n_frames > 1))
			return;
	}
}

static u64 spoilt_address(const struct module *m, u64 near, u64 *rnd)
{
	switch (rnd_below(rnd, 6)) {
	case 0:
		return near + rnd_below(rnd, 33) - 16;
	case 1:
		return rnd_next(rnd);
	case 2:
		return m->text.start + rnd_below(rnd, m->text.end - m->text.start);
	case 3:
		return m->text.end - rnd_below(rnd, 20);
	case 4:
		return m->text.start - rnd_below(rnd, 20);
	default:
		return m->heads[rnd_below(rnd, m->n_heads)];
	}
}

static void spoil_one(struct shape *shape, const struct module *m, u64 *rnd)
{
	u32 n = shape->trace.n_blocks, i = n ? (u32)rnd_below(rnd, n) : 0;

	if (!n)
		return;
	switch (rnd_below(rnd, 8)) {
	case 0:
		shape->blocks[i].start = spoilt_address(m, shape->blocks[i].start, rnd);
		break;
	case 1: /* itself, a later one, or one that is none */
		shape->blocks[i].parent = i + (u32)rnd_below(rnd, 3);
		break;
	case 2:
		shape->blocks[i].parent = (u32)rnd_next(rnd);
		break;
	case 3:
		shape->blocks[i].parent = TRACE_NO_PARENT;
		break;
	case 4: /* twice */
		if (n < SHAPE_BLOCKS_MAX)
			shape->blocks[shape->trace.n_blocks++] = shape->blocks[i];
		break;
	case 5: /* very many */
		while (shape->trace.n_blocks < SHAPE_BLOCKS_MAX)
			shape->blocks[shape->trace.n_blocks++] = shape->blocks[i];
		break;
	case 6:
		shape->trace.n_blocks = (u32)rnd_below(rnd, n + 1);
		break;
	default:
		shape->blocks[i].parent = (u32)rnd_below(rnd, i + 1);
		break;
	}
}

void shape_spoil(struct shape *shape, const struct module *m, u64 *rnd)
{
	for (u32 n = 1 + (u32)rnd_below(rnd, 4); n; n--)
		spoil_one(shape, m, rnd);
}
