/* SPDX-License-Identifier: MIT */
/*
 * top_screen.c - see top_screen.h. Whatever happens the terminal is left as it was found.
 */
#include "top_screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static struct termios usual;
static bool is_terminal, has_keys;
static volatile sig_atomic_t ended;

static void end(int sig)
{
	(void)sig;
	ended = 1;
}

void screen_begin(void)
{
	struct sigaction action = { .sa_handler = end };
	struct termios raw;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	is_terminal = isatty(STDOUT_FILENO);
	has_keys = is_terminal && isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &usual) == 0;
	if (!has_keys)
		return;
	raw = usual;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	has_keys = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

void screen_end(void)
{
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &usual);
	has_keys = false;
}

void screen_size(unsigned *lines, unsigned *columns)
{
	struct winsize size;

	*lines = *columns = 0;
	if (is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
		*lines = size.ws_row;
		*columns = size.ws_col;
	}
}

void screen_clear(void)
{
	if (is_terminal)
		fputs("\033[H\033[J", stdout); /* ECMA-48: cursor home, erase to the end */
}

static u64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000 + (u64)now.tv_nsec / 1000000;
}

/* A key that means to quit. */
static bool quits(void)
{
	char key;

	return read(STDIN_FILENO, &key, 1) == 1 && (key == 'q' || key == 'Q');
}

bool screen_wait(unsigned ms)
{
	struct pollfd keys = { .fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN };
	u64 until = now_ms() + ms, now;

	if (fflush(stdout) != 0 || ferror(stdout))
		return false;
	while (!ended && (now = now_ms()) < until) {
		int n = poll(&keys, 1, (int)(until - now));

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0 && quits())
			return false;
		if (n > 0 && (keys.revents & (POLLHUP | POLLERR | POLLNVAL)))
			keys.fd = -1;
	}
	return !ended;
}
