/* SPDX-License-Identifier: MIT */
/*
 * policy_edit.c - one line of the user's policy file is changed, all others stay as they are. Written beside, then renamed.
 */
#include "policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folders above a file that are missing. False after saying which cannot be made. */
static bool make_folders(const char *file)
{
	char *path = base_printf("%s", file);
	bool made = true;

	for (char *slash = strchr(path + 1, '/'); slash && made; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		made = mkdir(path, 0777) == 0 || errno == EEXIST;
		if (!made)
			base_complain(path, "cannot be made: %s", strerror(errno));
		*slash = '/';
	}
	free(path);
	return made;
}

static bool is_key(const char *line, const char *key)
{
	size_t n = strlen(key);

	line += strspn(line, " \t");
	if (strncmp(line, key, n) != 0)
		return false;
	line += n + strspn(line + n, " \t");
	return *line == '=' || *line == ':';
}

/* All of `in` with `setting` in section `section`, where `enabled` stands there or right behind its heading, else in a new one. */
static void rewrite(FILE *in, FILE *out, const char *section, const char *setting)
{
	char *line = NULL;
	size_t room = 0;
	bool inside = false, done = false;

	while (in && getline(&line, &room, in) >= 0) {
		const char *text = line + strspn(line, " \t");

		line[strcspn(line, "\n")] = 0;
		if (*text == '[')
			inside = strncmp(text, section, strlen(section)) == 0;
		if (inside && is_key(text, "enabled"))
			continue;
		fprintf(out, "%s\n", line);
		if (inside && *text == '[' && !done) {
			fprintf(out, "%s\n", setting);
			done = true;
		}
	}
	if (!done)
		fprintf(out, "%s\n%s\n", section, setting);
	free(line);
}

/* False after saying why. */
static bool replace(const char *file, const char *beside, const char *section, bool enabled)
{
	FILE *in = fopen(file, "re");
	FILE *out = in || errno == ENOENT ? fopen(beside, "we") : NULL;
	bool done = false;

	if (out) {
		rewrite(in, out, section, enabled ? "enabled = yes" : "enabled = no");
		done = !ferror(out);
		done = fclose(out) == 0 && done && rename(beside, file) == 0;
	}
	if (!done)
		base_complain(file, "cannot be written: %s", strerror(errno));
	if (in)
		fclose(in);
	if (!done && out)
		unlink(beside);
	return done;
}

bool policy_set(const char *name, bool enabled)
{
	char *file = policy_user_file(), *beside, *section;
	bool done = false;

	if (!file) {
		base_complain("policy",
		              "HOME is not set, so nobody knows where the user's file is");
		return false;
	}
	beside = base_printf("%s~", file);
	section = base_printf("[program %s]", name);
	if (make_folders(file))
		done = replace(file, beside, section, enabled);
	if (done)
		printf("%s: %s: enabled = %s\n", file, section, enabled ? "yes" : "no");
	free(section);
	free(beside);
	free(file);
	return done;
}
