/* SPDX-License-Identifier: MIT */
/*
 * What a trial lets pass and what it does not (trial.h), on code whose outcome is known by hand.
 *
 * Each case is a place in a small text, a path from there, and a machine state; some have a byte of the translation spoilt. Where
 * the stack ends, a translation with inlined calls meets that elsewhere (docs/engine.md): such runs say nothing, those a word further up do.
 */
#include <stdio.h>
#include "lift.h"
#include "native.h"
#include "translate.h"
#include "trial.h"

#define TEXT 0x10000u
#define TEXT_SIZE 0x1000u
#define ARENA_BYTES (4u << 20)
#define BLOCKS 4
#define BUDGET 4

enum verdict {
	AGREES, /* compared, no difference */
	DIFFERS,
	STACK_ENDS, /* says nothing, by that name */
	VERDICTS
};
static const char *const verdicts[VERDICTS] = { "agrees", "differs", "the stack ends" };

struct piece {
	u64 at;
	u8 n, bytes[16];
};

/* int3 is what a path ends at. */
static const struct piece pieces[] = {
	{ 0x10000, 2, { 0xff, 0xc0 } },                         /* inc eax */
	{ 0x10002, 5, { 0xe8, 0xf9, 0x00, 0x00, 0x00 } },       /* call 0x10100 */
	{ 0x10007, 2, { 0xff, 0xc1 } },                         /* inc ecx */
	{ 0x10009, 1, { 0xcc } },                               /* int3 */
	{ 0x10020, 5, { 0xe8, 0x1b, 0x01, 0x00, 0x00 } },       /* call 0x10140 */
	{ 0x10025, 1, { 0xcc } },                               /* int3 */
	{ 0x10040, 2, { 0xff, 0xc0 } },                         /* inc eax */
	{ 0x10042, 2, { 0x74, 0x1c } },                         /* jz 0x10060 */
	{ 0x10044, 1, { 0xc3 } },                               /* ret */
	{ 0x10060, 5, { 0x0f, 0x1f, 0x44, 0x00, 0x00 } },       /* nop */
	{ 0x10065, 1, { 0x90 } },                               /* nop */
	{ 0x10080, 5, { 0xe8, 0xfb, 0x00, 0x00, 0x00 } },       /* call 0x10180 */
	{ 0x10085, 1, { 0xcc } },                               /* int3 */
	{ 0x10100, 8, { 0xc7, 0x44, 0x24, 0xf0, 5, 0, 0, 0 } }, /* mov dword [rsp-16], 5 */
	{ 0x10108, 1, { 0xc3 } },                               /* ret */
	{ 0x10140, 2, { 0xff, 0xc2 } },                         /* inc edx */
	{ 0x10142, 1, { 0xcc } },                               /* int3 */
	{ 0x10180, 1, { 0x53 } },                               /* push rbx */
	{ 0x10181, 2, { 0x85, 0xff } },                         /* test edi, edi */
	{ 0x10183, 2, { 0x74, 0x02 } },                         /* jz 0x10187 */
	{ 0x10185, 1, { 0x5b } },                               /* pop rbx */
	{ 0x10186, 1, { 0xc3 } },                               /* ret */
	{ 0x10187, 1, { 0xcc } },                               /* int3 */
};
static const u64 functions[] = { 0x10100, 0x10140, 0x10180 };

struct trial_case {
	const char *name;
	struct {
		u64 start;
		u32 parent;
	} blocks[BLOCKS];
	u64 rsp;  /* from where the stack begins */
	u64 word; /* module address that rsp points at; 0: whatever is there */
	u8 spoil, by; /* byte of the translation's code; by 0: none */
	bool stepped;
	enum verdict verdict;
	u64 ends; /* module address at which the original's run ends; 0: not looked at */
};

#define CALL_AND_BACK { { 0x10000, 0 }, { 0x10100, 0 }, { 0x10007, 1 } }
#define CALL_AND_OUT { { 0x10020, 0 }, { 0x10140, 0 } }
#define CALL_AND_SAVE { { 0x10080, 0 }, { 0x10180, 0 }, { 0x10185, 1 }, { 0x10085, 2 } }

static const struct trial_case cases[] = {
	{ "room for all", CALL_AND_BACK, 0x800, 0, 0, 0, false, AGREES, 0x10009 },
	{ "room for all, stepped", CALL_AND_BACK, 0x800, 0, 0, 0, true, AGREES, 0x10009 },
	{ "no room for the call", CALL_AND_BACK, 0, 0, 0, 0, false, STACK_ENDS, 0x10002 },
	{ "no room for the call, stepped", CALL_AND_BACK, 0, 0, 0, 0, true, STACK_ENDS, 0x10002 },
	{ "no room above", CALL_AND_BACK, GUEST_STACK_SIZE + 1, 0, 0, 0, false, STACK_ENDS,
	  0x10002 },
	{ "room for the call alone", CALL_AND_BACK, 8, 0, 0, 0, false, AGREES, 0x10100 },
	{ "room for the call alone, stepped", CALL_AND_BACK, 8, 0, 0, 0, true, AGREES, 0x10100 },
	/* mov dword [rsp-24], 5 -> [rsp-56] */
	{ "a store that lies too deep", CALL_AND_BACK, 0x20, 0, 5, 0x20, false, DIFFERS, 0x10009 },
	{ "a stub that has no room", CALL_AND_OUT, 0x8 + 0x88, 0, 0, 0, false, STACK_ENDS,
	  0x10142 },
	{ "a stub that has room", CALL_AND_OUT, 0x8 + 0x90, 0, 0, 0, false, AGREES, 0x10142 },
	{ "no room for a save", CALL_AND_SAVE, 8, 0, 0, 0, false, STACK_ENDS, 0x10180 },
	{ "room for a save", CALL_AND_SAVE, 16, 0, 0, 0, true, AGREES, 0 },
	/* into the last byte of the jump with which the guest ends the path at 0x10060 */
	{ "a return into the guest's own jump",
	  { { 0x10040, 0 }, { 0x10044, 0 } },
	  0x800,
	  0x10064,
	  0,
	  0,
	  true,
	  AGREES,
	  0 },
};

