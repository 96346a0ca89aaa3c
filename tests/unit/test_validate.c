/* SPDX-License-Identifier: MIT */
/*
 * The validator's refusals by name (engine/validate*.c).
 *
 * Each case is a few instructions of original text at 0x1000 and a translation written by hand, with its tables: no pass
 * and no encoder stands between, so that what one of them does wrong can be said here, and only that is wrong. A refusal leaves the
 * arena as it was and names the place.
 */
#include <stdio.h>
#include <string.h>
#include "dynopt_notes.h"
#include "lift.h"
#include "toy.h"
#include "unit.h"
#include "validate.h"

#define TEXT 0x1000u
#define CALLEE 0x1010u /* a function, where a case has one */
#define TEXT_SIZE 64u
#define PIECES 16
#define STATES 5
#define NO_FIELD 0xff

/* One instruction of the translation. */
struct piece {
	const char *hex;
	u64 origin;
	u8 state;
	u8 field; /* FIXUP_...; NO_FIELD: it has no address field; it is the last 4 bytes, but for .behind */
	u64 target;
	u8 to, cut; /* FIXUP_BACK: numbers of pieces */
	u8 behind;
};

struct refusal {
	const char *name;
	enum status status;
	u64 addr; /* that the failure names; 0: not looked at */
	const char *text, *callee; /* hex */
	u16 callee_marks;
	struct piece pieces[PIECES];
	struct ir_state states[STATES]; /* from number 1; offsets in pendings as they are */
	struct ir_pending pendings[4];
};

#define PLAIN(hex, origin) { hex, origin, 0, NO_FIELD, 0, 0, 0, 0 }
#define STATE(hex, origin, state) { hex, origin, state, NO_FIELD, 0, 0, 0, 0 }
#define EXIT(hex, origin, state, target) { hex, origin, state, FIXUP_EXIT, target, 0, 0, 0 }
#define DATA(hex, origin, state, target) { hex, origin, state, FIXUP_DATA, target, 0, 0, 0 }
#define MIDDLE(hex, origin, target, behind) { hex, origin, 0, FIXUP_DATA, target, 0, 0, behind }
#define BACK(hex, origin, state, target, to, cut) \
	{ hex, origin, state, FIXUP_BACK, target, to, cut, 0 }

#define INC_RAX "48 ff c0"
#define INC_RCX "48 ff c1"
#define JMP "e9 00 00 00 00"
#define JNZ "0f 85 00 00 00 00"
#define CALL_CALLEE_AT_3 "e8 08 00 00 00" /* from 0x1003 to 0x1010 */

static const struct refusal refusals[] = {
#include "validate_cases.def"
#include "validate_checks.def"
#include "validate_facts.def"
};

static u8 bytes[TEXT_SIZE];
static u16 marks[TEXT_SIZE];
static struct elf_view view;
static struct text text;
static u8 memory[4u << 20];
static u64 scratch[1024]; /* for the decoder */

static void mark(u32 at, u32 end, u16 with)
{
	struct insn_brief brief;

	for (; at < end; at += brief.len) {
		if (decode_brief(bytes + at, end - at, TEXT + at, scratch, &brief, NULL))
			return;
		marks[at] |= TEXT_INSN | TEXT_REACHED | TEXT_CERTIFIED | with;
		with = 0;
	}
}

static void make_text(const struct refusal *r)
{
	u32 n, n_callee;

	memset(bytes, 0xcc, sizeof(bytes));
	memset(marks, 0, sizeof(marks));
	n = toy_hex(r->text, bytes, TEXT_SIZE);
	n_callee = toy_hex(r->callee, bytes + (CALLEE - TEXT), TEXT_SIZE - (CALLEE - TEXT));
	view = (struct elf_view){ .n_loads = 1 };
	view.loads[0] = (struct elf_span){ TEXT, TEXT_SIZE, bytes, ELF_VIEW_R | ELF_VIEW_X, 0 };
	text = (struct text){
		.view = &view, .start = TEXT, .end = TEXT + TEXT_SIZE, .marks = marks
	};
	mark(0, n, TEXT_FUNCTION);
	mark(CALLEE - TEXT, CALLEE - TEXT + n_callee, r->callee_marks);
	if (n == 8 && r->callee_marks) /* what lies behind the call */
		bytes[n] = 0xc3, mark(n, n + 1, 0);
}

/* ---- the translation ---- */

