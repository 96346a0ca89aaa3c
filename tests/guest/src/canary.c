// SPDX-License-Identifier: MIT
/*
 * canary.c - a test program that fails in the way it is told, see canary.def.
 */
#include <string.h>
#include <unistd.h>
#include "guest.h"

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "skip"))
		guest_skip("because it is told to");
	if (!strcmp(what, "exit"))
		return 3;
	if (!strcmp(what, "hang"))
		for (;;)
			pause();
	if (!strcmp(what, "left")) {
		/* The child has the device open, and with it the module, until it is killed. */
		device_open();
		if (!fork())
			for (;;)
				pause();
	}
	return 0;
}
