/* SPDX-License-Identifier: MIT */
/*
 * grow_hot.c - see grow_hot.h. What lift.c accepts as a tree is what comes out: each block follows from its parent by one branch, a
 * call, a return from an inlined call, or by falling through, and no two children of a block start at the same address.
 *
 * How often a node is executed follows from the shares of branches (flow.h) and from the loops that are closed so far.
 */
#include "grow_hot.h"

#include "cost.h"

#define RARE (GROW_ONE / 50) /* of a block's executions: ways that are not gone */
#ifndef LEAST
#define LEAST (GROW_ONE / 50) /* for each entry of the tree */
#endif
#define DEPTH 4
#define FORBIDDEN 32 /* calls that do not pay */
#define MOST_BACK (GROW_ONE - GROW_ONE / 64) /* of a loop's executions that come back */
#define CALL_AND_RETURN 2
#define JUMPS_AROUND_CALL \
	3 /* out to a call that stays, into its function's tree, into the tree behind it */
/* What it costs to leave inside inlined calls (engine/stub.c). */
#define STUB_INSNS 6
#define STUB_INSNS_FRAME (4 + COST_RETURN_MISSED) /* for each of them */
#define MOST ((u64)1 << 40)
#define NO_NODE 0xffu
#define LATE \
	4 /* ways that may be taken more often than it looks come behind those that are taken one of so many times as often */

enum way_kind { WAY_NONE, WAY_OPEN, WAY_CHILD, WAY_BACK, WAY_EXIT };

struct way {
	u64 target;
	u64 call, ret; /* the call that this way goes into, and what stands behind it; 0: none */
	u32 share; /* of the node's executions, in GROW_ONE-ths */
	u32 most; /* the same, as much as samples allow; in inlined calls, which it is dear to leave */
	u8 kind, node, frame;
	bool returns; /* from an inlined call */
};

struct node {
	u64 start, freq; /* executions for each entry, in GROW_ONE-ths */
	u64 most; /* the same, at most */
	struct way ways[2]; /* next, taken */
	u32 n_insns, branch;
	u8 parent, frame;
	bool is_head; /* of a loop */
};

struct frame {
	u64 callee, ret;
	u8 parent, node, depth; /* of frame 0: itself, none, 0 */
};

struct tree {
	struct flows *flows;
	bool inline_calls;
	struct node nodes[GROW_BLOCKS];
	struct frame frames[GROW_BLOCKS];
	u64 back[GROW_BLOCKS]; /* of a node's executions, how many come back to it */
	u64 forbidden[FORBIDDEN]; /* calls */
	u32 n_nodes, n_frames, n_forbidden, n_insns;
};

static const struct flow_block *block_at(const struct tree *t, u64 addr)
{
	const struct flow *flow = flow_of(t->flows, addr);

	return flow ? flow_block_at(flow, addr) : NULL;
}

/* ---- ways ---- */

/* The nearest of the node and its ancestors that starts at addr in this frame; NO_NODE. */
static u32 loop_head(const struct tree *t, u32 node, u64 addr, u32 frame)
{
	for (;; node = t->nodes[node].parent) {
		if (t->nodes[node].start == addr && t->nodes[node].frame == frame)
			return node;
		if (!node)
			return NO_NODE;
	}
}

/*
 * Does a way to an ancestor enter a loop anew that was entered in its middle? Such a loop is closed where the code jumps back, so that
 * what the compiler has put at its end stays there: the part in front is in the tree twice, but no more often.
 */
static bool turns(const struct tree *t, u32 node, u32 head, u64 target, u32 frame)
{
	return target > t->nodes[node].start &&
	       (!head || loop_head(t, t->nodes[head].parent, target, frame) == NO_NODE);
}

static struct way way_to(const struct tree *t, u32 node, u64 target, u32 frame, u32 share)
{
	struct way way = { .target = target, .share = share, .most = share, .frame = (u8)frame };
	u32 head = loop_head(t, node, target, frame);
	u16 marks = text_marks(t->flows->text, target);