static struct {
	struct code code;
	u8 bytes[256];
	struct code_fixup fixups[PIECES];
	struct code_origin origins[PIECES];
	struct ir_state states[STATES + 1];
} made;

/* Fields of jumps out lie in one aligned word. */
static void pad(u32 n)
{
	while ((made.code.size + n - 4) % 8 > 4)
		made.bytes[made.code.size++] = 0x2e;
}

static void make_piece(const struct piece *p)
{
	struct code *c = &made.code;
	u8 insn[16];
	u32 n = toy_hex(p->hex, insn, sizeof(insn));

	made.origins[c->n_origins++] =
		(struct code_origin){ .origin = p->origin, .at = c->size, .state = p->state };
	if (p->field == FIXUP_EXIT || p->field == FIXUP_BACK)
		pad(n);
	memcpy(made.bytes + c->size, insn, n);
	c->size += n;
	if (p->field == NO_FIELD)
		return;
	made.fixups[c->n_fixups++] = (struct code_fixup){ .kind = p->field,
		                                          .target = p->target,
		                                          .at = c->size - 4 - p->behind,
		                                          .end = c->size,
		                                          .to = made.origins[p->to].at };
}

static void make_code(const struct refusal *r)
{
	memset(&made, 0, sizeof(made));
	made.code = (struct code){ .head = TEXT,
		                   .bytes = made.bytes,
		                   .fixups = made.fixups,
		                   .origins = made.origins,
		                   .states = made.states,
		                   .pendings = r->pendings,
		                   .n_states = STATES + 1,
		                   .n_pendings = 4 };
	memcpy(made.states + 1, r->states, sizeof(r->states));
	for (u32 i = 0; i < PIECES && r->pieces[i].hex; i++)
		make_piece(&r->pieces[i]);
	for (u32 i = 0, f = 0; i < made.code.n_origins; i++)
		if (r->pieces[i].field != NO_FIELD)
			made.fixups[f++].cut = made.origins[r->pieces[i].cut].at;
}

static enum status run(const struct code *code, u64 room, struct failure *fail)
{
	const struct trace_block block = { TEXT, TRACE_NO_PARENT, 0, 0 };
	const struct trace trace = { .blocks = &block, .n_blocks = 1 };
	struct ir_tree lifted;
	struct arena arena;
	enum status status;
	u64 before;

	arena_init(&arena, memory, sizeof(memory));
	if (lift_trace(&text, &trace, &arena, &lifted, fail))
		return fail->status;
	if (room)
		arena.size = arena.used + room;
	before = arena.used;
	status = validate(&text, &lifted, code, &arena, fail);
	CU_ASSERT_EQUAL(arena.used, before);
	CU_ASSERT(!status || fail->status == status);
	return status;
}

static void test_refusals(void)
{
	for (u32 i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *r = &refusals[i];
		struct failure fail = { 0 };
		enum status status;

		make_text(r);
		make_code(r);
		status = run(&made.code, 0, &fail);
		if (status != r->status || (r->addr && fail.addr != r->addr))
			printf("\n    %s: %s at 0x%llx, +%llu\n", r->name, status_name(status),
			       (unsigned long long)fail.addr, (unsigned long long)fail.detail);
		CU_ASSERT_EQUAL(status, r->status);
		CU_ASSERT(!r->addr || fail.addr == r->addr);
	}
}

/* Branches that lead to the same place, each of them on something new: 2^13 paths. */
static void test_steps(void)
{
	static const struct refusal twice = { "", STATUS_OK, 0,         "",       "",
		                              0,  { { 0 } }, { { 0 } }, { { 0 } } };
	static const u8 step[] = { 0x48, 0xff, 0xc0, 0x75, 0x00 };
	static const u8 translated[] = { 0x48, 0xff, 0xc0, 0x0f, 0x85, 0, 0, 0, 0 };
	static struct code_origin origins[40];
	static u8 code[200];
	struct code c = { .head = TEXT, .bytes = code, .origins = origins, .n_states = 1 };
	struct failure fail = { 0 };
	u32 n = 12;

	make_text(&twice);
	make_code(&twice);
	c.states = made.states;
	for (u32 i = 0; i < n; i++) {
		memcpy(bytes + i * sizeof(step), step, sizeof(step));
		origins[c.n_origins++] = (struct code_origin){ TEXT + i * 5, c.size, 0 };
		origins[c.n_origins++] = (struct code_origin){ TEXT + i * 5 + 3, c.size + 3, 0 };
		memcpy(code + c.size, translated, sizeof(translated));
		c.size += sizeof(translated);
	}
	bytes[n * sizeof(step)] = 0xc3;
	origins[c.n_origins++] = (struct code_origin){ TEXT + n * 5, c.size, 0 };
	code[c.size++] = 0xc3;
	mark(0, n * sizeof(step) + 1, TEXT_FUNCTION);
	CU_ASSERT_EQUAL(run(&c, 0, &fail), STATUS_VALIDATE_STEPS);
}

