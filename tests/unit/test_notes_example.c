/* SPDX-License-Identifier: MIT */
/*
 * The worked example of docs/notes-format.md, read from the document itself: lines
 * between the two `example` marks that begin with an address and bytes in hex are
 * the memory, the rest of each line is for people. What the document says of those
 * bytes is asserted here, and the writer must arrive at the same ones.
 */
#include <ctype.h>
#include <stdlib.h>
#include "notes_image.h"
#include "unit.h"

#define SEGMENT 0x1000 /* address of the example's only segment */

static u8 memory[0x200];
static bool given[sizeof(memory)];
static struct elf_view view;

static void take_line(const char *line)
{
	char *at;
	u64 addr = strtoull(line, &at, 16);

	CU_ASSERT_FATAL(*at == ' ' && addr >= SEGMENT);
	addr -= SEGMENT;
	while (at[0] == ' ' && isxdigit((unsigned char)at[1]) && isxdigit((unsigned char)at[2]) &&
	       (at[3] == ' ' || at[3] == '\n')) {
		CU_ASSERT_FATAL(addr < sizeof(memory) && !given[addr]);
		given[addr] = true;
		memory[addr++] = (u8)strtoul(at + 1, NULL, 16);
		at += 3;
	}
}

static void read_document(void)
{
	FILE *f = fopen(NOTES_DOCUMENT, "r");
	bool inside = false;
	char line[300];
	u8 phdrs[2 * IMAGE_PHDR_SIZE] = { 0 };
	struct notes_failure fail;
	u64 note_end = 0;

	CU_ASSERT_FATAL(f != NULL);
	while (fgets(line, sizeof(line), f)) {
		if (strstr(line, "<!-- example"))
			inside = !inside;
		else if (inside && isxdigit((unsigned char)line[0]))
			take_line(line);
	}
	fclose(f);
	while (note_end < sizeof(memory) && given[note_end])
		note_end++;
	/* PT_LOAD (RX) over all of it; PT_NOTE over the first piece. */
	put_le(phdrs, 1, 4);
	put_le(phdrs + 4, ELF_VIEW_R | ELF_VIEW_X, 4);
	put_le(phdrs + 16, SEGMENT, 8);
	put_le(phdrs + 32, sizeof(memory), 8);
	put_le(phdrs + 40, sizeof(memory), 8);
	put_le(phdrs + IMAGE_PHDR_SIZE, 4, 4);
	put_le(phdrs + IMAGE_PHDR_SIZE + 16, SEGMENT, 8);
	put_le(phdrs + IMAGE_PHDR_SIZE + 32, note_end, 8);
	CU_ASSERT_EQUAL_FATAL(
		elf_view_live(&view, phdrs, 2, (u64)(uintptr_t)memory - SEGMENT, &fail), NOTES_OK);
}

/* The document's address of an address in the view. */
static u64 doc(u64 addr)
{
	return addr - (u64)(uintptr_t)memory + SEGMENT;
}

static void check_functions(struct notes_reader *r, const struct notes_record *rec)
{
	struct notes_function f;
	struct notes_iter it;

	notes_iter_begin(&it, r, rec, NOTES_FUNCTIONS);
	CU_ASSERT_EQUAL(notes_functions_next(&it, &f), NOTES_OK);
	CU_ASSERT(doc(f.start) == 0x1100 && doc(f.end) == 0x1120);
	CU_ASSERT_EQUAL(f.facts, DYNOPT_FACT_PLAIN | DYNOPT_FACT_STACK_PRIVATE);
	CU_ASSERT_EQUAL(notes_functions_next(&it, &f), NOTES_OK);
	CU_ASSERT(doc(f.start) == 0x1120 && doc(f.end) == 0x113a);
	CU_ASSERT_EQUAL(f.facts, 0);
	CU_ASSERT_EQUAL(notes_functions_next(&it, &f), NOTES_END);
}

