/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * reading.h - what a file says of its code, and the workspace in which its traces are translated.
 *
 * All comes from the file, nothing from a process. While the file is owned nobody writes to it, so what was read once stays true: it is
 * kept for the next block of traces, until the file is owned no more, memory is short, or others are kept instead.
 */
#ifndef DYNOPT_KMOD_READING_H
#define DYNOPT_KMOD_READING_H

#include "own.h"
#include "elf_view.h"
#include "text.h"

struct reading {
	struct list_head list; /* of those that are kept, the oldest first */
	struct owned_file *file;
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
 * By the worker. FILE_TEXT with the engine's answer in *fail. On failure there is nothing to free.
 */
enum dynopt_kmod_status reading_open(struct owned_file *file, struct reading **out,
                                     struct failure *fail);
/* It is kept, or freed. */
void reading_close(struct reading *reading);
int readings_init(void);
void readings_exit(void);

#endif
