/* SPDX-License-Identifier: MIT */
/*
 * fuzz_translate - translations against the code they stand for, both executed by this CPU.
 *
 *     fuzz_translate [--seed S] [--count N] [--case I] FILE...
 *     fuzz_translate --forms ... FILE...     sequences made of the files' instructions
 *     fuzz_translate --calls ... FILE...     traces that go into calls and return from them
 *     fuzz_translate --proven ... FILE...    only what the validator proves; the rest is counted
 *     fuzz_translate --case I --shrink FILE  the same difference in a smaller trace, as a case of tests/golden
 *
 * A tree is a random trace over a file's proven code, translated by the engine; it gets TREE_CASES cases. A case is a
 * random machine state and memory from which the original text and the translation are run to the first
 * instruction outside of the tree; then registers, memory, exit or fault are compared, and for some the whole way
 * there, instruction by instruction (oracle.h). Case I of seed S of a file is always the same.
 * Runs are in child processes of CHILD_TREES trees each, so that one that crashes or hangs is a finding, not the end.
 * Exit codes: 0 no difference, 1 differences, 2 wrong use, 77 this machine cannot run it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "cache.h"
#include "exclude.h"
#include "forms.h"
#include "rnd.h"
#include "shape.h"
#include "shrink.h"
#include "translate.h"
#include "trial.h"
#include "validate.h"
#include "shadows.h"

#define TREE_CASES 128
#define CHILD_TREES 1000
#define CHILD_CPU_S 600 /* for CHILD_TREES trees, which take a few seconds */
#define STEPPED 256     /* one case in so many is stepped */
#define FAILURES_MAX 8
#define SHRINK_CASES (32u * TREE_CASES) /* states, of which one has to differ */
#define ARENA_BYTES (4u << 20)

/* Shared with the children. */
struct totals {
	u64 now;       /* the case under way */
	u64 trees, insns, blocks, loops, links, frames;
	u64 cases, compared, uncounted, stepped, odd, steps, stack_ended;
	u64 kinds[OUTCOME_KINDS];
	u64 signals[32];
	u64 refused[STATUS_N]; /* STATUS_OK: translated, but with an excluded instruction */
	u64 skipped_loops;
	u64 failures;
};

static struct {
	const char *path;
	bool forms, calls, proven, shrink;
	u64 seed;
	u64 only; /* case, or ~0 */
	struct totals *totals;
	struct module module;
	struct trial trial;
	struct shape shape;
	struct ir_tree
		trees[TREES_MAX]; /* those under test; the first is run, it may lead to others */
	struct code codes[TREES_MAX];
	u64 addrs[TREES_MAX];
	u32 n_trees;
	struct arena arena;
} run;

/* ---- one case ---- */

static bool tree_excluded(const struct ir_tree *tree)
{
	for (u32 i = 0; i < tree->n_ops; i++) {
		if (exclude_mnemonic(tree->ops[i].mnemonic))
			return true;
	}
	return false;
}

static void print_tree(u32 t)
{
	static char text[256 * 1024];
	const struct code *code = &run.codes[t];

	ir_dump(&run.trees[t], text, sizeof(text));
	fputs(text, stderr);
	fprintf(stderr, "translation at 0x%llx:\n", (unsigned long long)run.addrs[t]);
	for (u32 i = 0; i < code->n_origins; i++) {
		u32 end = i + 1 < code->n_origins ? code->origins[i + 1].at : code->size;

		fprintf(stderr, "  +%u for 0x%llx:", code->origins[i].at,
		        (unsigned long long)code->origins[i].origin);
		for (u32 k = code->origins[i].at; k < end; k++)
			fprintf(stderr, " %02x", code->bytes[k]);
		fprintf(stderr, "\n");
	}
}

static void print_repeat(void)
{
	fprintf(stderr, "to repeat: fuzz_translate%s%s%s --seed %llu --case %llu %s\n",
	        run.forms ? " --forms" : "", run.calls ? " --calls" : "",
	        run.proven ? " --proven" : "", (unsigned long long)run.seed,
	        (unsigned long long)run.totals->now, run.path);
}

