/* SPDX-License-Identifier: MIT */
/*
 * fuzz_engine - the translation pipe against requests and modules that nobody should send.
 *
 *     fuzz_engine [--proofs] [--count N] [--seed S] [--start I] FILE...
 *
 * Case I of seed S is always the same. A case spoils a trace, the bytes of a text, its marks, a whole file,
 * a dump, a trace's text form, what notes say of jump tables, or a translation and its tables for the validator (--proofs: only those), gives the
 * engine an arena that may be far too small, in some cases changes the text while the engine reads it, and holds the answer against rules: a
 * status of the table, never of class BUG; on failure the arena and the results as before; on success code whose fixups and
 * origins are in order and in bounds and that decodes from end to end. Sanitizers see every access, also those
 * within the arena (arena_redzone.c). Exit codes: 0 nothing found, 1 found something, 2 wrong use.
 */
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include "limits.h"
#include "module.h"
#include "rnd.h"
#include "shape.h"
#include "spoil_code.h"
#include "translate.h"
#include "validate.h"

#define FILES_MAX 16
#define ARENA_BYTES (1u << 20)
#define CASES_PER_ALARM 1024
#define ALARM_CPU_S 120 /* for CASES_PER_ALARM cases, which take a second or two */
#define BLOCKS_HUGE (1u << 20)
#define TEXT_FORM_MAX (256 * 1024)

/* A file, its text, and a copy of it that cases change. */
struct input {
	struct module module; /* of the copy */
	u8 *copy;
	const u8 *pristine;
};

static struct {
	u64 seed, start, count;
	u64 now;
	u32 n_files;
	struct input files[FILES_MAX];
	struct shape shape;
	struct trace_block *huge;
	u8 *memory, *trees; /* trees: what a case needs besides what it tests */
	char form[TEXT_FORM_MAX];
	u64 answers[STATUS_N];
	u64 n_translated, n_proofs;
	bool proofs; /* no other cases */
} run;

/* ---- findings ---- */

static void print_repeat(void)
{
	fprintf(stderr,
	        "\nfuzz_engine: to repeat: fuzz_engine%s --seed %llu --start %llu --count 1",
	        run.proofs ? " --proofs" : "", (unsigned long long)run.seed,
	        (unsigned long long)run.now);
	for (u32 i = 0; i < run.n_files; i++)
		fprintf(stderr, " %s", run.files[i].module.path);
	fprintf(stderr, "\n");
}

static void require(bool good, const char *rule)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_engine: broken rule: %s\n", rule);
	print_repeat();
	_exit(1);
}

static void on_alarm(int number)
{
	(void)number;
	fprintf(stderr, "fuzz_engine: endless: %d s of CPU time and no end\n", ALARM_CPU_S);
	print_repeat();
	_exit(1);
}

static void arm(void)
{
	const struct itimerval timer = { .it_value = { .tv_sec = ALARM_CPU_S } };

	setitimer(ITIMER_VIRTUAL, &timer, NULL);
}

/* Any answer must be one of the table, told in *fail too, and nobody's mistake. */
static void rules_answer(enum status status, const struct failure *fail)
{
	require((u32)status < STATUS_N, "a status of the table");
	run.answers[status]++;
	if (!status)
		return;
	require(status_class(status) != STATUS_CLASS_BUG, "input is never the engine's mistake");
	require(fail->status == status, "the failure tells the status");
}

/* ---- arenas ---- */

static void arena_random(struct arena *arena, u64 *rnd)
{
	u32 how = (u32)rnd_below(rnd, 8);
	u64 size = how < 5   ? ARENA_BYTES
	           : how < 7 ? rnd_below(rnd, ARENA_BYTES)
	                     : rnd_below(rnd, 4096);

	arena_init(arena, run.memory, ARENA_BYTES);
	arena_init(arena, run.memory + rnd_below(rnd, 16) * (size < ARENA_BYTES / 2), size);
}

/* ---- text that changes while it is read ---- */

static struct {
	u8 *at; /* NULL: nothing changes */
	const u8 *pristine;
	u64 size, rnd;
} moving;

