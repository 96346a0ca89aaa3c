// SPDX-License-Identifier: MIT
// Thread-local variables of all models: in the program, in its library, in libraries that
// are loaded and unloaded while threads run; each thread sees its own, initialised.
#ifdef LIB
#include "t.h"
#if LIB == 1
__thread uint64_t lib_local = 100 + LIB;
#else
static __thread uint64_t lib_local = 100 + LIB; /* not the linked library's */
#endif
static __thread char block[2000] = "start";
uint64_t lib_count(void);
uint64_t lib_count(void)
{
	CHECK(!memcmp(block, "start", 5) || block[0] == 'S');
	block[0] = 'S';
	lib_local = t_switch(lib_local, (unsigned)lib_local & 1);
	return lib_local++;
}
#else
#include "t.h"
#include <dlfcn.h>
#include <pthread.h>

static __thread uint64_t local = 7;
static __thread struct {
	uint64_t words[20];
} zeroed;
extern __thread uint64_t lib_local;
uint64_t lib_count(void);
static uint64_t expected_linked, expected_loaded;

static uint64_t use_linked(void)
{
	uint64_t sum = lib_local;

	for (unsigned i = 0; i < 200; i++)
		sum = t_mix(sum, lib_count() + lib_local);
	return sum;
}

static uint64_t use_loaded(void)
{
	void *lib = dlopen("./lib2.so", RTLD_NOW | RTLD_LOCAL);
	uint64_t (*count)(void), sum = 0;

	CHECK(lib);
	*(void **)&count = dlsym(lib, "lib_count");
	CHECK(count);
	for (unsigned i = 0; i < 50; i++)
		sum = t_mix(sum, count());
	CHECK(!dlclose(lib));
	return sum;
}

static void *body(void *unused)
{
	CHECK(local == 7 && zeroed.words[19] == 0);
	for (unsigned i = 0; i < 20; i++) {
		zeroed.words[i] = t_switch(local, i & 7);
		local += zeroed.words[i];
	}
	CHECK(use_linked() == expected_linked);
	use_loaded();
	return unused;
}

int main(void)
{
	pthread_t threads[8];

	expected_linked = use_linked();
	expected_loaded = use_loaded();
	for (int i = 0; i < 20; i++)
		CHECK(use_loaded() == expected_loaded);
	for (int round = 0; round < 30; round++) {
		for (int i = 0; i < 8; i++)
			CHECK(!pthread_create(&threads[i], NULL, body, NULL));
		for (int i = 0; i < 8; i++)
			CHECK(!pthread_join(threads[i], NULL));
	}
	CHECK(local == 7);
	return t_ok(t_mix(expected_linked, expected_loaded));
}
#endif
