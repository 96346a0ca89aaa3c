// SPDX-License-Identifier: MIT
// An alternate stack of the least size that the kernel allows for its frame, and one
// kilobyte: a handler that needs little runs there.
#include "t.h"
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

static volatile int n_signals;
static char *low;

static void handler(int sig, siginfo_t *info, void *context)
{
	char here;

	(void)info;
	(void)context;
	CHECK(&here > low);
	n_signals += sig == SIGUSR1;
}

int main(void)
{
	size_t frame = getauxval(AT_MINSIGSTKSZ), size;
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t stack = { 0 };
	uint64_t sum = t_hot(50);
	char *pages;

	if (!frame)
		t_skip("the kernel does not tell the size of its frame");
	size = frame + 1024;
	pages = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(pages != MAP_FAILED && !mprotect(pages, 4096, PROT_NONE));
	low = pages + 4096; /* below it, an access faults */
	stack.ss_sp = low;
	stack.ss_size = size;
	CHECK(!sigaltstack(&stack, NULL) && !sigaction(SIGUSR1, &action, NULL));
	for (int i = 0; i < 500; i++) {
		CHECK(!raise(SIGUSR1) && n_signals == i + 1);
		sum = t_mix(sum, t_hot(2));
	}
	return t_ok(sum);
}