/* The engine sees text by decoding it: in front of one decoding in eight a byte of it is another one, or what it was. */
enum status __real_decode_insn(const u8 *bytes, u64 size, u64 addr, void *scratch, struct insn *out,
                               struct failure *fail);
enum status __wrap_decode_insn(const u8 *bytes, u64 size, u64 addr, void *scratch, struct insn *out,
                               struct failure *fail);
enum status __wrap_decode_insn(const u8 *bytes, u64 size, u64 addr, void *scratch, struct insn *out,
                               struct failure *fail)
{
	if (moving.at && rnd_below(&moving.rnd, 8) == 0) {
		u64 at = rnd_below(&moving.rnd, moving.size);

		moving.at[at] = rnd_chance(&moving.rnd, 50) ? moving.pristine[at]
		                                            : (u8)rnd_next(&moving.rnd);
	}
	return __real_decode_insn(bytes, size, addr, scratch, out, fail);
}

static void move_begin(const struct input *in, u8 *at, u64 size, u64 *rnd)
{
	moving.at = at;
	moving.pristine = in->pristine + (at - in->copy);
	moving.size = size;
	moving.rnd = rnd_next(rnd);
}

static void move_end(void)
{
	moving.at = NULL;
}

/* ---- what the pipe makes ---- */

static void rules_fixups(const struct code *code)
{
	for (u32 i = 0; i < code->n_fixups; i++) {
		const struct code_fixup *f = &code->fixups[i];

		require(f->kind <= FIXUP_TABLE, "a fixup has a kind");
		require(!i || f->at >= f[-1].at + 4, "fixups ascend and do not overlap");
		require(f->end >= f->at + 4 && f->end <= code->size, "a fixup lies in the code");
		require(f->kind == FIXUP_DATA || f->kind == FIXUP_TABLE || f->at % 8 <= 4,
		        "jumps are changed by one store");
		require(f->kind != FIXUP_BACK || f->to < code->size, "a loop stays in the code");
	}
}

static void rules_origins(const struct code *code)
{
	struct insn_brief brief;
	u32 at = 0, next = 0;

	require(code->n_origins && code->origins[0].at == 0, "the first origin is at 0");
	while (at < code->size) {
		if (next < code->n_origins && code->origins[next].at == at)
			next++;
		require(next == code->n_origins || code->origins[next].at > at,
		        "an origin stands at an instruction, in order");
		require(!decode_brief(code->bytes + at, code->size - at, at, scratch_decode(),
		                      &brief, NULL),
		        "the code decodes");
		at += brief.len;
	}
	require(at == code->size && next == code->n_origins, "nothing is left over");
}

static void rules_place(struct code *code, u64 *rnd)
{
	static u8 before[LIMIT_CODE_BYTES];
	struct failure fail = { 0 };
	u64 addr = code->head + (rnd_next(rnd) >> rnd_below(rnd, 64)) - 4096;
	enum status status;

	for (u32 i = 0; i < code->n_fixups; i++)
		code->fixups[i].shadow = addr + code->size;
	memcpy(before, code->bytes, code->size);
	status = code_place(code, addr, &fail);
	require(!status || status == STATUS_PLACE_REACH, "placing fails for reach only");
	require(!status || !memcmp(before, code->bytes, code->size), "code is as before");
	for (u32 i = 0; !status && i < code->n_fixups; i++) {
		const struct code_fixup *f = &code->fixups[i];
		u64 to = f->kind == FIXUP_BACK ? addr + f->to : f->target;
		s32 value;

		memcpy(&value, code->bytes + f->at, 4);
		if (f->kind == FIXUP_TABLE)
			require(f->target + (u64)(s64)value == f->shadow + (u64)(s64)(s32)f->to,
			        "a table's field is as far as its shadow");
		else
			require(addr + f->end + (u64)(s64)value == to,
			        "a field leads where it says");
	}
}

static void rules_code(struct code *code, u64 *rnd)
{
	require(code->size <= LIMIT_CODE_BYTES && code->n_fixups <= LIMIT_CODE_FIXUPS, "limits");
	rules_fixups(code);
	rules_place(code, rnd);
	rules_origins(code);
	run.n_translated++;
}

