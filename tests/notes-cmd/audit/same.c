/* SPDX-License-Identifier: MIT */
/*
 * same.c - the local function that does ask; see other.c.
 */
#include <dynopt/dynopt.h>

volatile int same_sink;

DYNOPT_DISABLE static int same_name(int x)
{
	same_sink = x;
	return x + 5;
}

int (*take_too)(int) = same_name;
