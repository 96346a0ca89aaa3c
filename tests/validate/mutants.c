/* SPDX-License-Identifier: MIT */
/*
 * mutants - is what the validator accepts right? Spoilt translations of real programs' paths.
 *
 *     mutants [--seed S] [--trees N] [--mutants M] [--states K] [--case I] [--list] [--sample P] [--forms] FILE...
 *
 * N random traces over each file's proven code, half of them with calls gone into, are translated and proven; each gets M mutants
 * (mutants.def), each of which the validator refuses or accepts. An accepted one is executed natively from K random machine
 * states, and so is the original; one state in STEPPED is followed instruction by instruction, the tables included (trial.h). A
 * difference is a bug in the validator. Where the original has left the tree and the mutant has not, the original is given the block that it went to,
 * and all is tried again: the validator follows originals out of the tree, and may know that they come back. One refused mutant in P is executed, too, from REFUSED_STATES
 * states, to see that the changes matter: those are counted, and locked away, for such code may do anything.
 * --forms: paths of functions made of the files' instructions instead.
 * Prints a table by kind and, as the last line for each file, `mutants: key=value ...`. --list names each that was accepted.
 * Exit codes: 0 all accepted mutants agree, 1 one differs, 2 wrong use, 77 this machine cannot run it.
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cache.h"
#include "exclude.h"
#include "forms.h"
#include "mutate_code.h"
#include "rnd.h"
#include "shape.h"
#include "translate.h"
#include "trial.h"
#include "validate.h"
#include "shadows.h"

#define ARENA_BYTES (32u << 20)
#define CHILD_TREES 50
#define STEPPED 50
#define REFUSED_STATES 24
#define FAILURES_MAX 8
#define NO_CASE (~(u64)0)

/* Shared with the children. */
struct totals {
	u64 now; /* the case under way: tree * mutants + mutant */
	bool executes; /* an accepted one */
	u64 trees, framed, unproven, unlisted;
	u64 made[MUTANT_KINDS], accepted[MUTANT_KINDS], differ[MUTANT_KINDS];
	u64 sampled[MUTANT_KINDS], sampled_differ[MUTANT_KINDS];
	u64 refused[STATUS_N];
	u64 states, compared, stepped;
	u64 further; /* mutants that agree where the original has come back to the tree */
	u64 failures;
};

static struct {
	const char *path;
	u64 seed, trees, mutants, states, only, sample;
	bool list, forms;
	struct totals *totals;
	struct module module;
	struct arena arena;
	struct shape shape;
	struct ir_tree tree[2]; /* the second: what the original goes on with, for further() */
	struct code code;
	struct mutant mutant;
	struct trial trial;
	u64 rnd; /* of the mutant's states */
	u64 tree_rnd; /* of what all its states have */
	bool wide; /* run.tree[1] is armed */
} run = { .seed = 1, .trees = 400, .mutants = 75, .states = 10000, .only = NO_CASE, .sample = 16 };

/* ---- one mutant ---- */

static void describe(enum mutant_kind kind)
{
	const struct code *code = &run.mutant.code;
	bool table = kind >= MUTANT_target;
	const struct insn *insn = run.mutant.insns;

	printf("  %s at %s%u of tree 0x%llx", mutant_names[kind], table ? "row " : "+",
	       run.mutant.at, (unsigned long long)run.tree[0].head);
	while (!table && insn->addr + insn->len <= run.mutant.at)
		insn++;
	if (!table) {
		printf(":");
		for (u32 i = 0; i < insn->len; i++)
			printf(" %02x", insn->bytes[i]);
		printf(" ->");
		for (u32 i = 0; i < insn->len; i++)
			printf(" %02x", code->bytes[insn->addr + i]);
	}
	printf("\n");
}

/* The tree, and the mutant row by row. */
static void print_mutant(void)
{
	static char text[256 * 1024];
	const struct code *code = &run.mutant.code;

	ir_dump(run.tree, text, sizeof(text));
	fputs(text, stderr);
	for (u32 i = 0; i < code->n_origins; i++) {
		u32 end = i + 1 < code->n_origins ? code->origins[i + 1].at : code->size;

		fprintf(stderr, "  +%u for 0x%llx:", code->origins[i].at,
		        (unsigned long long)code->origins[i].origin);
		for (u32 k = code->origins[i].at; k < end && k < code->size; k++)
			fprintf(stderr, " %02x", code->bytes[k]);
		fprintf(stderr, "\n");
	}
}

