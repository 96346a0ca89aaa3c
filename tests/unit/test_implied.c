/* SPDX-License-Identifier: MIT */
/*
 * test_implied.c - what the validator takes to follow from one instruction (engine/validate_integer.c, validate_range.c), against the processor.
 *
 * Every legacy encoding between general registers, with random operands, and behind it a second instruction: an extension, a constant, a
 * comparison, the same with other bits. Then the flags are read, or a branch is taken. The validator is asked for translations
 * without the second instruction, without the branch, or a second branch, and with another for the first. What it accepts is executed from states at the edges, as the original is:
 * all registers, the flags that are read and the way that is gone must be the same. How many it accepts is counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lift.h"
#include "oracle_forms.h"
#include "oracle_machine.h"
#include "validate.h"

#define TEXT 0x1000u
#define AWAY 0x1030u /* where the branch leads */
#define TEXT_SIZE 64u
#define STATES 48
#define ROUNDS 3 /* of every encoding */
#define SHOWN 10
#define RSP 4
#define FLAGS 0x202u

enum tail { RETURN, BRANCH, LAHF };
enum claim { LEFT_OUT, ONE_WAY, BEHIND, REPLACED, CLAIMS };

static const struct {
	const char *name;
	u32 least; /* so many of them have to be accepted, of all that are made up */
} claims[CLAIMS] = { { "left out", 3000 },
	             { "branches that go one way", 5000 },
	             { "branches that go one way behind others", 5000 },
	             { "replaced", 20000 } };

static struct {
	u64 seed;
	u32 accepted[CLAIMS], wrong;
	void *decoder;
	struct oracle_state *in, *out; /* STATES of them, around the first instruction */
	struct insn first, second, third;
	bool same_constant; /* .constant is what comparisons have */
	u32 constant;
} test = { .seed = 1 };

static u8 bytes[TEXT_SIZE];
static u16 marks[TEXT_SIZE];
static u8 memory[2u << 20];
static struct elf_view view;
static struct text text;

static u32 draw(u32 n)
{
	return (u32)(oracle_random(&test.seed) >> 20) % n;
}

/* ---- instructions ---- */

/* One that computes with general registers, but rsp; false: another, or none. */
static bool read_insn(const u8 *at, u32 n, struct insn *insn)
{
	const u32 other = INSN_OPAQUE | INSN_LOAD | INSN_STORE | INSN_FAULTS | INSN_FLOAT |
	                  INSN_STACK | INSN_REP | INSN_LOCKED | INSN_FENCE | INSN_RIP;

	return decode_insn(at, n, TEXT, test.decoder, insn, NULL) == STATUS_OK &&
	       insn->role == ROLE_PLAIN && !(insn->flags & other) &&
	       !((insn->use.gpr | insn->def.gpr) >> RSP & 1) && !insn->use.vec && !insn->def.vec &&
	       !insn->use.mask && !insn->def.mask && !insn->use.other && !insn->def.other &&
	       !((insn->flags_def | insn->flags_use) & FLAG_DF);
}

/* A register of those that the first instruction names, or any. */
static u8 some_reg(void)
{
	u16 named = test.first.use.gpr | test.first.def.gpr;
	u8 reg = (u8)draw(16);

	if (draw(8))
		for (u32 i = 0; i < 16 && !(named >> reg & 1) && named; i++)
			reg = (reg + 1) & 15;
	return reg == RSP ? 5 : reg;
}

static u32 some_constant(void)
{
	static const u32 edges[] = { 0,    1,      5,          0x7f,       0x80,
		                     0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff };
	s32 own;

	if (test.same_constant)
		return test.constant;
	switch (draw(4)) {
	case 0:
		return edges[draw(sizeof(edges) / sizeof(edges[0]))];
	case 1:
		return (1u << draw(32)) - 1;
	case 2: /* what the first one makes */
		return (u32)test.out[0].gpr[some_reg()];
	default:
		memcpy(&own, test.first.bytes + test.first.len - 4 * (test.first.len > 4),
		       sizeof(own));
		return draw(2) ? (u32)own : (u32)(s8)test.first.bytes[test.first.len - 1];
	}
}

