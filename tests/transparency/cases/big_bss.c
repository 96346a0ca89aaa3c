// SPDX-License-Identifier: MIT
// One and a half gigabytes of zeroed data behind the text: what is near is taken, and
// code that is far away must be reached, or left alone.
#include "t_text.h"
#include <signal.h>
#include <ucontext.h>

static unsigned char big[1536ul << 20] __attribute__((aligned(4096)));
static volatile int n_faults;

static void handler(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	CHECK(info->si_addr == big + 4096 * 3);
	CHECK(t_text_original((uintptr_t)uc->uc_mcontext.gregs[REG_RIP]));
	n_faults++;
	CHECK(!mprotect(big, 65536, PROT_READ | PROT_WRITE));
}

static T_NOINLINE uint64_t touch(uint64_t sum)
{
	for (size_t i = 3 * 4096; i < sizeof(big); i += 16ul << 20) {
		((volatile unsigned char *)big)[i] = (unsigned char)(big[i] + 1);
		sum = t_mix(sum, big[i]);
	}
	return sum;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	uint64_t sum = t_hot(300);

	t_text_read();
	CHECK(!sigaction(SIGSEGV, &action, NULL));
	for (unsigned i = 0; i < 50; i++) {
		CHECK(!mprotect(big, 65536, PROT_NONE));
		sum = touch(sum);
		CHECK(n_faults == (int)i + 1);
	}
	return t_ok(sum);
}
