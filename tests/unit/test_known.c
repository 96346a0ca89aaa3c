/* SPDX-License-Identifier: MIT */
/*
 * test_known.c - branches that follow from other branches (engine/known.c, engine/validate_range.c), against arithmetic.
 *
 * A register is compared with a constant, and behind the branch, on either of its ways, with another: all conditions, widths and
 * constants at the edges. Which values come that far, and what they make of the second branch, is computed here, from the values at all
 * edges. The pass may let a branch go one way only if all of them do, and what it makes is proven; the validator, asked without the pass, must
 * refuse each translation without the second branch in which some of them go the other way. How many are found is counted.
 */
#include <stdio.h>
#include <string.h>
#include "dynopt_notes.h"
#include "translate.h"
#include "unit.h"
#include "validate.h"

#define TEXT 0x1000u
#define FIRST 0x1040u /* where the branches lead */
#define SECOND 0x1050u
#define TEXT_SIZE 0x60u
#define CONDITIONS 16

static u8 bytes[TEXT_SIZE];
static u16 marks[TEXT_SIZE];
static u8 memory[4u << 20];
static u64 scratch[1024]; /* for the decoder */
static struct elf_view view;
static struct text text;

/* How the value comes about that is compared. */
enum source { ANY, BYTE, MASKED, LESS_ONE, SOURCES };

static const struct {
	u8 bytes[8];
	u32 len;
} sources[SOURCES] = {
	[ANY] = { { 0x89, 0xf8 }, 2 }, /* mov eax, edi; rax, rdi */
	[BYTE] = { { 0x0f, 0xb6, 0xc2 }, 3 }, /* movzx eax, dl */
	[MASKED] = { { 0x83, 0xe0, 0x07 }, 3 }, /* and eax, 7 */
	[LESS_ONE] = { { 0x8d, 0x47, 0xff }, 3 }, /* lea eax, [rdi-1] */
};

static const u32 constants[] = {
	0, 1, 5, 0x7f, 0x80, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff
};
#define CONSTANTS (sizeof(constants) / sizeof(constants[0]))

struct pair {
	enum source source;
	u8 width; /* 8, 32, 64 */
	u8 cc[2];
	u32 constant[2];
	bool taken; /* the first branch; the second is behind it */
};

static u64 mask_of(u8 width)
{
	return width == 64 ? ~0ull : (1ull << width) - 1;
}

static u64 extended(u32 constant, u8 width)
{
	return (u64)(s64)(s32)constant & mask_of(width);
}

static bool fulfils(u64 a, u64 b, u8 cc, u8 width)
{
	u64 sign = 1ull << (width - 1), d = (a - b) & mask_of(width);
	bool sf = d & sign, of = (a ^ b) & (a ^ d) & sign, even;

	switch (cc >> 1) {
	case 0:
		even = of;
		break;
	case 1:
		even = a < b;
		break;
	case 2:
		even = a == b;
		break;
	case 3:
		even = a <= b;
		break;
	case 4:
		even = sf;
		break;
	case 5:
		even = !(__builtin_popcount(d & 0xff) & 1);
		break;
	case 6:
		even = sf != of;
		break;
	default:
		even = a == b || sf != of;
		break;
	}
	return even != (cc & 1);
}

/* Can it be what the source makes? */
static bool can_be(const struct pair *p, u64 value)
{
	return p->source == BYTE ? value <= 0xff : p->source == MASKED ? value <= 7 : true;
}

/* Of the values that get behind the first branch: do some take the second, and do some not? */
static void outcomes(const struct pair *p, bool goes[2])
{
	static const u64 edges[] = { 0, 7, 0xff, 0x7f, 0x7fffffff, 0x7fffffffffffffff };
	u64 b[2] = { extended(p->constant[0], p->width), extended(p->constant[1], p->width) };

	goes[0] = goes[1] = false;
	for (u32 i = 0; i < 2 + sizeof(edges) / sizeof(edges[0]); i++) {
		for (u64 near = 0; near < 5; near++) {
			u64 a = ((i < 2 ? b[i] : edges[i - 2]) + near - 2) & mask_of(p->width);

			if (can_be(p, a) && fulfils(a, b[0], p->cc[0], p->width) == p->taken)
				goes[fulfils(a, b[1], p->cc[1], p->width)] = true;
		}
	}
}

/* ---- text ---- */

static u32 put_compare(u8 *out, u8 width, u32 constant)
{
	u32 n = 0;

	if (width == 8) { /* cmp al, ib: 3c */
		out[n++] = 0x3c;
		out[n++] = (u8)constant;
		return n;
	}
	if (width == 64)
		out[n++] = 0x48;
	out[n++] = 0x81; /* cmp eax, id */
	out[n++] = 0xf8;
	memcpy(out + n, &constant, 4);
	return n + 4;
}

