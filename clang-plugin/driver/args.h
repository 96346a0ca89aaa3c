/* SPDX-License-Identifier: MIT */
/*
 * args.h - the command line as clang will see it, response files opened.
 *
 * Invariant: an argument that is not dropped leaves exactly as it came. A
 * response file is passed on by name unless one of its arguments is dropped;
 * arguments read from a config file are only looked at, never passed on, since
 * clang reads the file again. Nothing is freed: the process becomes clang.
 */
#ifndef DYNOPT_DRIVER_ARGS_H
#define DYNOPT_DRIVER_ARGS_H

#include <stdbool.h>
#include <stddef.h>

struct arg {
	char *text;
	int top;   /* index in argv of what it came from; ARG_CONFIG: a config file */
	bool drop; /* ours: clang must not see it */
};

#define ARG_CONFIG (-1)

struct args {
	struct arg *v;
	size_t n, cap;
};

struct strings {
	char **v;
	size_t n, cap;
};

void strings_add(struct strings *s, const char *text);
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Opens response files (GNU quoting, nested) the way clang does. */
void args_expand(struct args *args, int argc, char **argv);

/* Appends the arguments of config file `path`; false: it cannot be read. */
bool args_read_config(struct args *args, const char *path);

/*
 * What is passed on: `out` gets the arguments of argv[1..] without the dropped
 * ones. True if a response file had to be opened for it.
 */
bool args_compose(const struct args *args, int argc, char **argv, struct strings *out);

/*
 * Moves out->v[first..] into an unnamed response file when they are more than an
 * exec surely takes.
 */
void args_shrink(struct strings *out, size_t first);

#endif
