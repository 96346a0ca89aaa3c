/* SPDX-License-Identifier: MIT */
/*
 * intrinsics.c - looks intrinsics up by number.
 *
 * LLVM numbers its intrinsics anew in each release, so the table of names is turned
 * into one of numbers when it is first needed. Back ends of LTO run in threads:
 * the table is filled once, under pthread_once, and only read from then on.
 */
#include "intrinsics.h"
#include "dynopt_notes.h"

#include <pthread.h>
#include <string.h>

#define ID_MAX 32768 /* LLVM 19 has about 15,000 */

static const struct {
	const char *name;
	struct intrinsic meaning;
} rows[] = {
#define X(name, class, reasons) { "llvm." name, { INTRINSIC_##class, reasons } },
#include "intrinsics.def"
#undef X
};

/* 1 + row, or 0: not listed. Sparse, so most of it is never touched. */
static uint8_t row_of_id[ID_MAX];
static pthread_once_t filled = PTHREAD_ONCE_INIT;

_Static_assert(sizeof(rows) / sizeof(rows[0]) < 255, "row numbers are bytes");

static void fill(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned id = LLVMLookupIntrinsicID(rows[i].name, strlen(rows[i].name));

		if (id && id < ID_MAX)
			row_of_id[id] = i + 1;
	}
}

struct intrinsic intrinsic_of(unsigned id)
{
	pthread_once(&filled, fill);
	if (id >= ID_MAX || !row_of_id[id])
		return (struct intrinsic){ INTRINSIC_OTHER, 0 };
	return rows[row_of_id[id] - 1].meaning;
}
