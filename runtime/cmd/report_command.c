/* SPDX-License-Identifier: MIT */
/*
 * report_command.c - `dynopt report`: which status file, then show.c or show_json.c.
 */
#include "runtime_commands.h"
#include "show.h"
#include "status_dir.h"

#include <stdlib.h>
#include <string.h>

struct options {
	bool json, last, translations;
	const char *dir, *file;
	u32 pid;
};

enum { KEY_STATUS_DIR = 256, KEY_FILE };

static const struct argp_option option_table[] = {
	{ "last", 'l', NULL, 0, "the program whose status changed last (the default)", 0 },
	{ "file", KEY_FILE, "FILE", 0, "a status file that was kept", 0 },
	{ "translations", 't', NULL, 0, "list every translation", 0 },
	{ "json", 'j', NULL, 0, "print JSON with stable keys", 0 },
	{ "status-dir", KEY_STATUS_DIR, "DIR", 0,
	  "folder of the status files, as given to dynopt run", 0 },
	{ 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'l':
		o->last = true;
		return 0;
	case 't':
		o->translations = true;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case KEY_FILE:
		o->file = argument;
		return 0;
	case KEY_STATUS_DIR:
		o->dir = argument;
		return 0;
	case ARGP_KEY_ARG:
		if (o->pid)
			argp_error(state, "one PID at a time");
		o->pid = argument_pid(state, argument);
		return 0;
	case ARGP_KEY_END:
		if (!!o->pid + o->last + !!o->file > 1)
			argp_error(state, "PID, --last and --file exclude each other");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

HELP_WITH_EXITS(help, SHOW_EXITS);

static const struct argp argp = {
	.options = option_table,
	.parser = parse,
	.args_doc = "[PID]",
	.help_filter = help,
	.doc = "Shows what was translated in a program that runs or ran under dynopt, how the translations are "
	       "reached, what was refused and why, and what it cost."
	       "\v"
	       "Heads are places where a translation may begin. A direct hop is a five-byte jump in the text, a "
	       "slot is reached by a two-byte jump, a far hop leads through an address in memory. Refused are "
	       "heads, and functions whose instruction boundaries are not proven.\n\n"
	       "Example:\n"
	       "  $ dynopt report --translations 4711\n"
	       "  $ dynopt report --json --last | jq '.totals.refused'"
};

/* The file to show, to be freed; NULL if there is none. False after saying why a folder cannot be used. */
static bool choose(const struct options *o, char **path)
{
	struct status_names names = { 0 };
	const struct status_name *best = NULL;

	*path = o->file ? base_printf("%s", o->file) : NULL;
	if (o->file)
		return true;
	if (!status_dir_list_all(o->dir, &names))
		return false;
	for (size_t i = 0; i < names.v.n; i++) {
		const struct status_name *n = &names.v.at[i];

		if (o->pid && n->pid != o->pid)
			continue;
		if (!best || n->changed >= best->changed)
			best = n;
	}
	if (best)
		*path = base_printf("%s", best->path);
	status_names_free(&names);
	return true;
}

static int show(const struct options *o, const char *path)
{
	struct status_view view;
	char *error = NULL;
	bool missing;

	if (!status_read(&view, path, &missing, &error)) {
		base_complain(path, "%s", error);
		free(error);
		return SHOW_EXIT_BAD;
	}
	if (o->json) {
		struct json_object *root = show_report_json(&view, o->translations);

		json_print(root, stdout);
		json_object_put(root);
	} else {
		show_report(&view, o->translations, stdout);
	}
	status_free(&view);
	return SHOW_EXIT_DONE;
}

int command_report(int argc, char **argv)
{
	struct options o = { 0 };
	char *path;
	int code;

	if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
		return SHOW_EXIT_BAD;
	if (!choose(&o, &path))
		return SHOW_EXIT_BAD;
	if (path) {
		code = show(&o, path);
	} else {
		if (o.pid)
			base_complain("report",
			              "process %u does not run under dynopt, and did not lately",
			              o.pid);
		else
			base_complain("report", "no program of this user ran under dynopt lately");
		code = SHOW_EXIT_NOTHING;
	}
	free(path);
	return code;
}
