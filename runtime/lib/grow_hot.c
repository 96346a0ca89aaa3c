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
#define APART 16 /* loops that stand by themselves */
#define ROUNDS 16 /* of such a loop, at least, for each time that control comes into it */
#define MOST_BACK (GROW_ONE - GROW_ONE / 64) /* of a loop's executions that come back */
#define CALL_AND_RETURN 2
#define JUMPS_AROUND_CALL \
	3 /* out to a call that stays, into its function's tree, into the tree behind it */
/* What it costs to leave inside inlined calls (engine/stub.c). */
#define STUB_INSNS 6
#define STUB_INSNS_FRAME (4 + COST_RETURN_MISSED) /* for each of them */
#define MOST ((u64)1 << 40)
#define NO_NODE 0xffu
#define LISTS 64u
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

/* A way that may be gone. */
struct open {
	u64 n; /* times that it counts as taken, for each entry, in GROW_ONE-ths */
	u8 node, which;
};

/* A way that was gone: a node was added, or what is there did not fit. */
struct step {
	u64 call; /* that ended what is there; 0: none */
	u8 node, which;
	u8 n_frames; /* before */
	bool added;
};

struct tree {
	struct flows *flows;
	bool inline_calls;
	struct node nodes[GROW_BLOCKS];
	struct frame frames[GROW_BLOCKS];
	u64 back[GROW_BLOCKS]; /* of a node's executions, how many come back to it */
	u64 forbidden[FORBIDDEN]; /* calls */
	u64 apart[APART]; /* where loops begin */
	struct open open[2 * GROW_BLOCKS]; /* by node and way */
	struct step steps[2 * GROW_BLOCKS];
	u64 above[GROW_BLOCKS]; /* of a node: bits of itself and of its ancestors */
	u8 lists[LISTS], same[GROW_BLOCKS]; /* nodes by where they begin, the last ones first */
	u32 n_nodes, n_frames, n_forbidden, n_apart, n_insns, n_open, n_steps;
};

/* ---- ways ---- */

static u8 *list_of(struct tree *t, u64 start)
{
	return &t->lists[(u32)(start * 0x9e3779b97f4a7c15u >> 40) % LISTS];
}

/* A node that has a start and a parent can be found. */
static void list_node(struct tree *t, u32 node)
{
	u8 *list = list_of(t, t->nodes[node].start);

	t->above[node] = (node ? t->above[t->nodes[node].parent] : 0) | (u64)1 << node;
	t->same[node] = *list;
	*list = (u8)node;
}

/* The node that was listed last. */
static void unlist_node(struct tree *t, u32 node)
{
	*list_of(t, t->nodes[node].start) = t->same[node];
}

/* The nearest of the node and its ancestors that starts at addr in this frame; NO_NODE. */
static u32 loop_head(struct tree *t, u32 node, u64 addr, u32 frame)
{
	u32 i = *list_of(t, addr);

	while (i != NO_NODE && (t->nodes[i].start != addr || t->nodes[i].frame != frame ||
	                        !(t->above[node] >> i & 1)))
		i = t->same[i];
	return i;
}

/*
 * Does a way to an ancestor enter a loop anew that was entered in its middle? Such a loop is closed where the code jumps back, so that
 * what the compiler has put at its end stays there: the part in front is in the tree twice, but no more often.
 */
static bool turns(struct tree *t, u32 node, u32 head, u64 target, u32 frame)
{
	return target > t->nodes[node].start &&
	       (!head || loop_head(t, t->nodes[head].parent, target, frame) == NO_NODE);
}

/* Is an address among n, from number `from` on? 0 is none. */
static bool is_among(const u64 *addrs, u32 from, u32 n, u64 addr)
{
	for (u32 i = from; i < n; i++)
		if (addrs[i] == addr)
			return true;
	return false;
}

static bool is_apart(const struct tree *t, u64 addr)
{
	return is_among(t->apart, 0, t->n_apart, addr);
}

static struct way way_to(struct tree *t, u32 node, u64 target, u32 frame, u32 share)
{
	struct way way = { .target = target, .share = share, .most = share, .frame = (u8)frame };
	u32 head = loop_head(t, node, target, frame);
	u16 marks = text_marks(t->flows->text, target);

