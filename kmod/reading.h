/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * reading.h - what a file says of its code, and the workspace in which its traces are translated.
 *
 * Made for one request and freed with it. All comes from the file, nothing from a process.
 */
#ifndef DYNOPT_KMOD_READING_H
#define DYNOPT_KMOD_READING_H

#include "own.h"
#include "elf_view.h"
#include "text.h"

struct reading {
	u8 *bytes; /* of the whole file */
	u64 size;
	struct elf_view view;
	struct text text;
	struct arena keep, scratch; /* scratch is free for others once the text is there */
	/* File offsets: of the code cache, from a page's start, and how far addresses of its segment are from offsets. */
	u64 cache, cache_end, bias;
	u64 segment, segment_end;
};

/*
 * FILE_TEXT with the engine's answer in *fail. The file is closed to writers. On failure there is
 * nothing to free.
 */
enum dynopt_kmod_status reading_open(struct file *file, struct reading **out, struct failure *fail);
void reading_close(struct reading *reading);

#endif
