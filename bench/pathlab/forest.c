/* SPDX-License-Identifier: MIT */
/*
 * forest.c - see forest.h. Growth is bounded by what a path from the root may hold; which nodes stay is select.c's.
 */
#include <stdio.h>
#include <string.h>
#include "forest.h"
#include "map.h"
#include "stack_op.h"

#define NODES_MAX 3000 /* of a tree while it grows */

struct walker {
	struct forest *f;
	u32 tree, node; /* where the path is; NO_TREE: in original text */
	u32 candidate;  /* run to which instructions in original text are put down */
	bool by_exit;   /* it has just left a tree and stands where the exit leads */
	u8 arrival;
	u32 behind; /* what kind of transfer (first_kind) the path came by last */
};

void forest_init(struct forest *f, struct runs *runs, const struct rules *rules)
{
	static u32 stamp;

	memset(f, 0, sizeof(*f));
	f->runs = runs;
	f->rules = *rules;
	f->tree_at = map_new();
	f->stamp = stamp += 1000000;
}

void forest_free(struct forest *f)
{
	for (u32 i = 0; i < f->n_trees; i++) {
		free(f->trees[i].nodes);
		free(f->trees[i].frames);
	}
	free(f->trees);
	free(f->own);
	free(f->arrival);
	map_free(f->tree_at);
}

/* ---- shapes ---- */

static bool may_translate(const struct op *op)
{
	return op->known && (op->marks & TEXT_INSN) && !(op->marks & TEXT_NO_TRANSLATE);
}

/* What frames.c ends a path for inside inlined calls. */
static bool may_inline(const struct op *op)
{
	return op->insn.role != ROLE_JMP_INDIRECT &&
	       (op->insn.role != ROLE_PLAIN || stack_op(&op->insn).kind != STACK_OTHER);
}

static bool may_go_into(const struct forest *f, const struct tree *tree, u32 frame,
                        const struct run *run, const struct op *call)
{
	const u16 forbidden = TEXT_NO_INLINE | TEXT_NO_DEFER | TEXT_NO_TRANSLATE;
	const struct text *text = runs_text(f->runs, run->start);
	place callee = place_of(place_module(run->start), call->insn.target);
	u16 marks = text ? text_marks(text, call->insn.target) : 0;

	if (call->insn.role != ROLE_CALL || tree->frames[frame].depth >= f->rules.depth ||
	    !(marks & TEXT_FUNCTION) || !(marks & TEXT_INSN) || ((marks | call->marks) & forbidden))
		return false;
	for (; frame; frame = tree->frames[frame].parent)
		if (tree->frames[frame].callee == callee)
			return false;
	return true;
}

/* The node itself or an ancestor that starts there in this frame. */
static u32 loop_head(const struct tree *tree, u32 node, place at, u32 frame)
{
	while (node != NO_NODE &&
	       (tree->nodes[node].start != at || tree->nodes[node].frame != frame))
		node = tree->nodes[node].parent;
	return node;
}

/*
 * Does a way to an ancestor enter a loop anew that was entered in its middle? Such a loop is closed where the code jumps back, so that
 * what the compiler has put at its end stays there: the part in front is in the tree twice.
 */
static bool turns(const struct forest *f, const struct tree *tree, u32 node, u32 head, place target,
                  u32 frame)
{
	return f->rules.turn && target > tree->nodes[node].start &&
	       loop_head(tree, tree->nodes[head].parent, target, frame) == NO_NODE;
}

static struct way way_to(const struct forest *f, const struct tree *tree, u32 node, place target,
                         u32 frame)
{
	struct way way = { .target = target, .kind = WAY_OPEN, .node = NO_NODE };
	u32 head = loop_head(tree, node, target, frame);
	u64 other;

	if (head != NO_NODE && !turns(f, tree, node, head, target, frame)) {
		way.kind = f->rules.back ? WAY_BACK : WAY_EXIT;
		way.node = head;
	} else if ((f->rules.stop || tree->stops) && !frame &&
	           map_get(f->tree_at, target, &other) && f->trees[other].loop &&
	           !f->trees[other].dead) {
		way.kind = WAY_EXIT;
	}
	return way;
}

