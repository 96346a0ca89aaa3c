/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * status.c - words for statuses, all of them rows of notes_status.def.
 *
 * Nothing here can fail: numbers that are no status get a word of their own, so
 * a caller may print whatever it got.
 */
#include "status.h"

struct status_row {
	const char *name;
	const char *detail;
	const char *text;
	enum notes_class class;
};

static const struct status_row rows[NOTES_N_STATUS] = {
	{ "OK", "", "nothing is wrong", NOTES_CLASS_OK },
#define X(name, class, detail, text) { #name, detail, text, NOTES_CLASS_##class },
#include "notes_status.def"
#undef X
};

static const struct status_row unknown = { "UNKNOWN", "", "no status of this library",
	                                   NOTES_CLASS_CALLER };

static const struct status_row *status_row(enum notes_status status)
{
	return (u32)status < NOTES_N_STATUS ? &rows[status] : &unknown;
}

const char *notes_status_name(enum notes_status status)
{
	return status_row(status)->name;
}

const char *notes_status_text(enum notes_status status)
{
	return status_row(status)->text;
}

const char *notes_status_detail(enum notes_status status)
{
	return status_row(status)->detail;
}

enum notes_class notes_status_class(enum notes_status status)
{
	return status_row(status)->class;
}

const char *notes_class_name(enum notes_class c)
{
	static const char *const names[] = {
		"OK", "END", "FILE", "SEGMENT", "NOTE", "REST", "RECORD", "CODE", "CALLER",
	};

	return (u32)c < sizeof(names) / sizeof(names[0]) ? names[c] : "UNKNOWN";
}