static void check_pieces(struct notes_reader *r, const struct notes_record *rec)
{
	struct notes_opaque piece;
	struct notes_noopt range;
	struct notes_table table;
	struct notes_slot slot;
	struct notes_iter it;

	notes_iter_begin(&it, r, rec, NOTES_SLOTS);
	CU_ASSERT(notes_slots_next(&it, &slot) == NOTES_OK && doc(slot.addr) == 0x1119);
	CU_ASSERT(notes_slots_next(&it, &slot) == NOTES_OK && doc(slot.addr) == 0x1132);
	CU_ASSERT_EQUAL(notes_slots_next(&it, &slot), NOTES_END);
	notes_iter_begin(&it, r, rec, NOTES_NOOPT);
	CU_ASSERT_EQUAL(notes_noopt_next(&it, &range), NOTES_OK);
	CU_ASSERT(doc(range.start) == 0x1120 && doc(range.end) == 0x113a);
	CU_ASSERT_EQUAL(range.reasons, DYNOPT_REASON_SETJMP | DYNOPT_REASON_RETADDR);
	CU_ASSERT_EQUAL(range.forbids, DYNOPT_FORBID_INLINE | DYNOPT_FORBID_DEFER);
	CU_ASSERT_EQUAL(notes_noopt_next(&it, &range), NOTES_OK);
	CU_ASSERT(doc(range.start) == 0x1128 && doc(range.end) == 0x112c);
	CU_ASSERT_EQUAL(range.reasons, DYNOPT_REASON_ASMFLOW);
	CU_ASSERT_EQUAL(notes_noopt_next(&it, &range), NOTES_END);
	notes_iter_begin(&it, r, rec, NOTES_OPAQUE);
	CU_ASSERT_EQUAL(notes_opaque_next(&it, &piece), NOTES_OK);
	CU_ASSERT(doc(piece.start) == 0x1128 && doc(piece.end) == 0x112c);
	CU_ASSERT_EQUAL(notes_opaque_next(&it, &piece), NOTES_END);
	notes_iter_begin(&it, r, rec, NOTES_TABLES);
	CU_ASSERT_EQUAL(notes_tables_next(&it, &table), NOTES_OK);
	CU_ASSERT(doc(table.site) == 0x110e && doc(table.addr) == 0x1180);
	CU_ASSERT(table.count == 2 && table.form == DYNOPT_TABLE_REL32);
	for (u64 i = 0; i < 2; i++) {
		u64 target = 0;

		CU_ASSERT(notes_table_target(r->view, &table, i, &target));
		CU_ASSERT_EQUAL(doc(target), i ? 0x1116 : 0x1110);
	}
	CU_ASSERT_EQUAL(notes_tables_next(&it, &table), NOTES_END);
}

static void test_reader(void)
{
	struct notes_object object;
	struct notes_records records;
	struct notes_record rec;
	struct notes_totals totals;
	struct notes_farpool pool;
	struct notes_reader r;
	struct notes_walk walk;

	read_document();
	notes_reader_init(&r, &view);
	CU_ASSERT_EQUAL(notes_check(&r, NOTES_CHECK_PRISTINE, NULL, NULL, &totals), NOTES_OK);
	notes_walk_begin(&walk, &r);
	CU_ASSERT_EQUAL_FATAL(notes_objects_next(&walk, &object), NOTES_OK);
	CU_ASSERT(doc(object.note) == 0x1014 && object.flags == 0);
	CU_ASSERT(doc(object.records) == 0x1060 && doc(object.records_end) == 0x1088);
	CU_ASSERT(doc(object.cache) == 0x11a0 && object.cache_size == 0x20);
	notes_records_begin(&records, &r, &object);
	CU_ASSERT_EQUAL_FATAL(notes_records_next(&records, &rec), NOTES_OK);
	CU_ASSERT(doc(rec.addr) == 0x1061 && doc(rec.start) == 0x1100 && doc(rec.end) == 0x113a);
	CU_ASSERT_EQUAL(rec.lists, 0x1f);
	check_functions(&r, &rec);
	check_pieces(&r, &rec);
	CU_ASSERT_EQUAL_FATAL(notes_records_next(&records, &rec), NOTES_OK);
	CU_ASSERT(doc(rec.start) == 0x1140 && doc(rec.end) == 0x1146);
	CU_ASSERT_EQUAL(rec.lists, 0x60);
	CU_ASSERT_EQUAL(notes_records_next(&records, &rec), NOTES_END);
	CU_ASSERT_EQUAL(notes_objects_next(&walk, &object), NOTES_END);
	notes_walk_begin(&walk, &r);
	CU_ASSERT_EQUAL_FATAL(notes_farpools_next(&walk, &pool), NOTES_OK);
	CU_ASSERT(doc(pool.start) == 0x11c0 && doc(pool.end) == 0x11e0);
}

