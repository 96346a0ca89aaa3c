/* SPDX-License-Identifier: MIT */
/*
 * attach_command.c - `dynopt attach` and `dynopt detach`: a running process, and the kernel module.
 *
 * The module translates what the file of traces suggests, once for all processes of a program that are attached, those that
 * are attached later included; nothing is loaded into them.
 */
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
	bool all;
	VEC(u32) pids;
};

enum { KEY_TRACES = 256, KEY_ALL };

static const struct argp_option attach_table[] = {
	{ "traces", KEY_TRACES, "FILE", 0,
	  "translate the traces in this file (engine/trace.h) that are of the process's files", 0 },
	{ "all", KEY_ALL, NULL, 0, "also those that are not expected to save instructions", 0 },
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

HELP_WITH_EXITS(help, ATTACH_EXITS)

static const struct argp attach_argp = {
	.options = attach_table,
	.parser = parse,
	.args_doc = "PID...",
	.help_filter = help,
	.doc = "Gives running processes to the kernel module dynopt.ko: from now on they execute the translations that it has of their "
	       "files, and those that it makes of the traces given here."
	       "\v"
	       "For the administrator. The files have to be linked with a code cache (-fdynopt-jumpstations).\n\n"
	       "Example:\n"
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

/* Traces once for all: those of the first process are there for the others, whose files may be others, too. */
static bool attach_one(int device, const struct options *o, u32 pid, const char *text, size_t size)
{
	struct kernel_sum sum = { 0 };
	char *error = NULL;
	bool done = kernel_register(device, (pid_t)pid, &error);

	if (done && size)
		done = kernel_submit(device, (pid_t)pid, text, size, o->all, &sum, &error);
	if (!done) {
		char *who = base_printf("%u", pid);

		base_complain(who, "%s", error);
		free(who);
	} else if (size) {
		print_sum(pid, &sum);
	}
	free(sum.refusals.at);
	free(error);
	return done;
}

static int attach(const struct options *o)
{
	const char *text = NULL;
	size_t size = 0;
	char *error = NULL;
	int device, code = ATTACH_EXIT_DONE;

	if (o->traces && !map_traces(o->traces, &text, &size))
		return ATTACH_EXIT_USAGE;
	device = kernel_open(&error);
	if (device < 0) {
		base_complain(DYNOPT_DEVICE, "%s", error);
		free(error);
		return ATTACH_EXIT_NONE;
	}
	for (size_t i = 0; i < o->pids.n; i++)
		if (!attach_one(device, o, o->pids.at[i], text, size))
			code = ATTACH_EXIT_REFUSED;
	print_sharing(device);
	close(device);
	return code;
}

static int detach(const struct options *o)
{
	char *error = NULL;
	int device = kernel_open(&error), code = ATTACH_EXIT_DONE;

	if (device < 0) {
		base_complain(DYNOPT_DEVICE, "%s", error);
		free(error);
		return ATTACH_EXIT_NONE;
	}
	for (size_t i = 0; i < o->pids.n; i++) {
		if (kernel_unregister(device, (pid_t)o->pids.at[i], &error))
			continue;
		base_complain("detach", "%u: %s", o->pids.at[i], error);
		free(error);
		code = ATTACH_EXIT_REFUSED;
	}
	print_sharing(device);
	close(device);
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