/* A tree as text and back. */
static void rules_form(const struct ir_tree *tree, struct arena *arena)
{
	u64 size = ir_dump(tree, run.form, sizeof(run.form)), mark = arena_mark(arena);
	struct failure fail = { 0 };
	struct ir_tree again;

	if (size >= sizeof(run.form) || ir_parse(run.form, size, arena, &again, &fail)) {
		require(size >= sizeof(run.form) || fail.status == STATUS_WORKSPACE,
		        "a dump parses");
		return;
	}
	require(again.n_ops == tree->n_ops && again.n_blocks == tree->n_blocks &&
	                !memcmp(again.ops, tree->ops, tree->n_ops * sizeof(*tree->ops)),
	        "a dump parses to what it was");
	arena_release(arena, mark);
}

static void pipe_run(const struct text *text, const struct trace *trace, u64 *rnd)
{
	struct failure fail = { 0 };
	struct ir_tree tree, no_tree;
	struct code code, no_code;
	struct arena arena;
	enum status status;
	u64 used;

	arena_random(&arena, rnd);
	used = arena_mark(&arena);
	memset(&no_tree, 0x5a, sizeof(no_tree));
	memset(&no_code, 0x5a, sizeof(no_code));
	tree = no_tree;
	code = no_code;
	status = lift_trace(text, trace, &arena, &tree, &fail);
	rules_answer(status, &fail);
	if (status) {
		require(arena_mark(&arena) == used, "the arena is as before");
		require(!memcmp(&tree, &no_tree, sizeof(tree)), "the tree is as before");
	} else {
		require(tree.n_ops <= LIMIT_TREE_INSNS && tree.n_blocks <= LIMIT_TREE_BLOCKS,
		        "limits of a tree");
		require(!ir_verify(&tree, &fail), "what was lifted verifies");
		if (rnd_chance(rnd, 10))
			rules_form(&tree, &arena);
		arena_release(&arena, used);
	}
	status = translate(text, trace, &arena, &code, &fail);
	rules_answer(status, &fail);
	if (!status) {
		rules_code(&code, rnd);
		return;
	}
	require(arena_mark(&arena) == used, "the arena is as before a translation");
	require(!memcmp(&code, &no_code, sizeof(code)), "the code is as before");
}

/* ---- cases ---- */

static struct elf_span *span_with(struct input *in, u32 flag, u64 *rnd)
{
	struct elf_view *view = &in->module.view;

	for (u32 tries = 0; tries < 64; tries++) {
		struct elf_span *span = &view->loads[rnd_below(rnd, view->n_loads)];

		if (span->bytes && span->size && (span->flags & flag) == flag)
			return span;
	}
	return NULL;
}

static void trace_spoilt(struct input *in, u64 *rnd, struct trace *trace)
{
	shape_grow(&run.shape, &in->module, rnd);
	if (rnd_chance(rnd, 70))
		shape_spoil(&run.shape, &in->module, rnd);
	*trace = run.shape.trace;
	if (rnd_below(rnd, 500))
		return;
	for (u32 i = 0; i < BLOCKS_HUGE; i++) {
		run.huge[i] = run.shape.blocks[i % (trace->n_blocks ? trace->n_blocks : 1)];
		run.huge[i].parent = i ? (u32)rnd_below(rnd, i) : TRACE_NO_PARENT;
	}
	trace->blocks = run.huge;
	trace->n_blocks = BLOCKS_HUGE;
}

static void case_trace(struct input *in, u64 *rnd)
{
	struct trace trace;

	trace_spoilt(in, rnd, &trace);
	pipe_run(&in->module.text, &trace, rnd);
}

/* Bytes near a place that the trace leads through; they come back afterwards. */
static void case_bytes(struct input *in, u64 *rnd)
{
	u64 left, head;
	struct trace trace;
	u8 *at;

	trace_spoilt(in, rnd, &trace);
	head = run.shape.blocks[0].start;
	at = (u8 *)text_bytes(&in->module.text, head, &left);
	if (!at)
		return;
	left = left < 256 ? left : 256;
	for (u32 n = 1 + (u32)rnd_below(rnd, 8); n; n--)
		at[rnd_below(rnd, left)] = (u8)rnd_next(rnd);
	if (rnd_chance(rnd, 20))
		trace.blocks = run.shape.blocks;
	if (rnd_chance(rnd, 40))
		move_begin(in, at, left, rnd);
	pipe_run(&in->module.text, &trace, rnd);
	move_end();
	memcpy(at, in->pristine + (at - in->copy), left);
}

