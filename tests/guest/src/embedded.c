// SPDX-License-Identifier: MIT
/*
 * embedded.c - see embedded.h. Traces begin at their heads here, in the module at the first instruction of five bytes, which is
 * most often the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "embedded.h"
#include "module.h"
#include "translate.h"

#define PARSER_BYTES (1u << 20)

static double cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static char *read_text(const char *path, size_t *size)
{
	FILE *in = fopen(path, "r");
	char *text = malloc(1 << 22);

	*size = in && text ? fread(text, 1, 1 << 22, in) : 0;
	if (in)
		fclose(in);
	return text;
}

struct embedded embedded_translate(const char *path, const char *traces_path, unsigned int n)
{
	struct embedded done = { -cpu_us(), 0, 0 };
	struct trace_stanza stanza;
	struct arena parsed;
	struct module m;
	size_t size;
	char *text;
	u64 pos = 0;
	u32 line = 0, i;

	if (!module_build(&m, path))
		exit(1);
	done.text_us += cpu_us();
	text = read_text(traces_path, &size);
	arena_init(&parsed, malloc(PARSER_BYTES), PARSER_BYTES);
	for (i = 0; i < n && !trace_parse(text, size, &pos, &line, &parsed, &stanza, NULL); i++) {
		u64 mark = arena_mark(&m.scratch);
		struct code code;

		done.traces_us -= cpu_us();
		done.accepted += !translate_exact(&m.text, &stanza.trace, &m.scratch, &code, NULL);
		done.traces_us += cpu_us();
		arena_release(&m.scratch, mark);
		arena_release(&parsed, 0);
	}
	module_close(&m);
	free(parsed.base);
	free(text);
	return done;
}
