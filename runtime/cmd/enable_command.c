/* SPDX-License-Identifier: MIT */
/*
 * enable_command.c - `dynopt enable`: the user's policy file says yes to programs of a name, and that their translations were wrong is forgotten.
 */
#include "policy.h"
#include "remember.h"
#include "runtime_commands.h"

#include <stdlib.h>

enum { KEY_PROGRAM = 256 };

static const struct argp_option option_table[] = {
	{ "program", KEY_PROGRAM, "NAME", 0, "programs whose file is called NAME", 0 },
	{ 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	const char **program = state->input;

	switch (key) {
	case KEY_PROGRAM:
		*program = argument;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state,
		           "what was withdrawn from a running program is gone; name a --program");
		return 0;
	case ARGP_KEY_END:
		if (!*program)
			argp_error(state, "name a --program");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

HELP_WITH_EXITS(help, ENABLE_EXITS);

static const struct argp argp = {
	.options = option_table,
	.parser = parse,
	.args_doc = "--program=NAME",
	.help_filter = help,
	.doc = "Lets programs of that name be translated when they are started the next time, whatever /etc/dynopt.conf says, also "
	       "those of which a translation has faulted where the original does not (cause FAULT)."
	       "\v"
	       "Example:\n"
	       "  $ dynopt enable --program=lua"
};

/* False after saying why. */
static bool forgive(const char *program)
{
	char *folder = remember_folder(), *error = NULL;
	size_t n = 0;
	bool good = !folder || remember_forgive(folder, program, &n, &error);

	if (!good)
		base_complain("enable", "%s", error);
	if (n)
		printf("%s: forgotten that a translation of %s faulted\n", folder, program);
	free(error);
	free(folder);
	return good;
}

int command_enable(int argc, char **argv)
{
	const char *program = NULL;

	if (argp_parse(&argp, argc, argv, 0, NULL, &program) != 0)
		return ENABLE_EXIT_BAD;
	return forgive(program) && policy_set(program, true) ? ENABLE_EXIT_DONE : ENABLE_EXIT_BAD;
}