/* What is known of a jump table lies; another one's targets are as many as that one's. */
static void table_spoil(const struct text *text, struct text_table *table, u64 *rnd)
{
	const struct text_table *other = &text->tables[rnd_below(rnd, text->n_tables)];

	switch (rnd_below(rnd, 6)) {
	case 0:
		table->addr = rnd_next(rnd) >> rnd_below(rnd, 64);
		break;
	case 1:
		table->count = rnd_below(rnd, table->count + 1);
		break;
	case 2:
		table->form = (u32)rnd_next(rnd) % 4;
		break;
	case 3:
		table->asked = (u16)rnd_next(rnd);
		table->spare = (u16)rnd_next(rnd);
		break;
	case 4:
		table->count = other->count;
		table->targets = other->targets;
		break;
	default:
		table->targets = NULL;
		break;
	}
}

/* Traces that lead to a jump through the table, with what lies; it comes back afterwards. */
static void case_table(struct input *in, u64 *rnd)
{
	struct text *text = &in->module.text;
	struct text_table *table, kept;
	u64 head;

	if (!text->n_tables)
		return;
	table = &text->tables[rnd_below(rnd, text->n_tables)];
	kept = *table;
	head = table->site;
	for (u32 i = (u32)rnd_below(rnd, 40); i; i--)
		head -= text_marks(text, head - 1) & TEXT_INSN || i > 20 ? 1 : 0;
	while (head < table->site && !(text_marks(text, head) & TEXT_INSN))
		head++;
	shape_grow_from(&run.shape, &in->module, head, rnd);
	if (rnd_chance(rnd, 80))
		table_spoil(text, table, rnd);
	pipe_run(text, &run.shape.trace, rnd);
	*table = kept;
}

static void case_marks(struct input *in, u64 *rnd)
{
	struct text *text = &in->module.text;
	u64 size = text->end - text->start, at, n;
	u16 kept[64];
	struct trace trace;

	trace_spoilt(in, rnd, &trace);
	at = run.shape.blocks[0].start - text->start;
	at = at < size ? at : 0;
	n = size - at < 64 ? size - at : 64;
	memcpy(kept, text->marks + at, n * sizeof(kept[0]));
	for (u32 i = 0; i < n; i++) {
		if (rnd_chance(rnd, 30))
			text->marks[at + i] = (u16)rnd_next(rnd);
	}
	pipe_run(text, &trace, rnd);
	memcpy(text->marks + at, kept, n * sizeof(kept[0]));
}

static void probe(const struct text *text, u64 *rnd)
{
	struct failure fail = { 0 };
	struct insn insn;
	u64 site;
	u32 len;

	for (u32 i = 0; i < 16; i++) {
		u64 addr = text->start + rnd_below(rnd, text->end - text->start + 32) - 16;

		rules_answer(text_insn(text, addr, scratch_decode(), &insn, &fail), &fail);
		rules_answer(text_site(text, addr, scratch_decode(), &site, &len, &fail), &fail);
	}
}

/* A text that was built from a spoilt file. */
static void traces_of(const struct elf_view *view, const struct text *text, u64 *rnd)
{
	struct module m = { .view = *view, .text = *text };
	u64 n = 0;

	for (u64 i = text->start; i < text->end; i++)
		n += (text_marks(text, i) & TEXT_INSN) != 0;
	m.heads = malloc((n + 1) * sizeof(*m.heads));
	require(m.heads != NULL, "memory");
	for (u64 i = text->start; i < text->end; i++) {
		if (text_marks(text, i) & TEXT_INSN)
			m.heads[m.n_heads++] = i;
	}
	for (u32 i = 0; i < 8 && n; i++) {
		shape_grow(&run.shape, &m, rnd);
		if (i & 1)
			shape_spoil(&run.shape, &m, rnd);
		pipe_run(text, &run.shape.trace, rnd);
	}
	free(m.heads);
}

