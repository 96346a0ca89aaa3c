// SPDX-License-Identifier: MIT
// Signals and threads: sigaction from several threads at once, each on its own signal;
// directed signals arrive in the thread they are for, as often as sent; sigwait,
// sigtimedwait, signalfd and queued values; handlers count exactly.
#include "t_text.h"
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <ucontext.h>

enum { N_THREADS = 4, N_ROUNDS = 300, N_SENT = 200 };

static volatile int counts[65];
static __thread volatile int mine;
static sem_t arrived[N_THREADS], begin, go;
static volatile int stop;

static void count(int sig)
{
	counts[sig]++;
}

static void count_info(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;

	CHECK(info->si_signo == sig);
	CHECK(t_text_original((uintptr_t)uc->uc_mcontext.gregs[REG_RIP]));
	counts[sig]++;
}

static void *setting(void *number)
{
	int sig = SIGRTMIN + (int)(intptr_t)number;

	for (int i = 0; i < N_ROUNDS; i++) {
		struct sigaction set, got;

		memset(&set, 0, sizeof(set));
		if (i & 1) {
			set.sa_sigaction = count_info;
			set.sa_flags = SA_SIGINFO;
		} else {
			set.sa_handler = count;
		}
		CHECK(!sigaction(sig, &set, NULL));
		CHECK(!pthread_kill(pthread_self(), sig));
		CHECK(counts[sig] == i + 1);
		t_hot(3);
		CHECK(!sigaction(sig, NULL, &got) && got.sa_sigaction == set.sa_sigaction);
	}
	return NULL;
}

static void directed(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	mine++;
	CHECK(!sem_post(&arrived[info->si_value.sival_int]));
}

static void *hot_thread(void *sum)
{
	while (!stop)
		CHECK(t_hot(40) == *(uint64_t *)sum);
	return (void *)(intptr_t)mine;
}

static void direct(uint64_t sum)
{
	struct sigaction set = { .sa_sigaction = directed, .sa_flags = SA_SIGINFO };
	pthread_t threads[N_THREADS];
	int sig = SIGRTMIN + 10;

	CHECK(!sigaction(sig, &set, NULL));
	for (int i = 0; i < N_THREADS; i++) {
		CHECK(!sem_init(&arrived[i], 0, 0));
		CHECK(!pthread_create(&threads[i], NULL, hot_thread, &sum));
	}
	for (int n = 0; n < N_SENT; n++) {
		for (int i = 0; i < N_THREADS; i++) {
			union sigval value = { .sival_int = i };

			CHECK(!pthread_sigqueue(threads[i], sig, value));
		}
		for (int i = 0; i < N_THREADS; i++)
			while (sem_wait(&arrived[i]))
				CHECK(errno == EINTR);
	}
	stop = 1;
	for (int i = 0; i < N_THREADS; i++) {
		void *seen;

		CHECK(!pthread_join(threads[i], &seen) && (intptr_t)seen == N_SENT);
	}
}

static void *waiting(void *set)
{
	int got = 0, sum = 0;

	CHECK(!sem_post(&begin));
	for (int i = 0; i < N_SENT; i++) {
		CHECK(!sigwait(set, &got));
		sum += got == SIGUSR1;
		CHECK(!sem_post(&go));
	}
	return (void *)(intptr_t)sum;
}

static void waits(void)
{
	struct timespec nothing = { 0, 0 };
	struct signalfd_siginfo read_info;
	pthread_t thread;
	siginfo_t info;
	sigset_t set;
	void *seen;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMAX);
	CHECK(!pthread_sigmask(SIG_BLOCK, &set, NULL));
	CHECK(!sem_init(&begin, 0, 0) && !sem_init(&go, 0, 0));
	CHECK(!pthread_create(&thread, NULL, waiting, &set));
	CHECK(!sem_wait(&begin));
	for (int i = 0; i < N_SENT; i++) {
		CHECK(!kill(getpid(), SIGUSR1));
		t_hot(5);
		CHECK(!sem_wait(&go));
	}
	CHECK(!pthread_join(thread, &seen) && (intptr_t)seen == N_SENT);
	CHECK(sigtimedwait(&set, &info, &nothing) == -1 && errno == EAGAIN);
	for (int i = 0; i < 20; i++) {
		union sigval value = { .sival_int = i };

		CHECK(!sigqueue(getpid(), SIGRTMAX, value));
	}
	for (int i = 0; i < 10; i++)
		CHECK(sigwaitinfo(&set, &info) == SIGRTMAX && info.si_value.sival_int == i);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	CHECK(fd >= 0);
	for (int i = 10; i < 20; i++) {
		CHECK(read(fd, &read_info, sizeof(read_info)) == sizeof(read_info));
		CHECK((int)read_info.ssi_signo == SIGRTMAX && read_info.ssi_int == i);
	}
	close(fd);
}

int main(void)
{
	uint64_t sum = t_hot(40);
	pthread_t threads[N_THREADS];

	t_text_read();
	for (intptr_t i = 0; i < N_THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, setting, (void *)i));
	for (int i = 0; i < N_THREADS; i++) {
		CHECK(!pthread_join(threads[i], NULL));
		CHECK(counts[SIGRTMIN + i] == N_ROUNDS);
	}
	direct(sum);
	waits();
	return t_ok(t_hot(100));
}