/* What the validator says of the translation that differs: "proven" is the worst. */
static const char *verdict(void)
{
	enum status status =
		validate(&run.module.text, &run.trees[0], &run.codes[0], &run.arena, NULL);

	return status ? status_name(status) : "proven";
}

/* False if the case is a difference. */
static bool report(const char *what, bool stepped)
{
	if (!what)
		return true;
	fprintf(stderr, "%s: difference: %s%s; validator: %s\n", run.path, what,
	        stepped ? " (stepped)" : "", verdict());
	print_repeat();
	trial_print(&run.trial, stepped);
	for (u32 i = 0; i < run.n_trees && run.only != ~(u64)0; i++)
		print_tree(i);
	run.totals->failures++;
	return false;
}

/* The engine says that it made a mistake. */
static void report_refusal(const struct failure *fail)
{
	fprintf(stderr, "%s: refused at 0x%llx as %s (%llu): %s\n", run.path,
	        (unsigned long long)fail->addr, status_name(fail->status),
	        (unsigned long long)fail->detail, status_text(fail->status));
	print_repeat();
	run.totals->failures++;
}

/* Counts what the original's run came to. */
static void count_outcome(void)
{
	const struct outcome *a = &run.trial.original;
	struct totals *t = run.totals;

	t->kinds[a->kind]++;
	if (a->kind == OUTCOME_FAULT)
		t->signals[a->stop.signal % 32]++;
}

static bool run_stepped(u64 budget)
{
	const char *what = trial_step(&run.trial, budget);

	run.totals->stepped++;
	run.totals->odd += !run.trial.compared;
	run.totals->stack_ended += run.trial.stack_ended;
	run.totals->steps += run.trial.steps;
	return report(what, true);
}

static bool run_case(u64 number)
{
	u64 rnd = rnd_start(run.seed, 2, number), budget;
	const char *what;

	run.totals->now = number;
	run.totals->cases++;
	states_case(&run.trial.states, &rnd);
	budget = 2 + rnd_below(&rnd, rnd_chance(&rnd, 10) ? 300 : 12);
	if (rnd_below(&rnd, STEPPED) == 0 && !run_stepped(budget))
		return false;
	what = trial_run(&run.trial, budget);
	count_outcome();
	run.totals->compared += run.trial.compared;
	run.totals->uncounted += !run.trial.compared;
	run.totals->stack_ended += run.trial.stack_ended;
	return report(what, false) && run.trial.original.kind != OUTCOME_ENDLESS;
}

/* ---- one tree ---- */

/* Has a pass changed more than jumps and NOPs? Then what is dead may differ. */
static bool is_changed(void)
{
	for (u32 t = 0; t < run.n_trees; t++) {
		for (u32 pass = 0; pass < PASS_N; pass++) {
			if (pass != PASS_straight && run.codes[t].done[pass])
				return true;
		}
	}
	return false;
}

static void run_cases(u64 first)
{
	u64 rnd = rnd_start(run.seed, 3, first);

	run.trial.head = run.trees[0].head;
	run.trial.entry = run.addrs[0];
	run.trial.loose = is_changed();
	states_tree(&run.trial.states, &run.trial.guest, run.trees, run.n_trees, rnd);
	for (u64 i = first; i < first + TREE_CASES; i++) {
		if (run.only != ~(u64)0 && run.only != i)
			continue;
		if (!run_case(i) || run.totals->failures >= FAILURES_MAX)
			return;
	}
}

/* Each translation has its own part of a cache. */
static u64 place_for(const struct code *code, u32 t, u64 *rnd)
{
	u64 part = GUEST_CACHE_SIZE / TREES_MAX;
	u64 start = run.trial.guest.caches[rnd_below(rnd, 2)] + t * part;

	return start + rnd_below(rnd, (part - code->size - PAGE) / CACHE_ALIGN) * CACHE_ALIGN;
}

