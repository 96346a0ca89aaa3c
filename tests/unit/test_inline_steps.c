/* SPDX-License-Identifier: MIT */
/*
 * Inlined calls, interrupted at every instruction (engine/frames.c, stub.c, state.c, and what encodes them).
 *
 * Each program of inline_cases.c is run twice, single-stepped by the trap flag: the original, of which every state is
 * kept, and its translation. At each step of the translation a signal frame is written where the kernel would put it, from
 * 128 bytes below rsp downwards; then what is owed is paid (state_apply), and the outcome must be a state of the
 * original at the address that the origin table names: registers, rsp, flags, and every byte of the stack that is alive.
 * Dead is what has been below the original's red zone, or below rsp at a return, since the original last wrote it.
 * Paying must not touch the signal frame. Each translation is proven as well.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "inline_cases.h"
#include "native.h"
#include "state.h"
#include "translate.h"
#include "unit.h"
#include "validate.h"

#define TEXT 0x1000u /* module addresses, offsets in the region */
#define CACHE 0x10000u
#define DATA 0x20000u
#define STACK 0x30000u /* what is compared begins here */
#define STACK_SIZE 0x1000u
#define STACK_START (STACK + 0xc00u)
#define REGION 0x40000u
#define RED_ZONE 128
#define FRAME_SIZE 512 /* so much of a signal frame is written */
#define STEPS 600
#define AHEAD 64 /* so many instructions of the original may have no code of their own */
#define SCRATCH_BYTES 8192u
#define FLAGS_STATUS 0x8d5u

struct snapshot {
	u64 rip, flags, gpr[16];
	u8 stack[STACK_SIZE];
	u8 dead[STACK_SIZE]; /* of the original: bytes that say nothing */
};

static u8 *region;
static u64 base;
static struct elf_view view;
static struct text text;
static u16 marks[CACHE - TEXT];
static u8 memory[4u << 20];
static struct arena arena;
static struct code code;
static const struct inline_case *current;
static struct snapshot *originals;
static u32 n_originals, at_original, n_steps, n_inside;
static u64 frame_limit; /* of the signal frame at this step: the first byte above it */
static bool wrong;
static bool copies; /* do parts of loops stand twice? They are left elsewhere then. */

/* ---- text and translation ---- */

static u64 code_size(void)
{
	return (uintptr_t)inline_code_end - (uintptr_t)inline_code;
}

static u64 module_address(const u8 *label)
{
	return TEXT + ((uintptr_t)label - (uintptr_t)inline_code);
}

/* What decodes one after the other is proven; what is called is a function. */
static void make_text(void)
{
	static u64 scratch[SCRATCH_BYTES / 8];
	u64 size = code_size();
	struct insn_brief brief;

	view = (struct elf_view){ .n_loads = 1 };
	view.loads[0] = (struct elf_span){ TEXT, size, inline_code, ELF_VIEW_R | ELF_VIEW_X, 0 };
	text = (struct text){ .view = &view, .start = TEXT, .end = TEXT + size, .marks = marks };
	for (u64 at = 0; at < size; at += brief.len) {
		CU_ASSERT_FATAL(!decode_brief(inline_code + at, size - at, TEXT + at, scratch,
		                              &brief, NULL));
		marks[at] |= TEXT_INSN | TEXT_REACHED | TEXT_CERTIFIED;
		if (brief.role == ROLE_CALL)
			marks[brief.target - TEXT] |= TEXT_FUNCTION;
	}
}

static void make_code(void)
{
	struct trace_block blocks[INLINE_BLOCKS];
	struct trace trace = { .blocks = blocks, .n_blocks = 0 };
	struct translate_options options = TRANSLATE_ALL;
	struct ir_tree lifted;
	struct failure fail = { 0 };

	for (; trace.n_blocks < INLINE_BLOCKS && current->blocks[trace.n_blocks].start;
	     trace.n_blocks++)
		blocks[trace.n_blocks] = (struct trace_block){
			module_address(current->blocks[trace.n_blocks].start),
			trace.n_blocks ? current->blocks[trace.n_blocks].parent : TRACE_NO_PARENT,
			0, 0
		};
	arena_init(&arena, memory, sizeof(memory));
	if (!copies)
		options.without = 1u << PASS_rotate | 1u << PASS_unroll | 1u << PASS_peel;
	CU_ASSERT_EQUAL_FATAL(translate_with(&text, &trace, &options, &arena, &code, &fail),
	                      STATUS_OK);
	if (lift_trace(&text, &trace, &arena, &lifted, &fail) ||
	    validate(&text, &lifted, &code, &arena, &fail)) {
		printf("\n    %s: %s at 0x%llx\n", current->name, status_name(fail.status),
		       (unsigned long long)fail.addr);
		wrong = true;
	}
	CU_ASSERT_EQUAL_FATAL(code_place(&code, CACHE, &fail), STATUS_OK);
	CU_ASSERT_FATAL(code.size < DATA - CACHE);
	memcpy(region + CACHE, code.bytes, code.size);
}

