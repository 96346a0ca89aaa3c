/* SPDX-License-Identifier: MIT */
/*
 * A thread that is looked at while it stands still: its registers and its memory agree, as far as it is said that it stood. That it does is the kernel's to decide.
 */
#include "still.h"
#include "walker.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "unit.h"
#include "world.h"

static struct world here;
struct world *world = &here;

#define LOOKS 50u
#define WAIT_MS 500u
#define RBX 1 /* among the registers of a sample, in the kernel's order */

static volatile u64 *counter;

/* Counts in rbx, and then in memory. */
static pid_t begin_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		__asm__ volatile("xor %%ebx, %%ebx\n1: inc %%rbx\nmov %%rbx, (%0)\njmp 1b"
		                 :
		                 : "r"(counter)
		                 : "rbx");
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_agree(void)
{
	pid_t pid = begin_child();
	cpu_set_t before, after;
	u32 n = 0, stood = 0, wrong = 0;

	CU_ASSERT_FATAL(pid > 0 && sched_getaffinity(0, sizeof(before), &before) == 0);
	CU_ASSERT_TRUE_FATAL(still_begin(pid));
	for (; n < LOOKS; n++) {
		const struct perf_sample *sample = still_next(WAIT_MS);
		u64 seen = *counter;

		if (!sample)
			break;
		CU_ASSERT_EQUAL(sample->tid, (u32)pid);
		CU_ASSERT_EQUAL_FATAL(sample->n_regs, (u32)__builtin_popcount(WALKER_REGS));
		CU_ASSERT_EQUAL(sample->ip, sample->regs[8]);
		CU_ASSERT(seen + 1 >= sample->regs[RBX]); /* never behind the registers */
		if (!still_stands())
			continue;
		stood++;
		wrong += seen > sample->regs[RBX];
	}
	still_end();
	CU_ASSERT_EQUAL(sched_getaffinity(0, sizeof(after), &after), 0);
	CU_ASSERT(CPU_EQUAL(&before, &after));
	printf("\n    %u looks, %u at a thread that stood; in %u of these it had gone on\n    ", n,
	       stood, wrong);
	CU_ASSERT(n > 0);
	CU_ASSERT(wrong <= stood / 4);
	end_child(pid);
}

/* Samples come no more, and nothing waits for them. */
static void test_gone(void)
{
	pid_t pid = begin_child();

	CU_ASSERT_FATAL(pid > 0);
	CU_ASSERT_TRUE_FATAL(still_begin(pid));
	end_child(pid);
	while (still_next(WAIT_MS))
		;
	still_end();
	still_close();
	CU_ASSERT_FALSE(still_begin(pid)); /* such an event cannot be opened any more */
	still_close();
}

/* One that goes before all others would keep the agent from where it is. */
static void test_before_others(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	CU_ASSERT_FATAL(pid > 0);
	if (sched_setscheduler(pid, SCHED_FIFO, &(struct sched_param){ .sched_priority = 1 }) !=
	    0) {
		printf("\n    SKIP: SCHED_FIFO is refused here (%s)\n    ", strerror(errno));
	} else {
		CU_ASSERT_FALSE(still_begin(pid));
	}
	end_child(pid);
}

static const struct unit_test tests[] = {
	{ "registers and memory", test_agree },
	{ "a thread that has ended", test_gone },
	{ "a thread that goes before others", test_before_others },
};

int main(void)
{
	long result = still_open(getpid());

	if (result < 0) {
		printf("SKIP: an event for one thread does not open (%s)\n",
		       strerror((int)-result));
		return 77;
	}
	counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return UNIT_RUN("still", tests);
}