static void build_text(const struct elf_view *view, u64 *rnd)
{
	struct failure fail = { 0 };
	u64 n_keep, n_scratch, kept, used;
	struct arena keep, scratch;
	struct text text, no_text;
	enum status status;
	void *a, *b;

	text_build_size(view, &n_keep, &n_scratch);
	require(n_keep < (u64)1 << 31 && n_scratch < (u64)1 << 31, "sizes are sane");
	if (rnd_chance(rnd, 25))
		n_keep = rnd_below(rnd, n_keep + 1);
	if (rnd_chance(rnd, 25))
		n_scratch = rnd_below(rnd, n_scratch + 1);
	a = malloc(n_keep + 4096);
	b = malloc(n_scratch + 4096);
	require(a && b, "memory");
	arena_init(&keep, a, n_keep);
	arena_init(&scratch, b, n_scratch);
	kept = arena_mark(&keep);
	used = arena_mark(&scratch);
	memset(&no_text, 0x5a, sizeof(no_text));
	text = no_text;
	status = text_build(&text, view, &keep, &scratch, &fail);
	rules_answer(status, &fail);
	require(arena_mark(&scratch) == used, "scratch is as before");
	if (status) {
		require(arena_mark(&keep) == kept, "keep is as before");
		require(!memcmp(&text, &no_text, sizeof(text)), "the text is as before");
	} else {
		probe(&text, rnd);
		traces_of(view, &text, rnd);
	}
	arena_init(&keep, NULL, 0);
	free(a);
	free(b);
}

static void spoil_bytes(u8 *bytes, u64 size, u64 *rnd)
{
	static const u8 interesting[] = { 0, 1, 2, 4, 8, 0x10, 0x7f, 0x80, 0xff, 0xe9, 0xeb, 0x0f };
	u64 at = rnd_below(rnd, size);

	for (u32 n = 1 + (u32)rnd_below(rnd, 6); n; n--) {
		u64 place = rnd_chance(rnd, 50) ? at + rnd_below(rnd, 32) : rnd_below(rnd, size);

		place = place < size ? place : size - 1;
		if (rnd_chance(rnd, 40))
			bytes[place] = interesting[rnd_below(rnd, sizeof(interesting))];
		else if (rnd_chance(rnd, 50))
			bytes[place] = (u8)rnd_next(rnd);
		else
			bytes[place] ^= (u8)(1u << rnd_below(rnd, 8));
	}
}

/* Headers, tables, notes and code of a copy; a heap block of exactly the file's size, or cut. */
static void case_file(struct input *in, u64 *rnd)
{
	u64 size = in->module.size;
	struct notes_failure why;
	struct elf_span *span;
	struct elf_view view;
	u8 *bytes;

	if (rnd_chance(rnd, 5))
		size = rnd_below(rnd, size);
	bytes = malloc(size ? size : 1);
	require(bytes != NULL, "memory");
	memcpy(bytes, in->pristine, size);
	if (size && rnd_chance(rnd, 15))
		spoil_bytes(bytes, size < 1024 ? size : 1024, rnd);
	for (u32 n = (u32)rnd_below(rnd, 4); n && size == in->module.size; n--) {
		span = span_with(in, rnd_chance(rnd, 50) ? ELF_VIEW_X : ELF_VIEW_R, rnd);
		if (span)
			spoil_bytes(bytes + (span->bytes - in->copy), span->size, rnd);
	}
	if (!elf_view_file(&view, bytes, size, &why))
		build_text(&view, rnd);
	free(bytes);
}

