/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * audit_sources.c - parses the translation units of a compilation database with
 * libclang and collects the function definitions that ask to be left alone.
 *
 * Each unit is parsed once to learn its files; if one of them spells
 * [[dynopt::disable]], it is parsed again with that file rewritten in memory. Flags that only
 * dynopt's driver or clang's code generator understand are dropped.
 */
#include "audit.h"

#include <clang-c/CXCompilationDatabase.h>
#include <stdlib.h>
#include <string.h>

#define ANNOTATION "dynopt_disable"

/* Dropped with its argument when `takes` is set. */
static const struct {
	const char *flag;
	bool prefix, takes;
} dropped[] = {
	{ "-fdynopt-", true, false },
	{ "-fno-dynopt-", true, false },
	{ "-fplugin", true, false },
	{ "-fpass-plugin", true, false },
	{ "-fno-integrated-as", false, false },
	{ "-save-temps", true, false },
	{ "-c", false, false },
	{ "-o", false, true },
	{ "-MD", false, false },
	{ "-MMD", false, false },
	{ "-MP", false, false },
	{ "-MF", false, true },
	{ "-MT", false, true },
	{ "-MQ", false, true },
	{ "-Werror", true, false },
};

/* Added: no noise, no limits, and the GNU attribute as the annotation that the plugin makes of it. */
static const char *const added[] = { "-w", "-ferror-limit=0",
	                             "-Ddynopt_disable=annotate(\"" ANNOTATION "\")" };

struct strings {
	VEC(char *) v;
};

struct reading {
	struct audit *audit;
	CXTranslationUnit unit;
	CXFile file; /* that `regions` are of */
	struct pragma_regions regions;
	VEC(struct CXUnsavedFile) rewritten;
};

static char *keep(CXString s)
{
	const char *text = clang_getCString(s);
	char *copy = base_printf("%s", text ? text : "");

	clang_disposeString(s);
	return copy;
}

/* How many of the arguments from `argument` on to drop: 0, 1 or 2. */
static unsigned drops(const char *argument)
{
	for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
		if (dropped[i].prefix
		            ? strncmp(argument, dropped[i].flag, strlen(dropped[i].flag)) == 0
		            : strcmp(argument, dropped[i].flag) == 0)
			return dropped[i].takes ? 2 : 1;
	return 0;
}

/* -Xclang -load -Xclang FILE: four arguments that name a plugin. */
static bool loads_plugin(CXCompileCommand command, unsigned i, unsigned n)
{
	char *first, *second;
	bool is;

	if (i + 3 >= n)
		return false;
	first = keep(clang_CompileCommand_getArg(command, i));
	second = keep(clang_CompileCommand_getArg(command, i + 1));
	is = strcmp(first, "-Xclang") == 0 && strcmp(second, "-load") == 0;
	free(first);
	free(second);
	return is;
}

static void clean_arguments(struct strings *to, CXCompileCommand command)
{
	unsigned n = clang_CompileCommand_getNumArgs(command);
	char *compiler = keep(clang_CompileCommand_getArg(command, 0));
	bool cxx = strlen(compiler) > 2 && strcmp(compiler + strlen(compiler) - 2, "++") == 0;

	free(compiler);
	*vec_add(&to->v) = base_printf(cxx ? "clang++" : "clang");
	*vec_add(&to->v) = base_printf("-working-directory");
	*vec_add(&to->v) = keep(clang_CompileCommand_getDirectory(command));
	for (unsigned i = 1; i < n; i++) {
		char *argument = keep(clang_CompileCommand_getArg(command, i));
		unsigned drop = loads_plugin(command, i, n) ? 4 : drops(argument);

		/* "--" would turn what is added below into file names. */
		if (!drop && strcmp(argument, "--") == 0)
			drop = 1;
		if (drop) {
			free(argument);
			i += drop - 1;
		} else {
			*vec_add(&to->v) = argument;
		}
	}
	for (size_t i = 0; i < sizeof(added) / sizeof(added[0]); i++)
		*vec_add(&to->v) = base_printf("%s", added[i]);
}

static bool same_place(const struct asked *a, const char *file, unsigned line, const char *display)
{
	return a->line == line && strcmp(a->file, file) == 0 && strcmp(a->display, display) == 0;
}

