/* SPDX-License-Identifier: MIT */
/*
 * module.c - the two visits to a module, and how options travel with it.
 *
 * Every function that was compiled with the flag carries the string attribute
 *
 *     "dynopt"="BUDGET,CACHE,OBJECT_FLAGS"
 *
 * from the first pass on: the linker's LTO, which has no options of ours and may
 * merge modules that were compiled differently (or without the flag), obeys it
 * function by function. The module flag "dynopt" holds the same and the plugins'
 * hash, merged as a set (AppendUnique never fails): ThinLTO hashes the bitcode, so
 * nothing stale is served from its cache when plugin or options change.
 *
 * Invariant: facts are attached only where native code is made next, so that
 * bitcode linked without the plugin holds attributes that nobody reads, and no
 * section of ours.
 */
#include "module.h"
#include "classify.h"
#include "dynopt_notes.h"
#include "facts.h"
#include "facts_attach.h"
#include "ir.h"
#include "marks.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTRIBUTE "dynopt"
#define FLAG "dynopt"

static void words_write(char *text, size_t size, const struct options *options)
{
	snprintf(text, size, "%u,%u,%u", options->budget, options->cache, options->object_flags);
}

/* What the front end asked for, or the defaults where there was none. */
static struct options options_here(void)
{
	const struct options *published = options_published();

	if (published)
		return *published;
	struct options defaults;

	options_init(&defaults);
	return defaults;
}

static void functions_tag(LLVMModuleRef module, const struct options *options)
{
	char text[48];

	words_write(text, sizeof(text), options);
	LLVMAttributeRef tag = LLVMCreateStringAttribute(LLVMGetModuleContext(module), ATTRIBUTE,
	                                                 strlen(ATTRIBUTE), text, strlen(text));
	for (LLVMValueRef f = LLVMGetFirstFunction(module); f; f = LLVMGetNextFunction(f))
		if (!LLVMIsDeclaration(f) && !ir_attribute(f, ATTRIBUTE))
			LLVMAddAttributeAtIndex(f, LLVMAttributeFunctionIndex, tag);
}

static void module_flag(LLVMModuleRef module, const struct options *options)
{
	if (LLVMGetModuleFlag(module, FLAG, strlen(FLAG)))
		return;
	LLVMContextRef context = LLVMGetModuleContext(module);
	char words[48], text[sizeof(words) + OPTIONS_HASH_MAX];

	words_write(words, sizeof(words), options);
	int length = snprintf(text, sizeof(text), "%s,%s", words, options->hash);
	LLVMMetadataRef string = LLVMMDStringInContext2(context, text, length);

	LLVMAddModuleFlag(module, LLVMModuleFlagBehaviorAppendUnique, FLAG, strlen(FLAG),
	                  LLVMMDNodeInContext2(context, &string, 1));
}

bool module_in_compiler(void)
{
	return options_published() != NULL;
}

bool module_early(LLVMModuleRef module)
{
	struct options options = options_here();

	functions_tag(module, &options);
	module_flag(module, &options);
	marks_collect(module);
	/* Inlined into other objects by the linker, the object's flag would no longer cover it. */
	if ((options.object_flags & DYNOPT_OBJECT_DISABLED) && options.phase != PHASE_COMPILE)
		marks_disable_all(module);
	return true;
}

/* True if this run of the late pass is followed by code generation. */
static bool native_next(struct options *published)
{
	if (!published || published->phase == PHASE_COMPILE)
		return true;
	if (published->phase == PHASE_PRELINK)
		return false;
	return published->late_runs++ > 0; /* PHASE_FAT: the first run is for the bitcode */
}

static bool facts_of(LLVMValueRef f, const struct options *published, uint32_t words[FACTS_N_WORDS])
{
	static struct ir_kind optnone = { .name = "optnone" };
	const char *text = ir_attribute(f, ATTRIBUTE);

	if (!text)
		return false;
	char *next;

	words[FACTS_BUDGET_PERMYRIAD] = strtoul(text, &next, 10);
	words[FACTS_CACHE_PERMYRIAD] = strtoul(next + 1, &next, 10);
	words[FACTS_OBJECT_FLAGS] = strtoul(next + 1, &next, 10);
	if (ir_has(f, ir_kind_id(&optnone))) /* -O0: what is promised, in the time there is */
		words[FACTS_BUDGET_PERMYRIAD] = 0;

	struct verdict verdict = classify(f);

	words[FACTS_FACTS] = verdict.facts;
	words[FACTS_REASONS] = verdict.reasons;
	words[FACTS_NO_SLOTS] = verdict.no_slots;
	if (words[FACTS_OBJECT_FLAGS] & DYNOPT_OBJECT_DISABLED)
		words[FACTS_REASONS] |= DYNOPT_REASON_USER;
	/* In a linker one object may hold functions of several: they speak for themselves. */
	if (!published)
		words[FACTS_OBJECT_FLAGS] &= ~(uint32_t)DYNOPT_OBJECT_DISABLED;
	return true;
}

/* What the report calls the object; empty: no report. */
static const char *report_name(LLVMModuleRef module, uint32_t object_flags)
{
	size_t length;

	return object_flags & FACTS_REPORT ? LLVMGetSourceFileName(module, &length) : "";
}

bool module_late(LLVMModuleRef module, bool report)
{
	struct options *published = options_published();

	/* Functions that passes have made in this process (sanitizers' constructors). */
	if (published)
		functions_tag(module, published);
	if (!native_next(published))
		return true;
	for (LLVMValueRef f = LLVMGetFirstFunction(module); f; f = LLVMGetNextFunction(f)) {
		uint32_t words[FACTS_N_WORDS];

		if (LLVMIsDeclaration(f) || LLVMGetLinkage(f) == LLVMAvailableExternallyLinkage)
			continue;
		if (!facts_of(f, published, words))
			continue;
		if (report)
			words[FACTS_OBJECT_FLAGS] |= FACTS_REPORT;
		facts_attach(f, words, report_name(module, words[FACTS_OBJECT_FLAGS]));
	}
	return true;
}
