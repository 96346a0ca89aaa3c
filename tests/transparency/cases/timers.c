// SPDX-License-Identifier: MIT
// Timers of all kinds: SIGEV_THREAD, CPU-time clocks, profiling and virtual interval timers,
// alarm, timerfd. Each arrives, none of dynopt's own is seen (getitimer says zero).
#include "t_proc.h"
#include <signal.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

static volatile int n_thread, n_signals[65];

static void in_thread(union sigval value)
{
	CHECK(value.sival_int == 7);
	t_hot(2);
	__atomic_add_fetch(&n_thread, 1, __ATOMIC_SEQ_CST);
}

static void handler(int sig)
{
	n_signals[sig]++;
}

static void none_running(void)
{
	static const int which[] = { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF };
	struct itimerval value;

	for (int i = 0; i < 3; i++) {
		CHECK(!getitimer((__itimer_which_t)which[i], &value));
		CHECK(!value.it_value.tv_sec && !value.it_value.tv_usec);
	}
}

static void interval(int which, int sig)
{
	struct itimerval every = { { 0, 1000 }, { 0, 1000 } }, never = { { 0, 0 }, { 0, 0 } };

	CHECK(signal(sig, handler) != SIG_ERR);
	CHECK(!setitimer((__itimer_which_t)which, &every, NULL));
	while (n_signals[sig] < 10)
		t_hot(20);
	CHECK(!setitimer((__itimer_which_t)which, &never, NULL));
}

static void posix(clockid_t clock)
{
	struct itimerspec every = { { 0, 2000000 }, { 0, 2000000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	timer_t timer;

	n_signals[SIGRTMIN] = 0;
	CHECK(signal(SIGRTMIN, handler) != SIG_ERR);
	CHECK(!timer_create(clock, &event, &timer) && !timer_settime(timer, 0, &every, NULL));
	while (n_signals[SIGRTMIN] < 10)
		t_hot(20);
	CHECK(!timer_delete(timer));
}

int main(void)
{
	struct itimerspec every = { { 0, 1000000 }, { 0, 1000000 } };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD };
	uint64_t sum = t_hot(20), ticks, total = 0;
	timer_t timer;
	int fd;

	none_running();
	interval(ITIMER_REAL, SIGALRM);
	interval(ITIMER_VIRTUAL, SIGVTALRM);
	interval(ITIMER_PROF, SIGPROF);
	none_running();
	posix(CLOCK_PROCESS_CPUTIME_ID);
	posix(CLOCK_THREAD_CPUTIME_ID);
	posix(CLOCK_BOOTTIME);
	event.sigev_notify_function = in_thread;
	event.sigev_value.sival_int = 7;
	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK(!timer_settime(timer, 0, &every, NULL));
	while (__atomic_load_n(&n_thread, __ATOMIC_SEQ_CST) < 50)
		CHECK(t_hot(20) == sum);
	CHECK(!timer_delete(timer));
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	CHECK(fd >= 0 && !timerfd_settime(fd, 0, &every, NULL));
	while (total < 20) {
		CHECK(read(fd, &ticks, sizeof(ticks)) == sizeof(ticks));
		total += ticks;
	}
	CHECK(alarm(100) == 0 && alarm(0) > 90);
	return t_ok(sum);
}
