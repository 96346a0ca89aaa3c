/* SPDX-License-Identifier: MIT */
/*
 * policy.c - see policy.h. Files are INI (libinih); keys are rows of policy.def, names of programs are patterns (fnmatch), of the
 * file's name or, with a slash, of its path.
 */
#include "policy.h"

#include <errno.h>
#include <fnmatch.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MOST 1000000000
#define LINE_MOST 200 /* inih's */

struct reader {
	struct policy *policy;
	FILE *in;
	char section[LINE_MOST]; /* the last heading, whole: inih hands on no more than 49 bytes of it */
	const char *file, *program;
	bool general; /* which sections count in this round: [default], or [program NAME] */
	const char *problem; /* of the first wrong line */
};

static const char *read_YES_NO(long *field, const char *value)
{
	static const char *const words[] = { "no", "yes", "off", "on", "false", "true" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(value, words[i]) == 0) {
			*field = i % 2;
			return NULL;
		}
	return "yes or no is wanted";
}

static const char *read_NUMBER(long *field, const char *value)
{
	char *end;
	long number = strtol(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end || number > NUMBER_MOST)
		return "a number is wanted";
	*field = number;
	return NULL;
}

/* Names come together from all lines; an indented line goes on with the one above it, and arrives here as another. */
static const char *read_NAMES(char **field, const char *value)
{
	char *all = base_printf("%s%s%s", *field ? *field : "", *field ? " " : "", value);

	free(*field);
	*field = all;
	return NULL;
}

/* NULL, or what is wrong. */
static const char *set(struct policy *policy, const char *key, const char *value)
{
#define X(name, kind, text) \
	if (strcmp(key, #name) == 0) \
		return read_##kind(&policy->name, value);
#include "../policy.def"
#undef X
	return "no such key; docs/runtime.md lists them";
}

static void said_no(struct policy *policy, const char *who)
{
	free(policy->no);
	policy->no = policy->enabled == 0 ? base_printf("%s", who) : NULL;
}

static bool fits(const char *pattern, const char *program)
{
	const char *slash = strrchr(program, '/');

	return fnmatch(pattern, strchr(pattern, '/') || !slash ? program : slash + 1, 0) == 0;
}

/* fgets() for inih, which also keeps headings. */
static char *next_line(char *line, int room, void *ctx)
{
	struct reader *reader = ctx;
	const char *text;

	if (!fgets(line, room, reader->in))
		return NULL;
	text = line + strspn(line, " \t\xEF\xBB\xBF"); /* inih skips a byte order mark, too */
	if (*text == '[')
		snprintf(reader->section, sizeof(reader->section), "%.*s",
		         (int)strcspn(text + 1, "]"), text + 1);
	return line;
}

/* 0: wrong. Every line is checked in every round; what counts in it is set. */
static int take(void *ctx, const char *start, const char *key, const char *value)
{
	static const char program[] = "program ";
	struct reader *reader = ctx;
	const char *section = reader->section;
	struct policy none = { 0 };
	bool general = strcmp(section, "default") == 0, counts;
	const char *wrong;

	if (reader->problem)
		return 0;
	if (strncmp(section, start, strlen(start)) != 0) {
		reader->problem =
			"an indented line goes on with the one above it, and is no heading";
		return 0;
	}
	if (!general && strncmp(section, program, sizeof(program) - 1) != 0) {
		reader->problem = "a section is [default] or [program NAME]";
		return 0;
	}
	counts = reader->general == general &&
	         (general || fits(section + sizeof(program) - 1, reader->program));
	wrong = set(counts ? reader->policy : &none, key, value);
	if (counts && !wrong && strcmp(key, "enabled") == 0)
		said_no(reader->policy, reader->file);
	free(none.modules);
	free(none.leave);
	reader->problem = wrong;
	return !wrong;
}

static void find_wrong(struct policy *policy, const char *file, int line, const char *problem)
{
	if (policy->wrong)
		return;
	policy->wrong_line = line;
	policy->wrong = line ? base_printf("%s:%d: %s", file, line, problem)
	                     : base_printf("%s: %s", file, problem);
}

static void read_file(struct policy *policy, const char *file, const char *program, bool general)
{
	FILE *in = file ? fopen(file, "re") : NULL;
	struct reader reader = {
		.policy = policy, .in = in, .file = file, .program = program, .general = general
	};
	int line;

	if (!in) {
		if (file && errno != ENOENT && errno != ENOTDIR)
			find_wrong(policy, file, 0, strerror(errno));
		return;
	}
	line = ini_parse_stream(next_line, &reader, take, &reader);
	if (ferror(in))
		find_wrong(policy, file, 0, "it cannot be read");
	fclose(in);
	if (line)
		find_wrong(
			policy, file, line > 0 ? line : 0,
			reader.problem
				? reader.problem
				: "neither [SECTION] nor KEY = VALUE, or a line of more than 198 bytes");
}

static void read_environment(struct policy *policy)
{
	static const struct {
		const char *variable, *key;
	} all[] = {
		{ "DYNOPT_ENABLED", "enabled" },
		{ "DYNOPT_BUDGET", "budget" },
		{ "DYNOPT_CHILDREN", "children" },
		{ "DYNOPT_REMEMBER", "remember" },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const char *value = getenv(all[i].variable);
		const char *wrong = value && *value ? set(policy, all[i].key, value) : NULL;

		if (wrong)
			find_wrong(policy, all[i].variable, 0, wrong);
		else if (value && *value && i == 0)
			said_no(policy, "DYNOPT_ENABLED");
	}
}

char *policy_user_file(void)
{
	const char *given = getenv("DYNOPT_CONFIG"), *config = getenv("XDG_CONFIG_HOME"),
		   *home = getenv("HOME");

	if (given)
		return *given ? base_printf("%s", given) : NULL;
	if (config && config[0] == '/')
		return base_printf("%s/dynopt/config", config);
	return home && home[0] == '/' ? base_printf("%s/.config/dynopt/config", home) : NULL;
}

static void nothing_said(struct policy *policy)
{
	*policy = (struct policy){ 0 };
#define NOTHING_YES_NO(key) policy->key = -1;
#define NOTHING_NUMBER(key) policy->key = -1;
#define NOTHING_NAMES(key)
#define X(key, kind, text) NOTHING_##kind(key)
#include "../policy.def"
#undef X
}

static const char *system_file(void)
{
	const char *other = getenv("DYNOPT_SYSTEM_CONFIG");

	return other ? other : POLICY_SYSTEM;
}

/* 0 ends the reading. */
static int take_kernel(void *ctx, const char *section, const char *key, const char *value)
{
	bool *named = ctx;
	long yes = 0;

	(void)section;
	*named |= strcmp(key, "kernel") == 0 && !read_YES_NO(&yes, value) && yes;
	return !*named;
}

bool policy_names_kernel(void)
{
	FILE *in = fopen(system_file(), "re");
	bool named = false;

	if (in) {
		ini_parse_file(in, take_kernel, &named);
		fclose(in);
	}
	return named;
}

void policy_read(struct policy *policy, const char *program)
{
	char *user = policy_user_file();

	nothing_said(policy);
	for (int general = 1; general >= 0; general--) {
		read_file(policy, system_file(), program, general);
		read_file(policy, user, program, general);
	}
	read_environment(policy);
	if (policy->wrong)
		policy->enabled = 0;
	free(user);
}

void policy_free(struct policy *policy)
{
	free(policy->modules);
	free(policy->leave);
	free(policy->no);
	free(policy->wrong);
}
