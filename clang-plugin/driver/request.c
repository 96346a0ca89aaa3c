/* SPDX-License-Identifier: MIT */
/*
 * request.c - reads the command line.
 *
 * Two tables drive it: the flags that matter (clang_flags.def) and clang's own
 * list of flags that take the next argument (value_options.def). -Wl, and -Xlinker are looked into for what decides about
 * the linker script. Flags of ours may also be spelled -fplugin-arg-dynopt-...,
 * which every clang-based tool accepts in a compilation database.
 */
#include "request.h"
#include "options.h"

#include <string.h>

static bool begins(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* How many arguments after this one are its values. */
static size_t value_count(const char *flag)
{
#define X(spelling, n) { spelling, n, false },
#define XP(spelling, n) { spelling, n, true },
	static const struct {
		const char *spelling;
		size_t n;
		bool prefix;
	} rows[] = {
#include "value_options.def"
	};
#undef X
#undef XP
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].prefix ? begins(flag, rows[i].spelling)
		                   : !strcmp(flag, rows[i].spelling))
			return rows[i].n;
	return 0;
}

static void phase_at_most(struct request *r, enum last_phase phase)
{
	if (phase > r->phase)
		r->phase = phase;
}

static void scan_clang_flag(struct request *r, const char *flag)
{
	const char *v;

	/* clang-format off */
#define WORD(text, effect) if (!strcmp(flag, text)) { effect; return; }
#define PREFIX(text, effect) if (begins(flag, text)) { v = flag + strlen(text); (void)v; effect; return; }
	/* clang-format on */
#include "clang_flags.def"
#undef WORD
#undef PREFIX
}

/* -T FILE, but not -Ttext=ADDRESS and its kind. */
static bool names_script(const char *word)
{
	if (begins(word, "-T"))
		return !begins(word, "-Ttext") && !begins(word, "-Tdata") &&
		       !begins(word, "-Tbss") && !begins(word, "-Trodata") &&
		       !begins(word, "-Tldata");
	word += begins(word, "--");
	return begins(word, "-script") || begins(word, "-default-script") || !strcmp(word, "-dT");
}

static bool aligns_branches(const char *text)
{
	return strstr(text, "x86-align-branch") || strstr(text, "x86-branches-within") ||
	       strstr(text, "x86-pad-") || strstr(text, "malign-branch") ||
	       strstr(text, "mbranches-within");
}

static void scan_linker_word(struct request *r, const char *word)
{
	if (names_script(word))
		r->own_script = true;
	if (!strcmp(word, "-r") || !strcmp(word, "-i") || !strcmp(word, "--relocatable") ||
	    !strcmp(word, "-relocatable"))
		r->relocatable = true;
}

/* -Wl,A,B,C */
static void scan_linker_words(struct request *r, const char *words)
{
	char *copy = text_format("%s", words), *word, *comma;

	for (word = copy; word; word = comma) {
		comma = strchr(word, ',');
		if (comma)
			*comma++ = '\0';
		scan_linker_word(r, word);
	}
}

static bool among(const char *word, const char *list)
{
	size_t n = strlen(word);

	for (const char *p = list; n && (p = strstr(p, word)); p += n)
		if (p[-1] == ' ' && p[n] == ' ')
			return true;
	return false;
}

static enum input input_kind(const struct request *r, const char *name)
{
	static const char sources[] =
		" c cc cpp cxx C c++ cp CPP CC c++m cppm ccm cxxm ixx i ii m mi mm M mii ";
	static const char languages[] =
		" c c++ cpp-output c++-cpp-output objective-c objective-c++ "
		"objective-c-cpp-output objective-c++-cpp-output c++-module ";
	const char *x = r->language, *dot = strrchr(name, '.');
	const char *ext = dot && !strchr(dot, '/') ? dot + 1 : "";
	size_t n;

	if (x && strcmp(x, "none")) {
		n = strlen(x);
		if (among(x, languages))
			return INPUT_SOURCE;
		if (!strcmp(x, "ir"))
			return INPUT_IR;
		if (begins(x, "assembler"))
			return INPUT_ASSEMBLER;
		return n > 7 && strstr(x, "-header") ? INPUT_HEADER : INPUT_OTHER;
	}
	if (!strcmp(name, "-"))
		return INPUT_SOURCE; /* only with -E or -M: clang asks for -x otherwise */
	if (among(ext, sources))
		return INPUT_SOURCE;
	if (among(ext, " ll bc "))
		return INPUT_IR;
	if (among(ext, " s S asm sx "))
		return INPUT_ASSEMBLER;
	return among(ext, " h hh H hpp hxx h++ pch pcm ") ? INPUT_HEADER : INPUT_OTHER;
}

/* The value of a flag that stands in the next argument. */
static void scan_value(struct request *r, const char *flag, const char *value)
{
	if (!strcmp(flag, "-Xlinker") || !strcmp(flag, "--for-linker"))
		scan_linker_word(r, value);
	else if (!strcmp(flag, "-T"))
		r->own_script = true;
	else if (!strcmp(flag, "-x") || !strcmp(flag, "--language"))
		r->language = value;
	else if (!strcmp(flag, "-target"))
		r->target = value;
	else if (!strcmp(flag, "-B") || !strcmp(flag, "--prefix"))
		strings_add(&r->prefixes, value);
	else if (!strcmp(flag, "--config"))
		r->config_file = value;
	if ((!strcmp(flag, "-mllvm") || begins(flag, "-X")) && aligns_branches(value))
		r->aligned = value;
}

static void scan_flag(struct request *r, const char *flag)
{
	if (begins(flag, "-Wl,"))
		scan_linker_words(r, flag + 4);
	if ((begins(flag, "-Wl,") || begins(flag, "-Wa,") || begins(flag, "-mllvm=")) &&
	    aligns_branches(flag))
		r->aligned = flag;
	if (begins(flag, "-T") && names_script(flag))
		r->own_script = true;
	scan_clang_flag(r, flag);
}

void request_scan(struct request *r, struct args *args)
{
	bool only_inputs = false;
	const char *text;
	size_t n;

	r->language = NULL;
	for (size_t i = 0; i < args->n; i++) {
		text = args->v[i].text;
		if (only_inputs || text[0] != '-' || !text[1]) {
			r->inputs[input_kind(r, text)]++;
		} else if (!strcmp(text, "--")) {
			only_inputs = true;
		} else if ((n = value_count(text))) {
			if (i + 1 < args->n)
				scan_value(r, text, args->v[i + 1].text);
			i += n;
		} else if (option_read(r, text)) {
			args->v[i].drop = true;
		} else {
			scan_flag(r, text);
		}
	}
}
