/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * base.h - what every file of the `dynopt` command shares: growing arrays, exit codes
 * and the one way to say what went wrong.
 *
 * Only the command uses this; the reader under it stays freestanding. Out of
 * memory ends the command with the "cannot read" code, so no caller checks for it.
 */
#ifndef DYNOPT_CMD_BASE_H
#define DYNOPT_CMD_BASE_H

#include <stdio.h>

#include "../port.h"

typedef int64_t s64;

/* Exit codes of every command; the help prints the same rows. */
#define EXIT_CODES(X) \
	X(OK, 0, "everything read; nothing disagrees") \
	X(DISAGREE, 1, "notes that are invalid, or that disagree with the code or the sources") \
	X(UNREADABLE, 2, "wrong usage, or a file that cannot be read")

enum exit_code {
#define X(name, value, text) EXIT_##name = value,
	EXIT_CODES(X)
#undef X
};

/* A growing array: VEC(struct thing) things = {0}; *vec_add(&things) = ...; free(things.at). */
#define VEC(type) \
	struct { \
		type *at; \
		size_t n, cap; \
	}
#define vec_add(v) \
	((v)->at = base_grow((v)->at, sizeof(*(v)->at), (v)->n, &(v)->cap), &(v)->at[(v)->n++])

void *base_grow(void *at, size_t size, size_t n, size_t *cap);
void *base_calloc(size_t n, size_t size);
char *base_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void base_complain(const char *subject, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static inline size_t align_up(size_t value, size_t align)
{
	return align ? (value + align - 1) / align * align : value;
}

#endif
