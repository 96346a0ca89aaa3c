/* SPDX-License-Identifier: MIT */
/*
 * validate_text - how much of real programs' translations the validator proves, and what that costs.
 *
 *     validate_text [--every N] [--plain] [--dump STATUS] FILE...
 *
 * Grows a trace, as the runtime does without a profile, from each function, loop head and return point of a file's proven
 * code (or from every Nth), translates it, with calls inlined and (--plain: only) without, and validates each.
 * Exit codes: 0 all proven, 1 some are not, 2 wrong use.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "grow.h"
#include "module.h"
#include "translate.h"
#include "validate.h"

#define ARENA_BYTES (16u << 20)

static struct {
	struct module module;
	struct arena arena;
	void *decoder;
	const char *dump; /* status: the first tree that is refused so is printed */
	u64 trees, insns, inlined, refused[STATUS_N];
	u64 translate_ns, validate_ns, validate_max_ns, peak;
} run;

static u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

static bool is_site(const void *ctx, u64 addr)
{
	const struct text *text = ctx;

	return (text_marks(text, addr) & (TEXT_LOOP | TEXT_REACHED)) == (TEXT_LOOP | TEXT_REACHED);
}

static void print_tree(const struct ir_tree *tree, const struct code *code,
                       const struct failure *fail)
{
	static char text[1 << 20];

	printf("refused: %s at 0x%llx, +%llu\n", status_name(fail->status),
	       (unsigned long long)fail->addr, (unsigned long long)fail->detail);
	ir_dump(tree, text, sizeof(text));
	fputs(text, stdout);
	for (u32 i = 0; i < code->n_origins; i++) {
		u32 end = i + 1 < code->n_origins ? code->origins[i + 1].at : code->size;
		const struct ir_state *state = &code->states[code->origins[i].state];

		printf("  +%u for 0x%llx rsp %d owes %u:", code->origins[i].at,
		       (unsigned long long)code->origins[i].origin, state->rsp, state->n);
		for (u32 k = code->origins[i].at; k < end; k++)
			printf(" %02x", code->bytes[k]);
		printf("\n");
	}
}

static void one_tree(u64 head, bool calls)
{
	static struct grown grown;
	struct failure fail = { 0 };
	struct ir_tree lifted;
	struct code code;
	enum status status;
	u64 start, spent;
	struct grow_rules rules = { .is_site = is_site, .ctx = &run.module.text };

	arena_release(&run.arena, 0);
	rules.inline_calls = calls;
	grow_trace(&run.module.text, head, &rules, run.decoder, &grown);
	start = now_ns();
	if (translate(&run.module.text, &grown.trace, &run.arena, &code, &fail))
		return;
	run.translate_ns += now_ns() - start;
	if (lift_trace(&run.module.text, &grown.trace, &run.arena, &lifted, &fail))
		return;
	if (calls && lifted.n_frames < 2)
		return;
	run.inlined += lifted.n_frames > 1;
	start = now_ns();
	run.arena.peak = run.arena.used;
	status = validate(&run.module.text, &lifted, &code, &run.arena, &fail);
	spent = now_ns() - start;
	run.peak = run.arena.peak - run.arena.used > run.peak ? run.arena.peak - run.arena.used
	                                                      : run.peak;
	run.trees++;
	run.insns += lifted.n_ops;
	run.validate_ns += spent;
	run.validate_max_ns = spent > run.validate_max_ns ? spent : run.validate_max_ns;
	run.refused[status]++;
	if (status && run.dump && !strcmp(run.dump, status_name(status))) {
		print_tree(&lifted, &code, &fail);
		run.dump = NULL;
	}
}

static void print_totals(void)
{
	printf("%s: %llu trees (%llu with inlined calls), %llu instructions, %.2f %% proven\n",
	       run.module.path, (unsigned long long)run.trees, (unsigned long long)run.inlined,
	       (unsigned long long)run.insns,
	       run.trees ? 100.0 * (double)run.refused[STATUS_OK] / (double)run.trees : 0);
	printf("  validate %.0f ns an instruction, worst tree %.0f us, workspace %llu KiB; translate %.0f ns\n",
	       run.insns ? (double)run.validate_ns / (double)run.insns : 0,
	       (double)run.validate_max_ns / 1e3, (unsigned long long)(run.peak >> 10),
	       run.insns ? (double)run.translate_ns / (double)run.insns : 0);
	for (u32 i = 1; i < STATUS_N; i++)
		if (run.refused[i])
			printf("  %-20s %llu\n", status_name(i),
			       (unsigned long long)run.refused[i]);
}

static bool one_file(const char *path, u64 every, bool plain)
{
	const u16 starts = TEXT_FUNCTION | TEXT_LOOP | TEXT_RETURN;
	const struct text *text = &run.module.text;
	u64 n = 0;

	memset(&run.module, 0, sizeof(run.module));
	if (!module_load(&run.module, path))
		return false;
	run.trees = run.insns = run.inlined = run.translate_ns = run.validate_ns = 0;
	run.validate_max_ns = run.peak = 0;
	memset(run.refused, 0, sizeof(run.refused));
	for (u64 addr = text->start; addr < text->end; addr++) {
		u16 marks = text_marks(text, addr);

		if (!(marks & starts) || !(marks & TEXT_REACHED) || n++ % every)
			continue;
		one_tree(addr, false);
		if (!plain)
			one_tree(addr, true);
	}
	print_totals();
	return run.refused[STATUS_OK] == run.trees;
}

int main(int argc, char **argv)
{
	u64 every = 1;
	bool plain = false, all = true;
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--plain"))
			plain = true;
		else if (!strcmp(argv[i], "--every") && i + 1 < argc)
			every = strtoull(argv[++i], NULL, 0);
		else if (!strcmp(argv[i], "--dump") && i + 1 < argc)
			run.dump = argv[++i];
		else
			break;
	}
	if (i == argc || argv[i][0] == '-' || !every) {
		fprintf(stderr,
		        "usage: validate_text [--every N] [--plain] [--dump STATUS] FILE...\n");
		return 2;
	}
	arena_init(&run.arena, malloc(ARENA_BYTES), ARENA_BYTES);
	run.decoder = calloc(1, decode_scratch_size());
	for (; i < argc; i++)
		all &= one_file(argv[i], every, plain);
	return all ? 0 : 1;
}
