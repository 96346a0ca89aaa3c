/* SPDX-License-Identifier: MIT */
/*
 * daemon_client.c - see daemon_client.h. A socket that is not root's is nobody's daemon.
 */
#include "daemon_client.h"
#include "daemon_protocol.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

char *daemon_path(const char *name)
{
	const char *folder = getenv("DYNOPT_RUN_DIR");

	return base_printf("%s/%s", folder && *folder ? folder : DAEMON_FOLDER, name);
}

static int fail(char **error, int fd, const char *what)
{
	*error = base_printf("dynoptd: %s", what);
	if (fd >= 0)
		close(fd);
	return -1;
}

static int open_connection(char **error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct ucred who;
	socklen_t size = sizeof(who);
	char *path = daemon_path(DAEMON_SOCKET);
	bool fits = strlen(path) < sizeof(address.sun_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fits)
		strcpy(address.sun_path, path);
	free(path);
	if (!fits || fd < 0)
		return fail(error, fd, fits ? strerror(errno) : "its socket's name is too long");
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return fail(error, fd,
		            errno == ENOENT || errno == ECONNREFUSED ? "it does not run"
		                                                     : strerror(errno));
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0 || who.uid != 0)
		return fail(error, fd, "what listens at its socket is not root's");
	return fd;
}

static bool send_line(int fd, const char *line)
{
	char *whole = base_printf("%s\n", line);
	size_t n = strlen(whole);
	bool sent = send(fd, whole, n, MSG_NOSIGNAL) == (ssize_t)n;

	free(whole);
	return sent;
}

/* The line without its end; false: the other side is gone. */
static bool read_line(int fd, char *line, size_t size)
{
	size_t n = 0;

	while (n + 1 < size) {
		ssize_t got = read(fd, line + n, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		if (line[n] == '\n') {
			line[n] = 0;
			return true;
		}
		n++;
	}
	return false;
}

enum daemon_answer daemon_ask(const char *line, int *connection, char **error)
{
	static const char refused[] = "error ";
	char text[1024] = "";
	int fd = open_connection(error);

	if (fd < 0)
		return DAEMON_ABSENT;
	if (!send_line(fd, line) || !read_line(fd, text, sizeof(text))) {
		fail(error, fd, "it does not answer");
		return DAEMON_ABSENT;
	}
	if (strcmp(text, "ok") == 0 && connection) {
		*connection = fd;
		return DAEMON_OK;
	}
	close(fd);
	if (strcmp(text, "ok") == 0)
		return DAEMON_OK;
	*error = base_printf("%s", strncmp(text, refused, sizeof(refused) - 1) == 0
	                                   ? text + sizeof(refused) - 1
	                                   : text);
	return DAEMON_REFUSED;
}
