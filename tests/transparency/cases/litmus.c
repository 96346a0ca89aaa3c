// SPDX-License-Identifier: MIT
// Litmus tests of x86's memory order (SDM vol. 3, 9.2.3) between two threads, more than a million times each: message
// passing, store buffering with fences, load buffering, two loads of one word, a store read again across another load, Dekker's
// lock and a sequence lock. What the order forbids must never be seen, however the loops are translated. Which of the allowed
// outcomes are seen differs from run to run and is not said. With BROKEN the second thread of three tests does it in the
// wrong order: a way to see by hand that outcomes are told apart.
#include "t.h"
#include <pthread.h>
#include <sched.h>

enum { N_CELLS = 4096, N_BATCHES = 400 };

struct word {
	volatile uint64_t value;
	char rest[56]; /* a cache line each */
};

struct cell {
	struct word x, y;
	uint64_t a, b, c; /* what was read: a, b by one thread, c by the other */
};

static struct cell cells[N_CELLS] __attribute__((aligned(64)));
static uint32_t arrived;

/* Both threads leave at the same moment, if both have a processor. */
static void meet(uint32_t *times)
{
	*times += 2;
	__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; __atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < *times; i++)
		if (i > 2000)
			sched_yield();
}

static void fence(void)
{
	__asm__ volatile("mfence" ::: "memory");
}

/* Calls, so that translations have something to inline around the accesses. */
static T_NOINLINE uint64_t load(const struct word *w)
{
	return w->value;
}

static T_NOINLINE void store(struct word *w, uint64_t value)
{
	w->value = value;
}

/* Two ways to do the same: in line, and by calls that keep registers for themselves. */
#define BOTH(name, line, calls) \
	static T_NOINLINE void name##_line(void) \
	{ \
		for (struct cell *c = cells; c < cells + N_CELLS; c++) { \
			line; \
		} \
	} \
	static T_NOINLINE void name##_calls(void) \
	{ \
		for (struct cell *c = cells; c < cells + N_CELLS; c++) { \
			calls; \
		} \
	}

/* message passing: whoever sees the flag sees the message */
BOTH(mp_first, c->x.value = 1; c->y.value = 1, store(&c->x, 1); store(&c->y, 1))
#ifdef BROKEN
BOTH(mp_second, c->b = c->x.value; c->a = c->y.value, c->b = load(&c->x); c->a = load(&c->y))
#else
BOTH(mp_second, c->a = c->y.value; c->b = c->x.value, c->a = load(&c->y); c->b = load(&c->x))
#endif

static int mp_forbidden(const struct cell *c)
{
	return c->a == 1 && c->b == 0;
}

/* store buffering with fences: not both before the other */
BOTH(sb_first, c->x.value = 1; fence(); c->a = c->y.value, store(&c->x, 1); fence();
     c->a = load(&c->y))
#ifdef BROKEN
BOTH(sb_second, c->y.value = 1; c->c = c->x.value, store(&c->y, 1); c->c = load(&c->x))
#else
BOTH(sb_second, c->y.value = 1; fence(); c->c = c->x.value, store(&c->y, 1); fence();
     c->c = load(&c->x))
#endif

static int sb_forbidden(const struct cell *c)
{
	return c->a == 0 && c->c == 0;
}

/* load buffering: nobody reads what was stored behind a load that read the other's */
BOTH(lb_first, c->a = c->x.value; c->y.value = 1, c->a = load(&c->x); store(&c->y, 1))
BOTH(lb_second, c->c = c->y.value; c->x.value = 1, c->c = load(&c->y); store(&c->x, 1))

static int lb_forbidden(const struct cell *c)
{
	return c->a == 1 && c->c == 1;
}

/* two loads of one word: never back to the older value */
BOTH(rr_first, c->x.value = 1, store(&c->x, 1))
#ifdef BROKEN
BOTH(rr_second, c->b = c->x.value; c->a = c->x.value, c->b = load(&c->x); c->a = load(&c->x))
#else
BOTH(rr_second, c->a = c->x.value; c->b = c->x.value, c->a = load(&c->x); c->b = load(&c->x))
#endif

static int rr_forbidden(const struct cell *c)
{
	return c->a == 1 && c->b == 0;
}

/* own store read again across another load: with y seen, x is the other's or later than the other's */
BOTH(own_first, c->x.value = 1; c->a = c->y.value; c->b = c->x.value, store(&c->x, 1);
     c->a = load(&c->y); c->b = load(&c->x))
