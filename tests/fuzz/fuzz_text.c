/* SPDX-License-Identifier: MIT */
/*
 * fuzz_text - the engine's text_build() and text_parts_...() against mutated files.
 *
 *     fuzz_text [--count N] [--seed S] [--start I] [FILE...]
 *
 * Case I of seed S is always the same: what fails prints the command that repeats it alone. A case changes bytes of a
 * small random module (or, 1 case in 16, of one of the files): headers, notes, records, unwind
 * table, exception and jump tables, dynamic section, code. Each segment is then copied into a block of its own, so that
 * AddressSanitizer sees every byte read that no segment holds, and what comes out is held against text.h. What is read by parts is held against
 * what is read as a whole, too.
 * Exit codes: 0 nothing found, 1 found something, 2 wrong use.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <signal.h>
#include <unistd.h>
#include "dynopt_notes.h"
#include "fde.h"
#include "mutate.h"
#include "text_image.h"

#define LOCK 0xf0
#define CASES_PER_IMAGE 64
#define FILES_MAX 16
#define ALARM_CPU_S 60 /* for one case, which takes milliseconds */

static struct {
	u64 seed, start, count, now;
	u32 n_files;
	char *paths[FILES_MAX];
	struct entry files[FILES_MAX];
	struct entry image;
	u64 seen[STATUS_N], n_built, n_insns, n_sites, n_opened, n_parts;
	void *decoder;
} run;

static void print_repeat(void)
{
	fprintf(stderr, "\nfuzz_text: to repeat: fuzz_text --seed %llu --start %llu --count 1",
	        (unsigned long long)run.seed, (unsigned long long)run.now);
	for (u32 i = 0; i < run.n_files; i++)
		fprintf(stderr, " %s", run.paths[i]);
	fprintf(stderr, "\n");
}

static void require(bool good, const char *rule)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_text: broken rule: %s\n", rule);
	print_repeat();
	_exit(1);
}

static void on_alarm(int signal)
{
	(void)signal;
	fprintf(stderr, "fuzz_text: endless: %d s of CPU time and no end\n", ALARM_CPU_S);
	print_repeat();
	_exit(1);
}

/* ---- rules of text.h ---- */

static void rules_insns(const struct text *text, const struct elf_view *view)
{
	u64 covered = text->start, bytes = 0;

	for (u64 addr = text->start; addr < text->end; addr++) {
		u16 marks = text_marks(text, addr);
		struct insn_brief insn;
		struct failure fail;
		const u8 *at;
		u64 size;

		if (!(marks & TEXT_INSN)) {
			require(!(marks & (TEXT_REACHED | TEXT_LOOP | TEXT_RETURN)),
			        "only instructions are reached");
			continue;
		}
		at = text_bytes(text, addr, &size);
		require(at != NULL && elf_view_covers(view, addr, 1, ELF_VIEW_X),
		        "code is executable");
		require(decode_brief(at, size, addr, run.decoder, &insn, &fail) == STATUS_OK,
		        "a proven instruction decodes");
		/* A branch may lead past a lock prefix: both end together. */
		if (addr < covered) {
			require(!(marks & TEXT_CERTIFIED) && at[-1] == LOCK &&
			                addr + insn.len == covered,
			        "proven instructions do not overlap");
			continue;
		}
		require(!(marks & TEXT_CERTIFIED) || (marks & TEXT_REACHED),
		        "certified text is reached");
		for (u64 i = addr + 1; i < addr + insn.len; i++)
			require((marks & TEXT_CERTIFIED) || !(text_marks(text, i) & TEXT_INTERIOR),
			        "nobody enters a foreign instruction");
		covered = addr + insn.len;
		bytes += insn.len;
		run.n_insns++;
	}
	require(covered <= text->end && (text->parts || bytes == text->proven_bytes),
	        "proven bytes are counted");
}

