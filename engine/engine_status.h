/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * engine_status.h - what the engine answers.
 *
 * A function returns STATUS_OK or the name of what ended its work; a failure also
 * has the address where it was seen and one number. Names, classes and texts come
 * from engine_status.def, so that every program prints and counts the same words.
 * Refusal is normal: whatever is refused stays as it was.
 */
#ifndef DYNOPT_ENGINE_STATUS_H
#define DYNOPT_ENGINE_STATUS_H

#include "port.h"

enum status {
	STATUS_OK,
#define X(name, class, detail, text) STATUS_##name,
#include "engine_status.def"
#undef X
	STATUS_N
};

enum status_class {
	STATUS_CLASS_OK,
	STATUS_CLASS_REFUSED,
	STATUS_CLASS_RETRY,
	STATUS_CLASS_LIMIT,
	STATUS_CLASS_BUG,
};

struct failure {
	enum status status; /* STATUS_OK: nothing failed */
	u64 addr; /* module address of what failed; 0 if it has none */
	u64 detail; /* what it counts: status_detail(status) */
};

/* "HOP_NO_SLOT"; never NULL, "UNKNOWN" for numbers out of range. */
const char *status_name(enum status status);
/* One sentence for people, without a full stop; never NULL. */
const char *status_text(enum status status);
/* What failure.detail counts, or "" if it means nothing; never NULL. */
const char *status_detail(enum status status);
enum status_class status_class(enum status status);

/*
 * Fills *fail and returns status: `return failed(fail, STATUS_X, addr, detail);` fail may be
 * NULL.
 */
static inline enum status failed(struct failure *fail, enum status status, u64 addr, u64 detail)
{
	if (fail) {
		fail->status = status;
		fail->addr = addr;
		fail->detail = detail;
	}
	return status;
}

#endif
