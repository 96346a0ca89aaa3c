/* SPDX-License-Identifier: MIT */
/*
 * profile_command.c - `dynopt profile record|export|import`: samples of a run, for this and for other tools.
 */
#include "profile_formats.h"
#include "profile_import.h"
#include "runtime_commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
	const char *format, *binary, *output, *input;
	int first; /* record: index of the program's name */
};

enum { KEY_FORMAT = 256, KEY_BINARY };

HELP_WITH_EXITS(help, PROFILE_EXITS);
HELP_WITH_EXITS(help_record, RUN_EXITS);

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case KEY_FORMAT:
		o->format = argument;
		return 0;
	case KEY_BINARY:
		o->binary = argument;
		return 0;
	case 'o':
		o->output = argument;
		return 0;
	case ARGP_KEY_ARG:
		if (o->input)
			argp_error(state, "one FILE at a time");
		o->input = argument;
		return 0;
	case ARGP_KEY_END:
		if (!o->input || !o->binary || !o->format)
			argp_error(state, "--format, --binary and a FILE are needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

#define FORMAT_LINE(name, text) "  " #name ": " text "\n"

static const struct argp_option option_table[] = {
	{ "format", KEY_FORMAT, "NAME", 0, "one of those below", 0 },
	{ "binary", KEY_BINARY, "BINARY", 0,
	  "the program or library; its file name is that of the module in the file of samples", 0 },
	{ "output", 'o', "FILE", 0, "instead of standard output", 0 },
	{ 0 },
};

static const struct argp export_argp = {
	.options = option_table,
	.parser = parse,
	.args_doc = "SAMPLES",
	.help_filter = help,
	.doc = "Writes the samples of one module in another tool's format."
	       "\v"
	       "Formats:\n" PROFILE_FORMATS(
		       FORMAT_LINE) "\n"
				    "Example:\n"
				    "  $ dynopt profile record -o s -- ./prog\n"
				    "  $ dynopt profile export --format=clang --binary=prog -o prog.prof s\n"
				    "  $ clang-19 -O2 -gline-tables-only -fprofile-sample-use=prog.prof prog.c"
};

static const struct argp import_argp = {
	.options = option_table,
	.parser = parse,
	.args_doc = "FILE",
	.help_filter = help,
	.doc = "Makes a file of samples, for dynopt run --samples, of what another tool has sampled."
	       "\v"
	       "Formats:\n" PROFILE_IMPORTS(
		       FORMAT_LINE) "\n"
				    "Example:\n"
				    "  $ perf record -e cpu-clock:u ./prog\n"
				    "  $ perf script -F pid,ip,dso --show-mmap-events >prog.script\n"
				    "  $ dynopt profile import --format=perf --binary=prog -o s prog.script\n"
				    "  $ dynopt run --samples=s -- ./prog"
};

static error_t parse_record(int key, char *argument, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'o':
		o->output = argument;
		return 0;
	case ARGP_KEY_ARG:
		o->first = state->next - 1; /* it and the rest are for run */
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "name a PROGRAM");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option record_table[] = {
	{ "output", 'o', "FILE", 0, "the file of samples that is written at the program's end", 0 },
	{ 0 },
};

static const struct argp record_argp = {
	.options = record_table,
	.parser = parse_record,
	.args_doc = "-o FILE [--] PROGRAM [ARGUMENT...]",
	.help_filter = help_record,
	.doc = "Runs PROGRAM as dynopt run --keep-samples=FILE does."
	       "\v"
	       "Example:\n"
	       "  $ dynopt profile record -o s -- ./prog input.txt"
};

static int command_record(int argc, char **argv)
{
	char **run = base_calloc((size_t)argc + 4, sizeof(*run));
	char *keep, name[] = "dynopt run", sample[] = "--sample", end[] = "--";
	struct options o = { 0 };
	int n = 0;

	argp_err_exit_status = RUN_EXIT_FAILED;
	if (argp_parse(&record_argp, argc, argv, ARGP_IN_ORDER, NULL, &o) != 0)
		return RUN_EXIT_FAILED;
	if (!o.output) {
		base_complain("profile record", "-o FILE is needed");
		return RUN_EXIT_FAILED;
	}
	keep = base_printf("--keep-samples=%s", o.output);
	run[n++] = name;
	run[n++] = sample;
	run[n++] = keep;
	run[n++] = end;
	for (int i = o.first; i < argc; i++)
		run[n++] = argv[i];
	n = command_run(n, run);
	free(keep);
	free(run);
	return n;
}

/* A file that is there whole or not at all: written beside, then renamed. */
struct output {
	const char *path;
	char *beside;
	FILE *out;
};

static bool output_open(struct output *output, const char *path)
{
	*output = (struct output){ .path = path, .out = stdout };
	if (!path)
		return true;
	output->beside = base_printf("%s~", path);
	output->out = fopen(output->beside, "we");
	if (!output->out)
		base_complain(path, "cannot be written: %s", strerror(errno));
	return output->out;
}

static bool output_close(struct output *output, bool good)
{
	bool done = !ferror(output->out) && fflush(output->out) == 0;

	if (output->path) {
		done = fclose(output->out) == 0 && done;
		if (!good || !done || rename(output->beside, output->path) != 0) {
			if (good)
				base_complain(output->path, "cannot be written: %s",
				              strerror(errno));
			unlink(output->beside);
			done = false;
		}
		free(output->beside);
	}
	return done && good;
}

struct format {
	const char *name;
	bool (*write)(const struct profile *, const struct image *, FILE *, char **);
	bool (*read)(struct profile *, const struct image *, FILE *, char **);
};

static const struct format exports[] = {
#define X(name, text) { #name, format_##name, NULL },
	PROFILE_FORMATS(X)
#undef X
}, imports[] = {
#define X(name, text) { #name, NULL, import_##name },
	PROFILE_IMPORTS(X)
#undef X
};

static const struct format *find(const struct format *formats, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	base_complain("profile", "no format is called '%s'; --help lists them", name);
	return NULL;
}

static bool read_other(const struct format *format, const struct options *o,
                       struct profile *profile, const struct image *image, char **error)
{
	FILE *in = fopen(o->input, "re");
	bool done;

	if (!in) {
		*error = base_printf("cannot be read: %s", strerror(errno));
		return false;
	}
	done = format->read(profile, image, in, error);
	fclose(in);
	if (!done)
		return false;
	profile_sort(profile);
	if (!profile->v.n)
		*error = base_printf("has no samples of %s", profile_module(image->path));
	return profile->v.n && profile_fits(profile, image, error);
}

static bool convert(const struct format *format, const struct options *o, struct profile *profile,
                    const struct image *image, char **error)
{
	const char *module = profile_module(o->binary);
	struct output output;
	bool good;

	if (format->read ? !read_other(format, o, profile, image, error)
	                 : !profile_read(profile, o->input, module, error) ||
	                           !profile_fits(profile, image, error))
		return false;
	if (!output_open(&output, o->output))
		return false;
	good = true;
	if (format->read)
		profile_write(profile, module, output.out);
	else
		good = format->write(profile, image, output.out, error);
	return output_close(&output, good);
}

static int command_convert(int argc, char **argv, bool import)
{
	const struct argp *argp = import ? &import_argp : &export_argp;
	const struct format *format;
	struct profile profile = { 0 };
	struct options o = { 0 };
	struct image image;
	char *error = NULL;
	bool done = false;

	if (argp_parse(argp, argc, argv, 0, NULL, &o) != 0)
		return PROFILE_EXIT_BAD;
	format = import ? find(imports, sizeof(imports) / sizeof(imports[0]), o.format)
	                : find(exports, sizeof(exports) / sizeof(exports[0]), o.format);
	if (!format)
		return PROFILE_EXIT_BAD;
	if (!image_open(&image, o.binary, &error)) {
		base_complain(o.binary, "%s", error);
	} else {
		done = convert(format, &o, &profile, &image, &error);
		if (error)
			base_complain(o.input, "%s", error);
		image_close(&image);
	}
	free(error);
	profile_free(&profile);
	return done ? PROFILE_EXIT_DONE : PROFILE_EXIT_BAD;
}

static void overview(FILE *out)
{
	fputs("Usage: dynopt profile record|export|import [OPTION...] ...\n"
	      "Keeps what was sampled in a run, for the next one and for other tools.\n\n"
	      "  record   run a program and write its samples to a file\n"
	      "  export   write a file of samples as clang, BOLT or pprof read it\n"
	      "  import   make a file of samples of what perf or BOLT's tools wrote\n\n"
	      "Each has its own --help.\n\nExample:\n"
	      "  $ dynopt profile record -o s -- ./prog\n"
	      "  $ dynopt profile export --format=bolt --binary=prog -o prog.fdata s\n\n"
	      "Exit codes:\n",
	      out);
#define X(name, value, text) fprintf(out, "  %d  %s\n", value, text);
	PROFILE_EXITS(X)
#undef X
}

int command_profile(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	char *name = base_printf("%s %s", argv[0], what);
	int code = PROFILE_EXIT_BAD;

	if (strcmp(what, "--help") == 0 || strcmp(what, "-?") == 0) {
		overview(stdout);
		code = PROFILE_EXIT_DONE;
	} else if (strcmp(what, "record") == 0 || strcmp(what, "export") == 0 ||
	           strcmp(what, "import") == 0) {
		argv[1] = name;
		code = *what == 'r' ? command_record(argc - 1, argv + 1)
		                    : command_convert(argc - 1, argv + 1, *what == 'i');
	} else {
		base_complain("profile", "'%s' is none of record, export, import", what);
	}
	free(name);
	return code;
}