static void rules_slots(const struct text *text)
{
	u64 at = text->start;

	for (u32 i = 0; i < text->n_slots; i++) {
		const struct text_slot *slot = &text->slots[i];

		require(slot->addr >= at && slot->size == JMP_REL32_LEN &&
		                slot->addr + slot->size <= text->end,
		        "slots lie in the text, one behind the other");
		for (u32 j = 0; j < slot->size; j++) {
			u16 marks = text_marks(text, slot->addr + j);

			require((marks & TEXT_FREE) && !(marks & (TEXT_NO_PATCH | TEXT_TARGET)),
			        "slots are free and allowed");
		}
		at = slot->addr + slot->size;
	}
}

static void rules_areas(const struct text *text, const struct elf_view *view)
{
	require(text->cache <= text->cache_end && text->far <= text->far_end, "areas end");
	for (u64 i = text->cache; i < text->cache_end; i++)
		require(*elf_view_bytes(view, i, 1, ELF_VIEW_X) == 0xcc, "the cache is unused");
	require(elf_view_bytes(view, text->far, text->far_end - text->far, ELF_VIEW_X) ||
	                text->far == text->far_end,
	        "the far pool is executable");
	for (u32 i = 1; i < text->n_tables; i++)
		require(text->tables[i - 1].site <= text->tables[i].site, "tables are sorted");
}

static void rules_sites(const struct text *text, u64 *rnd)
{
	for (u32 i = 0; i < 64; i++) {
		u64 head = text->start + random_below(rnd, text->end - text->start), site = 0;
		struct failure fail;
		struct insn insn;
		u32 len = 0;

		if (text_site(text, head, run.decoder, &site, &len, &fail) == STATUS_OK) {
			u16 marks = text_marks(text, site);

			require(site >= head && len >= 2 && (marks & TEXT_INSN) &&
			                (marks & TEXT_REACHED) && !(marks & TEXT_FUNCTION),
			        "a site is a reached instruction of two bytes or more");
			run.n_sites++;
		}
		(void)!text_insn(text, head, run.decoder, &insn, &fail);
	}
}

/* ---- a case ---- */

/* Every segment's bytes in a block of their own; note segments point into them. */
static void split(struct elf_view *view, u8 *blocks[ELF_VIEW_LOADS_MAX])
{
	for (u32 i = 0; i < view->n_loads; i++) {
		struct elf_span *span = &view->loads[i];

		blocks[i] = malloc(span->size ? span->size : 1);
		require(blocks[i] != NULL, "memory");
		if (!span->bytes)
			continue;
		memcpy(blocks[i], span->bytes, span->size);
		span->bytes = blocks[i];
	}
	for (u32 i = 0; i < view->n_notes; i++)
		view->notes[i].bytes =
			elf_view_bytes(view, view->notes[i].addr, view->notes[i].size, 0);
}

/* A short workspace now and then; a mutated header may ask for gigabytes. */
static void workspace(struct arena *arena, u64 size, u64 *rnd)
{
	if (random_below(rnd, 32) == 0 || size > 1 << 26)
		size = random_below(rnd, size > 1 << 26 ? 1 << 26 : size);
	arena_init(arena, malloc(size + 1), size);
	require(arena->base, "memory");
}

/* ---- by parts ---- */

/* Of a function that both have read from the same start. */
static void rules_part(u16 part, u16 whole)
{
	const u16 same = TEXT_INSN | TEXT_CERTIFIED | TEXT_REACHED | TEXT_FUNCTION | TEXT_NO_PATCH |
	                 TEXT_NO_TRANSLATE | TEXT_NO_INLINE | TEXT_NO_DEFER | TEXT_PLAIN |
	                 TEXT_STACK_PRIVATE | TEXT_RETURN; /* loops are those of whole functions */

	require(!((part ^ whole) & same), "by parts is as it is as a whole");
	require(!(whole & ~part & (TEXT_TARGET | TEXT_INTERIOR)), "by parts all targets are known");
	require(!(part & ~whole & TEXT_FREE), "free by parts is free as a whole");
}

/* Does an instruction start here, or else nothing that is certified? */
static bool is_boundary(const struct text *text, u64 addr)
{
	return (text_marks(text, addr) & (TEXT_INSN | TEXT_CERTIFIED)) != TEXT_CERTIFIED;
}

