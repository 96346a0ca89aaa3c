/* SPDX-License-Identifier: MIT */
/*
 * dynopt-ir - the engine's pipe, stage by stage, on a file, on bytes, or on a tree in text form.
 *
 * What a program was seen to do can be repeated here from its traces, and what is
 * refused is refused here with the same name at the same address. Nothing is patched.
 * Exit codes: 0 done, 1 something was refused, 2 wrong use or a file that cannot be read.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ir_costs.h"
#include "ir_print.h"
#include "translate.h"

#define ARENA_SIZE (4u << 20)
#define EXIT_REFUSED 1
#define EXIT_USE 2

enum stage { STAGE_DECODE, STAGE_LIFT, STAGE_ENCODE, N_STAGES };
static const char *const stage_names[N_STAGES] = { "decode", "lift", "encode" };

struct options {
	const char *file, *bytes, *trace, *tree;
	u64 addr, place;
	enum stage stop;
	bool dump, placed, stats, exact;
	u32 rounds; /* --costs; 0: not asked */
	struct translate_options translate;
};

/* What is translated, however it came. */
struct subject {
	const char *name;
	u8 *bytes;
	u64 size;
	struct elf_view view;
	struct text text;
	struct arena keep;
};

static void *must(void *memory)
{
	if (!memory) {
		fprintf(stderr, "dynopt-ir: out of memory\n");
		exit(EXIT_USE);
	}
	return memory;
}

static void make_arena(struct arena *arena, u64 size)
{
	arena_init(arena, must(malloc(size)), size);
}

static char *read_file(const char *path, u64 *size)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "rb") : stdin;
	char *data = NULL;
	size_t room = 0, used = 0, got;

	if (!f) {
		fprintf(stderr, "dynopt-ir: %s: %s\n", path, strerror(errno));
		exit(EXIT_USE);
	}
	do {
		room += 1u << 16;
		data = must(realloc(data, room));
		got = fread(data + used, 1, room - used, f);
		used += got;
	} while (used == room);
	if (f != stdin)
		fclose(f);
	*size = used;
	return data;
}

/* ---- subjects ---- */

static int refuse(const struct failure *failure)
{
	print_failure(failure);
	return EXIT_REFUSED;
}

static int open_file(struct subject *subject, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct notes_failure why = { 0 };
	struct failure failure;
	struct arena scratch;
	u64 keep, meanwhile;
	enum status status;

	subject->name = slash ? slash + 1 : path;
	subject->bytes = (u8 *)read_file(path, &subject->size);
	if (elf_view_file(&subject->view, subject->bytes, subject->size, &why) != NOTES_OK) {
		failed(&failure, STATUS_TEXT_FILE, why.addr, why.status);
		return refuse(&failure);
	}
	text_build_size(&subject->view, &keep, &meanwhile);
	make_arena(&subject->keep, keep);
	make_arena(&scratch, meanwhile);
	status = text_build(&subject->text, &subject->view, &subject->keep, &scratch, &failure);
	free(scratch.base);
	return status ? refuse(&failure) : 0;
}

/* Bytes without a file: what decodes one after the other is proven, what is called a function. */
static int open_bytes(struct subject *subject, const char *hex, u64 addr, void *decoder)
{
	struct elf_span *span = &subject->view.loads[0];
	size_t n = strlen(hex);
	struct insn_brief brief;

	subject->name = "bytes";
	subject->bytes = must(calloc(1, n / 2 + 1));
	for (; subject->size < n / 2; subject->size++) {
		if (sscanf(hex + 2 * subject->size, "%2hhx", subject->bytes + subject->size) != 1)
			break;
	}
	if (n % 2 || !n || subject->size != n / 2) {
		fprintf(stderr, "dynopt-ir: --bytes wants pairs of hex digits\n");
		return EXIT_USE;
	}
	subject->view.n_loads = 1;
	*span = (struct elf_span){ .addr = addr,
		                   .size = subject->size,
		                   .bytes = subject->bytes,
		                   .flags = ELF_VIEW_R | ELF_VIEW_X };
	subject->text.view = &subject->view;
	subject->text.start = addr;
	subject->text.end = addr + subject->size;
	subject->text.marks = must(calloc(subject->size, sizeof(u16)));
	for (u64 at = 0; at < subject->size; at += brief.len) {
		u64 callee = 0;

		if (decode_brief(subject->bytes + at, subject->size - at, addr + at, decoder,
		                 &brief, NULL) != STATUS_OK)
			brief.len = 1;
		else if (brief.role == ROLE_CALL)
			callee = brief.target - addr;
		subject->text.marks[at] |= TEXT_INSN | TEXT_REACHED | TEXT_CERTIFIED;
		if (callee && callee < subject->size)
			subject->text.marks[callee] |= TEXT_FUNCTION;
	}
	return 0;
}