/* Translates the trace in run.shape as the next of run.trees; false and counted if it is refused. */
static bool make_tree(u64 *rnd)
{
	const struct text *text = &run.module.text;
	struct failure fail = { 0 };
	struct code *code = &run.codes[run.n_trees];
	u64 *addr = &run.addrs[run.n_trees];
	enum status status;

	status = lift_trace(text, &run.shape.trace, &run.arena, &run.trees[run.n_trees], &fail);
	if (!status)
		status = (run.proven ? translate_proven : translate)(text, &run.shape.trace,
		                                                     &run.arena, code, &fail);
	if (!status) {
		*addr = place_for(code, run.n_trees, rnd);
		status = shadows_make(&run.trial.guest, code) ? code_place(code, *addr, &fail)
		                                              : STATUS_WORKSPACE;
	}
	if (!status && !tree_excluded(&run.trees[run.n_trees])) {
		run.n_trees++;
		return true;
	}
	run.totals->refused[status]++;
	if (status_class(status) == STATUS_CLASS_BUG)
		report_refusal(&fail);
	return false;
}

/* A second translation, where the first one leaves by a random exit. */
static void make_neighbour(u64 *rnd)
{
	const struct ir_tree *tree = &run.trees[0];
	const struct ir_block *b = &tree->blocks[rnd_below(rnd, tree->n_blocks)];
	const struct ir_edge *edge = rnd_chance(rnd, 50) ? &b->next : &b->taken;

	if (edge->kind != EDGE_EXIT || !(text_marks(&run.module.text, edge->target) & TEXT_INSN))
		return;
	shape_grow_from(&run.shape, &run.module, edge->target, rnd);
	make_tree(rnd);
}

static void run_trees(u64 number, u64 *rnd)
{
	struct totals *t = run.totals;

	if (guest_arm(&run.trial.guest, run.trees, run.n_trees)) {
		t->skipped_loops++;
		return;
	}
	for (u32 i = 0; i < run.n_trees; i++) {
		guest_place(&run.trial.guest, &run.codes[i], run.addrs[i], rnd_chance(rnd, 25));
		t->trees++;
		t->insns += run.trees[i].n_ops;
		t->blocks += run.trees[i].n_blocks;
		t->frames += run.trees[i].n_frames - 1;
	}
	t->loops += run.trial.guest.n_loops;
	if (run.n_trees > 1)
		t->links += guest_link(&run.trial.guest, 0, 1) + shadows_link(&run.trial.guest, 1);
	run_cases(number * TREE_CASES);
	guest_disarm(&run.trial.guest);
}

static void run_tree(u64 number)
{
	u64 rnd = rnd_start(run.seed, 1, number), mark = arena_mark(&run.arena);

	run.totals->now = number * TREE_CASES;
	run.n_trees = 0;
	run.trial.guest.shadows_end = run.trial.guest.caches[0] + GUEST_CACHE_SIZE;
	run.shape.calls = run.calls;
	shape_grow_framed(&run.shape, &run.module, &run.arena, &rnd);
	if (make_tree(&rnd)) {
		if (rnd_chance(&rnd, 25))
			make_neighbour(&rnd);
		run_trees(number, &rnd);
	}
	arena_release(&run.arena, mark);
}

/* ---- a smaller trace ---- */

struct attempt {
	u64 number; /* of the tree */
	u64 rnd; /* behind its growth */
};

/* In a child: may end in any way. */
static void attempt(const struct attempt *a)
{
	u64 rnd = a->rnd;

	native_watchdog();
	if (!freopen("/dev/null", "w", stderr))
		_exit(0);
	run.n_trees = 0;
	run.totals->failures = 0;
	if (make_tree(&rnd) && !guest_arm(&run.trial.guest, run.trees, 1)) {
		guest_place(&run.trial.guest, &run.codes[0], run.addrs[0], false);
		for (u64 i = 0; i < SHRINK_CASES && !run.totals->failures; i += TREE_CASES)
			run_cases(a->number * TREE_CASES + i);
	}
	_exit(run.totals->failures != 0);
}

