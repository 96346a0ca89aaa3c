/* SPDX-License-Identifier: MIT */
/*
 * Work that faults ends, and whoever wanted it goes on: memory that is not there or not so large, instructions that do not exist, division by zero.
 */
#include "guard.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "unit.h"

static u32 n_done;
static const u8 *place;

static void read_place(void *ctx)
{
	*(volatile u8 *)ctx = *(const volatile u8 *)place;
	n_done++;
}

/* Registers that a function keeps for its caller are lost on the way. */
static void no_insn(void *ctx)
{
	(void)ctx;
	__asm__ volatile(
		"xor %%ebx, %%ebx\nxor %%r12d, %%r12d\nxor %%r13d, %%r13d\nxor %%r14d, %%r14d\n"
		"xor %%r15d, %%r15d\nxor %%ebp, %%ebp\nud2" ::
			: "memory");
}

static void divide(void *ctx)
{
	int result = 1;

	__asm__ volatile("cltd\nidivl %1" : "+a"(result) : "m"(*(int *)ctx) : "edx");
}

static void test_faults(void)
{
	int zero = 0;
	u8 here = 7, got = 0;
	u64 kept = (u64)(uintptr_t)&here * 3, other = kept + 1;

	for (u32 i = 0; i < 3; i++) {
		place = NULL;
		CU_ASSERT_FALSE(guard_run(read_place, &got));
		place = &here;
		CU_ASSERT_TRUE(guard_run(read_place, &got));
		CU_ASSERT_EQUAL(got, 7);
		CU_ASSERT_FALSE(guard_run(no_insn, NULL));
		CU_ASSERT_FALSE(guard_run(divide, &zero));
		CU_ASSERT_EQUAL(n_done, i + 1);
		CU_ASSERT_EQUAL(kept + 1, other);
		got = 0;
	}
}

/* A mapping of a file that has become shorter: SIGBUS. */
static void test_file(void)
{
	char name[] = "/tmp/dynopt-guard-XXXXXX";
	int fd = mkstemp(name);
	u8 got = 0;

	CU_ASSERT_FATAL(fd >= 0 && ftruncate(fd, 4096) == 0);
	unlink(name);
	place = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CU_ASSERT_PTR_NOT_EQUAL_FATAL(place, MAP_FAILED);
	CU_ASSERT_TRUE(guard_run(read_place, &got));
	CU_ASSERT_EQUAL(ftruncate(fd, 0), 0);
	CU_ASSERT_FALSE(guard_run(read_place, &got));
	munmap((void *)(uintptr_t)place, 4096);
	close(fd);
}

static const struct unit_test tests[] = {
	{ "faults", test_faults },
	{ "a file that is shorter than its mapping", test_file },
};

int main(void)
{
	if (!guard_open())
		return 1;
	return UNIT_RUN("guard", tests);
}