/* Functions whose notes lie about where they begin, or where the next one does, are read otherwise. */
static void rules_parts(const struct text *text, const struct text *whole)
{
	u64 start, end;

	for (u64 addr = text->start; addr < text->end; addr++) {
		if (!text_function(text, addr, &start, &end) || text_is_unread(text, addr))
			require(!(text_marks(text, addr) & (u16)~TEXT_TARGET),
			        "nothing is known of what was not read");
		else if ((text_marks(whole, start) & TEXT_INSN) && is_boundary(whole, end))
			rules_part(text_marks(text, addr), text_marks(whole, addr));
	}
}

static void read_and_check(struct text *text, const struct text *whole, struct arena *keep,
                           struct arena *scratch, u64 *rnd)
{
	u64 addrs[4], used = keep->used, n = 1 + random_below(rnd, 4);
	struct text before = *text;
	struct failure fail;
	enum status status;

	for (u64 i = 0; i < n; i++)
		addrs[i] = text->start + random_below(rnd, text->end - text->start);
	status = text_parts_read(text, addrs, (u32)n, keep, scratch, &fail);
	run.seen[status]++;
	require(scratch->used == 0, "scratch is given back");
	require(status == STATUS_OK || (memcmp(text, &before, sizeof(before)) == 0 &&
	                                keep->used == used && fail.status == status),
	        "failure leaves everything as it was, and is told");
	rules_parts(text, whole);
	rules_insns(text, text->view);
	rules_slots(text);
	rules_sites(text, rnd);
	run.n_parts++;
}

static void parts_and_check(struct elf_view *view, const struct text *whole, u64 *rnd)
{
	struct arena keep, scratch;
	u64 keep_size, scratch_size;
	struct text text, before;
	struct failure fail;
	enum status status;

	text_build_size(view, &keep_size, &scratch_size);
	workspace(&keep, 2 * keep_size, rnd);
	workspace(&scratch, 2 * scratch_size, rnd);
	memset(&text, 0x5a, sizeof(text));
	before = text;
	status = text_parts_open(&text, view, &keep, &scratch, &fail);
	require(scratch.used == 0, "scratch is given back");
	require(status == STATUS_OK || (memcmp(&text, &before, sizeof(text)) == 0 &&
	                                keep.used == 0 && fail.status == status),
	        "failure leaves everything as it was, and is told");
	run.n_opened += !status;
	if (!status)
		rules_areas(&text, view);
	for (u32 i = 0; i < 3 && !status; i++)
		read_and_check(&text, whole, &keep, &scratch, rnd);
	free(keep.base);
	free(scratch.base);
}

static void build_and_check(struct elf_view *view, u64 *rnd)
{
	struct arena keep, scratch;
	u64 keep_size, scratch_size;
	struct text text, before;
	struct failure fail;
	enum status status;

	text_build_size(view, &keep_size, &scratch_size);
	workspace(&keep, keep_size, rnd);
	workspace(&scratch, scratch_size, rnd);
	memset(&text, 0x5a, sizeof(text));
	before = text;
	status = text_build(&text, view, &keep, &scratch, &fail);
	run.seen[status]++;
	require(scratch.used == 0, "scratch is given back");
	if (status != STATUS_OK) {
		require(memcmp(&text, &before, sizeof(text)) == 0 && keep.used == 0,
		        "failure leaves everything as it was");
		require(fail.status == status, "a failure is told");
	} else {
		run.n_built++;
		rules_insns(&text, view);
		rules_slots(&text);
		rules_areas(&text, view);
		rules_sites(&text, rnd);
		parts_and_check(view, &text, rnd);
	}
	free(keep.base);
	free(scratch.base);
}