static void add_names(struct asked *a, CXCursor cursor)
{
	CXStringSet *all = clang_Cursor_getCXXManglings(cursor);

	for (unsigned i = 0; all && i < all->Count; i++)
		*vec_add(&a->names) = base_printf("%s", clang_getCString(all->Strings[i]));
	if (all)
		clang_disposeStringSet(all);
	if (a->names.n)
		return;
	char *name = keep(clang_Cursor_getMangling(cursor));

	if (*name)
		*vec_add(&a->names) = name;
	else
		free(name);
}

/* "6Holder", then "3getI": what the linker names of a template's instances have in common. */
static void add_needles(struct asked *a, CXCursor cursor)
{
	CXCursor parent = clang_getCursorSemanticParent(cursor);
	enum CXCursorKind kind = clang_getCursorKind(parent);
	CXString spelling = clang_getCursorSpelling(cursor);
	const char *name = clang_getCString(spelling);
	enum CXCursorKind own = clang_getCursorKind(cursor);

	if (kind == CXCursor_ClassTemplate || kind == CXCursor_ClassDecl ||
	    kind == CXCursor_StructDecl || kind == CXCursor_Namespace ||
	    kind == CXCursor_ClassTemplatePartialSpecialization)
		add_needles(a, parent);
	if (own == CXCursor_Constructor || own == CXCursor_Destructor)
		*vec_add(&a->needles) = base_printf(own == CXCursor_Constructor ? "C" : "D");
	else if (strncmp(name, "operator", 8) != 0 && *name)
		*vec_add(&a->needles) = base_printf("%zu%.*s%s", strcspn(name, "<"),
		                                    (int)strcspn(name, "<"), name,
		                                    own == CXCursor_FunctionTemplate ? "I" : "");
	clang_disposeString(spelling);
}

static bool in_template(CXCursor cursor)
{
	for (;
	     !clang_Cursor_isNull(cursor) && !clang_isTranslationUnit(clang_getCursorKind(cursor));
	     cursor = clang_getCursorSemanticParent(cursor)) {
		enum CXCursorKind kind = clang_getCursorKind(cursor);

		if (kind == CXCursor_FunctionTemplate || kind == CXCursor_ClassTemplate ||
		    kind == CXCursor_ClassTemplatePartialSpecialization)
			return true;
	}
	return false;
}

static void add_asked(struct reading *r, CXCursor cursor)
{
	struct asked a = { 0 };
	CXFile file;

	clang_getExpansionLocation(clang_getCursorLocation(cursor), &file, &a.line, NULL, NULL);
	a.file = keep(clang_getFileName(file));
	a.display = keep(clang_getCursorDisplayName(cursor));
	for (size_t i = 0; i < r->audit->asked.n; i++)
		if (same_place(&r->audit->asked.at[i], a.file, a.line, a.display)) {
			free(a.file);
			free(a.display);
			return;
		}
	enum CXLinkageKind linkage = clang_getCursorLinkage(cursor);

	a.internal = linkage == CXLinkage_Internal || linkage == CXLinkage_UniqueExternal;
	if (in_template(cursor))
		add_needles(&a, cursor);
	else
		add_names(&a, cursor);
	*vec_add(&r->audit->asked) = a;
}

static bool is_function(CXCursor cursor)
{
	switch (clang_getCursorKind(cursor)) {
	case CXCursor_FunctionDecl:
	case CXCursor_CXXMethod:
	case CXCursor_Constructor:
	case CXCursor_Destructor:
	case CXCursor_ConversionFunction:
	case CXCursor_FunctionTemplate:
		return true;
	default:
		return false;
	}
}

static bool under_pragma(struct reading *r, CXCursor cursor)
{
	CXSourceRange extent = clang_getCursorExtent(cursor);
	unsigned name, start, end;
	CXFile file;

	clang_getExpansionLocation(clang_getCursorLocation(cursor), &file, NULL, NULL, &name);
	clang_getExpansionLocation(clang_getRangeStart(extent), NULL, NULL, NULL, &start);
	clang_getExpansionLocation(clang_getRangeEnd(extent), NULL, NULL, NULL, &end);
	if (!file)
		return false;
	if (!r->file || !clang_File_isEqual(file, r->file)) {
		pragma_free(&r->regions);
		pragma_read(&r->regions, r->unit, file);
		r->file = file;
	}
	return pragma_covers(&r->regions, name, start, end);
}

static enum CXChildVisitResult visit(CXCursor cursor, CXCursor parent, CXClientData data)
{
	struct reading *r = data;