/* Address fields that overlap, are too near the end or out of order; rows out of order; a code of nothing. */
static void test_tables(void)
{
	const struct refusal *r = &refusals[0];
	struct code_fixup none = { .kind = FIXUP_DATA, .at = 0, .end = 4 };
	struct failure fail = { 0 };

	for (u32 i = 0; i < 10; i++) {
		make_text(r);
		make_code(r);
		made.fixups[0] = made.fixups[1] = none;
		made.code.n_fixups = i < 6 || i == 9;
		switch (i) {
		case 0:
			made.fixups[0].at = made.fixups[0].end = 5;
			break;
		case 1:
			made.fixups[0].end = 3;
			break;
		case 2:
			made.fixups[0].at = 0xfffffffe;
			break;
		case 3:
			made.fixups[0].kind = FIXUP_TABLE + 1;
			break;
		case 4:
			made.code.n_fixups = 2;
			break;
		case 5:
			made.fixups[0].kind = FIXUP_BACK;
			made.fixups[0].to = 0x40000000;
			break;
		case 6:
			made.origins[1].at = 0;
			break;
		case 7:
			made.states[0].first = 5;
			break;
		case 8:
			made.code.n_origins = 0;
			break;
		default:
			made.fixups[0].kind = FIXUP_BACK;
			made.fixups[0].cut = made.code.size;
			break;
		}
		CU_ASSERT_EQUAL(run(&made.code, 0, &fail), STATUS_VALIDATE_TABLE);
	}
	make_code(r);
	made.code.head++;
	CU_ASSERT_EQUAL(run(&made.code, 0, &fail), STATUS_VALIDATE_TABLE);
	make_code(r);
	made.code.size = 0;
	CU_ASSERT_EQUAL(run(&made.code, 0, &fail), STATUS_VALIDATE_TABLE);
}

/* mov $5, 10(%rip): a field in the constant as well. A jump whose field does not lie in one aligned word. */
static void test_fields(void)
{
	static const struct refusal stored = { .text = "c7 05 00 00 00 00 05 00 00 00 c3",
		                               .callee = "" };
	static const u8 code[] = { 0x90, 0x90, 0x48, 0xff, 0xc0, 0xe9, 0, 0, 0, 0 };
	struct failure fail = { 0 };

	make_text(&stored);
	make_code(&stored);
	toy_hex(stored.text, made.bytes, sizeof(made.bytes));
	made.code.size = 11;
	made.code.n_origins = 2;
	made.origins[0] = (struct code_origin){ .origin = TEXT };
	made.origins[1] = (struct code_origin){ .origin = TEXT + 10, .at = 10 };
	made.code.n_fixups = 1;
	made.fixups[0] =
		(struct code_fixup){ .kind = FIXUP_DATA, .target = TEXT + 10, .at = 2, .end = 10 };
	CU_ASSERT_EQUAL(run(&made.code, 0, &fail), STATUS_OK);
	made.code.n_fixups = 2;
	made.fixups[1] = made.fixups[0];
	made.fixups[1].at = 6;
	CU_ASSERT_EQUAL(run(&made.code, 0, &fail), STATUS_VALIDATE_TABLE);
	make_text(&refusals[0]);
	make_code(&refusals[0]);
	for (u32 at = 0; at < 3; at++) { /* with two NOPs less the field is aligned */
		memcpy(made.bytes, code + at, sizeof(code) - at);
		made.code.size = (u32)sizeof(code) - at;
		made.origins[1] = (struct code_origin){ .origin = TEXT + 3, .at = 5 - at };
		made.code.n_origins = 2;
		made.code.n_fixups = 1;
		made.fixups[0] = (struct code_fixup){
			.kind = FIXUP_EXIT, .target = TEXT + 3, .at = 6 - at, .end = 10 - at
		};
		CU_ASSERT_EQUAL(run(&made.code, 0, &fail),
		                at < 2 ? STATUS_VALIDATE_TABLE : STATUS_OK);
	}
}

/* ---- jumps through shadows of jump tables ---- */

