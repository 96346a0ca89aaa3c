/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * help.c - exit codes at the end of each command's manual, from the table that defines them.
 */
#include "command.h"

char *command_help_codes(int key, const char *text, const struct exit_row *rows, size_t n_rows)
{
	char *all = NULL;
	size_t size;
	FILE *out;

	if (key != ARGP_KEY_HELP_POST_DOC || !text)
		return (char *)text;
	out = open_memstream(&all, &size);
	if (!out)
		return (char *)text;
	fprintf(out, "%s\n\nExit codes:\n", text);
	for (size_t i = 0; i < n_rows; i++)
		fprintf(out, "  %d  %s\n", rows[i].value, rows[i].text);
	fclose(out);
	return all;
}

char *command_help(int key, const char *text, void *input)
{
	static const struct exit_row rows[] = {
#define X(name, value, meaning) { value, meaning },
		EXIT_CODES(X)
#undef X
	};

	(void)input;
	return command_help_codes(key, text, rows, sizeof(rows) / sizeof(rows[0]));
}
