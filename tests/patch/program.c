/* SPDX-License-Identifier: MIT */
/*
 * program.c - first sizes, then targets: an instruction's form is drawn before the addresses are
 * known, and its target from those that the form reaches.
 */
#include <stdlib.h>
#include <string.h>
#include "program.h"
#include "toy.h"

u32 roll(struct dice *dice, u32 n)
{
	/* Knuth's MMIX generator; the high bits are the good ones. */
	dice->state = dice->state * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)((dice->state >> 33) % n);
}

/* Forms and how often, of the sum of all. */
static const struct form {
	const char *hex;
	u32 share;
} forms[] = {
	{ "90", 3 },
	{ "50", 3 },
	{ "89c8", 6 },
	{ "4889c8", 6 },
	{ "4883c007", 6 },
	{ "b844332211", 5 },
	{ "0f1f440000", 2 },
	{ "488b0510200000", 5 },
	{ "c7052030000001020304", 2 },
	{ "7400", 8 },
	{ "7f00", 5 },
	{ "2e7500", 2 },
	{ "0f8200000000", 6 },
	{ "f20f8d00000000", 2 },
	{ "eb00", 4 },
	{ "e900000000", 3 },
	{ "e200", 2 },
	{ "e300", 1 },
	{ "67e000", 1 },
	{ "f2e100", 1 },
	{ "e800000000", 3 },
	{ "ffd0", 1 },
	{ "ffe0", 1 },
	{ "ff2500300000", 1 },
	{ "ff24c500000000", 2 },
	{ "c3", 1 },
	{ "0f05", 1 },
	{ "cc", 1 },
};
#define N_FORMS (sizeof(forms) / sizeof(forms[0]))
static const char *const barriers[] = { "c3", "e900000000", "eb00", "ffe0" };

static const char *draw(struct dice *dice)
{
	u32 sum = 0, at;

	for (u32 i = 0; i < N_FORMS; i++)
		sum += forms[i].share;
	at = roll(dice, sum);
	for (u32 i = 0;; at -= forms[i++].share) {
		if (at < forms[i].share)
			return forms[i].hex;
	}
}

struct insn program_insn(const struct program *p, u64 addr)
{
	struct insn insn;

	if (!toy_decode(p->bytes + (addr - TEXT_BASE), TEXT_SIZE - (addr - TEXT_BASE), addr, &insn))
		abort();
	return insn;
}

/* Points the branch at `addr` to one of p->insns[first .. n), or to itself where nothing else is in reach. */
static void aim(struct program *p, struct dice *dice, u64 addr, u32 first, u32 n)
{
	struct insn insn = program_insn(p, addr);
	u32 width = insn.len >= 5 ? 4 : 1;

	for (u32 tries = 0; tries < 50; tries++) {
		s64 distance = (s64)(p->insns[first + roll(dice, n - first)] - (addr + insn.len));

		if (tries == 49)
			distance = -(s64)insn.len;
		if (width == 1 && distance != (s8)distance)
			continue;
		memcpy(p->bytes + (addr - TEXT_BASE) + insn.len - width, &distance, width);
		return;
	}
}

const struct table *program_table(const struct program *p, const struct insn *insn)
{
	u64 at = insn->target - TABLE_BASE;

	if (insn->role != ROLE_JMP_INDIRECT || at % TABLE_SIZE || at / TABLE_SIZE >= p->n_tables)
		return NULL;
	return &p->tables[at / TABLE_SIZE];
}

/* Gives the jump a table of its own, or where there are enough one of another function, which is as good. */
static void give_table(struct program *p, struct dice *dice, u64 addr, u32 first)
{
	struct insn insn = program_insn(p, addr);
	u32 k = p->n_tables < MAX_TABLES ? p->n_tables++ : roll(dice, MAX_TABLES);
	s32 at = TABLE_BASE + (s32)k * TABLE_SIZE;
	struct table *table = &p->tables[k];

	memcpy(p->bytes + (addr - TEXT_BASE) + insn.rip_at, &at, sizeof(at));
	if (table->n)
		return;
	table->n = 1 + roll(dice, TABLE_ENTRIES);
	for (u32 i = 0; i < table->n; i++)
		table->targets[i] = p->insns[first + roll(dice, p->n_insns - first)];
}

static bool put(struct program *p, u64 *at, const char *hex)
{
	u8 bytes[16];
	u32 n = toy_hex(hex, bytes, sizeof(bytes));

	if (*at + n + 32 > TEXT_BASE + TEXT_SIZE || p->n_insns == MAX_INSNS)
		return false;
	memcpy(p->bytes + (*at - TEXT_BASE), bytes, n);
	p->insns[p->n_insns++] = *at;
	*at += n;
	return true;
}

