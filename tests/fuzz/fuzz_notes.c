/* SPDX-License-Identifier: MIT */
/*
 * fuzz_notes - the notes reader against mutated files and memory images.
 *
 *     fuzz_notes [--count N] [--seed S] [--start I] [FILE...]
 *
 * Case I of seed S is always the same, whichever run it is in: what fails prints the
 * command that repeats it alone. A case mutates a random image, as a file or as mapped
 * memory (or one of the files named, 1 case in 16), reads all of it, and holds what
 * comes out against rules stated here a second time: every item lies where the
 * format says, counts are true, valid records have lists that do not fail.
 * Exit codes: 0 nothing found, 1 found something, 2 wrong use.
 */
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <string.h>
#include <unistd.h>
#include "corpus.h"
#include "mutate.h"

#define CASES_PER_IMAGE 256
#define CASES_PER_ALARM 4096
#define ALARM_CPU_S 120 /* for CASES_PER_ALARM cases, which take less than a second */
#define FILES_MAX 16

static struct {
	u64 seed, start, count;
	u64 now; /* the case under way */
	u32 n_files;
	char *paths[FILES_MAX];
	struct entry files[FILES_MAX];
	struct entry image; /* for CASES_PER_IMAGE cases */
	u64 n_clean; /* cases without a finding */
	u64 seen[NOTES_N_STATUS];
} run;

static void print_repeat(void)
{
	fprintf(stderr, "\nfuzz_notes: to repeat: fuzz_notes --seed %llu --start %llu --count 1",
	        (unsigned long long)run.seed, (unsigned long long)run.now);
	for (u32 i = 0; i < run.n_files; i++)
		fprintf(stderr, " %s", run.paths[i]);
	fprintf(stderr, "\n");
}

static void require(bool good, const char *rule)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_notes: broken rule: %s\n", rule);
	print_repeat();
	_exit(1);
}

static void on_alarm(int signal)
{
	(void)signal;
	fprintf(stderr, "fuzz_notes: endless: %d s of CPU time and no end\n", ALARM_CPU_S);
	print_repeat();
	_exit(1);
}

static void arm(void)
{
	const struct itimerval timer = { .it_value = { .tv_sec = ALARM_CPU_S } };

	setitimer(ITIMER_VIRTUAL, &timer, NULL);
}

/* ---- rules ---- */

/* Reads bytes that were granted: AddressSanitizer looks on. */
static void touch(const u8 *bytes, u64 size, const char *rule)
{
	static volatile u8 sink;

	require(bytes != NULL || size == 0, rule);
	if (!size)
		return;
	sink = bytes[0];
	sink = bytes[size / 2];
	sink = bytes[size - 1];
	(void)sink;
}

static void rules_functions(struct notes_reader *r, const struct notes_record *rec)
{
	u64 n = 0, at = rec->start;
	struct notes_function f;
	enum notes_status status;
	struct notes_iter it;

	notes_iter_begin(&it, r, rec, NOTES_FUNCTIONS);
	for (; (status = notes_functions_next(&it, &f)) == NOTES_OK; n++) {
		require(n ? f.start == at : f.start >= at, "functions have no gaps");
		require(f.end >= f.start && f.end <= rec->end, "a function lies in its range");
		require(f.facts <= DYNOPT_FACTS_MASK, "facts are known");
		at = f.end;
	}
	require(status == NOTES_END && n == rec->counts[NOTES_FUNCTIONS], "functions are counted");
}

static void rules_slots(struct notes_reader *r, const struct notes_record *rec)
{
	u64 n = 0, at = rec->start;
	enum notes_status status;
	struct notes_slot slot;
	struct notes_iter it;

	notes_iter_begin(&it, r, rec, NOTES_SLOTS);
	for (; (status = notes_slots_next(&it, &slot)) == NOTES_OK; n++) {
		require(slot.addr >= at && slot.addr <= rec->end &&
		                rec->end - slot.addr >= DYNOPT_SLOT_SIZE,
		        "a slot lies in its range, behind the one before");
		at = slot.addr + DYNOPT_SLOT_SIZE;
	}
	require(status == NOTES_END && n == rec->counts[NOTES_SLOTS], "slots are counted");
}

static void rules_noopt(struct notes_reader *r, const struct notes_record *rec)
{
	u64 n = 0, at = rec->start;
	struct notes_noopt range;
	enum notes_status status;
	struct notes_iter it;

	notes_iter_begin(&it, r, rec, NOTES_NOOPT);
	for (; (status = notes_noopt_next(&it, &range)) == NOTES_OK; n++) {
		require(range.start >= at && range.end >= range.start && range.end <= rec->end,
		        "a no-optimize range lies in its range");
		require(range.reasons != 0, "it has a reason");
		require(range.reasons < 0x800 || range.forbids == DYNOPT_FORBID_ALL,
		        "an unknown reason forbids everything");
		at = range.start;
	}
	require(status == NOTES_END && n == rec->counts[NOTES_NOOPT], "ranges are counted");
}

