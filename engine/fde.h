/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * fde.h - functions of a module as its unwind table names them (.eh_frame_hdr, .eh_frame;
 * LSB core 5.0, chapter 10.6; DWARF 5, section 6.4), and their landing pads (.gcc_except_table).
 *
 * For text without notes this is the only evidence of where functions begin and end. All
 * of it is a claim: the reader checks every offset and gives up on the rest of a table that
 * contradicts itself. Trampolines of signal frames ('S' in the augmentation) are named as such:
 * they are never touched.
 */
#ifndef DYNOPT_ENGINE_FDE_H
#define DYNOPT_ENGINE_FDE_H

#include "elf_view.h"
#include "engine_status.h"
#include "port.h"

struct fde {
	u64 start, end; /* module addresses, end exclusive */
	u64 lsda;       /* exception table; 0: none, or one whose address is not in the file */
	bool signal_frame;
};

/* Where a walk stands. Fields are the reader's own. */
struct fde_walk {
	const struct elf_view *view;
	u64 pos, end; /* in .eh_frame */
	u64 cie;      /* the CIE last read, and what it said: */
	u8 fde_encoding, lsda_encoding;
	bool augmented, signal_frame;
};

/* Starts on the table that view->eh_frame_hdr names. STATUS_TEXT_UNWIND if there is none or its header is damaged. */
__must_check enum status fde_walk_begin(struct fde_walk *walk, const struct elf_view *view,
                                        struct failure *fail);
/* The next function, in table order (not sorted); STATUS_END, or STATUS_TEXT_UNWIND and then STATUS_END. */
__must_check enum status fde_walk_next(struct fde_walk *walk, struct fde *out,
                                       struct failure *fail);

/* A function's call sites. Fields are the reader's own. */
struct lsda_walk {
	const struct elf_view *view;
	u64 pos, end; /* in the call-site table */
	u64 pads_from; /* landing pads count from here */
	u8 encoding;
};

/* STATUS_TEXT_UNWIND if the table cannot be read; a function without one has no pads. */
__must_check enum status lsda_walk_begin(struct lsda_walk *walk, const struct elf_view *view,
                                         const struct fde *fde, struct failure *fail);
/* The next landing pad's address; STATUS_END, or STATUS_TEXT_UNWIND and then STATUS_END. */
__must_check enum status lsda_walk_next(struct lsda_walk *walk, u64 *pad, struct failure *fail);

#endif
