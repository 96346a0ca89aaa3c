/* SPDX-License-Identifier: MIT */
/*
 * What is left of a trace that fails as long as it has certain blocks (shrink.h), and the golden case that is written of it.
 *
 * The text is a row of blocks 16 bytes apart, each `inc eax; inc ecx; jz` to somewhere.
 */
#include <stdio.h>
#include <string.h>
#include "shrink.h"

#define TEXT 0x10000u
#define TEXT_SIZE 0x1000u
#define BLOCK 16u
#define START(n) (TEXT + (n) * BLOCK)

static const u8 block_bytes[] = { 0xff, 0xc0, 0xff, 0xc1, 0x74, 0x00 };

static struct {
	u8 bytes[TEXT_SIZE];
	struct elf_view view;
	struct text text;
	struct shape shape;
} run;

struct wanted {
	u64 starts[3]; /* all of them have to be in the trace; 0: no more */
	u32 asked;
};

/* The tree that is shrunk: parents of blocks 0 to 6. */
static const u32 parents[] = { TRACE_NO_PARENT, 0, 0, 1, 3, 4, 3 };
#define BLOCKS (sizeof(parents) / sizeof(parents[0]))

static void make(void)
{
	memset(run.bytes, 0xcc, sizeof(run.bytes));
	for (u32 i = 0; i < BLOCKS; i++) {
		memcpy(run.bytes + i * BLOCK, block_bytes, sizeof(block_bytes));
		run.shape.blocks[i] = (struct trace_block){ START(i), parents[i], 7, 0 };
	}
	run.view.n_loads = 1;
	run.view.loads[0] =
		(struct elf_span){ TEXT, TEXT_SIZE, run.bytes, ELF_VIEW_R | ELF_VIEW_X, 0 };
	run.text = (struct text){ .view = &run.view, .start = TEXT, .end = TEXT + TEXT_SIZE };
	run.shape.trace = (struct trace){ .blocks = run.shape.blocks, .n_blocks = BLOCKS };
}

static bool has(u64 start)
{
	for (u32 i = 0; i < run.shape.trace.n_blocks; i++) {
		if (run.shape.blocks[i].start == start)
			return true;
	}
	return false;
}

static bool fails(void *ctx)
{
	struct wanted *wanted = ctx;

	wanted->asked++;
	for (u32 i = 0; i < 3 && wanted->starts[i]; i++) {
		if (!has(wanted->starts[i]))
			return false;
	}
	return wanted->starts[0];
}

static bool check(const char *name, struct wanted wanted, const char *expected)
{
	static char text[4096];

	make();
	shrink(&run.text, &run.shape, fails, &wanted);
	trace_format(&run.shape.trace, "bytes", text, sizeof(text));
	if (wanted.asked && strcmp(text, expected) == 0)
		return true;
	printf("%s: expected\n%sbut it is\n%s", name, expected, text);
	return false;
}

static bool check_print(u64 second, bool whole, const char *expected)
{
	static char text[4096];
	FILE *out = fmemopen(text, sizeof(text), "w");
	bool is_whole;

	make();
	run.shape.trace.n_blocks = 2;
	run.shape.blocks[1].start = second;
	memcpy(run.bytes + (second - TEXT), block_bytes, sizeof(block_bytes));
	is_whole = shrink_print(&run.text, &run.shape.trace, out);
	fclose(out);
	if (is_whole == whole && strcmp(text, expected) == 0)
		return true;
	printf("printed: expected\n%sbut it is\n%s", expected, text);
	return false;
}

#define HEAD_CODE \
	"== args\n--addr 0x10000 --trace - --stats --prove\n== code\nffc0 # 10000\nffc1 # 10002\n7400 # 10004\n"

int main(void)
{
	u32 bad = 0;

	bad += !check(
		"the whole", (struct wanted){ { 0 }, 0 },
		"trace bytes 0x10000\n  block 0x10000 weight 7\n  block 0x10010 after 0 weight 7\n"
		"  block 0x10020 after 0 weight 7\n  block 0x10030 after 1 weight 7\n  block 0x10040 after 3 weight 7\n"
		"  block 0x10050 after 4 weight 7\n  block 0x10060 after 3 weight 7\nend\n");
	bad += !check(
		"a path in the middle", (struct wanted){ { START(3), START(4) }, 0 },
		"trace bytes 0x10030\n  block 0x10030 weight 7\n  block 0x10040 after 0 weight 7\nend\n");
	/* Its head's instructions go, but for the branch. */
	bad += !check(
		"two ways", (struct wanted){ { START(2), START(6) }, 0 },
		"trace bytes 0x10004\n  block 0x10004 weight 7\n  block 0x10010 after 0 weight 7\n"
		"  block 0x10020 after 0 weight 7\n  block 0x10030 after 1 weight 7\n  block 0x10060 after 3 weight 7\nend\n");
	bad += !check("one block", (struct wanted){ { START(5) }, 0 },
	              "trace bytes 0x10050\n  block 0x10050 weight 7\nend\n");
	bad += !check_print(
		TEXT + 0x14, true,
		HEAD_CODE
		"cccccccccccccccccccccccccccc\nffc0 # 10014\nffc1 # 10016\n7400 # 10018\n== in\n"
		"trace bytes 0x10000\n  block 0x10000 weight 7\n  block 0x10014 after 0 weight 7\nend\n== out\n");
	bad += !check_print(
		TEXT + 0x800, false,
		HEAD_CODE
		"# 2042 bytes further on\nffc0 # 10800\nffc1 # 10802\n7400 # 10804\n== in\n"
		"trace bytes 0x10000\n  block 0x10000 weight 7\n  block 0x10800 after 0 weight 7\nend\n== out\n");
	printf("6 cases, %u wrong\n", bad);
	return bad != 0;
}
