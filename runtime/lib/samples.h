/* SPDX-License-Identifier: MIT */
/*
 * samples.h - samples of earlier runs, as a file: what `dynopt run --keep-samples` writes, `--samples` begins with, and a program is remembered by
 * (remember.h).
 *
 *     module lua 5f3c0a…                   lines of `lua` from here on are of this build (build.h), and of no other
 *     samples lua 0x1a2c 12                module: file name without folders; link-time address of an instruction; how many
 *     run lua 0x1a20 0x1a2c 0x1b00 7       a run (runs.h): start, last, to; times. 0x0: not known
 *     ran 0000003120 0000002987 …          CPU time of earlier runs (budget.h);  the first line, where there is one
 *     left 0000006000                      CPU time that they have left to the agent of this one, in microseconds, or have `owed`; the second
 *
 * Lines of a module that no `module` line is about are believed by its name. '#' begins a comment.
 */
#ifndef DYNOPT_SAMPLES_H
#define DYNOPT_SAMPLES_H

#include "world.h"

enum sample_kind { SAMPLE_COUNT, SAMPLE_RUN, SAMPLE_MODULE, SAMPLE_RAN, SAMPLE_LEFT, SAMPLE_OWED };

/* One line: `name` and `build` are not NUL-terminated. */
struct sample_line {
	enum sample_kind kind;
	const char *name, *build; /* build: with SAMPLE_MODULE */
	u32 name_len, build_len, n;
	u64 addr; /* with SAMPLE_RUN its last */
	u64 start, to; /* with SAMPLE_RUN */
};

/*
 * The next line with something on it of text[*pos..size): moves *pos behind it and counts lines in *line (from 0). False at the end, or with
 * *wrong set at a line that is none.
 */
bool samples_next(const char *text, u64 size, u64 *pos, u32 *line, struct sample_line *out,
                  bool *wrong);

/* Hands over all lines. Else *line is the first that is wrong, and nothing was handed over. */
bool samples_read(const char *text, u64 size,
                  void (*take)(void *ctx, const struct sample_line *line), void *ctx, u32 *line);

/* A letter of a module's name, as lines have it: names are one word there. */
char samples_letter(char letter);

/* The file that is written, made anew beside the old one. */
struct sample_file {
	int folder; /* descriptor, or AT_FDCWD; `name` is a path from there */
	const char *name;
	int fd;
	u32 error; /* errno of what failed first; 0: nothing yet */
	u32 used;
	char buffer[8192];
};

/* False: it cannot be written, and file->error says why. */
bool samples_create(struct sample_file *file, int folder, const char *name, int mode);
void samples_put_ran(struct sample_file *file, const char *line, u32 size);
void samples_put_module(struct sample_file *file, const char *name, const char *build);
void samples_put(struct sample_file *file, const char *name, u64 addr, u32 n);
void samples_put_run(struct sample_file *file, const char *name, u64 start, u64 last, u64 to,
                     u32 n);
/* It takes the place of the old one if nothing has failed: then file->error is 0. */
void samples_close(struct sample_file *file);

#endif
