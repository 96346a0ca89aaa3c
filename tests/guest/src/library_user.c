// SPDX-License-Identifier: MIT
/*
 * library_user.c - works by the library until /tmp/enough is there; says what each round has come to, if that is not always the same.
 *
 *     user fork            a child does the work; its number is written first
 *     user exec PROGRAM    reads a line, then executes the program
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

uint32_t library_work(const uint8_t *bytes, uint32_t n);

static int in_child(void)
{
	int status;
	pid_t pid = fork();

	if (pid <= 0)
		return pid ? 1 : -1;
	printf("%d\n", (int)pid);
	fflush(stdout);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int execute(char *program)
{
	char line[16];

	if (fgets(line, sizeof(line), stdin))
		execl(program, program, (char *)NULL);
	return 1;
}

static void work(void)
{
	static uint8_t bytes[20000 + SEED];
	uint32_t first, again, i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 197 + i / 256 + SEED);
	first = library_work(bytes, sizeof(bytes));
	do {
		again = library_work(bytes, sizeof(bytes));
		if (again != first)
			printf("another: %u\n", again);
	} while (access("/tmp/enough", F_OK) != 0);
	printf("%u\n", first);
}

int main(int argc, char **argv)
{
	int result = -1;

	if (argc > 1)
		result = strcmp(argv[1], "fork") == 0 ? in_child() : execute(argv[2]);
	if (result < 0) {
		work();
		result = 0;
	}
	return result;
}
