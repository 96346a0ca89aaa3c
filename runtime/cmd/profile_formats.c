/* SPDX-License-Identifier: MIT */
/*
 * profile_formats.c - see profile_formats.h.
 *
 * Samples are instruction addresses without branches, so nothing is said of branches: clang and BOLT infer them. Formats: LLVM's
 * tools/llvm-profgen/PerfReader.cpp ("unsymbolized profile"), bolt/Profile/DataReader.h ("no_lbr"), gperftools' docs/cpuprofile-fileformat.html.
 */
#include "profile_formats.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Ranges of code that were executed: here each is one instruction. Then branches: none. */
bool format_profgen(const struct profile *profile, const struct image *image, FILE *out,
                    char **error)
{
	(void)image;
	(void)error;
	fprintf(out, "%zu\n", profile->v.n);
	for (size_t i = 0; i < profile->v.n; i++)
		fprintf(out, "%" PRIx64 "-%" PRIx64 ":%" PRIu64 "\n", profile->v.at[i].addr,
		        profile->v.at[i].addr, profile->v.at[i].n);
	fputs("0\n", out);
	return true;
}

/* ---- clang ---- */

static int run_profgen(const char *raw, const char *binary, const char *made)
{
	static const char *const names[] = { "llvm-profgen-19", "llvm-profgen" };
	char *profile = base_printf("--unsymbolized-profile=%s", raw);
	char *program = base_printf("--binary=%s", binary);
	char *output = base_printf("--output=%s", made);
	char offset[] = "--use-offset=0", format[] = "--format=text";
	char *argv[] = { NULL, offset, format, profile, program, output, NULL };
	posix_spawn_file_actions_t actions;
	int status = -1, failed = ENOENT;
	pid_t pid = 0;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	for (size_t i = 0; failed && i < sizeof(names) / sizeof(names[0]); i++) {
		argv[0] = (char *)names[i];
		failed = posix_spawnp(&pid, names[i], &actions, NULL, argv, environ);
	}
	if (!failed && waitpid(pid, &status, 0) != pid)
		status = -1;
	posix_spawn_file_actions_destroy(&actions);
	free(profile);
	free(program);
	free(output);
	return failed ? -failed : status;
}

static bool copy_file(const char *path, FILE *out)
{
	FILE *in = fopen(path, "re");
	char buffer[4096];
	size_t n, all = 0;

	while (in && (n = fread(buffer, 1, sizeof(buffer), in)) > 0)
		all += fwrite(buffer, 1, n, out);
	if (in)
		fclose(in);
	return all > 0;
}

static bool through_profgen(const struct profile *profile, const struct image *image, FILE *out,
                            const char *folder, char **error)
{
	char *raw = base_printf("%s/raw", folder), *made = base_printf("%s/made", folder);
	FILE *file = fopen(raw, "we");
	bool done = file && format_profgen(profile, image, file, error);
	int status = 0;

	if (file && fclose(file) != 0)
		done = false;
	if (!done)
		*error = base_printf("%s cannot be written: %s", raw, strerror(errno));
	else
		status = run_profgen(raw, image->path, made);
	if (status == -ENOENT)
		*error = base_printf("llvm-profgen-19 is missing: install llvm-19");
	else if (status)
		*error = base_printf("llvm-profgen failed on it; its words are above");
	else if (done && !copy_file(made, out))
		*error = base_printf("llvm-profgen found no lines for it; "
		                     "is the program compiled with -gline-tables-only?");
	else if (done)
		status = 0;
	unlink(raw);
	unlink(made);
	free(raw);
	free(made);
	return !*error;
}