static struct {
	u8 bytes[TEXT_SIZE];
	u16 marks[TEXT_SIZE];
	struct module module;
	struct trial trial;
	struct arena arena;
} run;

static bool make_module(void)
{
	struct module *m = &run.module;

	memset(run.bytes, 0xcc, sizeof(run.bytes));
	for (u32 i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		memcpy(run.bytes + pieces[i].at - TEXT, pieces[i].bytes, pieces[i].n);
		run.marks[pieces[i].at - TEXT] = TEXT_INSN | TEXT_REACHED | TEXT_CERTIFIED;
	}
	for (u32 i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		run.marks[functions[i] - TEXT] |= TEXT_FUNCTION;
	m->path = "test_trial";
	m->view = (struct elf_view){ .n_loads = 1 };
	m->view.loads[0] =
		(struct elf_span){ TEXT, TEXT_SIZE, run.bytes, ELF_VIEW_R | ELF_VIEW_X, 0 };
	m->text = (struct text){
		.view = &m->view, .start = TEXT, .end = TEXT + TEXT_SIZE, .marks = run.marks
	};
	return module_finish(m, true);
}

static bool make_code(const struct trial_case *c, struct ir_tree *tree, struct code *code)
{
	struct trace_block blocks[BLOCKS];
	struct trace trace = { .blocks = blocks, .n_blocks = 0 };
	struct failure fail = { 0 };
	u64 at = run.trial.guest.caches[0];

	for (u32 i = 0; i < BLOCKS && c->blocks[i].start; i++)
		blocks[trace.n_blocks++] =
			(struct trace_block){ c->blocks[i].start,
			                      i ? c->blocks[i].parent : TRACE_NO_PARENT, 0, 0 };
	if (lift_trace(&run.module.text, &trace, &run.arena, tree, &fail) ||
	    translate_proven(&run.module.text, &trace, &run.arena, code, &fail) ||
	    code_place(code, at, &fail)) {
		printf("%s: %s at 0x%llx\n", c->name, status_name(fail.status),
		       (unsigned long long)fail.addr);
		return false;
	}
	code->bytes[c->spoil] ^= c->by;
	run.trial.head = tree->head;
	run.trial.entry = at;
	run.trial.loose = true;
	return true;
}

static void make_state(const struct trial_case *c)
{
	u64 rnd = 1, rsp = GUEST_STACK + c->rsp;

	states_case(&run.trial.states, &rnd);
	native.in.gpr[RSP] = rsp;
	native.in.gpr[0] = 1;
	native.in.gpr[7] = 0;
	if (c->word) {
		run.trial.states.changes[CHANGES - 1].at = (u8 *)rsp;
		run.trial.states.changes[CHANGES - 1].word = run.module.base + c->word;
	}
}

static bool check(const struct trial_case *c)
{
	const struct trial *t = &run.trial;
	const char *what = c->stepped ? trial_step(&run.trial, BUDGET)
	                              : trial_run(&run.trial, BUDGET);
	u64 ended = t->original.at - run.module.base;
	enum verdict verdict = what             ? DIFFERS
	                       : t->stack_ended ? STACK_ENDS
	                       : t->compared    ? AGREES
	                                        : VERDICTS;

	if (verdict == c->verdict && (!c->ends || c->ends == ended))
		return true;
	printf("%s: %s%s%s; the original ended at 0x%llx; expected: %s, 0x%llx\n", c->name,
	       verdict == VERDICTS ? "says nothing" : verdicts[verdict], what ? ": " : "",
	       what ? what : "", (unsigned long long)ended, verdicts[c->verdict],
	       (unsigned long long)c->ends);
	trial_print(&run.trial, c->stepped);
	return false;
}

static bool run_case(const struct trial_case *c)
{
	struct guest *g = &run.trial.guest;
	u64 mark = arena_mark(&run.arena);
	struct ir_tree tree;
	struct code code;
	const char *why;
	bool good = make_code(c, &tree, &code);

	why = good ? guest_arm(g, &tree, 1) : NULL;
	if (why)
		printf("%s: %s\n", c->name, why);
	if (good && !why) {
		guest_place(g, &code, run.trial.entry, false);
		states_tree(&run.trial.states, g, &tree, 1, 1);
		make_state(c);
		good = check(c);
		guest_disarm(g);
	}
	arena_release(&run.arena, mark);
	return good && !why;
}

int main(void)
{
	static u64 memory[ARENA_BYTES / 8];
	u32 n = sizeof(cases) / sizeof(cases[0]), bad = 0;

	if (!native_init()) {
		printf("SKIP: the CPU's state cannot be switched here\n");
		return 77;
	}
	if (!make_module() || !guest_map(&run.trial.guest, &run.module))
		return 2;
	arena_init(&run.arena, memory, ARENA_BYTES);
	native_watchdog();
	for (u32 i = 0; i < n; i++)
		bad += !run_case(&cases[i]);
	printf("%u cases, %u wrong\n", n, bad);
	return bad != 0;
}
