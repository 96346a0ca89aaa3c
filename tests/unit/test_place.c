/* SPDX-License-Identifier: MIT */
/*
 * The slot placement (place.h): exact decisions for small sections, and thousands of
 * random ones checked against an oracle that shares no idea with the policy
 * (place_oracle.h). What it says after the decisions must be what place_section()
 * promises and counts.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "place_oracle.h"
#include "unit.h"

#define CANARY 64
#define MAX_INSN 15

static const char *context; /* what is being tested, for messages */
static u64 context_seed;
static u32 context_budget;

static void check(bool good, const char *what, long a, long b)
{
	static unsigned told;

	CU_ASSERT(good);
	if (!good && told++ < 40)
		fprintf(stderr, "%s %lu, budget %u: %s (%ld, %ld)\n", context,
		        (unsigned long)context_seed, context_budget, what, a, b);
}

/* ---- the section under test ---- */

/* Decide, from `fill` in every byte of the scratch memory; nothing else may be written. */
static void place(struct section *t, u32 budget, int fill)
{
	struct place_options options = { budget, t->nop_max };
	size_t size = PLACE_SCRATCH(t->n);
	u8 *scratch = malloc(size + CANARY);

	CU_ASSERT_FATAL(scratch != NULL);
	memset(scratch, fill, size);
	memset(scratch + size, 0x77, CANARY);
	memset(&t->stats, 0xee, sizeof(t->stats));
	place_section(t->u, t->n, &options, scratch, &t->stats);
	for (int i = 0; i < CANARY; i++)
		check(scratch[size + i] == 0x77, "scratch overrun", i, 0);
	free(scratch);
}

static void undecide(struct section *t)
{
	for (size_t i = 0; i < t->n; i++)
		t->u[i].prefixes = t->u[i].force_long = t->u[i].slots = t->u[i].hoisted = 0;
}

/* ---- exact decisions ---- */

#define P PLACE_PREFIXABLE
#define L PLACE_LEADER
#define H (PLACE_LEADER | PLACE_LOOP_HEAD)
#define X PLACE_FORBIDDEN
#define STOP (PLACE_BARRIER | PLACE_BRANCH)
#define INSN(len, ...) \
	{ .arg = PLACE_NO_TARGET, .kind = PLACE_INSN, .size = len, .size_long = len, __VA_ARGS__ }
#define RET(...) INSN(1, .flags = STOP, __VA_ARGS__)
#define JMP(to, fl, ...) \
	{ .arg = to, \
	  .kind = PLACE_INSN, \
	  .flags = STOP | (fl), \
	  .size = 2, \
	  .size_long = 5, \
	  __VA_ARGS__ }
#define JCC(to, fl, ...) \
	{ .arg = to, \
	  .kind = PLACE_INSN, \
	  .flags = PLACE_BRANCH | (fl), \
	  .size = 2, \
	  .size_long = 6, \
	  __VA_ARGS__ }
#define ALIGN(to, fl, ...) { .arg = to, .kind = PLACE_ALIGN, .flags = fl, __VA_ARGS__ }
#define DATA(len) { .arg = len, .kind = PLACE_BYTES }

