/* SPDX-License-Identifier: MIT */
/*
 * text_report - what the engine knows of the text of files.
 *
 *     text_report FILE...          one line each: functions, shares, slots, time; then refusals by reason
 *     text_report --marks FILE     one line per byte that has marks: address, hex marks
 *     text_report --slots FILE     one line per slot: address, bytes
 *     text_report --tables FILE    one line per jump table: jump, address, form, targets
 *
 * Memory is what text_build_size() asks for, so a file that needs more is seen here.
 * Exit codes: 0; 1 a file cannot be read or is refused as a whole (told by name); 2 wrong use.
 */
#include <stdio.h>
#include <string.h>
#include "module.h"

static void print_line(const char *path, struct module *m)
{
	const struct text *text = &m->text;
	u64 n = text->end - text->start, reached = 0, certified = 0, insns = 0;

	for (u64 i = 0; i < n; i++) {
		u16 marks = text->marks[i];

		insns += marks & TEXT_INSN ? 1 : 0;
		reached += marks & TEXT_REACHED ? 1 : 0;
		certified += marks & TEXT_CERTIFIED ? 1 : 0;
	}
	printf("%s: %llu bytes of text, %.1f %% proven (%llu certified), %u functions\n", path,
	       (unsigned long long)n, 100.0 * (double)text->proven_bytes / (double)n,
	       (unsigned long long)certified, text->n_functions);
	printf("    %llu instructions, %.1f %% reached; %u slots, %u tables, cache %llu, far pool %llu\n",
	       (unsigned long long)insns, insns ? 100.0 * (double)reached / (double)insns : 0.0,
	       text->n_slots, text->n_tables, (unsigned long long)(text->cache_end - text->cache),
	       (unsigned long long)(text->far_end - text->far));
	printf("    %.1f ms, %.0f ns an instruction; kept %.2f, meanwhile %.2f bytes per byte of text\n",
	       m->cpu_s * 1e3, insns ? m->cpu_s * 1e9 / (double)insns : 0.0,
	       (double)m->keep.peak / (double)n, (double)m->scratch.peak / (double)n);
	for (u32 i = 0; i < STATUS_N; i++) {
		if (text->refused[i])
			printf("    %s %u\n", status_name((enum status)i), text->refused[i]);
	}
}

static void print_marks(const struct text *text)
{
	for (u64 addr = text->start; addr < text->end; addr++) {
		if (text_marks(text, addr))
			printf("%llx %04x\n", (unsigned long long)addr, text_marks(text, addr));
	}
}

static void print_slots(const struct text *text)
{
	for (u32 i = 0; i < text->n_slots; i++) {
		u64 size;
		const u8 *bytes = text_bytes(text, text->slots[i].addr, &size);

		printf("%llx ", (unsigned long long)text->slots[i].addr);
		for (u32 j = 0; j < text->slots[i].size; j++)
			printf("%02x", bytes[j]);
		printf("\n");
	}
}

static void print_tables(const struct text *text)
{
	for (u32 i = 0; i < text->n_tables; i++) {
		const struct text_table *table = &text->tables[i];

		printf("%llx %llx %u %llu:", (unsigned long long)table->site,
		       (unsigned long long)table->addr, table->form,
		       (unsigned long long)table->count);
		for (u64 j = 0; table->targets && j < table->count; j++)
			printf(" %llx", (unsigned long long)(text->start + table->targets[j]));
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 && argv[1][0] == '-' ? argv[1] : NULL;
	int rc = 0;

	if (argc < (what ? 3 : 2)) {
		fprintf(stderr, "usage: text_report [--marks | --slots | --tables] FILE...\n");
		return 2;
	}
	for (int i = what ? 2 : 1; i < argc; i++) {
		static struct module m;

		if (!module_build(&m, argv[i])) {
			rc = 1;
			continue;
		}
		if (!what)
			print_line(argv[i], &m);
		else if (strcmp(what, "--marks") == 0)
			print_marks(&m.text);
		else if (strcmp(what, "--tables") == 0)
			print_tables(&m.text);
		else
			print_slots(&m.text);
		module_close(&m);
	}
	return rc;
}
