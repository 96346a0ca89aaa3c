/* SPDX-License-Identifier: MIT */
/*
 * select.c - see select.h.
 */
#include <stdio.h>
#include <string.h>
#include "cost.h"
#include "hops.h"
#include "ledger.h"
#include "map.h"
#include "select.h"

#define CALL_AND_RETURN 2
#define DROP_ROUNDS 4
#define JUMPS_AROUND_CALL \
	3 /* out to a call that stays, into its function's tree, into the tree behind it */

/* ---- nodes ---- */

static bool is_worth(const struct forest *f, const struct tree *tree, u32 parent, u32 child)
{
	return !tree->nodes[child].chosen &&
	       (double)tree->nodes[child].count >=
	               f->rules.side * (double)tree->nodes[parent].count;
}

/*
 * The hottest child of a chosen node that is not chosen yet and leaves no more than the rules' instructions; NO_NODE. tree->full
 * if one was too large.
 */
static u32 hottest(const struct forest *f, struct tree *tree, const bool *forbidden, u32 insns)
{
	u32 best = NO_NODE;

	for (u32 i = 0; i < tree->n_nodes; i++) {
		const struct node *node = &tree->nodes[i];

		if (!node->chosen)
			continue;
		for (u32 w = 0; w < 2; w++) {
			u32 child = node->ways[w].node;

			if (node->ways[w].kind != WAY_CHILD || forbidden[child] ||
			    !is_worth(f, tree, i, child))
				continue;
			if (insns + tree->nodes[child].n > f->rules.insns) {
				tree->full = true;
				continue;
			}
			if (best == NO_NODE || tree->nodes[child].count > tree->nodes[best].count)
				best = child;
		}
	}
	return best;
}

static void choose(const struct forest *f, struct tree *tree, const bool *forbidden)
{
	u32 insns = tree->nodes[0].n, blocks = 1, next;

	for (u32 i = 0; i < tree->n_nodes; i++)
		tree->nodes[i].chosen = i == 0;
	while (blocks < f->rules.blocks && (next = hottest(f, tree, forbidden, insns)) != NO_NODE) {
		tree->nodes[next].chosen = true;
		insns += tree->nodes[next].n;
		blocks++;
	}
}

/* Does going into this frame's call cost more in exits from inside than it saves? */
static bool is_left_too_often(const struct tree *tree, u32 frame)
{
	const struct node *call = &tree->nodes[tree->frames[frame].node];
	double calls = (double)call->count, returns = 0;

	for (u32 i = 0; i < tree->n_nodes; i++) {
		const struct node *node = &tree->nodes[i];

		if (node->chosen && node->frame == frame && node->end == END_RETURN)
			returns += (double)node->ways[0].count;
	}
	return returns * CALL_AND_RETURN + calls * JUMPS_AROUND_CALL <
	       (calls - returns) * (stub_insns_inside(tree->frames[frame].depth) +
	                            tree->frames[frame].depth * COST_RETURN_MISSED);
}

/* Forbids calls that do not pay, deepest first; true if there was one. */
static bool forbid_calls(const struct tree *tree, bool *forbidden)
{
	for (u32 frame = tree->n_frames; frame-- > 1;) {
		const struct node *call = &tree->nodes[tree->frames[frame].node];
		u32 callee = call->ways[0].node;

		if (call->ways[0].kind == WAY_CHILD && tree->nodes[callee].chosen &&
		    is_left_too_often(tree, frame)) {
			forbidden[callee] = true;
			return true;
		}
	}
	return false;
}

/* Calls that are not gone into end their node in front of them. */
static void cut_calls(const struct forest *f, struct tree *tree)
{
	for (u32 i = tree->n_nodes; i-- > 0;) {
		struct node *node = &tree->nodes[i];
		const struct run *run = &f->runs->runs[node->run];
		struct way *way = &node->ways[0];

		if (!node->chosen || node->end != END_CALL ||
		    (way->kind == WAY_CHILD && tree->nodes[way->node].chosen))
			continue;
		node->n--;
		node->end = END_CUT;
		way->kind = WAY_EXIT;
		way->target = place_of(place_module(run->start), run_last(run)->insn.addr);
		node->chosen = node->n != 0;
	}
}