/* How far the node goes in its run, and how it ends. */
static void measure(struct forest *f, struct tree *tree, u32 number)
{
	struct node *node = &tree->nodes[number];
	const struct run *run = &f->runs->runs[node->run];
	u32 module = place_module(run->start);
	place inside = 0;

	if (run->n && run_last(run)->insn.target > place_addr(node->start) &&
	    run_last(run)->insn.target <= run_last(run)->insn.addr &&
	    (run->role == ROLE_JCC || run->role == ROLE_JMP || run->role == ROLE_COUNT))
		inside = place_of(module, run_last(run)->insn.target);
	for (node->n = 0; node->n < run->n; node->n++) {
		const struct op *op = run->ops[node->n];
		place at = place_of(module, op->insn.addr);

		if (node->n &&
		    (at == inside || loop_head(tree, number, at, node->frame) != NO_NODE)) {
			node->end = END_FALL;
			node->ways[0] = way_to(f, tree, number, at, node->frame);
			return;
		}
		if (!may_translate(op) || (node->frame && !may_inline(op)) ||
		    (insn_ends_path(&op->insn) && !may_go_into(f, tree, node->frame, run, op))) {
			node->end = END_CUT;
			node->ways[0] =
				(struct way){ .target = at, .kind = WAY_EXIT, .node = NO_NODE };
			return;
		}
	}
	node->end = END_LEAVE;
}

static void find_ways(struct forest *f, struct tree *tree, u32 number)
{
	struct node *node = &tree->nodes[number];
	const struct run *run = &f->runs->runs[node->run];
	u32 module = place_module(run->start);
	const struct frame *frame = &tree->frames[node->frame];
	const struct insn *last;

	measure(f, tree, number);
	if (node->end != END_LEAVE || !run->n)
		return;
	last = &run_last(run)->insn;
	switch (last->role) {
	case ROLE_JCC:
	case ROLE_COUNT:
		node->ways[1] =
			way_to(f, tree, number, place_of(module, last->target), node->frame);
		node->ways[0] = way_to(f, tree, number, place_of(module, last->addr + last->len),
		                       node->frame);
		node->end = END_BRANCH;
		break;
	case ROLE_JMP:
		node->ways[0] =
			way_to(f, tree, number, place_of(module, last->target), node->frame);
		node->end = END_BRANCH;
		break;
	case ROLE_CALL:
		node->ways[0] = (struct way){ .target = place_of(module, last->target),
			                      .kind = WAY_OPEN,
			                      .node = NO_NODE };
		node->end = END_CALL;
		break;
	case ROLE_RET:
		if (!node->frame)
			break;
		node->ways[0] = way_to(f, tree, number, frame->ret, frame->parent);
		node->end = END_RETURN;
		break;
	default:
		break;
	}
}

static u32 new_frame(struct tree *tree, u32 node, place ret, place callee)
{
	u32 parent = tree->nodes[node].frame;

	if (tree->n_frames == tree->frames_room) {
		tree->frames_room = 2 * tree->frames_room + 8;
		tree->frames =
			must(realloc(tree->frames, tree->frames_room * sizeof(*tree->frames)));
	}
	tree->frames[tree->n_frames] = (struct frame){ .ret = ret,
		                                       .callee = callee,
		                                       .parent = parent,
		                                       .node = node,
		                                       .depth = tree->frames[parent].depth + 1 };
	return tree->n_frames++;
}

static u32 new_node(struct forest *f, struct tree *tree, u32 parent, u32 frame, place start)
{
	u32 number = tree->n_nodes;

	if (number == tree->nodes_room) {
		tree->nodes_room = 2 * tree->nodes_room + 8;
		tree->nodes = must(realloc(tree->nodes, tree->nodes_room * sizeof(*tree->nodes)));
	}
	tree->nodes[number] = (struct node){
		.start = start, .parent = parent, .frame = frame, .run = runs_at(f->runs, start)
	};
	tree->n_nodes++;
	find_ways(f, tree, number);
	return number;
}

/* Blocks and instructions from the root to here. */
static bool path_is_full(const struct forest *f, const struct tree *tree, u32 node)
{
	u32 blocks = 1, insns = 0;

	for (; node != NO_NODE; node = tree->nodes[node].parent) {
		blocks++;
		insns += tree->nodes[node].n;
	}
	return blocks > f->rules.blocks || insns >= f->rules.insns;
}

