/* SPDX-License-Identifier: MIT */
/*
 * pathlab - what translations would do for a recorded path (path.h).
 *
 *     pathlab PATH [RULE=VALUE]... [traces=FILE] [missing=FILE]
 *     pathlab PATH contexts
 *
 * Chooses trees by the rules and prints what they hold as one JSON object; with traces=, writes them as a file for
 * `dynopt run --traces`. Several sets of rules, separated by "," words, are answered one object a line for one reading.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "contexts.h"
#include "cuts.h"
#include "gains.h"
#include "ledger.h"
#include "map.h"
#include "select.h"
#include "trace.h"

static const struct rules usual = { .depth = 4,
	                            .blocks = 64,
	                            .insns = 512,
	                            .side = 0.02,
	                            .least = 0.0002,
	                            .worth = 0.05,
	                            .rounds = 8,
	                            .trees = 4000,
	                            .back = true,
	                            .linked = true,
	                            .stop = false,
	                            .tables = true,
	                            .leave = true };

static bool set_rule(struct rules *rules, const char *word)
{
	static const struct {
		const char *name;
		char kind; /* number, share, bool */
		size_t at;
	} table[] = {
		{ "depth", 'n', offsetof(struct rules, depth) },
		{ "blocks", 'n', offsetof(struct rules, blocks) },
		{ "insns", 'n', offsetof(struct rules, insns) },
		{ "side", 's', offsetof(struct rules, side) },
		{ "least", 's', offsetof(struct rules, least) },
		{ "worth", 's', offsetof(struct rules, worth) },
		{ "rounds", 'n', offsetof(struct rules, rounds) },
		{ "trees", 'n', offsetof(struct rules, trees) },
		{ "back", 'b', offsetof(struct rules, back) },
		{ "linked", 'b', offsetof(struct rules, linked) },
		{ "stop", 'b', offsetof(struct rules, stop) },
		{ "full", 'b', offsetof(struct rules, full) },
		{ "direct", 'b', offsetof(struct rules, direct) },
		{ "tables", 'b', offsetof(struct rules, tables) },
		{ "turn", 'b', offsetof(struct rules, turn) },
		{ "leave", 'b', offsetof(struct rules, leave) },
	};
	const char *value = strchr(word, '=');

	for (size_t i = 0; value && i < sizeof(table) / sizeof(table[0]); i++) {
		void *at = (char *)rules + table[i].at;

		if (strlen(table[i].name) != (size_t)(value - word) ||
		    strncmp(table[i].name, word, (size_t)(value - word)) != 0)
			continue;
		if (table[i].kind == 'n')
			*(u32 *)at = (u32)strtoul(value + 1, NULL, 0);
		else if (table[i].kind == 's')
			*(double *)at = strtod(value + 1, NULL);
		else
			*(bool *)at = strtoul(value + 1, NULL, 0) != 0;
		return true;
	}
	return false;
}

/* As trace.h has it. */
static u32 branch_of(const struct node *node)
{
	u64 next = node->ways[0].count, taken = node->ways[1].count;

	if (node->end != END_BRANCH || !node->ways[1].target || next + taken == 0)
		return 0;
	return (u32)((taken * 1000 + (next + taken) / 2) / (next + taken)) + 1;
}

static void write_trace(FILE *out, const struct forest *f, const struct tree *tree)
{
	struct trace_block *blocks = must(malloc(tree->n_nodes * sizeof(*blocks)));
	struct trace trace = { blocks, tree->n_nodes,
		               tree->entries > UINT32_MAX ? UINT32_MAX : (u32)tree->entries };
	const char *module = f->runs->modules[place_module(tree->site)].name;
	u64 entries = tree->weight ? tree->weight : 1, size;
	char *text;

	for (u32 i = 0; i < tree->n_nodes; i++) {
		u64 weight = tree->nodes[i].weight * 1000 / entries;

		blocks[i] =
			(struct trace_block){ .start = place_addr(tree->nodes[i].start),
			                      .parent = i ? tree->nodes[i].parent : TRACE_NO_PARENT,
			                      .weight = weight > 1000000000 ? 1000000000
			                                                    : (u32)weight,
			                      .branch = branch_of(&tree->nodes[i]) };
	}
	size = trace_format(&trace, module, NULL, 0) + 1;
	text = must(malloc(size));
	trace_format(&trace, module, text, size);
	fputs(text, out);
	free(text);
	free(blocks);
}