/* Only chosen nodes and the frames they are in, renumbered in order. */
static void compact(struct tree *tree)
{
	u32 *number = must(malloc(tree->n_nodes * sizeof(*number))), n = 0;

	for (u32 i = 0; i < tree->n_nodes; i++)
		number[i] = tree->nodes[i].chosen ? n++ : NO_NODE;
	for (u32 i = 0; i < tree->n_nodes; i++) {
		struct node node = tree->nodes[i];

		if (number[i] == NO_NODE)
			continue;
		if (i)
			node.parent = number[node.parent];
		node.weight = node.count;
		for (u32 w = 0; w < 2; w++) {
			struct way *way = &node.ways[w];

			if (way->kind == WAY_NONE)
				continue;
			if (way->kind == WAY_CHILD || way->kind == WAY_BACK)
				way->node = number[way->node];
			else
				way->kind = WAY_EXIT;
			if (way->kind != WAY_EXIT && way->node == NO_NODE)
				way->kind = WAY_EXIT;
		}
		tree->nodes[number[i]] = node;
	}
	for (u32 i = 1; i < tree->n_frames; i++)
		if (tree->frames[i].node != NO_NODE)
			tree->frames[i].node = number[tree->frames[i].node];
	tree->n_nodes = tree->nodes_room = n;
	tree->nodes = must(realloc(tree->nodes, (n + 1) * sizeof(*tree->nodes)));
	free(number);
}

bool select_nodes(struct forest *f, struct tree *tree)
{
	bool *forbidden;

	if (!tree->n_nodes)
		return false;
	forbidden = must(calloc(tree->n_nodes, sizeof(*forbidden)));
	do
		choose(f, tree, forbidden);
	while (f->rules.leave && forbid_calls(tree, forbidden));
	cut_calls(f, tree);
	free(forbidden);
	if (!tree->nodes[0].chosen)
		return false;
	tree->weight = tree->entries;
	tree->growing = false;
	compact(tree);
	return true;
}

/* ---- heads ---- */

struct candidate {
	u32 run;
	u64 own;
};

static int hotter(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;

	return a->own == b->own ? (a->run > b->run) - (a->run < b->run)
	                        : (a->own < b->own) - (a->own > b->own);
}

/* The first instruction from `site` to the end of its run that a 5-byte jump fits into; else `site`. */
static u64 direct_site(const struct forest *f, const struct text *text, place head, u64 site)
{
	const struct run *run = &f->runs->runs[runs_at(f->runs, head)];
	u64 same;
	u32 len;

	for (u32 i = 0; i < run->n; i++) {
		u64 addr = run->ops[i]->insn.addr;

		if (addr < site || run->ops[i]->insn.len < JMP_REL32_LEN)
			continue;
		if (text_site(text, addr, f->runs->decoder, &same, &len, NULL) == STATUS_OK &&
		    same == addr)
			return addr;
	}
	return site;
}

/* Does a jump table lead here by which translations may jump? */
static bool is_case(const struct text *text, u64 addr)
{
	for (u32 i = 0; i < text->n_tables; i++) {
		const struct text_table *table = &text->tables[i];

		for (u64 k = 0; table->targets && k < table->count; k++)
			if (text->start + table->targets[k] == addr)
				return true;
	}
	return false;
}

/* Where a head is entered; 0 if it cannot be. */
static place site_of(const struct forest *f, place head)
{
	const struct text *text = runs_text(f->runs, head);
	u64 site;
	u32 len;

	if (!text || text_site(text, place_addr(head), f->runs->decoder, &site, &len, NULL))
		return 0;
	if (f->rules.direct && len < JMP_REL32_LEN &&
	    !(f->rules.tables && site == place_addr(head) && is_case(text, site)))
		site = direct_site(f, text, head, site);
	if (!(text_marks(text, site) & TEXT_REACHED) ||
	    (text_marks(text, site) & (TEXT_NO_TRANSLATE | TEXT_NO_PATCH)))
		return 0;
	return place_of(place_module(head), site);
}

/* Plants trees where most is executed in original text; how many. */
static u32 plant(struct forest *f, bool loops_only)
{
	struct candidate *found = must(malloc(f->runs_known * sizeof(*found)));
	u32 n = 0, planted = 0;
	u64 known;

	for (u32 i = 0; i < f->runs_known && i < f->runs->n_runs; i++)
		if ((f->arrival[i] & ARRIVE_LOOP || (f->arrival[i] && !loops_only)) &&
		    (double)f->own[i] >= f->rules.least * (double)f->insns)
			found[n++] = (struct candidate){ i, f->own[i] };
	qsort(found, n, sizeof(*found), hotter);
	for (u32 i = 0; i < n && f->n_trees < f->rules.trees; i++) {
		place site = site_of(f, f->runs->runs[found[i].run].start);

		if (!site || map_get(f->tree_at, site, &known))
			continue;
		forest_plant(f, site, f->arrival[found[i].run] & ARRIVE_LOOP);
		planted++;
	}
	free(found);
	return planted;
}

/* ---- hops ---- */

struct hop_of {
	struct hop hop;
	u32 tree;
};

