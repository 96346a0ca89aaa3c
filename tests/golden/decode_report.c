/* SPDX-License-Identifier: MIT */
/*
 * decode_report - what decode makes of the proven instructions of files, and what it costs.
 *
 *     decode_report FILE...
 *
 * One line per file: instructions, opaque ones, nanoseconds of CPU for decode_insn() and
 * decode_brief(), median of ROUNDS walks; then the mnemonics that are opaque or refused, most
 * frequent first. Exit codes: 0; 1 a file cannot be read; 2 wrong use.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "text.h"

#define ROUNDS 5
#define MNEMONICS 4096
#define SHOWN 20

struct module {
	u8 *bytes;
	u64 size;
	struct elf_view view;
	struct arena keep, scratch;
	struct text text;
};

struct tally {
	u64 insns, opaque, refused;
	u64 by_mnemonic[MNEMONICS];
	const char *why[MNEMONICS];
};

static bool map_arena(struct arena *arena, u64 size)
{
	void *base = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	arena_init(arena, base == MAP_FAILED ? NULL : base, size);
	return base != MAP_FAILED;
}

static bool open_module(struct module *m, const char *path)
{
	struct notes_failure why;
	struct stat st;
	u64 keep, meanwhile;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	memset(m, 0, sizeof(*m));
	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && st.st_size > 0) {
		m->size = (u64)st.st_size;
		m->bytes = mmap(NULL, m->size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	}
	close(fd);
	if (!m->bytes || m->bytes == MAP_FAILED ||
	    elf_view_file(&m->view, m->bytes, m->size, &why) != NOTES_OK)
		return false;
	text_build_size(&m->view, &keep, &meanwhile);
	return map_arena(&m->keep, keep) && map_arena(&m->scratch, meanwhile) &&
	       text_build(&m->text, &m->view, &m->keep, &m->scratch, NULL) == STATUS_OK;
}

static void close_module(struct module *m)
{
	if (m->bytes && m->bytes != MAP_FAILED)
		munmap(m->bytes, m->size);
	if (m->keep.base)
		munmap(m->keep.base, m->keep.size);
	if (m->scratch.base)
		munmap(m->scratch.base, m->scratch.size);
}

static void count(struct tally *tally, u64 mnemonic, const char *why)
{
	tally->by_mnemonic[mnemonic % MNEMONICS]++;
	tally->why[mnemonic % MNEMONICS] = why;
}

static void walk(const struct text *text, void *decoder, struct tally *tally)
{
	struct failure failure;
	struct insn insn;

	for (u64 addr = text->start; addr < text->end; addr++) {
		u64 size;
		const u8 *bytes;

		if (!(text_marks(text, addr) & TEXT_INSN))
			continue;
		bytes = text_bytes(text, addr, &size);
		tally->insns++;
		if (decode_insn(bytes, size, addr, decoder, &insn, &failure) != STATUS_OK) {
			tally->refused++;
			count(tally, failure.detail, status_name(failure.status));
		} else if (insn.flags & INSN_OPAQUE) {
			tally->opaque++;
			count(tally, insn.mnemonic, "opaque");
		}
	}
}

static void walk_brief(const struct text *text, void *decoder)
{
	struct insn_brief brief;

	for (u64 addr = text->start; addr < text->end; addr++) {
		u64 size;
		const u8 *bytes;

		if (!(text_marks(text, addr) & TEXT_INSN))
			continue;
		bytes = text_bytes(text, addr, &size);
		if (decode_brief(bytes, size, addr, decoder, &brief, NULL) != STATUS_OK)
			continue;
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Median nanoseconds for one instruction. */
static double measure(const struct text *text, void *decoder, bool brief, struct tally *tally)
{
	double times[ROUNDS];

	for (unsigned i = 0; i < ROUNDS; i++) {
		double from = cpu_ns();

		if (brief) {
			walk_brief(text, decoder);
		} else {
			memset(tally, 0, sizeof(*tally));
			walk(text, decoder, tally);
		}
		times[i] = (cpu_ns() - from) / (double)(tally->insns ? tally->insns : 1);
	}
	qsort(times, ROUNDS, sizeof(times[0]), by_value);
	return times[ROUNDS / 2];
}

static void print_mnemonics(struct tally *tally)
{
	for (unsigned shown = 0; shown < SHOWN; shown++) {
		unsigned most = 0;

		for (unsigned i = 1; i < MNEMONICS; i++) {
			if (tally->by_mnemonic[i] > tally->by_mnemonic[most])
				most = i;
		}
		if (!tally->by_mnemonic[most])
			return;
		printf("    %s %llu %s\n", insn_mnemonic((u16)most),
		       (unsigned long long)tally->by_mnemonic[most], tally->why[most]);
		tally->by_mnemonic[most] = 0;
	}
}

static void report(const char *path, const struct text *text)
{
	static struct tally tally;
	void *decoder = aligned_alloc(64, (decode_scratch_size() + 63) / 64 * 64);
	double full, brief;

	if (!decoder)
		exit(1);
	full = measure(text, decoder, false, &tally);
	brief = measure(text, decoder, true, &tally);
	printf("%s: %llu instructions, %llu opaque, %llu refused; %.0f ns decode_insn, %.0f ns "
	       "decode_brief\n",
	       path, (unsigned long long)tally.insns, (unsigned long long)tally.opaque,
	       (unsigned long long)tally.refused, full, brief);
	print_mnemonics(&tally);
	free(decoder);
}

int main(int argc, char **argv)
{
	static struct module module;
	int result = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: decode_report FILE...\n");
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		if (open_module(&module, argv[i])) {
			report(argv[i], &module.text);
		} else {
			fprintf(stderr, "decode_report: %s: no program that can be read\n",
			        argv[i]);
			result = 1;
		}
		close_module(&module);
	}
	return result;
}
