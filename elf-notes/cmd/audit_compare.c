/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * audit_compare.c - matches source functions with symbols and symbols with
 * no-optimize ranges of reason USER (or objects disabled as a whole).
 *
 * A symbol's clones (f.cold, f.llvm.123, f.2) count as the function. A file-local
 * function is looked for in its own file's symbols; where link-time optimization lost the file,
 * as many symbols of that name must be noted as sources ask for.
 */
#include "audit.h"

#include <stdlib.h>
#include <string.h>

struct span {
	u64 start, end;
};
struct spans {
	VEC(struct span) v;
};

static int by_span(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static void collect_user_spans(struct spans *spans, const struct model *m)
{
	for (size_t i = 0; i < m->ranges.n; i++)
		if (model_disabled(m, &m->ranges.at[i]))
			*vec_add(&spans->v) = (struct span){ m->ranges.at[i].record.start,
				                             m->ranges.at[i].record.end };
	for (size_t i = 0; i < m->noopts.n; i++)
		if (m->noopts.at[i].reasons & DYNOPT_REASON_USER)
			*vec_add(&spans->v) =
				(struct span){ m->noopts.at[i].start, m->noopts.at[i].end };
	if (spans->v.n)
		qsort(spans->v.at, spans->v.n, sizeof(*spans->v.at), by_span);
}

/* Bytes from addr on, up to addr + size, that spans cover without a gap. */
static u64 covered(const struct spans *spans, u64 addr, u64 size)
{
	u64 at = addr;

	for (size_t i = 0; i < spans->v.n && at < addr + size; i++)
		if (spans->v.at[i].start <= at && spans->v.at[i].end > at)
			at = spans->v.at[i].end;
	return at < addr + size ? at - addr : size;
}

/* Length of a symbol's name without what clones append. */
static size_t base_length(const char *symbol)
{
	return strcspn(symbol, ".");
}

static bool has_needles(const struct asked *a, const char *symbol)
{
	const char *p = symbol;

	if (strncmp(symbol, "_Z", 2) != 0)
		return false;
	for (size_t i = 0; i < a->needles.n; i++) {
		p = strstr(p, a->needles.at[i]);
		if (!p)
			return false;
		p += strlen(a->needles.at[i]) - (a->needles.at[i][0] > '9' ? 0 : 1);
	}
	return a->needles.n > 0;
}

static bool names(const struct asked *a, const char *symbol)
{
	for (size_t i = 0; i < a->names.n; i++)
		if (strlen(a->names.at[i]) == base_length(symbol) &&
		    strncmp(a->names.at[i], symbol, base_length(symbol)) == 0)
			return true;
	return a->needles.n && has_needles(a, symbol);
}

/* Inside an asked function: its lambdas and local classes ("_ZZ" + name without "_Z" ...). */
static bool names_inner(const struct asked *a, const char *symbol)
{
	if (strncmp(symbol, "_ZZ", 3) != 0)
		return false;
	for (size_t i = 0; i < a->names.n; i++) {
		const char *name = a->names.at[i];
		const char *tail = strncmp(name, "_Z", 2) == 0 ? name + 2 : name;

		if (strstr(symbol, tail))
			return true;
	}
	return false;
}

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Does another asked function have the same linker name? Then counts decide, not names. */
static size_t same_named(const struct audit *audit, const struct asked *a)
{
	size_t n = 0;

	for (size_t i = 0; i < audit->asked.n; i++)
		for (size_t k = 0; k < audit->asked.at[i].names.n; k++)
			if (a->names.n &&
			    strcmp(audit->asked.at[i].names.at[k], a->names.at[0]) == 0) {
				n++;
				break;
			}
	return n;
}

static void compare(struct audit *audit, struct asked *a, const struct image *image,
                    const struct spans *spans)
{
	size_t found = 0, whole = 0, found_here = 0, whole_here = 0;

	for (size_t i = 0; i < image->symbols.n; i++) {
		const struct symbol *s = &image->symbols.at[i];

		if (s->type != STT_FUNC || !names(a, s->name))
			continue;
		bool here = s->file && strcmp(s->file, file_name(a->file)) == 0;
		bool all = covered(spans, s->addr, s->size ? s->size : 1) ==
		           (s->size ? s->size : 1);

		found++;
		whole += all;
		found_here += here;
		whole_here += here && all;
	}
	if (a->internal && found_here) {
		found = found_here;
		whole = whole_here;
	} else if (a->internal && found > same_named(audit, a)) {
		found = same_named(audit, a);
		whole = whole < found ? whole : found;
	}
	a->in_binary |= found > 0;
	a->noted |= found && whole == found;
	a->missing |= whole < found;
}

/* A noted symbol stands for all symbols of its address. */
static void collect_noted(struct audit *audit, const struct image *image, const struct spans *spans)
{
	for (size_t i = 0; i < image->symbols.n; i++) {
		const struct symbol *s = &image->symbols.at[i];
		u64 size = s->size ? s->size : 1, n;
		bool asked = false;

		if (s->type != STT_FUNC)
			continue;
		n = covered(spans, s->addr, size);
		if (!n)
			continue;
		for (size_t k = 0; k < audit->asked.n && !asked; k++)
			asked = names(&audit->asked.at[k], s->name) ||
			        names_inner(&audit->asked.at[k], s->name);
		*vec_add(&audit->noted) = (struct noted){ .binary = image->path,
			                                  .symbol = base_printf("%s", s->name),
			                                  .addr = s->addr,
			                                  .whole = n == size,
			                                  .asked = asked };
	}
}

bool audit_binary(struct audit *audit, const struct image *image, const struct model *model)
{
	struct spans spans = { 0 };

	if (!image->symbols.n)
		return false;
	collect_user_spans(&spans, model);
	for (size_t i = 0; i < audit->asked.n; i++)
		compare(audit, &audit->asked.at[i], image, &spans);
	collect_noted(audit, image, &spans);
	free(spans.v.at);
	return true;
}

void audit_free(struct audit *audit)
{
	for (size_t i = 0; i < audit->asked.n; i++) {
		struct asked *a = &audit->asked.at[i];

		for (size_t k = 0; k < a->names.n; k++)
			free(a->names.at[k]);
		for (size_t k = 0; k < a->needles.n; k++)
			free(a->needles.at[k]);
		free(a->names.at);
		free(a->needles.at);
		free(a->display);
		free(a->file);
	}
	for (size_t i = 0; i < audit->noted.n; i++)
		free(audit->noted.at[i].symbol);
	free(audit->asked.at);
	free(audit->noted.at);
}
