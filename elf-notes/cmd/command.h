/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * command.h - how a subcommand is called and how it explains itself.
 *
 * Every command parses its own options with argp; argv[0] is "dynopt NAME", so usage
 * lines read right. Usage errors leave with EXIT_UNREADABLE. The help of each
 * ends with its example and the common table of exit codes (command_help).
 */
#ifndef DYNOPT_CMD_COMMAND_H
#define DYNOPT_CMD_COMMAND_H

#include <argp.h>

#include "base.h"

#define X(name, summary) int command_##name(int argc, char **argv);
#include "commands.def"
#undef X

/* argp help_filter: appends the exit codes to the text after the options. */
char *command_help(int key, const char *text, void *input);

#endif