/* Units carry the decisions that are expected; budget 0. */
static const struct exact {
	const char *name;
	u32 nop_max, text, grown, sites, heads, gaps, unpatchable;
	struct place_unit u[8];
} exacts[] = {
	{ "nothing", 10, .text = 0 },
	{ "only data", 10, .text = 40, .grown = 40, .u = { DATA(33), DATA(7) } },
	{ "a loop without a barrier", 10, .text = 4, .grown = 7, .sites = 1, .heads = 1,
	  .u = { INSN(2, .flags = P | H, .prefixes = 3), JCC(0, 0) } },
	{ "a slot for what takes no prefix", 10, .text = 3, .grown = 8, .sites = 1,
	  .u = { INSN(2, .flags = L), RET(.slots = 1) } },
	{ "a prefix for one", 10, .text = 3, .grown = 6, .sites = 1,
	  .u = { INSN(2, .flags = P | L, .prefixes = 3), RET() } },
	{ "a slot for two", 10, .text = 5, .grown = 10, .sites = 2,
	  .u = { INSN(2, .flags = P | L), INSN(2, .flags = P | L), RET(.slots = 1) } },
	{ "one byte each for two", 10, .text = 9, .grown = 11, .sites = 2,
	  .u = { INSN(4, .flags = P | L, .prefixes = 1), INSN(4, .flags = P | L, .prefixes = 1),
	         RET() } },
	{ "two loops at once", 10, .text = 5, .grown = 13, .sites = 2, .heads = 2,
	  .u = { INSN(2, .flags = P | H), INSN(2, .flags = P | H, .prefixes = 3),
	         RET(.slots = 1) } },
	{ "two loops of what takes no prefix", 10, .text = 5, .grown = 15, .sites = 2, .heads = 2,
	  .u = { INSN(2, .flags = H), INSN(2, .flags = H), RET(.slots = 2) } },
	{ "the loop that cannot be made longer wins", 10, .text = 21, .grown = 21, .sites = 3,
	  .heads = 2, .gaps = 1,
	  .u = { INSN(2, .flags = P | H, .prefixes = 3), INSN(2, .flags = H), INSN(2),
	         INSN(1, .flags = STOP | X), ALIGN(16, 0, .max = 10), INSN(5, .flags = L) } },
	{ "padding behind ret", 10, .text = 21, .grown = 21, .sites = 2, .gaps = 1,
	  .u = { INSN(2, .flags = L), INSN(7), RET(), ALIGN(16, 0), INSN(5, .flags = L) } },
	{ "padding behind ret, too little", 10, .text = 21, .grown = 37, .sites = 2, .gaps = 3,
	  .u = { INSN(2, .flags = L), INSN(9), RET(.slots = 1), ALIGN(16, 0),
	         INSN(5, .flags = L) } },
	{ "padding a jump table names", 10, .text = 21, .grown = 21, .sites = 3,
	  .u = { INSN(2, .flags = L), INSN(7), RET(.slots = 1), ALIGN(16, L),
	         INSN(5, .flags = L) } },
	{ "padding left over", 10, .text = 21, .grown = 21, .sites = 2, .gaps = 1,
	  .u = { INSN(2, .flags = P | L, .prefixes = 3), INSN(5), RET(), ALIGN(16, 0),
	         INSN(5, .flags = L) } },
	{ "padding that may vanish stays", 10, .text = 21, .grown = 21, .sites = 2, .gaps = 1,
	  .u = { INSN(2, .flags = P | L), INSN(5), RET(), ALIGN(16, 0, .max = 12),
	         INSN(5, .flags = L) } },
	{ "executed padding", 10, .text = 21, .grown = 21, .sites = 2, .gaps = 1,
	  .u = { INSN(2, .flags = L), INSN(5), ALIGN(16, 0), INSN(5, .flags = L) } },
	{ "executed padding, too little", 10, .text = 21, .grown = 21, .sites = 2, .unpatchable = 1,
	  .u = { INSN(2, .flags = L), INSN(7), ALIGN(16, 0), INSN(5, .flags = L) } },
	{ "executed padding of short NOPs", 7, .text = 21, .grown = 21, .sites = 2,
	  .unpatchable = 1,
	  .u = { INSN(2, .flags = L), INSN(5), ALIGN(16, 0), INSN(5, .flags = L) } },
	{ "executed padding of a block", 10, .text = 21, .grown = 21, .sites = 3, .unpatchable = 1,
	  .u = { INSN(2, .flags = L), INSN(3), JCC(4, 0), ALIGN(16, 0), INSN(5, .flags = L) } },
	{ "branch as far as rel8 goes", 10, .text = 134, .grown = 134, .sites = 1,
	  .u = { JCC(2, 0), DATA(127), INSN(5, .flags = L) } },
	{ "branch farther than rel8 goes", 10, .text = 139, .grown = 139, .sites = 1,
	  .u = { JCC(2, 0), DATA(128), INSN(5, .flags = L) } },
	{ "branch back as far as rel8 goes", 10, .text = 128, .grown = 128, .sites = 1, .heads = 1,
	  .u = { INSN(5, .flags = H), DATA(121), JCC(0, 0) } },
	{ "branch back farther than rel8 goes", 10, .text = 133, .grown = 133, .sites = 1,
	  .heads = 1, .u = { INSN(5, .flags = H), DATA(122), JCC(0, 0) } },
	{ "branches over each other, short", 10, .text = 133, .grown = 133, .sites = 1,
	  .u = { JCC(3, L | X), DATA(124), JCC(0, X), INSN(5, .flags = L) } },
	{ "branches over each other, long", 10, .text = 142, .grown = 142, .sites = 1,
	  .u = { JCC(3, L | X), DATA(125), JCC(0, X), INSN(5, .flags = L) } },
	{ "jmp to itself", 10, .text = 2, .grown = 5, .sites = 1, .heads = 1,
	  .u = { JMP(0, H, .force_long = 1) } },
	{ "jmp alone", 10, .text = 2, .grown = 2, .u = { JMP(0, 0) } },
	{ "a branch that is long anyway is not forced", 10, .text = 139, .grown = 139, .sites = 2,
	  .u = { JCC(2, L), DATA(128), INSN(5, .flags = L) } },
	{ "endbr stays in front", 10, .text = 7, .grown = 10, .sites = 1,
	  .u = { INSN(4, .flags = L | PLACE_ENDBR), INSN(2, .flags = P, .prefixes = 3), RET() } },
	{ "push stays in front", 10, .text = 4, .grown = 7, .sites = 1,
	  .u = { INSN(1, .flags = L), INSN(2, .flags = P, .prefixes = 3), RET() } },
	{ "no site in a block of one byte", 10, .text = 4, .grown = 4,
	  .u = { INSN(1, .flags = L), RET(), INSN(2, .flags = P) } },
	{ "nothing in what is forbidden", 10, .text = 8, .grown = 8, .sites = 1, .unpatchable = 1,
	  .u = { INSN(2, .flags = L), INSN(1, .flags = STOP | X), INSN(2, .flags = P | L | X),
	         JMP(0, L | X), INSN(1, .flags = STOP | X) } },
	{ "as far as a slot forward", 10, .text = 129, .grown = 134, .sites = 1,
	  .u = { INSN(2, .flags = L), DATA(126), RET(.slots = 1) } },
	{ "too far forward", 10, .text = 130, .grown = 130, .sites = 1, .unpatchable = 1,
	  .u = { INSN(2, .flags = L), DATA(127), RET() } },
	{ "as far as a slot back", 10, .text = 124, .grown = 129, .sites = 1,
	  .u = { RET(.slots = 1), DATA(121), INSN(2, .flags = L) } },
	{ "more slots than units", 10, .text = 196, .grown = 196, .sites = 2, .gaps = 36,
	  .u = { RET(), ALIGN(64, 0), RET(), ALIGN(64, 0), RET(), ALIGN(64, 0), INSN(2, .flags = L),
	         INSN(2, .flags = L) } },
	{ "the last barrier in reach", 10, .text = 4, .grown = 9, .sites = 1,
	  .u = { INSN(2, .flags = L), RET(), RET(.slots = 1) } },
	{ "a slot that padding made needless", 7, .text = 37, .grown = 37, .sites = 4,
	  .u = { INSN(2, .flags = P | L, .prefixes = 3), INSN(2, .flags = P | L, .prefixes = 3),
	         INSN(7), RET(), INSN(5, .flags = L), ALIGN(32, 0), INSN(5, .flags = L) } },
	{ "padding a byte short of a prefix more", 10, .text = 21, .grown = 21, .sites = 2,
	  .gaps = 1,
	  .u = { INSN(2, .flags = P | L), INSN(6), RET(), ALIGN(16, 0), INSN(5, .flags = L) } },
	{ "a slot that would cost a step of alignment", 10, .text = 21, .grown = 37, .sites = 3,
	  .gaps = 2,
	  .u = { INSN(2, .flags = P | L, .prefixes = 3), INSN(2, .flags = P | L, .prefixes = 3),
	         INSN(7), RET(), ALIGN(16, 0), INSN(5, .flags = L) } },
	{ "only the last of twelve in reach", 10, .text = 184, .grown = 184, .sites = 1, .gaps = 12,
	  .u = { RET(), ALIGN(64, 0), DATA(118), INSN(2, .flags = L) } },
	{ "a longer one comes in front", 10, .text = 10, .grown = 10, .sites = 1,
	  .u = { INSN(2, .flags = P | L, .hoist = 2, .hoisted = 1), INSN(3), INSN(5) } },
	{ "a longer one comes in front, with a prefix", 10, .text = 6, .grown = 7, .sites = 1,
	  .u = { INSN(2, .flags = P | L, .hoist = 1, .hoisted = 1, .prefixes = 1), INSN(4) } },
	{ "a shorter one does not come in front", 10, .text = 8, .grown = 9, .sites = 1,
	  .u = { INSN(4, .flags = P | L, .hoist = 1, .prefixes = 1), INSN(4) } },
	{ "none comes in front of what is long", 10, .text = 11, .grown = 11, .sites = 1,
	  .u = { INSN(5, .flags = L, .hoist = 1), INSN(6) } },
	{ "none comes in front where no block starts", 10, .text = 12, .grown = 12, .sites = 1,
	  .u = { INSN(5, .flags = L), INSN(2, .flags = P, .hoist = 1), INSN(5) } },
	{ "none comes from where something leads", 10, .text = 7, .grown = 10, .sites = 2,
	  .u = { INSN(2, .flags = P | L, .hoist = 1, .prefixes = 3), INSN(5, .flags = L) } },
	{ "none comes from what is forbidden", 10, .text = 7, .grown = 10, .sites = 1,
	  .u = { INSN(2, .flags = P | L, .hoist = 1, .prefixes = 3), INSN(5, .flags = X) } },
	{ "a branch stays where it is", 10, .text = 12, .grown = 15, .sites = 2,
	  .u = { INSN(2, .flags = P | L, .hoist = 1, .prefixes = 3), INSN(5, .flags = PLACE_BRANCH),
	         INSN(5) } },
	{ "too far back", 10, .text = 125, .grown = 125, .sites = 1, .unpatchable = 1,
	  .u = { RET(), DATA(122), INSN(2, .flags = L) } },
};

