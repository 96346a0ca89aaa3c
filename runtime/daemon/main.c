/* SPDX-License-Identifier: MIT */
/*
 * main.c - dynoptd: has what is hot in running programs translated by the kernel module, for all their processes at once.
 *
 * It may be killed at any time: programs go on with what they have, and the next one goes on from there.
 */
#include "command.h"
#include "daemon_protocol.h"
#include "kept.h"
#include "resume.h"
#include "serve.h"
#include "socket.h"
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAEMON_EXITS(X) \
	X(DONE, 0, "ended by SIGTERM or SIGINT; without --foreground: it runs now") \
	X(FAILED, 1, "it runs already, or its folder cannot be used") \
	X(USAGE, 2, "wrong usage") \
	X(NONE, 3, "there is no kernel module, or no right to use it")
enum {
#define X(name, value, text) EXIT_DAEMON_##name = value,
	DAEMON_EXITS(X)
#undef X
};

#define CHILDREN "/proc/thread-self/children" /* as process.c reads of others */
#define THREADS 4
#define THREADS_MOST 64

struct options {
	bool foreground;
	unsigned long threads;
	const char *folder;
};

enum { KEY_RUN_DIR = 256 };

static const struct argp_option option_table[] = {
	{ "foreground", 'f', NULL, 0, "stay in the foreground, for a service manager", 0 },
	{ "threads", 't', "N", 0, "workers (default: 4)", 0 },
	{ "run-dir", KEY_RUN_DIR, "DIR", 0,
	  "folder for socket, process number and status files (default: " DAEMON_FOLDER ")", 0 },
	{ 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct options *o = state->input;
	char *end;

	switch (key) {
	case 'f':
		o->foreground = true;
		return 0;
	case 't':
		o->threads = strtoul(argument, &end, 10);
		if (argument[0] < '1' || argument[0] > '9' || *end || o->threads > THREADS_MOST)
			argp_error(state, "--threads wants a number from 1 to %d, not '%s'",
			           THREADS_MOST, argument);
		return 0;
	case KEY_RUN_DIR:
		o->folder = argument;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is too much: there are no arguments", argument);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

HELP_WITH_EXITS(help, DAEMON_EXITS);

static const struct argp argp = {
	.options = option_table,
	.parser = parse,
	.help_filter = help,
	.doc = "Samples running programs by the kernel module dynopt.ko, and has it translate what is hot, for all processes of a "
	       "program at once. Nothing is loaded into them."
	       "\v"
	       "Processes are those that `dynopt attach` or `dynopt run --backend=kernel` names, and those of programs of which "
	       "/etc/dynopt.conf says `kernel = yes`; then their forked children, and what they execute. For the administrator; members of the device's group may ask for processes of their "
	       "own. What it does it says on standard error, and `dynopt status` and `report` show it.\n\n"
	       "Example:\n"
	       "  # dynoptd --foreground &\n"
	       "  # dynopt attach $(pidof lua)"
};

static bool make_folder(const char *path)
{
	struct stat st;

	if (mkdir(path, 0755) != 0 && errno != EEXIST) {
		base_complain(path, "cannot be made: %s", strerror(errno));
		return false;
	}
	if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 022)) {
		base_complain(path, "is no folder that only this user may write to");
		return false;
	}
	return true;
}

/* Held locked as long as the daemon lives. -1 after saying why. */
static int take_pid_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	char other[32] = "";
	int error;

	if (fd < 0) {
		base_complain(path, "%s", strerror(errno));
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	error = errno;
	if (read(fd, other, sizeof(other) - 1) < 0)
		other[0] = 0;
	other[strcspn(other, "\n")] = 0;
	if (error == EWOULDBLOCK)
		base_complain("dynoptd", "runs already, as process %s", other);
	else
		base_complain(path, "cannot be locked: %s", strerror(error));
	close(fd);
	return -1;
}

static bool write_pid(int fd)
{
	char *text = base_printf("%d\n", (int)getpid());
	bool done = ftruncate(fd, 0) == 0 &&
	            pwrite(fd, text, strlen(text), 0) == (ssize_t)strlen(text);

	free(text);
	return done;
}

/* The parent leaves once everything is set up; threads are started behind this. */
static void go_to_background(const struct options *o)
{
	if (!o->foreground && daemon(0, 1) != 0)
		base_complain("dynoptd", "stays in the foreground: %s", strerror(errno));
}

static int end_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

struct files {
	char *status, *kept, *socket, *pid;
	int device, pid_file, listener;
	u64 features;
};

static int set_up(const struct options *o, struct files *f)
{
	struct stat device;
	char *error = NULL;

	f->status = base_printf("%s/" DAEMON_STATUS, o->folder);
	f->kept = base_printf("%s/" DAEMON_KEPT, o->folder);
	f->socket = base_printf("%s/" DAEMON_SOCKET, o->folder);
	f->pid = base_printf("%s/" DAEMON_PID_FILE, o->folder);
	f->device = kernel_open(&f->features, &error);
	if (f->device < 0) {
		base_complain(DYNOPT_DEVICE, "%s", error);
		free(error);
		return EXIT_DAEMON_NONE;
	}
	if (!(f->features & DYNOPT_FEATURE_SAMPLES)) {
		base_complain(DYNOPT_DEVICE, "this module does not sample");
		return EXIT_DAEMON_NONE;
	}
	if (access(CHILDREN, R_OK) != 0)
		base_complain(
			CHILDREN,
			"%s: forked children are not sampled (the kernel needs CONFIG_PROC_CHILDREN)",
			strerror(errno));
	if (!make_folder(o->folder) || !make_folder(f->status) || !make_folder(f->kept) ||
	    (f->pid_file = take_pid_file(f->pid)) < 0 || fstat(f->device, &device) != 0 ||
	    (f->listener = socket_listen(f->socket, device.st_gid)) < 0)
		return EXIT_DAEMON_FAILED;
	return EXIT_DAEMON_DONE;
}

int main(int argc, char **argv)
{
	struct options o = { .threads = THREADS, .folder = DAEMON_FOLDER };
	struct files f = { 0 };
	int code, signals;

	argp_err_exit_status = EXIT_DAEMON_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
		return EXIT_DAEMON_USAGE;
	setenv("DYNOPT_CONFIG", "", 1); /* the system's policy only: it is nobody's daemon */
	code = set_up(&o, &f);
	if (code)
		return code;
	signals = end_signals();
	go_to_background(&o);
	if (signals < 0 || !write_pid(f.pid_file)) {
		base_complain(f.pid, "%s", strerror(errno));
		return EXIT_DAEMON_FAILED;
	}
	status_folder(f.status);
	kept_folder(f.kept);
	serve_start(f.device, f.features, (u32)o.threads);
	resume_attach(f.status);
	socket_serve(f.listener, signals, watch_look);
	serve_stop();
	unlink(f.socket);
	unlink(f.pid);
	return EXIT_DAEMON_DONE;
}