static int by_site(const void *left, const void *right)
{
	const struct hop_of *a = left, *b = right;

	return (a->hop.site > b->hop.site) - (a->hop.site < b->hop.site);
}

/* Slots for the module's sites; trees that cannot be reached go. */
static void plan_hops(struct forest *f, u32 module)
{
	const struct text *text = &f->runs->modules[module].text;
	struct hop_of *all = must(malloc((f->n_trees + 1) * sizeof(*all)));
	struct hop *hops = must(malloc((f->n_trees + 1) * sizeof(*hops)));
	u64 *slots = must(malloc((text->n_slots + 1) * sizeof(*slots)));
	struct hop_places places = { .slots = slots,
		                     .taken = must(calloc(text->n_slots + 1, 1)),
		                     .n_slots = text->n_slots };
	u32 n = 0;

	for (u32 i = 0; i < text->n_slots; i++)
		slots[i] = text->slots[i].addr;
	for (u32 i = 0; i < f->n_trees; i++) {
		const struct tree *tree = &f->trees[i];

		if (tree->dead || place_module(tree->site) != module)
			continue;
		all[n++] = (struct hop_of){
			{ .site = place_addr(tree->site),
			  .len = f->runs->runs[runs_at(f->runs, tree->site)].ops[0]->insn.len,
			  .target = text->end },
			i
		};
	}
	qsort(all, n, sizeof(*all), by_site);
	for (u32 i = 0; i < n; i++)
		hops[i] = all[i].hop;
	hops_plan(hops, n, &places);
	for (u32 i = 0; i < n; i++) {
		f->trees[all[i].tree].dead = hops[i].kind == HOP_NONE;
		f->trees[all[i].tree].hop = hops[i].kind == HOP_DIRECT ? 1 : 2;
	}
	free(places.taken);
	free(slots);
	free(hops);
	free(all);
}

static void plan_all_hops(struct forest *f)
{
	for (u32 module = 0; module < f->runs->n_modules; module++)
		if (f->runs->modules[module].text.marks)
			plan_hops(f, module);
	f->stamp++;
}

static bool is_poor(const struct forest *f, const struct tree *tree)
{
	struct ledger sum = { 0 };

	ledger_add(f, tree, &sum);
	return (double)tree->insns < f->rules.least * (double)f->insns ||
	       (double)ledger_saved(&sum) + f->rules.worth * (double)tree->insns <
	               (double)ledger_added(&sum);
}

/* Trees that are not worth having; true if there were some. What led to them now leads out. */
static bool drop_poor(struct forest *f)
{
	bool dropped = false;

	for (u32 i = 0; i < f->n_trees; i++) {
		if (f->trees[i].dead || !is_poor(f, &f->trees[i]))
			continue;
		f->trees[i].dead = dropped = true;
	}
	f->stamp++;
	return dropped;
}

/* ---- rounds ---- */

/* What is growing of the trees planted since `from` grows and is cut to the rules. */
static void grow_trees(struct forest *f, u32 from)
{
	forest_walk(f);
	for (u32 i = from; i < f->n_trees; i++) {
		struct tree *tree = &f->trees[i];

		if (!tree->growing || (!tree->n_nodes && f->rules.full))
			continue; /* hidden in another tree, which may end in front of it next time */
		if (!select_nodes(f, tree))
			tree->dead = true;
	}
	plan_all_hops(f);
	forest_walk(f);
}

/* Trees that have not been met until now are none; others were met in the last walk only. */
static void settle(struct forest *f)
{
	for (u32 i = 0; i < f->n_trees; i++)
		if (f->trees[i].growing && !select_nodes(f, &f->trees[i]))
			f->trees[i].dead = true;
	plan_all_hops(f);
	forest_walk(f);
}

/* Trees planted since `from` that are full once more: others' loops are theirs no longer. */
static void grow_again(struct forest *f, u32 from)
{
	for (u32 i = from; i < f->n_trees; i++) {
		struct tree *tree = &f->trees[i];

		if (tree->dead || !(tree->full || tree->crowded))
			continue;
		tree->n_nodes = 0;
		tree->n_frames = 1;
		tree->growing = tree->stops = true;
	}
	grow_trees(f, from);
}

void select_trees(struct forest *f)
{
	forest_walk(f);
	for (u32 round = 0; round < f->rules.rounds; round++) {
		u32 from = f->n_trees;

		if (!plant(f, round == 0) && round)
			break;
		grow_trees(f, from);
		if (f->rules.full)
			grow_again(f, from);
	}
	if (f->rules.full)
		settle(f);
	for (u32 round = 0; round < DROP_ROUNDS && drop_poor(f); round++)
		forest_walk(f);
}
