/* SPDX-License-Identifier: MIT */
/*
 * doctor_command.c - `dynopt doctor`: runs the checks and prints a line for each. Whether run --eager works is tried, and
 * the exit code says so.
 */
#include "doctor.h"
#include "json.h"
#include "runtime_commands.h"

#include <stdlib.h>

static const char *const level_keys[] = { "ok", "warn", "missing" };

static error_t parse(int key, char *argument, struct argp_state *state)
{
	bool *json = state->input;

	switch (key) {
	case 'j':
		*json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is too much: there are no arguments", argument);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option option_table[] = {
	{ "json", 'j', NULL, 0, "print JSON with stable keys", 0 },
	{ 0 },
};

HELP_WITH_EXITS(help, DOCTOR_EXITS);

static const struct argp argp = {
	.options = option_table,
	.parser = parse,
	.help_filter = help,
	.doc = "Tells what works on this machine and what to do about the rest."
	       "\v"
	       "'missing' is what dynopt run --eager cannot do without, 'warn' is worth knowing.\n\n"
	       "Example:\n"
	       "  $ dynopt doctor\n"
	       "  $ dynopt doctor --json | jq '.works'"
};

void finding_add(struct findings_list *list, const char *name, enum level level, char *text,
                 const char *advice)
{
	*vec_add(&list->v) = (struct finding){ name, level, text, advice };
}

long doctor_number(const char *path)
{
	FILE *in = fopen(path, "re");
	long value = DOCTOR_UNKNOWN;

	if (!in)
		return DOCTOR_UNKNOWN;
	if (fscanf(in, "%ld", &value) != 1)
		value = DOCTOR_UNKNOWN;
	fclose(in);
	return value;
}

static void print_text(const struct findings_list *list)
{
	for (size_t i = 0; i < list->v.n; i++) {
		const struct finding *f = &list->v.at[i];

		printf("%-8s %-14s %s\n", level_keys[f->level], f->name, f->text);
		if (f->advice)
			printf("%-8s %-14s %s\n", "", "", f->advice);
	}
}

static void print_json(const struct findings_list *list, bool works)
{
	struct json_object *root = json_object_new_object(), *array;

	json_flag(root, "works", works);
	array = json_list(root, "findings");
	for (size_t i = 0; i < list->v.n; i++) {
		const struct finding *f = &list->v.at[i];
		struct json_object *row = json_item(array);

		json_text(row, "name", f->name);
		json_text(row, "level", level_keys[f->level]);
		json_text(row, "text", f->text);
		if (f->advice)
			json_text(row, "advice", f->advice);
	}
	json_print(root, stdout);
	json_object_put(root);
}

int command_doctor(int argc, char **argv)
{
	struct findings_list list = { 0 };
	bool json = false, works = true;

	if (argp_parse(&argp, argc, argv, 0, NULL, &json) != 0)
		return DOCTOR_EXIT_USAGE;
	doctor_needs(&list);
	doctor_machine(&list);
	doctor_trial(&list);
	for (size_t i = 0; i < list.v.n; i++)
		works &= list.v.at[i].level != LEVEL_MISSING;
	if (json)
		print_json(&list, works);
	else
		print_text(&list);
	for (size_t i = 0; i < list.v.n; i++)
		free(list.v.at[i].text);
	free(list.v.at);
	return works ? DOCTOR_EXIT_WORKS : DOCTOR_EXIT_BROKEN;
}
