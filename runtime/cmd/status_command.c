/* SPDX-License-Identifier: MIT */
/*
 * status_command.c - `dynopt status`: a line per process that has a status file.
 *
 * Files of processes that have ended are shown on request, and removed a day after their last change: the
 * report of a program that just ended must still be there.
 */
#include "runtime_commands.h"
#include "show.h"
#include "status_dir.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DAY_NS (24 * 3600 * 1000000000ll)

struct options {
	bool json, all;
	const char *dir;
	VEC(u32) pids;
};

enum { KEY_STATUS_DIR = 256 };

static const struct argp_option option_table[] = {
	{ "all", 'a', NULL, 0, "also programs that have ended (kept for a day)", 0 },
	{ "json", 'j', NULL, 0, "print JSON with stable keys", 0 },
	{ "status-dir", KEY_STATUS_DIR, "DIR", 0,
	  "folder of the status files, as given to dynopt run", 0 },
	{ 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'a':
		o->all = true;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case KEY_STATUS_DIR:
		o->dir = argument;
		return 0;
	case ARGP_KEY_ARG:
		*vec_add(&o->pids) = argument_pid(state, argument);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

HELP_WITH_EXITS(help, SHOW_EXITS);

static const struct argp argp = {
	.options = option_table,
	.parser = parse,
	.args_doc = "[PID...]",
	.help_filter = help,
	.doc = "Shows the programs of this user that run under dynopt: how far each got, how much is translated, "
	       "and the reason where it runs unoptimized."
	       "\v"
	       "A program that was started in a mode that translates nothing writes no status file.\n\n"
	       "Example:\n"
	       "  $ dynopt status\n"
	       "  $ dynopt status --json --all | jq '.processes[].state'"
};

static bool wanted(const struct options *o, u32 pid)
{
	for (size_t i = 0; i < o->pids.n; i++)
		if (o->pids.at[i] == pid)
			return true;
	return o->pids.n == 0;
}

static void print_text(const struct status_view *v, bool first)
{
	const struct status_head *h = v->head;
	struct status_sums s = status_sum(v);

	if (first)
		printf("%8s %-10s %10s %10s %10s  %s\n", "PID", "STATE", "HEADS", "TRANSLATED",
		       "CACHE KiB", "PROGRAM");
	printf("%8u %-10s %10llu %10llu %10.0f  %s\n", h->pid,
	       v->alive ? status_state_key(h->state) : "ended", (unsigned long long)s.heads,
	       (unsigned long long)s.translated, (double)s.used / 1024, h->program);
	if (v->alive && h->backend == STATUS_BACKEND_kernel) {
		struct status_sharing shared = status_share(v);

		printf("%8s kernel module: %llu translations, %.1f KiB, shared by %llu processes\n",
		       "", (unsigned long long)shared.translations, (double)shared.bytes / 1024,
		       (unsigned long long)shared.processes);
	}
	if (h->cause != STATUS_CAUSE_NONE)
		printf("%8s %s%s: %s\n", "", v->alive ? "" : "was ", status_state_key(h->state),
		       status_cause_words(h->cause));
}

static bool older_than_a_day(s64 changed)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec - changed > DAY_NS;
}

/* Shows one file; *n counts those shown. Returns an exit code. */
static int show(const struct options *o, const struct status_name *name, struct json_object *array,
                size_t *n)
{
	struct status_view view;
	char *error = NULL;
	bool missing;

	if (!status_read(&view, name->path, &missing, &error)) {
		if (!missing) /* else it was removed meanwhile */
			base_complain(name->path, "%s", error);
		free(error);
		return missing ? SHOW_EXIT_DONE : SHOW_EXIT_BAD;
	}
	if (!view.alive && older_than_a_day(name->changed)) {
		unlink(name->path);
	} else if (view.alive || o->all || o->pids.n) {
		if (array)
			show_status_json(&view, name->path, json_item(array));
		else
			print_text(&view, *n == 0);
		(*n)++;
	}
	status_free(&view);
	return SHOW_EXIT_DONE;
}

static int show_all(const struct options *o, struct json_object *array)
{
	struct status_names names = { 0 };
	int worst = SHOW_EXIT_DONE;
	size_t n = 0;

	if (!status_dir_list_all(o->dir, &names))
		return SHOW_EXIT_BAD;
	for (size_t i = 0; i < o->pids.n; i++) {
		bool found = false;

		for (size_t k = 0; k < names.v.n; k++)
			found |= names.v.at[k].pid == o->pids.at[i];
		if (found)
			continue;
		base_complain("status", "process %u does not run under dynopt", o->pids.at[i]);
		worst = SHOW_EXIT_NOTHING;
	}
	for (size_t i = 0; i < names.v.n; i++) {
		int code = wanted(o, names.v.at[i].pid) ? show(o, &names.v.at[i], array, &n) : 0;

		if (code > worst)
			worst = code;
	}
	if (!n && !o->pids.n && !array && worst == SHOW_EXIT_DONE)
		puts("no program of this user runs under dynopt");
	status_names_free(&names);
	return worst;
}

int command_status(int argc, char **argv)
{
	struct options o = { 0 };
	struct json_object *root = NULL, *array = NULL;
	int code;

	if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
		return SHOW_EXIT_BAD;
	if (o.json) {
		root = json_object_new_object();
		array = json_list(root, "processes");
	}
	code = show_all(&o, array);
	if (root)
		json_print(root, stdout);
	json_object_put(root);
	free(o.pids.at);
	return code;
}
