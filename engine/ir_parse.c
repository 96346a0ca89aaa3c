/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * ir_parse.c - a tree from its text form.
 *
 * Syntax only, and each instruction is decoded from its bytes; whether the tree keeps the
 * invariants of ir.h is ir_verify()'s to say, so that tests can write trees that break them.
 */
#include "ir.h"
#include "limits.h"
#include "scan.h"

struct parser {
	struct scan scan;
	struct ir_tree tree;
	void *decoder;
	struct failure *fail;
};

static enum status syntax(const struct parser *parser)
{
	return failed(parser->fail, STATUS_IR_SYNTAX, 0, parser->scan.line);
}

/* "exit 0x1a40", "back 0 0x1a2c" or "1 0x1a32" */
static bool parse_edge(struct scan *scan, struct ir_edge *edge)
{
	struct word word = scan_word(scan);
	struct ir_edge made = { .kind = EDGE_CHILD };

	if (word_is(word, "exit")) {
		made.kind = EDGE_EXIT;
	} else {
		if (word_is(word, "back")) {
			made.kind = EDGE_BACK;
			word = scan_word(scan);
		}
		if (!word_decimal(word, &made.block))
			return false;
	}
	if (edge->kind != EDGE_NONE || !word_hex(scan_word(scan), &made.target) ||
	    scan_word(scan).len)
		return false;
	*edge = made;
	return true;
}

/* "1 0x1a32 [parent 0] [weight 120] [branch 900]", behind the word "block"; numbers count from 0. */
static bool parse_block(struct parser *parser)
{
	struct ir_block *block = &parser->tree.blocks[parser->tree.n_blocks];
	struct scan *scan = &parser->scan;
	struct word word;
	u32 number;

	if (parser->tree.n_blocks == LIMIT_TREE_BLOCKS || !word_decimal(scan_word(scan), &number) ||
	    number != parser->tree.n_blocks || !word_hex(scan_word(scan), &block->start))
		return false;
	block->parent = IR_NO_PARENT;
	block->first = parser->tree.n_ops;
	word = scan_word(scan);
	if (word_is(word, "parent")) {
		if (!word_decimal(scan_word(scan), &block->parent))
			return false;
		word = scan_word(scan);
	}
	if (word_is(word, "weight")) {
		if (!word_decimal(scan_word(scan), &block->weight))
			return false;
		word = scan_word(scan);
	}
	if (word_is(word, "branch")) {
		if (!word_decimal(scan_word(scan), &block->branch) || block->branch++ > 1000)
			return false;
		word = scan_word(scan);
	}
	parser->tree.n_blocks++;
	return !word.len;
}

/* Of a jump through the shadow of a jump table, whose field is its last. */
static bool parse_table(struct scan *scan, struct insn *insn)
{
	if (!insn->n_mem || (insn->flags & INSN_RIP) || insn->len < sizeof(s32) + 2 ||
	    !word_hex(scan_word(scan), &insn->target))
		return false;
	insn->flags |= INSN_TABLE;
	insn->rip_at = (u8)(insn->len - sizeof(s32));
	return true;
}

/* An address and bytes; what follows them is for the eye, but for a jump's table. */
static enum status parse_insn(struct parser *parser, struct word addr_word)
{
	struct insn *insn = &parser->tree.ops[parser->tree.n_ops];
	u8 bytes[INSN_MAX_LEN];
	enum status status;
	u64 addr;
	u32 n;

	if (!parser->tree.n_blocks || parser->tree.n_ops == LIMIT_TREE_INSNS ||
	    !word_hex(addr_word, &addr) ||
	    !word_bytes(scan_word(&parser->scan), bytes, sizeof(bytes), &n))
		return syntax(parser);
	status = decode_insn(bytes, n, addr, parser->decoder, insn, parser->fail);
	if (status)
		return status;
	if (insn->len != n)
		return syntax(parser);
	scan_word(&parser->scan);
	if (insn->role == ROLE_JMP_INDIRECT && word_is(scan_word(&parser->scan), "table") &&
	    !parse_table(&parser->scan, insn))
		return syntax(parser);
	parser->tree.n_ops++;
	parser->tree.blocks[parser->tree.n_blocks - 1].n++;
	return STATUS_OK;
}