/* ---- the machine ---- */

static void reset(u64 rip)
{
	u64 *stack = (u64 *)(region + STACK), *data = (u64 *)(region + DATA);

	for (u32 i = 0; i < STACK_SIZE / 8; i++)
		stack[i] = 0x5151515100000000u + i;
	for (u32 i = 0; i < 8; i++)
		data[i] = 1;
	*(u64 *)(region + STACK_START) = base + module_address(inline_end);
	memset(&native.in, 0, sizeof(native.in));
	for (u32 i = 0; i < 16; i++)
		native.in.gpr[i] = 0x0101010101010101u * (i + 1);
	native.in.gpr[1] = 3;
	native.in.gpr[4] = base + STACK_START;
	native.in.gpr[6] = 5;
	native.in.gpr[7] = base + DATA;
	native.in.rip = rip;
	native.in.rflags = RFLAGS_FIXED | RFLAGS_TRAP;
	native.in.fs = native.host.fs;
	native.in.gs = native.host.gs;
	memcpy(native.in.xsave + 24, &(u32){ 0x1f80 }, 4);
	n_steps = n_inside = 0;
}

/* The kernel's signal frame, as far as it matters: bytes that nobody has left there. */
static void write_frame(u64 rsp)
{
	u64 top = rsp - RED_ZONE - base;

	frame_limit = rsp - RED_ZONE;
	if (top >= STACK + FRAME_SIZE && top <= STACK + STACK_SIZE)
		memset(region + top - FRAME_SIZE, (int)(0x60 + n_steps % 64), FRAME_SIZE);
}

static void take(struct snapshot *s, const struct native_state *from)
{
	s->rip = from->rip;
	s->flags = from->rflags & FLAGS_STATUS;
	memcpy(s->gpr, from->gpr, sizeof(s->gpr));
	memcpy(s->stack, region + STACK, STACK_SIZE);
}

static bool is_return(u64 rip)
{
	const u8 *at = (const u8 *)rip;

	return at[0] == 0xc3 || at[0] == 0xc2 || (at[0] == 0xf3 && at[1] == 0xc3);
}

/*
 * What the instruction before this state wrote lives; what lies too low is dead. A write of what was there already is not
 * seen: the byte is not compared then.
 */
static void mark_dead(struct snapshot *now, const struct snapshot *before)
{
	u64 low = now->gpr[4] - base - STACK - (before && is_return(before->rip) ? 0 : RED_ZONE);
	const u8 *live = region + STACK;

	for (u32 i = 0; i < STACK_SIZE; i++) {
		now->dead[i] = i < low ||
		               (before && before->dead[i] && before->stack[i] == live[i]);
	}
}

static bool keep_original(void)
{
	struct snapshot *now = &originals[n_originals];

	take(now, &native.out);
	mark_dead(now, now - 1);
	n_originals++;
	return native.out.rip != base + module_address(inline_end) && n_originals < STEPS;
}

static void run_original(void)
{
	reset(base + module_address(current->blocks[0].start));
	n_originals = 0;
	take(&originals[0], &native.in);
	mark_dead(&originals[0], NULL);
	n_originals = 1;
	native.on_step = keep_original;
	native_run();
	CU_ASSERT_EQUAL_FATAL(native.stop.kind, NATIVE_ENOUGH);
	CU_ASSERT_FATAL(n_originals < STEPS);
}

/* ---- states of the translation ---- */

static u8 *stack_word(struct snapshot *s, u64 addr)
{
	if (addr < base + STACK || addr + 8 > base + STACK + STACK_SIZE)
		return NULL;
	return s->stack + (addr - base - STACK);
}

static bool load(void *ctx, u64 addr, u64 *value)
{
	u8 *word = stack_word(ctx, addr);

	if (word)
		memcpy(value, word, 8);
	return word != NULL;
}

static bool store(void *ctx, u64 addr, u64 value)
{
	u8 *word = stack_word(ctx, addr);

	if (!word || addr < frame_limit)
		return false; /* over the signal frame: the program would crash when it returns */
	memcpy(word, &value, 8);
	return true;
}

static const struct code_origin *origin_at(u32 at)
{
	const struct code_origin *o = code.origins;

	while (o + 1 < code.origins + code.n_origins && o[1].at <= at)
		o++;
	return o;
}

/* Is `now` the original's state but for what is dead? */
static bool same(const struct snapshot *original, const struct snapshot *now, bool loose)
{
	if (original->rip != now->rip || (!loose && original->flags != now->flags) ||
	    memcmp(original->gpr, now->gpr, sizeof(now->gpr)))
		return false;
	for (u32 i = 0; i < STACK_SIZE; i++)
		if (!original->dead[i] && original->stack[i] != now->stack[i])
			return false;
	return true;
}

