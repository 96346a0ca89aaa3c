/* SPDX-License-Identifier: MIT */
/*
 * audit_main.c - what `dynopt audit` becomes (audit_apart.c), under that name.
 */
#include "command.h"

int main(int argc, char **argv)
{
	int code;

	argp_err_exit_status = EXIT_UNREADABLE;
	code = command_audit(argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		base_complain("audit", "the output could not be written");
		return EXIT_UNREADABLE;
	}
	return code;
}