static void print_repeat(void)
{
	fprintf(stderr,
	        "to repeat: mutants%s --seed %llu --mutants %llu --states %llu --case %llu %s\n",
	        run.forms ? " --forms" : "", (unsigned long long)run.seed,
	        (unsigned long long)run.mutants, (unsigned long long)run.states,
	        (unsigned long long)run.totals->now, run.path);
}

/* Whoever places a translation relies on its proof, and a refused one has none. */
static bool within(const struct code *code)
{
	for (u32 i = 0; i < code->n_fixups; i++) {
		const struct code_fixup *f = &code->fixups[i];

		if (f->at > code->size - 4 || f->end > code->size || f->to > code->size ||
		    f->cut > code->size)
			return false;
	}
	for (u32 i = 0; i < code->n_origins; i++) {
		const struct ir_state *s = &code->states[code->origins[i].state];

		if (s->first + s->n > code->n_pendings)
			return false;
	}
	return code->size >= 4;
}

/* Puts the mutant where translations stand; false if its addresses do not reach. */
static bool place(u64 *rnd)
{
	struct guest *g = &run.trial.guest;
	struct code *code = &run.mutant.code;
	u64 at = g->caches[rnd_below(rnd, 2)] +
	         rnd_below(rnd, (GUEST_CACHE_SIZE - code->size - PAGE) / CACHE_ALIGN) * CACHE_ALIGN;

	g->shadows_end = g->caches[0] + GUEST_CACHE_SIZE;
	if (!within(code) || !shadows_make(g, code) || code_place(code, at, NULL))
		return false;
	g->n_codes = g->n_backs = 0;
	guest_place(g, code, at, rnd_chance(rnd, 25));
	run.trial.head = run.tree[0].head;
	run.trial.entry = at;
	run.trial.loose = true;
	return true;
}

/* One state; what differs. */
static const char *run_state(u64 number, bool *stepped)
{
	u64 budget;

	states_case(&run.trial.states, &run.rnd);
	budget = 2 + rnd_below(&run.rnd, rnd_chance(&run.rnd, 10) ? 300 : 12);
	*stepped = number % STEPPED == 1;
	return *stepped ? trial_step(&run.trial, budget) : trial_run(&run.trial, budget);
}

static bool tree_excluded(const struct ir_tree *tree)
{
	for (u32 i = 0; i < tree->n_ops; i++) {
		if (exclude_mnemonic(tree->ops[i].mnemonic))
			return true;
	}
	return false;
}

/* All states, to the first that differs. */
static const char *run_states(bool *stepped)
{
	struct totals *t = run.totals;
	const char *what = NULL;

	run.rnd = rnd_start(run.seed, 7, t->now);
	for (u64 i = 0; i < run.states && !what; i++) {
		what = run_state(i, stepped);
		t->states++;
		t->stepped += *stepped;
		t->compared += run.trial.compared;
		if (run.trial.original.kind == OUTCOME_ENDLESS)
			break; /* costs more than it says */
	}
	return what;
}

/* Makes the originals of the first n of run.tree executable. */
static bool arm(u32 n)
{
	guest_disarm(&run.trial.guest);
	if (guest_arm(&run.trial.guest, run.tree, n))
		return false;
	states_tree(&run.trial.states, &run.trial.guest, run.tree, n, run.tree_rnd);
	run.wide = n > 1;
	return true;
}

/* The original has left the tree for `at`, a guest address: goes on there, and tries again. */
static const char *further(u64 at, u64 rnd, bool *stepped)
{
	struct trace_block block = { at - run.module.base, TRACE_NO_PARENT, 0, 0 };
	struct trace trace = { .blocks = &block, .n_blocks = 1 };
	const char *what = "the original leaves the tree";
	u64 mark = arena_mark(&run.arena);

	if (!lift_trace(&run.module.text, &trace, &run.arena, &run.tree[1], NULL) &&
	    !tree_excluded(&run.tree[1]) && arm(2) && place(&rnd)) {
		what = run_states(stepped);
		run.totals->further += !what;
	}
	arena_release(&run.arena, mark);
	return what;
}

/* Executes an accepted mutant; false if it differs. */
static bool agrees(enum mutant_kind kind, u64 rnd)
{
	const struct outcome *a = &run.trial.original, *b = &run.trial.translation;
	bool stepped = false;
	const char *what = run_states(&stepped);

	if (what && a->kind == OUTCOME_AT && (stepped || b->kind != OUTCOME_AT || a->at != b->at))
		what = further(a->at, rnd, &stepped);
	if (!what)
		return true;
	fprintf(stderr, "%s: accepted, and differs: %s: %s%s\n", run.path, mutant_help[kind], what,
	        stepped ? " (stepped)" : "");
	print_repeat();
	fflush(stdout);
	describe(kind);
	fflush(stdout);
	trial_print(&run.trial, stepped);
	if (run.only != NO_CASE)
		print_mutant();
	return false;
}

