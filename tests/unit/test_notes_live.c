/* SPDX-License-Identifier: MIT */
/*
 * This program carries notes, written in assembly below as a compiler would, and so the
 * linker of the day has had its hands on them. They are read twice, from memory through
 * dl_iterate_phdr() and from the file: both must say the same, off by the load bias.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "reader.h"
#include "unit.h"

void live_text(void);
extern const char live_slot[];

__asm__(".text\n"
        ".globl live_text\n"
        "live_text:\n"
        "	ret\n"
        ".globl live_slot\n"
        "live_slot:\n"
        "	.fill 5, 1, 0xcc\n"
        "	.byte 0x0f, 0x0b\n" /* an opaque piece */
        ".Ltext_end:\n"
        ".section .dynopt.rec, \"ax\", @progbits\n"
        ".Lrec:	.byte 0\n"
        "	.byte .Lrec1_end - .Lrec1\n"
        ".Lrec1:	.long live_text - .\n"
        "	.byte .Ltext_end - live_text, 0x6a\n" /* SINGLE, PLAIN, SLOTS, OPAQUE */
        "	.byte 1, 1\n"
        "	.byte 1, 6, 2\n"
        ".Lrec1_end:\n"
        ".Lrec_end: .byte 0\n"
        ".section .dynopt.cache, \"ax\", @progbits\n"
        ".Lcache: .fill 64, 1, 0xcc\n"
        ".section .note.dynopt, \"a\", @note\n"
        "	.balign 4\n"
        "	.long 7, 20, 0x101\n"
        "	.asciz \"DynOpt\"\n"
        "	.balign 4\n"
        "	.long .Lrec - ., .Lrec_end - .\n"
        "	.short 1, 0\n"
        "	.long .Lcache - ., 64\n"
        ".text\n");

static struct elf_view live_view, file_view;

/* Takes the program itself, which is always the first module. */
static int take_program(struct dl_phdr_info *info, size_t size, void *status)
{
	struct notes_failure fail;

	(void)size;
	*(enum notes_status *)status = elf_view_live(&live_view, info->dlpi_phdr, info->dlpi_phnum,
	                                             info->dlpi_addr, &fail);
	return 1;
}

static void open_file(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct notes_failure fail;
	struct stat st;
	void *bytes;

	CU_ASSERT_FATAL(fd >= 0 && fstat(fd, &st) == 0);
	/* Stays mapped: the view borrows it. */
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	CU_ASSERT_FATAL(bytes != MAP_FAILED);
	close(fd);
	CU_ASSERT_EQUAL(elf_view_file(&file_view, bytes, (u64)st.st_size, &fail), NOTES_OK);
}

/* The object whose record starts at `text`; its record too. */
static bool find_object(struct notes_reader *r, u64 text, struct notes_object *object,
                        struct notes_record *record)
{
	struct notes_records records;
	struct notes_walk walk;

	notes_walk_begin(&walk, r);
	while (notes_objects_next(&walk, object) == NOTES_OK) {
		notes_records_begin(&records, r, object);
		while (notes_records_next(&records, record) == NOTES_OK) {
			if (record->start == text)
				return true;
		}
	}
	return false;
}

static void test_memory_and_file(void)
{
	enum notes_status status = NOTES_END;
	struct notes_object in_memory, in_file;
	struct notes_reader live, file;
	struct notes_totals a, b;
	struct notes_record ra, rb;
	u64 text = (u64)(uintptr_t)live_text, bias;

	dl_iterate_phdr(take_program, &status);
	CU_ASSERT_EQUAL_FATAL(status, NOTES_OK);
	open_file();
	bias = live_view.base;
	notes_reader_init(&live, &live_view);
	notes_reader_init(&file, &file_view);
	CU_ASSERT_EQUAL(notes_check(&live, NOTES_CHECK_PRISTINE, NULL, NULL, &a), NOTES_OK);
	CU_ASSERT_EQUAL(notes_check(&file, NOTES_CHECK_PRISTINE, NULL, NULL, &b), NOTES_OK);
	CU_ASSERT_EQUAL(memcmp(&a, &b, sizeof(a)), 0);
	CU_ASSERT(a.n_records >= 1);
	CU_ASSERT_TRUE_FATAL(find_object(&live, text, &in_memory, &ra));
	CU_ASSERT_TRUE_FATAL(find_object(&file, text - bias, &in_file, &rb));
	CU_ASSERT_EQUAL(ra.end - ra.start, 8);
	CU_ASSERT(ra.end == rb.end + bias && ra.addr == rb.addr + bias && ra.size == rb.size);
	CU_ASSERT_EQUAL(in_memory.cache, in_file.cache + bias);
	CU_ASSERT_EQUAL(in_memory.cache_size, 64);
	CU_ASSERT_EQUAL(in_memory.note, in_file.note + bias);
}

static void test_answers(void)
{
	u64 text = (u64)(uintptr_t)live_text, slots[4];
	struct notes_reader live;
	struct notes_at at;

	notes_reader_init(&live, &live_view);
	notes_find(&live, text, &at);
	CU_ASSERT(at.certified && at.facts == DYNOPT_FACT_PLAIN && !at.forbids);
	CU_ASSERT(at.decode_start == text && at.decode_end == text + 6);
	CU_ASSERT_FALSE(notes_find_certified(&live, text + 6));
	CU_ASSERT_EQUAL_FATAL(notes_find_slots(&live, text, text + 100, text, slots, 4), 1);
	CU_ASSERT_EQUAL(slots[0], (u64)(uintptr_t)live_slot);
	/* This function has no record: ordinary text. */
	notes_find(&live, (u64)(uintptr_t)test_answers, &at);
	CU_ASSERT(!at.recorded && !at.forbids);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "memory and file say the same", test_memory_and_file },
		{ "answers", test_answers },
	};

	return UNIT_RUN("notes of this process", tests);
}