static enum status parse_line(struct parser *parser, bool *end)
{
	struct word word = scan_word(&parser->scan);
	struct ir_block *block = parser->tree.blocks + parser->tree.n_blocks - 1;
	bool ok;

	if (word_is(word, "end")) {
		*end = true;
		ok = !scan_word(&parser->scan).len;
	} else if (word_is(word, "block")) {
		ok = parse_block(parser);
	} else if (word_is(word, "next")) {
		ok = parser->tree.n_blocks && parse_edge(&parser->scan, &block->next);
	} else if (word_is(word, "taken")) {
		ok = parser->tree.n_blocks && parse_edge(&parser->scan, &block->taken);
	} else {
		return parse_insn(parser, word);
	}
	return ok ? STATUS_OK : syntax(parser);
}

static enum status parse_tree(struct parser *parser)
{
	enum status status = STATUS_OK;
	bool end = false;

	if (!scan_line(&parser->scan) || !word_is(scan_word(&parser->scan), "tree") ||
	    !word_hex(scan_word(&parser->scan), &parser->tree.head) || scan_word(&parser->scan).len)
		return syntax(parser);
	while (!status && !end) {
		if (!scan_line(&parser->scan))
			return syntax(parser);
		status = parse_line(parser, &end);
	}
	return status;
}

/*
 * Frames are not in the text: they follow from calls and returns on the way to a block. A block
 * whose parent makes no sense stays in frame 0, for ir_verify() to find.
 */
static void derive_frames(struct ir_tree *tree)
{
	tree->frames[0].parent = IR_NO_PARENT;
	tree->n_frames = tree->n_states = 1;
	for (u32 b = 1; b < tree->n_blocks; b++) {
		struct ir_block *block = &tree->blocks[b];
		struct ir_frame *frame = &tree->frames[tree->n_frames];
		const struct ir_block *parent;
		const struct insn *last;

		if (block->parent >= b || !tree->blocks[block->parent].n)
			continue;
		parent = &tree->blocks[block->parent];
		last = &tree->ops[parent->first + parent->n - 1];
		block->frame = parent->frame;
		if (last->role == ROLE_RET && parent->frame)
			block->frame = tree->frames[parent->frame].parent;
		if (last->role != ROLE_CALL)
			continue;
		frame->parent = parent->frame;
		frame->call = last->addr;
		frame->ret = last->addr + last->len;
		block->frame = tree->n_frames++;
	}
}

enum status ir_parse(const char *text, u64 size, struct arena *arena, struct ir_tree *out,
                     struct failure *fail)
{
	struct parser parser = { .fail = fail };
	u64 before = arena_mark(arena), keep;
	enum status status;

	parser.tree.blocks = arena_alloc(arena, LIMIT_TREE_BLOCKS, sizeof(struct ir_block));
	parser.tree.frames = arena_alloc(arena, LIMIT_TREE_BLOCKS, sizeof(struct ir_frame));
	parser.tree.states = arena_alloc(arena, 1, sizeof(struct ir_state));
	parser.tree.ops = arena_alloc(arena, LIMIT_TREE_INSNS, sizeof(struct insn));
	keep = arena_mark(arena);
	parser.decoder = arena_alloc(arena, 1, decode_scratch_size());
	scan_init(&parser.scan, text, size);
	if (!parser.tree.blocks || !parser.tree.frames || !parser.tree.states || !parser.tree.ops ||
	    !parser.decoder)
		status = failed(fail, STATUS_WORKSPACE, 0, arena->size);
	else
		status = parse_tree(&parser);
	if (status) {
		arena_release(arena, before);
		return status;
	}
	derive_frames(&parser.tree);
	arena_release(arena, keep - (LIMIT_TREE_INSNS - parser.tree.n_ops) * sizeof(struct insn));
	*out = parser.tree;
	return STATUS_OK;
}