/* From here on the process may come back from signals and end, no more. */
static void lock_up(void)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	static const struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(2);
}

/* Executes a refused mutant in a process of its own: does it differ? */
static bool seen_to_differ(void)
{
	pid_t pid = fork();
	int how;

	if (pid == 0) {
		bool stepped;

		native_watchdog();
		lock_up();
		for (u64 i = 0; i < REFUSED_STATES; i++) {
			if (run_state(i, &stepped))
				_exit(1);
		}
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &how, 0) == pid &&
	       (!WIFEXITED(how) || WEXITSTATUS(how) == 1);
}

static bool run_mutant(u64 number)
{
	u64 rnd = rnd_start(run.seed, 6, number), placed;
	enum mutant_kind kind = (enum mutant_kind)(number % MUTANT_KINDS);
	struct totals *t = run.totals;
	struct failure fail = { 0 };
	enum status status;

	t->now = number;
	if (!mutant_make(&run.mutant, kind, &rnd))
		return true;
	t->made[kind]++;
	status = validate(&run.module.text, run.tree, &run.mutant.code, &run.arena, &fail);
	t->refused[status]++;
	run.rnd = rnd_start(run.seed, 7, number);
	if (status) {
		if (rnd_below(&rnd, run.sample) || !place(&rnd))
			return true;
		t->sampled[kind]++;
		t->sampled_differ[kind] += seen_to_differ();
		return true;
	}
	t->accepted[kind]++;
	if (run.list)
		describe(kind);
	placed = rnd;
	if (!place(&rnd))
		return true;
	t->executes = true;
	if (!agrees(kind, placed)) {
		t->differ[kind]++;
		t->failures++;
	}
	t->executes = false;
	if (run.wide && !arm(1))
		return false;
	return t->failures < FAILURES_MAX;
}

/* ---- one tree ---- */

/* A proven translation of a random trace in run.tree and run.code; false if there is none. */
static bool make_tree(u64 *rnd)
{
	const struct text *text = &run.module.text;
	struct failure fail = { 0 };
	enum status status;

	run.shape.calls = rnd_chance(rnd, 50);
	shape_grow_framed(&run.shape, &run.module, &run.arena, rnd);
	if (lift_trace(text, &run.shape.trace, &run.arena, run.tree, &fail) ||
	    tree_excluded(run.tree))
		return false;
	status = translate_proven(text, &run.shape.trace, &run.arena, &run.code, &fail);
	run.totals->unproven += status_name(status)[0] == 'V';
	return !status;
}

static void run_tree(u64 number)
{
	u64 rnd = rnd_start(run.seed, 5, number), mark = arena_mark(&run.arena);

	bool armed = make_tree(&rnd);

	run.tree_rnd = rnd;
	armed = armed && arm(1);
	if (!armed) {
		arena_release(&run.arena, mark);
		return;
	}
	if (mutant_begin(&run.mutant, &run.module.text, &run.code, scratch_decode(), &run.arena)) {
		run.totals->trees++;
		run.totals->framed += run.tree[0].n_frames > 1;
		for (u64 i = number * run.mutants; i < (number + 1) * run.mutants; i++) {
			if ((run.only == NO_CASE || run.only == i) && !run_mutant(i))
				break;
		}
	} else {
		run.totals->unlisted++;
	}
	guest_disarm(&run.trial.guest);
	arena_release(&run.arena, mark);
}

/* ---- children ---- */

static void child(u64 first, u64 n)
{
	native_watchdog();
	for (u64 i = first; i < first + n && run.totals->failures < FAILURES_MAX; i++)
		run_tree(i);
	fflush(NULL);
	_exit(0);
}

static void run_child(u64 first, u64 n)
{
	pid_t pid;
	int how;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		child(first, n);
	if (pid < 0 || waitpid(pid, &how, 0) != pid) {
		perror("mutants: fork");
		exit(2);
	}
	if (WIFEXITED(how) && WEXITSTATUS(how) == 0)
		return;
	run.totals->failures++;
	fprintf(stderr, "%s: the process of a mutant%s died of %s %d\n", run.path,
	        run.totals->executes ? " that was accepted" : "",
	        WIFSIGNALED(how) ? "signal" : "exit code",
	        WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how));
	print_repeat();
}

/* ---- results ---- */

