/* SPDX-License-Identifier: MIT */
/*
 * profile_file.h - a sample file (runtime/lib/samples.h) in memory, for the commands: one module's samples, by address.
 */
#ifndef DYNOPT_RUNTIME_PROFILE_FILE_H
#define DYNOPT_RUNTIME_PROFILE_FILE_H

#include "image.h"

struct sample {
	u64 addr; /* link-time */
	u64 n;
};

struct profile {
	VEC(struct sample) v; /* ascending, each address once, after profile_sort() */
};

void profile_add(struct profile *profile, u64 addr, u64 n);
void profile_sort(struct profile *profile);
void profile_free(struct profile *profile);

/* Samples of module `name` in the file at `path`. False with *error in one line (to be freed). */
bool profile_read(struct profile *profile, const char *path, const char *name, char **error);
/* What profile_read() reads. */
void profile_write(const struct profile *profile, const char *name, FILE *out);

/*
 * Do the addresses fit the image? Each must lie in executable code; false with *error in one line (to be freed): they are of
 * another build, or damaged.
 */
bool profile_fits(const struct profile *profile, const struct image *image, char **error);

/* A file's name without folders. */
const char *profile_module(const char *path);

#endif