	way.kind = WAY_OPEN;
	if (head != NO_NODE && !turns(t, node, head, target, frame)) {
		way.kind = WAY_BACK;
		way.node = (u8)head;
	} else if (!(marks & TEXT_INSN) || (marks & TEXT_NO_TRANSLATE)) {
		way.kind = WAY_EXIT;
	}
	return way;
}

static bool may_go_in(const struct tree *t, u64 call, u64 callee, u32 frame)
{
	const u16 forbidden = TEXT_NO_INLINE | TEXT_NO_DEFER | TEXT_NO_TRANSLATE;
	u16 marks = text_marks(t->flows->text, callee);

	if (!t->inline_calls || !(marks & TEXT_FUNCTION) || !(marks & TEXT_INSN) ||
	    ((marks | text_marks(t->flows->text, call)) & forbidden) ||
	    t->frames[frame].depth == DEPTH)
		return false;
	for (u32 i = 0; i < t->n_forbidden; i++)
		if (t->forbidden[i] == call)
			return false;
	for (; frame; frame = t->frames[frame].parent)
		if (t->frames[frame].callee == callee)
			return false;
	return true;
}

static struct way way_out(u64 target)
{
	return (struct way){
		.target = target, .share = GROW_ONE, .most = GROW_ONE, .kind = WAY_EXIT
	};
}

static void at_most(struct way *way, u32 share)
{
	u32 most = share * (GROW_ONE / 8) / (FLOW_SHARE / 8);

	way->most = most > way->share ? most : way->share;
}

/* Both ways of a conditional branch. */
static void split(struct tree *t, u32 node, const struct flow_block *block)
{
	struct node *n = &t->nodes[node];
	u32 taken = block->taken ? (u32)(block->taken - 1) * (GROW_ONE / 8) / (FLOW_SHARE / 8)
	                         : GROW_ONE / 2;
	u32 next_most, taken_most;

	n->branch = block->taken;
	n->ways[0] = way_to(t, node, block->end, n->frame, GROW_ONE - taken);
	n->ways[1] = way_to(t, node, block->target, n->frame, taken);
	if (block->end == block->target) {
		n->ways[0].share = GROW_ONE;
		n->ways[1].kind = WAY_NONE;
	} else if (n->frame) {
		flow_at_most(t->flows, block, &next_most, &taken_most);
		at_most(&n->ways[0], next_most);
		at_most(&n->ways[1], taken_most);
	}
}

/* The node ends with this block; it ends in front of what has to stay in original text. */
static void end_node(struct tree *t, u32 node, const struct flow_block *block)
{
	struct node *n = &t->nodes[node];
	const struct frame *frame = &t->frames[n->frame];

	switch (block->role) {
	case ROLE_JCC:
	case ROLE_COUNT:
		split(t, node, block);
		break;
	case ROLE_JMP:
		n->ways[0] = way_to(t, node, block->target, n->frame, GROW_ONE);
		break;
	case ROLE_RET:
		if (n->frame) {
			n->ways[0] = way_to(t, node, frame->ret, frame->parent, GROW_ONE);
			n->ways[0].returns = true;
		}
		break;
	case ROLE_JMP_INDIRECT:
		break;
	case ROLE_CALL:
		if (may_go_in(t, block->last, block->target, n->frame)) {
			n->ways[0] = (struct way){ .target = block->target,
				                   .share = GROW_ONE,
				                   .most = GROW_ONE,
				                   .kind = WAY_OPEN,
				                   .call = block->last,
				                   .ret = block->end };
			break;
		}
		/* fallthrough */
	default:
		n->n_insns--;
		n->ways[0] = way_out(block->last);
		break;
	}
}

/* Does a branch lead back into the middle of the node that it ends? Then that is two nodes. */
static bool is_split(const struct node *n, const struct flow_block *block)
{
	return (block->role == ROLE_JMP || block->role == ROLE_JCC || block->role == ROLE_COUNT) &&
	       block->target > n->start && block->target <= block->last;
}

