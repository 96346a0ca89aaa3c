// SPDX-License-Identifier: MIT
// Libraries with hot code are loaded, run and unloaded hundreds of times; constructors
// and destructors run once each time, another library takes the place of the one before
// it, and the same file is replaced by a different one under its name.
#ifdef LIB
#include "t.h"
extern int n_loaded, n_unloaded;
static uint64_t state = LIB;
__attribute__((constructor)) static void on_load(void)
{
	n_loaded++;
	state = t_hot_from(state, 10);
}
__attribute__((destructor)) static void on_unload(void)
{
	CHECK(state != LIB);
	n_unloaded++;
}
uint64_t lib_work(unsigned n);
uint64_t lib_work(unsigned n)
{
	uint64_t sum = LIB;

	for (unsigned i = 0; i < n; i++) {
#if LIB == 1
		sum = t_mix(sum, i) + t_switch(sum, i & 7);
#else
		sum = t_rotate(t_switch(sum, (unsigned)sum & 7), i) ^ t_depth(sum, i & 3);
#endif
	}
	return sum;
}
#else
#include "t_proc.h"
#include "t_text.h"
#include <dlfcn.h>

extern int n_loaded, n_unloaded;
int n_loaded, n_unloaded;

static uint64_t use(const char *name, unsigned n)
{
	void *lib = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	uint64_t (*lib_work)(unsigned), sum;
	Dl_info info;

	CHECK(lib);
	*(void **)&lib_work = dlsym(lib, "lib_work");
	CHECK(lib_work && dladdr((void *)lib_work, &info));
	CHECK(info.dli_saddr == (void *)lib_work && !strcmp(info.dli_sname, "lib_work"));
	sum = lib_work(n);
	CHECK(!dlclose(lib));
	return sum;
}

static void copy(const char *from, const char *to)
{
	size_t size;
	const unsigned char *bytes = t_file(from, &size);
	FILE *f = fopen("copy.new", "we");

	CHECK(bytes && f && fwrite(bytes, 1, size, f) == size && !fclose(f));
	CHECK(!rename("copy.new", to) && !munmap((void *)bytes, size));
}

int main(void)
{
	uint64_t first = use("./lib1.so", 500), second = use("./lib2.so", 500), sum = 0;
	void *kept, *again;

	for (int i = 0; i < 100; i++) {
		CHECK(use("./lib1.so", 500) == first);
		CHECK(use("./lib2.so", 500) == second);
		CHECK(n_loaded == n_unloaded && n_loaded == 2 * (i + 2));
	}
	n_loaded = n_unloaded = 0;
	for (int i = 0; i < 20; i++) {
		copy(i & 1 ? "lib1.so" : "lib2.so", "copy.so");
		CHECK(use("./copy.so", 500) == (i & 1 ? first : second));
		sum = t_mix(sum, t_hot(20));
	}
	CHECK(n_loaded == 20 && n_unloaded == 20);
	kept = dlopen("./lib1.so", RTLD_LAZY);
	for (int i = 0; i < 50; i++) {
		CHECK((again = dlopen("./lib1.so", RTLD_NOW)) == kept);
		CHECK(use("./lib1.so", 50) && !dlclose(again));
	}
	CHECK(dlopen("./lib1.so", RTLD_NOW | RTLD_NOLOAD) == kept && !dlclose(kept));
	CHECK(n_loaded == 21 && n_unloaded == 20);
	CHECK(!dlclose(kept) && n_unloaded == 21);
	CHECK(!dlopen("./lib1.so", RTLD_NOW | RTLD_NOLOAD));
	CHECK(!dlopen("./missing.so", RTLD_NOW));
	printf("%s\n", dlerror());
	kept = dlopen("./lib2.so", RTLD_NOW | RTLD_NODELETE);
	CHECK(kept && !dlclose(kept) && n_unloaded == 21);
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();

		if (!child)
			_exit(use("./lib1.so", 500) == first && use("./lib2.so", 500) == second
			              ? 3
			              : 1);
		CHECK(t_wait(child) == 3);
	}
	return t_ok(t_mix(sum, first ^ second));
}
#endif