static FILE *create(const char *path)
{
	FILE *out = fopen(path, "we");

	if (!out) {
		perror(path);
		exit(1);
	}
	return out;
}

static void write_traces(const char *path, const struct forest *f)
{
	FILE *out = create(path);

	for (u32 i = 0; i < f->n_trees; i++)
		if (!f->trees[i].dead)
			write_trace(out, f, &f->trees[i]);
	if (fclose(out)) {
		perror(path);
		exit(1);
	}
}

static void print(const char *name, u64 value, const char *behind)
{
	printf("\"%s\": %llu%s", name, (unsigned long long)value, behind);
}

static void print_hops(const struct forest *f)
{
	static const char *const names[ARRIVE_KINDS] = { "hops_other",    "hops_loop",
		                                         "hops_call",     "hops_return",
		                                         "hops_indirect", "hops_exit" };

	for (u32 i = 0; i < ARRIVE_KINDS; i++)
		print(names[i], f->hops_behind[i], ", ");
}

static void print_trees(const struct forest *f)
{
	u64 live = 0, nodes = 0, insns = 0;

	for (u32 i = 0; i < f->n_trees; i++) {
		const struct tree *tree = &f->trees[i];

		if (tree->dead)
			continue;
		live++;
		nodes += tree->n_nodes;
		for (u32 n = 0; n < tree->n_nodes; n++)
			insns += tree->nodes[n].n;
	}
	print("trees", live, ", ");
	print("nodes", nodes, ", ");
	print("tree_insns", insns, ", ");
}

/* clang-format off */
static void print_sums(const struct ledger *sum, const struct gains *gains, const struct cuts *cuts)
{
#define X(name) print(#name, sum->name, ", ");
	LEDGER_SAVED(X) LEDGER_ADDED(X) X(insns) X(inside) X(entries) X(exits) X(linked) X(stub_exits)
#undef X
#define X(name) print(#name, gains->name, ", ");
	GAINS(X)
#undef X
#define X(name) print(#name, cuts->name, ", ");
	CUTS(X) OUTSIDE(X)
#undef X
}
/* clang-format on */

static void answer(struct runs *runs, const struct rules *rules, const char *traces,
                   const char *missing)
{
	struct forest f;
	struct ledger sum;
	struct gains gains;
	struct cuts cuts;

	forest_init(&f, runs, rules);
	select_trees(&f);
	ledger_sum(&f, &sum);
	gains_sum(&f, &gains);
	cuts_sum(&f, &cuts);
	printf("{");
	print("runs", runs->n_path, ", ");
	print("torn", runs->torn, ", ");
	print_trees(&f);
	print_hops(&f);
	print_sums(&sum, &gains, &cuts);
	print("simulated", ledger_translated(&sum), "}\n");
	fflush(stdout);
	if (traces)
		write_traces(traces, &f);
	if (missing) {
		FILE *out = create(missing);

		cuts_list(&f, out);
		fclose(out);
	}
	forest_free(&f);
}

int main(int argc, char **argv)
{
	static struct runs runs;
	struct rules rules = usual;
	const char *traces = NULL, *missing = NULL;
	u64 limit = ~0ull;
	int i;

	if (argc < 2) {
		fprintf(stderr,
		        "usage: pathlab PATH [limit=RUNS] [RULE=VALUE]... [traces=FILE] [missing=FILE] [, ...]\n"
		        "       pathlab PATH [limit=RUNS] contexts\n");
		return 2;
	}
	for (i = 2; i < argc && strncmp(argv[i], "limit=", 6) == 0; i++)
		limit = strtoull(argv[i] + 6, NULL, 0);
	runs_read(&runs, argv[1], limit);
	if (i + 1 == argc && strcmp(argv[i], "contexts") == 0) {
		contexts_print(&runs);
		return 0;
	}
	for (; i < argc; i++) {
		if (strcmp(argv[i], ",") == 0) {
			answer(&runs, &rules, traces, missing);
			rules = usual;
			traces = missing = NULL;
		} else if (strncmp(argv[i], "traces=", 7) == 0) {
			traces = argv[i] + 7;
		} else if (strncmp(argv[i], "missing=", 8) == 0) {
			missing = argv[i] + 8;
		} else if (!set_rule(&rules, argv[i])) {
			fprintf(stderr, "pathlab: unknown rule '%s'\n", argv[i]);
			return 2;
		}
	}
	answer(&runs, &rules, traces, missing);
	return 0;
}
