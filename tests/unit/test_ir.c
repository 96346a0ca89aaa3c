/* SPDX-License-Identifier: MIT */
/*
 * test_ir.c - arena, statuses, and the way from trace to tree to code: limits, memory that runs
 * out at every step, and text forms that read back what they print, on random code and random
 * traces.
 *
 * Single cases of lifting and verifying are in tests/golden.
 */
#include "limits.h"
#include "translate.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define ADDR 0x1000u
#define CODE_MAX 1024
#define ROUNDS 3000
#define TEXT_MAX (1u << 16)
#define CALL_REL32 0xe8
#define CALL_LEN 5

/* Code without a module: what decodes one after the other is proven and reached. */
static struct elf_view view;
static struct text text;
static u16 marks[CODE_MAX];
static u8 code[CODE_MAX];
static u8 memory[1u << 20], more_memory[1u << 20];
static char dump[TEXT_MAX], again[TEXT_MAX];
static uint64_t scratch[1024], seed = 1;

static u32 random_below(u32 n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (u32)(seed >> 33) % n;
}

static void make_text(u32 size)
{
	struct insn_brief brief;

	view = (struct elf_view){ .n_loads = 1 };
	view.loads[0] = (struct elf_span){ ADDR, size, code, ELF_VIEW_R | ELF_VIEW_X, 0 };
	text = (struct text){ .view = &view, .start = ADDR, .end = ADDR + size, .marks = marks };
	memset(marks, 0, sizeof(marks));
	for (u32 at = 0; at < size; at += brief.len) {
		if (decode_brief(code + at, size - at, ADDR + at, scratch, &brief, NULL))
			brief.len = 1;
		else if (brief.role == ROLE_CALL && brief.target - ADDR < size)
			marks[brief.target - ADDR] |= TEXT_FUNCTION;
		marks[at] |= TEXT_INSN | TEXT_REACHED | TEXT_CERTIFIED;
	}
}

static struct trace one_block(const struct trace_block *block)
{
	return (struct trace){ .blocks = block, .n_blocks = 1 };
}

