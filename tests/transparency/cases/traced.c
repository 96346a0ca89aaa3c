// SPDX-License-Identifier: MIT
// What gdb.sh looks at: a counted loop with a label in its middle, and the same loop run
// until a debugger that attached sets `released`. Says its pid to a fifo where one is named.
#include "t.h"
#include <fcntl.h>

volatile int released, n_passes;
uint64_t traced_loop(uint64_t sum, unsigned n), traced_outer(uint64_t sum, unsigned n);

__attribute__((noinline)) uint64_t traced_loop(uint64_t sum, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		sum = t_switch(sum, (unsigned)(sum >> 3) & 7);
		__asm__ volatile(".globl traced_here\ntraced_here:\n\tnop\n\tadd $3, %0"
		                 : "+r"(sum));
		sum = t_depth(sum, i & 3);
	}
	return sum;
}

__attribute__((noinline)) uint64_t traced_outer(uint64_t sum, unsigned n)
{
	return traced_loop(sum, n) + 1;
}

int main(int argc, char **argv)
{
	uint64_t sum = t_hot(100);

	if (argc > 1) {
		char text[16];
		int fd = open(argv[1], O_WRONLY);

		CHECK(fd >= 0);
		CHECK(write(fd, text, (size_t)snprintf(text, sizeof(text), "%d\n", getpid())) > 0);
		close(fd);
		for (uint64_t other = 1; !released; n_passes++)
			other = traced_outer(other, 100);
	}
	sum = t_mix(sum, traced_outer(7, 500));
	return t_ok(sum);
}
