/* SPDX-License-Identifier: MIT */
/*
 * runs.c - see runs.h.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "map.h"
#include "path.h"
#include "runs.h"

#define RUN_OPS_MAX 4096
#define READ_WORDS (1u << 16)

/* One of the recorder's blocks. */
struct piece {
	place start;
	u64 end;
	u32 run; /* NO_RUN: not looked for yet */
};
#define NO_RUN 0xffffffffu

struct reader {
	struct runs *runs;
	FILE *in;
	struct piece *pieces;
	u32 n_pieces, pieces_room;
	struct at {
		u32 run; /* that is being executed */
		place next; /* where its next piece is to begin */
	} threads[PATH_THREADS_MAX], *at;
	struct path *path; /* of the thread */
};

static void die(const char *what, const char *name)
{
	fprintf(stderr, "pathlab: %s: %s\n", name, what);
	exit(1);
}

/* ---- modules ---- */

static void map_arena(struct arena *arena, u64 size)
{
	void *base = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED)
		die("no memory", "arena");
	arena_init(arena, base, size);
}

static void open_module(struct module *module, char *path)
{
	struct notes_failure why;
	struct failure fail = { STATUS_OK, 0, 0 };
	struct arena keep, scratch;
	struct stat st;
	u64 keep_size, scratch_size;
	const char *slash = strrchr(path, '/');
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	module->path = path;
	module->name = slash ? slash + 1 : path;
	if (fd < 0 || fstat(fd, &st) || st.st_size == 0)
		die("cannot be read", path);
	module->size = (u64)st.st_size;
	module->bytes = mmap(NULL, module->size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (module->bytes == MAP_FAILED)
		die("cannot be mapped", path);
	if (elf_view_file(&module->view, module->bytes, module->size, &why) != NOTES_OK)
		die("no ELF file", path);
	text_build_size(&module->view, &keep_size, &scratch_size);
	map_arena(&keep, keep_size);
	map_arena(&scratch, scratch_size);
	if (text_build(&module->text, &module->view, &keep, &scratch, &fail) != STATUS_OK) {
		fprintf(stderr, "pathlab: %s: left alone, %s\n", path, status_name(fail.status));
		memset(&module->text, 0, sizeof(module->text));
	}
	munmap(scratch.base, scratch_size);
}

/* Link-time place of a file's offset. */
static place place_in_file(const struct runs *runs, u32 file, u64 offset)
{
	const struct module *module = &runs->modules[file];

	for (u32 i = 0; i < module->view.n_loads; i++) {
		const struct elf_span *load = &module->view.loads[i];
		u64 from = load->bytes ? (u64)(load->bytes - module->bytes) : offset + 1;

		if (offset >= from && offset < from + load->size && (load->flags & ELF_VIEW_X))
			return place_of(file, load->addr + offset - from);
	}
	die("executes what no segment holds", module->path);
	return 0;
}

static const u8 *bytes_at(const struct runs *runs, place at, u64 *size)
{
	const struct elf_view *view = &runs->modules[place_module(at)].view;
	u64 addr = place_addr(at);

	for (u32 i = 0; i < view->n_loads; i++) {
		const struct elf_span *load = &view->loads[i];

		if (load->bytes && addr >= load->addr && addr < load->addr + load->size) {
			*size = load->addr + load->size - addr;
			return load->bytes + (addr - load->addr);
		}
	}
	return NULL;
}

/* ---- runs ---- */

static const struct op *op_at(struct runs *runs, place at)
{
	struct insn_brief brief;
	struct op *op;
	const u8 *bytes;
	u64 size, known;

	if (map_get(runs->op_at, at, &known))
		return (const struct op *)known;
	if (place_module(at) == NO_MODULE || !(bytes = bytes_at(runs, at, &size)))
		return NULL;
	op = must(calloc(1, sizeof(*op)));
	op->marks = runs_text(runs, at) ? text_marks(runs_text(runs, at), place_addr(at)) : 0;
	op->known = decode_insn(bytes, size, place_addr(at), runs->decoder, &op->insn, NULL) ==
	            STATUS_OK;
	if (!op->known) {
		if (decode_brief(bytes, size, place_addr(at), runs->decoder, &brief, NULL) !=
		    STATUS_OK) {
			free(op);
			return NULL;
		}
		op->insn = (struct insn){ .addr = place_addr(at),
			                  .target = brief.target,
			                  .len = brief.len,
			                  .role = brief.role };
	}
	map_put(runs->op_at, at, (u64)op);
	return op;
}

/* Does control go on behind it in any case, as far as the recorder's blocks are concerned? */
static bool goes_on(const struct op *op)
{
	return op->insn.role == ROLE_PLAIN || op->insn.role == ROLE_SYSTEM;
}

u32 runs_at(struct runs *runs, place start)
{
	const struct op *ops[RUN_OPS_MAX];
	struct run run = { .start = start, .stamp = 0 };
	u64 known;
	place at = start;

	if (map_get(runs->run_at, start, &known))
		return (u32)known;
	while (run.n < RUN_OPS_MAX && (ops[run.n] = op_at(runs, at))) {
		at += ops[run.n]->insn.len;
		if (!goes_on(ops[run.n++]))
			break;
	}
	run.role = run.n ? ops[run.n - 1]->insn.role : ROLE_SYSTEM;
	run.ops = must(malloc(run.n * sizeof(*ops) + 1));
	memcpy(run.ops, ops, run.n * sizeof(*ops));
	if (runs->n_runs == runs->runs_room) {
		runs->runs_room = 2 * runs->runs_room + 1024;
		runs->runs = must(realloc(runs->runs, runs->runs_room * sizeof(run)));
	}
	runs->runs[runs->n_runs] = run;
	map_put(runs->run_at, start, runs->n_runs);
	return runs->n_runs++;
}

static place run_end(const struct run *run)
{
	return run->n ? place_of(place_module(run->start), run_last(run)->insn.addr) +
	                        run_last(run)->insn.len
	              : run->start;
}

/* ---- the stream ---- */

static u32 word(struct reader *r)
{
	u32 value;

	if (fread(&value, sizeof(value), 1, r->in) != 1)
		die("ends in the middle", "path");
	return value;
}

static void read_file(struct reader *r)
{
	u32 len = word(r), n = r->runs->n_modules;
	char *path = must(calloc(1, len + sizeof(u32)));

	for (u32 i = 0; i < len; i += sizeof(u32)) {
		u32 piece = word(r);

		memcpy(path + i, &piece, sizeof(piece));
	}
	if (n == MODULES_MAX)
		die("too many files", path);
	open_module(&r->runs->modules[n], path);
	r->runs->n_modules++;
}

static void read_piece(struct reader *r)
{
	u32 file = word(r), low = word(r), high = word(r), n = word(r), bytes = word(r);
	u64 offset = (u64)high << 32 | low;
	struct piece piece = { .run = NO_RUN };

	(void)n;
	if (file != PATH_NO_FILE && file >= r->runs->n_modules)
		die("names an unknown file", "path");
	piece.start = file == PATH_NO_FILE ? place_of(NO_MODULE, offset)
	                                   : place_in_file(r->runs, file, offset);
	piece.end = piece.start + bytes;
	if (r->n_pieces == r->pieces_room) {
		r->pieces_room = 2 * r->pieces_room + 1024;
		r->pieces = must(realloc(r->pieces, r->pieces_room * sizeof(piece)));
	}
	r->pieces[r->n_pieces++] = piece;
}

static void append(struct reader *r, u32 run)
{
	struct path *path = r->path;

	if (path->n == path->room) {
		path->room = 2 * path->room + (1u << 20);
		path->runs = must(realloc(path->runs, path->room * sizeof(*path->runs)));
	}
	path->runs[path->n++] = run;
	r->runs->n_path++;
}

/* A repeated string instruction is executed by itself, once for each repetition. */
static bool repeats(const struct reader *r, const struct piece *piece)
{
	const struct run *run = &r->runs->runs[r->at->run];

	if (r->at->next >= run_end(run) || piece->start >= r->at->next || piece->start < run->start)
		return false;
	for (u32 i = 0; i < run->n; i++)
		if (place_addr(piece->start) == run->ops[i]->insn.addr)
			return run->ops[i]->insn.flags & INSN_REP &&
			       piece->end == piece->start + run->ops[i]->insn.len;
	return false;
}

static void execute(struct reader *r, u32 number)
{
	struct piece *piece = &r->pieces[number];

	if (r->at->run != NO_RUN) {
		const struct run *run = &r->runs->runs[r->at->run];
		bool complete = r->at->next >= run_end(run);

		if ((piece->start == r->at->next && !complete) || repeats(r, piece)) {
			r->at->next = piece->end;
			return;
		}
		r->runs->torn += run->n && !complete;
	}
	if (piece->run == NO_RUN)
		piece->run = runs_at(r->runs, piece->start);
	*r->at = (struct at){ piece->run, piece->end };
	append(r, piece->run);
}

static void choose_thread(struct reader *r, u32 number)
{
	if (number >= PATH_THREADS_MAX)
		die("names an unknown thread", "path");
	r->at = &r->threads[number];
	r->path = &r->runs->paths[number];
}

void runs_read(struct runs *runs, const char *file, u64 limit)
{
	struct reader r = { .runs = runs };
	u32 value;

	memset(runs, 0, sizeof(*runs));
	for (u32 i = 0; i < PATH_THREADS_MAX; i++)
		r.threads[i].run = NO_RUN;
	choose_thread(&r, 0);
	runs->decoder = must(malloc(decode_scratch_size()));
	runs->run_at = map_new();
	runs->op_at = map_new();
	r.in = strcmp(file, "-") ? fopen(file, "re") : stdin;
	if (!r.in)
		die("cannot be read", file);
	while (runs->n_path < limit && fread(&value, sizeof(value), 1, r.in) == 1) {
		if (value == PATH_FILE)
			read_file(&r);
		else if (value == PATH_BLOCK)
			read_piece(&r);
		else if (value == PATH_THREAD)
			choose_thread(&r, word(&r));
		else if (value < r.n_pieces)
			execute(&r, value);
		else
			die("names an unknown block", file);
	}
	free(r.pieces);
	if (!runs->n_path)
		die("is empty", file);
}
