/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * audit_report.c - prints the four lists of `dynopt audit`: asked and noted, asked
 * but missing, asked but not in any binary, noted though nobody asked.
 */
#include "audit.h"

#include <json-c/json.h>

enum list { LIST_NOTED, LIST_MISSING, LIST_ABSENT, N_LISTS };

static const struct {
	const char *key, *title;
} lists[N_LISTS] = {
	[LIST_NOTED] = { "noted", "asked for, and in the notes" },
	[LIST_MISSING] = { "missing", "asked for, but MISSING in the notes" },
	[LIST_ABSENT] = { "absent", "asked for, but not in the binary (inlined away or unused)" },
};

static enum list list_of(const struct asked *a)
{
	if (a->missing)
		return LIST_MISSING;
	return a->in_binary ? LIST_NOTED : LIST_ABSENT;
}

void audit_print_text(const struct audit *audit, FILE *out)
{
	size_t n[N_LISTS] = { 0 }, unasked = 0;

	for (size_t i = 0; i < audit->asked.n; i++)
		n[list_of(&audit->asked.at[i])]++;
	for (size_t i = 0; i < audit->noted.n; i++)
		unasked += !audit->noted.at[i].asked;
	fprintf(out, "%zu source file%s read\n", audit->n_sources,
	        audit->n_sources == 1 ? "" : "s");
	for (int list = 0; list < N_LISTS; list++) {
		fprintf(out, "%s: %zu\n", lists[list].title, n[list]);
		for (size_t i = 0; i < audit->asked.n; i++) {
			const struct asked *a = &audit->asked.at[i];

			if ((int)list_of(a) == list)
				fprintf(out, "  %s (%s:%u)\n", a->display, a->file, a->line);
		}
	}
	fprintf(out, "in the notes, though no source read here asks for it: %zu\n", unasked);
	for (size_t i = 0; i < audit->noted.n; i++)
		if (!audit->noted.at[i].asked)
			fprintf(out, "  %s (%s, 0x%llx)\n", audit->noted.at[i].symbol,
			        audit->noted.at[i].binary,
			        (unsigned long long)audit->noted.at[i].addr);
}

void audit_print_json(const struct audit *audit, FILE *out)
{
	struct json_object *root = json_object_new_object(), *arrays[N_LISTS], *unasked;

	json_object_object_add(root, "sources", json_object_new_uint64(audit->n_sources));
	for (int list = 0; list < N_LISTS; list++) {
		arrays[list] = json_object_new_array();
		json_object_object_add(root, lists[list].key, arrays[list]);
	}
	unasked = json_object_new_array();
	json_object_object_add(root, "unasked", unasked);
	for (size_t i = 0; i < audit->asked.n; i++) {
		const struct asked *a = &audit->asked.at[i];
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "function", json_object_new_string(a->display));
		json_object_object_add(o, "file", json_object_new_string(a->file));
		json_object_object_add(o, "line", json_object_new_uint64(a->line));
		json_object_array_add(arrays[list_of(a)], o);
	}
	for (size_t i = 0; i < audit->noted.n; i++) {
		const struct noted *n = &audit->noted.at[i];
		struct json_object *o;

		if (n->asked)
			continue;
		o = json_object_new_object();
		json_object_object_add(o, "symbol", json_object_new_string(n->symbol));
		json_object_object_add(o, "binary", json_object_new_string(n->binary));
		json_object_object_add(o, "address", json_object_new_uint64(n->addr));
		json_object_array_add(unasked, o);
	}
	fprintf(out, "%s\n",
	        json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
	                                                     JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}