static void compare_units(const struct section *t, const struct exact *e)
{
	for (size_t i = 0; i < t->n; i++) {
		check(t->u[i].prefixes == e->u[i].prefixes, "prefixes", (long)i, t->u[i].prefixes);
		check(t->u[i].force_long == e->u[i].force_long, "force_long", (long)i,
		      t->u[i].force_long);
		check(t->u[i].slots == e->u[i].slots, "slots", (long)i, t->u[i].slots);
		check(t->u[i].hoisted == e->u[i].hoisted, "hoisted", (long)i, t->u[i].hoisted);
	}
}

static void test_exact(void)
{
	static struct section t;

	context_budget = 0;
	for (size_t c = 0; c < sizeof(exacts) / sizeof(*exacts); c++) {
		const struct exact *e = &exacts[c];

		context = e->name;
		context_seed = c;
		t.nop_max = e->nop_max;
		memcpy(t.u, e->u, sizeof(e->u));
		for (t.n = 0; t.n < sizeof(e->u) / sizeof(*e->u); t.n++)
			if (!e->u[t.n].arg && !e->u[t.n].size && !e->u[t.n].flags)
				break;
		undecide(&t);
		place(&t, 0, 0);
		compare_units(&t, e);
		check(t.stats.text == e->text, "text", t.stats.text, e->text);
		check(t.stats.text_grown == e->grown, "text_grown", t.stats.text_grown, e->grown);
		check(t.stats.sites == e->sites, "sites", t.stats.sites, e->sites);
		check(t.stats.loop_heads == e->heads, "loop_heads", t.stats.loop_heads, e->heads);
		check(t.stats.gaps == e->gaps, "gaps", t.stats.gaps, e->gaps);
		check(t.stats.unpatchable == e->unpatchable, "unpatchable", t.stats.unpatchable,
		      e->unpatchable);
	}
}

