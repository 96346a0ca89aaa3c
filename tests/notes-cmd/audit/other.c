/* SPDX-License-Identifier: MIT */
/*
 * other.c - a local function of the same name as one in marks.cpp that asks for
 * nothing: neither file may speak for the other.
 */
volatile int other_sink;

static int same_name(int x)
{
	other_sink = x;
	return x + 4;
}

int (*take)(int) = same_name;