static void test_arena(void)
{
	struct arena arena;
	u64 mark;
	u8 *a, *b;

	arena_init(&arena, memory + 1, 1000);
	memset(memory, 0xa5, 2000);
	a = arena_alloc(&arena, 3, 5);
	mark = arena_mark(&arena);
	b = arena_alloc(&arena, 1, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	CU_ASSERT_EQUAL((uintptr_t)a % 16, 0);
	CU_ASSERT_EQUAL((uintptr_t)b % 16, 0);
	CU_ASSERT_TRUE(b >= a + 15);
	CU_ASSERT_TRUE(a[0] == 0 && a[14] == 0 && b[0] == 0);
	CU_ASSERT_PTR_NULL(arena_alloc(&arena, 1, 2000));
	CU_ASSERT_PTR_NULL(arena_alloc(&arena, ~0ull, 16));
	CU_ASSERT_PTR_NULL(arena_alloc(&arena, 1ull << 60, 1ull << 60));
	arena_release(&arena, mark);
	CU_ASSERT_EQUAL(arena.used, mark);
	CU_ASSERT_TRUE(arena.peak > mark);
	CU_ASSERT_PTR_EQUAL(arena_alloc(&arena, 1, 1), b);
	CU_ASSERT_PTR_NOT_NULL(arena_alloc(&arena, 0, 8));
	arena_init(&arena, NULL, 1000);
	CU_ASSERT_PTR_NULL(arena_alloc(&arena, 1, 1));
}

static void test_statuses(void)
{
	for (u32 i = 0; i < STATUS_N; i++) {
		const char *name = status_name((enum status)i);

		CU_ASSERT_TRUE(name[0] && status_text((enum status)i)[0]);
		CU_ASSERT_TRUE(strcmp(name, "UNKNOWN") != 0);
		CU_ASSERT_PTR_NOT_NULL(status_detail((enum status)i));
		for (u32 j = 0; j < i; j++)
			CU_ASSERT_TRUE(strcmp(name, status_name((enum status)j)) != 0);
		CU_ASSERT_EQUAL(status_class((enum status)i) == STATUS_CLASS_OK, i == STATUS_OK);
	}
	CU_ASSERT_STRING_EQUAL(status_name(STATUS_N), "UNKNOWN");
	CU_ASSERT_STRING_EQUAL(status_name((enum status) - 1), "UNKNOWN");
	CU_ASSERT_EQUAL(status_class(STATUS_N), STATUS_CLASS_BUG);
	CU_ASSERT_EQUAL(failed(NULL, STATUS_END, 1, 2), STATUS_END);
}

/* A tree holds so many instructions and goes on outside. */
static void test_full_tree(void)
{
	const struct trace_block blocks[] = {
		{ ADDR, TRACE_NO_PARENT, 0, 0 },
		{ ADDR + 500, 0, 0, 0 },
		{ ADDR + LIMIT_TREE_INSNS, 1, 0, 0 },
	};
	struct trace trace = { .blocks = blocks, .n_blocks = 1 };
	struct arena arena;
	struct ir_tree tree;
	struct code made;

	memset(code, 0x90, sizeof(code));
	make_text(CODE_MAX);
	arena_init(&arena, memory, sizeof(memory));
	CU_ASSERT_EQUAL_FATAL(lift_trace(&text, &trace, &arena, &tree, NULL), STATUS_OK);
	CU_ASSERT_EQUAL(tree.n_ops, LIMIT_TREE_INSNS);
	CU_ASSERT_EQUAL(tree.blocks[0].next.kind, EDGE_EXIT);
	CU_ASSERT_EQUAL(tree.blocks[0].next.target, ADDR + LIMIT_TREE_INSNS);
	CU_ASSERT_EQUAL(ir_verify(&tree, NULL), STATUS_OK);
	trace.n_blocks = 3;
	CU_ASSERT_EQUAL_FATAL(lift_trace(&text, &trace, &arena, &tree, NULL), STATUS_OK);
	CU_ASSERT_EQUAL(tree.n_blocks, 2);
	CU_ASSERT_EQUAL(tree.blocks[1].n, LIMIT_TREE_INSNS - 500);
	CU_ASSERT_EQUAL(tree.blocks[1].next.kind, EDGE_EXIT);
	CU_ASSERT_EQUAL(translate(&text, &trace, &arena, &made, NULL), STATUS_OK);
	CU_ASSERT_EQUAL(made.n_insns, LIMIT_TREE_INSNS);
}

static void test_many_blocks(void)
{
	struct trace_block blocks[LIMIT_TREE_BLOCKS + 1];
	struct trace trace = { .blocks = blocks, .n_blocks = LIMIT_TREE_BLOCKS + 1 };
	struct failure failure;
	struct arena arena;
	struct ir_tree tree;

	code[0] = 0x75; /* 1000: jne 1000, one round after the other copied */
	code[1] = 0xfe;
	make_text(2);
	for (u32 i = 0; i <= LIMIT_TREE_BLOCKS; i++)
		blocks[i] = (struct trace_block){ ADDR, i ? i - 1 : TRACE_NO_PARENT, 0, 0 };
	arena_init(&arena, memory, sizeof(memory));
	CU_ASSERT_EQUAL(lift_trace(&text, &trace, &arena, &tree, &failure), STATUS_TRACE_BLOCKS);
	CU_ASSERT_EQUAL(failure.detail, LIMIT_TREE_BLOCKS + 1);
	CU_ASSERT_EQUAL(arena.used, 0);
	trace.n_blocks--;
	CU_ASSERT_EQUAL_FATAL(lift_trace(&text, &trace, &arena, &tree, &failure), STATUS_OK);
	CU_ASSERT_EQUAL(tree.n_blocks, LIMIT_TREE_BLOCKS);
	CU_ASSERT_EQUAL(ir_verify(&tree, NULL), STATUS_OK);
}

/* Marks of the notes cut a path; a head without the mark of being reached is refused. */
static void test_marks(void)
{
	const struct trace_block block = { ADDR, TRACE_NO_PARENT, 0, 0 };
	const struct trace trace = one_block(&block);
	struct failure failure;
	struct arena arena;
	struct ir_tree tree;

	memset(code, 0x90, 4);
	make_text(4);
	arena_init(&arena, memory, sizeof(memory));
	marks[2] |= TEXT_NO_TRANSLATE;
	CU_ASSERT_EQUAL_FATAL(lift_trace(&text, &trace, &arena, &tree, NULL), STATUS_OK);
	CU_ASSERT_EQUAL(tree.n_ops, 2);
	CU_ASSERT_EQUAL(tree.blocks[0].next.target, ADDR + 2);
	marks[0] |= TEXT_NO_TRANSLATE;
	CU_ASSERT_EQUAL(lift_trace(&text, &trace, &arena, &tree, &failure), STATUS_TEXT_FORBIDDEN);
	marks[0] = TEXT_INSN;
	CU_ASSERT_EQUAL(lift_trace(&text, &trace, &arena, &tree, &failure), STATUS_TEXT_UNPROVEN);
	CU_ASSERT_EQUAL(failure.addr, ADDR);
}

/* Memory that ends anywhere: the name of it, the arena as before, the result untouched. */
static void test_memory(void)
{
	const struct trace_block block = { ADDR, TRACE_NO_PARENT, 0, 0 };
	const struct trace trace = one_block(&block);
	struct trace_stanza stanza = { 0 };
	struct code made, before;
	struct ir_tree tree;
	struct arena arena;
	bool done = false;
	u64 size;

	memset(&before, 0xa5, sizeof(before));
	memset(code, 0x90, 16);
	make_text(16);
	for (size = 0; !done && size < sizeof(memory); size += 64) {
		struct failure failure = { STATUS_OK, 0, 0 };

		arena_init(&arena, memory, size);
		made = before;
		done = translate(&text, &trace, &arena, &made, &failure) == STATUS_OK;
		if (done)
			break;
		CU_ASSERT_EQUAL(failure.status, STATUS_WORKSPACE);
		CU_ASSERT_EQUAL(arena.used, 0);
		CU_ASSERT_FALSE(memcmp(&made, &before, sizeof(made)));
	}
	CU_ASSERT_TRUE(done);
	arena_init(&arena, memory, sizeof(memory));
	CU_ASSERT_EQUAL(lift_trace(&text, &trace, &arena, &tree, NULL), STATUS_OK);
	CU_ASSERT_TRUE(ir_dump(&tree, dump, sizeof(dump)) < sizeof(dump));
	arena_init(&arena, memory, 1000);
	CU_ASSERT_EQUAL(ir_parse(dump, strlen(dump), &arena, &tree, NULL), STATUS_WORKSPACE);
	CU_ASSERT_EQUAL(arena.used, 0);
	trace_format(&trace, "m", dump, sizeof(dump));
	arena_init(&arena, memory, 100);
	CU_ASSERT_EQUAL(trace_parse(dump, strlen(dump), &(u64){ 0 }, &(u32){ 0 }, &arena, &stanza,
	                            NULL),
	                STATUS_WORKSPACE);
	CU_ASSERT_EQUAL(arena.used, 0);
}

/* ---- random code, random traces ---- */

static u32 random_code(void)
{
	static const struct {
		u8 n, bytes[7];
		bool short_field; /* the last byte is a distance */
	} insns[] = {
		{ 1, { 0x90 }, false },
		{ 2, { 0xff, 0xc0 }, false },
		{ 3, { 0x48, 0x01, 0xd8 }, false },
		{ 5, { CALL_REL32, 0, 0, 0, 0 }, false },
		{ 7, { 0x48, 0x8b, 0x05, 0x10, 0, 0, 0 }, false }, /* mov rax, [rip+16] */
		{ 2, { 0x75, 0 }, true },
		{ 2, { 0x74, 0 }, true },
		{ 2, { 0xeb, 0 }, true },
		{ 2, { 0xe2, 0 }, true },
		{ 1, { 0xc3 }, false },
		{ 2, { 0xff, 0xe0 }, false },
		{ 2, { 0x0f, 0x05 }, false },
	};
	u32 size = 0, n = 4 + random_below(40);

	while (n--) {
		u32 i = random_below(random_below(3) ? 9 : sizeof(insns) / sizeof(insns[0]));

		memcpy(code + size, insns[i].bytes, insns[i].n);
		size += insns[i].n;
		if (insns[i].short_field)
			code[size - 1] = (u8)(random_below(64) - 32);
		if (insns[i].bytes[0] == CALL_REL32)
			code[size - 4] = (u8)random_below(32);
	}
	make_text(size);
	return size;
}

/* Where a trace may go on along an edge: into the callee if a call stands there. */
static u64 way_on(const struct ir_edge *edge, u32 size)
{
	u64 at = edge->target - ADDR;

	if (edge->kind == EDGE_EXIT && at + CALL_LEN <= size && code[at] == CALL_REL32)
		return edge->target + CALL_LEN + code[at + 1];
	return edge->target;
}

/* Follows edges of trees that grow; a step that leads nowhere is mostly taken back. */
static u32 random_trace(struct trace_block blocks[LIMIT_TREE_BLOCKS], u32 size)
{
	struct ir_tree tree = { 0 };
	struct arena arena;
	u32 n = 0;

	do {
		blocks[0] =
			(struct trace_block){ ADDR + random_below(size), TRACE_NO_PARENT, 0, 0 };
	} while (!marks[blocks[0].start - ADDR]);
	for (u32 tries = random_below(24); tries && n < LIMIT_TREE_BLOCKS - 1; tries--) {
		struct trace trace = { .blocks = blocks, .n_blocks = n + 1 };
		const struct ir_block *from;

		arena_init(&arena, more_memory, sizeof(more_memory));
		if (lift_trace(&text, &trace, &arena, &tree, NULL) || tree.n_blocks <= n) {
			if (!n || !random_below(16))
				break;
			n--;
			arena_init(&arena, more_memory, sizeof(more_memory));
			trace.n_blocks = n + 1;
			if (lift_trace(&text, &trace, &arena, &tree, NULL))
				break;
		}
		n++;
		blocks[n].parent = random_below(n);
		from = &tree.blocks[blocks[n].parent];
		blocks[n].start = way_on(
			random_below(2) && from->taken.kind ? &from->taken : &from->next, size);
		blocks[n].weight = random_below(1000);
	}
	return n + 1;
}

static void check_trace_text(const struct trace *trace)
{
	struct trace_stanza stanza;
	struct arena arena;
	u64 pos = 0;
	u32 line = 0;

	arena_init(&arena, more_memory, sizeof(more_memory));
	CU_ASSERT_TRUE(trace_format(trace, "lib x#.so", dump, sizeof(dump)) < sizeof(dump));
	CU_ASSERT_EQUAL_FATAL(trace_parse(dump, strlen(dump), &pos, &line, &arena, &stanza, NULL),
	                      STATUS_OK);
	CU_ASSERT_EQUAL(pos, strlen(dump));
	CU_ASSERT_EQUAL(stanza.module_len, 9);
	CU_ASSERT_FALSE(memcmp(stanza.module, "lib_x_.so", 9));
	CU_ASSERT_EQUAL_FATAL(stanza.trace.n_blocks, trace->n_blocks);
	CU_ASSERT_EQUAL(stanza.trace.entries, trace->entries);
	CU_ASSERT_FALSE(memcmp(stanza.trace.blocks, trace->blocks,
	                       trace->n_blocks * sizeof(*trace->blocks)));
	CU_ASSERT_EQUAL(trace_parse(dump, strlen(dump), &pos, &line, &arena, &stanza, NULL),
	                STATUS_END);
}

static bool has_call(const struct ir_tree *tree)
{
	for (u32 i = 0; i < tree->n_ops; i++) {
		if (tree->ops[i].role == ROLE_CALL)
			return true;
	}
	return false;
}

static void check_tree_text(const struct ir_tree *tree)
{
	struct code made, made_again;
	struct ir_tree parsed;
	struct arena arena;
	u64 n = ir_dump(tree, dump, sizeof(dump));

	arena_init(&arena, more_memory, sizeof(more_memory));
	CU_ASSERT_EQUAL(n, strlen(dump));
	CU_ASSERT_EQUAL_FATAL(ir_parse(dump, n, &arena, &parsed, NULL), STATUS_OK);
	CU_ASSERT_EQUAL(ir_verify(&parsed, NULL), STATUS_OK);
	CU_ASSERT_EQUAL(ir_dump(&parsed, again, sizeof(again)), n);
	CU_ASSERT_STRING_EQUAL(dump, again);
	CU_ASSERT_FALSE(memcmp(tree->ops, parsed.ops, tree->n_ops * sizeof(*tree->ops)));
	CU_ASSERT_EQUAL(parsed.n_frames, tree->n_frames);
	CU_ASSERT_FALSE(
		memcmp(tree->frames, parsed.frames, tree->n_frames * sizeof(*tree->frames)));
	/* a short buffer holds the beginning */
	memset(again, 'x', 32);
	CU_ASSERT_EQUAL(ir_dump(tree, again, 20), n);
	CU_ASSERT_FALSE(memcmp(again, dump, 19));
	CU_ASSERT_TRUE(again[19] == '\0' && again[20] == 'x');
	if (has_call(tree)) /* those are for passes, not for the encoder */
		return;
	CU_ASSERT_EQUAL_FATAL(encode_tree(tree, &arena, &made, NULL), STATUS_OK);
	CU_ASSERT_EQUAL_FATAL(encode_tree(&parsed, &arena, &made_again, NULL), STATUS_OK);
	CU_ASSERT_EQUAL(made.size, made_again.size);
	CU_ASSERT_FALSE(memcmp(made.bytes, made_again.bytes, made.size));
}

static void test_random(void)
{
	static struct trace_block blocks[LIMIT_TREE_BLOCKS];
	u32 lifted = 0, largest = 0, inlined = 0;
	struct failure failure;
	struct ir_tree tree;
	struct arena arena;
	struct code made;

	for (u32 i = 0; i < ROUNDS; i++) {
		u32 size = random_code();
		struct trace trace = { .blocks = blocks,
			               .n_blocks = random_trace(blocks, size),
			               .entries = random_below(3) };
		enum status status;

		check_trace_text(&trace);
		arena_init(&arena, memory, sizeof(memory));
		status = lift_trace(&text, &trace, &arena, &tree, &failure);
		if (status) {
			CU_ASSERT_TRUE(status_class(status) == STATUS_CLASS_REFUSED);
			CU_ASSERT_EQUAL(arena.used, 0);
			continue;
		}
		lifted++;
		largest = tree.n_blocks > largest ? tree.n_blocks : largest;
		inlined += tree.n_frames > 1;
		CU_ASSERT_EQUAL(ir_verify(&tree, &failure), STATUS_OK);
		check_tree_text(&tree);
		CU_ASSERT_EQUAL(translate(&text, &trace, &arena, &made, &failure), STATUS_OK);
	}
	CU_ASSERT_TRUE(inlined > 10);
	CU_ASSERT_TRUE(lifted > ROUNDS / 2);
	CU_ASSERT_TRUE(largest > 5);
}

/* ir_verify() looks at all a pass could break; text cannot say these. */
static void test_verify_fields(void)
{
	static const u8 loop[] = { 0xff, 0xc8, 0x75, 0xfc }; /* 1000: dec eax; jne 1000 */
	const struct trace_block block = { ADDR, TRACE_NO_PARENT, 0, 0 };
	const struct trace trace = one_block(&block);
	struct ir_tree tree, empty = { 0 };
	struct failure failure;
	struct arena arena;

	memcpy(code, loop, sizeof(loop));
	make_text(sizeof(loop));
	arena_init(&arena, memory, sizeof(memory));
	CU_ASSERT_EQUAL_FATAL(lift_trace(&text, &trace, &arena, &tree, NULL), STATUS_OK);
	CU_ASSERT_EQUAL(ir_verify(&empty, &failure), STATUS_IR_BLOCK);
	tree.blocks[0].parent = 0;
	CU_ASSERT_EQUAL(ir_verify(&tree, &failure), STATUS_IR_BLOCK);
	tree.blocks[0].parent = IR_NO_PARENT;
	tree.n_ops++;
	CU_ASSERT_EQUAL(ir_verify(&tree, &failure), STATUS_IR_ORDER);
	tree.n_ops = 1;
	CU_ASSERT_EQUAL(ir_verify(&tree, &failure), STATUS_IR_ORDER);
	tree.n_ops = 2;
	tree.blocks[0].first = 1;
	CU_ASSERT_EQUAL(ir_verify(&tree, &failure), STATUS_IR_ORDER);
	tree.blocks[0].first = 0;
	tree.ops[1].len = 0;
	CU_ASSERT_EQUAL(ir_verify(&tree, &failure), STATUS_IR_ORDER);
	tree.ops[1].len = 2;
	tree.ops[1].role = ROLE_SYSTEM;
	CU_ASSERT_EQUAL(ir_verify(&tree, &failure), STATUS_IR_TERMINATOR);
	tree.ops[1].role = 200;
	CU_ASSERT_EQUAL(ir_verify(&tree, &failure), STATUS_IR_TERMINATOR);
	tree.ops[1].role = ROLE_JCC;
	tree.blocks[0].taken.kind = 9;
	CU_ASSERT_EQUAL(ir_verify(&tree, &failure), STATUS_IR_EDGE);
	tree.blocks[0].taken.kind = EDGE_BACK;
	tree.blocks[0].taken.block = 5;
	CU_ASSERT_EQUAL(ir_verify(&tree, &failure), STATUS_IR_EDGE);
	tree.blocks[0].taken.block = 0;
	CU_ASSERT_EQUAL(ir_verify(&tree, &failure), STATUS_OK);
}

/* What flows into a block, but for entries, is how often it runs; so is what flows out of it. */
static void check_flows(const struct ir_tree *tree, u64 ways_out)
{
	u64 in[LIMIT_TREE_BLOCKS] = { COST_ENTRY }, out = 0;

	for (u32 b = 0; b < tree->n_blocks; b++) {
		const struct ir_block *block = &tree->blocks[b];

		for (u32 way = 0; way < 2; way++) {
			const struct ir_edge *edge = way ? &block->taken : &block->next;

			if (edge->kind == EDGE_CHILD || edge->kind == EDGE_BACK)
				in[edge->block] += edge->flow;
			else if (edge->kind == EDGE_EXIT)
				out += edge->flow;
		}
		CU_ASSERT(block->freq - (block->next.flow + block->taken.flow) + 8 < 16);
	}
	for (u32 b = 0; b < tree->n_blocks; b++)
		CU_ASSERT(tree->blocks[b].freq - in[b] + 8 < 16);
	CU_ASSERT(out - ways_out + 8 < 16);
}

/* 1000: dec edi; jz 100c; 1004: dec esi; jz 1000; 1008: inc eax; jmp 1000 */
static const u8 two_ways_back[] = { 0xff, 0xcf, 0x74, 0x08, 0xff, 0xce,
	                            0x74, 0xf8, 0xff, 0xc0, 0xeb, 0xf4 };
static const struct trace_block of_two_ways[] = {
	{ ADDR, TRACE_NO_PARENT, 20000, 0 },
	{ ADDR + 4, 0, 19000, 0 },
	{ ADDR + 8, 1, 12000, 0 },
};

static enum status run_pass(struct ir_tree *tree, struct arena *arena, enum pass_name name,
                            u32 *done)
{
	struct pass pass = {
		.tree = tree, .text = &text, .arena = arena, .name = name, .left = 1000
	};
	enum status status = name == PASS_rotate ? pass_rotate(&pass) : pass_unroll(&pass);

	*done = pass.done[name];
	return status;
}

/* What runs is divided between a loop's parts and their copies. */
static void test_copies(void)
{
	const struct trace trace = { .blocks = of_two_ways, .n_blocks = 3 };
	struct arena arena;
	struct ir_tree tree;
	u32 done;

	memcpy(code, two_ways_back, sizeof(two_ways_back));
	make_text(sizeof(two_ways_back));
	for (u32 rotate = 0; rotate < 2; rotate++) {
		arena_init(&arena, memory, sizeof(memory));
		CU_ASSERT_EQUAL_FATAL(lift_trace(&text, &trace, &arena, &tree, NULL), STATUS_OK);
		cost_weigh(&tree);
		check_flows(&tree, COST_ENTRY);
		CU_ASSERT_EQUAL(run_pass(&tree, &arena, rotate ? PASS_rotate : PASS_unroll, &done),
		                STATUS_OK);
		CU_ASSERT_EQUAL(done, 1);
		CU_ASSERT_EQUAL(tree.n_blocks, rotate ? 4 : 6);
		check_flows(&tree, COST_ENTRY);
	}
}

/* Where there is room for the tree, but not for copies in it, it is made without. */
static void test_no_room_for_copies(void)
{
	const struct trace trace = { .blocks = of_two_ways, .n_blocks = 3 };
	struct translate_options once = TRANSLATE_ALL;
	struct arena arena;
	struct code made;
	u64 size = 0;

	once.without = 1u << PASS_rotate | 1u << PASS_unroll;
	memcpy(code, two_ways_back, sizeof(two_ways_back));
	make_text(sizeof(two_ways_back));
	do {
		size += 64;
		CU_ASSERT_FATAL(size < sizeof(memory));
		arena_init(&arena, memory, size);
	} while (translate_with(&text, &trace, &once, &arena, &made, NULL) != STATUS_OK);
	arena_init(&arena, memory, size);
	CU_ASSERT_EQUAL_FATAL(translate(&text, &trace, &arena, &made, NULL), STATUS_OK);
	CU_ASSERT(!made.done[PASS_rotate] && !made.done[PASS_unroll]);
	arena_init(&arena, memory, sizeof(memory));
	CU_ASSERT_EQUAL_FATAL(translate(&text, &trace, &arena, &made, NULL), STATUS_OK);
	CU_ASSERT(made.done[PASS_rotate] || made.done[PASS_unroll]);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "arena", test_arena },
		{ "statuses have words", test_statuses },
		{ "a full tree", test_full_tree },
		{ "as many blocks as allowed", test_many_blocks },
		{ "marks of the notes", test_marks },
		{ "memory runs out", test_memory },
		{ "random code", test_random },
		{ "fields that contradict", test_verify_fields },
		{ "loops that stand twice", test_copies },
		{ "no room for copies", test_no_room_for_copies },
	};

	if (decode_scratch_size() > sizeof(scratch))
		return 1;
	return UNIT_RUN("ir", tests);
}
