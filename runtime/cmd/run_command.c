/* SPDX-License-Identifier: MIT */
/*
 * run_command.c - `dynopt run`: the program runs in any case where it would without dynopt; what keeps the library, or the kernel
 * module, out is said in one line. Without --report this process becomes the program.
 */
#include "backend.h"
#include "daemon_client.h"
#include "daemon_protocol.h"
#include "runtime_commands.h"
#include "show.h"
#include "status_dir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
	struct launch launch;
	const char *traces, *samples, *keep_samples, *status_dir, *report, *perf;
	bool want_report, json, off;
	enum backend backend;
	char **program;
};

enum {
	KEY_TRACES = 256,
	KEY_SAMPLES,
	KEY_SAMPLER,
	KEY_KEEP_SAMPLES,
	KEY_NO_REMEMBER,
	KEY_CHILDREN,
	KEY_STATUS_DIR,
	KEY_BUDGET,
	KEY_OFF,
	KEY_REPORT,
	KEY_CYCLES,
	KEY_CACHE_LIMIT,
	KEY_MODULES,
	KEY_PROGRAMS,
	KEY_NO_INLINE,
	KEY_NO_AGENT,
	KEY_ALL,
	KEY_PERF,
	KEY_BACKEND
};

static const struct argp_option option_table[] = {
	{ "eager", 'e', NULL, 0,
	  "translate every head with proven surroundings before main() and when a library is loaded",
	  0 },
	{ "sample", 's', NULL, 0,
	  "sample the program while it runs and translate the functions in which it spends its time; the default",
	  0 },
	{ "backend", KEY_BACKEND, "NAME", 0,
	  "embedded: by the library, in this program; kernel: by dynoptd and the kernel module, for all its processes at once; "
	  "auto (the default): kernel where dynoptd runs and the program has a code cache, if no option is given that only "
	  "the library knows",
	  0 },
	{ "off", KEY_OFF, NULL, 0, "load the library and do nothing (for comparisons)", 0 },
	{ "budget", KEY_BUDGET, "N", 0,
	  "with --sample: CPU time of the agent, per mille of the program's, and half as much again of what translations "
	  "are reckoned to save; what the first second earns may be used in a third of it, what a run leaves by later ones (default: 10)",
	  0 },
	{ "sampler", KEY_SAMPLER, "NAME", 0,
	  "with --sample: how; one of those that dynopt doctor shows (the first that works)", 0 },
	{ "samples", KEY_SAMPLES, "FILE", 0,
	  "with --sample: begin with the samples of FILE, which an earlier run has kept", 0 },
	{ "keep-samples", KEY_KEEP_SAMPLES, "FILE", 0,
	  "with --sample: write what was sampled to FILE when the program ends", 0 },
	{ "no-remember", KEY_NO_REMEMBER, NULL, 0,
	  "neither begin with what is known of earlier runs of the same program (in ~/.cache/dynopt: what was sampled, and whether a "
	  "translation was wrong), nor keep anything for later ones",
	  0 },
	{ "traces", KEY_TRACES, "FILE", 0,
	  "translate the traces of FILE instead (see docs/runtime.md)", 0 },
	{ "children", KEY_CHILDREN, NULL, 0,
	  "programs that it starts get the library, too; they see LD_PRELOAD and DYNOPT_OPTIONS",
	  0 },
	{ "status-dir", KEY_STATUS_DIR, "DIR", 0,
	  "folder for status files, made if missing (default: $XDG_RUNTIME_DIR/dynopt or /tmp/dynopt-UID)",
	  0 },
	{ "report", KEY_REPORT, "FILE", OPTION_ARG_OPTIONAL,
	  "wait for the program's end and write the report to FILE or standard error", 0 },
	{ "json", 'j', NULL, 0, "the report as JSON", 0 },
	{ "cache-limit", KEY_CACHE_LIMIT, "MIB", 0,
	  "code cache of one module at most (default: 64)", 0 },
	{ "modules", KEY_MODULES, "NAMES", 0,
	  "only in modules with one of these file names, separated by colons", 0 },
	{ "programs", KEY_PROGRAMS, "NAMES", 0,
	  "only in programs with one of these file names; the others just pass the library on "
	  "(with --children)",
	  0 },
	{ "no-inline", KEY_NO_INLINE, NULL, 0, "do not go into small functions", 0 },
	{ "all", KEY_ALL, NULL, 0,
	  "publish also translations that are thought to save no instructions, and with --sample from few samples (for tests)",
	  0 },
	{ "perf", KEY_PERF, "DIR", 0,
	  "name translations for perf: in DIR/jit-PID.dump (perf record -k mono, perf inject --jit) and /tmp/perf-PID.map",
	  0 },
	{ "no-agent", KEY_NO_AGENT, NULL, 0,
	  "let the program's own thread do the work, before main (for tools that follow no clone, as "
	  "valgrind)",
	  0 },
	{ "cycles", KEY_CYCLES, "N", 0,
	  "undo and apply everything N times while the program runs (for tests)", 0 },
	{ 0 },
};

