// SPDX-License-Identifier: MIT
// A program that dynopt leaves alone still runs, and its exit code arrives.
#include <stdio.h>

int main(int argc, char **argv)
{
	unsigned long sum = (unsigned long)argc;

	for (unsigned i = 0; i < 2000000; i++)
		sum = (sum << 1 | sum >> 31) ^ i;
	(void)argv;
	printf("ok %lu\n", sum & 0xffff);
	return 3;
}
