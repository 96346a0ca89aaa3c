// SPDX-License-Identifier: MIT
// Locked operations of every kind from several threads: counters end exact, a lock made of
// xchg excludes, a stack made of cmpxchg16b loses nothing, and no thread ever sees stores
// of another in the wrong order.
#include "t.h"
#include <pthread.h>

enum { N_THREADS = 4, N_ROUNDS = 30000 };

static struct {
	uint64_t add, inc, xadd, cmpxchg, or_bits, sub, dec, under_lock;
	uint8_t byte_add;
	uint16_t word_add;
} shared __attribute__((aligned(64)));
static volatile int spin;
static pthread_barrier_t barrier;

static T_NOINLINE void lock_spin(void)
{
	int one;

	do {
		one = 1;
		__asm__ volatile("xchg %0, %1" : "+r"(one), "+m"(spin)::"memory");
		if (one)
			__asm__ volatile("pause");
	} while (one);
}

static T_NOINLINE void unlock_spin(void)
{
	__asm__ volatile("movl $0, %0" : "=m"(spin)::"memory");
}

static void *counting(void *n)
{
	uint64_t mine = 0, old;

	for (unsigned i = 0; i < N_ROUNDS; i++) {
		unsigned char done;

		__asm__ volatile("lock addq $3, %0" : "+m"(shared.add)::"cc");
		__asm__ volatile("lock incq %0" : "+m"(shared.inc)::"cc");
		__asm__ volatile("lock decq %0" : "+m"(shared.dec)::"cc");
		__asm__ volatile("lock subq %1, %0" : "+m"(shared.sub) : "r"(2ul) : "cc");
		__asm__ volatile("lock addb $1, %0" : "+m"(shared.byte_add)::"cc");
		__asm__ volatile("lock addw $1, %0" : "+m"(shared.word_add)::"cc");
		old = 1;
		__asm__ volatile("lock xaddq %0, %1" : "+r"(old), "+m"(shared.xadd)::"cc");
		mine += old & 1;
		old = shared.cmpxchg;
		do
			__asm__ volatile("lock cmpxchgq %3, %1\n\tsetz %2"
			                 : "+a"(old), "+m"(shared.cmpxchg), "=q"(done)
			                 : "r"(old + 5)
			                 : "cc", "memory");
		while (!done);
		__asm__ volatile("lock btsq %1, %0"
		                 : "+m"(shared.or_bits)
		                 : "r"((uint64_t)(i & 31) + 32 * ((uintptr_t)n & 1))
		                 : "cc");
		if ((i & 7) == 0) {
			lock_spin();
			shared.under_lock += i;
			t_switch(i, i & 7);
			unlock_spin();
		}
	}
	return (void *)mine;
}

/* A pointer with a tag in one 16-byte word. */
struct node {
	struct node *next;
	uint64_t value;
};
static struct {
	struct node *top;
	uint64_t tag;
} stack __attribute__((aligned(16)));
static struct node nodes[N_THREADS][64];

static T_NOINLINE int exchange(struct node *old, uint64_t tag, struct node *new_top)
{
	unsigned char done;

	__asm__ volatile("lock cmpxchg16b %0\n\tsetz %1"
	                 : "+m"(stack), "=q"(done), "+a"(old), "+d"(tag)
	                 : "b"(new_top), "c"(tag + 1)
	                 : "cc", "memory");
	return done;
}

static T_NOINLINE void push(struct node *node)
{
	struct node *top;
	uint64_t tag;

	do {
		tag = *(volatile uint64_t *)&stack.tag;
		top = *(struct node *volatile *)&stack.top;
		node->next = top;
	} while (!exchange(top, tag, node));
}

static T_NOINLINE struct node *pop(void)
{
	struct node *top;
	uint64_t tag;

	do {
		tag = *(volatile uint64_t *)&stack.tag;
		top = *(struct node *volatile *)&stack.top;
		if (!top)
			return NULL;
	} while (!exchange(top, tag, *(struct node *volatile *)&top->next));
	return top;
}

static void *stacking(void *n)
{
	for (unsigned i = 0; i < 64; i++) {
		nodes[(uintptr_t)n][i].value = 1;
		push(&nodes[(uintptr_t)n][i]);
	}
	for (unsigned i = 0; i < N_ROUNDS / 4; i++) {
		struct node *node = pop();

		if (node) {
			node->value++;
			push(node);
		}
	}
	return NULL;
}

/* Message passing: who sees the flag of a round sees the data of it. */
static volatile uint64_t data[8], flag;

static void *writing(void *unused)
{
	for (uint64_t i = 1; i <= N_ROUNDS; i++) {
		for (unsigned k = 0; k < 8; k++)
			data[k] = i;
		flag = i;
	}
	return unused;
}

static void *reading(void *unused)
{
	uint64_t seen;

	do {
		seen = flag;
		for (unsigned k = 0; k < 8; k++)
			CHECK(data[k] >= seen);
	} while (seen < N_ROUNDS);
	return unused;
}

/* Store buffering with a full fence: both loads may not miss both stores. */
static volatile uint64_t left, right, saw[2];

static void *crossing(void *n)
{
	for (unsigned i = 1; i <= 3000; i++) {
		if (n) {
			left = i;
			__asm__ volatile("lock orq $0, (%%rsp)" ::: "memory", "cc");
			saw[1] = right;
		} else {
			right = i;
			__asm__ volatile("mfence" ::: "memory");
			saw[0] = left;
		}
		pthread_barrier_wait(&barrier);
		CHECK(saw[0] == i || saw[1] == i);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static uint64_t run(unsigned n, void *(*body)(void *), void *(*first)(void *))
{
	pthread_t threads[N_THREADS];
	uint64_t total = 0;

	for (uintptr_t i = 0; i < n; i++)
		CHECK(!pthread_create(&threads[i], NULL, i ? body : first, (void *)i));
	for (unsigned i = 0; i < n; i++) {
		void *got;

		CHECK(!pthread_join(threads[i], &got));
		total += (uint64_t)got;
	}
	return total;
}

int main(void)
{
	const uint64_t all = (uint64_t)N_THREADS * N_ROUNDS;
	uint64_t sum = t_hot(100), locked = 0, values = 0;
	struct node *node;

	CHECK(run(N_THREADS, counting, counting) == all / 2);
	for (uint64_t i = 0; i < N_ROUNDS; i += 8)
		locked += i * N_THREADS;
	CHECK(shared.add == 3 * all && shared.inc == all && shared.xadd == all);
	CHECK(shared.dec == -all && shared.sub == -2 * all && shared.cmpxchg == 5 * all);
	CHECK(shared.byte_add == (uint8_t)all && shared.word_add == (uint16_t)all);
	CHECK(shared.or_bits == ~0ul && shared.under_lock == locked);
	run(N_THREADS, stacking, stacking);
	for (unsigned i = 0; i < N_THREADS * 64; i++) {
		node = pop();
		CHECK(node);
		values += node->value;
	}
	CHECK(!pop() && values >= N_THREADS * 64);
	run(3, reading, writing);
	CHECK(!pthread_barrier_init(&barrier, NULL, 2));
	run(2, crossing, crossing);
	return t_ok(sum);
}