	way.kind = WAY_OPEN;
	if (head != NO_NODE && !turns(t, node, head, target, frame)) {
		way.kind = WAY_BACK;
		way.node = (u8)head;
	} else if (!(marks & TEXT_INSN) || (marks & TEXT_NO_TRANSLATE) || is_apart(t, target)) {
		way.kind = WAY_EXIT;
	}
	return way;
}

/* Is a call among those that are forbidden, from `from` on? */
static bool is_forbidden(const struct tree *t, u64 call, u32 from)
{
	return is_among(t->forbidden, from, t->n_forbidden, call);
}

static bool may_go_in(const struct tree *t, u64 call, u64 callee, u32 frame)
{
	const u16 forbidden = TEXT_NO_INLINE | TEXT_NO_DEFER | TEXT_NO_TRANSLATE;
	u16 marks = text_marks(t->flows->text, callee);

	if (!t->inline_calls || !(marks & TEXT_FUNCTION) || !(marks & TEXT_INSN) ||
	    ((marks | text_marks(t->flows->text, call)) & forbidden) ||
	    t->frames[frame].depth == DEPTH)
		return false;
	if (is_forbidden(t, call, 0))
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
	const struct flow_block *block = NULL;
	u64 addr = n->start;

	while (n->n_insns < GROW_INSNS) {
		block = flow_block_of(t->flows, addr, block);
		if (addr != n->start && loop_head(t, node, addr, n->frame) != NO_NODE) {
			n->ways[0] = way_to(t, node, addr, n->frame, GROW_ONE);
			return; /* falls back into a loop */
		}
		if (!block || (text_marks(t->flows->text, addr) & here) != TEXT_INSN ||
		    (addr != n->start && is_apart(t, addr))) {
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

/* By how often its node is executed. */
static void score(const struct tree *t, struct open *open)
{
	const struct node *node = &t->nodes[open->node];
	const struct way *way = &node->ways[open->which];
	u64 late = portion(node->most, way->most) / LATE;

	open->n = portion(node->freq, way->share);
	open->n = open->n > late ? open->n : late;
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

/* From the root, once all other loops are known. */
static void weigh_root(struct tree *t)
{
	t->back[0] = 0;
	t->back[0] = flow_from(t, 0, GROW_ONE);
	if (t->back[0])
		flow_from(t, 0, GROW_ONE);
	spread_most(t);
	for (u32 i = 0; i < t->n_open; i++)
		score(t, &t->open[i]);
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
	weigh_root(t);
}

/* The same, of all loops. */
static void weigh_all(struct tree *t)
{
	memset(t->back, 0, sizeof(t->back));
	for (u32 i = t->n_nodes; i-- > 1;)
		if (t->nodes[i].is_head)
			t->back[i] = flow_from(t, i, GROW_ONE);
	weigh_root(t);
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

/* The open way that is taken most, the first of those that are taken as often; NULL: none is worth it. */
static struct open *hottest(struct tree *t)
{
	struct open *best = NULL;
	u64 n = LEAST - 1;

	for (u32 i = 0; i < t->n_open; i++) {
		if (t->open[i].n <= n)
			continue;
		best = &t->open[i];
		n = best->n;
	}
	return best;
}

/* The open ways of a node, which is the last one. */
static void list_open(struct tree *t, u32 node)
{
	for (u32 w = 0; w < 2; w++) {
		const struct way *way = &t->nodes[node].ways[w];

		if (way->kind != WAY_OPEN || way->most < RARE)
			continue;
		t->open[t->n_open] = (struct open){ .node = (u8)node, .which = (u8)w };
		score(t, &t->open[t->n_open++]);
	}
}

static void unlist(struct tree *t, const struct open *open)
{
	u32 at = (u32)(open - t->open);

	for (t->n_open--; at < t->n_open; at++)
		t->open[at] = t->open[at + 1];
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
	struct step *step = &t->steps[t->n_steps++];

	*step = (struct step){ .node = (u8)node, .which = (u8)which, .n_frames = (u8)t->n_frames };
	*child = (struct node){ .start = way->target, .parent = (u8)node, .frame = way->frame };
	if (way->call)
		child->frame = open_frame(t, node, way);
	list_node(t, t->n_nodes);
	walk(t, t->n_nodes);
	step->call = child->ways[0].call;
	if (!child->n_insns || t->n_insns + child->n_insns > GROW_INSNS) {
		unlist_node(t, t->n_nodes);
		way->kind = WAY_EXIT;
		t->n_frames = step->n_frames;
		if (way->call)
			t->nodes[node].n_insns--, t->n_insns--; /* it ends in front of the call */
		return;
	}
	step->added = true;
	way->kind = WAY_CHILD;
	way->node = (u8)t->n_nodes++;
	t->back[way->node] = 0;
	t->n_insns += child->n_insns;
	child->freq = portion(t->nodes[node].freq, way->share);
	child->most = portion(t->nodes[node].most, way->most);
	if (mark_heads(t, way->node))
		weigh(t, way->node);
	list_open(t, way->node);
}

/* As before the last step. */
static void step_back(struct tree *t)
{
	const struct step *step = &t->steps[--t->n_steps];
	struct way *way = &t->nodes[step->node].ways[step->which];

	if (step->added) {
		unlist_node(t, --t->n_nodes);
		t->n_insns -= t->nodes[t->n_nodes].n_insns;
	} else if (way->call) {
		t->nodes[step->node].n_insns++, t->n_insns++;
	}
	t->n_frames = step->n_frames;
	way->kind = WAY_OPEN;
}

/* What follows from the nodes that are there. */
static void recount(struct tree *t)
{
	t->n_open = 0;
	for (u32 i = 0; i < t->n_nodes; i++)
		t->nodes[i].is_head = false;
	for (u32 i = 0; i < t->n_nodes; i++) {
		mark_heads(t, i);
		list_open(t, i);
	}
	weigh_all(t);
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

/* A tree of one node. */
static void plant(struct tree *t, u64 site)
{
	t->nodes[0] = (struct node){ .start = site, .freq = GROW_ONE, .most = GROW_ONE };
	t->frames[0] = (struct frame){ 0 };
	t->n_frames = 1;
	t->n_nodes = 1;
	t->n_steps = 0;
	memset(t->lists, NO_NODE, sizeof(t->lists));
	list_node(t, 0);
	walk(t, 0);
	t->n_insns = t->nodes[0].n_insns;
	recount(t);
}

static void grow(struct tree *t)
{
	while (t->n_nodes < GROW_BLOCKS && t->n_frames < GROW_BLOCKS) {
		struct open *open = hottest(t);
		u32 node, which;

		if (!open)
			return;
		node = open->node;
		which = open->which;
		unlist(t, open);
		go(t, node, which);
	}
}

/* Of the frames: how often they return to where they were called, and how often they may be left from inside. */
struct left {
	u64 returns[GROW_BLOCKS], leaves[GROW_BLOCKS];
};

static void sum_left(const struct tree *t, struct left *left)
{
	memset(left, 0, sizeof(*left));
	for (u32 i = 0; i < t->n_nodes; i++) {
		const struct node *n = &t->nodes[i];

		if (n->ways[0].returns &&
		    (n->ways[0].kind == WAY_CHILD || n->ways[0].kind == WAY_BACK))
			left->returns[n->frame] += n->freq;
		for (u32 w = 0; w < 2; w++)
			if (n->ways[w].kind == WAY_OPEN || n->ways[w].kind == WAY_EXIT)
				left->leaves[n->frame] += portion(n->most, n->ways[w].most);
	}
	for (u32 frame = t->n_frames; frame-- > 1;)
		left->leaves[t->frames[frame].parent] += left->leaves[frame];
}

/* Does going into this frame's call cost more in exits from inside than it saves? */
static bool is_left_too_often(const struct tree *t, const struct left *left, u32 frame)
{
	u64 calls = t->nodes[t->frames[frame].node].freq, returns = left->returns[frame];
	u64 leaves = left->leaves[frame];

	if (returns > calls)
		returns = calls;
	if (leaves < calls && returns > calls - leaves)
		returns = calls - leaves;
	else if (leaves >= calls)
		returns = 0;
	return returns * CALL_AND_RETURN + calls * JUMPS_AROUND_CALL <
	       (calls - returns) * (STUB_INSNS + STUB_INSNS_FRAME * t->frames[frame].depth);
}

/* Forbids calls that do not pay, the deepest first. */
static void forbid_calls(struct tree *t)
{
	bool inside[GROW_BLOCKS] = {
		false
	}; /* a call in this frame is forbidden: it will be another */
	struct left left;

	if (t->n_frames == 1)
		return;
	sum_left(t, &left);
	for (u32 frame = t->n_frames; frame-- > 1;) {
		const struct node *node = &t->nodes[t->frames[frame].node];

		if (!inside[frame] && is_left_too_often(t, &left, frame) &&
		    t->n_forbidden < FORBIDDEN) {
			t->forbidden[t->n_forbidden++] = node->ways[0].call;
			inside[frame] = true;
		}
		inside[t->frames[frame].parent] |= inside[frame];
	}
}

/* Can a tree begin here, by one jump? */
static bool may_begin(const struct tree *t, u64 addr)
{
	u64 site;
	u32 len;

	return (text_marks(t->flows->text, addr) & TEXT_LOOP) && t->flows->decoder &&
	       text_site(t->flows->text, addr, t->flows->decoder, &site, &len, NULL) == STATUS_OK &&
	       len >= JMP_REL32_LEN;
}

/*
 * Loops that go round often stand in their own trees only, where those can begin: one more copy is code that saves nothing more. In inlined calls, which it is dear
 * to leave, they stay.
 */
static void set_apart(struct tree *t)
{
	for (u32 i = 1; i < t->n_nodes && t->n_apart < APART; i++) {
		const struct node *n = &t->nodes[i];

		if (n->is_head && !n->frame && t->back[i] >= GROW_ONE - GROW_ONE / ROUNDS &&
		    n->start != t->nodes[0].start && !is_apart(t, n->start) &&
		    may_begin(t, n->start))
			t->apart[t->n_apart++] = n->start;
	}
}

/*
 * Calls from `from` on are forbidden now: the tree as it was before one of them was met. All that follows from a tree follows from its
 * nodes, in whatever way it has come to them, so it grows on as if they had always been forbidden.
 */
static void go_back(struct tree *t, u32 from)
{
	u32 first = t->n_steps;

	for (u32 i = t->n_steps; i-- > 0;)
		if (is_forbidden(t, t->steps[i].call, from))
			first = i;
	while (t->n_steps > first)
		step_back(t);
	recount(t);
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

/* Until all calls pay that are gone into, and loops that go round often are left to their own trees. */
static void grow_on(struct tree *t)
{
	for (u32 calls = 0, loops = 0;;) {
		forbid_calls(t);
		set_apart(t);
		if (t->n_forbidden == calls && t->n_apart == loops)
			return;
		if (t->n_apart > loops || is_forbidden(t, t->nodes[0].ways[0].call, calls))
			plant(t, t->nodes[0].start);
		else
			go_back(t, calls);
		calls = t->n_forbidden;
		loops = t->n_apart;
		grow(t);
	}
}

bool grow_warm(struct flows *flows, u64 site, bool inline_calls, u64 heads, u64 least,
               struct grown *out, struct grow_sum *sum)
{
	struct grow_sum all;
	struct tree t;

	t.flows = flows;
	t.inline_calls = inline_calls;
	t.n_forbidden = t.n_apart = 0;
	plant(&t, site);
	grow(&t);
	sum_up(&t, &all);
	if (grow_samples(&all, heads) < least)
		return false;
	grow_on(&t);
	cut_calls(&t);
	for (u32 i = 0; i < t.n_nodes; i++)
		out->blocks[i] = (struct trace_block){ t.nodes[i].start,
			                               i ? t.nodes[i].parent : TRACE_NO_PARENT, 0,
			                               t.nodes[i].branch };
	out->trace.blocks = out->blocks;
	out->trace.n_blocks = t.n_nodes;
	out->trace.entries = 0;
	sum_up(&t, sum);
	return true;
}

void grow_hot(struct flows *flows, u64 site, bool inline_calls, struct grown *out,
              struct grow_sum *sum)
{
	(void)grow_warm(flows, site, inline_calls, 0, 0, out, sum);
}
