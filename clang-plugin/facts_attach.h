/* SPDX-License-Identifier: MIT */
/* facts_attach.h - gives a function the words of facts.h as !pcsections metadata. */
#ifndef DYNOPT_FACTS_ATTACH_H
#define DYNOPT_FACTS_ATTACH_H

#include "facts.h"

#include <llvm-c/Core.h>
#include <stdint.h>

/*
 * Replaces facts attached before; other sections' metadata stays as it is. `source`
 * follows the words unless it is empty.
 */
void facts_attach(LLVMValueRef f, const uint32_t words[FACTS_N_WORDS], const char *source);

#endif
