/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * status.h - what the notes library answers.
 *
 * A function returns NOTES_OK or the name of what is wrong; a failure also has
 * the place where it was seen and one number. Names, classes and texts come from
 * notes_status.def, so that every program prints the same words.
 */
#ifndef DYNOPT_NOTES_STATUS_H
#define DYNOPT_NOTES_STATUS_H

#include "port.h"

enum notes_status {
	NOTES_OK,
#define X(name, class, detail, text) NOTES_##name,
#include "notes_status.def"
#undef X
	NOTES_N_STATUS
};

/* How much is lost: see notes_status.def. */
enum notes_class {
	NOTES_CLASS_OK,
	NOTES_CLASS_END,
	NOTES_CLASS_FILE,
	NOTES_CLASS_SEGMENT,
	NOTES_CLASS_NOTE,
	NOTES_CLASS_REST,
	NOTES_CLASS_RECORD,
	NOTES_CLASS_CODE,
	NOTES_CLASS_CALLER,
};

struct notes_failure {
	enum notes_status status; /* NOTES_OK: nothing failed */
	u64 addr; /* address in the view; of class FILE: offset in the file or phdr array */
	u64 detail; /* what it counts: notes_status_detail(status) */
};

/* "RECORD_CUT"; never NULL, "UNKNOWN" for numbers out of range. */
const char *notes_status_name(enum notes_status status);
/* One sentence for people, without a full stop; never NULL. */
const char *notes_status_text(enum notes_status status);
/* What failure.detail counts, or "" if it means nothing; never NULL. */
const char *notes_status_detail(enum notes_status status);
enum notes_class notes_status_class(enum notes_status status);
/* "RECORD"; never NULL. */
const char *notes_class_name(enum notes_class c);

#endif