static u32 put_source(u8 *out, const struct pair *p)
{
	bool wide = p->width == 64 && (p->source == ANY || p->source == LESS_ONE);

	out[0] = 0x48;
	memcpy(out + wide, sources[p->source].bytes, sources[p->source].len);
	return wide + sources[p->source].len;
}

/* Where things are in the text. */
struct places {
	u32 compare[2], branch[2], end[2];
};

static void put_branch(u32 at, u8 cc, u32 target)
{
	bytes[at] = (u8)(0x70 | cc);
	bytes[at + 1] = (u8)(target - (TEXT + at + 2));
}

static void mark_all(void)
{
	struct insn_brief brief;

	for (u32 at = 0; at < TEXT_SIZE; at += brief.len) {
		if (decode_brief(bytes + at, TEXT_SIZE - at, TEXT + at, scratch, &brief, NULL))
			return;
		marks[at] |= TEXT_INSN | TEXT_REACHED | TEXT_CERTIFIED | (at ? 0 : TEXT_FUNCTION);
	}
}

/* source; cmp; jcc FIRST; and there, or behind, cmp; jcc SECOND. Flags are dead in all that follows. */
static struct places make_text(const struct pair *p)
{
	static const u8 end[] = { 0x31, 0xd2, 0xc3 }; /* xor edx, edx; ret */
	struct places at;
	u32 n;

	memset(bytes, 0xcc, sizeof(bytes));
	memset(marks, 0, sizeof(marks));
	at.compare[0] = put_source(bytes, p);
	at.branch[0] = at.compare[0] + put_compare(bytes + at.compare[0], p->width, p->constant[0]);
	put_branch(at.branch[0], p->cc[0], FIRST);
	at.end[0] = at.branch[0] + 2;
	at.compare[1] = p->taken ? FIRST - TEXT : at.end[0];
	n = p->taken ? at.end[0] : FIRST - TEXT;
	memcpy(bytes + n, end, sizeof(end));
	at.branch[1] = at.compare[1] + put_compare(bytes + at.compare[1], p->width, p->constant[1]);
	put_branch(at.branch[1], p->cc[1], SECOND);
	at.end[1] = at.branch[1] + 2;
	memcpy(bytes + at.end[1], end, sizeof(end));
	memcpy(bytes + (SECOND - TEXT), end, sizeof(end));
	view = (struct elf_view){ .n_loads = 1 };
	view.loads[0] = (struct elf_span){ TEXT, TEXT_SIZE, bytes, ELF_VIEW_R | ELF_VIEW_X, 0 };
	text = (struct text){
		.view = &view, .start = TEXT, .end = TEXT + TEXT_SIZE, .marks = marks
	};
	mark_all();
	return at;
}

static struct trace_block blocks[4];

static struct trace make_trace(const struct places *at)
{
	blocks[0] = (struct trace_block){ .start = TEXT, .parent = TRACE_NO_PARENT };
	blocks[1] = (struct trace_block){ .start = TEXT + at->compare[1], .parent = 0 };
	blocks[2] = (struct trace_block){ .start = TEXT + at->end[1], .parent = 1 };
	blocks[3] = (struct trace_block){ .start = SECOND, .parent = 1 };
	return (struct trace){ .blocks = blocks, .n_blocks = 4 };
}

/* ---- the pass ---- */

/* The translation is proven. True: without a second branch. */
static bool decided(const struct trace *trace, bool *proven)
{
	struct translate_options options = TRANSLATE_ALL;
	struct failure fail = { 0 };
	struct arena arena;
	struct code code;
	u32 exits = 0;

	options.prove = true;
	options.without = 1u << PASS_dead; /* what stands at the ends stays there */
	arena_init(&arena, memory, sizeof(memory));
	*proven = translate_with(&text, trace, &options, &arena, &code, &fail) == STATUS_OK;
	for (u32 i = 0; *proven && i < code.n_origins; i++)
		exits += code.origins[i].origin == SECOND ||
		         code.origins[i].origin == blocks[2].start;
	return *proven && exits < 2;
}

/* ---- the validator ---- */

