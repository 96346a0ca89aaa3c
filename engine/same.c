/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * same.c - the pass that leaves out instructions whose result is there already.
 *
 * Compilers keep a value in a register that calls preserve, and copy it back where ways join; on a path without the call the
 * copy changes nothing. Each value has a number: equal numbers, equal values. An instruction that reads nothing but general
 * registers makes a value of its bytes and of what it reads; everything else makes a new one. Each block begins with what
 * its parent ended with, the head of a loop with what of that every way back brings again. A comparison is left out if the flags are its already, and a
 * branch if the path has branched on the same before. Flags that another instruction writes must be dead. So the machine's state is
 * the original's at every boundary that is left, dead flags apart.
 */
#include "compact.h"
#include "flags.h"
#include "loops.h"

#define REX_W 8
#define REX_R 4
#define REX_B 1
#define GPRS 16
#define FLAGS 16 /* the status flags, all of them: one more value */
#define VALUES 17
#define FACTS 8
#define ALL_FLAGS (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

struct value {
	u8 bytes[INSN_MAX_LEN + 1]; /* without the displacement against rip */
	u64 target; /* relative to rip: what for */
	u32 reads[GPRS]; /* values of the registers it reads, else 0 */
	u32 number;
};

/* A condition on some flags, and whether its even form held. */
struct fact {
	u32 flags;
	u8 cc; /* without the lowest bit */
	bool holds;
};

/* What is known at a place of a path. */
struct known {
	u32 at[VALUES];
	struct fact facts[FACTS];
	u32 n_facts; /* the oldest are overwritten */
};

struct same {
	struct pass *pass;
	struct ir_tree *tree;
	struct value *values;
	u32 n_values, last; /* last: number given */
	struct known *known; /* block: where it begins, and after the walk where it ends */
	struct known *trial; /* block: where it begins, of a loop that is tried */
	u8 *is_head;
	u8 *inside; /* block: in the loop that is tried */
};

/* 64 bits from one general register to another: 48 89 /r, 48 8b /r. */
static bool is_copy(const struct insn *insn, u8 *to, u8 *from)
{
	const u8 *op = insn->bytes + insn->opcode_at;
	u8 rex = insn->opcode_at ? op[-1] : 0, reg, rm;

	if ((op[0] != 0x89 && op[0] != 0x8b) || (rex & 0xf8) != (0x40 | REX_W) || op[1] < 0xc0 ||
	    insn->opcode_at + 2u != insn->len)
		return false;
	reg = (u8)((op[1] >> 3 & 7) | (rex & REX_R ? 8 : 0));
	rm = (u8)((op[1] & 7) | (rex & REX_B ? 8 : 0));
	*to = op[0] == 0x89 ? rm : reg;
	*from = op[0] == 0x89 ? reg : rm;
	return true;
}

/* Does it make one general register, wholly, or just the flags, of general registers and nothing else? */
static bool is_pure(const struct insn *insn)
{
	const u32 other = INSN_LOAD | INSN_STORE | INSN_FENCE | INSN_REP | INSN_STACK |
	                  INSN_FAULTS | INSN_FLOAT | INSN_OPAQUE;
	u16 def = insn->def.gpr;

	return insn->role == ROLE_PLAIN && !(insn->flags & other) && !insn->flags_use &&
	       (def ? !(def & (def - 1)) : (insn->flags_def & ALL_FLAGS) == ALL_FLAGS) &&
	       insn->full.gpr == def && !insn->use.vec && !insn->use.mask && !insn->use.other &&
	       !insn->def.vec && !insn->def.mask && !insn->def.other;
}

static u32 new_number(struct same *s)
{
	return ++s->last;
}

