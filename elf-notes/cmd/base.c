/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * base.c - memory that is there or ends the command, and complaints in one line:
 * "dynopt: SUBJECT: what is wrong" on stderr, where SUBJECT is a file or a command.
 */
#include "base.h"

#include <stdarg.h>
#include <stdlib.h>

static void *checked(void *p)
{
	if (!p) {
		fputs("dynopt: out of memory\n", stderr);
		exit(EXIT_UNREADABLE);
	}
	return p;
}

void *base_grow(void *at, size_t size, size_t n, size_t *cap)
{
	if (n < *cap)
		return at;
	*cap = *cap ? *cap * 2 : 16;
	return checked(reallocarray(at, *cap, size));
}

void *base_calloc(size_t n, size_t size)
{
	return checked(calloc(n ? n : 1, size));
}

char *base_printf(const char *format, ...)
{
	char *text;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	return checked(text);
}

void base_complain(const char *subject, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "dynopt: %s: ", subject);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}
