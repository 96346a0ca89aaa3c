/* SPDX-License-Identifier: MIT */
/*
 * plan.c - from what is asked to what is added.
 *
 * What is added stands first and between --start/--end-no-unused-arguments, so
 * it never causes a warning, wins over nothing the user says later, and is not
 * touched by the user's -x or `--`. A call without inputs gets nothing. What
 * the flag cannot do is an error when it would be a lie to go on (other targets,
 * aligned branches), and a warning when ordinary text comes out (-S and the
 * like; marks in the source are understood all the same); with DYNOPT_CC_DEFAULT
 * both are silent, and where it would be an error the call is clang's own.
 */
#include "plan.h"
#include "../facts.h"
#include "linker.h"
#include "plugin_hash.h"
#include "say.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLUGIN_ARG "-fplugin-arg-dynopt-"

static bool target_supported(const struct request *r)
{
	const char *t = r->target;
	bool wide = !t || !strncmp(t, "x86_64-", 7) || !strncmp(t, "amd64-", 6);

	if (r->bits)
		wide = r->bits == 64 && (wide || (t[0] == 'i' && !strncmp(t + 2, "86-", 3)));
	if (!wide || r->cl_mode)
		return false;
	return !t || (strstr(t, "-linux") && !strstr(t, "x32"));
}

static const char *target_name(const struct request *r)
{
	if (r->cl_mode)
		return "clang-cl";
	if (r->bits == BITS_X32)
		return "-mx32";
	if (r->bits && r->bits != 64)
		return r->bits == 32 ? "-m32" : "-m16";
	return r->target;
}

/* The major version in a path like /usr/lib/llvm-14/bin/clang or clang-14; 0: unknown. */
static int version_in_path(const char *path)
{
	static const char *const marks[] = { "/llvm-", "/clang-", "/clang++-" };
	const char *at;
	int version = 0;

	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks) && !version; i++) {
		at = strstr(path, marks[i]);
		if (at && isdigit((unsigned char)at[strlen(marks[i])]))
			version = atoi(at + strlen(marks[i]));
	}
	return version;
}

/*
 * Asking the compiler would cost a process, so its place is asked: the version
 * in its name, or the directory of its own headers. Where neither tells, the
 * plugin finds out when it is loaded.
 */
static void check_version(const char *clang, const char *dir)
{
	int version = version_in_path(clang);
	char *headers = text_format("%s/../lib/clang", dir);

	if (version && version != atoi(DYNOPT_LLVM_MAJOR))
		fail(1, "%s is clang %d; the plugin is for clang " DYNOPT_LLVM_MAJOR, clang,
		     version);
	if (!version && !strncmp(clang + strlen(dir), "/clang", 6) && !access(headers, F_OK) &&
	    access(text_format("%s/" DYNOPT_LLVM_MAJOR, headers), F_OK))
		fail(1,
		     "%s is another clang (%s has no " DYNOPT_LLVM_MAJOR
		     "); the plugin is for clang " DYNOPT_LLVM_MAJOR,
		     clang, headers);
}

/* False: this call is to be clang's own. */
static bool can_honour(const struct request *r, const struct installation *where)
{
	bool loud = r->wanted == WANTED_BY_FLAG;

	check_version(where->clang, where->clang_dir);
	if (!target_supported(r)) {
		if (loud)
			fail(1, "-fdynopt-jumpstations supports only x86_64 Linux, not %s",
			     target_name(r));
		return false;
	}
	if (r->aligned) {
		if (loud)
			fail(1,
			     "-fdynopt-jumpstations cannot be combined with %s: it would undo the alignment of branches",
			     r->aligned);
		return false;
	}
	return true;
}

/* NULL, or the flag that keeps objects from coming out of clang's own assembler. */
static const char *streamer_bypass(const struct request *r)
{
	if (r->phase == PHASE_EARLIER || r->emit_llvm || (r->lto && !r->thin_backend))
		return NULL;
	if (r->dash_S)
		return "-S";
	if (r->save_temps)
		return "-save-temps";
	return r->external_as ? "-fno-integrated-as" : NULL;
}

static void need_file(const char *path)
{
	if (access(path, R_OK))
		fail(1, "%s is missing: install dynopt again", path);
}

/* The plugin that knows the attribute and the pragma. */
static void add_marks(const struct installation *where, struct strings *out)
{
	char *fe = text_format("%s/libdynopt-fe-" DYNOPT_PLUGIN_HASH ".so", where->lib_dir);

	need_file(fe);
	strings_add(out, text_format("-fplugin=%s", fe));
}

static void add_plugin(const struct request *r, const struct installation *where,
                       struct strings *out)
{
	char *pass = text_format("%s/libdynopt-pass-" DYNOPT_PLUGIN_HASH ".so", where->lib_dir);

	add_marks(where, out);
	need_file(pass);
	strings_add(out, text_format("-fpass-plugin=%s", pass));
	strings_add(out, PLUGIN_ARG "hash=" DYNOPT_PLUGIN_HASH);
	strings_add(out, text_format(PLUGIN_ARG "budget=%u", r->budget_permyriad));
	strings_add(out, text_format(PLUGIN_ARG "cache=%u", r->cache_permyriad));
	if (r->report)
		strings_add(out, PLUGIN_ARG "report=1");
	if (r->disable_object)
		strings_add(out, PLUGIN_ARG "disable-object=1");
	if (r->lto && !r->thin_backend)
		strings_add(out, PLUGIN_ARG "lto=1");
}