/* ---- stages ---- */

static int show_insns(const struct subject *subject, u64 addr, void *decoder)
{
	struct failure failure;
	struct insn insn;

	for (u64 at = 0; at < subject->size; at += insn.len) {
		if (decode_insn(subject->bytes + at, subject->size - at, addr + at, decoder, &insn,
		                &failure) != STATUS_OK)
			return refuse(&failure);
		print_insn(&insn);
	}
	return 0;
}

/* Status and failure of one step as the exit code; on success the code is printed. */
static int finish(enum status status, const struct options *options, struct code *code,
                  struct failure *failure)
{
	if (!status && options->placed)
		status = code_place(code, options->place, failure);
	if (status)
		return refuse(failure);
	print_code(code);
	if (options->stats)
		print_stats(code);
	return 0;
}

static void show_tree(const struct options *options, const struct ir_tree *tree)
{
	if ((options->dump || options->stop == STAGE_LIFT) && !print_tree(tree))
		must(NULL);
}

static int show_trace(const struct options *options, const struct subject *subject,
                      const struct trace *trace, struct arena *arena)
{
	struct failure failure;
	struct ir_tree tree;
	struct code code;

	if (lift_trace(&subject->text, trace, arena, &tree, &failure) != STATUS_OK ||
	    ir_verify(&tree, &failure) != STATUS_OK)
		return refuse(&failure);
	show_tree(options, &tree);
	if (options->stop == STAGE_LIFT)
		return 0;
	if (options->exact)
		return finish(translate_exact(&subject->text, trace, arena, &code, &failure),
		              options, &code, &failure);
	return finish(translate_with(&subject->text, trace, &options->translate, arena, &code,
	                             &failure),
	              options, &code, &failure);
}

static bool is_of(const struct trace_stanza *stanza, const struct options *options,
                  const struct subject *subject)
{
	return options->bytes || (strlen(subject->name) == stanza->module_len &&
	                          !memcmp(subject->name, stanza->module, stanza->module_len));
}

/* Every stanza of this module; the exit code is the worst. */
static int show_traces(const struct options *options, const struct subject *subject,
                       struct arena *arena)
{
	u64 size, pos = 0;
	char *text = read_file(options->trace, &size);
	struct trace_stanza stanza;
	struct failure failure;
	struct costs costs = { 0 };
	enum status status;
	int result = 0;
	u32 line = 0;

	for (;;) {
		u64 mark = arena_mark(arena);
		int one;

		status = trace_parse(text, size, &pos, &line, arena, &stanza, &failure);
		if (status)
			break;
		one = 0;
		if (is_of(&stanza, options, subject) && options->rounds)
			costs_take(&costs, &subject->text, &stanza.trace, &options->translate,
			           arena, options->rounds);
		else if (is_of(&stanza, options, subject))
			one = show_trace(options, subject, &stanza.trace, arena);
		result = one > result ? one : result;
		arena_release(arena, mark);
	}
	if (status != STATUS_END)
		result = refuse(&failure);
	else if (options->rounds)
		costs_print(&costs);
	free(text);
	return result;
}

static int show_tree_file(const struct options *options, struct arena *arena)
{
	u64 size;
	char *text = read_file(options->tree, &size);
	struct failure failure;
	struct ir_tree tree;
	struct code code;
	int result;

	if (ir_parse(text, size, arena, &tree, &failure) != STATUS_OK ||
	    ir_verify(&tree, &failure) != STATUS_OK) {
		result = refuse(&failure);
	} else {
		cost_weigh(&tree);
		show_tree(options, &tree);
		result = options->stop == STAGE_LIFT
		                 ? 0
		                 : finish(encode_tree(&tree, arena, &code, &failure), options,
		                          &code, &failure);
	}
	free(text);
	return result;
}

static int show_subject(const struct options *options, struct subject *subject, struct arena *arena,
                        void *decoder)
{
	struct trace_block block = { .start = options->addr, .parent = TRACE_NO_PARENT };
	struct trace trace = { .blocks = &block, .n_blocks = 1 };
	int result;

	result = options->file ? open_file(subject, options->file)
	                       : open_bytes(subject, options->bytes, options->addr, decoder);
	if (result)
		return result;
	if (options->stop == STAGE_DECODE)
		return show_insns(subject, options->addr, decoder);
	if (options->trace)
		return show_traces(options, subject, arena);
	return show_trace(options, subject, &trace, arena);
}

/* ---- the command line ---- */