void program_make(struct program *p, struct dice *dice, u32 n_functions, u32 n_insns)
{
	u64 at = TEXT_BASE;

	memset(p, 0, sizeof(*p));
	memset(p->bytes, 0xcc, sizeof(p->bytes));
	for (u32 f = 0; f < n_functions; f++) {
		u32 first = p->n_insns, n = 1 + roll(dice, n_insns);

		while (n-- && put(p, &at, draw(dice)))
			;
		if (!put(p, &at, barriers[roll(dice, 4)])) {
			p->insns[p->n_insns++] = at; /* the reserve is for this */
			p->bytes[at++ - TEXT_BASE] = 0xc3;
		}
		for (u32 i = first; i < p->n_insns; i++) {
			struct insn insn = program_insn(p, p->insns[i]);

			if (insn.role == ROLE_JMP || insn.role == ROLE_JCC ||
			    insn.role == ROLE_COUNT)
				aim(p, dice, insn.addr, first, p->n_insns);
			else if (insn.role == ROLE_CALL)
				aim(p, dice, insn.addr, 0, first + 1);
			else if (insn.role == ROLE_JMP_INDIRECT && insn.rip_at &&
			         !(insn.flags & INSN_RIP))
				give_table(p, dice, insn.addr, first);
		}
		for (u32 gaps = roll(dice, 4); gaps && p->n_gaps < MAX_GAPS; gaps--) {
			if (at + 48 > TEXT_BASE + TEXT_SIZE)
				return;
			p->gaps[p->n_gaps++] = at;
			at += JMP_REL32_LEN;
		}
		at += roll(dice, 3);
	}
}

/* ---- trees ---- */

static bool may_be_in_tree(const struct program *p, u64 addr)
{
	struct insn insn = program_insn(p, addr);

	return !insn_ends_path(&insn);
}

static struct ir_edge make_edge(const struct program *p, struct dice *dice, struct tree_store *t,
                                u32 from, u64 target, u32 max_blocks)
{
	struct ir_tree *tree = &t->tree;
	struct ir_edge edge = { .target = target, .kind = EDGE_EXIT };

	for (u32 b = from; b != IR_NO_PARENT; b = t->blocks[b].parent) {
		if (t->blocks[b].start == target) {
			edge.kind = EDGE_BACK;
			edge.block = b;
			return edge;
		}
	}
	if (tree->n_blocks >= max_blocks || !roll(dice, 4) || !may_be_in_tree(p, target))
		return edge;
	edge.kind = EDGE_CHILD;
	edge.block = tree->n_blocks++;
	t->blocks[edge.block] =
		(struct ir_block){ .start = target, .parent = from, .weight = roll(dice, 3) * 100 };
	return edge;
}

/* Instructions of a block up to its branch, or where it stops for other reasons. */
static void fill_block(const struct program *p, struct dice *dice, struct tree_store *t, u32 at,
                       u32 max_blocks)
{
	struct ir_block *block = &t->blocks[at];
	u64 addr = block->start, branch_target = 0;
	u8 role = ROLE_PLAIN;

	block->first = t->tree.n_ops;
	while (may_be_in_tree(p, addr) && role == ROLE_PLAIN) {
		struct insn insn = program_insn(p, addr);

		if (block->n &&
		    (t->tree.n_ops >= MAX_TREE_OPS - MAX_TREE_BLOCKS || !roll(dice, 12)))
			break;
		/* As pass tables leaves it: through the table's shadow. */
		if (program_table(p, &insn) && roll(dice, 4))
			insn.flags |= INSN_TABLE;
		t->ops[t->tree.n_ops++] = insn;
		block->n++;
		addr += insn.len;
		role = insn.role;
		branch_target = insn.target;
	}
	if (role == ROLE_RET || role == ROLE_JMP_INDIRECT)
		return;
	block->next =
		make_edge(p, dice, t, at, role == ROLE_JMP ? branch_target : addr, max_blocks);
	if (role != ROLE_JCC && role != ROLE_COUNT)
		return;
	/* Two children at one address are not a tree. */
	if (branch_target == addr && block->next.kind == EDGE_CHILD)
		max_blocks = 0;
	block->taken = make_edge(p, dice, t, at, branch_target, max_blocks);
}

bool program_tree(const struct program *p, struct dice *dice, u64 head, u32 max_blocks,
                  struct tree_store *out)
{
	memset(out, 0, sizeof(*out));
	if (!may_be_in_tree(p, head))
		return false;
	out->tree = (struct ir_tree){
		.head = head, .blocks = out->blocks, .ops = out->ops, .n_blocks = 1
	};
	out->blocks[0] = (struct ir_block){ .start = head, .parent = IR_NO_PARENT };
	for (u32 b = 0; b < out->tree.n_blocks; b++)
		fill_block(p, dice, out, b, max_blocks);
	return true;
}
