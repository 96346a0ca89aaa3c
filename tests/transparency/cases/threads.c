// SPDX-License-Identifier: MIT
// Thousands of threads created and joined, detached ones too, some on the smallest
// stacks; all run the same hot code, and atomic counters, locks, condition variables,
// barriers, once, keys and thread-local variables come out exact.
#include "t_proc.h"
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>

enum { N_THREADS = 2000, AT_ONCE = 20 };

static uint64_t expected, atomic_sum, locked_sum;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int n_once, n_destroyed, turn;
static __thread uint64_t local = 5;
static __thread char big_local[4000];

static void destroy(void *value)
{
	CHECK(value == big_local);
	__atomic_add_fetch(&n_destroyed, 1, __ATOMIC_RELAXED);
}

static void init(void)
{
	n_once++;
	CHECK(!pthread_key_create(&key, destroy));
}

static void *body(void *n)
{
	CHECK(!pthread_once(&once, init));
	CHECK(local == 5 && big_local[3999] == 0);
	CHECK(!pthread_setspecific(key, big_local));
	CHECK(t_hot(3) == expected);
	for (uint64_t i = 0; i < 50; i++) {
		local += i;
		__atomic_add_fetch(&atomic_sum, i, __ATOMIC_SEQ_CST);
		CHECK(!pthread_mutex_lock(&lock));
		locked_sum += i;
		CHECK(!pthread_mutex_unlock(&lock));
	}
	memset(big_local, 1, sizeof(big_local));
	CHECK(local == 5 + 1225);
	return n;
}

static sem_t ended;

static void *detached(void *unused)
{
	CHECK(t_hot(3) == expected);
	CHECK(!sem_post(&ended));
	return unused;
}

static void *taking_turns(void *n)
{
	int me = (int)(intptr_t)n;

	for (int i = 0; i < 200; i++) {
		CHECK(!pthread_mutex_lock(&lock));
		while (turn % 3 != me)
			CHECK(!pthread_cond_wait(&changed, &lock));
		turn++;
		t_hot(1);
		CHECK(!pthread_cond_broadcast(&changed));
		CHECK(!pthread_mutex_unlock(&lock));
	}
	return NULL;
}

static pthread_barrier_t barrier;
static uint64_t rounds[4];

static void *in_step(void *n)
{
	int me = (int)(intptr_t)n;

	for (uint64_t i = 1; i <= 200; i++) {
		rounds[me] = i;
		t_hot(1);
		pthread_barrier_wait(&barrier);
		for (int k = 0; k < 4; k++)
			CHECK(rounds[k] == i);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void run(int n, void *(*function)(void *))
{
	pthread_t threads[8];

	for (intptr_t i = 0; i < n; i++)
		CHECK(!pthread_create(&threads[i], NULL, function, (void *)i));
	for (int i = 0; i < n; i++)
		CHECK(!pthread_join(threads[i], NULL));
}

int main(void)
{
	pthread_attr_t small;
	pthread_t threads[AT_ONCE];

	expected = t_hot(3);
	CHECK(!pthread_attr_init(&small));
	CHECK(!pthread_attr_setstacksize(&small, PTHREAD_STACK_MIN + 8192));
	for (intptr_t n = 0; n < N_THREADS; n += AT_ONCE) {
		for (intptr_t i = 0; i < AT_ONCE; i++)
			CHECK(!pthread_create(&threads[i], i & 1 ? &small : NULL, body,
			                      (void *)(n + i)));
		for (intptr_t i = 0; i < AT_ONCE; i++) {
			void *got;

			CHECK(!pthread_join(threads[i], &got) && got == (void *)(n + i));
		}
	}
	CHECK(atomic_sum == 1225ull * N_THREADS && locked_sum == atomic_sum);
	CHECK(n_once == 1 && n_destroyed == N_THREADS);
	CHECK(!sem_init(&ended, 0, 0));
	CHECK(!pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED));
	for (int i = 0; i < 500; i++) {
		CHECK(!pthread_create(&threads[0], &small, detached, NULL));
		while (sem_wait(&ended))
			CHECK(errno == EINTR);
	}
	run(3, taking_turns);
	CHECK(turn == 600);
	CHECK(!pthread_barrier_init(&barrier, NULL, 4));
	run(4, in_step);
	return t_ok(t_mix(expected, atomic_sum));
}