static u64 sum(const u64 *counts, u32 n)
{
	u64 all = 0;

	for (u32 i = 0; i < n; i++)
		all += counts[i];
	return all;
}

static void print_totals(void)
{
	const struct totals *t = run.totals;
	u64 made = sum(t->made, MUTANT_KINDS), accepted = sum(t->accepted, MUTANT_KINDS);

	printf("%s: refused executed  seen to differ | accepted differ  of\n", run.path);
	for (u32 i = 0; i < MUTANT_KINDS; i++)
		printf("  %-13s %8llu %8llu %8llu       | %8llu %6llu  %s\n", mutant_names[i],
		       (unsigned long long)(t->made[i] - t->accepted[i]),
		       (unsigned long long)t->sampled[i], (unsigned long long)t->sampled_differ[i],
		       (unsigned long long)t->accepted[i], (unsigned long long)t->differ[i],
		       mutant_help[i]);
	printf("  refused as");
	for (u32 i = 1; i < STATUS_N; i++) {
		if (t->refused[i])
			printf(" %s %llu", status_name((enum status)i),
			       (unsigned long long)t->refused[i]);
	}
	printf("\nmutants: file=%s seed=%llu trees=%llu framed=%llu unproven=%llu made=%llu refused=%llu accepted=%llu "
	       "states=%llu compared=%llu stepped=%llu further=%llu differ=%llu sampled=%llu sampled_differ=%llu failures=%llu\n",
	       run.path, (unsigned long long)run.seed, (unsigned long long)t->trees,
	       (unsigned long long)t->framed, (unsigned long long)t->unproven,
	       (unsigned long long)made, (unsigned long long)(made - accepted),
	       (unsigned long long)accepted, (unsigned long long)t->states,
	       (unsigned long long)t->compared, (unsigned long long)t->stepped,
	       (unsigned long long)t->further, (unsigned long long)sum(t->differ, MUTANT_KINDS),
	       (unsigned long long)sum(t->sampled, MUTANT_KINDS),
	       (unsigned long long)sum(t->sampled_differ, MUTANT_KINDS),
	       (unsigned long long)t->failures);
	fflush(stdout);
}

static int one_file(const char *path)
{
	u64 first = run.only == NO_CASE ? 0 : run.only / run.mutants;
	u64 n = run.only == NO_CASE ? run.trees : 1;
	void *arena = malloc(ARENA_BYTES);

	run.path = path;
	if (!(run.forms ? forms_load(&run.module, path, true, run.seed)
	                : module_load(&run.module, path)) ||
	    !guest_map(&run.trial.guest, &run.module) || !arena)
		return 2;
	arena_init(&run.arena, arena, ARENA_BYTES);
	for (u64 i = 0; i < n && run.totals->failures < FAILURES_MAX; i += CHILD_TREES)
		run_child(first + i, n - i < CHILD_TREES ? n - i : CHILD_TREES);
	print_totals();
	/* A run that executed nothing has shown nothing. */
	return run.totals->failures || (run.only == NO_CASE && !run.totals->compared) ? 1 : 0;
}

/* A file in a process of its own: its guest's addresses are the next one's too. */
static int in_process(const char *path)
{
	pid_t pid;
	int how;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		int code = one_file(path);

		fflush(NULL);
		_exit(code);
	}
	return pid > 0 && waitpid(pid, &how, 0) == pid && WIFEXITED(how) ? WEXITSTATUS(how) : 1;
}

static bool option(const char *name, const char *text)
{
	static const struct {
		const char *name;
		u64 *value;
	} options[] = { { "--seed", &run.seed },       { "--trees", &run.trees },
		        { "--mutants", &run.mutants }, { "--states", &run.states },
		        { "--case", &run.only },       { "--sample", &run.sample } };
	char *end;

	for (u32 i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(options[i].name, name))
			continue;
		*options[i].value = text ? strtoull(text, &end, 0) : 0;
		return text && *text && !*end;
	}
	return false;
}

int main(int argc, char **argv)
{
	int i, code = 0;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--list"))
			run.list = true;
		else if (!strcmp(argv[i], "--forms"))
			run.forms = true;
		else if (!option(argv[i], i + 1 < argc ? argv[i + 1] : NULL))
			break;
		else
			i++;
	}
	if (i == argc || argv[i][0] == '-' || !run.mutants || !run.sample) {
		fprintf(stderr,
		        "usage: mutants [--seed S] [--trees N] [--mutants M] [--states K] [--case I] [--list]\n"
		        "               [--sample P] [--forms] FILE...\n");
		return 2;
	}
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
		one = in_process(argv[i]);
		code = one > code ? one : code;
	}
	return code;
}
