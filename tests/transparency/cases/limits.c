// SPDX-License-Identifier: MIT
// Resource limits that the program sets for itself, or starts with: very few descriptors,
// little address space, no new processes, no file size, no locked memory. What dynopt
// needs must not count against them so that the program fails where it did not.
#include "t_proc.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#ifdef LIB
uint64_t lib_work(unsigned n);
uint64_t lib_work(unsigned n)
{
	return t_hot(n);
}
#else

static void limit(int what, rlim_t value)
{
	struct rlimit l = { value, value };

	CHECK(!setrlimit((__rlimit_resource_t)what, &l));
}

static uint64_t use_library(void)
{
	void *lib = dlopen("./lib1.so", RTLD_NOW);
	uint64_t (*lib_work)(unsigned), sum;

	CHECK(lib);
	*(void **)&lib_work = dlsym(lib, "lib_work");
	sum = lib_work(50);
	CHECK(!dlclose(lib));
	return sum;
}

static void descriptors(void)
{
	for (rlim_t n = 8; n > 3; n--) {
		int fds[8], k = 0;

		limit(RLIMIT_NOFILE, n);
		CHECK(t_hot(50) == use_library());
		while (k < 8 && (fds[k] = open("/dev/null", O_RDONLY)) >= 0)
			k++;
		CHECK(k == (int)n - 3 && errno == EMFILE);
		CHECK(t_hot(50) == t_hot(50));
		while (k)
			CHECK(!close(fds[--k]));
	}
	limit(RLIMIT_NOFILE, 3);
	CHECK(open("/dev/null", O_RDONLY) == -1 && errno == EMFILE);
}

static void *body(void *sum)
{
	CHECK(t_hot(50) == *(uint64_t *)sum);
	return NULL;
}

/* The address space in use now, and a megabyte or so. */
static void memory(uint64_t sum)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	pthread_t thread;
	void *p;

	CHECK(f && fscanf(f, "%lu", &pages) == 1);
	fclose(f);
	limit(RLIMIT_AS, pages * 4096 + (16 << 20));
	CHECK(mmap(NULL, 64 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	CHECK(t_hot(50) == sum && use_library() == sum);
	CHECK(!pthread_create(&thread, NULL, body, &sum) && !pthread_join(thread, NULL));
	p = malloc(1 << 20);
	CHECK(p);
	memset(p, 1, 1 << 20);
	free(p);
}

static void others(uint64_t sum)
{
	limit(RLIMIT_FSIZE, 0);
	limit(RLIMIT_MEMLOCK, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_SIGPENDING, 4);
	limit(RLIMIT_NPROC, 1);
	limit(RLIMIT_STACK, 256 * 1024);
	CHECK(t_hot(50) == sum && use_library() == sum);
}

/* Limits of a program survive its exec; it starts under them. */
static void started_under(const char *self, const char *what)
{
	pid_t child = fork();

	CHECK(child >= 0);
	if (!child) {
		if (!strcmp(what, "few")) {
			limit(RLIMIT_NOFILE, 4);
		} else {
			limit(RLIMIT_AS, 64 << 20);
			limit(RLIMIT_MEMLOCK, 0);
			limit(RLIMIT_FSIZE, 0);
		}
		execl("/proc/self/exe", self, "started", (char *)NULL);
		_exit(126);
	}
	CHECK(t_wait(child) == 9);
}

int main(int argc, char **argv)
{
	static void (*const all[])(uint64_t) = { memory, others };
	uint64_t sum = t_hot(50);

	if (argc > 1)
		return t_hot(50) == use_library() ? 9 : 1;
	started_under(argv[0], "few");
	started_under(argv[0], "small");
	for (int i = 0; i < 2; i++) {
		pid_t child = fork();

		CHECK(child >= 0);
		if (!child) {
			all[i](sum);
			_exit(8);
		}
		CHECK(t_wait(child) == 8);
	}
	memory(sum);
	descriptors();
	return t_ok(sum);
}
#endif
