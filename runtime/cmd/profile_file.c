/* SPDX-License-Identifier: MIT */
/*
 * profile_file.c - see profile_file.h. Every line is checked; a file with a wrong one is refused as a whole, with its number.
 */
#include "profile_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void profile_add(struct profile *profile, u64 addr, u64 n)
{
	*vec_add(&profile->v) = (struct sample){ addr, n };
}

static int by_addr(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return (x->addr > y->addr) - (x->addr < y->addr);
}

void profile_sort(struct profile *profile)
{
	size_t kept = 0;

	if (profile->v.n)
		qsort(profile->v.at, profile->v.n, sizeof(*profile->v.at), by_addr);
	for (size_t i = 0; i < profile->v.n; i++) {
		struct sample *sample = &profile->v.at[i];

		if (kept && profile->v.at[kept - 1].addr == sample->addr)
			profile->v.at[kept - 1].n += sample->n;
		else
			profile->v.at[kept++] = *sample;
	}
	profile->v.n = kept;
}

void profile_free(struct profile *profile)
{
	free(profile->v.at);
}

const char *profile_module(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

enum line { LINE_EMPTY, LINE_SAMPLE, LINE_WRONG };

/* "run MODULE 0xSTART 0xLAST 0xTO COUNT", which no format takes yet: after its keyword. */
static enum line parse_run(char **save)
{
	static const char *const sets[] = { NULL, "x", "x", "x", "" };
	char *end, *field;

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		field = strtok_r(NULL, " \t", save);
		if (!field || (sets[i] && (field[0] < '0' || field[0] > '9')))
			return LINE_WRONG;
		if (sets[i]) {
			strtoull(field, &end, *sets[i] ? 16 : 10);
			if (*end || (*sets[i] && strncmp(field, "0x", 2) != 0))
				return LINE_WRONG;
		}
	}
	return strtok_r(NULL, " \t", save) ? LINE_WRONG : LINE_EMPTY;
}

static enum line parse(char *line, char *module, size_t size, struct sample *out)
{
	char *save, *keyword, *name, *addr, *count, *end_addr, *end_count;

	line[strcspn(line, "#\n")] = 0;
	keyword = strtok_r(line, " \t", &save);
	if (!keyword)
		return LINE_EMPTY;
	if (strcmp(keyword, "run") == 0)
		return parse_run(&save);
	if (strcmp(keyword, "module") == 0 || strcmp(keyword, "ran") == 0 ||
	    strcmp(keyword, "left") == 0 || strcmp(keyword, "owed") == 0)
		return LINE_EMPTY; /* addresses that lie outside of the code tell another build here */
	name = strtok_r(NULL, " \t", &save);
	addr = strtok_r(NULL, " \t", &save);
	count = strtok_r(NULL, " \t", &save);
	if (strcmp(keyword, "samples") != 0 || !name || strlen(name) >= size || !addr ||
	    strncmp(addr, "0x", 2) != 0 || !count || strtok_r(NULL, " \t", &save))
		return LINE_WRONG;
	snprintf(module, size, "%s", name);
	errno = 0;
	out->addr = strtoull(addr, &end_addr, 16);
	out->n = strtoull(count, &end_count, 10);
	return errno || !addr[2] || *end_addr || count[0] < '0' || count[0] > '9' || *end_count
	               ? LINE_WRONG
	               : LINE_SAMPLE;
}

bool profile_read(struct profile *profile, const char *path, const char *name, char **error)
{
	FILE *in = fopen(path, "re");
	char *line = NULL, module[256];
	size_t room = 0, number = 0;
	enum line kind = LINE_EMPTY;

	*profile = (struct profile){ 0 };
	if (!in) {
		*error = base_printf("cannot be read: %s", strerror(errno));
		return false;
	}
	while (kind != LINE_WRONG && getline(&line, &room, in) >= 0) {
		struct sample sample;

		number++;
		kind = parse(line, module, sizeof(module), &sample);
		if (kind == LINE_SAMPLE && strcmp(module, name) == 0)
			profile_add(profile, sample.addr, sample.n);
	}
	free(line);
	fclose(in);
	if (kind == LINE_WRONG)
		*error = base_printf(
			"line %zu is none of a sample file (samples MODULE 0xADDRESS COUNT)",
			number);
	else if (!profile->v.n)
		*error = base_printf("has no samples of a module named '%s'", name);
	else
		profile_sort(profile);
	return kind != LINE_WRONG && profile->v.n;
}

void profile_write(const struct profile *profile, const char *name, FILE *out)
{
	for (size_t i = 0; i < profile->v.n; i++)
		fprintf(out, "samples %s 0x%" PRIx64 " %" PRIu64 "\n", name, profile->v.at[i].addr,
		        profile->v.at[i].n);
}

bool profile_fits(const struct profile *profile, const struct image *image, char **error)
{
	size_t outside = 0;

	for (size_t i = 0; i < profile->v.n; i++)
		outside += !image_executes(image, profile->v.at[i].addr, 1);
	if (!outside)
		return true;
	*error = base_printf(
		"%zu of its %zu addresses lie outside of the code of %s: it is a profile of another build",
		outside, profile->v.n, image->path);
	return false;
}
