/* SPDX-License-Identifier: MIT */
/* stack.h - does a function keep its stack frame to itself? */
#ifndef DYNOPT_STACK_H
#define DYNOPT_STACK_H

#include <llvm-c/Core.h>
#include <stdbool.h>

/* Asks only the things that belong to the function as a whole: attributes, parameters. */
bool stack_function_private(LLVMValueRef f);

/* Asks one instruction; all must agree. Calls of intrinsics are the caller's to judge. */
bool stack_instruction_private(LLVMValueRef i);

/* Asks a call of an intrinsic that code generation leaves alone. */
bool stack_intrinsic_private(LLVMValueRef call);

/* Asks how the addresses of locals and of byval parameters are used. */
bool stack_locals_private(LLVMValueRef f);

#endif
