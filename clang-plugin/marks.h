/* SPDX-License-Identifier: MIT */
/* marks.h - reasons that only the unoptimized module tells. */
#ifndef DYNOPT_MARKS_H
#define DYNOPT_MARKS_H

#include <llvm-c/Core.h>
#include <stdint.h>

/* Finds what the source marks, and handlers and resolvers, and notes it on the functions. */
void marks_collect(LLVMModuleRef module);

/* Disables every function of the module, and keeps each out of others' bodies. */
void marks_disable_all(LLVMModuleRef module);

/* DYNOPT_REASON_... noted on a function. */
uint32_t marks_of(LLVMValueRef f);

#endif