static const struct argp_option argp_options[] = {
	{ "file", 'f', "ELF", 0, "Take code from this file, by its notes or unwind table", 0 },
	{ "bytes", 'b', "HEX", 0, "Take these bytes as code; all of it counts as proven", 0 },
	{ "addr", 'a', "ADDR", 0, "Address of the bytes, or the head where there is no --trace",
	  0 },
	{ "trace", 't', "FILE", 0, "Lift the traces in this file ('-': standard input)", 0 },
	{ "tree", 'r', "FILE", 0, "Start from a tree in text form instead; no passes", 0 },
	{ "place", 'p', "ADDR", 0, "Fill in addresses for code at this place", 0 },
	{ "stop-after", 's', "STAGE", 0, "decode (needs --bytes), lift or encode (default)", 0 },
	{ "dump", 'd', NULL, 0, "Print the tree, too, when code is printed", 0 },
	{ "without", 'w', "PASS", 0, "Leave a pass out; may be repeated", 0 },
	{ "pass-limit", 'l', "N", 0,
	  "Passes make N changes at most (calls that disappear do not count)", 0 },
	{ "prove", 'P', NULL, 0, "Refuse what the validator cannot prove", 0 },
	{ "exact", 'x', NULL, 0,
	  "Owe nothing at any instruction, as the kernel module needs it; proven", 0 },
	{ "costs", 'c', "ROUNDS", 0,
	  "Translate each trace so often; print time by phase, workspace and refusals instead", 0 },
	{ "stats", 'S', NULL, 0, "Print what each pass did and the instructions executed per entry",
	  0 },
	{ 0 },
};

static void parse_addr(struct argp_state *state, const char *arg, u64 *value)
{
	char *end;

	errno = 0;
	*value = strtoull(arg, &end, 0);
	if (errno || end == arg || *end)
		argp_error(state, "'%s' is no address", arg);
}

static void parse_stage(struct argp_state *state, const char *arg, enum stage *stage)
{
	for (unsigned i = 0; i < N_STAGES; i++) {
		if (!strcmp(arg, stage_names[i])) {
			*stage = (enum stage)i;
			return;
		}
	}
	argp_error(state, "--stop-after wants decode, lift or encode, not '%s'", arg);
}

static void parse_pass(struct argp_state *state, const char *arg, u32 *without)
{
	for (u32 i = 0; i < PASS_N; i++) {
		if (!strcmp(arg, pass_names[i])) {
			*without |= 1u << i;
			return;
		}
	}
	argp_error(state, "'%s' is no pass (passes.def)", arg);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	u64 limit;

	switch (key) {
	case 'f':
		options->file = arg;
		return 0;
	case 'b':
		options->bytes = arg;
		return 0;
	case 'a':
		parse_addr(state, arg, &options->addr);
		return 0;
	case 't':
		options->trace = arg;
		return 0;
	case 'r':
		options->tree = arg;
		return 0;
	case 'p':
		parse_addr(state, arg, &options->place);
		options->placed = true;
		return 0;
	case 's':
		parse_stage(state, arg, &options->stop);
		return 0;
	case 'd':
		options->dump = true;
		return 0;
	case 'w':
		parse_pass(state, arg, &options->translate.without);
		return 0;
	case 'l':
		parse_addr(state, arg, &limit);
		options->translate.limit = (u32)limit;
		return 0;
	case 'P':
		options->translate.prove = true;
		return 0;
	case 'x':
		options->exact = true;
		return 0;
	case 'S':
		options->stats = true;
		return 0;
	case 'c':
		parse_addr(state, arg, &limit);
		if (limit == 0 || limit > 100000)
			argp_error(state, "--costs wants from 1 to 100000 rounds, not '%s'", arg);
		options->rounds = (u32)limit;
		return 0;
	case ARGP_KEY_END:
		if (!!options->file + !!options->bytes + !!options->tree != 1)
			argp_error(state, "one of --file, --bytes, --tree is wanted");
		if (options->stop == STAGE_DECODE && !options->bytes)
			argp_error(state, "--stop-after=decode needs --bytes");
		if (options->rounds && !options->trace)
			argp_error(state, "--costs needs --trace");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		argp_options,
		parse_option,
		NULL,
		"Shows what the engine makes of traces: the tree, the code, or why not."
		"\vExample: dynopt-ir --bytes 4801d875fb --addr 0x1000 --dump",
		NULL,
		NULL,
		NULL
	};
	struct options options = { .stop = STAGE_ENCODE, .translate = TRANSLATE_ALL };
	static struct subject subject;
	struct arena arena;
	void *decoder;
	int result;

	argp_err_exit_status = EXIT_USE;
	argp_parse(&argp, argc, argv, 0, NULL, &options);
	make_arena(&arena, ARENA_SIZE);
	decoder = arena_alloc(&arena, 1, decode_scratch_size());
	if (options.tree)
		result = show_tree_file(&options, &arena);
	else
		result = show_subject(&options, &subject, &arena, decoder);
	free(arena.base);
	free(subject.keep.base);
	if (options.bytes)
		free(subject.text.marks);
	free(subject.bytes);
	return result;
}
