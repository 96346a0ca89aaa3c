// SPDX-License-Identifier: MIT
// A server with prefork workers: requests through a socket, answers from hot code, workers
// that are killed in the middle of it and made anew, and a SIGCHLD handler that counts
// exactly the workers that ended.
#include "t_proc.h"
#include <signal.h>
#include <sys/socket.h>

enum { N_WORKERS = 4, N_REQUESTS = 2000 };

static volatile int n_reaped, n_killed;

static void reap(int sig)
{
	int status, saved = errno;
	pid_t child;

	(void)sig;
	while ((child = waitpid(-1, &status, WNOHANG)) > 0) {
		n_reaped++;
		n_killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	}
	errno = saved;
}

static pid_t start(int sockets[2])
{
	pid_t worker = fork();

	CHECK(worker >= 0);
	if (worker)
		return worker;
	close(sockets[0]);
	for (;;) {
		uint64_t words[2];
		ssize_t got = recv(sockets[1], words, sizeof(words), 0);

		if (got == 0)
			_exit(0);
		CHECK(got == sizeof(words));
		words[1] = t_hot_from(words[0], 5);
		CHECK(send(sockets[1], words, sizeof(words), 0) == sizeof(words));
	}
}

int main(void)
{
	int pairs[N_WORKERS][2];
	pid_t workers[N_WORKERS];
	int n_replaced = 0;
	sigset_t chld, old;
	struct sigaction action = { .sa_handler = reap, .sa_flags = SA_RESTART };
	uint64_t sum = 0;

	CHECK(!sigaction(SIGCHLD, &action, NULL));
	for (int i = 0; i < N_WORKERS; i++) {
		CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pairs[i]));
		workers[i] = start(pairs[i]);
	}
	for (unsigned n = 0; n < N_REQUESTS; n++) {
		unsigned to = n % N_WORKERS;
		uint64_t words[2] = { sum + n, 0 };

		CHECK(send(pairs[to][0], words, sizeof(words), 0) == sizeof(words));
		if (n % 100 == 99) { /* while it works; another one answers */
			CHECK(!kill(workers[to], SIGKILL));
			workers[to] = start(pairs[to]);
			n_replaced++;
			while (n_reaped < n_replaced) {
				sigemptyset(&chld);
				sigaddset(&chld, SIGCHLD);
				CHECK(!sigprocmask(SIG_BLOCK, &chld, &old));
				if (n_reaped < n_replaced)
					sigsuspend(&old);
				CHECK(!sigprocmask(SIG_SETMASK, &old, NULL));
			}
			/* The killed one may or may not have taken the request. */
			if (recv(pairs[to][0], words, sizeof(words), MSG_DONTWAIT) < 0) {
				CHECK(send(pairs[to][0], words, sizeof(words), 0) > 0);
				CHECK(recv(pairs[to][0], words, sizeof(words), 0) > 0);
			}
			while (recv(pairs[to][0], words, sizeof(words), MSG_DONTWAIT) > 0)
				;
			continue;
		}
		CHECK(recv(pairs[to][0], words, sizeof(words), 0) == sizeof(words));
		if (words[0] != sum + n) /* a late answer of a killed one's request */
			CHECK(recv(pairs[to][0], words, sizeof(words), 0) == sizeof(words));
		CHECK(words[0] == sum + n && words[1] == t_hot_from(sum + n, 5));
		sum = t_mix(sum, words[1]);
	}
	CHECK(n_reaped == N_REQUESTS / 100 && n_killed == n_reaped);
	CHECK(!sigprocmask(SIG_BLOCK, NULL, &old));
	signal(SIGCHLD, SIG_DFL);
	for (int i = 0; i < N_WORKERS; i++)
		CHECK(!shutdown(pairs[i][0], SHUT_RDWR) && !close(pairs[i][0]));
	for (int i = 0; i < N_WORKERS; i++)
		close(pairs[i][1]);
	for (int i = 0; i < N_WORKERS; i++) {
		int status;

		CHECK(waitpid(workers[i], &status, 0) == workers[i]);
	}
	t_no_children();
	return t_ok(sum);
}
