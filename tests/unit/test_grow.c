/* SPDX-License-Identifier: MIT */
/*
 * Trees of random functions by random samples: which ways they go, calls that turn out not to pay, and trees that are kept.
 */
#include <stdio.h>
#include <string.h>
#include "grow_hot.h"
#include "text_image.h"
#include "unit.h"

#define GRAPHS 300u
#define FUNCTIONS 6u
#define BLOCKS 20u /* of a function, at most: short branches reach all of them */
#define CALLS (FUNCTIONS * BLOCKS)
#define SHARE (GROW_ONE / 8)

static struct text_image img;
static struct text text;
static struct arena arena;
static struct flows flows;
static _Alignas(16) u8 memory[4 << 20];
static u32 seed, dice;
static u64 functions[FUNCTIONS], calls[CALLS], callees[CALLS];
static u32 n_calls;

static u32 below(u32 n)
{
	dice = dice * 1664525u + 1013904223u;
	return (dice >> 8) % n;
}

/* Few places are hot, and most have a sample or none. */
static u32 random_heat(const void *ctx, u64 addr, u64 *next)
{
	u32 hash = (u32)((addr + *(const u32 *)ctx * 0x51ed27u) * 0x9e3779b97f4a7c15u >> 40);

	*next = addr + 1;
	return hash % 3 ? hash / 3 % 4 : hash / 3 % 400;
}

static void begin(void)
{
	CU_ASSERT_EQUAL_FATAL(text_image_build(&img, &text), STATUS_OK);
	arena_init(&arena, memory, sizeof(memory));
	flows = (struct flows){ .text = &text, .heat = random_heat, .ctx = &seed, .arena = &arena };
	flows.decoder = arena_alloc(&arena, 1, decode_scratch_size());
}

/* ---- random functions ---- */

enum end { PLAIN, BRANCH, CALL, LEAVE, RETURN };
static const u32 end_len[] = { 0, 2, 5, 2, 1 };

static void byte(char *hex, u32 value)
{
	snprintf(hex + strlen(hex), 3, "%02x", value & 0xff);
}

enum kind { FORWARD, LOOPS, CALLS_TOO }; /* branches forward, branches, all */

/* Direct calls lead to functions made before. */
static void add_function(u32 number, enum kind kind)
{
	static const u8 any[] = { PLAIN, BRANCH, BRANCH, CALL, CALL, PLAIN, BRANCH, LEAVE };
	u32 n = kind < CALLS_TOO ? BLOCKS : 2 + below(10), at[BLOCKS + 1] = { 0 }, plain[BLOCKS],
	    ends[BLOCKS];
	u64 start = TEXT_IMAGE_TEXT + img.text_size;
	char hex[512] = "";

	for (u32 i = 0; i < n; i++) {
		plain[i] = 1 + below(2);
		ends[i] = i + 1 == n ? RETURN : kind < CALLS_TOO ? BRANCH : any[below(sizeof(any))];
		if (ends[i] == CALL && !number)
			ends[i] = PLAIN;
		at[i + 1] = at[i] + 2 * plain[i] + end_len[ends[i]];
	}
	for (u32 i = 0; i < n; i++) {
		u32 to = kind == FORWARD ? i + 1 + below(n - i - 1 + (i + 1 == n)) : below(n);

		while (plain[i]-- > 0)
			strcat(hex, "ffc0");
		if (ends[i] == BRANCH) {
			byte(hex, 0x74);
			byte(hex, at[to] - at[i + 1]);
		} else if (ends[i] == CALL) {
			calls[n_calls] = start + at[i + 1] - 5;
			callees[n_calls] = functions[below(number)];
			byte(hex, 0xe8);
			for (u32 k = 0; k < 4; k++)
				byte(hex, (u32)((callees[n_calls] - start - at[i + 1]) >> 8 * k));
			n_calls++;
		} else if (ends[i] == LEAVE) {
			strcat(hex, "ffe0");
		} else if (ends[i] == RETURN) {
			strcat(hex, "c3");
		}
	}
	functions[number] = text_image_function(&img, hex, 0);
	CU_ASSERT_EQUAL_FATAL(functions[number], start);
}

static void make(u32 graph, u32 n, enum kind kind)
{
	seed = dice = graph + 1;
	n_calls = 0;
	text_image_init(&img);
	for (u32 i = 0; i < n; i++)
		add_function(i, kind);
	begin();
}

/* ---- what a tree has ---- */

/* The block that ends the path from addr on. */
static const struct flow_block *end_of(u64 addr)
{
	const struct flow_block *block = flow_block_of(&flows, addr, NULL);

	while (block && block->role == ROLE_PLAIN)
		block = flow_block_of(&flows, block->end, block);
	return block;
}