static void one_case(struct entry *e, u64 *rnd)
{
	const struct itimerval timer = { .it_value = { .tv_sec = ALARM_CPU_S } };
	u8 *blocks[ELF_VIEW_LOADS_MAX];
	struct mutations done;
	struct elf_view view;

	setitimer(ITIMER_VIRTUAL, &timer, NULL);
	mutate(e, rnd, &done);
	if (entry_view(e, e->bytes, e->size, &view) == NOTES_OK) {
		split(&view, blocks);
		build_and_check(&view, rnd);
		for (u32 i = 0; i < view.n_loads; i++)
			free(blocks[i]);
	}
	mutate_undo(e, &done);
}

/* ---- entries ---- */

static void hot(struct entry *e, u64 offset, u64 size)
{
	if (size && offset < e->size && size <= e->size - offset && e->n_hot < HOT_MAX) {
		e->hot[e->n_hot].offset = offset;
		e->hot[e->n_hot++].size = size;
	}
}

static void hot_bytes(struct entry *e, const struct elf_view *view, u64 addr, u64 size)
{
	const u8 *bytes = elf_view_bytes(view, addr, size, 0);

	if (bytes)
		hot(e, (u64)(bytes - e->bytes), size);
}

/* What text_build() looks at beyond what the notes' reader does. */
static void hot_text(struct entry *e)
{
	struct failure fail;
	struct fde_walk walk;
	struct elf_view view;
	struct fde fde;
	u64 from, n = 0;

	if (entry_view(e, e->bytes, e->size, &view) != NOTES_OK)
		return;
	hot_bytes(e, &view, view.dynamic, view.dynamic_size);
	hot_bytes(e, &view, view.eh_frame_hdr, 8);
	for (u32 i = 0; i < view.n_loads; i++) {
		if (view.loads[i].flags & ELF_VIEW_X)
			hot_bytes(e, &view, view.loads[i].addr, view.loads[i].size);
	}
	if (fde_walk_begin(&walk, &view, &fail) != STATUS_OK)
		return;
	from = walk.pos;
	while (fde_walk_next(&walk, &fde, &fail) == STATUS_OK && walk.pos < walk.end) {
		if (fde.lsda && n++ < 4)
			hot_bytes(e, &view, fde.lsda, 32);
		if (walk.pos - from > 16384)
			break;
	}
	/* Three times: most of the grammar is here. */
	for (u32 i = 0; i < 3; i++)
		hot_bytes(e, &view, from, walk.pos - from);
}

static const char *const snippets[] = {
	"31c0",
	"4889e5",
	"55",
	"5d",
	"488b05 00000000",
	"e8 00000000",
	"ffd0",
	"7402 ffc0",
	"eb01 90",
	"ffc8 75fc",
	"0f1f440000",
	"0f1f84cccccccccc",
	"f30f1efa",
	"f00fb10f",
	"c5f877",
	"62f17c4858c0",
	"0f05",
	"0f0b",
	"f4",
	"488d1500000000 486304ba 4801d0 ffe0",
	"ff24c500104000",
	"e900000000",
	"0f8400000000",
	"c7f800000000",
	"64488b042528000000",
	"9090909090",
	"eb05 cccccccccc",
};
static const char *const paddings[] = { "",
	                                "",
	                                "cccccccccc",
	                                "0f1f8000000000",
	                                "6690",
	                                "660f1f440000",
	                                "0f1f840000000000 9090",
	                                "9090909090",
	                                "00000000" };

#define PICK(rnd, array) ((array)[random_below(rnd, sizeof(array) / sizeof((array)[0]))])

