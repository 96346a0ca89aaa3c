/* SPDX-License-Identifier: MIT */
/*
 * args.c - response files and config files, opened by clang's own rules.
 *
 * Quoting is that of LLVM's TokenizeGNUCommandLine: blanks separate, single and
 * double quotes group, a backslash takes the next character literally, in quotes
 * too. A response file that cannot be read is an ordinary argument, and one that
 * names itself is left for clang to complain about.
 */
#define _GNU_SOURCE
#include "args.h"
#include "say.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NESTING_MAX 32
#define EXEC_BYTES_MAX (96 * 1024) /* an exec takes at least 128 KiB of arguments */

static void *grown(void *v, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return v;
	*cap = *cap ? 2 * *cap : 64;
	v = reallocarray(v, *cap, size);
	if (!v)
		fail(1, "out of memory");
	return v;
}

void strings_add(struct strings *s, const char *text)
{
	s->v = grown(s->v, s->n + 1, &s->cap, sizeof(*s->v));
	s->v[s->n++] = (char *)text;
	s->v[s->n] = NULL;
}

char *text_format(const char *format, ...)
{
	va_list ap;
	char *text;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		fail(1, "out of memory");
	va_end(ap);
	return text;
}

static void args_add(struct args *args, char *text, int top)
{
	args->v = grown(args->v, args->n, &args->cap, sizeof(*args->v));
	args->v[args->n++] = (struct arg){ .text = text, .top = top };
}

/* NUL-terminated contents of a regular file, or NULL. */
static char *file_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text = NULL;
	size_t n = 0;
	ssize_t got = 1;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		text = malloc((size_t)st.st_size + 1);
	while (text && n < (size_t)st.st_size && got > 0) {
		got = read(fd, text + n, (size_t)st.st_size - n);
		n += got > 0 ? (size_t)got : 0;
	}
	close(fd);
	if (text)
		text[n] = '\0';
	return text;
}

/* The next token of *pos, unquoted in place; NULL at the end. */
static char *token_next(char **pos)
{
	char *in = *pos, *out, *start, quote = 0;

	while (isspace((unsigned char)*in))
		in++;
	if (!*in)
		return NULL;
	for (start = out = in; *in && (quote || !isspace((unsigned char)*in)); in++) {
		if (*in == '\\' && in[1])
			*out++ = *++in;
		else if (quote && *in == quote)
			quote = 0;
		else if (!quote && (*in == '"' || *in == '\''))
			quote = *in;
		else
			*out++ = *in;
	}
	*pos = *in ? in + 1 : in;
	*out = '\0';
	return start;
}

struct expansion {
	struct args *args;
	int top;
	const char *base; /* directory that nested names are relative to; NULL: the current one */
	int depth;
};

static void expand_file(struct expansion *x, char *text);

static void expand_one(struct expansion *x, char *arg)
{
	char *path, *text = NULL;

	if (arg[0] == '@' && arg[1] && x->depth < NESTING_MAX) {
		path = arg + 1;
		if (x->base && path[0] != '/')
			path = text_format("%s/%s", x->base, path);
		text = file_read(path);
	}
	if (!text)
		args_add(x->args, arg, x->top);
	else
		expand_file(x, text);
}

static void expand_file(struct expansion *x, char *text)
{
	char *arg;

	if (!strncmp(text, "\xef\xbb\xbf", 3))
		text += 3;
	x->depth++;
	while ((arg = token_next(&text)))
		expand_one(x, arg);
	x->depth--;
}

void args_expand(struct args *args, int argc, char **argv)
{
	struct expansion x = { .args = args };

	for (x.top = 1; x.top < argc; x.top++)
		expand_one(&x, argv[x.top]);
}

/* Blanks out comment lines and joins lines that end with a backslash. */
static void config_strip(char *text)
{
	bool line_start = true;

	for (; *text; text++) {
		if (line_start && *text == '#') {
			while (*text && *text != '\n')
				*text++ = ' ';
			if (!*text)
				return;
		} else if (*text == '\\' && text[1] == '\n') {
			text[0] = text[1] = ' ';
			text++;
		}
		line_start = *text == '\n' || (line_start && isspace((unsigned char)*text));
	}
}

bool args_read_config(struct args *args, const char *path)
{
	struct expansion x = { .args = args, .top = ARG_CONFIG };
	char *text = file_read(path);
	char *base, *slash;

	if (!text)
		return false;
	base = text_format("%s", path);
	slash = strrchr(base, '/');
	if (slash)
		*slash = '\0';
	x.base = slash ? base : ".";
	config_strip(text);
	expand_file(&x, text);
	return true;
}

/* Arguments stand in the order of argv, so those of one `top` are neighbours. */
bool args_compose(const struct args *args, int argc, char **argv, struct strings *out)
{
	size_t i = 0, end;
	bool dropped, opened = false;

	for (int top = 1; top < argc; top++, i = end) {
		dropped = false;
		for (end = i; end < args->n && args->v[end].top == top; end++)
			dropped |= args->v[end].drop;
		opened |= dropped && argv[top][0] == '@';
		if (!dropped)
			strings_add(out, argv[top]);
		for (; dropped && i < end; i++)
			if (!args->v[i].drop)
				strings_add(out, args->v[i].text);
	}
	return opened;
}

static void quoted_write(FILE *f, const char *text)
{
	putc('"', f);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', f);
		putc(*text, f);
	}
	fputs("\"\n", f);
}

void args_shrink(struct strings *out, size_t first)
{
	size_t bytes = 0;
	FILE *f;
	int fd;

	for (size_t i = first; i < out->n; i++)
		bytes += strlen(out->v[i]) + 1 + sizeof(char *);
	if (bytes <= EXEC_BYTES_MAX)
		return;
	fd = memfd_create("dynopt-clang arguments", 0); /* inherited by clang on purpose */
	f = fd < 0 ? NULL : fdopen(dup(fd), "w");
	if (!f)
		fail(1, "cannot make a response file for %zu bytes of arguments", bytes);
	for (size_t i = first; i < out->n; i++)
		quoted_write(f, out->v[i]);
	if (fclose(f))
		fail(1, "cannot write a response file for %zu bytes of arguments", bytes);
	out->n = first;
	strings_add(out, text_format("@/proc/self/fd/%d", fd));
}
