/* SPDX-License-Identifier: MIT */
/*
 * Memory as the agent reads it for walks: pages, code that lies in two of them, and what cannot be read.
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

/* What is there now, without asking again; what could not be read is asked for in the next round. */
static void test_now(void)
{
	u8 *page = begin(), out;
	u64 addr = (u64)(uintptr_t)page;

	walker_round(1);
	CU_ASSERT_EQUAL(walker_read(addr + 1, &out, 1), 1);
	CU_ASSERT_EQUAL(walker_read(addr + PAGE_SIZE, &out, 1), 0);
	page[1] = 0x55;
	CU_ASSERT_EQUAL(mprotect(page + PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
	CU_ASSERT_EQUAL(walker_read(addr + 1, &out, 1), 1);
	CU_ASSERT_EQUAL(out, 0x55);
	CU_ASSERT_EQUAL(walker_read(addr + PAGE_SIZE, &out, 1), 0);
	walker_round(1);
	CU_ASSERT_EQUAL(walker_read(addr + PAGE_SIZE, &out, 1), 1);
	munmap(page, 2 * PAGE_SIZE);
}

/* More pages than are kept: each is what is there, whatever it takes the place of. */
static void test_many(void)
{
	u64 bytes = 4 * 1024 * PAGE_SIZE, addr, word;
	u64 *all = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CU_ASSERT_PTR_NOT_EQUAL_FATAL(all, MAP_FAILED);
	addr = (u64)(uintptr_t)all;
	for (u64 i = 0; i < bytes; i += PAGE_SIZE)
		all[i / 8] = i + 1;
	for (u32 round = 0; round < 2; round++)
		for (u64 i = 0; i < bytes; i += PAGE_SIZE) {
			CU_ASSERT_EQUAL(walker_read(addr + i, (u8 *)&word, sizeof(word)),
			                sizeof(word));
			CU_ASSERT_EQUAL(word, i + 1);
		}
	munmap(all, bytes);
}

static const struct unit_test tests[] = {
	{ "bytes in two pages, and up to what cannot be read", test_read },
	{ "more than is kept", test_many },
	{ "what is there now", test_now },
};

int main(void)
{
	return UNIT_RUN("walker", tests);
}