bool format_clang(const struct profile *profile, const struct image *image, FILE *out, char **error)
{
	const char *tmp = getenv("TMPDIR");
	char *folder = base_printf("%s/dynopt-profile-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	bool done = false;

	if (!image_section(image, ".debug_line"))
		*error = base_printf("%s has no debug information: compile it with "
		                     "-gline-tables-only -fdebug-info-for-profiling",
		                     image->path);
	else if (!mkdtemp(folder))
		*error = base_printf("%s cannot be made: %s", folder, strerror(errno));
	else {
		done = through_profgen(profile, image, out, folder, error);
		rmdir(folder);
	}
	free(folder);
	return done;
}

/* ---- BOLT ---- */

/* Local symbols get a number: their place among those of the same name and file, by address. */
bool bolt_name(const struct image *image, const struct symbol *symbol, char *buffer, size_t size)
{
	unsigned number = 1;

	if (symbol->type != STT_FUNC || strpbrk(symbol->name, " \n"))
		return false;
	if (symbol->binding != STB_LOCAL) {
		snprintf(buffer, size, "1 %s", symbol->name);
		return true;
	}
	for (const struct symbol *s = image->symbols.at; s < symbol; s++)
		number += s->binding == STB_LOCAL && strcmp(s->name, symbol->name) == 0 &&
		          (!symbol->file || (s->file && strcmp(s->file, symbol->file) == 0));
	if (symbol->file)
		snprintf(buffer, size, "1 %s/%s/%u", symbol->name, symbol->file, number);
	else
		snprintf(buffer, size, "1 %s/%u", symbol->name, number);
	return true;
}

bool bolt_find(const struct image *image, const char *name, u64 *addr)
{
	size_t n = strcspn(name, "/");
	char full[1024];

	for (size_t i = 0; i < image->symbols.n; i++) {
		const struct symbol *s = &image->symbols.at[i];

		if (strncmp(s->name, name, n) == 0 && !s->name[n] &&
		    bolt_name(image, s, full, sizeof(full)) && strcmp(full + 2, name) == 0) {
			*addr = s->addr;
			return true;
		}
	}
	return false;
}

bool format_bolt(const struct profile *profile, const struct image *image, FILE *out, char **error)
{
	const struct symbol *last = NULL;
	char name[1024] = "";
	size_t known = 0;

	fputs("no_lbr cpu-clock:u\n", out);
	for (size_t i = 0; i < profile->v.n; i++) {
		const struct sample *sample = &profile->v.at[i];
		const struct symbol *symbol = image_symbol(image, sample->addr);

		if (!symbol)
			continue;
		if (symbol != last && !bolt_name(image, symbol, name, sizeof(name)))
			continue;
		last = symbol;
		fprintf(out, "%s %" PRIx64 " %" PRIu64 "\n", name, sample->addr - symbol->addr,
		        sample->n);
		known++;
	}
	if (known)
		return true;
	*error = base_printf("no address of it lies in a function that the symbols of %s name; "
	                     "a stripped program cannot be given to BOLT",
	                     image->path);
	return false;
}

/* ---- pprof ---- */

static void word(u64 value, FILE *out)
{
	fwrite(&value, sizeof(value), 1, out);
}

/* Head, a record for each address, end, and the mappings as /proc/PID/maps has them: as if loaded at its link-time addresses. */
bool format_pprof(const struct profile *profile, const struct image *image, FILE *out, char **error)
{
	char *path = realpath(image->path, NULL);

	(void)error;
	word(0, out);
	word(3, out); /* words that follow in the head */
	word(0, out); /* version */
	word(1000, out); /* microseconds of a sample */
	word(0, out);
	for (size_t i = 0; i < profile->v.n; i++) {
		word(profile->v.at[i].n, out);
		word(1, out); /* addresses of the call chain */
		word(profile->v.at[i].addr, out);
	}
	word(0, out);
	word(1, out);
	word(0, out);
	for (size_t i = 0; i < image->segments.n; i++) {
		const struct segment *s = &image->segments.at[i];

		if (s->type == PT_LOAD && (s->flags & PF_X))
			fprintf(out, "%08" PRIx64 "-%08" PRIx64 " r-xp %08" PRIx64 " 00:00 0 %s\n",
			        s->addr, s->addr + s->size, s->offset, path ? path : image->path);
	}
	free(path);
	return true;
}