/* The number of the value that a pure instruction makes. */
static u32 number_of(struct same *s, const struct insn *insn, const u32 *regs)
{
	struct value *value = &s->values[s->n_values];

	memset(value, 0, sizeof(*value));
	memcpy(value->bytes, insn->bytes, insn->len);
	if (insn->flags & INSN_RIP) {
		memset(value->bytes + insn->rip_at, 0, 4);
		value->target = insn->target;
	}
	for (u32 i = 0; i < GPRS; i++)
		value->reads[i] = insn->use.gpr >> i & 1 ? regs[i] : 0;
	for (u32 i = 0; i < s->n_values; i++)
		if (s->values[i].target == value->target &&
		    !memcmp(s->values[i].bytes, value->bytes, sizeof(value->bytes)) &&
		    !memcmp(s->values[i].reads, value->reads, sizeof(value->reads)))
			return s->values[i].number;
	value->number = new_number(s);
	s->n_values++;
	return value->number;
}

static u8 lowest_bit(u16 set)
{
	return (u8)__builtin_ctz(set);
}

/* Moves regs[] behind one instruction. True: it changes nothing but flags, and these only if it makes a register. */
static bool step(struct same *s, const struct insn *insn, u32 *regs)
{
	u8 to, from;
	u32 value;

	if (insn->def.gpr && insn->flags_def)
		regs[FLAGS] = new_number(s);

	if (is_copy(insn, &to, &from)) {
		value = regs[from];
	} else if (is_pure(insn)) {
		value = number_of(s, insn, regs);
		to = insn->def.gpr ? lowest_bit(insn->def.gpr) : FLAGS;
	} else {
		for (u32 i = 0; i < GPRS; i++)
			if (insn->def.gpr >> i & 1)
				regs[i] = new_number(s);
		if (insn->flags_def)
			regs[FLAGS] = new_number(s);
		return false;
	}
	if (regs[to] == value)
		return true;
	regs[to] = value;
	return false;
}

/* 1: the condition's even form holds, 0: it does not, -1: not known. */
static int find_fact(const struct known *k, u8 cc)
{
	for (u32 i = 0; i < FACTS && i < k->n_facts; i++)
		if (k->facts[i].flags == k->at[FLAGS] && k->facts[i].cc == cc >> 1)
			return k->facts[i].holds;
	return -1;
}

/* The branch at the end of block b goes one way only, if that is known. One that always leads back stays: no loop is empty. */
static bool decide(struct same *s, struct ir_block *block, const struct insn *insn,
                   const struct known *k)
{
	int holds = insn->role == ROLE_JCC ? find_fact(k, insn->cc) : -1;
	const struct ir_edge *way = holds != (insn->cc & 1) ? &block->taken : &block->next;

	if (holds < 0 || way->kind == EDGE_BACK || !pass_may(s->pass))
		return false;
	block->next = *way;
	block->next.flow = block->freq;
	block->taken = (struct ir_edge){ 0 };
	return true;
}

/* Marks what can go in block b; *k moves to its end. A block that leads back keeps one instruction: no loop is empty. */
static void walk(struct same *s, u32 b, struct known *k, u8 *gone)
{
	struct ir_block *block = &s->tree->blocks[b];
	bool none = block->next.kind == EDGE_BACK || block->taken.kind == EDGE_BACK;

	for (u32 i = 0; i < block->n; i++) {
		const struct insn *insn = &s->tree->ops[block->first + i];
		bool idle = step(s, insn, k->at);

		if (none && i + 1 == block->n)
			return;
		idle = idle &&
		       (!insn->def.gpr || !insn->flags_def || flags_dead_behind(s->pass, b, i)) &&
		       pass_may(s->pass);

		gone[block->first + i] = idle || decide(s, block, insn, k);
		none &= gone[block->first + i];
	}
}

/* ---- heads of loops ---- */

static void forget(struct same *s, u32 *regs, u32 which)
{
	for (u32 i = 0; i < VALUES; i++)
		if (which >> i & 1)
			regs[i] = new_number(s);
}

/* What is written under a head: a loop within the one that is tried. */
static u32 written_under(const struct same *s, u32 head)
{
	u32 set = 0;

	for (u32 b = head; b < s->tree->n_blocks; b++) {
		const struct ir_block *block = &s->tree->blocks[b];

		for (u32 i = 0; s->inside[b] && i < block->n; i++) {
			const struct insn *insn = &s->tree->ops[block->first + i];

			set |= insn->def.gpr | (insn->flags_def ? 1u << FLAGS : 0);
		}
	}
	return set;
}