/* ---- random sections ---- */

/* Chances in percent of what a unit is; what is left over is an ordinary instruction. */
struct profile {
	u32 barrier, branch, align, data, leader, one_byte, endbr, stiff, forbidden, max_align_log2;
	u32 far; /* of branches: that lead anywhere */
	u32 hoist; /* of what can be made longer: that a longer one may come in front of */
};

static struct profile random_profile(u64 *rnd)
{
	struct profile p = {
		.barrier = (u32)random_below(rnd, 16),
		.branch = (u32)random_below(rnd, 35),
		.align = random_below(rnd, 3) ? (u32)random_below(rnd, 15) : 0,
		.data = random_below(rnd, 3) ? 0 : (u32)random_below(rnd, 6),
		.leader = (u32)random_below(rnd, 20),
		.one_byte = (u32)random_below(rnd, 30),
		.endbr = (u32)random_below(rnd, 10),
		.stiff = random_below(rnd, 3) ? (u32)random_below(rnd, 60) : 0,
		.forbidden = random_below(rnd, 2) ? (u32)random_below(rnd, 4) : 0,
		.max_align_log2 = (u32)random_below(rnd, 7),
		.far = random_below(rnd, 2) ? 5 : (u32)random_below(rnd, 40),
		.hoist = random_below(rnd, 2) ? 0 : (u32)random_below(rnd, 60),
	};

