/* SPDX-License-Identifier: MIT */
/*
 * disable_command.c - `dynopt disable`: asks a program's agent to withdraw all translations, and waits until it says so.
 *
 * What the kernel module has dynoptd is asked to detach. An agent is asked by a file beside the status file, which only the agent removes: who may write there is who may trust it (status_dir.h).
 */
#include "daemon_client.h"
#include "daemon_protocol.h"
#include "policy.h"
#include "runtime_commands.h"
#include "status_dir.h"
#include "status_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS 5000000
#define LOOKS_MOST 2000

struct options {
	const char *dir, *program;
	u32 pid;
};

enum { KEY_STATUS_DIR = 256, KEY_PROGRAM };

static const struct argp_option option_table[] = {
	{ "status-dir", KEY_STATUS_DIR, "DIR", 0,
	  "folder of the status files, as given to dynopt run", 0 },
	{ "program", KEY_PROGRAM, "NAME", 0,
	  "programs whose file is called NAME: those that run, and by the user's policy file those that will",
	  0 },
	{ 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case KEY_STATUS_DIR:
		o->dir = argument;
		return 0;
	case KEY_PROGRAM:
		o->program = argument;
		return 0;
	case ARGP_KEY_ARG:
		if (o->pid)
			argp_error(state, "one PID at a time");
		o->pid = argument_pid(state, argument);
		return 0;
	case ARGP_KEY_END:
		if (!o->pid == !o->program)
			argp_error(state, "name a PID, or a --program");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

HELP_WITH_EXITS(help, DISABLE_EXITS);

static const struct argp argp = {
	.options = option_table,
	.parser = parse,
	.args_doc = "PID\n--program=NAME",
	.help_filter = help,
	.doc = "Withdraws all translations of a program that runs under dynopt, at once and for good: it goes on in its original "
	       "code."
	       "\v"
	       "Its forked children keep theirs. With --program nothing is translated in programs of that name any more, until "
	       "dynopt enable --program.\n\n"
	       "Example:\n"
	       "  $ dynopt disable 4711\n"
	       "  $ dynopt disable --program=lua"
};

/* What is known of the process; false: nothing, or it has ended. */
static bool look(const char *path, struct status_head *head)
{
	struct status_view view;
	char *error = NULL;
	bool missing, alive;

	if (!status_read(&view, path, &missing, &error)) {
		free(error);
		return false;
	}
	*head = *view.head;
	alive = view.alive;
	status_free(&view);
	return alive;
}

/* Has it translations, or may it have some later? */
static bool is_enabled(const struct status_head *head)
{
	return head->state == STATUS_STATE_STARTING || head->state == STATUS_STATE_RUNNING ||
	       head->state == STATUS_STATE_IDLE;
}

static int wait_for(const char *path, const char *asked, struct status_head *head)
{
	const struct timespec pause = { 0, LOOK_NS };

	for (u32 i = 0; i < LOOKS_MOST; i++) {
		if (!look(path, head) || !is_enabled(head)) {
			unlink(asked); /* it has ended, maybe without having seen it */
			return DISABLE_EXIT_DONE;
		}
		nanosleep(&pause, NULL);
	}
	unlink(asked);
	base_complain("disable", "process %u does not answer", head->pid);
	return DISABLE_EXIT_SILENT;
}

/* Where the process is dynoptd's; NOTHING: it is not. */
static int disable_kernel(u32 pid)
{
	char *folder = daemon_path(DAEMON_STATUS), *error = NULL;
	char *path = base_printf("%s/%u" STATUS_FILE_SUFFIX, folder, pid);
	char *line = base_printf("detach %u", pid);
	struct status_head head = { 0 };
	int code = DISABLE_EXIT_NOTHING;

	if (look(path, &head)) {
		code = DISABLE_EXIT_DONE;
		if (is_enabled(&head) && daemon_ask(line, NULL, &error) != DAEMON_OK) {
			base_complain("disable", "process %u: %s", pid, error);
			code = DISABLE_EXIT_SILENT;
		}
	}
	free(error);
	free(line);
	free(path);
	free(folder);
	return code;
}

static int disable(const char *dir, u32 pid)
{
	char *path = base_printf("%s/%u" STATUS_FILE_SUFFIX, dir, pid);
	char *asked = base_printf("%s/%u" STATUS_DISABLE_SUFFIX, dir, pid);
	struct status_head head = { 0 };
	int code = DISABLE_EXIT_NOTHING, fd;

	if (!look(path, &head)) {
		code = disable_kernel(pid);
		if (code == DISABLE_EXIT_NOTHING)
			base_complain("disable", "process %u does not run under dynopt", pid);
	} else if (!is_enabled(&head)) {
		code = DISABLE_EXIT_DONE;
	} else if (!head.agent_pid || head.cause == STATUS_CAUSE_AGENT_DIED) {
		base_complain("disable", "process %u has no agent%s", pid,
		              head.cause == STATUS_CAUSE_OVERRUN ? " any more: it has ended itself"
		              : head.agent_pid                   ? " any more: it was killed"
		                                                 : "");
		code = DISABLE_EXIT_SILENT;
	} else {
		fd = open(asked, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0) {
			base_complain(asked, "cannot be written: %s", strerror(errno));
			code = DISABLE_EXIT_SILENT;
		} else {
			close(fd);
			code = wait_for(path, asked, &head);
		}
	}
	free(asked);
	free(path);
	return code;
}

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Those that run now; the worst of their exit codes. */
static int disable_running(const char *given, const char *dir, const char *program)
{
	struct status_names names = { 0 };
	int worst = DISABLE_EXIT_DONE;

	if (!status_dir_list_all(given, &names))
		return DISABLE_EXIT_USAGE;
	for (size_t i = 0; i < names.v.n; i++) {
		struct status_head head;
		int code = DISABLE_EXIT_DONE;

		if (look(names.v.at[i].path, &head) &&
		    strcmp(file_name(head.program), program) == 0)
			code = disable(dir, head.pid);
		if (code > worst)
			worst = code;
	}
	status_names_free(&names);
	return worst;
}

int command_disable(int argc, char **argv)
{
	struct options o = { 0 };
	char *dir, *error = NULL;
	bool missing;
	int code = DISABLE_EXIT_USAGE;

	if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
		return DISABLE_EXIT_USAGE;
	dir = status_dir_path(o.dir);
	if (!status_dir_check(dir, false, &missing, &error) && (!missing || o.dir))
		base_complain(dir, "%s", error);
	else if (!o.program)
		code = disable(dir, o.pid);
	else if (policy_set(o.program, false))
		code = disable_running(o.dir, dir, o.program);
	free(error);
	free(dir);
	return code;
}
