// SPDX-License-Identifier: MIT
// What pipe.sh runs: closes its standard output and goes on until it is told to end, so
// that the reader's end of file depends on nobody else holding the pipe.
#include "t.h"
#include <fcntl.h>

int main(int argc, char **argv)
{
	uint64_t sum = t_hot(100);
	char byte;
	int fd;

	CHECK(argc == 2);
	t_ok(sum);
	fclose(stdout);
	fd = open(argv[1], O_RDONLY);
	CHECK(fd >= 0 && read(fd, &byte, 1) == 1);
	CHECK(t_hot(100) == sum);
	fprintf(stderr, "ran on\n");
	return 0;
}
