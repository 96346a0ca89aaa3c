// SPDX-License-Identifier: MIT
// Other programs started in every way: vfork and exec, posix_spawn, system, popen, clone
// with shared memory, exec of itself with arguments. The environment they see is the one
// of the plain run: no LD_PRELOAD and no variable of dynopt, and a user's own LD_PRELOAD
// stays what it was.
#ifdef LIB
int preloaded_word(void);
int preloaded_word(void)
{
	return 42;
}
#else
#include "t_proc.h"
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>

extern char **environ;

static uint64_t text_sum(const char *text)
{
	uint64_t sum = 1;

	while (*text)
		sum = t_mix(sum, (unsigned char)*text++);
	return sum;
}

/* All of a command's output, through popen. */
static uint64_t output_of(const char *command, char *text, size_t size)
{
	FILE *p = popen(command, "re");
	size_t n;

	CHECK(p);
	n = fread(text, 1, size - 1, p);
	text[n] = '\0';
	CHECK(pclose(p) == 0);
	return text_sum(text);
}

static pid_t by_vfork(const char *word)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)word, NULL };
	pid_t child = vfork();

	if (!child) {
		execv("/bin/sh", argv);
		_exit(127);
	}
	return child;
}

static pid_t by_posix_spawn(const char *word)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)word, NULL };
	pid_t child;

	CHECK(!posix_spawn(&child, "/bin/sh", NULL, NULL, argv, environ));
	return child;
}

static int clone_body(void *word)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", word, NULL };

	execv("/bin/sh", argv);
	_exit(127);
}

static pid_t by_clone(const char *word)
{
	static char stack[65536] __attribute__((aligned(16)));

	return clone(clone_body, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD,
	             (void *)word);
}

static void clean(const char *variable)
{
	CHECK(strncmp(variable, "LD_PRELOAD", 10) && strncmp(variable, "LD_AUDIT", 8));
	CHECK(strncmp(variable, "DYNOPT", 6) && strncmp(variable, "dynopt", 6));
}

static void environment(void)
{
	static char text[65536];
	char *line, *save;

	for (char **e = environ; *e; e++)
		clean(*e);
	CHECK(!getenv("LD_PRELOAD"));
	output_of("env", text, sizeof(text));
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		clean(line);
}

/* Run as `program again N ...`: goes on with itself until N is 0. */
static int again(int argc, char **argv)
{
	char number[16];
	int n = atoi(argv[2]);

	CHECK(argc == 5 && !strcmp(argv[3], "two words") && !strcmp(argv[4], ""));
	environment();
	if (!n)
		_exit((int)(t_hot(100) & 0x3f));
	snprintf(number, sizeof(number), "%d", n - 1);
	argv[2] = number;
	execv("/proc/self/exe", argv);
	return 127;
}

/* Run as `program preloaded`, with a user's own LD_PRELOAD. */
static int preloaded(void)
{
	const char *value = getenv("LD_PRELOAD");
	static char text[4096];

	CHECK(value && !strcmp(value, "./lib1.so"));
	output_of("echo $LD_PRELOAD", text, sizeof(text));
	CHECK(!strcmp(text, "./lib1.so\n"));
	return (int)(t_hot(100) & 0x3f);
}

int main(int argc, char **argv)
{
	static pid_t (*const ways[])(const char *) = { by_vfork, by_posix_spawn, by_clone };
	uint64_t sum = t_hot(100);
	static char text[4096];
	pid_t child;

	if (argc > 1 && !strcmp(argv[1], "again"))
		return again(argc, argv);
	if (argc > 1)
		return preloaded();
	environment();
	for (unsigned i = 0; i < 60; i++) {
		char word[32];

		snprintf(word, sizeof(word), "exit %u", i % 7);
		child = ways[i % 3](word);
		CHECK(child > 0 && t_wait(child) == (int)(i % 7));
		CHECK(t_hot(100) == sum);
	}
	for (unsigned i = 0; i < 10; i++) {
		int status = system("exit 3");

		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
		output_of("echo hello; echo world", text, sizeof(text));
		CHECK(!strcmp(text, "hello\nworld\n"));
	}
	child = fork();
	if (!child) {
		execl("/proc/self/exe", argv[0], "again", "5", "two words", "", (char *)NULL);
		_exit(127);
	}
	CHECK(t_wait(child) == (int)(sum & 0x3f));
	child = fork();
	if (!child) {
		setenv("LD_PRELOAD", "./lib1.so", 1);
		execl("/proc/self/exe", argv[0], "preloaded", (char *)NULL);
		_exit(127);
	}
	CHECK(t_wait(child) == (int)(sum & 0x3f));
	CHECK(execl("/nonexistent", "x", (char *)NULL) == -1 && errno == ENOENT);
	CHECK(t_hot(100) == sum);
	t_no_children();
	return t_ok(sum);
}
#endif