/* Source, cmp and jcc as they are, and then straight to one of the second branch's ends. */
static enum status without_second(const struct pair *p, const struct places *at,
                                  const struct trace *trace, bool to_second)
{
	static const u8 straight[] = { 0x2e, 0x2e, 0x2e, 0xe9, 0, 0, 0, 0 };
	u8 made[64];
	struct code_origin origins[4];
	struct code_fixup fixups[2];
	static const struct ir_state exact;
	struct code code = { .head = TEXT,
		             .bytes = made,
		             .origins = origins,
		             .fixups = fixups,
		             .states = &exact,
		             .n_states = 1 };
	u8 cc = p->taken ? p->cc[0] ^ 1 : p->cc[0];
	u64 out = TEXT + (p->taken ? at->end[0] : FIRST - TEXT);
	struct ir_tree lifted;
	struct failure fail = { 0 };
	struct arena arena;
	u32 n = at->branch[0], pad;

	memcpy(made, bytes, n);
	origins[code.n_origins++] = (struct code_origin){ .origin = TEXT, .at = 0 };
	origins[code.n_origins++] =
		(struct code_origin){ .origin = TEXT + at->compare[0], .at = at->compare[0] };
	origins[code.n_origins++] = (struct code_origin){ .origin = TEXT + n, .at = n };
	while ((n + 2) % 8 > 4)
		made[n++] = 0x2e;
	made[n] = 0x0f;
	made[n + 1] = 0x80 | cc;
	memset(made + n + 2, 0, 4);
	n += 6;
	fixups[0] = (struct code_fixup){ .kind = FIXUP_EXIT, .target = out, .at = n - 4, .end = n };
	origins[code.n_origins++] =
		(struct code_origin){ .origin = TEXT + at->compare[1], .at = n };
	for (pad = 0; (n + pad + 1) % 8 > 4;)
		pad++;
	memcpy(made + n, straight + 3 - pad, pad + 5);
	n += pad + 5;
	fixups[1] = (struct code_fixup){ .kind = FIXUP_EXIT,
		                         .target = to_second ? SECOND : TEXT + at->end[1],
		                         .at = n - 4,
		                         .end = n };
	code.n_fixups = 2;
	code.size = n;
	arena_init(&arena, memory, sizeof(memory));
	if (lift_trace(&text, trace, &arena, &lifted, &fail))
		return fail.status;
	return validate(&text, &lifted, &code, &arena, &fail);
}

/* ---- all of them ---- */

struct counts {
	u32 follow, found, proven_alone, wrong;
};

static void complain(const struct pair *p, const char *what, struct counts *counts)
{
	if (counts->wrong++ < 10)
		printf("\n    %s: source %d, %d bits, cc %d against %x %s, cc %d against %x", what,
		       p->source, p->width, p->cc[0], p->constant[0], p->taken ? "taken" : "not",
		       p->cc[1], p->constant[1]);
}

static void try_pair(const struct pair *p, struct counts *counts)
{
	struct places at = make_text(p);
	struct trace trace = make_trace(&at);
	bool goes[2], proven, alone[2];
	bool found = decided(&trace, &proven);

	outcomes(p, goes);
	if (!proven)
		complain(p, "not proven", counts);
	if (found && goes[0] && goes[1])
		complain(p, "goes both ways", counts);
	for (u32 way = 0; way < 2; way++) {
		alone[way] = without_second(p, &at, &trace, way) == STATUS_OK;
		if (alone[way] && goes[!way])
			complain(p, "the validator thinks that it goes one way", counts);
	}
	counts->follow += goes[0] != goes[1];
	counts->found += found;
	counts->proven_alone += alone[0] || alone[1];
}

static void try_all(enum source source, u8 width, struct counts *counts)
{
	for (u32 number = 0; number < CONDITIONS * CONDITIONS * CONSTANTS * CONSTANTS; number++) {
		u32 rest = number;
		struct pair p = { .source = source, .width = width };

		p.cc[0] = rest % CONDITIONS, rest /= CONDITIONS;
		p.cc[1] = rest % CONDITIONS, rest /= CONDITIONS;
		p.constant[0] = constants[rest % CONSTANTS], rest /= CONSTANTS;
		p.constant[1] = constants[rest];
		p.taken = (number * 0x9e3779b9u >> 16) & 1; /* either way for half of them */
		if (p.cc[0] >> 1 == 0 || p.cc[0] >> 1 == 5)
			continue; /* of overflow and parity nothing is learned */
		try_pair(&p, counts);
	}
}

static void test_pairs(void)
{
	static const u8 widths[] = { 8, 32, 64 };
	struct counts counts = { 0 };

	for (enum source source = 0; source < SOURCES; source++)
		for (u32 i = 0; i < sizeof(widths); i++)
			try_all(source, widths[i], &counts);
	printf("\n    %u second branches go one way only; the pass finds %u, the validator alone %u",
	       counts.follow, counts.found, counts.proven_alone);
	CU_ASSERT_EQUAL(counts.wrong, 0);
	CU_ASSERT(counts.found * 2 > counts.follow);
	CU_ASSERT(counts.proven_alone >= counts.found);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "pairs of branches", test_pairs },
	};

	return UNIT_RUN("known", tests);
}
