// SPDX-License-Identifier: MIT
// Every signal is blocked while the program works, loads a library and starts threads:
// nothing that dynopt does may need a signal of the program, and none is left pending.
#ifdef LIB
#include "t.h"
uint64_t lib_work(unsigned n);
uint64_t lib_work(unsigned n)
{
	return t_hot_from(7, n);
}
#else
#include "t.h"
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>

static void *work(void *sum)
{
	*(uint64_t *)sum = t_hot(300);
	return NULL;
}

int main(void)
{
	sigset_t all, pending, now;
	uint64_t sum, other = 0;
	pthread_t thread;
	void *lib;
	uint64_t (*lib_work)(unsigned);

	sigfillset(&all);
	CHECK(!sigprocmask(SIG_BLOCK, &all, NULL));
	sum = t_hot(300);
	lib = dlopen("./lib1.so", RTLD_NOW);
	CHECK(lib);
	*(void **)&lib_work = dlsym(lib, "lib_work");
	CHECK(lib_work && lib_work(100) == t_hot_from(7, 100));
	for (int i = 0; i < 20; i++) {
		CHECK(!pthread_create(&thread, NULL, work, &other));
		CHECK(t_hot(300) == sum);
		CHECK(!pthread_join(thread, NULL));
		CHECK(other == sum);
	}
	dlclose(lib);
	CHECK(!sigpending(&pending) && sigisemptyset(&pending));
	CHECK(!sigprocmask(SIG_BLOCK, NULL, &now));
	for (int i = 1; i < 32; i++)
		CHECK(sigismember(&now, i) == (i != SIGKILL && i != SIGSTOP));
	return t_ok(sum);
}
#endif