/* Of a block, those from addr on. */
static u32 insns_from(const struct tree *t, const struct flow_block *block, u64 addr)
{
	u32 n = 0;

	if (addr == block->start)
		return block->n_insns;
	for (; addr < block->end; addr++)
		n += (text_marks(t->flows->text, addr) & TEXT_INSN) != 0;
	return n;
}

/* Instructions up to what ends the node, a block at a time. */
static void walk(struct tree *t, u32 node)
{
	const u16 here = TEXT_INSN | TEXT_NO_TRANSLATE;
	struct node *n = &t->nodes[node];
	u64 addr = n->start;

	while (n->n_insns < GROW_INSNS) {
		const struct flow_block *block = block_at(t, addr);

		if (addr != n->start && loop_head(t, node, addr, n->frame) != NO_NODE) {
			n->ways[0] = way_to(t, node, addr, n->frame, GROW_ONE);
			return; /* falls back into a loop */
		}
		if (!block || (text_marks(t->flows->text, addr) & here) != TEXT_INSN) {
			n->ways[0] = way_out(addr);
			return;
		}
		if (is_split(n, block)) {
			for (n->n_insns = 0, addr = n->start; addr < block->target; addr++)
				n->n_insns += (text_marks(t->flows->text, addr) & TEXT_INSN) != 0;
			n->ways[0] = way_to(t, node, addr, n->frame, GROW_ONE);
			return;
		}
		n->n_insns += insns_from(t, block, addr);
		addr = block->end;
		if (block->role != ROLE_PLAIN) {
			end_node(t, node, block);
			return;
		}
	}
}

/* ---- how often ---- */

static u64 portion(u64 n, u32 share)
{
	return n * share / GROW_ONE;
}

/* Lets `in` flow into node `from` and on; returns what of it comes back. */
static u64 flow_from(struct tree *t, u32 from, u64 in)
{
	u64 comes_back = 0;

	for (u32 i = from; i < t->n_nodes; i++)
		t->nodes[i].freq = 0;
	t->nodes[from].freq = in;
	for (u32 i = from; i < t->n_nodes; i++) {
		struct node *n = &t->nodes[i];

		if (t->back[i])
			n->freq = n->freq * GROW_ONE / (GROW_ONE - t->back[i]);
		if (n->freq > MOST)
			n->freq = MOST;
		for (u32 w = 0; w < 2; w++) {
			const struct way *way = &n->ways[w];
			u64 part = portion(n->freq, way->share);

			if (way->kind == WAY_CHILD)
				t->nodes[way->node].freq = part;
			else if (way->kind == WAY_BACK && way->node == from)
				comes_back += part;
		}
	}
	return comes_back < MOST_BACK ? comes_back : MOST_BACK;
}

/* The same with all ways taken as often as they may be, where frequencies have changed. */
static void spread_most(struct tree *t)
{
	t->nodes[0].most = t->nodes[0].freq;
	for (u32 i = 0; i < t->n_nodes; i++) {
		struct node *n = &t->nodes[i];

		if (i && t->back[i])
			n->most = n->most * GROW_ONE / (GROW_ONE - t->back[i]);
		if (n->most > MOST)
			n->most = MOST;
		for (u32 w = 0; w < 2; w++)
			if (n->ways[w].kind == WAY_CHILD)
				t->nodes[n->ways[w].node].most = portion(n->most, n->ways[w].most);
	}
}

/* A node has been added from which a way leads back: the loops that it is in, inner ones first, come round more often. */
static void weigh(struct tree *t, u32 node)
{
	for (; node; node = t->nodes[node].parent) {
		if (!t->nodes[node].is_head)
			continue;
		t->back[node] = 0;
		t->back[node] = flow_from(t, node, GROW_ONE);
	}
	t->back[0] = 0;
	t->back[0] = flow_from(t, 0, GROW_ONE);
	flow_from(t, 0, GROW_ONE);
	spread_most(t);
}

