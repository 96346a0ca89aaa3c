/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * ir_text.c - a tree as text, for people and for tests.
 *
 * Invariant: ir_parse() makes the same tree of it. Mnemonics and addresses behind an
 * instruction's bytes are for the eye: the bytes say all, but for the table of INSN_TABLE.
 */
#include "ir.h"
#include "scan.h"

#define MNEMONIC_COLUMN 31

static void print_edge(struct printer *printer, const char *name, const struct ir_edge *edge)
{
	if (edge->kind == EDGE_NONE)
		return;
	print_text(printer, "  ");
	print_text(printer, name);
	if (edge->kind == EDGE_EXIT)
		print_text(printer, " exit");
	else if (edge->kind == EDGE_BACK)
		print_text(printer, " back");
	if (edge->kind != EDGE_EXIT) {
		print_char(printer, ' ');
		print_decimal(printer, edge->block);
	}
	print_char(printer, ' ');
	print_hex(printer, edge->target);
	print_char(printer, '\n');
}

static void print_insn(struct printer *printer, const struct insn *insn)
{
	u64 line = printer->used;

	print_text(printer, "  ");
	print_hex(printer, insn->addr);
	print_char(printer, ' ');
	print_bytes(printer, insn->bytes, insn->len);
	print_to_column(printer, line, MNEMONIC_COLUMN);
	print_text(printer, insn_mnemonic(insn->mnemonic));
	if ((insn->flags & INSN_RIP) || insn->role == ROLE_JMP || insn->role == ROLE_JCC ||
	    insn->role == ROLE_COUNT || insn->role == ROLE_CALL) {
		print_char(printer, ' ');
		print_hex(printer, insn->target);
	}
	if (insn->flags & INSN_TABLE) {
		print_text(printer, " table ");
		print_hex(printer, insn->target);
	}
	print_char(printer, '\n');
}

static void print_block(struct printer *printer, const struct ir_tree *tree, u32 b)
{
	const struct ir_block *block = &tree->blocks[b];

	print_text(printer, "block ");
	print_decimal(printer, b);
	print_char(printer, ' ');
	print_hex(printer, block->start);
	if (block->parent != IR_NO_PARENT) {
		print_text(printer, " parent ");
		print_decimal(printer, block->parent);
	}
	if (block->weight) {
		print_text(printer, " weight ");
		print_decimal(printer, block->weight);
	}
	if (block->branch) {
		print_text(printer, " branch ");
		print_decimal(printer, block->branch - 1);
	}
	print_char(printer, '\n');
	for (u32 i = 0; i < block->n; i++)
		print_insn(printer, &tree->ops[block->first + i]);
	print_edge(printer, "next", &block->next);
	print_edge(printer, "taken", &block->taken);
}

u64 ir_dump(const struct ir_tree *tree, char *out, u64 size)
{
	struct printer printer = { .out = out, .size = size };

	print_text(&printer, "tree ");
	print_hex(&printer, tree->head);
	print_char(&printer, '\n');
	for (u32 b = 0; b < tree->n_blocks; b++)
		print_block(&printer, tree, b);
	print_text(&printer, "end\n");
	return print_end(&printer);
}
