/* SPDX-License-Identifier: MIT */
/*
 * grow_traces.c - traces of a file for tests: a tree for each of its heads that the notes vouch for, grown without
 * knowing what is executed (runtime/lib/grow.h), as text.
 *
 *     grow_traces [--loops] FILE       --loops: only of heads of loops
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "grow.h"
#include "module.h"

static bool no_site(const void *ctx, u64 addr)
{
	(void)ctx;
	(void)addr;
	return false;
}

static bool is_head(u16 marks, bool loops)
{
	u16 heads = loops ? TEXT_LOOP : TEXT_FUNCTION | TEXT_LOOP | TEXT_RETURN;

	return (marks & TEXT_CERTIFIED) && (marks & heads) &&
	       !(marks & (TEXT_NO_PATCH | TEXT_NO_TRANSLATE));
}

int main(int argc, char **argv)
{
	static const struct grow_rules rules = { .is_site = no_site };
	static char text[1 << 16];
	const char *name;
	struct module m;
	void *decoder = malloc(decode_scratch_size());

	bool loops = argc == 3 && strcmp(argv[1], "--loops") == 0;
	const char *path = argv[argc - 1];

	if (argc != 2 + loops || !decoder || !module_build(&m, path)) {
		fprintf(stderr, "grow_traces: give a program that was compiled with the flag\n");
		return 2;
	}
	name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	for (u64 addr = m.text.start; addr < m.text.end; addr++) {
		struct grown grown;

		if (!is_head(text_marks(&m.text, addr), loops))
			continue;
		grow_trace(&m.text, addr, &rules, decoder, &grown);
		if (trace_format(&grown.trace, name, text, sizeof(text)) < sizeof(text))
			fputs(text, stdout);
	}
	free(decoder);
	return 0;
}