static void add_compile(const struct request *r, const struct installation *where,
                        struct strings *out)
{
	const char *bypass = streamer_bypass(r);

	if (!r->inputs[INPUT_SOURCE] && !r->inputs[INPUT_IR] && !r->inputs[INPUT_HEADER])
		return;
	if (!bypass) {
		add_plugin(r, where, out);
		return;
	}
	add_marks(where, out); /* -Werror must not meet an unknown attribute */
	if (r->wanted == WANTED_BY_FLAG && !r->quiet)
		warn("%s: no jumpstations in what is compiled here; they need clang's integrated assembler to write the object",
		     bypass);
}

static void add_linker_words(struct strings *out, const char *word, const char *value)
{
	strings_add(out, "-Xlinker");
	strings_add(out, word);
	if (value) {
		strings_add(out, "-Xlinker");
		strings_add(out, value);
	}
}

static void add_lto(const struct request *r, const struct installation *where,
                    const struct linker *linker, struct strings *out)
{
	char *pass = text_format("%s/libdynopt-pass-" DYNOPT_PLUGIN_HASH ".so", where->lib_dir);

	if (linker->kind == LINKER_LLD && (r->lto || linker->same_llvm)) {
		need_file(pass);
		add_linker_words(out, text_format("--load-pass-plugin=%s", pass), NULL);
		/*
		 * ThinLTO's cache key knows -mllvm options but no plugins. This
		 * option names a function for a debugging dump and is otherwise
		 * without effect: it carries the plugin's hash into the key, and
		 * -fdynopt-report to the plugin.
		 */
		add_linker_words(out, "-mllvm",
		                 text_format("-print-bfi-func-name=dynopt-" DYNOPT_PLUGIN_HASH "%s",
		                             r->report ? FACTS_LTO_REPORT : ""));
	} else if (r->lto && r->wanted == WANTED_BY_FLAG && !r->quiet) {
		warn("LTO through %s: no jumpstations in what is compiled at link time; only lld can load the plugin (-fuse-ld=lld)",
		     linker->name);
	}
}

/* In front of libc, whose functions it interposes; needed, though nothing refers to it. */
static void add_runtime(const struct request *r, const struct installation *where,
                        struct strings *out)
{
	char *path;

	if (!r->runtime || r->shared)
		return;
	if (r->fixed) {
		if (!r->quiet)
			warn("-fdynopt-runtime has no effect with %s: no library can be loaded",
			     r->fixed);
		return;
	}
	path = text_format("%s/libdynopt.so", where->lib_dir);
	need_file(path);
	add_linker_words(out, "--push-state", NULL);
	add_linker_words(out, "--no-as-needed", NULL);
	add_linker_words(out, path, NULL);
	add_linker_words(out, "--pop-state", NULL);
	add_linker_words(out, "-rpath", where->lib_dir);
}

static void add_link(const struct request *r, const struct installation *where, struct strings *out)
{
	static const char *const scripts[] = {
		[LINKER_LLD] = "dynopt-lld.ld", [LINKER_BFD] = "dynopt.ld"
	};
	unsigned int linked = r->inputs[INPUT_SOURCE] + r->inputs[INPUT_IR] +
	                      r->inputs[INPUT_ASSEMBLER] + r->inputs[INPUT_OTHER];
	struct linker linker;
	char *path;

	if (r->phase != PHASE_LINK || !linked || r->archive)
		return;
	linker_find(r, where->clang_dir, &linker);
	if (linker.choice) {
		strings_add(out, text_format("-fuse-ld=%s", linker.choice));
		/* GNU ld's default; a library's version script may depend on it. */
		add_linker_words(out, "--undefined-version", NULL);
	}
	add_lto(r, where, &linker, out);
	if (r->relocatable)
		return;
	path = text_format("%s/dynopt_far.o", where->lib_dir);
	need_file(path);
	add_linker_words(out, path, NULL);
	add_runtime(r, where, out);
	if (r->own_script || (linker.kind != LINKER_LLD && linker.kind != LINKER_BFD))
		return;
	path = text_format("%s/%s", where->lib_dir, scripts[linker.kind]);
	need_file(path);
	add_linker_words(out, "-T", path);
}

static bool has_inputs(const struct request *r)
{
	for (size_t i = 0; i < N_INPUTS; i++)
		if (r->inputs[i])
			return true;
	return false;
}

void plan_nothing(const struct request *r)
{
	if (has_inputs(r) && r->idle && !r->refused && !r->quiet)
		warn("%s has no effect without -fdynopt-jumpstations", r->idle);
}

void plan_make(const struct request *r, const struct installation *where, struct strings *out)
{
	struct strings added = { 0 };

	if (!has_inputs(r) || !can_honour(r, where))
		return;
	add_compile(r, where, &added);
	add_link(r, where, &added);
	if (!added.n)
		return;
	strings_add(out, "--start-no-unused-arguments");
	for (size_t i = 0; i < added.n; i++)
		strings_add(out, added.v[i]);
	strings_add(out, "--end-no-unused-arguments");
}
