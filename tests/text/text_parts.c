/* SPDX-License-Identifier: MIT */
/*
 * text_parts - texts that are read by parts, against the same texts read as a whole.
 *
 *     text_parts [--seed=N] [--times=N] FILE...
 *
 * Functions are asked for by random addresses, in several steps. Of a function that was read every mark is the whole text's, but that more bytes may count
 * as targets, and fewer as free; its jump tables lead to the same places; what was read before is as it was. Of others nothing
 * is known that is not true. In the end all are asked for: then nothing of certified text is missing.
 * Prints what reading costs. What has no notes, or records that overlap, can only be read as a whole: that is told and no error. Exit codes: 0; 1 they differ (the first ones are printed), or a file cannot be read; 2 wrong use.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include "module.h"

#define SHOWN_MAX 10
#define STEPS 4u
#define WANTED_MAX 64
#define TARGET_MARKS (TEXT_TARGET | TEXT_INTERIOR)

struct parts {
	struct arena keep, scratch;
	struct text text;
	double open_s, read_s;
};

static u64 n_wrong, n_targets, n_free, seed = 1;

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static void wrong(const char *path, u64 addr, const char *what)
{
	if (n_wrong++ < SHOWN_MAX)
		printf("%s: 0x%llx: %s\n", path, (unsigned long long)addr, what);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool certified(const struct text *text, u64 addr)
{
	const u16 both = TEXT_INSN | TEXT_CERTIFIED;

	return (text_marks(text, addr) & both) == both;
}

/* One byte, read in part and as a whole. */
static void compare_byte(const char *path, u64 addr, u16 part, u16 whole)
{
	u16 differ = part ^ whole;

	if (!part && whole)
		wrong(path, addr, "read, and nothing is known");
	if (differ & (u16) ~(TARGET_MARKS | TEXT_FREE | TEXT_LOOP | TEXT_RETURN))
		wrong(path, addr, "other marks");
	if ((whole & ~part) & TARGET_MARKS)
		wrong(path, addr, "a branch leads there, and nobody knows");
	if ((part & ~whole) & (TEXT_FREE | TEXT_LOOP | TEXT_RETURN))
		wrong(path, addr, "free, a loop or a return, and not so as a whole");
	if ((whole & ~part) & (TEXT_LOOP | TEXT_RETURN))
		wrong(path, addr, "no loop or return here");
	n_targets += (part & ~whole & TARGET_MARKS) != 0;
	n_free += (whole & ~part & TEXT_FREE) != 0;
}

static void compare_table(const char *path, const struct text *part, const struct text *whole,
                          u64 site)
{
	const struct text_table *a = text_table_at(part, site), *b = text_table_at(whole, site);

	if (!a && !b)
		return;
	if (!a || !b || a->count != b->count || a->addr != b->addr ||
	    memcmp(a->targets, b->targets, a->count * sizeof(*a->targets)) != 0)
		wrong(path, site, "another jump table");
}

static void compare(const char *path, const struct text *part, const struct text *whole)
{
	for (u64 addr = part->start; addr < part->end; addr++) {
		u64 start, end;
		bool is_read = text_function(part, addr, &start, &end) && certified(part, start);

		if (is_read)
			compare_byte(path, addr, text_marks(part, addr), text_marks(whole, addr));
		else if (text_marks(part, addr) & (u16)~TEXT_TARGET)
			wrong(path, addr, "was not read, and has marks");
		if (is_read && certified(part, addr))
			compare_table(path, part, whole, addr);
	}
	for (u32 i = 0; i < part->n_slots; i++) {
		u32 at = 0;

		while (at < whole->n_slots && whole->slots[at].addr != part->slots[i].addr)
			at++;
		if (at == whole->n_slots)
			wrong(path, part->slots[i].addr, "no slot as a whole");
		if (i && part->slots[i].addr <= part->slots[i - 1].addr)
			wrong(path, part->slots[i].addr, "slots are not in order");
	}
}

