/* SPDX-License-Identifier: MIT */
/*
 * policy_main.c - dynopt-policy PROGRAM: what libdynopt.so is told in a program that was not started by `dynopt run`
 * (runtime/lib/ask.c). Prints the text of DYNOPT_OPTIONS, or nothing where the policy says no. Never fails loudly: it runs within the start of
 * programs that know nothing of it.
 */
#include "launch.h"
#include "status_dir.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
	struct launch launch = { .sample = true };
	char *error = NULL, *options;
	bool missing, wanted;

	if (argc != 2)
		return 2;
	wanted = launch_policy(&launch, argv[1], &error);
	if (!wanted && !launch.policy_line)
		return 0;
	launch.status_dir = status_dir_path(NULL);
	if (!status_dir_check(launch.status_dir, true, &missing, &error))
		launch.status_dir = NULL;
	options = launch_options(&launch, &error);
	return options && fputs(options, stdout) >= 0 && fflush(stdout) == 0 ? 0 : 2;
}