/* A module of a few random functions, half of them with records. */
static void random_image(struct entry *e, u64 seed)
{
	static const u8 lsda[] = { 0xff, 0xff, 0x01, 8, 0, 5, 6, 0, 5, 1, 0, 0 };
	static struct text_image img;
	static struct text text;
	u64 rnd = seed, pads;

	text_image_init(&img);
	pads = text_image_data(&img, lsda, sizeof(lsda));
	text_image_put(&img, TEXT_IMAGE_DATA + 4, 4 + sizeof(lsda), 4);
	for (u32 i = 0, n = 2 + (u32)random_below(&rnd, 6); i < n; i++) {
		struct notes_input in = { .single = true, .facts = (u32)random_below(&rnd, 4) };
		u64 f = TEXT_IMAGE_TEXT + img.text_size;

		for (u32 j = 0, m = 1 + (u32)random_below(&rnd, 10); j < m; j++)
			text_image_code(&img, PICK(&rnd, snippets));
		text_image_code(&img, "c3");
		in.start = f;
		in.end = TEXT_IMAGE_TEXT + img.text_size;
		if (random_below(&rnd, 4))
			text_image_fde(&img, f, in.end - f, random_below(&rnd, 3) ? 0 : pads,
			               random_below(&rnd, 8) ? 0 : TEXT_IMAGE_SIGNAL);
		if (random_below(&rnd, 2))
			text_image_object(&img, &in, 1, 0, 0, 0);
		text_image_code(&img, PICK(&rnd, paddings));
	}
	img.pie = random_below(&rnd, 2);
	(void)!text_image_build(&img, &text);
	memset(e, 0, sizeof(*e));
	e->size = img.file_size;
	e->bytes = malloc(e->size);
	e->pristine = malloc(e->size);
	require(e->bytes && e->pristine, "memory");
	memcpy(e->bytes, img.file, e->size);
	memcpy(e->pristine, img.file, e->size);
	hot(e, 64, (u64)img.file[56] * 56);
	hot_text(e);
	hot_bytes(e, &img.view, img.notes_writer.addr, img.notes_writer.pos);
	hot_bytes(e, &img.view, img.records_writer.addr, img.records_writer.pos);
	hot_bytes(e, &img.view, TEXT_IMAGE_DATA, img.data_size);
}

static u64 mix(u64 a, u64 b)
{
	u64 state = a ^ (b * 0x9e3779b97f4a7c15);

	return random_next(&state);
}

static void run_cases(void)
{
	u64 made = ~(u64)0;

	for (run.now = run.start; run.now < run.start + run.count; run.now++) {
		u64 image = run.now / CASES_PER_IMAGE, rnd = mix(run.seed, run.now);

		if (run.n_files && run.now % 16 == 0) {
			one_case(&run.files[run.now / 16 % run.n_files], &rnd);
			continue;
		}
		if (made != image) {
			entry_free(&run.image);
			random_image(&run.image, mix(run.seed + 1, image));
			made = image;
		}
		one_case(&run.image, &rnd);
	}
	entry_free(&run.image);
}

static bool options(int argc, char **argv)
{
	run.seed = 1;
	run.count = 20000;
	for (int i = 1; i < argc; i++) {
		u64 *number = strcmp(argv[i], "--count") == 0   ? &run.count
		              : strcmp(argv[i], "--seed") == 0  ? &run.seed
		              : strcmp(argv[i], "--start") == 0 ? &run.start
		                                                : NULL;

		if (number && i + 1 < argc) {
			*number = strtoull(argv[++i], NULL, 0);
		} else if (argv[i][0] == '-' || run.n_files == FILES_MAX) {
			return false;
		} else {
			run.paths[run.n_files] = argv[i];
			if (!entry_from_path(&run.files[run.n_files], argv[i]))
				return false;
			hot_text(&run.files[run.n_files++]);
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	if (!options(argc, argv)) {
		fprintf(stderr, "usage: fuzz_text [--count N] [--seed S] [--start I] [FILE...]\n");
		return 2;
	}
	signal(SIGVTALRM, on_alarm);
	run.decoder = malloc(decode_scratch_size());
	require(run.decoder != NULL, "memory");
	run_cases();
	printf("fuzz_text: %llu cases, %llu built, %llu instructions, %llu sites, %llu opened, %llu parts; refused:",
	       (unsigned long long)run.count, (unsigned long long)run.n_built,
	       (unsigned long long)run.n_insns, (unsigned long long)run.n_sites,
	       (unsigned long long)run.n_opened, (unsigned long long)run.n_parts);
	for (u32 i = 1; i < STATUS_N; i++) {
		if (run.seen[i])
			printf(" %s %llu", status_name((enum status)i),
			       (unsigned long long)run.seen[i]);
	}
	printf("\n");
	free(run.decoder);
	return 0;
}