static void test_writer(void)
{
	static const struct notes_function functions[] = { { 0x1100, 0x1120, 3 },
		                                           { 0x1120, 0x113a, 0 } };
	static const struct notes_slot slots[] = { { 0x1119 }, { 0x1132 } };
	static const struct notes_noopt noopt[] = { { 0x1120, 0x113a, 6, 0 },
		                                    { 0x1128, 0x112c, 0x10, 0 } };
	static const struct notes_opaque opaque[] = { { 0x1128, 0x112c } };
	static const struct notes_table tables[] = { { 0x110e, 0x1180, 2, 0 } };
	const struct notes_input first = {
		.start = 0x1100,
		.end = 0x113a,
		.shift = 4,
		.functions = functions,
		.n_functions = 2,
		.slots = slots,
		.n_slots = 2,
		.noopt = noopt,
		.n_noopt = 2,
		.opaque = opaque,
		.n_opaque = 1,
		.tables = tables,
		.n_tables = 1,
	};
	const struct notes_input second = {
		.start = 0x1140, .end = 0x1146, .single = true, .facts = DYNOPT_FACT_PLAIN
	};
	const struct notes_object object = { .records = 0x1060,
		                             .records_end = 0x1088,
		                             .version = 1,
		                             .cache = 0x11a0,
		                             .cache_size = 0x20 };
	const struct notes_farpool pool = { .start = 0x11c0, .end = 0x11e0 };
	struct notes_writer w;
	u8 bytes[0x100];

	notes_writer_init(&w, bytes, sizeof(bytes), 0x1000);
	CU_ASSERT_EQUAL(notes_write_object(&w, &object), NOTES_OK);
	CU_ASSERT_EQUAL(notes_write_farpool(&w, &pool), NOTES_OK);
	CU_ASSERT_EQUAL(w.pos, 0x44);
	CU_ASSERT_EQUAL(memcmp(bytes, memory, (size_t)w.pos), 0);
	notes_writer_init(&w, bytes, sizeof(bytes), 0x1060);
	CU_ASSERT_EQUAL(notes_write_padding(&w), NOTES_OK);
	CU_ASSERT_EQUAL(notes_write_record(&w, &first), NOTES_OK);
	CU_ASSERT_EQUAL(notes_write_record(&w, &second), NOTES_OK);
	CU_ASSERT_EQUAL(notes_write_padding(&w), NOTES_OK);
	CU_ASSERT_EQUAL(w.pos, 0x29);
	CU_ASSERT_EQUAL(memcmp(bytes, memory + 0x60, (size_t)w.pos), 0);
	for (u64 i = 0; i < w.pos; i++)
		CU_ASSERT(given[0x60 + i]);
	if (memcmp(bytes, memory + 0x60, (size_t)w.pos)) {
		printf("\n    the writer says:");
		for (u64 i = 0; i < w.pos; i++)
			printf(" %02x", bytes[i]);
		printf("\n");
	}
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "the reader agrees with the document", test_reader },
		{ "the writer makes the document's bytes", test_writer },
	};

	return UNIT_RUN("notes example", tests);
}
