/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * command.h - how a subcommand is called and how it explains itself.
 *
 * Every command parses its own options with argp; argv[0] is "dynopt NAME", so usage
 * lines read right. Usage errors leave with EXIT_UNREADABLE. The help of each
 * ends with its example and a table of exit codes (command_help for the commands of this folder).
 * main() and the list of all commands are in runtime/cmd.
 */
#ifndef DYNOPT_CMD_COMMAND_H
#define DYNOPT_CMD_COMMAND_H

#include <argp.h>

#include "base.h"

int command_notes(int argc, char **argv);
int command_audit(int argc, char **argv);

/* argp help_filter: appends the exit codes to the text after the options. */
char *command_help(int key, const char *text, void *input);

struct exit_row {
	int value;
	const char *text;
};
/* The same with other codes, for a help_filter of one's own. */
char *command_help_codes(int key, const char *text, const struct exit_row *rows, size_t n_rows);

/* Defines the argp help_filter `name`, which appends the table `EXITS`. */
#define HELP_WITH_EXITS(name, EXITS) \
	static char *name(int key, const char *text, void *input) \
	{ \
		static const struct exit_row rows[] = { EXITS(HELP_ROW_) }; \
		(void)input; \
		return command_help_codes(key, text, rows, sizeof(rows) / sizeof(rows[0])); \
	} \
	struct exit_row /* for the semicolon */
#define HELP_ROW_(name, value, text) { value, text },

#endif