static bool same(const struct grown *a, const struct grown *b)
{
	bool yes = a->trace.n_blocks == b->trace.n_blocks;

	for (u32 i = 0; yes && i < a->trace.n_blocks; i++)
		yes = a->blocks[i].start == b->blocks[i].start &&
		      a->blocks[i].parent == b->blocks[i].parent &&
		      a->blocks[i].branch == b->blocks[i].branch;
	return yes;
}

static bool is_gone_into(const struct grown *grown, u32 call)
{
	for (u32 i = 1; i < grown->trace.n_blocks; i++) {
		const struct flow_block *end = end_of(grown->blocks[grown->blocks[i].parent].start);

		if (grown->blocks[i].start == callees[call] && end && end->last == calls[call])
			return true;
	}
	return false;
}

/* ---- ways ---- */

/* How often a way is taken for each entry of the tree. */
static u64 times(const struct grown *grown, const u64 *freq, u32 block, bool taken)
{
	const struct flow_block *end = end_of(grown->blocks[block].start);
	u32 share = grown->blocks[block].branch
	                    ? (grown->blocks[block].branch - 1) * SHARE / (FLOW_SHARE / 8)
	                    : GROW_ONE / 2;

	if (!taken)
		share = end->end == end->target ? GROW_ONE : GROW_ONE - share;
	if (share < GROW_ONE / 50 || (taken && end->end == end->target))
		return 0;
	return freq[block] * share / GROW_ONE;
}

static bool has_child(const struct grown *grown, u32 block, u64 start)
{
	for (u32 i = block + 1; i < grown->trace.n_blocks; i++)
		if (grown->blocks[i].parent == block && grown->blocks[i].start == start)
			return true;
	return false;
}

/* Ways are gone by how often they are taken, and none is left that is taken more often than the last one, or that there is room for. */
static void check_ways(const struct grown *grown)
{
	u64 freq[GROW_BLOCKS] = { GROW_ONE };
	u32 n = grown->trace.n_blocks;

	for (u32 i = 1; i < n; i++) {
		u32 parent = grown->blocks[i].parent;
		const struct flow_block *end = end_of(grown->blocks[parent].start);

		CU_ASSERT_FATAL(parent < i && end->role == ROLE_JCC);
		CU_ASSERT_FATAL(grown->blocks[i].start == end->end ||
		                grown->blocks[i].start == end->target);
		freq[i] = times(grown, freq, parent, grown->blocks[i].start != end->end);
		CU_ASSERT(freq[i] >= GROW_ONE / 50);
		CU_ASSERT(freq[i] <= freq[i - 1]);
	}
	for (u32 i = 0; i < n; i++) {
		const struct flow_block *end = end_of(grown->blocks[i].start);

		for (u32 taken = 0; end->role == ROLE_JCC && taken < 2; taken++)
			if (!has_child(grown, i, taken ? end->target : end->end))
				CU_ASSERT(times(grown, freq, i, taken) <=
				          (n == GROW_BLOCKS ? freq[n - 1] : GROW_ONE / 50 - 1));
	}
}

static void test_ways(void)
{
	struct grow_sum sum;
	struct grown grown;
	u32 n = 0, full = 0;

	for (u32 graph = 0; graph < GRAPHS; graph++) {
		make(graph, 1, FORWARD);
		grow_hot(&flows, functions[0], true, &grown, &sum);
		check_ways(&grown);
		n += grown.trace.n_blocks;
		full += grown.trace.n_blocks == GROW_BLOCKS;
	}
	CU_ASSERT(n > 8 * GRAPHS);
	CU_ASSERT(full > 0);
}

/* A way back to a block that is being executed closes a loop. */
static void test_loops(void)
{
	u32 closed = 0;

	for (u32 graph = 0; graph < GRAPHS; graph++) {
		struct grow_sum sum;
		struct grown grown;

		make(graph, 1, LOOPS);
		grow_hot(&flows, functions[0], true, &grown, &sum);
		for (u32 i = 1; i < grown.trace.n_blocks; i++) {
			const struct trace_block *block = &grown.blocks[i];
			bool met = false;

			for (u32 k = block->parent; k != TRACE_NO_PARENT;
			     k = grown.blocks[k].parent)
				met |= grown.blocks[k].start == block->start;
			CU_ASSERT(!met || block->start > grown.blocks[block->parent].start);
		}
		closed += sum.heads > GROW_ONE;
	}
	CU_ASSERT(closed > 10);
}

/* A loop with something in front of it and behind, and how often it goes round for each time that it is entered. */
struct looping {
	const char *hex;
	u32 at, end; /* of the loop, from the function's start */
	u32 front; /* instructions in front of it */
};
static const struct looping fallen_into = { "ffc0ffc0"
	                                    "b801000000ffc074f7"
	                                    "ffc0c3",
	                                    4, 13, 2 };
