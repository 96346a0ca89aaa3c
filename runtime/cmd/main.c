/* SPDX-License-Identifier: MIT */
/*
 * main.c - `dynopt`: finds the subcommand and gets out of its way.
 *
 * `dynopt help CMD` is `dynopt CMD --help`. What is not in commands.def does not exist.
 */
#include "command.h"
#include "runtime_commands.h"

#include <stdlib.h>
#include <string.h>

struct command {
	const char *name, *summary;
	int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
#define X(name, summary) { #name, summary, command_##name },
#include "commands.def"
#undef X
};

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void overview(FILE *out)
{
	fputs("Usage: dynopt COMMAND [OPTION...] [ARGUMENT...]\n"
	      "Runs programs from translations that are made and put in while they run, and tells\n"
	      "what a binary built with -fdynopt-jumpstations says of itself.\n\nCommands:\n",
	      out);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fputs("\n  help CMD   the manual of a command (also: dynopt CMD --help)\n"
	      "  --version  print the version\n\n"
	      "Examples:\n  dynopt run --eager --report -- ./prog\n"
	      "  dynopt notes --check --coverage ./prog\n\n"
	      "The manual of each command has its exit codes; 2 is wrong usage, but for `run`.\n",
	      out);
}

static int run(const struct command *command, int argc, char **argv)
{
	char *name = base_printf("dynopt %s", command->name);
	int code;

	argv[0] = name;
	code = command->run(argc, argv);
	free(name);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		base_complain(command->name, "the output could not be written");
		return EXIT_UNREADABLE;
	}
	return code;
}

static int help(int argc, char **argv)
{
	const struct command *command = argc > 2 ? find(argv[2]) : NULL;
	char option[] = "--help";
	char *arguments[] = { argv[0], option, NULL };

	if (argc <= 2) {
		overview(stdout);
		return EXIT_OK;
	}
	if (!command) {
		base_complain(argv[2], "no such command; `dynopt help` lists them");
		return EXIT_UNREADABLE;
	}
	return run(command, 2, arguments);
}

int main(int argc, char **argv)
{
	const struct command *command;

	argp_err_exit_status = EXIT_UNREADABLE;
	if (argc < 2) {
		overview(stderr);
		return EXIT_UNREADABLE;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		puts("dynopt " DYNOPT_VERSION);
		return EXIT_OK;
	}
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "-h") == 0)
		return help(argc, argv);
	command = find(argv[1]);
	if (!command) {
		base_complain(argv[1], "no such command; `dynopt help` lists them");
		return EXIT_UNREADABLE;
	}
	return run(command, argc - 1, argv + 1);
}