/* The first instruction with another bit or operand; bytes behind it stay. */
static u32 like_first(u8 *out)
{
	u32 at = test.first.opcode_at;

	memcpy(out, test.first.bytes, INSN_MAX_LEN);
	switch (draw(4)) {
	case 0:
		out[at] ^= (u8)(1 + draw(3));
		break;
	case 1:
		out[at + 1] = (u8)((out[at + 1] & 0xc0) | (out[at + 1] >> 3 & 7) |
		                   (out[at + 1] & 7) << 3);
		out[at] ^= (u8)(draw(2) << 1);
		break;
	case 2:
		out[at + 1] ^= (u8)(1u << draw(6));
		break;
	default:
		if (at)
			out[at - 1] ^= (u8)(1u << draw(4));
		break;
	}
	return INSN_MAX_LEN;
}

/* rex, if there has to be one or by chance; opcode; registers; a constant of n bytes. */
static u32 put(u8 *out, bool wide, u8 opcode, u8 reg, u8 rm, u32 n)
{
	u8 rex = (u8)(0x40 | wide << 3 | (reg >> 3) << 2 | rm >> 3);
	u32 at = 0, constant = some_constant();

	if (rex != 0x40 || draw(2))
		out[at++] = rex;
	if (opcode == 0xb6 || opcode == 0xb7)
		out[at++] = 0x0f;
	out[at++] = opcode;
	if (opcode != 0x3c && opcode != 0x3d)
		out[at++] = (u8)(0xc0 | (reg & 7) << 3 | (rm & 7));
	memcpy(out + at, &constant, 4);
	return at + n;
}

static u32 some_comparison(u8 *out)
{
	static const u8 opcodes[] = { 0x38, 0x39, 0x3a, 0x3b, 0x84, 0x85 };
	bool wide = draw(2);
	u8 reg = some_reg();

	switch (draw(4)) {
	case 0:
		return put(out, wide, opcodes[draw(6)], reg, draw(2) ? reg : some_reg(), 0);
	case 1:
		return put(out, wide, draw(2) ? 0x3d : 0x81, 7, reg, 4);
	case 2:
		return put(out, wide, draw(2) ? 0x3c : 0x80, 7, reg, 1);
	default: /* test, or cmp with 0 */
		if (draw(2))
			return put(out, wide, (u8)(0x84 + draw(2)), reg, reg, 0);
		put(out, wide, 0x83, 7, reg, 1);
		for (u32 i = 0; i < 3; i++)
			out[3 + i] = 0;
		return put(out, wide, 0x83, 7, reg, 1) - 1;
	}
}

/* cmp with 0 */
static u32 zero_comparison(u8 *out)
{
	u32 n = put(out, draw(2), draw(3) ? 0x83 : 0x80, 7, some_reg(), 1);

	out[n - 1] = 0;
	return n;
}

static u32 some_second(u8 *out)
{
	u8 reg = some_reg();

	switch (draw(8)) {
	case 0:
		return put(out, false, 0x89, reg, reg, 0);
	case 1:
		return put(out, false, (u8)(0xb6 + draw(2)), reg, reg, 0);
	case 2:
		return put(out, draw(2), 0xc7, 0, reg, 4);
	case 3:
		return like_first(out);
	case 4:
	case 5:
		return zero_comparison(out);
	default:
		return some_comparison(out);
	}
}

/* lea that adds what the first one has added once */
static u32 some_step(u8 *out)
{
	u8 reg = some_reg();
	u32 by = (u32)(test.out[0].gpr[reg] - test.in[0].gpr[reg]), n;

	if ((reg & 7) == RSP)
		return like_first(out);
	n = put(out, true, 0x8d, reg, reg, 4);
	out[n - 5] = (u8)(out[n - 5] & 0xbf); /* mod: a displacement of 32 bits */
	memcpy(out + n - 4, &by, 4);
	return n;
}

/* ---- texts and translations ---- */

static struct code code;
static u8 made[64];
static struct code_origin origins[6];
static struct code_fixup fixups[2];

static void put_insn(const u8 *insn, u32 n, u64 origin)
{
	origins[code.n_origins++] = (struct code_origin){ .origin = origin, .at = code.size };
	memcpy(made + code.size, insn, n);
	code.size += n;
}

