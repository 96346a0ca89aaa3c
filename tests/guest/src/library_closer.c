// SPDX-License-Identifier: MIT
/*
 * library_closer.c - for closed.c: opens the library with dlopen(), works with it and closes it, as it is asked on RUN_ASK. It is linked
 * dynamically, so run.sh compiles it.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <unistd.h>

#define RUN_ASK 250
#define RUN_REPLY 251

static uint32_t (*library_work)(const uint8_t *bytes, uint32_t n);

static long work(void)
{
	static uint8_t bytes[20000];
	uint32_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 197 + i / 256);
	return library_work(bytes, sizeof(bytes));
}

int main(void)
{
	void *library = NULL;
	char letter;

	while (read(RUN_ASK, &letter, 1) == 1) {
		long value = -1;

		if (letter == 'o') {
			library = dlopen("/t/programs/libwork.so", RTLD_NOW);
			if (!library)
				return 2;
			*(void **)&library_work = dlsym(library, "library_work");
			value = work();
		} else if (letter == 'w') {
			value = work();
		} else if (letter == 'c') {
			value = dlclose(library);
		}
		if (write(RUN_REPLY, &value, sizeof(value)) != sizeof(value))
			return 1;
	}
	return 0;
}