static const struct looping jumped_into = { "ffc0eb029090"
	                                    "b801000000ffc074f7"
	                                    "ffc0c3",
	                                    6, 15, 2 };
static const struct looping of_blocks = { "ffc0ffc0"
	                                  "b8010000007402ffc0ffc074f3"
	                                  "ffc0c3",
	                                  4, 17, 2 };
static const struct looping short_head = { "ffc0ffc0"
	                                   "ffc0b80100000074f7" /* no jump fits there */
	                                   "ffc0c3",
	                                   4, 13, 2 };
static const struct looping *looping;

static u32 loop_heat(const void *ctx, u64 addr, u64 *next)
{
	u64 at = addr - functions[0];

	*next = addr + 1;
	return at >= looping->at && at < looping->end ? 100 * *(const u32 *)ctx : 100;
}

static void make_loop(const struct looping *which, u32 *rounds)
{
	looping = which;
	text_image_init(&img);
	functions[0] = text_image_function(&img, looping->hex, 0);
	begin();
	flows.heat = loop_heat;
	flows.ctx = rounds;
}

/* One that goes round often is in the tree that begins with it, and in no other, however control comes to it; one that does not, or can begin none, is. */
static void test_apart(void)
{
	static const struct looping *const all[] = { &fallen_into, &jumped_into, &of_blocks };
	u32 few = 6, often = 40;
	struct grow_sum sum;
	struct grown grown;

	for (u32 i = 0; i < 3; i++) {
		make_loop(all[i], &few);
		grow_hot(&flows, functions[0], true, &grown, &sum);
		CU_ASSERT(sum.insns > 2 * (looping->front * (u64)GROW_ONE));

		make_loop(all[i], &often);
		grow_hot(&flows, functions[0], true, &grown, &sum);
		CU_ASSERT_EQUAL(grown.trace.n_blocks, 1);
		CU_ASSERT_EQUAL(sum.heads, GROW_ONE);
		CU_ASSERT_EQUAL(sum.insns, looping->front * GROW_ONE);
		grow_hot(&flows, functions[0] + looping->at, true, &grown, &sum);
		CU_ASSERT(sum.heads > 16 * (u64)GROW_ONE);
	}
	make_loop(&short_head, &often);
	grow_hot(&flows, functions[0], true, &grown, &sum);
	CU_ASSERT(has_child(&grown, 0, functions[0] + looping->at));
}

/* ---- calls ---- */

/* A tree without the calls that do not pay is the one that grows if they cannot be gone into from the beginning. */
static void test_calls(void)
{
	u32 gone = 0, left = 0;

	for (u32 graph = 0; graph < GRAPHS; graph++) {
		struct grow_sum sum, sum_again;
		struct grown grown, again;
		u64 site;

		make(graph, FUNCTIONS, CALLS_TOO);
		site = functions[FUNCTIONS - 1];
		grow_hot(&flows, site, true, &grown, &sum);
		for (u32 i = 0; i < n_calls; i++) {
			bool is_gone = is_gone_into(&grown, i);

			if (!is_gone)
				text.marks[calls[i] - text.start] |= TEXT_NO_INLINE;
			gone += is_gone;
			left += !is_gone;
		}
		grow_hot(&flows, site, true, &again, &sum_again);
		CU_ASSERT(same(&grown, &again));
		CU_ASSERT(!memcmp(&sum, &sum_again, sizeof(sum)));
	}
	CU_ASSERT(gone > 50);
	CU_ASSERT(left > 50);
}

/* One that would be cold even with all calls gone into is not grown; all others are as if nobody had asked. */
static void test_warm(void)
{
	u32 cold = 0;

	for (u32 graph = 0; graph < GRAPHS; graph++) {
		struct grow_sum sum, asked;
		struct grown grown, as_asked;
		u64 site, heads = FLOW_ONE * (1 + graph % 8);

		make(graph, FUNCTIONS, CALLS_TOO);
		site = functions[FUNCTIONS - 1];
		grow_hot(&flows, site, true, &grown, &sum);
		if (!grow_warm(&flows, site, true, heads, 40, &as_asked, &asked)) {
			cold++;
			continue;
		}
		CU_ASSERT(same(&grown, &as_asked));
		CU_ASSERT(!memcmp(&sum, &asked, sizeof(sum)));
	}
	CU_ASSERT(cold > 10);
	CU_ASSERT(cold < GRAPHS - 10);
	CU_ASSERT_FALSE(grow_warm(&flows, functions[0], true, 0, 1, &(struct grown){ 0 },
	                          &(struct grow_sum){ 0 }));
}

