/* SPDX-License-Identifier: MIT */
/*
 * runtime_commands.h - the commands of this folder and their exit codes.
 */
#ifndef DYNOPT_RUNTIME_COMMANDS_H
#define DYNOPT_RUNTIME_COMMANDS_H

#include "command.h"

#include <argp.h>
#include <stdint.h>
#include <stdlib.h>

int command_run(int argc, char **argv);
int command_status(int argc, char **argv);
int command_top(int argc, char **argv);
int command_report(int argc, char **argv);
int command_disable(int argc, char **argv);
int command_enable(int argc, char **argv);
int command_profile(int argc, char **argv);
int command_attach(int argc, char **argv);
int command_detach(int argc, char **argv);
int command_doctor(int argc, char **argv);

/* `run` ends as its program does; these are its own, chosen as env and nice do. */
#define RUN_EXITS(X) \
	X(FAILED, 125, "dynopt itself failed or was used wrongly; the program was not started") \
	X(NOT_EXECUTABLE, 126, "the program was found but cannot be executed") \
	X(NOT_FOUND, 127, "the program was not found")

#define SHOW_EXITS(X) \
	X(DONE, 0, "shown") \
	X(NOTHING, 1, "no such process runs or ran under dynopt") \
	X(BAD, 2, "wrong usage, or a status file that cannot be used")

#define DISABLE_EXITS(X) \
	X(DONE, 0, "it has no translations any more, or has ended") \
	X(NOTHING, 1, "no such process runs under dynopt") \
	X(USAGE, 2, "wrong usage, or a folder or file that cannot be used") \
	X(SILENT, 3, "its agent does not answer, or there is none")

#define ENABLE_EXITS(X) \
	X(DONE, 0, "written") \
	X(BAD, 2, "wrong usage, or the user's policy file cannot be written")

#define PROFILE_EXITS(X) \
	X(DONE, 0, "written") \
	X(BAD, 2, "wrong usage, a file that cannot be used, or a tool that is missing")
#define ATTACH_EXITS(X) \
	X(DONE, 0, "done; which traces were refused is in the output") \
	X(REFUSED, 1, "the module refused a process, or its files") \
	X(USAGE, 2, "wrong usage, or a file of traces that cannot be used") \
	X(NONE, 3, "there is no module, or no right to use it")

#define DOCTOR_EXITS(X) \
	X(WORKS, 0, "dynopt run --eager works here") \
	X(BROKEN, 1, "it does not: see the lines marked 'missing'") \
	X(USAGE, 2, "wrong usage")

enum {
#define X(name, value, text) RUN_EXIT_##name = value,
	RUN_EXITS(X)
#undef X
#define X(name, value, text) SHOW_EXIT_##name = value,
		SHOW_EXITS(X)
#undef X
#define X(name, value, text) DISABLE_EXIT_##name = value,
			DISABLE_EXITS(X)
#undef X
#define X(name, value, text) ENABLE_EXIT_##name = value,
				ENABLE_EXITS(X)
#undef X
#define X(name, value, text) PROFILE_EXIT_##name = value,
					PROFILE_EXITS(X)
#undef X
#define X(name, value, text) ATTACH_EXIT_##name = value,
						ATTACH_EXITS(X)
#undef X
#define X(name, value, text) DOCTOR_EXIT_##name = value,
							DOCTOR_EXITS(X)
#undef X
};

/* The process number that an argument is; what is none ends the command with its usage. */
static inline uint32_t argument_pid(const struct argp_state *state, const char *argument)
{
	char *end;
	unsigned long pid = strtoul(argument, &end, 10);

	if (argument[0] < '1' || argument[0] > '9' || *end || pid > INT32_MAX)
		argp_error(state, "'%s' is no process number", argument);
	return (uint32_t)pid;
}

#endif
