/* SPDX-License-Identifier: MIT */
/*
 * trees.c - see trees.h.
 */
#include "trees.h"

#include "grow_hot.h"

struct tree_kept {
	u64 site;
	struct grow_sum sum;
	struct tree_kept *next;
	u32 n_blocks;
	bool inline_calls;
	struct trace_block blocks[];
};

static u32 list_of(u64 site)
{
	return (u32)(site * 0x9e3779b97f4a7c15u >> 40) & (TREES_LISTS - 1);
}

static const struct tree_kept *find(const struct trees *trees, u64 site, bool inline_calls)
{
	const struct tree_kept *tree = trees->lists[list_of(site)];

	while (tree && (tree->site != site || tree->inline_calls != inline_calls))
		tree = tree->next;
	return tree;
}

void trees_keep(struct flows *flows, u64 site, bool inline_calls, const struct grown *grown,
                const struct grow_sum *sum)
{
	struct tree_kept **list = &flows->trees.lists[list_of(site)], *tree;
	u64 bytes = grown->trace.n_blocks * sizeof(grown->blocks[0]);

	if (flows->trees.n == TREES_MOST || find(&flows->trees, site, inline_calls))
		return;
	tree = arena_alloc(flows->arena, 1, sizeof(*tree) + bytes);
	if (!tree)
		return;
	tree->site = site;
	tree->sum = *sum;
	tree->n_blocks = grown->trace.n_blocks;
	tree->inline_calls = inline_calls;
	memcpy(tree->blocks, grown->blocks, bytes);
	tree->next = *list;
	*list = tree;
	flows->trees.n++;
}

bool trees_find(const struct flows *flows, u64 site, bool inline_calls, struct grown *out,
                struct grow_sum *sum)
{
	const struct tree_kept *tree = find(&flows->trees, site, inline_calls);

	if (!tree)
		return false;
	memcpy(out->blocks, tree->blocks, tree->n_blocks * sizeof(out->blocks[0]));
	out->trace.blocks = out->blocks;
	out->trace.n_blocks = tree->n_blocks;
	out->trace.entries = 0;
	*sum = tree->sum;
	return true;
}

void trees_release(struct trees *trees, const struct arena *arena, u64 mark)
{
	for (u32 i = 0; i < TREES_LISTS; i++)
		while (trees->lists[i] && (const u8 *)trees->lists[i] >= arena->base + mark) {
			trees->lists[i] = trees->lists[i]->next;
			trees->n--;
		}
}
