/* SPDX-License-Identifier: MIT */
/*
 * options.c - parses plugin arguments, publishes and finds the result.
 *
 * A table of names drives the parser; a value outside its bounds is refused with
 * a line that says what is allowed, never silently clipped. The rendezvous uses
 * LLVM's process-wide symbol table, so neither plugin needs the other to be loaded
 * first, or at all.
 */
#include "options.h"
#include "dynopt_notes.h"
#include "facts.h"

#include <llvm-c/Support.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_SYMBOL "dynopt_fe_options"

#define NAMES "budget, cache, report, disable-object, lto, hash"

void options_init(struct options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
	options->phase = PHASE_COMPILE;
	options->budget = FACTS_BUDGET_DEFAULT;
	options->cache = FACTS_CACHE_DEFAULT;
}

static bool number(const char *text, uint32_t max, uint32_t *out)
{
	if (*text < '0' || *text > '9')
		return false;
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || value > max)
		return false;
	*out = value;
	return true;
}

bool options_parse(struct options *options, const char *argument, char *why, size_t why_size)
{
	uint32_t disable = 0, lto = 0, report = 0;
	const struct {
		const char *name;
		uint32_t max;
		uint32_t *out;
	} numbers[] = {
		{ "budget", 10000, &options->budget },
		{ "cache", 100000, &options->cache },
		{ "report", 1, &report },
		{ "disable-object", 1, &disable },
		{ "lto", 1, &lto },
	};
	const char *equals = strchr(argument, '=');
	const char *value = equals ? equals + 1 : "1";
	size_t length = equals ? (size_t)(equals - argument) : strlen(argument);

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strlen(numbers[i].name) != length || memcmp(argument, numbers[i].name, length))
			continue;
		if (!number(value, numbers[i].max, numbers[i].out)) {
			snprintf(why, why_size,
			         "plugin option '%s': '%s' is not a number from 0 to %u",
			         numbers[i].name, value, numbers[i].max);
			return false;
		}
		if (disable)
			options->object_flags |= DYNOPT_OBJECT_DISABLED;
		if (report)
			options->object_flags |= FACTS_REPORT;
		if (lto)
			options->phase = PHASE_PRELINK;
		return true;
	}
	if (length == 4 && !memcmp(argument, "hash", 4)) {
		if (strlen(value) < sizeof(options->hash)) {
			strcpy(options->hash, value);
			return true;
		}
		snprintf(why, why_size, "plugin option 'hash' is longer than %zu characters",
		         sizeof(options->hash) - 1);
		return false;
	}
	snprintf(why, why_size, "unknown plugin option '%s' (there are " NAMES ")", argument);
	return false;
}

void options_publish(struct options *options)
{
	LLVMAddSymbol(OPTIONS_SYMBOL, options);
}

struct options *options_published(void)
{
	struct options *options = LLVMSearchForAddressOfSymbol(OPTIONS_SYMBOL);

	return options && options->size == sizeof(*options) ? options : NULL;
}
