// SPDX-License-Identifier: MIT
// The program's descriptors are its own: the same ones open as in the plain run, the
// lowest free number is given out, and after closefrom or close_range over everything the
// program goes on, with all that works behind its back.
#include "t_proc.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/syscall.h>
#ifdef LIB
uint64_t lib_work(unsigned n);
uint64_t lib_work(unsigned n)
{
	return t_hot(n);
}
#else

static uint64_t use_library(void)
{
	void *lib = dlopen("./lib1.so", RTLD_NOW);
	uint64_t (*lib_work)(unsigned), sum;

	CHECK(lib);
	*(void **)&lib_work = dlsym(lib, "lib_work");
	CHECK(lib_work);
	sum = lib_work(50);
	CHECK(!dlclose(lib));
	return sum;
}

static void lowest_is(int n)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	CHECK(fd == n && !close(fd));
}

static void in_child(void)
{
	pid_t child = fork();

	CHECK(child >= 0);
	if (!child) {
		CHECK(t_descriptors() == 3);
		_exit(t_hot(50) == use_library() ? 6 : 1);
	}
	CHECK(t_wait(child) == 6);
}

int main(void)
{
	uint64_t sum = t_hot(50);
	int fds[50];

	CHECK(t_descriptors() == 3);
	lowest_is(3);
	CHECK(use_library() == sum);
	lowest_is(3);
	for (int i = 0; i < 50; i++)
		CHECK((fds[i] = open("/dev/zero", O_RDONLY)) == 3 + i);
	closefrom(10);
	CHECK(t_descriptors() == 10 && t_hot(50) == sum);
	CHECK(!syscall(SYS_close_range, 3u, ~0u, 0u));
	CHECK(t_descriptors() == 3 && t_hot(50) == sum && use_library() == sum);
	in_child();
	for (int fd = 3; fd < 1200; fd++)
		CHECK(close(fd) == -1 && errno == EBADF);
	CHECK(t_hot(50) == sum && use_library() == sum);
	lowest_is(3);
	in_child();
	/* Its own standard descriptors may go too. */
	fflush(stdout);
	fds[0] = fcntl(1, F_DUPFD_CLOEXEC, 20);
	CHECK(fds[0] == 20 && !close(0) && !close(1));
	CHECK(t_hot(50) == sum && use_library() == sum);
	lowest_is(0);
	CHECK(dup2(20, 1) == 1 && !close(20));
	return t_ok(sum);
}
#endif