static unsigned long number(const char *text, struct argp_state *state, const char *name)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || value > 1000000000)
		argp_error(state, "--%s wants a number, not '%s'", name, text);
	return value;
}

static bool is_sampler(const char *name)
{
	for (u32 i = 1; i < STATUS_SAMPLER_N; i++)
		if (strcmp(name, status_sampler_key(i)) == 0)
			return true;
	return false;
}

static enum backend backend_of(const char *name, struct argp_state *state)
{
	for (u32 i = 0; i < BACKEND_N; i++)
		if (strcmp(name, backend_name(i)) == 0)
			return i;
	argp_error(state, "--backend is auto, embedded or kernel, not '%s'", name);
	return BACKEND_auto;
}

/* Is anything asked for that only the library can do? */
static bool only_embedded(const struct options *o)
{
	const struct launch *l = &o->launch;

	return o->off || o->traces || o->samples || o->keep_samples || o->status_dir || o->perf ||
	       l->sampler || l->children || l->no_inline || l->no_agent || l->modules ||
	       l->programs || l->cycles || l->cache_limit || l->budget;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct options *o = state->input;
	int modes;

	switch (key) {
	case 'e':
		o->launch.eager = true;
		return 0;
	case 's':
		o->launch.sample = true;
		return 0;
	case KEY_OFF:
		o->off = true;
		return 0;
	case KEY_BUDGET:
		o->launch.budget = number(argument, state, "budget");
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case KEY_TRACES:
		o->traces = argument;
		return 0;
	case KEY_SAMPLER:
		if (!is_sampler(argument))
			argp_error(state, "unknown sampler '%s' (dynopt doctor shows them)",
			           argument);
		o->launch.sampler = argument;
		return 0;
	case KEY_SAMPLES:
		o->samples = argument;
		return 0;
	case KEY_KEEP_SAMPLES:
		o->keep_samples = argument;
		return 0;
	case KEY_NO_REMEMBER:
		o->launch.no_remember = true;
		return 0;
	case KEY_CHILDREN:
		o->launch.children = true;
		return 0;
	case KEY_STATUS_DIR:
		o->status_dir = argument;
		return 0;
	case KEY_REPORT:
		o->want_report = true;
		o->report = argument;
		return 0;
	case KEY_CYCLES:
		o->launch.cycles = number(argument, state, "cycles");
		return 0;
	case KEY_CACHE_LIMIT:
		o->launch.cache_limit = number(argument, state, "cache-limit");
		return 0;
	case KEY_MODULES:
		o->launch.modules = argument;
		return 0;
	case KEY_PROGRAMS:
		o->launch.programs = argument;
		return 0;
	case KEY_NO_INLINE:
		o->launch.no_inline = true;
		return 0;
	case KEY_ALL:
		o->launch.all = true;
		return 0;
	case KEY_NO_AGENT:
		o->launch.no_agent = true;
		return 0;
	case KEY_PERF:
		o->perf = argument;
		return 0;
	case KEY_BACKEND:
		o->backend = backend_of(argument, state);
		return 0;
	case ARGP_KEY_ARG:
		o->program = &state->argv[state->next - 1];
		state->next = state->argc; /* the rest is the program's */
		return 0;
	case ARGP_KEY_END:
		if (!o->program)
			argp_error(state, "name a PROGRAM");
		modes = o->launch.eager + (o->traces != NULL) + o->launch.sample + o->off;
		if (modes > 1)
			argp_error(state,
			           "--eager, --sample, --traces and --off exclude one another");
		if (!modes)
			o->launch.sample = true;
		if ((o->samples || o->keep_samples || o->launch.sampler) && !o->launch.sample)
			argp_error(state,
			           "--sampler, --samples and --keep-samples go with --sample");
		if (o->backend == BACKEND_kernel && only_embedded(o))
			argp_error(
				state,
				"--backend=kernel goes with --eager, --sample, --all, --report and --json alone");
		if (o->json && !o->want_report)
			argp_error(state, "--json says how --report prints");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

HELP_WITH_EXITS(help, RUN_EXITS);

static const struct argp argp = {
	.options = option_table,
	.parser = parse,
	.args_doc = "[--] PROGRAM [ARGUMENT...]",
	.help_filter = help,
	.doc = "Runs PROGRAM with libdynopt.so loaded. Functions in which it spends its time (with --eager all, with "
	       "--traces those of a file) are translated, and the translations take the place of the original code in "
	       "its memory; the program cannot tell."
	       "\v"
	       "Only translations that save instructions, by the engine's reckoning, are published, and only if they are "
	       "proven to do what the original does. Programs that no library can be loaded into (static, musl, 32-bit, set-user-ID) run as "
	       "they are, after one line that says so. A script's interpreter is what gets the library.\n\n"
	       "Standard streams, arguments, working folder and exit code are the program's. Environment: "
	       "DYNOPT_LIBRARY names another libdynopt.so; DYNOPT_ENABLED (yes or no), DYNOPT_BUDGET, DYNOPT_CHILDREN and DYNOPT_REMEMBER "
	       "stand above the policy in /etc/dynopt.conf and ~/.config/dynopt/config (DYNOPT_CONFIG names another).\n\n"
	       "Example:\n"
	       "  $ dynopt run --report -- ./prog input.txt"
};

/* The absolute path of a file that is to be made in a folder that is there; NULL with errno. */
static char *from_here(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = base_printf("%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	char *absolute = realpath(folder, NULL);
	char *whole = NULL;

	if (absolute && access(absolute, W_OK) == 0)
		whole = base_printf("%s/%s", absolute, slash ? slash + 1 : path);
	free(absolute);
	free(folder);
	return whole;
}

/* Files and folders named in options, before anything starts. False after saying what is wrong. */
static bool prepare(struct options *o)
{
	bool missing;
	char *error = NULL;

	if (o->traces) {
		o->launch.traces = realpath(o->traces, NULL);
		if (!o->launch.traces || access(o->launch.traces, R_OK) != 0) {
			base_complain(o->traces, "cannot be read: %s", strerror(errno));
			return false;
		}
	}
	if (o->samples) {
		o->launch.samples = realpath(o->samples, NULL);
		if (!o->launch.samples || access(o->launch.samples, R_OK) != 0) {
			base_complain(o->samples, "cannot be read: %s", strerror(errno));
			return false;
		}
	}
	if (o->keep_samples) {
		o->launch.keep_samples = from_here(o->keep_samples);
		if (!o->launch.keep_samples) {
			base_complain(o->keep_samples, "cannot be written: %s", strerror(errno));
			return false;
		}
	}
	if (o->perf) {
		o->launch.perf = realpath(o->perf, NULL);
		if (!o->launch.perf || access(o->launch.perf, W_OK) != 0) {
			base_complain(o->perf, "cannot be written: %s", strerror(errno));
			return false;
		}
	}
	o->launch.status_dir = status_dir_path(o->status_dir);
	if (status_dir_check(o->launch.status_dir, true, &missing, &error))
		return true;
	base_complain(o->launch.status_dir, "%s%s", error,
	              o->status_dir ? "" : "; the program runs without a status file");
	free(error);
	free(o->launch.status_dir);
	o->launch.status_dir = NULL;
	return !o->status_dir;
}

/* Which one it is to be; never auto. */
static enum backend choose_backend(const struct options *o, const struct target *target)
{
	char *why = NULL;
	bool kernel = o->backend == BACKEND_kernel ||
	              (o->backend == BACKEND_auto && !only_embedded(o) &&
	               backend_kernel_fits(target, &why) && backend_kernel_works(&why));

	free(why);
	return kernel ? BACKEND_kernel : BACKEND_embedded;
}

struct arming {
	struct options *o;
	const struct target *target;
};

/* In the process that becomes the program; says why it runs as it is, if it does. */
static void arm_kernel(void *ctx)
{
	struct arming *arming = ctx;
	struct launch *launch = &arming->o->launch;
	char *error = NULL;

	if (!launch_policy(launch, arming->target->loads, &error) ||
	    !backend_kernel_arm(launch, &error))
		base_complain(arming->o->program[0], "%s; it runs unoptimized", error);
	free(error);
}

/* Sets up the environment; false after saying why the program runs without the library. */
static bool arm(struct options *o, const struct target *target)
{
	char *library = NULL, *error = NULL;
	bool armed;

	if (target->refusal) {
		base_complain(target->loads, "%s; %s runs unoptimized",
		              target_refusal_text(target->refusal),
		              strcmp(target->loads, target->path) == 0 ? "it" : o->program[0]);
		return false;
	}
	if (!launch_policy(&o->launch, target->loads, &error)) {
		base_complain(o->program[0], "%s; it runs unoptimized", error);
		free(error);
		return false;
	}
	if (!launch_library(&library, &error)) {
		base_complain("libdynopt.so", "%s; %s runs unoptimized", error, o->program[0]);
		free(error);
		free(library);
		return false;
	}
	armed = launch_environment(&o->launch, target, library, &error);
	if (!armed)
		base_complain(o->program[0], "%s; it runs unoptimized", error);
	free(error);
	free(library);
	return armed;
}

static void write_report(const struct options *o, int pid)
{
	char *path =
		base_printf("%s/%d.dynopt", o->launch.status_dir ? o->launch.status_dir : "", pid);
	char *error = NULL;
	FILE *out = stderr;
	struct status_view view;
	bool missing;

	if (!o->launch.status_dir) {
		base_complain("run", "no report, because there is no status file");
	} else if (!status_read(&view, path, &missing, &error)) {
		if (missing)
			base_complain("run", "no report: the program left no status file");
		else
			base_complain(path, "%s", error);
	} else {
		if (o->report)
			out = fopen(o->report, "we");
		if (!out) {
			base_complain(o->report, "cannot be written: %s", strerror(errno));
		} else if (o->json) {
			struct json_object *root = show_report_json(&view, false);

			json_print(root, out);
			json_object_put(root);
		} else {
			show_report(&view, false, out);
		}
		if (out && out != stderr && fclose(out) != 0)
			base_complain(o->report, "cannot be written: %s", strerror(errno));
		status_free(&view);
	}
	free(error);
	free(path);
}

int command_run(int argc, char **argv)
{
	struct options o = { 0 };
	struct target target;
	struct arming arming = { &o, &target };
	int error, status, pid;
	bool armed = true, kernel;

	argp_err_exit_status = RUN_EXIT_FAILED;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &o) != 0)
		return RUN_EXIT_FAILED;
	error = target_find(&target, o.program);
	if (error) {
		base_complain(target.loads && *target.loads ? target.loads : o.program[0], "%s",
		              error == ENOENT ? "not found" : strerror(error));
		target_free(&target);
		return error == ENOENT || error == ENOTDIR ? RUN_EXIT_NOT_FOUND
		                                           : RUN_EXIT_NOT_EXECUTABLE;
	}
	kernel = choose_backend(&o, &target) == BACKEND_kernel;
	if (kernel)
		o.launch.status_dir = daemon_path(DAEMON_STATUS);
	else if (!prepare(&o))
		return RUN_EXIT_FAILED;
	else
		armed = arm(&o, &target);
	if (kernel && !o.want_report)
		arm_kernel(&arming);
	if (!armed || !o.want_report)
		return launch_exec(&target);
	status = supervise(&target, kernel ? arm_kernel : NULL, &arming, &pid);
	if (status == -1)
		return RUN_EXIT_FAILED;
	if (kernel)
		backend_kernel_ended(pid);
	write_report(&o, pid);
	return supervise_end(status);
}
