/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * engine_status.c - the table of engine_status.def as text.
 *
 * Every number has a name, also one that no version of the engine ever returned, so a
 * report can print whatever it was handed.
 */
#include "engine_status.h"

struct status_row {
	const char *name, *detail, *text;
	enum status_class class;
};

static const struct status_row rows[STATUS_N] = {
	[STATUS_OK] = { "OK", "", "done", STATUS_CLASS_OK },
#define X(name, class, detail, text) \
	[STATUS_##name] = { #name, detail, text, STATUS_CLASS_##class },
#include "engine_status.def"
#undef X
};
static const struct status_row unknown = { "UNKNOWN", "", "not a status of this version",
	                                   STATUS_CLASS_BUG };

static const struct status_row *row_of(enum status status)
{
	return (u32)status < STATUS_N ? &rows[status] : &unknown;
}

const char *status_name(enum status status)
{
	return row_of(status)->name;
}

const char *status_text(enum status status)
{
	return row_of(status)->text;
}

const char *status_detail(enum status status)
{
	return row_of(status)->detail;
}

enum status_class status_class(enum status status)
{
	return row_of(status)->class;
}