static void tell(const struct snapshot *now, u32 at, const char *what)
{
	const struct snapshot *o = &originals[at_original];

	printf("\n    %s: step %u, +0x%x, of 0x%llx: %s\n", current->name, n_steps, at,
	       (unsigned long long)(now->rip - base), what);
	for (u32 i = at_original; i < n_originals && i < at_original + AHEAD; i++)
		if (originals[i].rip == now->rip) {
			o = &originals[i];
			break;
		}
	for (u32 i = 0; i < 16; i++)
		if (now->gpr[i] != o->gpr[i])
			printf("      register %u is %llx, not %llx\n", i,
			       (unsigned long long)now->gpr[i], (unsigned long long)o->gpr[i]);
	if (now->flags != o->flags)
		printf("      flags are %llx, not %llx\n", (unsigned long long)now->flags,
		       (unsigned long long)o->flags);
	for (u32 i = 0; i < STACK_SIZE; i++)
		if (!o->dead[i] && now->stack[i] != o->stack[i])
			printf("      stack at %lld is %02x, not %02x\n",
			       (long long)i - (long long)(STACK_START - STACK), now->stack[i],
			       o->stack[i]);
	wrong = true;
}

/* Is this what the original was at some instruction from at_original on? */
static bool is_original(const struct snapshot *now, bool loose)
{
	for (u32 i = at_original; i < n_originals && i < at_original + AHEAD; i++) {
		if (!same(&originals[i], now, loose))
			continue;
		at_original = i;
		return true;
	}
	return false;
}

static bool check_step(void)
{
	static struct snapshot now;
	const struct state_memory paying = { load, store, &now };
	u64 at = native.out.rip - base - CACHE;
	const struct code_origin *o;

	n_steps++;
	write_frame(native.out.gpr[4]);
	take(&now, &native.out);
	if (at >= code.size) {
		if (!is_original(&now, current->loose || copies))
			tell(&now, (u32)at, "left in another state");
		if (!copies && now.rip != base + module_address(current->out))
			tell(&now, (u32)at, "left somewhere else");
		return false;
	}
	o = origin_at((u32)at);
	now.rip = base + o->origin;
	if (!state_apply(&code.states[o->state], code.pendings, base, now.gpr, &paying)) {
		tell(&now, (u32)at, "what is owed lies in the signal frame");
		return false;
	}
	n_inside++;
	if (!is_original(&now, current->loose || copies))
		tell(&now, (u32)at, "not a state of the original");
	return !wrong && n_steps < STEPS;
}

/* K of the first outermost call. */
static s32 moved(void)
{
	for (u32 i = 0; i < code.size; i++) {
		s32 by;

		if (!memcmp(code.bytes + i, "\x48\x8d\x64\x24", 4))
			return -(s8)code.bytes[i + 4];
		memcpy(&by, code.bytes + i + 4, 4);
		if (!memcmp(code.bytes + i, "\x48\x8d\xa4\x24", 4) && by > -0x10000 && by < 0)
			return -by;
		if (code.states[origin_at(i)->state].n)
			break;
	}
	return -1;
}

static void run_case(const struct inline_case *c)
{
	current = c;
	wrong = false;
	make_code();
	run_original();
	reset(base + CACHE);
	at_original = 0;
	native.on_step = check_step;
	native_run();
	if (native.stop.kind != NATIVE_ENOUGH || n_steps == STEPS) {
		printf("\n    %s: signal %u at +0x%llx\n", c->name, native.stop.signal,
		       (unsigned long long)(native.out.rip - base - CACHE));
		wrong = true;
	}
	if (!copies && moved() != c->moved) {
		printf("\n    %s: rsp moved by %d, not %d\n", c->name, moved(), c->moved);
		wrong = true;
	}
	CU_ASSERT_FALSE(wrong);
}

static void test_steps(void)
{
	for (u32 i = 0; i < 2 * n_inline_cases; i++) {
		copies = i >= n_inline_cases;
		run_case(&inline_cases[i % n_inline_cases]);
	}
}

static void test_text(void)
{
	make_text();
	CU_ASSERT(decode_scratch_size() <= SCRATCH_BYTES);
}

static void open_machine(void)
{
	u64 size = code_size();

	region = mmap(NULL, REGION, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
	              -1, 0);
	originals = calloc(STEPS + 1, sizeof(*originals));
	if (region == MAP_FAILED || !originals || TEXT + size > CACHE)
		exit(1);
	base = (u64)(uintptr_t)region;
	memcpy(region + TEXT, inline_code, size);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "the programs' text", test_text },
		{ "every instruction interrupted", test_steps },
	};

	if (!native_init()) {
		printf("SKIP: native code cannot be run here\n");
		return 77;
	}
	open_machine();
	return UNIT_RUN("inline_steps", tests);
}
