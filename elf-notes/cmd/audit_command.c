/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * audit_command.c - `dynopt audit`: options, sources, then each binary in turn.
 * Anything that cannot be read ends it: half a comparison would mislead.
 */
#include "audit.h"
#include "command.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct options {
	const char *directory, *database;
	bool json;
	VEC(char *) binaries;
};

static const struct argp_option option_table[] = {
	{ "build", 'p', "BUILD_DIR", 0, "the directory that holds compile_commands.json", 0 },
	{ "compile-commands", 'C', "FILE", 0, "the compilation database itself", 0 },
	{ "json", 'j', NULL, 0, "print JSON, with stable keys", 0 },
	{ 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'p':
		o->directory = argument;
		return 0;
	case 'C':
		o->database = argument;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		*vec_add(&o->binaries) = argument;
		return 0;
	case ARGP_KEY_END:
		if (!o->directory == !o->database)
			argp_error(state, "give either -p BUILD_DIR or --compile-commands FILE");
		if (!o->binaries.n)
			argp_error(state, "name at least one BINARY");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = option_table,
	.parser = parse,
	.args_doc = "BINARY...",
	.help_filter = command_help,
	.doc = "Compares what the sources ask to leave alone (DYNOPT_DISABLE, "
	       "__attribute__((dynopt_disable)), [[dynopt::disable]], #pragma dynopt disable) with "
	       "the no-optimize ranges that the binaries' notes hold. Fails when a function that a "
	       "source asks for is in a binary, but not in its notes."
	       "\v"
	       "Functions are matched by their linker names, so the binaries need their symbol "
	       "tables. Functions that are not in any binary were inlined away, discarded or never "
	       "used; that is no failure. Sources that the database does not name may have asked "
	       "for more than is known here; that is listed and no failure either.\n\n"
	       "Example:\n"
	       "  $ cmake -B build -DCMAKE_EXPORT_COMPILE_COMMANDS=ON && cmake --build build\n"
	       "  $ dynopt audit -p build build/prog build/libprog.so"
};

static bool complain(const char *subject, char *error)
{
	base_complain(subject, "%s", error);
	free(error);
	return false;
}

/* libclang wants a directory: a database of another name is linked into a fresh one. */
static bool read_database(struct audit *audit, const struct options *o)
{
	char directory[] = "/tmp/dynopt-audit-XXXXXX", link[sizeof(directory) + 32];
	char *error = NULL, target[PATH_MAX];
	bool ok;

	if (o->directory)
		return audit_read_sources(audit, o->directory, &error) ||
		       complain(o->directory, error);
	if (!realpath(o->database, target) || access(target, R_OK) != 0)
		return complain(o->database, base_printf("cannot be read"));
	if (!mkdtemp(directory))
		return complain(directory, base_printf("no temporary directory"));
	snprintf(link, sizeof(link), "%s/compile_commands.json", directory);
	ok = symlink(target, link) == 0;
	if (!ok)
		error = base_printf("no temporary link");
	ok = ok && audit_read_sources(audit, directory, &error);
	unlink(link);
	rmdir(directory);
	return ok || complain(o->database, error);
}

static bool read_binary(struct audit *audit, const char *path)
{
	struct image image;
	struct model model = { 0 };
	char *error = NULL;
	bool ok = image_open(&image, path, &error) && model_read(&model, &image, &error);

	if (ok && model.failures.n) {
		error = base_printf("invalid notes: %s (dynopt notes --check tells more)",
		                    notes_status_text(model.failures.at[0].status));
		ok = false;
	}
	if (ok && !audit_binary(audit, &image, &model)) {
		error = base_printf("no symbol table, so functions cannot be told apart");
		ok = false;
	}
	if (!ok)
		complain(path, error);
	model_free(&model);
	image_close(&image);
	return ok;
}

int command_audit(int argc, char **argv)
{
	struct audit audit = { 0 };
	struct options o = { 0 };
	int code = EXIT_OK;

	if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
		return EXIT_UNREADABLE;
	if (!read_database(&audit, &o))
		code = EXIT_UNREADABLE;
	for (size_t i = 0; i < o.binaries.n && code == EXIT_OK; i++)
		if (!read_binary(&audit, o.binaries.at[i]))
			code = EXIT_UNREADABLE;
	if (code == EXIT_OK) {
		(o.json ? audit_print_json : audit_print_text)(&audit, stdout);
		for (size_t i = 0; i < audit.asked.n; i++)
			if (audit.asked.at[i].missing)
				code = EXIT_DISAGREE;
	}
	audit_free(&audit);
	free(o.binaries.at);
	return code;
}
