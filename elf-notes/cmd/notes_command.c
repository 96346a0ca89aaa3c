/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * notes_command.c - `dynopt notes`: options, then each file in turn. One unreadable
 * file does not keep the others from being shown; the worst exit code wins.
 */
#include "command.h"
#include "report.h"

#include <stdlib.h>

struct options {
	bool json, coverage, check, verbose;
	VEC(char *) files;
};

static const struct argp_option option_table[] = {
	{ "json", 'j', NULL, 0, "print JSON, with every fact and stable keys", 0 },
	{ "coverage", 'c', NULL, 0,
	  "measure how much of the code can be patched, also of ordinary binaries", 0 },
	{ "check", 'k', NULL, 0, "compare the notes with an independent disassembly of the file",
	  0 },
	{ "verbose", 'v', NULL, 0,
	  "list every block that is not patchable and why, and every disagreement", 0 },
	{ 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'j':
		o->json = true;
		return 0;
	case 'c':
		o->coverage = true;
		return 0;
	case 'k':
		o->check = true;
		return 0;
	case 'v':
		o->verbose = true;
		return 0;
	case ARGP_KEY_ARG:
		*vec_add(&o->files) = argument;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "name at least one FILE");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = option_table,
	.parser = parse,
	.args_doc = "FILE...",
	.help_filter = command_help,
	.doc = "Shows what programs, shared libraries and object files (x86-64 ELF) say of "
	       "themselves when they were built with -fdynopt-jumpstations: certified text, slots, "
	       "code cache, facts about functions, and what must be left alone and why. A file "
	       "without notes is ordinary text."
	       "\v"
	       "A block is patchable if its first instruction of two or more bytes before the block "
	       "ends, endbr64 not counted, has five or more bytes, or has a slot of its own within "
	       "reach of a two-byte jump. Blocks of only one-byte instructions, and code that the "
	       "notes or inline assembly put out of bounds, are counted apart. A slot is one that the "
	       "notes name, or five bytes of padding that nothing leads to.\n\n"
	       "The check trusts the notes for nothing but where certified text starts: it decodes "
	       "the code itself and reads symbols, unwind tables, relocations and jump tables.\n\n"
	       "Example:\n"
	       "  $ dynopt notes --check --coverage ./prog\n"
	       "  $ dynopt notes --json lib.so | jq '.files[0].notes.slots'"
};

/* Returns the exit code of one file. */
static int show(const struct options *o, const char *path, struct json_object *array)
{
	struct subject s = { .coverage = o->coverage, .check = o->check, .verbose = o->verbose };
	char *error = NULL;
	int code = EXIT_UNREADABLE;

	if (!subject_open(&s, path, &error)) {
		base_complain(path, "%s", error);
		free(error);
	} else {
		code = subject_verdict(&s);
		if (array)
			json_object_array_add(array, report_json(&s));
		else
			report_text(&s, stdout);
	}
	subject_close(&s);
	return code;
}

int command_notes(int argc, char **argv)
{
	struct options o = { 0 };
	struct json_object *root = NULL, *array = NULL;
	int worst = EXIT_OK;

	if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
		return EXIT_UNREADABLE;
	if (o.json) {
		root = json_object_new_object();
		array = json_object_new_array();
		json_object_object_add(root, "files", array);
	}
	for (size_t i = 0; i < o.files.n; i++) {
		int code = show(&o, o.files.at[i], array);

		if (code > worst)
			worst = code;
	}
	if (root)
		puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
		                                                  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
	free(o.files.at);
	return worst;
}
