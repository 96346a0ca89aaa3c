/* SPDX-License-Identifier: MIT */
/*
 * samples.h - samples of an earlier run, as a file: what `dynopt run --keep-samples` writes and `--samples` begins with.
 *
 *     samples lua 0x1a2c 12                module: file name without folders; link-time address of an instruction; how many
 *     run lua 0x1a20 0x1a2c 0x1b00 7       a run (runs.h): start, last, to; times. 0x0: not known
 *
 * '#' begins a comment. A file is mapped while it is read and not kept.
 */
#ifndef DYNOPT_SAMPLES_H
#define DYNOPT_SAMPLES_H

#include "world.h"

/* One line: `name` is not NUL-terminated. */
struct sample_line {
	const char *name;
	u32 name_len, n;
	u64 addr;
	bool is_run; /* addr is its last */
	u64 start, to;
};

/*
 * The next line with something on it of text[*pos..size): moves *pos behind it and counts lines in *line (from 0). False at the end, or with
 * *wrong set at a line that is none.
 */
bool samples_next(const char *text, u64 size, u64 *pos, u32 *line, struct sample_line *out,
                  bool *wrong);

/* Hands over all of options.samples. False with world->cause set if it cannot be read or a line is wrong; nothing was handed over then. */
bool samples_read(void (*take)(void *ctx, const struct sample_line *line), void *ctx);

/* The file that is written, made anew beside the old one. */
struct sample_file {
	int fd;
	bool failed;
	u32 used;
	char buffer[8192];
};

/* False: it cannot be written. */
bool samples_create(struct sample_file *file);
void samples_put(struct sample_file *file, const char *name, u64 addr, u32 n);
void samples_put_run(struct sample_file *file, const char *name, u64 start, u64 last, u64 to,
                     u32 n);
/* It takes the place of the old one if nothing has failed. */
void samples_close(struct sample_file *file);

#endif
