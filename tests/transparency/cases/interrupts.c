// SPDX-License-Identifier: MIT
// System calls that a signal interrupts: EINTR without SA_RESTART, none with it, as often
// as signals are sent; short sleeps tell what is left; no signal of dynopt's own ever
// interrupts one.
#include "t_proc.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <time.h>

static volatile int n_signals;
static int pipes[2];

static void handler(int sig)
{
	(void)sig;
	n_signals++;
}

/* A child that sends N signals, one for each byte it reads. */
static pid_t sender(int n, int from)
{
	pid_t child = fork(), parent = getppid();
	char byte;

	CHECK(child >= 0);
	if (child)
		return child;
	parent = getppid();
	while (n-- && read(from, &byte, 1) == 1) {
		char path[64], state = 0;
		FILE *f;

		/* Only once the parent sleeps in its system call. */
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)parent);
		while (state != 'S') {
			f = fopen(path, "re");
			CHECK(f && fscanf(f, "%*d %*s %c", &state) == 1);
			fclose(f);
		}
		CHECK(!kill(parent, SIGUSR1));
	}
	_exit(0);
}

int main(void)
{
	struct sigaction action = { .sa_handler = handler };
	struct timespec nothing = { 0, 0 }, moment = { 0, 2000000 }, long_time = { 100, 0 }, left;
	int ask[2], epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;
	struct pollfd poll_in;
	uint64_t sum = t_hot(100);
	char byte;
	pid_t child;

	CHECK(!pipe2(pipes, O_CLOEXEC) && !pipe2(ask, O_CLOEXEC) && epoll >= 0);
	CHECK(!sigaction(SIGUSR1, &action, NULL));
	child = sender(200, ask[0]);
	poll_in.fd = pipes[0];
	poll_in.events = POLLIN;
	for (int i = 0; i < 200; i++) {
		CHECK(write(ask[1], "x", 1) == 1);
		switch (i % 5) {
		case 0:
			CHECK(read(pipes[0], &byte, 1) == -1 && errno == EINTR);
			break;
		case 1:
			CHECK(poll(&poll_in, 1, -1) == -1 && errno == EINTR);
			break;
		case 2:
			CHECK(nanosleep(&long_time, &left) == -1 && errno == EINTR);
			CHECK(left.tv_sec >= 90);
			break;
		case 3:
			CHECK(epoll_wait(epoll, &event, 1, -1) == -1 && errno == EINTR);
			break;
		case 4:
			CHECK(pause() == -1 && errno == EINTR);
			break;
		}
		CHECK(n_signals == i + 1);
		sum = t_mix(sum, t_hot(2));
	}
	CHECK(t_wait(child) == 0);
	/* Nobody sends anything: nothing is interrupted. */
	for (int i = 0; i < 50; i++) {
		CHECK(!nanosleep(&moment, NULL) && poll(&poll_in, 1, 1) == 0);
		CHECK(!clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL));
		CHECK(epoll_wait(epoll, &event, 1, 1) == 0);
		t_hot(5);
	}
	CHECK(n_signals == 200 && sigtimedwait(&(sigset_t){ 0 }, NULL, &nothing) == -1);
	return t_ok(sum);
}