/* jcc or jmp to where the branch leads; its field lies in one aligned word. */
static void put_exit(const u8 *opcode, u32 n, u64 origin)
{
	origins[code.n_origins++] = (struct code_origin){ .origin = origin, .at = code.size };
	while ((code.size + n) % 8 > 4)
		made[code.size++] = 0x2e;
	memcpy(made + code.size, opcode, n);
	memset(made + code.size + n, 0, 4);
	code.size += n + 4;
	fixups[code.n_fixups++] = (struct code_fixup){
		.kind = FIXUP_EXIT, .target = AWAY, .at = code.size - 4, .end = code.size
	};
}

static void mark(u32 at, u32 end)
{
	struct insn_brief brief;

	for (; at < end; at += brief.len) {
		if (decode_brief(bytes + at, end - at, TEXT + at, test.decoder, &brief, NULL))
			return;
		marks[at] |= TEXT_INSN | TEXT_REACHED | TEXT_CERTIFIED | (at ? 0 : TEXT_FUNCTION);
	}
}

/* first; second, if there is one; and what reads the flags; ret. Returns where that begins. */
static u32 make_text(bool second, enum tail tail, u8 cc)
{
	u32 n = test.first.len, end;

	memset(bytes, 0xcc, sizeof(bytes));
	memset(marks, 0, sizeof(marks));
	memcpy(bytes, test.first.bytes, n);
	if (second) {
		memcpy(bytes + n, test.second.bytes, test.second.len);
		n += test.second.len;
	}
	end = n;
	if (tail == BRANCH) {
		bytes[end++] = 0x70 | cc;
		bytes[end] = (u8)(AWAY - (TEXT + end + 1));
		end++;
	} else if (tail == LAHF) {
		bytes[end++] = 0x9f;
	}
	bytes[end++] = 0xc3;
	bytes[AWAY - TEXT] = 0xc3;
	view = (struct elf_view){ .n_loads = 1 };
	view.loads[0] = (struct elf_span){ TEXT, TEXT_SIZE, bytes, ELF_VIEW_R | ELF_VIEW_X, 0 };
	text = (struct text){
		.view = &view, .start = TEXT, .end = TEXT + TEXT_SIZE, .marks = marks
	};
	mark(0, end);
	mark(AWAY - TEXT, AWAY - TEXT + 1);
	return n;
}

static void put_tail(enum tail tail, u8 cc, u32 at)
{
	const u8 jcc[] = { 0x0f, (u8)(0x80 | cc) };

	if (tail == BRANCH)
		put_exit(jcc, 2, TEXT + at), at += 2;
	else if (tail == LAHF)
		put_insn((const u8[]){ 0x9f }, 1, TEXT + at), at += 1;
	put_insn((const u8[]){ 0xc3 }, 1, TEXT + at);
}

static bool is_proven(void)
{
	const struct trace_block block = { TEXT, TRACE_NO_PARENT, 0, 0 };
	const struct trace trace = { .blocks = &block, .n_blocks = 1 };
	struct failure fail = { 0 };
	struct ir_tree lifted;
	struct arena arena;

	arena_init(&arena, memory, sizeof(memory));
	return lift_trace(&text, &trace, &arena, &lifted, &fail) == STATUS_OK &&
	       validate(&text, &lifted, &code, &arena, &fail) == STATUS_OK;
}

static void begin_code(void)
{
	static const struct ir_state exact;

	code = (struct code){ .head = TEXT,
		              .bytes = made,
		              .origins = origins,
		              .fixups = fixups,
		              .states = &exact,
		              .n_states = 1 };
}

/* ---- the processor ---- */

static bool goes(u64 flags, u8 cc)
{
	bool cf = flags & 1, pf = flags >> 2 & 1, zf = flags >> 6 & 1, sf = flags >> 7 & 1,
	     of = flags >> 11 & 1;
	const bool even[] = { of, cf, zf, cf | zf, sf, pf, sf != of, zf | (sf != of) };

	return even[cc >> 1] != (cc & 1);
}

static void some_state(struct oracle_state *state)
{
	static const u64 edges[] = { 0,          1,          5,          0x7f,
		                     0x80,       0xff,       0x100,      0x7fff,
		                     0xffff,     0x10000,    0x7fffffff, 0x80000000,
		                     0xffffffff, 1ull << 32, 1ull << 63, ~0ull };

	*state = oracle_in;
	state->flags = FLAGS | (oracle_random(&test.seed) & 0x8d5);
	for (u32 i = 0; i < 16; i++)
		state->gpr[i] = draw(2) ? edges[draw(16)] + draw(3) - 1 : oracle_random(&test.seed);
	state->gpr[RSP] = oracle_rsp(state->gpr[RSP]);
}

