/* SPDX-License-Identifier: MIT */
/*
 * corpus.h - what the notes fuzzer mutates, and where it is worth mutating.
 *
 * An entry's bytes are a heap block of exactly its size, with everything that no
 * segment covers poisoned (live entries), so that AddressSanitizer sees each byte read that the
 * entry does not give. A pristine copy beside it undoes mutations.
 */
#ifndef DYNOPT_FUZZ_CORPUS_H
#define DYNOPT_FUZZ_CORPUS_H

#include "notes_image.h"

#define HOT_MAX 64

/* Bytes of an entry that readers look at. */
struct hot {
	u64 offset;
	u64 size;
};

struct entry {
	u8 *bytes;
	u8 *pristine;
	u64 size;
	bool live; /* memory image; phdrs below, which are never mutated */
	u64 base; /* live: load bias */
	u8 phdrs[IMAGE_N_PHDRS * IMAGE_PHDR_SIZE];
	u32 n_hot;
	struct hot hot[HOT_MAX];
};

/* A random image's file, or its memory. */
void entry_from_image(struct entry *e, u64 seed, bool live);

/* A real file; false with a message if it cannot be used. */
bool entry_from_path(struct entry *e, const char *path);

void entry_free(struct entry *e);

/* The view of an entry whose first `size` bytes are at `bytes`. */
enum notes_status entry_view(const struct entry *e, const u8 *bytes, u64 size,
                             struct elf_view *view);

#endif