/* Along one edge of the loop that is tried: *lost gets what its head does not find again. */
static void try_edge(struct same *s, u32 head, const struct ir_edge *edge, const struct known *k,
                     u32 *lost)
{
	if (edge->kind == EDGE_CHILD && s->inside[edge->block]) {
		s->trial[edge->block] = *k;
		if (s->is_head[edge->block])
			forget(s, s->trial[edge->block].at, written_under(s, edge->block));
	}
	for (u32 i = 0; i < VALUES && edge->kind == EDGE_BACK && edge->block == head; i++)
		if (k->at[i] != s->trial[head].at[i])
			*lost |= 1u << i;
}

/* Once around, from a head where all is as before the loop but what has been lost: what is lost then. */
static u32 go_round(struct same *s, u32 head, u32 lost)
{
	u32 n_values = s->n_values;

	s->trial[head] = s->known[head];
	forget(s, s->trial[head].at, lost);
	for (u32 b = head; b < s->tree->n_blocks; b++) {
		const struct ir_block *block = &s->tree->blocks[b];
		struct known k;

		if (!s->inside[b])
			continue;
		k = s->trial[b];
		for (u32 i = 0; i < block->n; i++)
			(void)step(s, &s->tree->ops[block->first + i], k.at);
		try_edge(s, head, &block->next, &k, &lost);
		try_edge(s, head, &block->taken, &k, &lost);
	}
	s->n_values = n_values;
	return lost;
}

/* Facts are about values, which do not change. */
static void enter_loop(struct same *s, u32 head)
{
	u32 lost = 0, before;

	loops_mark_inside(s->tree, head, s->inside);
	do {
		before = lost;
		lost = go_round(s, head, lost);
	} while (lost != before);
	forget(s, s->known[head].at, lost);
}

static void hand_on(struct same *s, u32 b, const struct ir_edge *edge)
{
	const struct ir_block *block = &s->tree->blocks[b];
	const struct insn *last = block->n ? &s->tree->ops[block->first + block->n - 1] : NULL;
	struct known *k;

	if (edge->kind != EDGE_CHILD)
		return;
	k = &s->known[edge->block];
	*k = s->known[b];
	if (last && last->role == ROLE_JCC && block->taken.kind != EDGE_NONE)
		k->facts[k->n_facts++ % FACTS] =
			(struct fact){ k->at[FLAGS], (u8)(last->cc >> 1),
			               (edge == &block->taken) != (last->cc & 1) };
	if (s->is_head[edge->block])
		enter_loop(s, edge->block);
}

enum status pass_same(struct pass *pass)
{
	struct same s = { .pass = pass, .tree = pass->tree };
	u32 n_ops = pass->tree->n_ops, n_blocks = pass->tree->n_blocks, before = pass->left;
	u8 *gone = arena_alloc(pass->arena, n_ops, 1);

	s.values = arena_alloc(pass->arena, n_ops + 1, sizeof(*s.values));
	s.known = arena_alloc(pass->arena, n_blocks, sizeof(*s.known));
	s.trial = arena_alloc(pass->arena, n_blocks, sizeof(*s.trial));
	s.is_head = arena_alloc(pass->arena, n_blocks, 1);
	s.inside = arena_alloc(pass->arena, n_blocks, 1);
	if (!gone || !s.values || !s.known || !s.trial || !s.is_head || !s.inside)
		return failed(pass->fail, STATUS_WORKSPACE, pass->tree->head, pass->arena->size);
	loops_mark_heads(s.tree, s.is_head);
	for (u32 i = 0; i < VALUES; i++)
		s.known[0].at[i] = new_number(&s);
	for (u32 b = 0; b < n_blocks; b++) {
		if (b && !s.known[b].at[0])
			continue; /* behind a branch that goes the other way */
		walk(&s, b, &s.known[b], gone);
		hand_on(&s, b, &pass->tree->blocks[b].next);
		hand_on(&s, b, &pass->tree->blocks[b].taken);
	}
	return pass->left != before ? compact_ops(pass, gone) : STATUS_OK;
}