static bool execute(const struct insn *insn, const struct oracle_state *from,
                    struct oracle_state *to)
{
	oracle_set_insn(insn->bytes, insn->len);
	oracle_in = *from;
	if (oracle_run())
		return false;
	*to = oracle_out;
	return true;
}

static bool execute_first(void)
{
	for (u32 i = 0; i < STATES; i++) {
		some_state(&test.in[i]);
		if (!execute(&test.first, &test.in[i], &test.out[i]))
			return false;
	}
	return true;
}

static void print_insn(const struct insn *insn)
{
	for (u32 i = 0; i < insn->len; i++)
		fprintf(stderr, " %02x", insn->bytes[i]);
	fprintf(stderr, ";");
}

static void complain(enum claim claim, enum tail tail, u8 cc)
{
	if (test.wrong++ >= SHOWN)
		return;
	fprintf(stderr, "%s, and it matters:", claims[claim].name);
	print_insn(&test.first);
	print_insn(&test.second);
	if (claim == BEHIND)
		print_insn(&test.third);
	fprintf(stderr, " %s %u\n", tail == BRANCH ? "jcc" : tail == LAHF ? "lahf" : "ret", cc);
}

static bool same_flags(u64 a, u64 b, enum tail tail, u8 cc)
{
	if (tail == BRANCH)
		return goes(a, cc) == goes(b, cc);
	return tail == RETURN || !((a ^ b) & 0xd5);
}

/* ---- what is claimed ---- */

static u16 reads(enum tail tail, u8 cc)
{
	static const u16 of[] = { FLAG_OF, FLAG_CF, FLAG_ZF,           FLAG_CF | FLAG_ZF,
		                  FLAG_SF, FLAG_PF, FLAG_SF | FLAG_OF, FLAG_ZF | FLAG_SF | FLAG_OF };

	return tail == BRANCH ? of[cc >> 1]
	       : tail == LAHF ? FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF
	                      : 0;
}

/* Without the second instruction. */
static void leave_out(enum tail tail, u8 cc)
{
	u16 undefined = test.second.flags_undef | (test.first.flags_undef & ~test.second.flags_def);
	bool right = !(reads(tail, cc) & test.first.flags_undef);
	u32 at;

	if (reads(tail, cc) & undefined)
		return;
	at = make_text(true, tail, cc);
	begin_code();
	put_insn(test.first.bytes, test.first.len, TEXT);
	put_tail(tail, cc, at);
	if (!is_proven())
		return;
	test.accepted[LEFT_OUT]++;
	for (u32 i = 0; i < STATES && right; i++) {
		struct oracle_state to;

		right = execute(&test.second, &test.out[i], &to) &&
		        !memcmp(to.gpr, test.out[i].gpr, sizeof(to.gpr)) &&
		        same_flags(to.flags, test.out[i].flags, tail, cc);
	}
	if (!right)
		complain(LEFT_OUT, tail, cc);
}

/* Without the branch behind it. */
static void decide(u8 cc, bool taken)
{
	u32 at = make_text(true, BRANCH, cc), n = test.first.len;
	bool right = true;

	begin_code();
	put_insn(test.first.bytes, n, TEXT);
	put_insn(test.second.bytes, test.second.len, TEXT + n);
	if (taken)
		put_exit((const u8[]){ 0xe9 }, 1, AWAY);
	else
		put_insn((const u8[]){ 0xc3 }, 1, TEXT + at + 2);
	if (!is_proven())
		return;
	test.accepted[ONE_WAY]++;
	for (u32 i = 0; i < STATES && right; i++) {
		struct oracle_state to;

		right = execute(&test.second, &test.out[i], &to) && goes(to.flags, cc) == taken;
	}
	if (!right)
		complain(ONE_WAY, BRANCH, cc);
}

