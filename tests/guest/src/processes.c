// SPDX-License-Identifier: MIT
/*
 * processes.c - children that answer, and processes under load; see guest.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest.h"

/* Descriptors of the device, above all: they hold the module. */
static void close_but(int a, int b)
{
	int fd;

	for (fd = 3; fd < 256; fd++)
		if (fd != a && fd != b)
			close(fd);
}

static _Noreturn void serve(int from, int to, answer_fn answer)
{
	uint8_t *lib = lib_map(LIB);
	unsigned char letter;
	long value = 0;

	check(write(to, &value, sizeof(value)) == sizeof(value));
	while (read(from, &letter, 1) == 1) {
		if (letter == 'x')
			_exit(0);
		value = answer(letter, lib);
		check(write(to, &value, sizeof(value)) == sizeof(value));
	}
	_exit(0);
}

void become(uid_t user, gid_t group)
{
	check(setgroups(0, NULL) == 0 && setresgid(group, group, group) == 0 &&
	      setresuid(user, user, user) == 0);
}

void until_waiting(pid_t pid)
{
	char path[64], *stat;
	bool waiting = false;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	while (!waiting) {
		stat = slurp(path, NULL);
		waiting = strstr(stat, ") D ") != NULL;
		check(strstr(stat, ") Z ") == NULL);
		free(stat);
		sched_yield();
	}
}

struct run run_start(const char *path, const char *program)
{
	return run_start_as(path, program, 0);
}

struct run run_start_as(const char *path, const char *program, uid_t user)
{
	int ask[2], reply[2];
	struct run run;

	check(pipe2(ask, O_CLOEXEC) == 0 && pipe2(reply, O_CLOEXEC) == 0);
	run.pid = fork();
	check(run.pid >= 0);
	if (!run.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		check(dup2(ask[0], RUN_ASK) == RUN_ASK && dup2(reply[1], RUN_REPLY) == RUN_REPLY);
		if (user)
			become(user, user);
		execl(path, program, "run", NULL);
		_exit(98);
	}
	close(ask[0]);
	close(reply[1]);
	run.ask = ask[1];
	run.reply = reply[0];
	return run;
}

void run_end(struct run *run)
{
	close(run->ask);
	close(run->reply);
	wait_ok(run->pid);
}

struct child child_start(answer_fn answer)
{
	struct child child;
	int ask[2], reply[2];
	long ready;

	check(pipe(ask) == 0 && pipe(reply) == 0);
	child.pid = fork();
	check(child.pid >= 0);
	if (!child.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close_but(ask[0], reply[1]);
		serve(ask[0], reply[1], answer);
	}
	close(ask[0]);
	close(reply[1]);
	child.ask = ask[1];
	child.reply = reply[0];
	check(read(child.reply, &ready, sizeof(ready)) == sizeof(ready));
	return child;
}

long child_ask(const struct child *child, int letter)
{
	unsigned char c = letter;
	long value;

	check(write(child->ask, &c, 1) == 1);
	errno = 0;
	check(read(child->reply, &value, sizeof(value)) == sizeof(value));
	return value;
}

void wait_ok(pid_t pid)
{
	int status;

	check(waitpid(pid, &status, 0) == pid);
	check_is(status, 0);
}

static void child_close(struct child *child)
{
	close(child->ask);
	close(child->reply);
}

void child_end(struct child *child)
{
	check(write(child->ask, "x", 1) == 1);
	wait_ok(child->pid);
	child_close(child);
}

void child_kill(struct child *child)
{
	int status;

	check(kill(child->pid, SIGKILL) == 0);
	check(waitpid(child->pid, &status, 0) == child->pid);
	child_close(child);
}

#define THREADS_MAX 4
#define PROCESSES_MAX 8

/* In memory that all processes of the load share; a line of its own for each thread. */
struct load {
	volatile int stop;
	int n_processes, n_threads;
	pid_t pids[PROCESSES_MAX];
	struct {
		volatile uint64_t calls, wrong;
		char pad[48];
	} threads[PROCESSES_MAX][THREADS_MAX];
};

struct worker {
	struct load *load;
	const uint8_t *lib;
	int process, thread;
};

static void *work(void *context)
{
	static const struct site *const sites[] = { &site_one, &site_cross, &site_two, &site_four };
	const struct worker *worker = context;
	struct load *load = worker->load;
	unsigned int i, n;

	for (n = worker->thread; !load->stop; n++) {
		const struct site *site = sites[n % 4];

		for (i = 0; i < (site->pauses ? 1 : 32); i++) {
			int value = lib_call(worker->lib, site);

			if (value != site->plain && value != site->patched)
				load->threads[worker->process][worker->thread].wrong++;
		}
		load->threads[worker->process][worker->thread].calls += i;
		/* Gives up the emulated processor where one runs at a time. */
		__builtin_ia32_pause();
	}
	return NULL;
}

