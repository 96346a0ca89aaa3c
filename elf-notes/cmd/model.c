/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * model.c - fills a struct model. The reader decides what is valid; this file only
 * stores what it gives and, for relocatable objects, builds the view it needs
 * out of the laid-out sections.
 */
#include "model.h"

#include <stdlib.h>
#include <string.h>

/* The view of a laid-out object: one load for everything, one note span per note section. */
static void view_of_layout(struct elf_view *view, const struct image *image)
{
	const struct segment *all = &image->segments.at[0];

	*view = (struct elf_view){ .n_loads = 1 };
	view->loads[0] = (struct elf_span){ .addr = all->addr,
		                            .size = all->size,
		                            .bytes = all->bytes,
		                            .flags = ELF_VIEW_R | ELF_VIEW_X };
	for (size_t i = 0; i < image->sections.n && view->n_notes < ELF_VIEW_NOTES_MAX; i++) {
		const struct section *s = &image->sections.at[i];

		if (s->type == SHT_NOTE && (s->flags & SHF_ALLOC) && s->bytes)
			view->notes[view->n_notes++] = (struct elf_span){ .addr = s->addr,
				                                          .size = s->size,
				                                          .bytes = s->bytes,
				                                          .flags = ELF_VIEW_R };
	}
}

static void read_lists(struct model *m, struct range *range)
{
	struct notes_iter it;
	union {
		struct notes_function function;
		struct notes_slot slot;
		struct notes_noopt noopt;
		struct notes_opaque opaque;
		struct notes_table table;
	} item;

#define READ(LIST, next, array, member) \
	range->first[LIST] = m->array.n; \
	notes_iter_begin(&it, &m->reader, &range->record, LIST); \
	while (next(&it, &item.member) == NOTES_OK) \
		*vec_add(&m->array) = item.member; \
	range->record.counts[LIST] = m->array.n - range->first[LIST];

	READ(NOTES_FUNCTIONS, notes_functions_next, functions, function)
	READ(NOTES_SLOTS, notes_slots_next, slots, slot)
	READ(NOTES_NOOPT, notes_noopt_next, noopts, noopt)
	READ(NOTES_OPAQUE, notes_opaque_next, opaques, opaque)
	READ(NOTES_TABLES, notes_tables_next, tables, table)
#undef READ
}

static void read_records(struct model *m, size_t object)
{
	struct notes_records it;
	enum notes_status status;

	notes_records_begin(&it, &m->reader, &m->objects.at[object]);
	for (;;) {
		struct range range = { .object = object };

		status = notes_records_next(&it, &range.record);
		if (status == NOTES_END)
			return;
		if (status != NOTES_OK)
			continue;
		read_lists(m, &range);
		*vec_add(&m->ranges) = range;
	}
}

static void found(void *ctx, const struct notes_failure *failure, const struct notes_object *object,
                  const struct notes_record *record)
{
	struct model *m = ctx;

	(void)object;
	(void)record;
	/* What disagrees with the code is check.c's to find, by itself. */
	if (notes_status_class(failure->status) != NOTES_CLASS_CODE)
		*vec_add(&m->failures) = *failure;
}

static int by_start(const void *a, const void *b)
{
	const struct notes_record *x = &((const struct range *)a)->record;
	const struct notes_record *y = &((const struct range *)b)->record;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->end != y->end)
		return x->end < y->end ? -1 : 1;
	return (x->addr > y->addr) - (x->addr < y->addr);
}