	if (clang_getCursorKind(cursor) == CXCursor_AnnotateAttr) {
		char *text = keep(clang_getCursorSpelling(cursor));

		if (strcmp(text, ANNOTATION) == 0 && is_function(parent) &&
		    clang_isCursorDefinition(parent))
			add_asked(r, parent);
		free(text);
		return CXChildVisit_Continue;
	}
	if (clang_isAttribute(clang_getCursorKind(cursor)))
		return CXChildVisit_Continue;
	if (clang_Location_isInSystemHeader(clang_getCursorLocation(cursor)))
		return CXChildVisit_Continue;
	if (is_function(cursor) && clang_isCursorDefinition(cursor) && under_pragma(r, cursor))
		add_asked(r, cursor);
	return CXChildVisit_Recurse;
}

static void rewrite(CXFile file, CXSourceLocation *stack, unsigned depth, CXClientData data)
{
	struct reading *r = data;
	size_t size = 0, new_size = 0;
	const char *text = clang_getFileContents(r->unit, file, &size);
	char *changed;

	(void)depth;
	if (!text || (depth && clang_Location_isInSystemHeader(stack[0])))
		return;
	changed = pragma_rewrite(text, size, &new_size);
	if (changed)
		*vec_add(&r->rewritten) =
			(struct CXUnsavedFile){ keep(clang_getFileName(file)), changed, new_size };
}

static bool first_error(CXTranslationUnit unit, char **error)
{
	for (unsigned i = 0; i < clang_getNumDiagnostics(unit); i++) {
		CXDiagnostic d = clang_getDiagnostic(unit, i);
		bool bad = clang_getDiagnosticSeverity(d) >= CXDiagnostic_Error;

		if (bad)
			*error =
				keep(clang_formatDiagnostic(d, CXDiagnostic_DisplaySourceLocation));
		clang_disposeDiagnostic(d);
		if (bad)
			return true;
	}
	return false;
}

static bool read_unit(struct audit *audit, CXIndex index, CXCompileCommand command, char **error)
{
	struct reading r = { .audit = audit };
	struct strings arguments = { 0 };
	enum CXErrorCode code;
	bool ok = false;

	clean_arguments(&arguments, command);
	code = clang_parseTranslationUnit2FullArgv(
		index, NULL, (const char *const *)arguments.v.at, (int)arguments.v.n, NULL, 0,
		CXTranslationUnit_DetailedPreprocessingRecord | CXTranslationUnit_KeepGoing,
		&r.unit);
	if (code != CXError_Success) {
		char *file = keep(clang_CompileCommand_getFilename(command));

		*error = base_printf("%s: libclang cannot parse it (error %d)", file, code);
		free(file);
		goto out_arguments;
	}
	clang_getInclusions(r.unit, rewrite, &r);
	if (r.rewritten.n &&
	    clang_reparseTranslationUnit(r.unit, (unsigned)r.rewritten.n, r.rewritten.at,
	                                 clang_defaultReparseOptions(r.unit)) != 0) {
		*error = base_printf("%s: libclang cannot parse it again",
		                     r.rewritten.at[0].Filename);
		goto out_unit;
	}
	if (first_error(r.unit, error))
		goto out_unit;
	clang_visitChildren(clang_getTranslationUnitCursor(r.unit), visit, &r);
	audit->n_sources++;
	ok = true;
out_unit:
	clang_disposeTranslationUnit(r.unit);
out_arguments:
	pragma_free(&r.regions);
	for (size_t i = 0; i < r.rewritten.n; i++) {
		free((void *)r.rewritten.at[i].Filename);
		free((void *)r.rewritten.at[i].Contents);
	}
	free(r.rewritten.at);
	for (size_t i = 0; i < arguments.v.n; i++)
		free(arguments.v.at[i]);
	free(arguments.v.at);
	return ok;
}

bool audit_read_sources(struct audit *audit, const char *directory, char **error)
{
	CXCompilationDatabase_Error failed;
	CXCompilationDatabase database =
		clang_CompilationDatabase_fromDirectory(directory, &failed);
	bool ok = true;

	if (failed != CXCompilationDatabase_NoError) {
		*error = base_printf("no usable compile_commands.json there");
		return false;
	}
	CXCompileCommands commands = clang_CompilationDatabase_getAllCompileCommands(database);
	CXIndex index = clang_createIndex(0, 0);

	for (unsigned i = 0; ok && i < clang_CompileCommands_getSize(commands); i++)
		ok = read_unit(audit, index, clang_CompileCommands_getCommand(commands, i), error);
	clang_disposeIndex(index);
	clang_CompileCommands_dispose(commands);
	clang_CompilationDatabase_dispose(database);
	return ok;
}
