/* SPDX-License-Identifier: MIT */
/*
 * target_elf.h - what an ELF file's headers say of how it is loaded.
 */
#ifndef DYNOPT_RUNTIME_TARGET_ELF_H
#define DYNOPT_RUNTIME_TARGET_ELF_H

#include "target.h"

/* Looks at the open file. *first: see struct target; to be freed. */
enum target_refusal target_elf_check(int fd, char **first);

#endif