	if (!random_below(rnd, 5)) { /* tiny functions */
		p.barrier = 40;
		p.align = 50;
	}
	return p;
}

static bool percent(u64 *rnd, u32 chance)
{
	return random_below(rnd, 100) < chance;
}

static struct place_unit random_branch(u64 *rnd, const struct profile *p, u32 i, u32 n)
{
	struct place_unit jcc = JCC(PLACE_NO_TARGET, 0), jmp = JMP(PLACE_NO_TARGET, 0);
	struct place_unit indirect = INSN(2, .flags = STOP | P), u;
	u64 from = i > 25 ? i - 25 : 0, to = i + 25 < n ? i + 25 : n;

	u = percent(rnd, 30) ? jmp : jcc;
	if (percent(rnd, p->far)) {
		from = 0;
		to = n;
	}
	u.arg = (u32)(from + random_below(rnd, to - from));
	if (percent(rnd, 5)) { /* jrcxz */
		u = jcc;
		u.size_long = u.size;
	} else if (percent(rnd, 8)) {
		u = indirect;
		u.flags = percent(rnd, p->stiff) ? STOP : u.flags;
	} else if (percent(rnd, 6)) { /* a tail call */
		u.arg = PLACE_NO_TARGET;
		u.size = u.size_long;
	}
	return u;
}

static struct place_unit random_unit(u64 *rnd, const struct profile *p, u32 i, u32 n)
{
	const u8 size = (u8)(2 + random_below(rnd, 8));
	struct place_unit insn = INSN(size), ret = RET();

	if (percent(rnd, p->barrier))
		return ret;
	if (percent(rnd, p->branch))
		return random_branch(rnd, p, i, n);
	if (percent(rnd, p->align)) {
		struct place_unit u = ALIGN(1u << random_below(rnd, p->max_align_log2 + 1), 0);

		u.max = percent(rnd, 30) ? (u8)random_below(rnd, 16) : 0;
		return u;
	}
	if (percent(rnd, p->data)) {
		struct place_unit u = DATA((u32)random_below(rnd, percent(rnd, 10) ? 300 : 30));

		return u;
	}
	if (percent(rnd, p->one_byte)) {
		insn.size = insn.size_long = 1;
	} else if (percent(rnd, p->endbr)) {
		insn.size = insn.size_long = 4;
		insn.flags |= PLACE_ENDBR;
	} else if (insn.size < JMP_REL32 && !percent(rnd, p->stiff)) {
		insn.flags |= P;
		insn.hoist = percent(rnd, p->hoist) ? (u8)(1 + random_below(rnd, 3)) : 0;
	}
	return insn;
}

static void random_flags(struct section *t, u64 *rnd, const struct profile *p)
{
	for (u32 i = 0; i < t->n; i++) {
		struct place_unit *u = &t->u[i], *to;

		if (percent(rnd, p->leader))
			u->flags |= PLACE_LEADER;
		if (percent(rnd, p->forbidden))
			for (u64 k = random_below(rnd, 20); k && i + k < t->n; k--)
				u[k].flags |= PLACE_FORBIDDEN;
		if (u->kind != PLACE_INSN || u->arg == PLACE_NO_TARGET)
			continue;
		to = &t->u[u->arg];
		to->flags |= PLACE_LEADER;
		if (u->arg <= i && percent(rnd, 90))
			to->flags |= PLACE_LOOP_HEAD;
	}
}

