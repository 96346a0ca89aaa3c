// SPDX-License-Identifier: MIT
// The user's own LD_PRELOAD: its library is loaded and comes before libc, and the variable
// is what it was, for the program and for its children.
#ifdef LIB
#include <unistd.h>
pid_t getppid(void)
{
	return 4711;
}
#else
#include "t_proc.h"

int main(void)
{
	const char *value = getenv("LD_PRELOAD");
	uint64_t sum = t_hot(100);
	char text[64];
	FILE *p;

	CHECK(value && !strcmp(value, "./lib1.so"));
	CHECK(getppid() == 4711);
	p = popen("echo $LD_PRELOAD", "re");
	CHECK(p && fgets(text, sizeof(text), p) && !strcmp(text, "./lib1.so\n") && !pclose(p));
	return t_ok(sum);
}
#endif