static void rules_opaque(struct notes_reader *r, const struct notes_record *rec)
{
	u64 n = 0, at = rec->start;
	struct notes_opaque piece;
	enum notes_status status;
	struct notes_iter it;

	notes_iter_begin(&it, r, rec, NOTES_OPAQUE);
	for (; (status = notes_opaque_next(&it, &piece)) == NOTES_OK; n++) {
		require(piece.start >= at && piece.end >= piece.start && piece.end <= rec->end,
		        "an opaque piece lies in its range");
		at = piece.end;
	}
	require(status == NOTES_END && n == rec->counts[NOTES_OPAQUE], "pieces are counted");
}

static void rules_tables(struct notes_reader *r, const struct notes_record *rec)
{
	struct notes_table table;
	enum notes_status status;
	struct notes_iter it;
	u64 n = 0, target;

	notes_iter_begin(&it, r, rec, NOTES_TABLES);
	for (; (status = notes_tables_next(&it, &table)) == NOTES_OK; n++) {
		u64 width = table.form == DYNOPT_TABLE_ABS64 ? 8 : 4;

		require(!table.site || (table.site >= rec->start && table.site < rec->end),
		        "a table's jump lies in the range");
		touch(elf_view_bytes(r->view, table.addr, table.count * width, 0),
		      table.count * width, "a table is readable");
		require(!notes_table_target(r->view, &table, table.count, &target), "a table ends");
	}
	require(status == NOTES_END && n == rec->counts[NOTES_TABLES], "tables are counted");
}

static void rules_record(struct notes_reader *r, const struct notes_object *o,
                         const struct notes_record *rec)
{
	require(rec->addr >= o->records && rec->addr + rec->size <= o->records_end,
	        "a record lies in its object");
	touch(rec->bytes, rec->size, "a record is readable");
	require(rec->end >= rec->start &&
	                elf_view_covers(r->view, rec->start, rec->end - rec->start, ELF_VIEW_X),
	        "a range is executable");
	rules_functions(r, rec);
	rules_slots(r, rec);
	rules_noopt(r, rec);
	rules_opaque(r, rec);
	rules_tables(r, rec);
}

static void rules_object(struct notes_reader *r, const struct notes_object *o, u64 *n_records)
{
	struct notes_records records;
	struct notes_record rec;
	enum notes_status status;
	u64 steps = 0, size = o->records_end - o->records;

	require(o->version == DYNOPT_NOTES_VERSION && o->flags <= DYNOPT_OBJECT_DISABLED,
	        "an object is of version 1");
	touch(elf_view_bytes(r->view, o->records, size, 0), size, "records are readable");
	require(!o->cache_size || elf_view_covers(r->view, o->cache, o->cache_size, ELF_VIEW_X),
	        "the cache is executable");
	notes_records_begin(&records, r, o);
	while ((status = notes_records_next(&records, &rec)) != NOTES_END) {
		require(++steps <= size, "every step makes progress");
		if (status != NOTES_OK)
			continue;
		++*n_records;
		rules_record(r, o, &rec);
	}
}

/* Everything the check says, seen again by hand. */
static void rules_view(const struct elf_view *view, const struct notes_totals *totals,
                       u64 n_failures)
{
	u64 n_objects = 0, n_records = 0, n_farpools = 0;
	struct notes_object object;
	struct notes_farpool pool;
	struct notes_reader r;
	struct notes_walk walk;
	enum notes_status status;

	for (u32 i = 0; i < view->n_loads; i++) {
		if (view->loads[i].bytes)
			touch(view->loads[i].bytes, view->loads[i].size, "a span is readable");
	}
	notes_reader_init(&r, view);
	notes_walk_begin(&walk, &r);
	while ((status = notes_objects_next(&walk, &object)) != NOTES_END) {
		if (status != NOTES_OK)
			continue;
		n_objects++;
		rules_object(&r, &object, &n_records);
	}
	notes_walk_begin(&walk, &r);
	while ((status = notes_farpools_next(&walk, &pool)) != NOTES_END) {
		if (status != NOTES_OK)
			continue;
		n_farpools++;
		require(pool.end >= pool.start &&
		                elf_view_covers(view, pool.start, pool.end - pool.start,
		                                ELF_VIEW_X),
		        "a far pool is executable");
	}
	require(n_objects == totals->n_objects && n_records == totals->n_records &&
	                n_farpools == totals->n_farpools,
	        "check counts what iterators give");
	require(r.n_failures <= n_failures, "check finds what iterators refuse");
}