/* A child where the path goes; the way stays open if it cannot be grown. */
static void grow(struct forest *f, struct tree *tree, u32 number, u32 which)
{
	const struct node *node = &tree->nodes[number];
	const struct run *run = &f->runs->runs[node->run];
	place target = node->ways[which].target;
	u32 frame = node->frame, frames = tree->n_frames, child;

	if (tree->n_nodes == NODES_MAX || path_is_full(f, tree, number)) {
		tree->crowded = true;
		return;
	}
	if (node->end == END_CALL) {
		const struct insn *call = &run_last(run)->insn;

		frame = new_frame(tree, number,
		                  place_of(place_module(run->start), call->addr + call->len),
		                  target);
	} else if (node->end == END_RETURN) {
		frame = tree->frames[frame].parent;
	}
	child = new_node(f, tree, number, frame, target);
	if (!tree->nodes[child].n) {
		tree->n_nodes--;
		tree->n_frames = frames;
		tree->nodes[number].ways[which].kind = WAY_EXIT;
		return;
	}
	tree->nodes[number].ways[which].kind = WAY_CHILD;
	tree->nodes[number].ways[which].node = child;
}

struct tree *forest_plant(struct forest *f, place site, bool loop)
{
	struct tree *tree;
	struct frame root = { 0 };

	if (f->n_trees == f->trees_room) {
		f->trees_room = 2 * f->trees_room + 64;
		f->trees = must(realloc(f->trees, f->trees_room * sizeof(*f->trees)));
	}
	tree = &f->trees[f->n_trees];
	*tree = (struct tree){ .site = site, .growing = true, .loop = loop, .hop = 1 };
	tree->frames = must(malloc(sizeof(root)));
	tree->frames[0] = root;
	tree->n_frames = tree->frames_room = 1;
	map_put(f->tree_at, site, f->n_trees++);
	f->stamp++;
	return tree;
}

/* ---- walking ---- */

/* The tree whose site comes first in the run, from op `from` on. */
static u32 entry(struct forest *f, u32 number, u32 from, u32 *at)
{
	struct run *run = &f->runs->runs[number];
	u64 found;

	if (run->stamp != f->stamp) {
		run->stamp = f->stamp;
		run->tree = NO_TREE;
		for (u32 i = 0; i < run->n; i++) {
			place p = place_of(place_module(run->start), run->ops[i]->insn.addr);

			if (map_get(f->tree_at, p, &found) && !f->trees[found].dead) {
				run->tree = (u32)found;
				run->at = i;
				break;
			}
		}
	}
	if (run->tree == NO_TREE || run->at >= from) {
		*at = run->at;
		return run->tree;
	}
	for (u32 i = from; i < run->n; i++) {
		place p = place_of(place_module(run->start), run->ops[i]->insn.addr);

		if (map_get(f->tree_at, p, &found) && !f->trees[found].dead) {
			*at = i;
			return (u32)found;
		}
	}
	return NO_TREE;
}

/* By what kind of transfer the run that follows this one is arrived at. */
static u8 arrival_behind(const struct run *run, place next)
{
	if (!run->n)
		return ARRIVE_INDIRECT;
	switch (run->role) {
	case ROLE_JCC:
	case ROLE_JMP:
	case ROLE_COUNT:
		return place_module(next) == place_module(run->start) &&
		                       place_addr(next) <= run_last(run)->insn.addr
		               ? ARRIVE_LOOP
		               : 0;
	case ROLE_CALL:
	case ROLE_CALL_INDIRECT:
		return ARRIVE_CALL;
	case ROLE_RET:
		return ARRIVE_RETURN;
	case ROLE_JMP_INDIRECT:
		return ARRIVE_INDIRECT;
	default:
		return 0;
	}
}

/* Of several kinds of arrival (none: 0) the one that hops are counted under. */
static u32 first_kind(u8 arrival)
{
	return arrival ? (u32)__builtin_ctz(arrival) + 1 : 0;
}

static void candidate(struct walker *w, u32 run, u8 arrival)
{
	w->candidate = run;
	w->f->arrival[run] |= arrival;
}

static void enter(struct walker *w, u32 tree)
{
	w->f->trees[tree].entries++;
	if (!w->by_exit) {
		w->f->trees[tree].by_hop++;
		w->f->hops_behind[w->behind] += w->f->trees[tree].hop;
	}
	w->by_exit = false;
	w->tree = tree;
	w->node = 0;
	if (!w->f->trees[tree].n_nodes)
		new_node(w->f, &w->f->trees[tree], NO_NODE, 0, w->f->trees[tree].site);
}

struct text_table *forest_table(const struct forest *f, const struct run *run)
{
	const struct text *text = runs_text(f->runs, run->start);

	if (!f->rules.tables || !text || !run->n || run->role != ROLE_JMP_INDIRECT)
		return NULL;
	return text_table_at(text, run_last(run)->insn.addr);
}

static bool begins_tree(const struct forest *f, place at)
{
	u64 found;

	return f->rules.linked && map_get(f->tree_at, at, &found) && !f->trees[found].dead;
}

