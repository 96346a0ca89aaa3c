// SPDX-License-Identifier: MIT
// What a program does to its own rights and memory: dumpable off, another name, memory
// locked, personality, dropping root, a root folder and namespaces of its own, no new
// privileges. It goes on running hot code, forks and loads libraries afterwards.
#include "t_proc.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#ifdef LIB
uint64_t lib_work(unsigned n);
uint64_t lib_work(unsigned n)
{
	return t_hot(n);
}
#else

static uint64_t expected;

static void works(void)
{
	void *lib = dlopen("./lib1.so", RTLD_NOW);
	uint64_t (*lib_work)(unsigned);
	pid_t child;

	CHECK(t_hot(50) == expected);
	if (lib) {
		*(void **)&lib_work = dlsym(lib, "lib_work");
		CHECK(lib_work(50) == expected && !dlclose(lib));
	}
	child = fork();
	CHECK(child >= 0);
	if (!child)
		_exit(t_hot(50) == expected ? 2 : 1);
	CHECK(t_wait(child) == 2);
}

static void dumpable(void)
{
	CHECK(!prctl(PR_SET_DUMPABLE, 0));
	works();
	CHECK(prctl(PR_GET_DUMPABLE) == 0);
	CHECK(!prctl(PR_SET_DUMPABLE, 1));
	works();
}

static void name(void)
{
	char got[16];

	CHECK(!prctl(PR_SET_NAME, "renamed"));
	works();
	CHECK(!prctl(PR_GET_NAME, got) && !strcmp(got, "renamed"));
}

static void locked(void)
{
	if (mlockall(MCL_CURRENT) && (errno == EPERM || errno == ENOMEM || errno == EAGAIN))
		return;
	works();
	CHECK(!munlockall());
}

static void drop(void)
{
	if (getuid() != 0)
		return;
	CHECK(!setgroups(0, NULL) && !setresgid(65534, 65534, 65534));
	CHECK(!setresuid(65534, 65534, 65534));
	CHECK(getuid() == 65534 && setuid(0) == -1 && errno == EPERM);
	works();
	CHECK(prctl(PR_GET_DUMPABLE) == 0 || prctl(PR_GET_DUMPABLE) == 1);
}

static void root(void)
{
	if (getuid() != 0)
		return;
	CHECK(!chroot(".") && !chdir("/"));
	works();
	CHECK(access("/lib1.so", R_OK) == 0 && access("/proc/self", F_OK) == -1);
}

static void namespaces(void)
{
	if (unshare(CLONE_NEWUSER)) {
		CHECK(errno == EPERM || errno == ENOSPC || errno == EUSERS);
		return;
	}
	works();
	CHECK(!unshare(CLONE_NEWNS) || errno == EPERM);
	works();
}

static void no_new(void)
{
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	works();
	CHECK(!prctl(PR_SET_PDEATHSIG, 9));
	works();
	CHECK((int)personality(0xffffffff) >= 0);
	CHECK(setpgid(0, 0) == 0 && getpgrp() == getpid());
	works();
}

static void session(void)
{
	pid_t before = getpid();

	CHECK(setsid() == before && getsid(0) == before && getpgrp() == before);
	umask(077);
	CHECK(nice(39) == 19); /* from wherever it begins */
	CHECK(!chdir("/"));
	CHECK(t_hot(50) == expected);
}

/* One thread asks for a priority, an affinity and a scheduler. */
static void scheduling(void)
{
	cpu_set_t all, one;

	CHECK(!sched_getaffinity(0, sizeof(all), &all));
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		CHECK(!sched_setaffinity(0, sizeof(one), &one));
		works();
	}
	CHECK(!sched_setaffinity(0, sizeof(all), &all));
	{
		struct sched_param param = { 0 };

		CHECK(!sched_setscheduler(0, SCHED_BATCH, &param));
		CHECK(sched_getscheduler(0) == SCHED_BATCH);
		works();
	}
}

int main(void)
{
	static void (*const all[])(void) = { dumpable,   name,   locked,  drop,      root,
		                             namespaces, no_new, session, scheduling };

	expected = t_hot(50);
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		pid_t child = fork();

		CHECK(child >= 0);
		if (!child) {
			all[i]();
			_exit(3);
		}
		CHECK(t_wait(child) == 3);
	}
	/* Once more in the process that dynopt started, in an order that allows it. */
	dumpable();
	name();
	locked();
	scheduling();
	namespaces();
	no_new();
	CHECK(t_threads() == 1);
	return t_ok(expected);
}
#endif