static void rules_find(struct notes_reader *r, u64 *rnd)
{
	const struct elf_view *view = r->view;
	const struct elf_span *span;
	u64 addr, slots[4], n;
	struct notes_at at;

	if (!view->n_loads)
		return;
	span = &view->loads[random_below(rnd, view->n_loads)];
	addr = span->addr + random_below(rnd, span->size < 4096 ? span->size + 1 : 4096);
	notes_find(r, addr, &at);
	require(!at.certified || (at.recorded && at.decode_start <= addr && addr < at.decode_end),
	        "certified code can be decoded");
	require(at.forbids <= DYNOPT_FORBID_ALL && at.facts <= DYNOPT_FACTS_MASK, "masks");
	require(at.recorded || !r->n_failures || at.forbids == DYNOPT_FORBID_ALL,
	        "with failures, unrecorded text is left alone");
	n = notes_find_slots(r, addr - 128, addr + 128, addr, slots, 4);
	require(n <= 4, "no more slots than asked for");
	for (u64 i = 0; i < n; i++) {
		require(slots[i] - (addr - 128) <= 256 - DYNOPT_SLOT_SIZE, "slots are near");
		require(!(notes_find_forbids(r, slots[i]) & DYNOPT_FORBID_PATCH),
		        "slots may be patched");
	}
}

static void on_finding(void *ctx, const struct notes_failure *failure,
                       const struct notes_object *object, const struct notes_record *record)
{
	(void)ctx;
	require(failure->status > NOTES_END && failure->status < NOTES_N_STATUS, "a status");
	require(notes_status_class(failure->status) < NOTES_CLASS_CALLER, "no caller's mistake");
	require(object || !record, "a record has an object");
	run.seen[failure->status]++;
}

static void read_all(const struct entry *e, const u8 *bytes, u64 size, u64 *rnd)
{
	struct notes_totals totals;
	enum notes_status status;
	struct notes_reader r;
	struct elf_view view;

	status = entry_view(e, bytes, size, &view);
	run.seen[status]++;
	if (status != NOTES_OK)
		return;
	notes_reader_init(&r, &view);
	status = notes_check(&r, NOTES_CHECK_PRISTINE, on_finding, NULL, &totals);
	require((status == NOTES_OK) == (totals.n_findings == 0), "findings have a status");
	require(r.n_failures == totals.n_findings, "findings are failures");
	run.n_clean += status == NOTES_OK;
	rules_view(&view, &totals, r.n_failures);
	rules_find(&r, rnd);
}

/* ---- cases ---- */

static void one_case(struct entry *e, u64 *rnd)
{
	struct mutations done;

	mutate(e, rnd, &done);
	if (!e->live && random_below(rnd, 16) == 0) {
		/* Short copies of large files would only measure memcpy. */
		u64 size = random_below(rnd, e->size < 65536 ? e->size : 65536);
		u8 *cut = malloc(size ? size : 1);

		require(cut != NULL, "memory");
		memcpy(cut, e->bytes, size);
		read_all(e, cut, size, rnd);
		free(cut);
	} else {
		read_all(e, e->bytes, e->size, rnd);
	}
	mutate_undo(e, &done);
}

static void cases(void)
{
	u64 image = ~(u64)0;

	for (u64 i = 0; i < run.count; i++) {
		u64 rnd, want;

		run.now = run.start + i;
		rnd = (run.seed << 40) ^ run.now;
		random_next(&rnd);
		if (i % CASES_PER_ALARM == 0)
			arm();
		if (run.n_files && random_below(&rnd, 16) == 0) {
			one_case(&run.files[random_below(&rnd, run.n_files)], &rnd);
			continue;
		}
		want = run.now / CASES_PER_IMAGE;
		if (want != image) {
			entry_free(&run.image);
			entry_from_image(&run.image, run.seed * 1000003 + want, want % 4 == 3);
			image = want;
		}
		one_case(&run.image, &rnd);
		if (run.count >= 2000000 && i % 1000000 == 999999)
			fprintf(stderr, "fuzz_notes: %llu million\n",
			        (unsigned long long)(i + 1) / 1000000);
	}
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
	run.count = 300000;
	for (int i = 1; i < argc; i++) {
		u64 *value = !strcmp(argv[i], "--count")   ? &run.count
		             : !strcmp(argv[i], "--seed")  ? &run.seed
		             : !strcmp(argv[i], "--start") ? &run.start
		                                           : NULL;

		if (value) {
			if (i + 1 == argc || !number(argv[++i], value))
				return false;
		} else if (argv[i][0] == '-' || run.n_files == FILES_MAX) {
			return false;
		} else {
			if (!entry_from_path(&run.files[run.n_files], argv[i]))
				return false;
			run.paths[run.n_files++] = argv[i];
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	u32 n_seen = 0;

	if (!parse(argc, argv)) {
		fprintf(stderr, "usage: fuzz_notes [--count N] [--seed S] [--start I] [FILE...]\n");
		return 2;
	}
	__sanitizer_set_death_callback(print_repeat);
	signal(SIGVTALRM, on_alarm);
	cases();
	for (u32 i = 0; i < NOTES_N_STATUS; i++)
		n_seen += run.seen[i] != 0;
	printf("fuzz_notes: %llu cases of seed %llu read, nothing found; %llu without a finding, "
	       "%u of %u statuses seen\n",
	       (unsigned long long)run.count, (unsigned long long)run.seed,
	       (unsigned long long)run.n_clean, n_seen, (unsigned)NOTES_N_STATUS);
	entry_free(&run.image);
	for (u32 i = 0; i < run.n_files; i++)
		entry_free(&run.files[i]);
	return 0;
}
