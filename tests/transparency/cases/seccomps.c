// SPDX-License-Identifier: MIT
// Filters that kill the program at any system call but a few: strict mode, a short list,
// and a list put on all threads at once (TSYNC). Nothing that dynopt does may be a system
// call of the program's own threads.
#include "t_proc.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

static volatile int n_signals;
static volatile uint64_t sum;

static void handler(int sig)
{
	(void)sig;
	n_signals++;
}

#define ALLOW(nr) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##nr, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static int install(unsigned flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(write),
		ALLOW(exit),
		ALLOW(exit_group),
		ALLOW(rt_sigreturn),
		ALLOW(futex),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static T_NOINLINE void quiet_work(void)
{
	uint64_t now = 1;

	for (unsigned i = 0; i < 20000; i++) {
		now = t_switch(now, (unsigned)(now >> 3 ^ i) & 7);
		now = t_depth(now, i & 7);
		if ((i & 255) == 0)
			now = t_mix(now, (uint64_t)t_float(now, 5));
	}
	CHECK(!sum || now == sum);
	sum = now;
}

/* In a child: the filter cannot be taken off again. */
static void child(void (*body)(void), int code)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (!pid) {
		body();
		syscall(SYS_exit, code);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	if (code == -1) {
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
		return;
	}
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == code);
}

static void strict(void)
{
	CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	for (int i = 0; i < 10; i++)
		quiet_work();
	if (write(1, "strict\n", 7) != 7)
		syscall(SYS_exit, 1);
}

static void filtered(void)
{
	CHECK(!install(0));
	for (int i = 0; i < 10; i++)
		quiet_work();
	if (write(1, "filtered\n", 9) != 9)
		syscall(SYS_exit, 1);
}

/* A signal handler under the filter, from a timer made before. */
static void with_signals(void)
{
	struct itimerspec every = { { 0, 500000 }, { 0, 500000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	timer_t timer;

	CHECK(signal(SIGUSR1, handler) != SIG_ERR);
	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK(!timer_settime(timer, 0, &every, NULL));
	CHECK(!install(0));
	while (n_signals < 50)
		quiet_work();
	if (write(1, "signals\n", 8) != 8)
		syscall(SYS_exit, 1);
}

static volatile int installed, n_started, n_done;

static void *worker(void *unused)
{
	(void)unused;
	__atomic_add_fetch(&n_started, 1, __ATOMIC_SEQ_CST);
	while (!installed)
		quiet_work();
	for (int i = 0; i < 10; i++)
		quiet_work();
	__atomic_add_fetch(&n_done, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_exit, 0);
	return NULL;
}

static void all_threads(void)
{
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		CHECK(!pthread_create(&threads[i], NULL, worker, NULL));
	while (__atomic_load_n(&n_started, __ATOMIC_SEQ_CST) < 3)
		quiet_work();
	CHECK(!install(SECCOMP_FILTER_FLAG_TSYNC));
	installed = 1;
	while (__atomic_load_n(&n_done, __ATOMIC_SEQ_CST) < 3)
		quiet_work();
	if (write(1, "threads\n", 8) != 8)
		syscall(SYS_exit_group, 1);
	syscall(SYS_exit_group, 4);
}

static void forbidden(void)
{
	CHECK(!install(0));
	quiet_work();
	syscall(SYS_getpid);
	syscall(SYS_exit, 1);
}

int main(void)
{
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	quiet_work();
	for (int i = 0; i < 5; i++) {
		child(strict, 2);
		child(filtered, 3);
		child(with_signals, 3);
		child(all_threads, 4);
		child(forbidden, -1);
	}
	filtered(); /* and the process that dynopt started */
	{
		char line[40];
		int n = snprintf(line, sizeof(line), "ok %llx\n", (unsigned long long)sum);

		syscall(SYS_exit_group, write(1, line, (size_t)n) == n ? 0 : 1);
	}
	return 0;
}