BOTH(own_second, c->x.value = 2; c->y.value = 1, store(&c->x, 2); store(&c->y, 1))

static int own_forbidden(const struct cell *c)
{
	return c->a == 1 && c->b == 1 && c->x.value == 2;
}

static const struct test {
	void (*first[2])(void), (*second[2])(void);
	int (*forbidden)(const struct cell *);
	const char *said;
} tests[] = {
	{ { mp_first_line, mp_first_calls },
	  { mp_second_line, mp_second_calls },
	  mp_forbidden,
	  "message passing\n" },
	{ { sb_first_line, sb_first_calls },
	  { sb_second_line, sb_second_calls },
	  sb_forbidden,
	  "store buffering\n" },
	{ { lb_first_line, lb_first_calls },
	  { lb_second_line, lb_second_calls },
	  lb_forbidden,
	  "load buffering\n" },
	{ { rr_first_line, rr_first_calls },
	  { rr_second_line, rr_second_calls },
	  rr_forbidden,
	  "two loads\n" },
	{ { own_first_line, own_first_calls },
	  { own_second_line, own_second_calls },
	  own_forbidden,
	  "own store\n" },
};
enum { N_TESTS = sizeof(tests) / sizeof(tests[0]) };

static void *second(void *unused)
{
	uint32_t times = 0;

	for (unsigned t = 0; t < N_TESTS; t++)
		for (unsigned batch = 0; batch < N_BATCHES; batch++) {
			meet(&times);
			tests[t].second[batch & 1]();
			meet(&times);
		}
	return unused;
}

static void first(void)
{
	uint32_t times = 0;

	for (unsigned t = 0; t < N_TESTS; t++)
		for (unsigned batch = 0; batch < N_BATCHES; batch++) {
			memset(cells, 0, sizeof(cells));
			meet(&times);
			tests[t].first[batch & 1]();
			meet(&times);
			for (unsigned i = 0; i < N_CELLS; i++)
				if (tests[t].forbidden(&cells[i]))
					t_fail(tests[t].said);
		}
}

/* Dekker's lock, as fences make it right: what it guards is counted without a lost count. */
static struct word wants[2], turn, guarded;
enum { N_LOCKS = 40000 };

static T_NOINLINE void dekker(unsigned me)
{
	store(&wants[me], 1);
	fence();
	while (load(&wants[1 - me])) {
		if (load(&turn) != me) {
			store(&wants[me], 0);
			while (load(&turn) != me)
				sched_yield();
			store(&wants[me], 1);
			fence();
		}
	}
	guarded.value = guarded.value + 1;
	store(&turn, 1 - me);
	store(&wants[me], 0);
}

static void *locker(void *me)
{
	for (unsigned i = 0; i < N_LOCKS; i++)
		dekker(me != NULL);
	return NULL;
}

/* Sequence lock: a reader that sees one even number twice sees one version of the data. */
static struct word sequence, data[3];
enum { N_VERSIONS = 300000 };

static void *writer(void *unused)
{
	for (uint64_t v = 1; v <= N_VERSIONS; v++) {
		sequence.value = 2 * v - 1;
		data[0].value = v;
		store(&data[1], v * 3);
		data[2].value = v * 5;
		sequence.value = 2 * v;
	}
	return unused;
}

static T_NOINLINE uint64_t reader(void)
{
	uint64_t before, after, a, b, c;

	do {
		before = load(&sequence);
		a = data[0].value;
		b = load(&data[1]);
		c = data[2].value;
		after = sequence.value;
	} while (before != after || (before & 1));
	CHECK(a == before / 2 && b == a * 3 && c == a * 5);
	return a;
}

int main(void)
{
	uint64_t sum = t_hot(20), last = 0;
	pthread_t other;

	CHECK(!pthread_create(&other, NULL, second, NULL));
	first();
	CHECK(!pthread_join(other, NULL));

	CHECK(!pthread_create(&other, NULL, locker, &turn));
	locker(NULL);
	CHECK(!pthread_join(other, NULL));
	CHECK(guarded.value == 2 * N_LOCKS);

	CHECK(!pthread_create(&other, NULL, writer, NULL));
	while (last < N_VERSIONS) {
		uint64_t now = reader();

		CHECK(now >= last);
		last = now;
	}
	CHECK(!pthread_join(other, NULL));
	return t_ok(sum);
}
