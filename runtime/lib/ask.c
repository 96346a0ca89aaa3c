/* SPDX-License-Identifier: MIT */
/*
 * ask.c - see ask.h. Policy files are read with a library that needs libc, so in a process of its own: dynopt-policy, beside libdynopt.so.
 *
 * It is made without libc, and gone before the program could see a child: it is waited for, and the SIGCHLD that it leaves is taken back. All
 * signals are blocked while both share the memory. It gets nothing of the program's but its environment's words on where the user's files are.
 */
#include "ask.h"

#include "sys.h"
#include "world.h"

#include <fcntl.h>
#include <link.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#define STACK_BYTES (64u << 10)
#define ANSWER_BYTES 16384
#define WORDS 32
#define KERNEL_SIGSET_BYTES 8

static const char helper_name[] = "dynopt-policy";

static struct {
	char path[WORLD_PATH_MAX + sizeof(helper_name)];
	char program[OPTION_PATH_MAX];
	char *argv[3];
	char *environment[WORDS + 2];
	int pipe[2];
	u64 signals;
	char answer[ANSWER_BYTES];
} ask;

static bool begins(const char *text, const char *with)
{
	while (*with && *text == *with)
		text++, with++;
	return !*with;
}

/* The folder of this library, with the helper's name. */
static int find_helper(struct dl_phdr_info *info, size_t size, void *data)
{
	u64 here = (u64)(uintptr_t)&ask - info->dlpi_addr, n = 0, slash = 0;

	(void)size;
	(void)data;
	for (u32 i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || here < p->p_vaddr || here - p->p_vaddr >= p->p_memsz)
			continue;
		for (; n < WORLD_PATH_MAX && info->dlpi_name[n]; n++) {
			ask.path[n] = info->dlpi_name[n];
			if (ask.path[n] == '/')
				slash = n + 1;
		}
		memcpy(ask.path + slash, helper_name, sizeof(helper_name));
		return 1;
	}
	return 0;
}

/* An empty DYNOPT_OPTIONS keeps a library that is loaded everywhere from asking for the helper, too. */
static void choose_environment(char **environment)
{
	static char none[] = "DYNOPT_OPTIONS=";
	u32 n = 0;

	ask.environment[n++] = none;
	for (; *environment && n <= WORDS; environment++)
		if (begins(*environment, "HOME=") || begins(*environment, "XDG_") ||
		    (begins(*environment, "DYNOPT_") && !begins(*environment, none)))
			ask.environment[n++] = *environment;
}

static void helper_main(void)
{
	long null;

	sys6(SYS_dup2, ask.pipe[1], 1, 0, 0, 0, 0);
	sys6(SYS_fcntl, 1, F_SETFD, 0, 0, 0, 0);
	null = sys_open("/dev/null", O_RDWR, 0);
	sys6(SYS_dup2, null, 0, 0, 0, 0, 0);
	sys6(SYS_dup2, null, 2, 0, 0, 0, 0);
	sys6(SYS_close_range, 3, 0xffffffffl, 0, 0, 0, 0);
	sys6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&ask.signals, 0, KERNEL_SIGSET_BYTES, 0, 0);
	sys6(SYS_execve, (long)ask.path, (long)ask.argv, (long)ask.environment, 0, 0, 0);
	for (;;)
		sys6(SYS_exit, 127, 0, 0, 0, 0, 0);
}

/* Everything up to the end; more than there is room for is no answer. */
static void read_answer(void)
{
	u64 n = 0;
	long got = 1;

	while (got > 0 && n < ANSWER_BYTES) {
		got = sys_read(ask.pipe[0], ask.answer + n, ANSWER_BYTES - n);
		n += got > 0 ? (u64)got : 0;
	}
	ask.answer[n < ANSWER_BYTES ? n : 0] = 0;
}

static bool child_ended(void)
{
	u64 pending = 0;

	sys6(SYS_rt_sigpending, (long)&pending, KERNEL_SIGSET_BYTES, 0, 0, 0, 0);
	return pending >> (SIGCHLD - 1) & 1;
}

/* The signal that says so, unless it was there before. */
static void forget_child(void)
{
	u64 set = 1ull << (SIGCHLD - 1);
	struct timespec none = { 0, 0 };

	sys6(SYS_rt_sigtimedwait, (long)&set, 0, (long)&none, KERNEL_SIGSET_BYTES, 0, 0);
}

static void run_helper(void)
{
	u64 all = ~0ull;
	bool another;
	long stack = sys_mmap(0, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	                      -1, 0);
	long pid;

	if (sys_failed(stack))
		return;
	sys6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&ask.signals, KERNEL_SIGSET_BYTES,
	     0, 0);
	another = child_ended();
	pid = sys_clone_to(helper_main, (u64)stack + STACK_BYTES - 64,
	                   CLONE_VM | CLONE_VFORK | CLONE_UNTRACED, NULL);
	sys_close(ask.pipe[1]);
	if (!sys_failed(pid)) {
		read_answer();
		sys6(SYS_wait4, pid, 0, (long)__WALL, 0, 0, 0); /* exec gave it an exit signal */
		if (!another)
			forget_child();
	}
	sys6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&ask.signals, 0, KERNEL_SIGSET_BYTES, 0, 0);
	sys_close(ask.pipe[0]);
	sys_munmap((u64)stack, STACK_BYTES);
}

const char *ask_policy(char **environment)
{
	long n = sys6(SYS_readlink, (long)"/proc/self/exe", (long)ask.program,
	              sizeof(ask.program) - 1, 0, 0, 0);

	if (sys_failed(n) || !dl_iterate_phdr(find_helper, NULL) ||
	    sys6(SYS_pipe2, (long)ask.pipe, O_CLOEXEC, 0, 0, 0, 0) != 0)
		return ask.answer;
	ask.program[n] = 0;
	ask.argv[0] = ask.path;
	ask.argv[1] = ask.program;
	choose_environment(environment);
	run_helper();
	return ask.answer;
}
