/* SPDX-License-Identifier: MIT */
/*
 * shrink.c - see shrink.h. A trace is a tree: a block goes with those behind it, or it becomes the head, or the head's first instruction goes.
 */
#include <stdlib.h>
#include <string.h>
#include "shrink.h"

#define INSNS_MOST 4096
#define GAP_MOST 1024 /* bytes between instructions that are written down */
#define LINE_MOST 16  /* of them in a line */

/* ---- smaller ---- */

static bool is_under(const struct trace_block *blocks, u32 block, u32 root)
{
	while (block != root && block != TRACE_NO_PARENT)
		block = blocks[block].parent;
	return block == root;
}

/* Keeps `root` and what hangs on it, or all else. */
static void keep(struct shape *shape, u32 root, bool under)
{
	static u32 number[SHAPE_BLOCKS_MAX];
	u32 n = 0;

	for (u32 i = 0; i < shape->trace.n_blocks; i++)
		number[i] = is_under(shape->blocks, i, root) == under ? n++ : TRACE_NO_PARENT;
	for (u32 i = 0; i < shape->trace.n_blocks; i++) {
		struct trace_block block = shape->blocks[i];

		if (number[i] == TRACE_NO_PARENT)
			continue;
		if (block.parent != TRACE_NO_PARENT)
			block.parent = number[block.parent];
		shape->blocks[number[i]] = block;
	}
	shape->trace.n_blocks = n;
}

/* One step, which is taken back if it does not fail any more. */
static bool try_step(struct shape *shape, u32 root, bool under, shrink_fails *fails, void *ctx)
{
	static struct trace_block before[SHAPE_BLOCKS_MAX];
	u32 n = shape->trace.n_blocks;

	memcpy(before, shape->blocks, n * sizeof(before[0]));
	keep(shape, root, under);
	if (fails(ctx))
		return true;
	memcpy(shape->blocks, before, n * sizeof(before[0]));
	shape->trace.n_blocks = n;
	return false;
}

/* The head without its first instruction. */
static bool try_later(const struct text *text, struct shape *shape, shrink_fails *fails, void *ctx)
{
	u64 left, head = shape->blocks[0].start;
	const u8 *bytes = text_bytes(text, head, &left);
	struct insn_brief brief;

	if (!bytes || decode_brief(bytes, left, head, scratch_decode(), &brief, NULL))
		return false;
	shape->blocks[0].start += brief.len;
	if (brief.role == ROLE_PLAIN && fails(ctx))
		return true;
	shape->blocks[0].start = head;
	return false;
}

static bool try_steps(const struct text *text, struct shape *shape, shrink_fails *fails, void *ctx)
{
	for (u32 i = 1; i < shape->trace.n_blocks; i++) {
		if (try_step(shape, i, true, fails, ctx) || try_step(shape, i, false, fails, ctx))
			return true;
	}
	return try_later(text, shape, fails, ctx);
}

void shrink(const struct text *text, struct shape *shape, shrink_fails *fails, void *ctx)
{
	while (try_steps(text, shape, fails, ctx))
		;
}

/* ---- a golden case ---- */

struct part {
	u64 at;
	u32 len;
};

struct parts {
	const struct text *text;
	struct part insns[INSNS_MOST];
	u32 n;
};

/* A block of the trace ends where another one of it begins, too. */
static bool is_start(const struct trace *trace, u64 addr)
{
	for (u32 i = 0; i < trace->n_blocks; i++) {
		if (trace->blocks[i].start == addr)
			return true;
	}
	return false;
}

/* From `at` to the block's end. */
static void add_block(struct parts *parts, const struct trace *trace, u64 at)
{
	struct insn_brief brief;
	u64 left;

	do {
		const u8 *bytes = text_bytes(parts->text, at, &left);

		if (!bytes || parts->n == INSNS_MOST ||
		    decode_brief(bytes, left, at, scratch_decode(), &brief, NULL))
			return;
		parts->insns[parts->n++] = (struct part){ at, brief.len };
		at += brief.len;
	} while ((brief.role == ROLE_PLAIN || brief.role == ROLE_COUNT) && !is_start(trace, at));
}

static int compare_parts(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

static bool print_gap(u64 from, u64 to, FILE *out)
{
	if (to - from > GAP_MOST) {
		fprintf(out, "# %llu bytes further on\n", (unsigned long long)(to - from));
		return false;
	}
	for (u64 at = from; at < to; at++)
		fprintf(out, "cc%s", at + 1 == to || (at + 1 - from) % LINE_MOST == 0 ? "\n" : "");
	return true;
}

static bool print_code(const struct parts *parts, FILE *out)
{
	u64 end = parts->insns[0].at, left;
	bool whole = true;

	for (u32 i = 0; i < parts->n; i++) {
		const struct part *insn = &parts->insns[i];
		const u8 *bytes = text_bytes(parts->text, insn->at, &left);

		if (insn->at < end)
			continue; /* of another block, too */
		whole = print_gap(end, insn->at, out) && whole;
		for (u32 k = 0; k < insn->len; k++)
			fprintf(out, "%02x", bytes[k]);
		fprintf(out, " # %llx\n", (unsigned long long)insn->at);
		end = insn->at + insn->len;
	}
	return whole;
}

bool shrink_print(const struct text *text, const struct trace *trace, FILE *out)
{
	static struct parts parts;
	static char stanza[64 * SHAPE_BLOCKS_MAX];
	bool whole;

	parts.text = text;
	parts.n = 0;
	for (u32 i = 0; i < trace->n_blocks; i++)
		add_block(&parts, trace, trace->blocks[i].start);
	if (!parts.n)
		return false;
	qsort(parts.insns, parts.n, sizeof(parts.insns[0]), compare_parts);
	fprintf(out, "== args\n--addr 0x%llx --trace - --stats --prove\n== code\n",
	        (unsigned long long)parts.insns[0].at);
	whole = print_code(&parts, out);
	trace_format(trace, "bytes", stanza, sizeof(stanza));
	fprintf(out, "== in\n%s== out\n", stanza);
	return whole;
}