static void case_decode(struct input *in, u64 *rnd)
{
	u64 size = 1 + rnd_below(rnd, 20), left;
	struct failure fail = { 0 };
	struct insn_brief brief;
	struct insn insn;
	u8 *bytes = malloc(size);
	const u8 *from = text_bytes(&in->module.text,
	                            in->module.heads[rnd_below(rnd, in->module.n_heads)], &left);
	enum status a, b;

	require(bytes != NULL, "memory");
	for (u64 i = 0; i < size; i++)
		bytes[i] = from && i < left ? from[i] : (u8)rnd_next(rnd);
	for (u32 n = (u32)rnd_below(rnd, 5); n; n--)
		bytes[rnd_below(rnd, size)] = (u8)rnd_next(rnd);
	a = decode_insn(bytes, size, 0x1000, scratch_decode(), &insn, &fail);
	rules_answer(a, &fail);
	b = decode_brief(bytes, size, 0x1000, scratch_decode(), &brief, &fail);
	rules_answer(b, &fail);
	require(a || !b, "what decodes wholly decodes briefly");
	require(a || (insn.len == brief.len && insn.role == brief.role), "both say the same");
	require(a || insn.len <= size, "an instruction lies in its bytes");
	require(b || (brief.len && brief.len <= INSN_MAX_LEN), "an instruction has a length");
	free(bytes);
}

/* The blocks of a trace, as often as there is room. */
static u64 repeat_form(u64 size)
{
	const char *blocks = strchr(run.form, '\n');
	u64 at = blocks ? (u64)(blocks + 1 - run.form) : size,
	    n = size > at + 4 ? size - at - 4 : 0;

	while (n && size + n < sizeof(run.form)) {
		memmove(run.form + at + n, run.form + at, size - at);
		size += n;
		n = n < 4096 ? 2 * n : n;
	}
	return size;
}

/* Text forms, spoilt; what still parses and verifies is encoded. */
static void case_form(struct input *in, u64 *rnd)
{
	struct failure fail = { 0 };
	struct trace_stanza stanza;
	struct arena arena;
	struct ir_tree tree;
	struct code code;
	enum status status;
	u64 size, pos = 0;
	u32 line = 0;

	arena_init(&arena, run.memory, ARENA_BYTES);
	shape_grow(&run.shape, &in->module, rnd);
	if (rnd_chance(rnd, 30)) {
		size = trace_format(&run.shape.trace, "module", run.form, sizeof(run.form));
		if (rnd_below(rnd, 100) == 0)
			size = repeat_form(size);
		spoil_bytes((u8 *)run.form, size, rnd);
		do {
			status = trace_parse(run.form, size, &pos, &line, &arena, &stanza, &fail);
			rules_answer(status, &fail);
		} while (!status && pos < size);
		return;
	}
	status = lift_trace(&in->module.text, &run.shape.trace, &arena, &tree, &fail);
	if (status)
		return;
	size = ir_dump(&tree, run.form, sizeof(run.form));
	if (size >= sizeof(run.form))
		return;
	spoil_bytes((u8 *)run.form, size, rnd);
	arena_random(&arena, rnd);
	status = ir_parse(run.form, size, &arena, &tree, &fail);
	rules_answer(status, &fail);
	if (status || ir_verify(&tree, &fail))
		return;
	if (!encode_tree(&tree, &arena, &code, &fail))
		rules_code(&code, rnd);
}

/* A translation, mostly with tables that lie, of a text that may have changed: proven or refused, no more. */
static void case_proof(struct input *in, u64 *rnd)
{
	struct text *text = &in->module.text;
	struct arena room, arena;
	struct failure fail = { 0 };
	struct code code, copy;
	struct ir_tree tree;
	enum status status;
	u16 *mark, kept;
	u64 used, left;
	u8 *at;

	arena_init(&room, run.trees, ARENA_BYTES);
	shape_grow(&run.shape, &in->module, rnd);
	if (lift_trace(text, &run.shape.trace, &room, &tree, &fail) ||
	    translate(text, &run.shape.trace, &room, &code, &fail))
		return;
	require(code_copy(&copy, &code), "memory");
	if (rnd_chance(rnd, 95))
		code_spoil(&copy, rnd);
	mark = (u16 *)text->marks + rnd_below(rnd, text->end - text->start);
	kept = *mark;
	if (rnd_chance(rnd, 20))
		*mark = (u16)rnd_next(rnd);
	at = (u8 *)text_bytes(text, tree.head, &left);
	left = left < 256 ? left : 256;
	if (at && rnd_chance(rnd, 20))
		at[rnd_below(rnd, left)] = (u8)rnd_next(rnd);
	if (at && rnd_chance(rnd, 20))
		move_begin(in, at, left, rnd);
	arena_random(&arena, rnd);
	used = arena_mark(&arena);
	status = validate(text, &tree, &copy, &arena, &fail);
	move_end();
	if (at)
		memcpy(at, in->pristine + (at - in->copy), left);
	rules_answer(status, &fail);
	require(arena_mark(&arena) == used, "the arena is as before a proof");
	run.n_proofs += !status;
	*mark = kept;
	code_forget(&copy);
}

