// SPDX-License-Identifier: MIT
// What runs before and after main: constructors by priority in the program and in its
// library, init and fini arrays, atexit, on_exit, destructors, hot code in all of them,
// a handler and a child made before main; arguments and the auxiliary vector arrive.
#include "t_proc.h"
#include <signal.h>
#include <sys/auxv.h>

#ifdef LIB
uint64_t lib_sum;
__attribute__((constructor(150))) static void lib_start(void)
{
	puts("library starts");
	lib_sum = t_hot_from(9, 50);
}
__attribute__((destructor)) static void lib_end(void)
{
	CHECK(t_hot_from(9, 50) == lib_sum);
	puts("library ends");
	fflush(stdout);
}
#else
extern uint64_t lib_sum;
static uint64_t early, signals;

static void handler(int sig)
{
	signals += (uint64_t)sig;
}

__attribute__((constructor(200))) static void first(void)
{
	pid_t child;

	puts("first");
	early = t_hot(50);
	CHECK(signal(SIGUSR1, handler) == SIG_DFL && !raise(SIGUSR1));
	child = fork();
	CHECK(child >= 0);
	if (!child)
		_exit(t_hot(50) == early ? 4 : 1);
	CHECK(t_wait(child) == 4);
}

static void in_array(int argc, char **argv, char **envp)
{
	CHECK(argc == 1 && argv[0] && envp);
	puts("array");
}
__attribute__((section(".init_array"), used)) static void (*const entry)(int, char **,
                                                                         char **) = in_array;

static void at_exit_one(void)
{
	CHECK(t_hot(50) == early);
	puts("atexit one");
}

static void at_exit_two(void)
{
	puts("atexit two");
	atexit(at_exit_one);
}

static void on_end(int code, void *word)
{
	printf("on_exit %d %s\n", code, (const char *)word);
}

__attribute__((destructor)) static void last(void)
{
	CHECK(t_hot(50) == early && signals == 3 * SIGUSR1);
	puts("last");
}

int main(int argc, char **argv)
{
	puts("main");
	CHECK(argc == 1 && !argv[1]);
	CHECK(lib_sum == t_hot_from(9, 50));
	CHECK(getauxval(AT_PHDR) && getauxval(AT_ENTRY) && getauxval(AT_PAGESZ) == 4096);
	CHECK(getauxval(AT_SECURE) == 0);
	CHECK(strstr((const char *)getauxval(AT_EXECFN), "program"));
	printf("%s %s\n", program_invocation_name, program_invocation_short_name);
	CHECK(!raise(SIGUSR1) && !raise(SIGUSR1) && signals == 3 * SIGUSR1);
	atexit(at_exit_two);
	on_exit(on_end, (void *)"word");
	t_ok(early);
	puts("ok");
	return 0;
}
#endif