/* The heads of its ways back are heads of loops now. True if there is one. */
static bool mark_heads(struct tree *t, u32 node)
{
	bool any = false;

	for (u32 w = 0; w < 2; w++) {
		const struct way *way = &t->nodes[node].ways[w];

		if (way->kind != WAY_BACK)
			continue;
		t->nodes[way->node].is_head = any = true;
	}
	return any;
}

/* ---- growing ---- */

/* The open way that is taken most; false: none is worth it. */
static bool hottest(struct tree *t, u32 *node, u32 *which)
{
	u64 best = 0;

	for (u32 i = 0; i < t->n_nodes; i++) {
		for (u32 w = 0; w < 2; w++) {
			const struct way *way = &t->nodes[i].ways[w];
			u64 late, n;

			if (way->kind != WAY_OPEN || way->most < RARE)
				continue;
			late = portion(t->nodes[i].most, way->most) / LATE;
			n = portion(t->nodes[i].freq, way->share);
			n = n > late ? n : late;
			if (n < LEAST || n <= best)
				continue;
			best = n;
			*node = i;
			*which = w;
		}
	}
	return best;
}

static u8 open_frame(struct tree *t, u32 node, const struct way *way)
{
	u32 parent = t->nodes[node].frame;

	t->frames[t->n_frames] = (struct frame){ way->target, way->ret, (u8)parent, (u8)node,
		                                 (u8)(t->frames[parent].depth + 1) };
	return (u8)t->n_frames++;
}

/* Goes a way; if what is there does not fit, or is nothing, it is an exit. */
static void go(struct tree *t, u32 node, u32 which)
{
	struct way *way = &t->nodes[node].ways[which];
	struct node *child = &t->nodes[t->n_nodes];
	u32 n_frames = t->n_frames;

	*child = (struct node){ .start = way->target, .parent = (u8)node, .frame = way->frame };
	if (way->call)
		child->frame = open_frame(t, node, way);
	walk(t, t->n_nodes);
	if (!child->n_insns || t->n_insns + child->n_insns > GROW_INSNS) {
		way->kind = WAY_EXIT;
		t->n_frames = n_frames;
		if (way->call)
			t->nodes[node].n_insns--, t->n_insns--; /* it ends in front of the call */
		return;
	}
	way->kind = WAY_CHILD;
	way->node = (u8)t->n_nodes++;
	t->n_insns += child->n_insns;
	child->freq = portion(t->nodes[node].freq, way->share);
	child->most = portion(t->nodes[node].most, way->most);
	if (mark_heads(t, way->node))
		weigh(t, way->node);
}

/* Does a node end its path in front of a call that nothing follows? It is as if the call were not there. */
static void cut_calls(struct tree *t)
{
	for (u32 i = 0; i < t->n_nodes; i++) {
		struct way *way = &t->nodes[i].ways[0];

		if (way->kind == WAY_OPEN && way->call) {
			way->kind = WAY_EXIT;
			t->nodes[i].n_insns--;
		}
	}
}

static void grow(struct tree *t, u64 site)
{
	u32 node = 0, which = 0;

	memset(t->back, 0, sizeof(t->back));
	t->nodes[0] = (struct node){ .start = site, .freq = GROW_ONE, .most = GROW_ONE };
	t->frames[0] = (struct frame){ 0 };
	t->n_frames = 1;
	t->n_nodes = 1;
	walk(t, 0);
	t->n_insns = t->nodes[0].n_insns;
	if (mark_heads(t, 0))
		weigh(t, 0);
	while (t->n_nodes < GROW_BLOCKS && t->n_frames < GROW_BLOCKS && hottest(t, &node, &which))
		go(t, node, which);
	cut_calls(t);
}

static bool is_inside(const struct tree *t, u32 frame, u32 of)
{
	while (frame && frame != of)
		frame = t->frames[frame].parent;
	return frame == of;
}