static bool differs(void *ctx)
{
	pid_t pid = fork();
	int how;

	if (pid == 0)
		attempt(ctx);
	if (pid < 0 || waitpid(pid, &how, 0) != pid) {
		perror("fuzz_translate: fork");
		exit(2);
	}
	return !WIFEXITED(how) || WEXITSTATUS(how) != 0;
}

/* Exit code: 1 shrunk, 0 it does not differ. */
static int shrink_case(void)
{
	struct attempt a = { .number = run.only / TREE_CASES };
	u64 mark = arena_mark(&run.arena);

	run.only = ~(u64)0;
	a.rnd = rnd_start(run.seed, 1, a.number);
	run.trial.guest.shadows_end = run.trial.guest.caches[0] + GUEST_CACHE_SIZE;
	run.shape.calls = run.calls;
	shape_grow_framed(&run.shape, &run.module, &run.arena, &a.rnd);
	arena_release(&run.arena, mark);
	if (!differs(&a)) {
		printf("%s: does not differ in %u states, without a second translation that it leads to\n",
		       run.path, SHRINK_CASES);
		return 0;
	}
	shrink(&run.module.text, &run.shape, differs, &a);
	printf("# %s, seed %llu: shrunk to %u blocks\n", run.path, (unsigned long long)run.seed,
	       run.shape.trace.n_blocks);
	if (!shrink_print(&run.module.text, &run.shape.trace, stdout))
		printf("# its parts have to be moved together first\n");
	return 1;
}

/* ---- children ---- */

static void child(u64 first, u64 n)
{
	const struct rlimit cpu = { CHILD_CPU_S, CHILD_CPU_S };

	setrlimit(RLIMIT_CPU, &cpu);
	native_watchdog();
	for (u64 i = first; i < first + n && run.totals->failures < FAILURES_MAX; i++)
		run_tree(i);
	fflush(NULL);
	_exit(0);
}

/* Runs trees in a child; a child that dies is a finding of the case it was at. */
static void run_child(u64 first, u64 n)
{
	pid_t pid = fork();
	int how;

	if (pid == 0)
		child(first, n);
	if (pid < 0 || waitpid(pid, &how, 0) != pid) {
		perror("fuzz_translate: fork");
		exit(2);
	}
	if (WIFEXITED(how) && WEXITSTATUS(how) == 0)
		return;
	run.totals->failures++;
	fprintf(stderr, "%s: the process of the case died of %s %d\n", run.path,
	        WIFSIGNALED(how) ? "signal" : "exit code",
	        WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how));
	print_repeat();
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void print_totals(double took)
{
	const struct totals *t = run.totals;
	unsigned long long executions = 2 * t->cases + 2 * t->stepped;

	printf("%s%s: %llu executions (%llu cases compared, %llu not, %llu for the stack ended), %llu differences, %.0f/s\n",
	       run.path, run.forms ? " (forms)" : "", executions, (unsigned long long)t->compared,
	       (unsigned long long)t->uncounted, (unsigned long long)t->stack_ended,
	       (unsigned long long)t->failures, (double)executions / took);
	printf("  %llu trees of %.1f instructions, %.1f blocks, %.2f loops; %llu calls inlined; %llu exits linked; %llu cases "
	       "stepped (%llu say nothing), %llu steps\n",
	       (unsigned long long)t->trees, (double)t->insns / (double)(t->trees ? t->trees : 1),
	       (double)t->blocks / (double)(t->trees ? t->trees : 1),
	       (double)t->loops / (double)(t->trees ? t->trees : 1), (unsigned long long)t->frames,
	       (unsigned long long)t->links, (unsigned long long)t->stepped,
	       (unsigned long long)t->odd, (unsigned long long)t->steps);
	printf("  ends: exit %llu, fault %llu, loop budget %llu, endless %llu; signals:",
	       (unsigned long long)t->kinds[OUTCOME_AT],
	       (unsigned long long)t->kinds[OUTCOME_FAULT],
	       (unsigned long long)t->kinds[OUTCOME_SPENT],
	       (unsigned long long)t->kinds[OUTCOME_ENDLESS]);
	for (u32 i = 0; i < 32; i++) {
		if (t->signals[i])
			printf(" %u: %llu", i, (unsigned long long)t->signals[i]);
	}
	printf("\n  trees not run: excluded instruction %llu, loops %llu",
	       (unsigned long long)t->refused[STATUS_OK], (unsigned long long)t->skipped_loops);
	for (u32 i = 1; i < STATUS_N; i++) {
		if (t->refused[i])
			printf(", %s %llu", status_name((enum status)i),
			       (unsigned long long)t->refused[i]);
	}
	printf("\n");
	fflush(stdout);
}

