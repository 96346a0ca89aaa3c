/* SPDX-License-Identifier: MIT */
/*
 * socket.c - see socket.h.
 *
 * Nobody who is slow, or says nothing, holds up others: a line is waited for by poll(), and CONNECTIONS_MOST wait at a time.
 */
#include "socket.h"
#include "daemon_protocol.h"
#include "serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS_MOST 256
#define IDLE_MS 1000

struct connection {
	int fd;
	struct ucred who;
	bool runs; /* it was told "ok", and is to be attached when it is closed */
	struct attach attach;
	size_t n;
	char line[DAEMON_LINE_MAX];
};

static struct connection connections[CONNECTIONS_MOST];
static size_t n_connections;

void answer(int connection, const char *error)
{
	char *line;

	if (connection < 0)
		return;
	line = error ? base_printf("error %s\n", error) : base_printf("ok\n");
	send(connection, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(connection);
	free(line);
}

/* Under another name first: who finds the socket finds somebody who listens. */
int socket_listen(const char *path, gid_t group)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool done;

	if (strlen(path) + 1 >= sizeof(address.sun_path)) {
		base_complain(path, "the name is too long for a socket");
		return -1;
	}
	snprintf(address.sun_path, sizeof(address.sun_path), "%s~", path);
	unlink(address.sun_path);
	done = listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	       chown(address.sun_path, (uid_t)-1, group) == 0 &&
	       chmod(address.sun_path, 0660) == 0 && listen(listener, 64) == 0 &&
	       rename(address.sun_path, path) == 0;
	if (done)
		return listener;
	base_complain(path, "%s", strerror(errno));
	if (listener >= 0)
		close(listener);
	return -1;
}

/* ---- lines ---- */

static bool read_pid(const char *word, pid_t *pid)
{
	char *end;
	unsigned long value = word ? strtoul(word, &end, 10) : 0;

	if (!word || word[0] < '1' || word[0] > '9' || *end || value > INT32_MAX)
		return false;
	*pid = (pid_t)value;
	return true;
}

static bool read_mode(char **rest, struct attach *attach)
{
	const char *word;

	*attach = (struct attach){ ATTACH_SAMPLE, false, false };
	while ((word = strtok_r(NULL, " ", rest))) {
		if (strcmp(word, "eager") == 0)
			attach->mode = ATTACH_EAGER;
		else if (strcmp(word, "all") == 0)
			attach->all = true;
		else
			return false;
	}
	return true;
}

/* Takes the connection's file, unless it goes on waiting. */
static void obey(struct connection *c)
{
	static const char not_understood[] = "not understood: this daemon is of another version";
	char *rest = NULL, *verb = strtok_r(c->line, " ", &rest);
	struct attach attach;
	pid_t pid;
	int fd = c->fd;

	if (verb && strcmp(verb, "run") == 0 && read_mode(&rest, &c->attach)) {
		c->runs = send(fd, "ok\n", 3, MSG_NOSIGNAL | MSG_DONTWAIT) == 3;
		if (c->runs)
			return;
		close(fd);
	} else if (verb && strcmp(verb, "hello") == 0 && !strtok_r(NULL, " ", &rest)) {
		answer(fd, NULL);
	} else if (!verb || !read_pid(strtok_r(NULL, " ", &rest), &pid)) {
		answer(fd, not_understood);
	} else if (strcmp(verb, "attach") == 0 && read_mode(&rest, &attach)) {
		serve_attach(pid, &attach, c->who.uid, fd);
	} else if (strcmp(verb, "detach") == 0 && !strtok_r(NULL, " ", &rest)) {
		serve_detach(pid, c->who.uid, fd);
	} else if (strcmp(verb, "report") == 0 && !strtok_r(NULL, " ", &rest)) {
		serve_report(pid, c->who.uid, fd);
	} else {
		answer(fd, not_understood);
	}
	c->fd = -1;
}

/* What came; fd is -1 afterwards where that is the end of it. */
static void hear(struct connection *c)
{
	ssize_t n = recv(c->fd, c->line + c->n, sizeof(c->line) - 1 - c->n, MSG_DONTWAIT);
	char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || c->runs) {
		close(c->fd);
		c->fd = -1;
		if (n == 0 && c->runs)
			serve_attach(c->who.pid, &c->attach, c->who.uid, -1);
		return;
	}
	c->n += (size_t)n;
	c->line[c->n] = 0;
	end = memchr(c->line, '\n', c->n);
	if (end) {
		*end = 0;
		obey(c);
	} else if (c->n == sizeof(c->line) - 1) {
		answer(c->fd, "the line is too long");
		c->fd = -1;
	}
}

static void welcome(int listener)
{
	struct connection c = { .fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) };
	socklen_t size = sizeof(c.who);

	if (c.fd < 0)
		return;
	if (getsockopt(c.fd, SOL_SOCKET, SO_PEERCRED, &c.who, &size) != 0 || c.who.pid <= 0)
		answer(c.fd, "it is not known who asks");
	else if (n_connections == CONNECTIONS_MOST)
		answer(c.fd, "too many ask at once: try again");
	else
		connections[n_connections++] = c;
}

static void forget_closed(void)
{
	size_t n = 0;

	for (size_t i = 0; i < n_connections; i++)
		if (connections[i].fd >= 0)
			connections[n++] = connections[i];
	n_connections = n;
}

void socket_serve(int listener, int signals, void (*idle)(void))
{
	struct pollfd all[CONNECTIONS_MOST + 2];
	u64 idle_at = 0;

	for (;;) {
		size_t n = n_connections;

		all[0] = (struct pollfd){ signals, POLLIN, 0 };
		all[1] = (struct pollfd){ listener, POLLIN, 0 };
		for (size_t i = 0; i < n; i++)
			all[i + 2] = (struct pollfd){ connections[i].fd, POLLIN, 0 };
		if (poll(all, n + 2, IDLE_MS) < 0 && errno != EINTR)
			return;
		if (all[0].revents)
			return;
		for (size_t i = 0; i < n; i++)
			if (all[i + 2].revents)
				hear(&connections[i]);
		if (all[1].revents)
			welcome(listener);
		forget_closed();
		if (now_ns() - idle_at >= IDLE_MS * 1000000ull) {
			idle_at = now_ns();
			idle();
		}
	}
}
