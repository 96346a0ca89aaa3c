// SPDX-License-Identifier: MIT
// pthread_cancel: deferred at cancellation points, with ASYNCHRONOUS also in the middle of
// hot code, with cleanup handlers that run once each, disabled for a while, pthread_exit
// from deep down; memory and locks come out right each time.
#include "t.h"
#include <pthread.h>
#include <semaphore.h>

static sem_t started;
static volatile int n_cleaned;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int pipes[2];

static void cleanup(void *n)
{
	__atomic_add_fetch(&n_cleaned, (int)(intptr_t)n, __ATOMIC_SEQ_CST);
}

static void unlock(void *mutex)
{
	cleanup((void *)1);
	CHECK(!pthread_mutex_unlock(mutex));
}

static void *deferred(void *unused)
{
	volatile uint64_t sum = 1;

	(void)unused;
	pthread_cleanup_push(cleanup, (void *)1);
	CHECK(!pthread_mutex_lock(&lock));
	pthread_cleanup_push(unlock, &lock);
	sem_post(&started);
	for (;;) {
		sum = t_hot_from(sum, 10);
		pthread_testcancel();
	}
	pthread_cleanup_pop(1);
	pthread_cleanup_pop(1);
	return NULL;
}

static T_UNUSED void *asynchronous(void *unused)
{
	volatile uint64_t sum = 1;

	(void)unused;
	pthread_cleanup_push(cleanup, (void *)2);
	CHECK(!pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL));
	sem_post(&started);
	for (;;)
		for (unsigned i = 0; i < 16; i++)
			sum = t_switch(sum, (unsigned)(sum >> 3 ^ i) & 7);
	pthread_cleanup_pop(1);
	return NULL;
}

static void *reading(void *unused)
{
	char byte;

	(void)unused;
	pthread_cleanup_push(cleanup, (void *)2);
	t_hot(10);
	sem_post(&started);
	CHECK(read(pipes[0], &byte, 1) < 0);
	pthread_cleanup_pop(1);
	return NULL;
}

static void *disabled(void *go)
{
	int old;

	CHECK(!pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old));
	sem_post(&started);
	while (sem_wait(go))
		CHECK(errno == EINTR);
	t_hot(30);
	cleanup((void *)1);
	pthread_cleanup_push(cleanup, (void *)1);
	CHECK(!pthread_setcancelstate(old, NULL));
	for (;;)
		pthread_testcancel();
	pthread_cleanup_pop(0);
	return NULL;
}

#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Winfinite-recursion"

static T_NOINLINE uint64_t exiting(unsigned depth)
{
	if (!depth)
		pthread_exit((void *)99);
	return exiting(depth - 1) + t_hot(1);
}

static void *exits(void *unused)
{
	(void)unused;
	pthread_cleanup_push(cleanup, (void *)2);
	sem_post(&started);
	exiting(20);
	pthread_cleanup_pop(1);
	return NULL;
}

static void one(void *(*body)(void *), void *argument, int cancel, void *result)
{
	pthread_t thread;
	void *got;

	n_cleaned = 0;
	CHECK(!pthread_create(&thread, NULL, body, argument));
	while (sem_wait(&started))
		CHECK(errno == EINTR);
	if (cancel)
		CHECK(!pthread_cancel(thread));
	if (argument)
		sem_post(argument);
	CHECK(!pthread_join(thread, &got));
	CHECK(got == result && n_cleaned == 2);
}

int main(void)
{
	uint64_t sum = t_hot(100);
	sem_t go;

	CHECK(!sem_init(&started, 0, 0) && !sem_init(&go, 0, 0) && !pipe(pipes));
	for (unsigned i = 0; i < 100; i++) {
		one(deferred, NULL, 1, PTHREAD_CANCELED);
#ifdef ASYNCHRONOUS
		one(asynchronous, NULL, 1, PTHREAD_CANCELED);
#endif
		one(reading, NULL, 1, PTHREAD_CANCELED);
		one(disabled, &go, 1, PTHREAD_CANCELED);
		one(exits, NULL, 0, (void *)99);
		CHECK(!pthread_mutex_trylock(&lock) && !pthread_mutex_unlock(&lock));
		CHECK(t_hot(100) == sum);
	}
	return t_ok(sum);
}
