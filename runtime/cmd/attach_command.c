/* SPDX-License-Identifier: MIT */
/*
 * attach_command.c - `dynopt attach` and `dynopt detach`: a running process, and the kernel module.
 *
 * The module translates what is suggested to it, once for all processes of a program that are attached, those that
 * are attached later included; nothing is loaded into them. Where dynoptd runs, it has the process, samples it and suggests what is
 * hot; else the process is only registered. What a file of traces suggests this command submits itself.
 */
#include "daemon_client.h"
#include "kernel_device.h"
#include "runtime_commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct options {
	const char *traces;
	bool all, eager;
	VEC(u32) pids;
};

enum { KEY_TRACES = 256, KEY_ALL, KEY_EAGER };

static const struct argp_option attach_table[] = {
	{ "traces", KEY_TRACES, "FILE", 0,
	  "translate the traces in this file (engine/trace.h) that are of the process's files", 0 },
	{ "eager", KEY_EAGER, NULL, 0,
	  "by dynoptd: everything in its files that can be translated, instead of what is hot", 0 },
	{ "all", KEY_ALL, NULL, 0, "also what is not expected to save instructions", 0 },
	{ 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case KEY_TRACES:
		o->traces = argument;
		return 0;
	case KEY_ALL:
		o->all = true;
		return 0;
	case KEY_EAGER:
		o->eager = true;
		return 0;
	case ARGP_KEY_ARG:
		*vec_add(&o->pids) = argument_pid(state, argument);
		return 0;
	case ARGP_KEY_END:
		if (!o->pids.n)
			argp_error(state, "name a PID");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

HELP_WITH_EXITS(help, ATTACH_EXITS);

static const struct argp attach_argp = {
	.options = attach_table,
	.parser = parse,
	.args_doc = "PID...",
	.help_filter = help,
	.doc = "Gives running processes to the kernel module dynopt.ko: from now on they execute the translations that it has of their "
	       "files. If dynoptd runs, it samples them and has translated what is hot."
	       "\v"
	       "For the administrator; where dynoptd runs, members of the device's group may attach processes of their own. The files have "
	       "to be linked with a code cache (-fdynopt-jumpstations).\n\n"
	       "Example:\n"
	       "  # dynopt attach $(pidof lua)\n"
	       "  # dynopt attach --traces=hot.traces $(pidof lua)"
};

static const struct argp detach_argp = {
	.parser = parse,
	.args_doc = "PID...",
	.help_filter = help,
	.doc = "Takes running processes from the kernel module: they go on in their original code.\v"
	       "Example:\n"
	       "  # dynopt detach $(pidof lua)"
};

/* The file's text; *size 0 without one. */
static bool map_traces(const char *path, const char **text, size_t *size)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *at = MAP_FAILED;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0)
		at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (fd < 0 || (at == MAP_FAILED && st.st_size != 0)) {
		base_complain(path, "cannot be read: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	close(fd);
	if (at == MAP_FAILED) {
		base_complain(path, "has no traces");
		return false;
	}
	*text = at;
	*size = (size_t)st.st_size;
	return true;
}

static void print_sum(u32 pid, const struct kernel_sum *sum)
{
	printf("%u: %u traces, %u published, %llu bytes", pid, sum->n_traces, sum->published,
	       (unsigned long long)sum->bytes);
	for (size_t i = 0; i < sum->refusals.n; i++)
		printf("%s%s %u", i ? ", " : "; refused: ", sum->refusals.at[i].name,
		       sum->refusals.at[i].n);
	printf("\n");
}

static void print_sharing(int device)
{
	struct kernel_sharing all;

	if (kernel_sharing(device, &all))
		printf("in all: %llu translations of %llu files, shared by %llu processes, in %llu pages\n",
		       (unsigned long long)all.translations, (unsigned long long)all.files,
		       (unsigned long long)all.processes, (unsigned long long)all.pages);
}

static void complain_of(u32 pid, const char *error)
{
	char *who = base_printf("%u", pid);

	base_complain(who, "%s", error);
	free(who);
}

/* Asks the daemon; `what` is "attach" or "detach". False and *error. */
static enum daemon_answer ask_daemon(const char *what, const struct options *o, u32 pid,
                                     char **error)
{
	char *line = base_printf("%s %u%s%s", what, pid, o->eager ? " eager" : "",
	                         o->all && !o->traces ? " all" : "");
	enum daemon_answer answer = daemon_ask(line, NULL, error);

	free(line);
	return answer;
}

/* Traces once for all: those of the first process are there for the others, whose files may be others, too. */
static bool submit_one(int device, u64 features, const struct options *o, u32 pid, const char *text,
                       size_t size, char **error)
{
	struct kernel_sum sum = { 0 };
	s32 domain = features & DYNOPT_FEATURE_DOMAINS ? (s32)pid : DYNOPT_DOMAIN_OWN;
	bool done = kernel_submit_text(device, (pid_t)pid, domain, text, size, o->all, &sum, error);

	if (done)
		print_sum(pid, &sum);
	free(sum.refusals.at);
	return done;
}

struct module {
	int device; /* -1: not opened yet */
	u64 features;
};

static bool open_module(struct module *module)
{
	char *error = NULL;

	if (module->device < 0)
		module->device = kernel_open(&module->features, &error);
	if (module->device >= 0)
		return true;
	base_complain(DYNOPT_DEVICE, "%s", error);
	free(error);
	return false;
}

static int attach_one(struct module *module, const struct options *o, u32 pid, const char *text,
                      size_t size)
{
	char *error = NULL;
	enum daemon_answer answer = ask_daemon("attach", o, pid, &error);
	bool done = answer == DAEMON_OK;

	if (answer == DAEMON_ABSENT) {
		free(error);
		error = NULL;
		if (o->eager) {
			base_complain("attach", "--eager wants dynoptd, which does not run");
			return ATTACH_EXIT_NONE;
		}
		if (!open_module(module))
			return ATTACH_EXIT_NONE;
		done = kernel_register(module->device, (pid_t)pid, &error);
	}
	if (done && size) {
		if (!open_module(module))
			return ATTACH_EXIT_NONE;
		done = submit_one(module->device, module->features, o, pid, text, size, &error);
	}
	if (!done)
		complain_of(pid, error);
	free(error);
	return done ? ATTACH_EXIT_DONE : ATTACH_EXIT_REFUSED;
}

static int attach(const struct options *o)
{
	struct module module = { -1, 0 };
	const char *text = NULL;
	size_t size = 0;
	int code = ATTACH_EXIT_DONE;

	if (o->traces && !map_traces(o->traces, &text, &size))
		return ATTACH_EXIT_USAGE;
	for (size_t i = 0; i < o->pids.n && code != ATTACH_EXIT_NONE; i++) {
		int one = attach_one(&module, o, o->pids.at[i], text, size);

		code = one > code ? one : code;
	}
	if (module.device >= 0) {
		print_sharing(module.device);
		close(module.device);
	}
	return code;
}

/* What the daemon does not have the module may have all the same. */
static int detach_one(struct module *module, const struct options *o, u32 pid)
{
	char *error = NULL;
	bool done = ask_daemon("detach", o, pid, &error) == DAEMON_OK;

	if (!done) {
		free(error);
		error = NULL;
		if (!open_module(module))
			return ATTACH_EXIT_NONE;
		done = kernel_unregister(module->device, (pid_t)pid, &error);
	}
	if (!done)
		complain_of(pid, error);
	free(error);
	return done ? ATTACH_EXIT_DONE : ATTACH_EXIT_REFUSED;
}

static int detach(const struct options *o)
{
	struct module module = { -1, 0 };
	int code = ATTACH_EXIT_DONE;

	for (size_t i = 0; i < o->pids.n && code != ATTACH_EXIT_NONE; i++) {
		int one = detach_one(&module, o, o->pids.at[i]);

		code = one > code ? one : code;
	}
	if (module.device >= 0) {
		print_sharing(module.device);
		close(module.device);
	}
	return code;
}

int command_attach(int argc, char **argv)
{
	struct options o = { 0 };
	int code = ATTACH_EXIT_USAGE;

	if (argp_parse(&attach_argp, argc, argv, 0, NULL, &o) == 0)
		code = attach(&o);
	free(o.pids.at);
	return code;
}

int command_detach(int argc, char **argv)
{
	struct options o = { 0 };
	int code = ATTACH_EXIT_USAGE;

	if (argp_parse(&detach_argp, argc, argv, 0, NULL, &o) == 0)
		code = detach(&o);
	free(o.pids.at);
	return code;
}
