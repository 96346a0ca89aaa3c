/* SPDX-License-Identifier: MIT */
/*
 * late.c - its work is in a library that it loads itself, after some of its own: late LIBRARY [ARGUMENT...] calls the library's hot_main() (hot.c).
 */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	int (*work)(int argc, char **argv);
	void *library;

	for (volatile int i = 0; i < 200000000; i++)
		;
	library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	work = library ? dlsym(library, "hot_main") : NULL;

	if (!work) {
		fprintf(stderr, "%s\n", dlerror());
		return 2;
	}
	return work(argc - 1, argv + 1);
}
