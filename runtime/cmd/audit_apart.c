/* SPDX-License-Identifier: MIT */
/*
 * audit_apart.c - `dynopt audit` is a program of its own: it needs libclang, which takes 15 ms and 55 MB to load, and every
 * `dynopt run` would pay for that.
 */
#include "launch.h"
#include "runtime_commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM "dynopt-audit"

int command_audit(int argc, char **argv)
{
	char *path;

	(void)argc;
	if (!launch_beside(PROGRAM, &path)) {
		base_complain("audit", PROGRAM " is not beside this command");
		return EXIT_UNREADABLE;
	}
	execv(path, argv);
	base_complain(path, "%s", strerror(errno));
	free(path);
	return EXIT_UNREADABLE;
}