/* The path goes on at `target`: along this way, or out of the tree. True: still in it. */
static bool follow(struct walker *w, u32 which)
{
	struct tree *tree = &w->f->trees[w->tree];
	struct way *way = &tree->nodes[w->node].ways[which];

	way->count++;
	if (way->kind == WAY_OPEN && tree->growing) {
		grow(w->f, tree, w->node, which);
		way = &tree->nodes[w->node].ways[which];
	}
	if (way->kind == WAY_CHILD || way->kind == WAY_BACK) {
		w->node = way->node;
		return true;
	}
	w->by_exit = begins_tree(w->f, way->target);
	way->linked += w->by_exit;
	w->tree = NO_TREE;
	w->arrival = ARRIVE_EXIT;
	return false;
}

/* What the tree executes of this run from where the path is; returns the op behind it. */
static u32 walk_inside(struct walker *w, u32 number, u32 at, place next)
{
	for (;;) {
		struct tree *tree = &w->f->trees[w->tree];
		struct node *node = &tree->nodes[w->node];

		node->count++;
		tree->insns += node->n;
		w->f->inside += node->n;
		at += node->n;
		switch (node->end) {
		case END_FALL:
			if (!follow(w, 0))
				return at;
			continue;
		case END_CUT:
			follow(w, 0);
			return at;
		case END_LEAVE:
			w->f->leaves++;
			w->tree = NO_TREE;
			w->by_exit = forest_table(w->f, &w->f->runs->runs[number]) &&
			             begins_tree(w->f, next);
			w->arrival = arrival_behind(&w->f->runs->runs[number], next);
			return at;
		default:
			if (node->ways[0].target == next) {
				follow(w, 0);
			} else if (node->end == END_BRANCH && node->ways[1].target == next) {
				follow(w, 1);
			} else {
				node->odd++;
				w->tree = NO_TREE;
			}
			return at;
		}
	}
}

static void walk_run(struct walker *w, u32 number, place next)
{
	struct forest *f = w->f;
	const struct run *run = &f->runs->runs[number];
	u32 at = 0;

	f->insns += run->n;
	w->behind = first_kind(w->arrival);
	if (w->tree == NO_TREE && w->arrival)
		candidate(w, number, w->arrival);
	w->arrival = 0;
	for (;;) {
		if (w->tree == NO_TREE) {
			u32 site = 0, tree = entry(f, number, at, &site);

			if (tree == NO_TREE)
				break;
			f->own[w->candidate] += site - at;
			if (site != at)
				w->by_exit = false;
			at = site;
			enter(w, tree);
		}
		at = walk_inside(w, number, at, next);
		run = &f->runs->runs[number];
		if (at >= run->n)
			return;
		if (w->arrival) {
			u32 cut = runs_at(f->runs, place_of(place_module(run->start),
			                                    run->ops[at]->insn.addr));

			run = &f->runs->runs[number];
			if (cut < f->runs_known)
				candidate(w, cut, w->arrival);
			w->behind = first_kind(w->arrival);
			w->arrival = 0;
		}
	}
	f->own[w->candidate] += run->n - at;
	w->by_exit = false;
	w->arrival = arrival_behind(run, next);
}

static void reset(struct forest *f)
{
	f->insns = f->inside = f->leaves = 0;
	memset(f->hops_behind, 0, sizeof(f->hops_behind));
	for (u32 i = 0; i < f->n_trees; i++) {
		struct tree *tree = &f->trees[i];

		tree->entries = tree->by_hop = tree->insns = 0;
		for (u32 n = 0; n < tree->n_nodes; n++) {
			struct node *node = &tree->nodes[n];

			node->count = node->odd = 0;
			for (u32 way = 0; way < 2; way++)
				node->ways[way].count = node->ways[way].linked = 0;
		}
	}
	f->runs_known = f->runs->n_runs + (1u << 16);
	free(f->own);
	free(f->arrival);
	f->own = must(calloc(f->runs_known, sizeof(*f->own)));
	f->arrival = must(calloc(f->runs_known, sizeof(*f->arrival)));
}

void forest_walk(struct forest *f)
{
	const struct runs *runs = f->runs;

	reset(f);
	for (u32 t = 0; t < PATH_THREADS_MAX; t++) {
		struct walker w = { .f = f, .tree = NO_TREE, .arrival = ARRIVE_CALL };
		const struct path *path = &runs->paths[t];

		for (u64 i = 0; i < path->n; i++) {
			place next = i + 1 < path->n ? runs->runs[path->runs[i + 1]].start : 0;

			walk_run(&w, path->runs[i], next);
		}
	}
}