/* One file: a process of its own, which starts from this one's memory. */
static int run_file(u64 count)
{
	u64 first = run.only == ~(u64)0 ? 0 : run.only / TREE_CASES;
	u64 n = run.only == ~(u64)0 ? (count + TREE_CASES - 1) / TREE_CASES : 1;
	void *arena = malloc(ARENA_BYTES);
	double start;

	if (!arena || !guest_map(&run.trial.guest, &run.module))
		exit(2);
	arena_init(&run.arena, arena, ARENA_BYTES);
	if (run.shrink)
		return shrink_case();
	start = seconds();
	for (u64 i = 0; i < n && run.totals->failures < FAILURES_MAX; i += CHILD_TREES)
		run_child(first + i, n - i < CHILD_TREES ? n - i : CHILD_TREES);
	print_totals(seconds() - start);
	return run.totals->failures ? 1 : 0;
}

static bool number(const char *text, u64 *value)
{
	char *end;

	*value = text ? strtoull(text, &end, 0) : 0;
	return text && *text && !*end;
}

static int usage(void)
{
	fprintf(stderr,
	        "usage: fuzz_translate [--forms] [--calls] [--proven] [--seed S] [--count N] [--case I [--shrink]] FILE...\n"
	        "N: cases for each file, two executions each\n");
	return 2;
}

static int one_file(const char *path, u64 count)
{
	bool good;

	run.path = path;
	good = run.forms ? forms_load(&run.module, path, run.calls, run.seed)
	                 : module_load(&run.module, path);
	if (!good)
		return 2;
	return run_file(count);
}

/* A file in a process of its own: its guest's addresses are the next one's too. */
static int in_process(const char *path, u64 count)
{
	pid_t pid = fork();
	int how;

	if (pid == 0) {
		int code = one_file(path, count);

		fflush(NULL);
		_exit(code);
	}
	if (pid < 0 || waitpid(pid, &how, 0) != pid || !WIFEXITED(how))
		return 1;
	return WEXITSTATUS(how);
}

int main(int argc, char **argv)
{
	u64 count = 100000;
	int i, code = 0;

	run.seed = 1;
	run.only = ~(u64)0;
	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		u64 *value = NULL;

		if (!strcmp(argv[i], "--forms"))
			run.forms = true;
		else if (!strcmp(argv[i], "--calls"))
			run.calls = true;
		else if (!strcmp(argv[i], "--proven"))
			run.proven = true;
		else if (!strcmp(argv[i], "--shrink"))
			run.shrink = true;
		else if (!strcmp(argv[i], "--seed"))
			value = &run.seed;
		else if (!strcmp(argv[i], "--count"))
			value = &count;
		else if (!strcmp(argv[i], "--case"))
			value = &run.only;
		else
			return usage();
		if (value && (++i == argc || !number(argv[i], value)))
			return usage();
	}
	if (i == argc || (run.shrink && run.only == ~(u64)0))
		return usage();
	if (!native_init()) {
		printf("SKIP: the CPU's state cannot be switched here\n");
		return 77;
	}
	run.totals = mmap(NULL, sizeof(*run.totals), PROT_READ | PROT_WRITE,
	                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run.totals == MAP_FAILED)
		return 2;
	for (; i < argc; i++) {
		int one;

		memset(run.totals, 0, sizeof(*run.totals));
		one = in_process(argv[i], count);
		code = one > code ? one : code;
	}
	return code;
}
