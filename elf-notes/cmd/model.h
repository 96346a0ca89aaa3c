/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * model.h - all notes of one file, read through the bounds-checked reader and laid
 * out in arrays, so that what prints, measures or checks needs no iterators.
 *
 * What the reader refused is in `failures`, in the order met; everything in the other arrays
 * passed the reader. Arrays of items are grouped by range: items of range i are
 * [range.first[list], range.first[list] + range.record.counts[list]).
 */
#ifndef DYNOPT_CMD_MODEL_H
#define DYNOPT_CMD_MODEL_H

#include "../reader.h"
#include "image.h"

struct range {
	struct notes_record record;
	size_t object;
	size_t first[NOTES_N_LISTS];
	bool folded; /* identical code folding: an equal record is earlier in `ranges` */
};

struct model {
	struct elf_view view;
	struct notes_reader reader;
	bool present; /* there is a note of ours, readable or not */
	VEC(struct notes_object) objects;
	VEC(struct notes_farpool) farpools;
	VEC(struct range) ranges; /* by start */
	VEC(struct notes_function) functions;
	VEC(struct notes_slot) slots;
	VEC(struct notes_noopt) noopts;
	VEC(struct notes_opaque) opaques;
	VEC(struct notes_table) tables;
	VEC(struct notes_failure) failures;
	struct notes_totals totals;
	u64 note_bytes; /* bytes of .note.dynopt, headers included */
};

/* False when the file's program headers cannot be used at all; *error says why. */
bool model_read(struct model *model, const struct image *image, char **error);
void model_free(struct model *model);

/* Where the object's code must be left alone as a whole. */
static inline bool model_disabled(const struct model *model, const struct range *range)
{
	return model->objects.at[range->object].flags & DYNOPT_OBJECT_DISABLED;
}

/* Address of entry `index`, as it will be when the file runs. */
bool model_table_target(const struct model *model, const struct image *image,
                        const struct notes_table *table, u64 index, u64 *target);

#endif