/* Text that was read stays as it was. */
static void compare_before(const char *path, const struct text *text, const u16 *before)
{
	for (u64 addr = text->start; addr < text->end; addr++) {
		u16 was = before[addr - text->start];

		if ((was & TEXT_CERTIFIED) && text_marks(text, addr) != was)
			wrong(path, addr, "was other when it was read");
	}
}

static bool read_some(const char *path, struct parts *p, const u64 *addrs, u32 n)
{
	struct failure fail = { 0 };
	double from = now();
	enum status status = text_parts_read(&p->text, addrs, n, &p->keep, &p->scratch, &fail);

	p->read_s += now() - from;
	if (status)
		wrong(path, fail.addr, status_name(status));
	return !status;
}

static u32 pick(const struct text *whole, u64 *addrs, bool all)
{
	u32 n = 0, max = all ? 1u << 20 : 1 + rnd() % WANTED_MAX;

	for (u64 addr = whole->start; all && addr < whole->end && n < max; addr++)
		if (certified(whole, addr) && (text_marks(whole, addr) & TEXT_FUNCTION))
			addrs[n++] = addr;
	while (!all && n < max)
		addrs[n++] = whole->start + rnd() % (whole->end - whole->start);
	return n;
}

static bool run(const char *path, const struct module *m, u64 *addrs, struct parts *p)
{
	u64 n = m->text.end - m->text.start;
	u16 *before = calloc(n, sizeof(*before));
	struct failure fail = { 0 };
	double from = now();
	enum status status = text_parts_open(&p->text, &m->view, &p->keep, &p->scratch, &fail);

	p->open_s = now() - from;
	if (status || !before) {
		free(before);
		return status == STATUS_TEXT_NOTES;
	}
	for (u32 step = 0; step < STEPS; step++) {
		memcpy(before, p->text.marks, n * sizeof(*before));
		if (!read_some(path, p, addrs, pick(&m->text, addrs, step == STEPS - 1)))
			break;
		compare_before(path, &p->text, before);
		compare(path, &p->text, &m->text);
	}
	for (u64 addr = m->text.start; addr < m->text.end; addr++)
		if (certified(&m->text, addr) && !certified(&p->text, addr))
			wrong(path, addr, "missing in the end");
	free(before);
	return true;
}

static bool check(const char *path, u32 times)
{
	u64 keep, scratch, *addrs = calloc(1u << 20, sizeof(*addrs));
	struct parts p = { 0 };
	struct module m;
	bool good = module_build(&m, path) && addrs;

	for (u32 i = 0; good && i < times; i++) {
		text_build_size(&m.view, &keep, &scratch);
		p.read_s = 0;
		module_arena(&p.keep, 2 * keep);
		module_arena(&p.scratch, 2 * scratch);
		good = run(path, &m, addrs, &p);
		munmap(p.keep.base, p.keep.size);
		munmap(p.scratch.base, p.scratch.size);
	}
	if (good && !p.text.parts)
		printf("%s: can only be read as a whole\n", path);
	else if (good)
		printf("%s: %llu differ; %llu targets more, %llu free bytes fewer; whole %.2f ms, opened %.2f, read in %u steps %.2f\n",
		       path, (unsigned long long)n_wrong, (unsigned long long)n_targets,
		       (unsigned long long)n_free, m.cpu_s * 1e3, p.open_s * 1e3, STEPS,
		       p.read_s * 1e3);
	free(addrs);
	module_close(&m);
	return good;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "seed", required_argument, NULL, 's' },
		                                 { "times", required_argument, NULL, 't' },
		                                 { 0 } };
	u32 times = 1;
	bool good = true;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			seed = strtoull(optarg, NULL, 0) | 1;
		else if (c == 't')
			times = (u32)strtoul(optarg, NULL, 0);
		else
			return 2;
	}
	if (optind == argc) {
		fprintf(stderr, "usage: text_parts [--seed=N] [--times=N] FILE...\n");
		return 2;
	}
	for (; optind < argc; optind++)
		good &= check(argv[optind], times);
	return good && !n_wrong ? 0 : 1;
}
