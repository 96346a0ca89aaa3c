// SPDX-License-Identifier: MIT
// A program that ends by a signal ends so for its parent, whatever was put before it.
#include "t.h"
#include <signal.h>
#include <sys/resource.h>

int main(void)
{
	struct rlimit none = { 0, 0 };

	CHECK(!setrlimit(RLIMIT_CORE, &none));
	t_ok(t_hot(200));
#ifdef BY_ABORT
	abort();
#elif defined(BY_FAULT)
	*(volatile int *)(t_hot(3) & 0) = 1;
#else
	raise(SIGTERM);
#endif
	return 0;
}