/* How often an inlined call may be left from inside. */
static u64 leaves_at_most(const struct tree *t, u32 frame)
{
	u64 sum = 0;

	for (u32 i = 0; i < t->n_nodes; i++) {
		for (u32 w = 0; w < 2 && is_inside(t, t->nodes[i].frame, frame); w++) {
			const struct way *way = &t->nodes[i].ways[w];

			if (way->kind == WAY_OPEN || way->kind == WAY_EXIT)
				sum += portion(t->nodes[i].most, way->most);
		}
	}
	return sum;
}

/* Does going into this frame's call cost more in exits from inside than it saves? */
static bool is_left_too_often(const struct tree *t, u32 frame)
{
	u64 calls = t->nodes[t->frames[frame].node].freq, returns = 0;
	u64 leaves = leaves_at_most(t, frame);

	for (u32 i = 0; i < t->n_nodes; i++)
		if (t->nodes[i].frame == frame && t->nodes[i].ways[0].returns &&
		    (t->nodes[i].ways[0].kind == WAY_CHILD || t->nodes[i].ways[0].kind == WAY_BACK))
			returns += t->nodes[i].freq;
	if (returns > calls)
		returns = calls;
	if (leaves < calls && returns > calls - leaves)
		returns = calls - leaves;
	else if (leaves >= calls)
		returns = 0;
	return returns * CALL_AND_RETURN + calls * JUMPS_AROUND_CALL <
	       (calls - returns) * (STUB_INSNS + STUB_INSNS_FRAME * t->frames[frame].depth);
}

/* Forbids calls that do not pay, the deepest first; true if there was one. */
static bool forbid_calls(struct tree *t)
{
	u32 n = t->n_forbidden;
	bool inside[GROW_BLOCKS] = {
		false
	}; /* a call in this frame is forbidden: it will be another */

	for (u32 frame = t->n_frames; frame-- > 1;) {
		const struct node *node = &t->nodes[t->frames[frame].node];

		if (!inside[frame] && is_left_too_often(t, frame) && t->n_forbidden < FORBIDDEN) {
			t->forbidden[t->n_forbidden++] = node->ways[0].call;
			inside[frame] = true;
		}
		inside[t->frames[frame].parent] |= inside[frame];
	}
	return t->n_forbidden > n;
}

static void sum_up(const struct tree *t, struct grow_sum *sum)
{
	*sum = (struct grow_sum){ .heads = t->nodes[0].freq };
	for (u32 i = 0; i < t->n_nodes; i++)
		sum->insns += t->nodes[i].freq * t->nodes[i].n_insns;
}

u64 grow_entries(const struct grow_sum *sum, u64 heads)
{
	return heads / 256 * GROW_ONE / (sum->heads / 256 + 1); /* loops come back by themselves */
}

u64 grow_samples(const struct grow_sum *sum, u64 heads)
{
	u64 entries = grow_entries(sum, heads);
	u64 insns = sum->insns / GROW_ONE + 1;

	if (entries > ~(u64)0 / insns)
		return ~(u64)0 / FLOW_ONE;
	return entries * insns / FLOW_ONE;
}

void grow_hot(struct flows *flows, u64 site, bool inline_calls, struct grown *out,
              struct grow_sum *sum)
{
	struct tree t;

	t.flows = flows;
	t.inline_calls = inline_calls;
	t.n_forbidden = 0;
	do
		grow(&t, site);
	while (forbid_calls(&t));
	for (u32 i = 0; i < t.n_nodes; i++)
		out->blocks[i] = (struct trace_block){ t.nodes[i].start,
			                               i ? t.nodes[i].parent : TRACE_NO_PARENT, 0,
			                               t.nodes[i].branch };
	out->trace.blocks = out->blocks;
	out->trace.n_blocks = t.n_nodes;
	out->trace.entries = 0;
	sum_up(&t, sum);
}
