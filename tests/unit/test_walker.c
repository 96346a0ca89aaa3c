/* SPDX-License-Identifier: MIT */
/*
 * Memory as the agent reads it for walks: pieces that are kept for a while, code that lies in two of them, and what cannot be read.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "unit.h"
#include "walk.h"
#include "walker.h"
#include "world.h"

static struct world here;
struct world *world = &here;

#define SIZE 16u

/* A page, and behind it one that cannot be read. */
static u8 *begin(void)
{
	u8 *page = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	                -1, 0);

	CU_ASSERT_PTR_NOT_EQUAL_FATAL(page, MAP_FAILED);
	CU_ASSERT_EQUAL_FATAL(mprotect(page + PAGE_SIZE, PAGE_SIZE, PROT_NONE), 0);
	for (u32 i = 0; i < PAGE_SIZE; i++)
		page[i] = (u8)(i * 7 + i / 256);
	here.agent_pid = getpid();
	return page;
}

static void test_read(void)
{
	u8 *page = begin(), out[SIZE];
	u64 addr = (u64)(uintptr_t)page;

	for (u32 i = 0; i + SIZE <= PAGE_SIZE; i++) {
		memset(out, 0xee, SIZE);
		CU_ASSERT_EQUAL(walker_read(addr + i, out, SIZE), SIZE);
		CU_ASSERT(!memcmp(out, page + i, SIZE));
	}
	for (u32 left = 0; left < SIZE; left++) {
		memset(out, 0xee, SIZE);
		CU_ASSERT_EQUAL(walker_read(addr + PAGE_SIZE - left, out, SIZE), left);
		CU_ASSERT(!memcmp(out, page + PAGE_SIZE - left, left));
		CU_ASSERT_EQUAL(out[left], 0xee);
	}
	munmap(page, 2 * PAGE_SIZE);
}

/* For WALKER_FRESH_NS of the program's time it is as it was read first. */
static void test_fresh(void)
{
	u8 *page = begin(), out;
	u64 addr = (u64)(uintptr_t)page, now = 1000 * (u64)WALKER_FRESH_NS;

	walker_round(now, 1);
	CU_ASSERT_EQUAL(walker_read(addr + 1, &out, 1), 1);
	CU_ASSERT_EQUAL(walker_read(addr + PAGE_SIZE, &out, 1), 0);
	page[1] = page[WALK_PIECE] = 0x55;
	CU_ASSERT_EQUAL(mprotect(page + PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
	walker_round(now + WALKER_FRESH_NS - 1, 1);
	CU_ASSERT_EQUAL(walker_read(addr + 1, &out, 1), 1);
	CU_ASSERT_EQUAL(out, 7);
	CU_ASSERT_EQUAL(walker_read(addr + PAGE_SIZE, &out, 1), 0);
	CU_ASSERT_EQUAL(walker_read(addr + WALK_PIECE, &out, 1), 1);
	CU_ASSERT_EQUAL(out, 0x55); /* another piece, read now */
	walker_round(now + WALKER_FRESH_NS, 1);
	CU_ASSERT_EQUAL(walker_read(addr + 1, &out, 1), 1);
	CU_ASSERT_EQUAL(out, 0x55);
	CU_ASSERT_EQUAL(walker_read(addr + PAGE_SIZE, &out, 1), 1);
	munmap(page, 2 * PAGE_SIZE);
}

/* More pieces than are kept: each is what is there, whatever it takes the place of. */
static void test_many(void)
{
	u64 bytes = 16 * 1024 * WALK_PIECE, addr, word;
	u64 *all = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CU_ASSERT_PTR_NOT_EQUAL_FATAL(all, MAP_FAILED);
	addr = (u64)(uintptr_t)all;
	for (u64 i = 0; i < bytes; i += WALK_PIECE)
		all[i / 8] = i + 1;
	for (u32 round = 0; round < 2; round++)
		for (u64 i = 0; i < bytes; i += WALK_PIECE) {
			CU_ASSERT_EQUAL(walker_read(addr + i, (u8 *)&word, sizeof(word)),
			                sizeof(word));
			CU_ASSERT_EQUAL(word, i + 1);
		}
	munmap(all, bytes);
}

static const struct unit_test tests[] = {
	{ "bytes in two pieces, and up to what cannot be read", test_read },
	{ "more than is kept", test_many },
	{ "what was read some time ago", test_fresh },
};

int main(void)
{
	return UNIT_RUN("walker", tests);
}
