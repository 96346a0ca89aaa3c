/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * trace_text.c - traces as text, for files, tests and repeating what a program did.
 *
 * Invariant: what trace_format() writes, trace_parse() reads back to the same blocks. A parent is
 * a number as written; whether it precedes its child is not a question of syntax.
 */
#include "limits.h"
#include "scan.h"
#include "trace.h"

struct parser {
	struct scan scan;
	u64 base; /* of the text, for *pos */
	struct trace_block *blocks;
	u32 n;
};

static enum status syntax(const struct parser *parser, struct failure *fail)
{
	return failed(fail, STATUS_TRACE_SYNTAX, 0, parser->scan.line);
}

/* "0x1a40 [after 0] [weight 120] [branch 900]", behind the word "block". */
static bool parse_block(struct scan *scan, struct trace_block *block)
{
	struct word word;

	block->parent = TRACE_NO_PARENT;
	block->weight = block->branch = 0;
	if (!word_hex(scan_word(scan), &block->start))
		return false;
	word = scan_word(scan);
	if (word_is(word, "after")) {
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
	return !word.len;
}

/* "trace MODULE 0x1a2c [entries 70]" */
static bool parse_head(struct scan *scan, struct trace_stanza *stanza, u64 *head)
{
	struct word module, word;

	if (!word_is(scan_word(scan), "trace"))
		return false;
	module = scan_word(scan);
	if (!word_hex(scan_word(scan), head))
		return false;
	word = scan_word(scan);
	stanza->trace.entries = 0;
	if (word_is(word, "entries")) {
		if (!word_decimal(scan_word(scan), &stanza->trace.entries))
			return false;
		word = scan_word(scan);
	}
	if (word.len)
		return false;
	stanza->module = module.at;
	stanza->module_len = module.len;
	stanza->line = scan->line;
	return true;
}

static enum status parse_blocks(struct parser *parser, struct failure *fail)
{
	while (scan_line(&parser->scan)) {
		struct word word = scan_word(&parser->scan);

		if (word_is(word, "end"))
			return scan_word(&parser->scan).len ? syntax(parser, fail) : STATUS_OK;
		if (!word_is(word, "block"))
			return syntax(parser, fail);
		if (parser->n == LIMIT_TREE_BLOCKS)
			return failed(fail, STATUS_TRACE_BLOCKS, 0, LIMIT_TREE_BLOCKS);
		if (!parse_block(&parser->scan, &parser->blocks[parser->n++]))
			return syntax(parser, fail);
	}
	return syntax(parser, fail);
}

enum status trace_parse(const char *text, u64 size, u64 *pos, u32 *line, struct arena *arena,
                        struct trace_stanza *out, struct failure *fail)
{
	u64 before = arena_mark(arena), head;
	struct trace_stanza stanza;
	struct parser parser = { 0 };
	enum status status;

	scan_init(&parser.scan, text + *pos, size - *pos);
	parser.scan.line = *line;
	if (!scan_line(&parser.scan))
		return failed(fail, STATUS_END, 0, 0);
	if (!parse_head(&parser.scan, &stanza, &head))
		return syntax(&parser, fail);
	parser.blocks = arena_alloc(arena, LIMIT_TREE_BLOCKS, sizeof(*parser.blocks));
	if (!parser.blocks)
		return failed(fail, STATUS_WORKSPACE, 0, arena->size);
	status = parse_blocks(&parser, fail);
	if (!status && parser.n && parser.blocks[0].start != head)
		status = syntax(&parser, fail);
	if (status) {
		arena_release(arena, before);
		return status;
	}
	arena_release(arena,
	              arena_mark(arena) - (LIMIT_TREE_BLOCKS - parser.n) * sizeof(*parser.blocks));
	stanza.trace.blocks = parser.blocks;
	stanza.trace.n_blocks = parser.n;
	*pos = (u64)(parser.scan.next - text);
	*line = parser.scan.line;
	*out = stanza;
	return STATUS_OK;
}

static void print_module(struct printer *printer, const char *module)
{
	for (; *module; module++)
		print_char(printer, *module <= ' ' || *module == '#' ? '_' : *module);
}

u64 trace_format(const struct trace *trace, const char *module, char *out, u64 size)
{
	struct printer printer = { .out = out, .size = size };

	print_text(&printer, "trace ");
	print_module(&printer, *module ? module : "_");
	print_char(&printer, ' ');
	print_hex(&printer, trace->n_blocks ? trace->blocks[0].start : 0);
	if (trace->entries) {
		print_text(&printer, " entries ");
		print_decimal(&printer, trace->entries);
	}
	print_char(&printer, '\n');
	for (u32 i = 0; i < trace->n_blocks; i++) {
		const struct trace_block *block = &trace->blocks[i];

		print_text(&printer, "  block ");
		print_hex(&printer, block->start);
		if (block->parent != TRACE_NO_PARENT) {
			print_text(&printer, " after ");
			print_decimal(&printer, block->parent);
		}
		if (block->weight) {
			print_text(&printer, " weight ");
			print_decimal(&printer, block->weight);
		}
		if (block->branch) {
			print_text(&printer, " branch ");
			print_decimal(&printer, block->branch - 1);
		}
		print_char(&printer, '\n');
	}
	print_text(&printer, "end\n");
	return print_end(&printer);
}