static _Noreturn void work_in_process(struct load *load, const uint8_t *lib, int process)
{
	struct worker workers[THREADS_MAX];
	pthread_t threads[THREADS_MAX];
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close_but(-1, -1);
	for (i = 0; i < load->n_threads; i++) {
		workers[i] = (struct worker){ load, lib, process, i };
		check_is(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (i = 0; i < load->n_threads; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}

struct load *load_start(const uint8_t *lib, int n_processes, int n_threads, bool register_them,
                        int device)
{
	struct load *load = mmap(NULL, sizeof(*load), PROT_READ | PROT_WRITE,
	                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int i;

	check(load != MAP_FAILED);
	load->n_processes = n_processes;
	load->n_threads = n_threads;
	for (i = 0; i < n_processes; i++) {
		pid_t pid = fork(); /* not into shared memory: the child would write its 0 there */

		check(pid >= 0);
		if (!pid)
			work_in_process(load, lib, i);
		load->pids[i] = pid;
		if (register_them)
			check_is(call_register(device, load->pids[i]), DYNOPT_KMOD_OK);
	}
	return load;
}

pid_t load_pid(const struct load *load, int process)
{
	return load->pids[process];
}

void load_pass(const struct load *load, uint64_t more)
{
	uint64_t before[PROCESSES_MAX][THREADS_MAX];
	int i, j, status;

	for (i = 0; i < load->n_processes; i++)
		for (j = 0; j < load->n_threads; j++)
			before[i][j] = load->threads[i][j].calls;
	for (i = 0; i < load->n_processes; i++) {
		for (j = 0; j < load->n_threads; j++) {
			while (load->threads[i][j].calls - before[i][j] < more) {
				check_is(waitpid(load->pids[i], &status, WNOHANG), 0);
				sched_yield();
			}
		}
	}
}

uint64_t load_stop(struct load *load)
{
	uint64_t calls = 0;
	int i, j;

	load->stop = 1;
	for (i = 0; i < load->n_processes; i++)
		wait_ok(load->pids[i]);
	for (i = 0; i < load->n_processes; i++) {
		for (j = 0; j < load->n_threads; j++) {
			check_is(load->threads[i][j].wrong, 0);
			check(load->threads[i][j].calls > 0);
			calls += load->threads[i][j].calls;
		}
	}
	munmap(load, sizeof(*load));
	return calls;
}

struct spinner {
	volatile int stop;
	volatile uint64_t calls;
	pid_t pid;
};

/* Or what has real-time priority would be stopped for a twentieth of the time, with a warning. */
static void set_throttling(const char *text)
{
	int fd = open("/proc/sys/kernel/sched_rt_runtime_us", O_WRONLY | O_CLOEXEC);

	check(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void run_on(bool first, bool second)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	if (first)
		CPU_SET(0, &cpus);
	if (second)
		CPU_SET(1, &cpus);
	check(sched_setaffinity(0, sizeof(cpus), &cpus) == 0);
}

static _Noreturn void spin(struct spinner *spinner, const uint8_t *lib)
{
	struct sched_param priority = { .sched_priority = 1 };

	run_on(false, true);
	check(sched_setscheduler(0, SCHED_FIFO, &priority) == 0);
	while (!spinner->stop) {
		int one = lib_call(lib, &site_one), cross = lib_call(lib, &site_cross);

		check(one == site_one.plain || one == site_one.patched);
		check(cross == site_cross.plain || cross == site_cross.patched);
		spinner->calls++;
		__builtin_ia32_pause();
	}
	_exit(0);
}

struct spinner *spinner_start(const uint8_t *lib)
{
	struct spinner *spinner = mmap(NULL, sizeof(*spinner), PROT_READ | PROT_WRITE,
	                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	check(spinner != MAP_FAILED);
	set_throttling("-1");
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close_but(-1, -1);
		spin(spinner, lib);
	}
	spinner->pid = pid;
	/* Who waits for that processor may do so for long, until the kernel thinks of the other one. */
	run_on(true, false);
	return spinner;
}

uint64_t spinner_stop(struct spinner *spinner)
{
	uint64_t calls;

	spinner->stop = 1;
	wait_ok(spinner->pid);
	set_throttling("950000");
	run_on(true, true);
	calls = spinner->calls;
	munmap(spinner, sizeof(*spinner));
	return calls;
}