/* Do two records say the same of the same code? (Own addresses of tables may differ.) */
static bool says_the_same(const struct model *m, const struct range *x, const struct range *y)
{
	const struct notes_record *a = &x->record, *b = &y->record;

	if (a->start != b->start || a->end != b->end || a->lists != b->lists ||
	    memcmp(a->counts, b->counts, sizeof(a->counts)) != 0 ||
	    m->objects.at[x->object].flags != m->objects.at[y->object].flags)
		return false;
#define DIFFERS(LIST, array) \
	(a->counts[LIST] && memcmp(&m->array.at[x->first[LIST]], &m->array.at[y->first[LIST]], \
	                           a->counts[LIST] * sizeof(*m->array.at)) != 0)
	if (DIFFERS(NOTES_SLOTS, slots) || DIFFERS(NOTES_OPAQUE, opaques))
		return false;
#undef DIFFERS
	for (u64 i = 0; i < a->counts[NOTES_FUNCTIONS]; i++) {
		const struct notes_function *f = &m->functions.at[x->first[NOTES_FUNCTIONS] + i];
		const struct notes_function *g = &m->functions.at[y->first[NOTES_FUNCTIONS] + i];

		if (f->start != g->start || f->end != g->end || f->facts != g->facts)
			return false;
	}
	for (u64 i = 0; i < a->counts[NOTES_NOOPT]; i++) {
		const struct notes_noopt *f = &m->noopts.at[x->first[NOTES_NOOPT] + i];
		const struct notes_noopt *g = &m->noopts.at[y->first[NOTES_NOOPT] + i];

		if (f->start != g->start || f->end != g->end || f->reasons != g->reasons)
			return false;
	}
	return true;
}

static void mark_folded(struct model *m)
{
	for (size_t i = 1; i < m->ranges.n; i++)
		for (size_t j = i;
		     j-- > 0 && m->ranges.at[j].record.start == m->ranges.at[i].record.start;)
			if (!m->ranges.at[j].folded &&
			    says_the_same(m, &m->ranges.at[j], &m->ranges.at[i])) {
				m->ranges.at[i].folded = true;
				break;
			}
}

static bool note_is_ours(const u8 *name, u32 size)
{
	return size == sizeof(DYNOPT_NOTE_OWNER) && memcmp(name, DYNOPT_NOTE_OWNER, size) == 0;
}

/* Bytes of our notes; a note that is cut counts as present too. */
static void measure_notes(struct model *m, const struct elf_span *span)
{
	for (u64 at = 0; span->bytes && span->size - at >= 12;) {
		u32 sizes[2];
		u64 total;

		memcpy(sizes, span->bytes + at, sizeof(sizes));
		total = 12 + align_up(sizes[0], 4) + align_up(sizes[1], 4);
		if (span->size - at - 12 >= sizes[0] &&
		    note_is_ours(span->bytes + at + 12, sizes[0])) {
			m->present = true;
			m->note_bytes += total;
		}
		if (total > span->size - at)
			return;
		at += total;
	}
}

bool model_read(struct model *m, const struct image *image, char **error)
{
	struct notes_failure failure = { 0 };
	struct notes_walk walk;
	struct notes_object object;
	struct notes_farpool farpool;
	enum notes_status status;

	*m = (struct model){ 0 };
	if (image->type == ET_REL) {
		view_of_layout(&m->view, image);
	} else if (elf_view_file(&m->view, image->file, image->file_size, &failure) != NOTES_OK) {
		*error = base_printf("%s", notes_status_text(failure.status));
		return false;
	}
	notes_reader_init(&m->reader, &m->view);
	(void)notes_check(&m->reader, NOTES_CHECK_PRISTINE, found, m, &m->totals);
	for (u32 i = 0; i < m->view.n_notes; i++)
		measure_notes(m, &m->view.notes[i]);
	notes_walk_begin(&walk, &m->reader);
	while ((status = notes_objects_next(&walk, &object)) != NOTES_END)
		if (status == NOTES_OK)
			*vec_add(&m->objects) = object;
	notes_walk_begin(&walk, &m->reader);
	while ((status = notes_farpools_next(&walk, &farpool)) != NOTES_END)
		if (status == NOTES_OK)
			*vec_add(&m->farpools) = farpool;
	for (size_t i = 0; i < m->objects.n; i++)
		read_records(m, i);
	if (m->ranges.n)
		qsort(m->ranges.at, m->ranges.n, sizeof(*m->ranges.at), by_start);
	mark_folded(m);
	return true;
}

void model_free(struct model *m)
{
	free(m->objects.at);
	free(m->farpools.at);
	free(m->ranges.at);
	free(m->functions.at);
	free(m->slots.at);
	free(m->noopts.at);
	free(m->opaques.at);
	free(m->tables.at);
	free(m->failures.at);
}

bool model_table_target(const struct model *model, const struct image *image,
                        const struct notes_table *table, u64 index, u64 *target)
{
	if (table->form == DYNOPT_TABLE_ABS64)
		return image_pointer(image, table->addr + index * 8, target);
	return notes_table_target(&model->view, table, index, target);
}
