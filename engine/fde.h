/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * fde.h - functions of a module as its unwind table names them (.eh_frame_hdr, .eh_frame;
 * LSB core 5.0, chapter 10.6; DWARF 5, section 6.4).
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
	u64 lsda;       /* exception table; 0: none */
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

/*
 * Starts on the table that PT_GNU_EH_FRAME names: `eh_frame_hdr` is its address in the view. STATUS_TEXT_UNWIND
 * if the header is damaged.
 */
__must_check enum status fde_walk_begin(struct fde_walk *walk, const struct elf_view *view,
                                        u64 eh_frame_hdr, struct failure *fail);
/* The next function, in table order (not sorted); STATUS_END, or STATUS_TEXT_UNWIND and then STATUS_END. */
__must_check enum status fde_walk_next(struct fde_walk *walk, struct fde *out,
                                       struct failure *fail);

#endif
