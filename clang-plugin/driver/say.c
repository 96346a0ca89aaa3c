/* SPDX-License-Identifier: MIT */
/*
 * say.c - prints the driver's messages. Each is written by one call, so lines of
 * parallel compiles do not mix.
 */
#define _GNU_SOURCE
#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void say(const char *kind, const char *format, va_list ap)
{
	char *text;

	if (vasprintf(&text, format, ap) < 0)
		exit(1);
	fprintf(stderr, "dynopt-clang: %s: %s\n", kind, text);
	free(text);
}

void fail(int status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say("error", format, ap);
	va_end(ap);
	exit(status);
}

void warn(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say("warning", format, ap);
	va_end(ap);
}