#define TABLE 0x2000u

/* movslq 8(%rdi,%rcx,4), %rax; add %rdi, %rax; jmp *%rax, and what stands for it */
static const struct shadow_case {
	const char *name, *jump;
	u64 target; /* of the field */
	u32 to;
	u8 state;
	bool spare; /* nobody reads the sum or its flags */
	enum status status;
} shadow_cases[] = {
	{ "as it should be", "ff a4 cf 00 00 00 00", TABLE, 16, 0, true, STATUS_OK },
	{ "another index", "ff a4 d7 00 00 00 00", TABLE, 16, 0, true, STATUS_VALIDATE_LEAVE },
	{ "another base", "ff a4 cb 00 00 00 00", TABLE, 16, 0, true, STATUS_VALIDATE_LEAVE },
	{ "words for entries", "ff a4 8f 00 00 00 00", TABLE, 16, 0, true, STATUS_VALIDATE_LEAVE },
	{ "another entry", "ff a4 cf 00 00 00 00", TABLE, 8, 0, true, STATUS_VALIDATE_LEAVE },
	{ "another table", "ff a4 cf 00 00 00 00", TABLE + 16, 16, 0, true, STATUS_VALIDATE_LEAVE },
	{ "a sum that is read", "ff a4 cf 00 00 00 00", TABLE, 16, 0, false,
	  STATUS_VALIDATE_LEAVE },
	{ "a result that is owed", "ff a4 cf 00 00 00 00", TABLE, 16, 1, true,
	  STATUS_VALIDATE_LEAVE },
};

static void test_shadows(void)
{
	static const u32 targets[] = { CALLEE - TEXT };
	static const struct ir_pending owed[] = { { 0xd389, 2, PENDING_RESULT, 3 } };
	static const struct refusal jump = { .text = "89 d3 48 63 44 8f 08 48 01 f8 ff e0",
		                             .callee = "c3" };

	for (u32 i = 0; i < sizeof(shadow_cases) / sizeof(shadow_cases[0]); i++) {
		const struct shadow_case *c = &shadow_cases[i];
		struct text_table table = { .site = TEXT + 10,
			                    .addr = TABLE,
			                    .count = 1,
			                    .form = DYNOPT_TABLE_REL32,
			                    .asked = 1,
			                    .spare = c->spare,
			                    .targets = targets };
		struct failure fail = { 0 };
		u32 skipped = c->state ? 0 : 2; /* mov %edx, %ebx, or it waits */
		enum status status;

		make_text(&jump);
		make_code(&jump);
		text.tables = &table;
		text.n_tables = 1;
		toy_hex("89 d3", made.bytes, 2);
		made.code.size = skipped + toy_hex(c->jump, made.bytes + skipped, 16);
		made.code.n_origins = skipped ? 2 : 1;
		made.origins[0] = (struct code_origin){ .origin = TEXT };
		made.origins[skipped != 0] = (struct code_origin){ .origin = TEXT + 2,
			                                           .at = skipped,
			                                           .state = c->state };
		made.states[1] = (struct ir_state){ .n = 1 };
		made.code.pendings = owed;
		made.code.n_pendings = 1;
		made.code.n_fixups = 1;
		made.fixups[0] = (struct code_fixup){ .kind = FIXUP_TABLE,
			                              .target = c->target,
			                              .at = made.code.size - 4,
			                              .end = made.code.size,
			                              .to = c->to };
		status = run(&made.code, 0, &fail);
		if (status != c->status)
			printf("\n    %s: %s\n", c->name, status_name(status));
		CU_ASSERT_EQUAL(status, c->status);
	}
}

/* Whatever the room: proven, or refused for want of it. */
static void test_workspace(void)
{
	u32 refused = 0, proven = 0;
	struct failure fail = { 0 };

	make_text(&refusals[0]);
	make_code(&refusals[0]);
	for (u64 room = 16; room < 128 * 1024; room += 64) {
		enum status status = run(&made.code, room, &fail);

		CU_ASSERT(status == STATUS_OK || status == STATUS_WORKSPACE);
		CU_ASSERT(!proven || !status);
		proven += !status;
		refused += status == STATUS_WORKSPACE;
	}
	CU_ASSERT(refused > 0 && proven > 0);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "refusals", test_refusals }, { "steps", test_steps },
		{ "tables", test_tables },     { "fields", test_fields },
		{ "shadows", test_shadows },   { "workspace", test_workspace },
	};

	return UNIT_RUN("validate", tests);
}
