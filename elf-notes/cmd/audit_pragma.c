/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * audit_pragma.c - the two spellings that libclang cannot see: `#pragma dynopt
 * disable push` / `pop`, found among a file's tokens, and [[dynopt::disable]], which is
 * rewritten before parsing.
 *
 * Lines that the preprocessor skipped do not count. Regions nest; one that is never
 * popped reaches to the end of the file, as the plugin has it.
 */
#include "audit.h"

#include <stdlib.h>
#include <string.h>

#define ANNOTATION "clang::annotate(\"dynopt_disable\")"

static bool token_is(CXTranslationUnit unit, CXToken token, const char *word)
{
	CXString s = clang_getTokenSpelling(unit, token);
	bool same = strcmp(clang_getCString(s), word) == 0;

	clang_disposeString(s);
	return same;
}

static unsigned offset_of(CXSourceLocation location)
{
	unsigned offset;

	clang_getSpellingLocation(location, NULL, NULL, NULL, &offset);
	return offset;
}

static bool skipped(const CXSourceRangeList *ranges, unsigned offset)
{
	for (unsigned i = 0; ranges && i < ranges->count; i++)
		if (offset >= offset_of(clang_getRangeStart(ranges->ranges[i])) &&
		    offset < offset_of(clang_getRangeEnd(ranges->ranges[i])))
			return true;
	return false;
}

static void read_tokens(struct pragma_regions *regions, CXTranslationUnit unit,
                        const CXToken *tokens, unsigned n, const CXSourceRangeList *holes,
                        unsigned end)
{
	unsigned depth = 0, start = 0;

	for (unsigned i = 1; i + 3 < n; i++) {
		if (!token_is(unit, tokens[i], "pragma") || !token_is(unit, tokens[i - 1], "#") ||
		    !token_is(unit, tokens[i + 1], "dynopt") ||
		    !token_is(unit, tokens[i + 2], "disable"))
			continue;
		unsigned at = offset_of(clang_getTokenLocation(unit, tokens[i]));

		if (skipped(holes, at))
			continue;
		if (token_is(unit, tokens[i + 3], "push")) {
			*vec_add(&regions->pushes) = at;
			if (depth++ == 0)
				start = at;
		} else if (token_is(unit, tokens[i + 3], "pop") && depth && --depth == 0) {
			*vec_add(&regions->v) = (struct pragma_region){ start, at };
		}
	}
	if (depth)
		*vec_add(&regions->v) = (struct pragma_region){ start, end };
}

void pragma_read(struct pragma_regions *regions, CXTranslationUnit unit, CXFile file)
{
	size_t size = 0;
	const char *text = clang_getFileContents(unit, file, &size);
	CXToken *tokens = NULL;
	unsigned n = 0;

	*regions = (struct pragma_regions){ 0 };
	if (!text || !memmem(text, size, "pragma", 6) || !memmem(text, size, "dynopt", 6))
		return;
	CXSourceRangeList *holes = clang_getSkippedRanges(unit, file);

	clang_tokenize(unit,
	               clang_getRange(clang_getLocationForOffset(unit, file, 0),
	                              clang_getLocationForOffset(unit, file, (unsigned)size)),
	               &tokens, &n);
	read_tokens(regions, unit, tokens, n, holes, (unsigned)size);
	clang_disposeTokens(unit, tokens, n);
	clang_disposeSourceRangeList(holes);
}

void pragma_free(struct pragma_regions *regions)
{
	free(regions->v.at);
	free(regions->pushes.at);
}

bool pragma_covers(const struct pragma_regions *regions, unsigned name, unsigned start,
                   unsigned end)
{
	for (size_t i = 0; i < regions->v.n; i++)
		if (name >= regions->v.at[i].start && name < regions->v.at[i].end)
			return true;
	for (size_t i = 0; i < regions->pushes.n; i++)
		if (regions->pushes.at[i] > start && regions->pushes.at[i] < end)
			return true;
	return false;
}

/* Length of `dynopt :: disable` at text, spaces allowed between the tokens; 0 if it is not. */
static size_t spelled(const char *text, size_t size)
{
	static const char *const pieces[] = { "dynopt", "::", "disable" };
	size_t at = 0;

	for (size_t i = 0; i < 3; i++) {
		size_t length = strlen(pieces[i]);

		while (i && at < size && (text[at] == ' ' || text[at] == '\t'))
			at++;
		if (size - at < length || memcmp(text + at, pieces[i], length) != 0)
			return 0;
		at += length;
	}
	return at;
}

char *pragma_rewrite(const char *text, size_t size, size_t *new_size)
{
	const char *end = text + size, *from = text, *p = text;
	char *all = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&all, new_size);

	if (!out)
		return NULL;
	while ((p = memmem(p, (size_t)(end - p), "dynopt", 6))) {
		size_t length = spelled(p, (size_t)(end - p));

		if (length) {
			fwrite(from, 1, (size_t)(p - from), out);
			fputs(ANNOTATION, out);
			from = p + length;
			n++;
		}
		p += length ? length : 1;
	}
	fwrite(from, 1, (size_t)(end - from), out);
	fclose(out);
	if (n)
		return all;
	free(all);
	return NULL;
}
