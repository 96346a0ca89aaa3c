/* SPDX-License-Identifier: MIT */
/*
 * options.c - parses and explains the flags of options.def.
 *
 * Every flag has a second spelling, -fplugin-arg-dynopt-NAME, with NAME without
 * its "dynopt-": plain clang, clangd and clang-tidy accept and ignore that one.
 * Percentages are kept in 1/100 percent, the unit of clang-plugin/facts.h.
 */
#include "options.h"
#include "../facts.h"
#include "say.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PLUGIN_ARG "-fplugin-arg-dynopt-"
#define BUDGET_MAX_PERCENT 100
#define CACHE_MAX_PERCENT 1000

/* "12.5" or "12.5%", `n` characters long, as 1/100 percent; false: malformed. */
static bool percent_parse(const char *text, size_t n, unsigned int max_percent,
                          unsigned int *permyriad)
{
	unsigned int value = 0, digits = 0, decimals = 0;
	bool point = false;

	if (n && text[n - 1] == '%')
		n--;
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '.' && !point && digits) {
			point = true;
			continue;
		}
		if (!isdigit((unsigned char)text[i]) || ++digits > 6 || (point && ++decimals > 2))
			return false;
		value = value * 10 + (unsigned int)(text[i] - '0');
	}
	for (; decimals < 2; decimals++)
		value *= 10;
	if (!digits || text[n - 1] == '.' || value > max_percent * 100)
		return false;
	*permyriad = value;
	return true;
}

static void read_jumpstations(struct request *r, const char *value)
{
	static const char key[] = "budget:";
	size_t n;

	r->wanted = WANTED_BY_FLAG;
	r->budget_permyriad = FACTS_BUDGET_DEFAULT;
	for (; value; value = value[n] ? value + n + 1 : NULL) {
		n = strcspn(value, ",");
		if (strncmp(value, key, strlen(key)))
			fail(1,
			     "unknown option '%.*s' in -fdynopt-jumpstations=; known is budget:PERCENT",
			     (int)n, value);
		if (!percent_parse(value + strlen(key), n - strlen(key), BUDGET_MAX_PERCENT,
		                   &r->budget_permyriad))
			fail(1,
			     "bad budget '%.*s' in -fdynopt-jumpstations=; expected 0 to %d percent, like budget:2.5",
			     (int)(n - strlen(key)), value + strlen(key), BUDGET_MAX_PERCENT);
	}
}

static void read_no_jumpstations(struct request *r, const char *value)
{
	(void)value;
	r->wanted = WANTED_NO;
	r->refused = true;
}

static void read_cache_size(struct request *r, const char *value)
{
	if (!percent_parse(value, strlen(value), CACHE_MAX_PERCENT, &r->cache_permyriad))
		fail(1,
		     "bad value '%s' of -fdynopt-cache-size=; expected 0 to %d percent of the text, like 20%%",
		     value, CACHE_MAX_PERCENT);
}

static void read_report(struct request *r, const char *value)
{
	(void)value;
	r->report = true;
}

static void read_disable_object(struct request *r, const char *value)
{
	(void)value;
	r->disable_object = true;
}

static void read_runtime(struct request *r, const char *value)
{
	(void)value;
	r->runtime = true;
}

static void read_identity(struct request *r, const char *value)
{
	(void)value;
	r->identity = true;
}

static void read_help(struct request *r, const char *value)
{
	(void)value;
	r->help = true;
}

static const struct option {
	const char *name;
	const char *value; /* "": takes none, "=...": needs one, "[=...]": may have one */
	void (*read)(struct request *r, const char *value);
	bool idle_alone; /* in vain without -fdynopt-jumpstations */
	const char *help;
} options[] = {
#define X(name, value, read, idle_alone, help) { name, value, read, idle_alone, help },
#include "options.def"
#undef X
};

/* What follows -f in our own spelling, for either spelling; NULL: not ours. */
static const char *option_name(const char *flag)
{
	const char *name;

	if (!strncmp(flag, "-fdynopt-", 9) || !strncmp(flag, "-fno-dynopt-", 12))
		return flag + 2;
	if (strncmp(flag, PLUGIN_ARG, strlen(PLUGIN_ARG)))
		return NULL;
	name = flag + strlen(PLUGIN_ARG);
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		const char *own = options[i].name;
		bool no = !strncmp(own, "no-", 3);
		const char *bare = own + (no ? 3 : 0) + strlen("dynopt-");
		const char *rest = name;

		if (no && strncmp(rest, "no-", 3))
			continue;
		rest += no ? 3 : 0;
		if (!strncmp(rest, bare, strlen(bare)) &&
		    (!rest[strlen(bare)] || (rest[strlen(bare)] == '=' && options[i].value[0])))
			return text_format("%sdynopt-%s", no ? "no-" : "", rest);
	}
	return NULL; /* the plugin's own arguments pass */
}

bool option_read(struct request *r, const char *flag)
{
	const char *name = option_name(flag), *value;
	size_t n;

	if (!name)
		return false;
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		const struct option *o = &options[i];

		n = strlen(o->name);
		if (strncmp(name, o->name, n) || (name[n] && name[n] != '='))
			continue;
		value = name[n] ? name + n + 1 : NULL;
		if (value && !o->value[0])
			fail(1, "-f%s takes no value", o->name);
		if (!value && o->value[0] == '=')
			fail(1, "-f%s needs a value: -f%s%s", o->name, o->name, o->value);
		if (o->idle_alone)
			r->idle = flag;
		o->read(r, value);
		return true;
	}
	fail(1, "unknown option '%s'; see dynopt-clang -fdynopt-help", flag);
}

void options_help(void)
{
	puts("dynopt-clang, dynopt-clang++: clang 19 with code that can be optimized while it runs\n"
	     "\n"
	     "Usage: dynopt-clang [-fdynopt-jumpstations] [any argument of clang]...\n"
	     "\n"
	     "Flags\n");
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		printf("  -f%s%s\n      ", options[i].name, options[i].value);
		for (const char *p = options[i].help; *p; p++)
			fputs(*p == '\n' ? "\n      " : (char[]){ *p, '\0' }, stdout);
		puts("\n");
	}
	puts("Each may also be written -fplugin-arg-dynopt-jumpstations[=...] and so on, which\n"
	     "clangd, clang-tidy and clang's config files accept.\n"
	     "\n"
	     "Environment\n\n"
	     "  DYNOPT_CC_DEFAULT=1   as if -fdynopt-jumpstations stood first, but what cannot be\n"
	     "                        done is left out silently\n"
	     "  DYNOPT_REAL_CC, DYNOPT_REAL_CXX   the clang and clang++ to run\n"
	     "\n"
	     "Example\n\n"
	     "  dynopt-clang -O2 -fdynopt-jumpstations prog.c -o prog\n"
	     "  dynopt notes prog\n"
	     "\n"
	     "Exit status: clang's own; 1 for a flag that is wrong or cannot be honoured; 127 if\n"
	     "there is no clang. What -S, -save-temps, LTO and each linker need: docs/compiler.md\n"
	     "and docs/linking.md.");
}