static void one_case(u64 *rnd)
{
	struct input *in = &run.files[rnd_below(rnd, run.n_files)];
	u32 how = (u32)rnd_below(rnd, 100);

	run.shape.calls = rnd_chance(rnd, 50);
	if (run.proofs || how < 15)
		case_proof(in, rnd);
	else if (how < 40)
		case_trace(in, rnd);
	else if (how < 60)
		case_bytes(in, rnd);
	else if (how < 66)
		case_marks(in, rnd);
	else if (how < 70)
		case_table(in, rnd);
	else if (how < 72)
		case_file(in, rnd);
	else if (how < 90)
		case_decode(in, rnd);
	else
		case_form(in, rnd);
}

static void cases(void)
{
	for (u64 i = 0; i < run.count; i++) {
		u64 rnd;

		run.now = run.start + i;
		rnd = rnd_start(run.seed, 5, run.now);
		if (i % CASES_PER_ALARM == 0)
			arm();
		one_case(&rnd);
	}
}

/* ---- start ---- */

/* The module's view and text refer to a copy on the heap. */
static bool input_load(struct input *in, const char *path)
{
	struct notes_failure why;

	if (!module_load(&in->module, path))
		return false;
	in->pristine = in->module.bytes;
	in->copy = malloc(in->module.size);
	if (!in->copy)
		return false;
	memcpy(in->copy, in->pristine, in->module.size);
	/* The same headers give the same view, of the copy; text.view is that one. */
	return elf_view_file(&in->module.view, in->copy, in->module.size, &why) == NOTES_OK;
}

static bool number(const char *text, u64 *value)
{
	char *end;

	*value = text ? strtoull(text, &end, 0) : 0;
	return text && *text && !*end;
}

static bool parse(int argc, char **argv)
{
	run.seed = 1;
	run.count = 100000;
	for (int i = 1; i < argc; i++) {
		u64 *value = !strcmp(argv[i], "--count")   ? &run.count
		             : !strcmp(argv[i], "--seed")  ? &run.seed
		             : !strcmp(argv[i], "--start") ? &run.start
		                                           : NULL;

		if (!strcmp(argv[i], "--proofs")) {
			run.proofs = true;
		} else if (value) {
			if (i + 1 == argc || !number(argv[++i], value))
				return false;
		} else if (argv[i][0] == '-' || run.n_files == FILES_MAX) {
			return false;
		} else if (!input_load(&run.files[run.n_files++], argv[i])) {
			return false;
		}
	}
	return run.n_files != 0;
}

int main(int argc, char **argv)
{
	u32 n_seen = 0;

	run.memory = malloc(ARENA_BYTES + 16);
	run.trees = malloc(ARENA_BYTES);
	run.huge = calloc(BLOCKS_HUGE, sizeof(*run.huge));
	if (!run.memory || !run.trees || !run.huge || !parse(argc, argv)) {
		fprintf(stderr,
		        "usage: fuzz_engine [--proofs] [--count N] [--seed S] [--start I] FILE...\n");
		return 2;
	}
	__sanitizer_set_death_callback(print_repeat);
	signal(SIGVTALRM, on_alarm);
	cases();
	printf("fuzz_engine: %llu cases of seed %llu, nothing found; %llu translations, %llu proofs; answers:",
	       (unsigned long long)run.count, (unsigned long long)run.seed,
	       (unsigned long long)run.n_translated, (unsigned long long)run.n_proofs);
	for (u32 i = 0; i < STATUS_N; i++) {
		n_seen += run.answers[i] != 0;
		if (run.answers[i])
			printf(" %s %llu", status_name((enum status)i),
			       (unsigned long long)run.answers[i]);
	}
	printf("; %u of %u statuses seen\n", n_seen, (unsigned)STATUS_N);
	return 0;
}
