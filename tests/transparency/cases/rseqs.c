// SPDX-License-Identifier: MIT
// Restartable sequences: glibc has registered its area and keeps it up to date, and the
// program's own critical section, which counts per CPU without atomic operations, comes
// out exact with several threads that are moved and interrupted.
#include "t.h"
#include <linux/rseq.h>
#include <pthread.h>
#include <sched.h>
#include <sys/rseq.h>

enum { N_THREADS = 4, N_ROUNDS = 200000, MAX_CPUS = 1024 };

static struct {
	uint64_t n;
	char pad[56];
} counts[MAX_CPUS] __attribute__((aligned(64)));

static struct rseq *area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

/* counts[cpu].n++ unless the thread was interrupted or moved; true if it was done. */
static T_NOINLINE int add_one(struct rseq *rseq)
{
	uint32_t cpu = rseq->cpu_id_start;
	uint64_t *word = &counts[cpu].n;

	__asm__ goto volatile(".pushsection __rseq_cs, \"aw\"\n\t"
	                      ".balign 32\n"
	                      "3:\n\t"
	                      ".long 0, 0\n\t"
	                      ".quad 1f, 2f - 1f, 4f\n\t"
	                      ".popsection\n\t"
	                      "lea 3b(%%rip), %%rax\n\t"
	                      "mov %%rax, %[cs]\n"
	                      "1:\n\t"
	                      "cmp %[cpu], %[cpu_id]\n\t"
	                      "jnz 4f\n\t"
	                      "mov (%[word]), %%rax\n\t"
	                      "inc %%rax\n\t"
	                      "mov %%rax, (%[word])\n"
	                      "2:\n\t"
	                      ".pushsection __rseq_abort, \"ax\"\n\t"
	                      ".byte 0x0f, 0xb9, 0x3d\n\t"
	                      ".long 0x53053053\n"
	                      "4:\n\t"
	                      "jmp %l[aborted]\n\t"
	                      ".popsection"
	                      :
	                      : [cs] "m"(rseq->rseq_cs), [cpu] "r"(cpu), [cpu_id] "m"(rseq->cpu_id),
	                        [word] "r"(word)
	                      : "rax", "memory", "cc"
	                      : aborted);
	return 1;
aborted:
	return 0;
}

static void *body(void *unused)
{
	struct rseq *rseq = area();

	(void)unused;
	for (unsigned done = 0; done < N_ROUNDS;) {
		done += (unsigned)add_one(rseq);
		if ((done & 4095) == 0)
			sched_yield();
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[N_THREADS];
	uint64_t total = 0, sum = t_hot(100);

	if (!__rseq_size)
		t_skip("rseq is not registered here");
	for (int i = 0; i < 1000; i++)
		CHECK(area()->cpu_id < MAX_CPUS && sched_getcpu() >= 0);
	for (int i = 0; i < N_THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, body, NULL));
	for (int i = 0; i < N_THREADS; i++)
		CHECK(!pthread_join(threads[i], NULL));
	for (int i = 0; i < MAX_CPUS; i++)
		total += counts[i].n;
	CHECK(total == (uint64_t)N_THREADS * N_ROUNDS);
	return t_ok(t_mix(sum, total));
}