static void random_section(struct section *t, u64 seed)
{
	static const u32 nops[] = { 1, 7, 8, 10, 10, 11, 15 };
	u64 rnd = seed;
	struct profile p = random_profile(&rnd);

	t->n = 1 + random_below(&rnd, 1u << (1 + random_below(&rnd, 9))) % 400;
	t->nop_max = nops[random_below(&rnd, sizeof(nops) / sizeof(*nops))];
	for (u32 i = 0; i < t->n; i++)
		t->u[i] = random_unit(&rnd, &p, i, (u32)t->n);
	random_flags(t, &rnd, &p);
}

/* ---- what must hold for every section ---- */

/* May the longer instruction that was offered come in front of this site? */
static bool must_hoist(const struct section *t, u32 i)
{
	const u32 from = i + t->u[i].hoist;
	bool head;

	if (!t->u[i].hoist || from >= t->n || !oracle_is_site(t, i, &head) ||
	    t->u[i].size >= JMP_REL32 || t->u[from].size <= t->u[i].size)
		return false;
	for (u32 k = i + 1; k <= from; k++)
		if (t->u[k].kind != PLACE_INSN || oracle_starts(t, k) ||
		    (t->u[k].flags & (STOP | PLACE_FORBIDDEN)))
			return false;
	return true;
}

static void check_allowed(const struct section *before, const struct oracle *o)
{
	const struct section *t = o->t;

	for (u32 i = 0; i < t->n; i++) {
		const struct place_unit *u = &t->u[i];
		struct place_unit plain = *u;
		bool head;

		plain.prefixes = plain.force_long = plain.slots = plain.hoisted = 0;
		check(!memcmp(&plain, &before->u[i], sizeof(plain)), "the input was changed", i, 0);
		if ((u->prefixes || u->force_long || u->slots) &&
		    (u->kind != PLACE_INSN || (u->flags & PLACE_FORBIDDEN)))
			check(false, "a decision where none is allowed", i, u->flags);
		if (u->prefixes) {
			check(u->flags & PLACE_PREFIXABLE, "prefix not allowed", i, u->flags);
			check(u->prefixes + o->size[i] == JMP_REL32, "needless prefixes", i,
			      u->prefixes);
			check(oracle_insn_len(o, i) <= MAX_INSN, "instruction too long", i,
			      u->prefixes);
		}
		check(u->hoisted == must_hoist(t, i), "hoisted", i, u->hoisted);
		if (u->force_long)
			check(u->size_long > u->size, "nothing to force", i, u->size_long);
		if (u->prefixes || u->force_long)
			check(oracle_is_site(t, i, &head), "lengthened for nothing", i, u->flags);
		if (u->slots)
			check(u->flags & PLACE_BARRIER, "slots without a barrier", i, u->slots);
	}
}

static void check_stats(const struct oracle *o)
{
	const struct place_stats *st = &o->t->stats;
	u32 slots = 0, lengthened = 0, long_sites = 0, out = 0;

	for (u32 i = 0; i < o->t->n; i++) {
		slots += o->t->u[i].slots;
		lengthened += o->t->u[i].prefixes || o->t->u[i].force_long;
	}
	for (u32 s = 0; s < o->n_sites; s++) {
		long_sites += !oracle_too_short(o, s);
		out += !oracle_served(o, s);
	}
	check(st->text_grown == o->at[o->t->n], "text_grown", st->text_grown, o->at[o->t->n]);
	check(st->sites == o->n_sites, "sites", st->sites, o->n_sites);
	check(st->sites_long == long_sites, "sites_long", st->sites_long, long_sites);
	check(st->loop_heads == o->n_heads, "loop_heads", st->loop_heads, o->n_heads);
	check(st->slots == slots, "slots", st->slots, slots);
	check(st->gaps == o->n_found, "gaps", st->gaps, o->n_found);
	check(st->lengthened == lengthened, "lengthened", st->lengthened, lengthened);
	check(st->unpatchable == out, "unpatchable", st->unpatchable, out);
}

