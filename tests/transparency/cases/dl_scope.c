// SPDX-License-Identifier: MIT
// What depends on who calls: dlopen of a bare name searches the RUNPATH of the library
// that asks, RTLD_NEXT and RTLD_DEFAULT look from the caller's place, RTLD_LOCAL symbols
// stay local and RTLD_GLOBAL ones do not; a second namespace is a world of its own.
#ifdef LIB
#include "t.h"
#include <dlfcn.h>
uint64_t own_name(void);
uint64_t own_name(void)
{
	return LIB;
}
#if LIB == 1
void *open_for_me(const char *name);
void *next_name(void);
uint64_t call_weak(void);
__attribute__((weak)) uint64_t only_in_2(void);
void *open_for_me(const char *name)
{
	void *lib = NULL;

	for (int i = 0; i < 3; i++) {
		lib = dlopen(name, RTLD_NOW);
		if (lib && i < 2)
			dlclose(lib);
		__asm__ volatile(""); /* no tail call */
	}
	return lib;
}
void *next_name(void)
{
	return dlsym(RTLD_NEXT, "own_name");
}
uint64_t call_weak(void)
{
	uint64_t (*f)(void);

	*(void **)&f = dlsym(RTLD_DEFAULT, "only_in_2");
	return f ? f() : 0;
}
#else
uint64_t only_in_2(void);
uint64_t only_in_2(void)
{
	return t_hot_from(2, 10);
}
#endif
#else
#include "t_text.h"
#include <dlfcn.h>

uint64_t own_name(void);
uint64_t own_name(void)
{
	return 100;
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
	void *(*open_for_me)(const char *), *(*next_name)(void);
	uint64_t (*call_weak)(void), (*name)(void);
	void *one, *two, *three;
	uint64_t sum = t_hot(50);

	(void)!mkdir("sub", 0777);
	copy("lib1.so", "sub/plug1.so");
	copy("lib2.so", "sub/plug2.so");
	one = dlopen("sub/plug1.so", RTLD_NOW | RTLD_LOCAL);
	CHECK(one);
	*(void **)&open_for_me = dlsym(one, "open_for_me");
	*(void **)&next_name = dlsym(one, "next_name");
	*(void **)&call_weak = dlsym(one, "call_weak");
	*(void **)&name = dlsym(one, "own_name");
	CHECK(open_for_me && next_name && call_weak && name && name() == 1);
	CHECK(call_weak() == 0);
	for (int i = 0; i < 30; i++) {
		two = open_for_me("plug2.so"); /* its RUNPATH is sub */
		CHECK(two && !dlclose(two));
		CHECK(!dlopen("plug2.so", RTLD_NOW)); /* the program's is not */
		CHECK(!next_name());
	}
	printf("%s\n", dlerror() ? "said why" : "said nothing");
	two = dlopen("./lib2.so", RTLD_NOW | RTLD_LOCAL);
	CHECK(two && call_weak() == 0);
	CHECK(dlopen("./lib2.so", RTLD_NOW | RTLD_GLOBAL) == two);
	CHECK(call_weak() == t_hot_from(2, 10));
	*(void **)&name = dlsym(RTLD_DEFAULT, "own_name");
	CHECK(name && name() == 100);
	CHECK(dlsym(RTLD_DEFAULT, "getpid") == (void *)getpid);
	*(void **)&name = dlsym(RTLD_NEXT, "own_name");
	CHECK(!name || name() == 2); /* behind the program: the global one */
	three = dlmopen(LM_ID_NEWLM, "./lib2.so", RTLD_NOW);
	if (three) {
		CHECK(three != two);
		*(void **)&name = dlsym(three, "only_in_2");
		CHECK(name && name() == t_hot_from(2, 10) && !dlclose(three));
	}
	CHECK(!dlclose(two) && !dlclose(two) && !dlclose(one));
	return t_ok(sum);
}
#endif
