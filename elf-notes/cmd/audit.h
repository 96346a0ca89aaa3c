/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * audit.h - `dynopt audit`: what the sources ask to leave alone, what binaries note,
 * and how the two compare.
 *
 * Sources are read with libclang, which cannot load dynopt's plugin: the GNU
 * attribute and the [[...]] one are turned into the annotation that the
 * plugin would make of them, pragmas are found among the tokens (audit_pragma.c).
 * A function is known by its linker name; templates by pieces of it.
 */
#ifndef DYNOPT_CMD_AUDIT_H
#define DYNOPT_CMD_AUDIT_H

#include <clang-c/Index.h>

#include "model.h"

/* One function definition that asks to be left alone. */
struct asked {
	char *display; /* "ns::f(int)" */
	char *file;
	unsigned line;
	bool internal;       /* other files may have another function of that name */
	VEC(char *) names;   /* linker names (several for constructors), or ... */
	VEC(char *) needles; /* ... pieces that a template's linker names hold, in order */
	bool in_binary, noted, missing;
};

/* A function of a binary with a no-optimize range of reason USER. */
struct noted {
	const char *binary;
	char *symbol;
	u64 addr;
	bool whole; /* all of the function lies in such ranges */
	bool asked;
};

struct audit {
	VEC(struct asked) asked;
	VEC(struct noted) noted;
	size_t n_sources;
};

/*
 * audit_sources.c: parses every translation unit of the compilation database in
 * `directory`. False with *error when one cannot be parsed.
 */
bool audit_read_sources(struct audit *audit, const char *directory, char **error);

/* audit_pragma.c: regions of `#pragma dynopt disable push/pop` in one file. */
struct pragma_region {
	unsigned start, end; /* offsets; the outermost push and its pop */
};
struct pragma_regions {
	VEC(struct pragma_region) v;
	VEC(unsigned) pushes; /* offset of each push */
};
void pragma_read(struct pragma_regions *regions, CXTranslationUnit unit, CXFile file);
void pragma_free(struct pragma_regions *regions);
/* Does a function of this name offset and this body (0, 0: none) fall under a region? */
bool pragma_covers(const struct pragma_regions *regions, unsigned name, unsigned start,
                   unsigned end);
/*
 * The file's text with [[dynopt::disable]] as [[clang::annotate("dynopt_disable")]], same lines;
 * NULL when it has none. To be freed.
 */
char *pragma_rewrite(const char *text, size_t size, size_t *new_size);

/* audit_compare.c: matches what is asked with one binary's symbols and notes. */
bool audit_binary(struct audit *audit, const struct image *image, const struct model *model);
void audit_free(struct audit *audit);

/* audit_report.c */
void audit_print_text(const struct audit *audit, FILE *out);
void audit_print_json(const struct audit *audit, FILE *out);

#endif