/* Where a slot might have been had, with room for what a decision may move. */
#define WELL_WITHIN 40
static bool barrier_near(const struct oracle *o, u32 s)
{
	const struct section *t = o->t;

	for (u32 i = 0; i < t->n; i++) {
		int64_t away = o->at[i] - o->at[o->site[s]];

		if ((t->u[i].flags & PLACE_BARRIER) && !(t->u[i].flags & PLACE_FORBIDDEN) &&
		    away > -WELL_WITHIN && away < WELL_WITHIN)
			return true;
	}
	return false;
}

static void check_promises(const struct oracle *o)
{
	for (u32 s = 0; s < o->n_sites; s++) {
		if (oracle_served(o, s))
			continue;
		check(!oracle_can_lengthen(o, s), "a short site is not served", o->site[s], 0);
		check(!barrier_near(o, s), "a slot was to be had", o->site[s], 0);
	}
	if (!oracle_misses(o, STIFF_HEADS))
		check(!oracle_misses(o, HEADS), "loop heads left over", oracle_misses(o, HEADS),
		      o->n_heads);
}

static const u32 budgets[] = { 0, 100, 300, 1000, 5000 };
#define N_BUDGETS (sizeof(budgets) / sizeof(*budgets))
#define LAST_BUDGET (N_BUDGETS - 1)

static struct section before, now, again;
static struct oracle o;
static u64 missed[N_BUDGETS]; /* when every third site is patched, over all sections */
static u64 unpatchable[N_BUDGETS]; /* likewise */

static void check_repeats(void)
{
	again = before;
	place(&again, context_budget, 0x5a);
	check(!memcmp(again.u, now.u, now.n * sizeof(*now.u)), "other decisions", 0, 0);
	check(!memcmp(&again.stats, &now.stats, sizeof(now.stats)), "other statistics", 0, 0);
}

static void check_section(void)
{
	static const u32 step_lost = 64; /* a whole step of the largest alignment, twice */
	u32 base = 0, base_unpatchable = 0;

	oracle_look(&o, &before);
	for (size_t b = 0; b < N_BUDGETS; b++) {
		u64 text = (u64)o.at[before.n], limit;

		context_budget = budgets[b];
		now = before;
		place(&now, budgets[b], 0xa5);
		check(now.stats.text == text, "text", now.stats.text, (long)text);
		oracle_look(&o, &now);
		check_allowed(&before, &o);
		check_stats(&o);
		check_promises(&o);
		missed[b] += oracle_misses(&o, EVERY_THIRD);
		if (!b) {
			base = now.stats.text_grown;
			base_unpatchable = now.stats.unpatchable;
			check_repeats();
		}
		limit = text + text * budgets[b] / 10000;
		/* padding may move away from the odd block that cannot be made longer */
		unpatchable[b] += now.stats.unpatchable;
		check(now.stats.unpatchable <= base_unpatchable + 1, "more budget, fewer patches",
		      now.stats.unpatchable, base_unpatchable);
		if (base < limit)
			check(now.stats.text_grown <= limit + limit / 16 + 2 * step_lost,
			      "over the budget", now.stats.text_grown, (long)limit);
		oracle_look(&o, &before);
	}
	context_budget = budgets[LAST_BUDGET];
	check_repeats();
}

#define N_RANDOM 20000
static void test_random(void)
{
	context = "section";
	for (context_seed = 1; context_seed <= N_RANDOM; context_seed++) {
		random_section(&before, context_seed);
		check_section();
	}
	context = "all sections";
	for (size_t b = 1; b < N_BUDGETS; b++) {
		check(missed[b] < missed[b - 1], "more budget gains nothing", (long)missed[b],
		      (long)missed[b - 1]);
		check(budgets[b] < 1000 || missed[b] * 3 < missed[0] * 2, "little gained",
		      (long)missed[b], (long)missed[0]);
		check(unpatchable[b] * 100 <= unpatchable[0] * 101, "more budget, fewer patches",
		      (long)unpatchable[b], (long)unpatchable[0]);
	}
}

static const struct unit_test tests[] = {
	{ "exact decisions", test_exact },
	{ "random sections", test_random },
};

int main(void)
{
	return UNIT_RUN("place", tests);
}