/* ---- trees that are kept ---- */

static void test_kept(void)
{
	struct grow_sum sums[FUNCTIONS], sum;
	struct grown grown[FUNCTIONS], found;
	u64 mark = 0;

	make(7, FUNCTIONS, CALLS_TOO);
	for (u32 i = 0; i < FUNCTIONS; i++)
		grow_hot(&flows, functions[i], true, &grown[i], &sums[i]);
	for (u32 i = 0; i < FUNCTIONS; i++) {
		if (i == FUNCTIONS / 2)
			mark = arena_mark(&arena);
		CU_ASSERT_FALSE(trees_find(&flows, functions[i], true, &found, &sum));
		trees_keep(&flows, functions[i], true, &grown[i], &sums[i]);
	}
	trees_keep(&flows, functions[0], true, &grown[1], &sums[1]); /* the first one stays */
	CU_ASSERT_EQUAL(flows.trees.n, FUNCTIONS);
	CU_ASSERT_FALSE(trees_find(&flows, functions[0], false, &found, &sum));
	CU_ASSERT_FALSE(trees_find(&flows, functions[0] + 2, true, &found, &sum));
	for (u32 i = 0; i < FUNCTIONS; i++) {
		CU_ASSERT_TRUE(trees_find(&flows, functions[i], true, &found, &sum));
		CU_ASSERT_PTR_EQUAL(found.trace.blocks, found.blocks);
		CU_ASSERT_EQUAL(found.blocks[0].start, functions[i]);
		CU_ASSERT(same(&grown[i], &found));
		CU_ASSERT(!memcmp(&sums[i], &sum, sizeof(sum)));
	}
	flows_release(&flows, mark);
	memset(arena.base + mark, 0xff, arena.size - mark);
	for (u32 i = 0; i < FUNCTIONS; i++) {
		CU_ASSERT_EQUAL(trees_find(&flows, functions[i], true, &found, &sum),
		                i < FUNCTIONS / 2);
		CU_ASSERT(i >= FUNCTIONS / 2 || same(&grown[i], &found));
	}
}

/* So many that lists hold several, more than are kept, and no room. */
static void test_kept_many(void)
{
	struct grow_sum sum;
	struct grown grown, found;
	u64 mark;

	make(7, FUNCTIONS, CALLS_TOO);
	grow_hot(&flows, functions[0], true, &grown, &sum);
	mark = arena_mark(&arena);
	for (u64 site = 0; site <= TREES_MOST; site++) {
		sum.heads = site;
		trees_keep(&flows, site, true, &grown, &sum);
	}
	for (u64 site = 0; site < TREES_MOST; site++) {
		CU_ASSERT_TRUE(trees_find(&flows, site, true, &found, &sum));
		CU_ASSERT_EQUAL(sum.heads, site);
	}
	CU_ASSERT_FALSE(trees_find(&flows, TREES_MOST, true, &found, &sum));
	flows_release(&flows, mark);
	CU_ASSERT_EQUAL(flows.trees.n, 0);
	arena.size = arena.used;
	trees_keep(&flows, 1, true, &grown, &sum);
	CU_ASSERT_FALSE(trees_find(&flows, 1, true, &found, &sum));
}

/* ---- blocks ---- */

/* A block is found by whatever it is asked after: what comes before, a hint of another address, or neither. */
static void test_blocks(void)
{
	const struct flow_block *before = NULL;

	for (u32 graph = 0; graph < 20; graph++) {
		make(graph, FUNCTIONS, CALLS_TOO);
		for (u32 round = 0; round < 2; round++)
			for (u64 addr = text.end; addr-- > text.start;) {
				const struct flow *flow = flow_of(&flows, addr);
				const struct flow_block *block = flow ? flow_block_at(flow, addr)
				                                      : NULL;

				CU_ASSERT_PTR_EQUAL(flow_block_of(&flows, addr, before), block);
				CU_ASSERT_PTR_EQUAL(flow_block_of(&flows, addr, NULL), block);
				before = block ? block : before;
			}
		before = NULL;
		flows_release(&flows, 0);
		CU_ASSERT_EQUAL(flows.n_known, 0);
	}
}

static const struct unit_test tests[] = {
	{ "ways that are taken most", test_ways },
	{ "loops", test_loops },
	{ "loops that stand apart", test_apart },
	{ "calls that turn out not to pay", test_calls },
	{ "cold ones", test_warm },
	{ "trees that are kept", test_kept },
	{ "many of them", test_kept_many },
	{ "blocks by address", test_blocks },
};

int main(void)
{
	return UNIT_RUN("grow", tests);
}
