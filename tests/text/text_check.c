/* SPDX-License-Identifier: MIT */
/*
 * text_check - what the engine knows of a file's text, against two others who read the same file.
 *
 *     objdump -d -w --no-show-raw-insn FILE | text_check FILE
 *
 * A disassembler: every proven instruction is one of its lines; no direct branch that it prints leads into a
 * proven instruction of foreign text; free bytes are int3 and NOPs, and no branch leads to them.
 * The notes' own finder, byte by byte: prohibitions, certainty and facts are the same.
 * Exit codes: 0 all agree, 1 some do not (the first ones are printed), 2 wrong use.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "module.h"
#include "reader.h"

/* Of a byte, as the disassembler sees it. */
#define DUMP_INSN 1u
#define DUMP_PADDING 2u /* in a NOP or int3 */
#define DUMP_TARGET 4u

#define SHOWN_MAX 10

static u64 n_wrong;

static void wrong(u64 addr, const char *what)
{
	if (n_wrong++ < SHOWN_MAX)
		printf("0x%llx: %s\n", (unsigned long long)addr, what);
}

static bool starts(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* "nopw 0x0(...)", "data16 cs nopw ...", "xchg %ax,%ax", "int3": what assemblers pad with. */
static bool is_padding(const char *insn)
{
	while (starts(insn, "data16 ") || starts(insn, "cs ") || starts(insn, "ds "))
		insn = strchr(insn, ' ') + 1;
	return starts(insn, "nop") || starts(insn, "int3") || starts(insn, "xchg   %ax,%ax");
}

/* The target of "jmp", "jcc", "call", "loop", "xbegin", which stands as a bare number; 0 if it is another instruction. */
static u64 direct_target(const char *insn)
{
	const char *operand = insn, *space;
	char *end;
	u64 target;

	while ((space = strchr(operand, ' ')) && space[1] && operand[0] != '<') {
		operand = space + strspn(space, " ");
		if (*operand == '#')
			break;
		target = strtoull(operand, &end, 16);
		if (end > operand && (*end == ' ' || *end == '\n' || *end == 0 || *end == '<') &&
		    (strchr("jl", insn[0]) || starts(insn, "call") || starts(insn, "bnd") ||
		     starts(insn, "xbegin") || strstr(insn, " jmp ") || starts(insn, "notrack")))
			return target;
	}
	return 0;
}

static void dump_fill(u8 *dump, u64 from, u64 to, const struct text *text)
{
	for (; from < to && from < text->end; from++) {
		if (from >= text->start)
			dump[from - text->start] |= DUMP_PADDING;
	}
}

static u64 read_dump(u8 *dump, const struct text *text)
{
	u64 padding = 0, n = 0;
	char line[1024];

	while (fgets(line, sizeof(line), stdin)) {
		char *end;
		u64 addr = strtoull(line, &end, 16), target;
		bool insn = end > line && starts(end, ":\t"),
		     symbol = end > line && starts(end, " <");

		/* An instruction ends where the next one or a symbol stands. */
		if (padding && (insn || symbol))
			dump_fill(dump, padding, addr, text);
		if (line[0] != '\n')
			padding = 0;
		if (!insn)
			continue;
		n++;
		padding = is_padding(end + 2) ? addr : 0;
		if (addr >= text->start && addr < text->end)
			dump[addr - text->start] |= DUMP_INSN;
		target = direct_target(end + 2);
		if (target >= text->start && target < text->end)
			dump[target - text->start] |= DUMP_TARGET;
	}
	return n;
}

static void check_dump(const u8 *dump, const struct text *text)
{
	u64 n = text->end - text->start, i, size;
	bool foreign = false; /* in a proven instruction of foreign text */

	for (i = 0; i < n; i++) {
		u16 marks = text->marks[i];
		const u8 *bytes = text_bytes(text, text->start + i, &size);
		bool unused = bytes && *bytes == 0xcc;
		/* objdump shows fwait and what follows it as one: 9b d9 is "fstcw" to it. */
		bool waited = bytes && i && bytes[-1] == 0x9b;
		/* Jumped to over a lock prefix: the same instruction without it. */
		bool locked = bytes && i && bytes[-1] == 0xf0 && (dump[i] & DUMP_TARGET) &&
		              (dump[i - 1] & DUMP_INSN);

		if (marks & TEXT_INSN) {
			if (!(dump[i] & DUMP_INSN) && !waited && !locked)
				wrong(text->start + i, "the disassembler sees no instruction here");
			foreign = !(marks & TEXT_CERTIFIED);
		} else if (dump[i] & DUMP_INSN) {
			foreign = false;
		} else if (foreign && (dump[i] & DUMP_TARGET)) {
			wrong(text->start + i, "a branch leads into a proven instruction");
		}
		if ((marks & TEXT_FREE) && !(dump[i] & DUMP_PADDING) && !unused)
			wrong(text->start + i, "free, and yet no padding");
		if ((marks & TEXT_FREE) && (dump[i] & DUMP_TARGET))
			wrong(text->start + i, "free, and yet a branch leads here");
	}
}

static void check_slots(const struct text *text)
{
	for (u32 i = 0; i < text->n_slots; i++) {
		for (u32 j = 0; j < text->slots[i].size; j++) {
			if (!(text_marks(text, text->slots[i].addr + j) & TEXT_FREE))
				wrong(text->slots[i].addr + j, "in a slot, and yet not free");
		}
		if (i && text->slots[i].addr < text->slots[i - 1].addr + text->slots[i - 1].size)
			wrong(text->slots[i].addr, "slots overlap");
	}
}

static u32 forbids_of(u16 marks)
{
	return (marks & TEXT_NO_PATCH ? DYNOPT_FORBID_PATCH : 0) |
	       (marks & TEXT_NO_TRANSLATE ? DYNOPT_FORBID_TRANSLATE : 0) |
	       (marks & TEXT_NO_INLINE ? DYNOPT_FORBID_INLINE : 0) |
	       (marks & TEXT_NO_DEFER ? DYNOPT_FORBID_DEFER : 0);
}

static u32 facts_of(u16 marks)
{
	return (marks & TEXT_PLAIN ? DYNOPT_FACT_PLAIN : 0) |
	       (marks & TEXT_STACK_PRIVATE ? DYNOPT_FACT_STACK_PRIVATE : 0);
}

static void check_byte(const struct text *text, struct notes_reader *r, u64 addr)
{
	u16 marks = text_marks(text, addr);
	struct notes_at at;

	notes_find(r, addr, &at);
	if (forbids_of(marks) != at.forbids)
		wrong(addr, "other prohibitions than the notes'");
	if (!(marks & TEXT_INSN))
		return;
	if (!(marks & TEXT_CERTIFIED) != !at.certified)
		wrong(addr, "certified here, and not there");
	if (at.certified && facts_of(marks) != at.facts)
		wrong(addr, "other facts than the notes'");
	if (at.certified && !(marks & TEXT_FUNCTION) != (at.function != addr))
		wrong(addr, "a function starts here, and not there");
}

static void check_notes(struct module *m)
{
	struct notes_totals totals;
	struct notes_reader r;
	u64 addr;

	notes_reader_init(&r, &m->view);
	(void)notes_check(&r, 0, NULL, NULL, &totals);
	for (addr = m->text.start; addr < m->text.end; addr++) {
		/* The finder looks at all records each time: in foreign text, at instructions only. */
		if (m->text.noted || (text_marks(&m->text, addr) & TEXT_INSN))
			check_byte(&m->text, &r, addr);
	}
}

int main(int argc, char **argv)
{
	static struct module m;
	u64 n, size;
	u8 *dump;

	if (argc != 2) {
		fprintf(stderr, "usage: objdump -d -w --no-show-raw-insn FILE | text_check FILE\n");
		return 2;
	}
	if (!module_build(&m, argv[1]))
		return 1;
	size = m.text.end - m.text.start;
	dump = calloc(size, 1);
	n = dump ? read_dump(dump, &m.text) : 0;
	if (!n) {
		fprintf(stderr, "text_check: no disassembly on standard input\n");
		return 2;
	}
	check_dump(dump, &m.text);
	check_slots(&m.text);
	check_notes(&m);
	printf("%s: %llu instructions disassembled, %u functions and %llu bytes proven, %u slots: %llu wrong\n",
	       argv[1], (unsigned long long)n, m.text.n_functions,
	       (unsigned long long)m.text.proven_bytes, m.text.n_slots,
	       (unsigned long long)n_wrong);
	free(dump);
	module_close(&m);
	return n_wrong ? 1 : 0;
}