/* The same behind a branch that went on: first; second; jcc; third; jcc. */
static void decide_behind(u8 cc, u8 last_cc, bool taken)
{
	const u8 jcc[] = { 0x0f, (u8)(0x80 | cc) };
	u32 at = make_text(true, BRANCH, cc), end = at + 2;
	bool right = true;

	memcpy(bytes + end, test.third.bytes, test.third.len);
	end += test.third.len;
	bytes[end++] = 0x70 | last_cc;
	bytes[end] = (u8)(AWAY - (TEXT + end + 1));
	bytes[++end] = 0xc3;
	mark(0, end + 1);
	begin_code();
	put_insn(test.first.bytes, test.first.len, TEXT);
	put_insn(test.second.bytes, test.second.len, TEXT + test.first.len);
	put_exit(jcc, 2, TEXT + at);
	if (taken)
		put_exit((const u8[]){ 0xe9 }, 1, AWAY);
	else
		put_insn((const u8[]){ 0xc3 }, 1, TEXT + end);
	if (!is_proven())
		return;
	test.accepted[BEHIND]++;
	for (u32 i = 0; i < STATES && right; i++) {
		struct oracle_state to;

		right = execute(&test.second, &test.out[i], &to);
		if (right && !goes(to.flags, cc))
			right = execute(&test.third, &test.out[i], &to) &&
			        goes(to.flags, last_cc) == taken;
	}
	if (!right)
		complain(BEHIND, BRANCH, last_cc);
}

static void try_two(void)
{
	u8 second[2 * INSN_MAX_LEN] = { 0 }, third[2 * INSN_MAX_LEN] = { 0 };

	test.constant = some_constant();
	test.same_constant = draw(4);
	if (read_insn(second, some_comparison(second), &test.second) &&
	    read_insn(third, some_comparison(third), &test.third))
		decide_behind((u8)draw(16), (u8)draw(16), draw(2));
	test.same_constant = false;
}

/* The second for the first. */
static void replace(enum tail tail, u8 cc)
{
	bool right = !(reads(tail, cc) & test.second.flags_undef);
	u32 at;

	if (reads(tail, cc) & test.first.flags_undef)
		return;
	at = make_text(false, tail, cc);
	begin_code();
	put_insn(test.second.bytes, test.second.len, TEXT);
	put_tail(tail, cc, at);
	if (!is_proven())
		return;
	test.accepted[REPLACED]++;
	for (u32 i = 0; i < STATES && right; i++) {
		struct oracle_state to;

		right = execute(&test.second, &test.in[i], &to) &&
		        !memcmp(to.gpr, test.out[i].gpr, sizeof(to.gpr)) &&
		        same_flags(to.flags, test.out[i].flags, tail, cc);
	}
	if (!right)
		complain(REPLACED, tail, cc);
}

static void try_first(void)
{
	u8 second[2 * INSN_MAX_LEN] = { 0 }, cc = (u8)draw(16);
	bool makes = test.first.def.gpr;
	u32 n;

	n = some_second(second);
	if (read_insn(second, n, &test.second)) {
		leave_out(test.second.flags_def ? (draw(4) ? BRANCH : LAHF) : RETURN, cc);
		if (test.second.flags_def && !test.second.def.gpr)
			decide(cc, draw(2));
	}
	n = makes && draw(2)   ? some_step(second)
	    : makes && draw(2) ? put(second, draw(2), 0xc7, 0, some_reg(), 4)
	                       : like_first(second);
	if (read_insn(second, n, &test.second))
		replace((enum tail)draw(3), cc);
}

static void try_all(void)
{
	u32 n = oracle_n_forms(true);
	u8 form[FORM_SIZE + 1];

	for (u32 i = 0; i < n; i++) {
		oracle_form(i, &test.seed, form);
		if (!read_insn(form, FORM_SIZE, &test.first) || !execute_first())
			continue;
		for (u32 k = 0; k < 8; k++) {
			try_first();
			try_two();
		}
	}
}

int main(void)
{
	bool few = false;

	test.decoder = malloc(decode_scratch_size());
	test.in = aligned_alloc(64, STATES * sizeof(*test.in));
	test.out = aligned_alloc(64, STATES * sizeof(*test.out));
	if (!test.decoder || !test.in || !test.out)
		return 1;
	oracle_init();
	for (u32 round = 0; round < ROUNDS && !test.wrong; round++)
		try_all();
	for (u32 i = 0; i < CLAIMS; i++) {
		printf("%s: %u accepted\n", claims[i].name, test.accepted[i]);
		few |= test.accepted[i] < claims[i].least;
	}
	printf("wrong: %u\n", test.wrong);
	return few || test.wrong;
}
