/* SPDX-License-Identifier: MIT */
/*
 * ir.h - small questions about LLVM IR that several passes ask.
 *
 * Inline and stateless; all of it is LLVM-C. Attribute kinds are looked up by name
 * because their numbers are no part of LLVM's interface.
 */
#ifndef DYNOPT_IR_H
#define DYNOPT_IR_H

#include <llvm-c/Core.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

/* Value of a function's string attribute, NUL-terminated, or NULL. */
static inline const char *ir_attribute(LLVMValueRef f, const char *name)
{
	LLVMAttributeRef a =
		LLVMGetStringAttributeAtIndex(f, LLVMAttributeFunctionIndex, name, strlen(name));
	unsigned length;

	return a ? LLVMGetStringAttributeValue(a, &length) : NULL;
}

static inline unsigned ir_kind(const char *name)
{
	return LLVMGetEnumAttributeKindForName(name, strlen(name));
}

/* Attribute kinds are the same in all contexts, and looked up by name they are dear. */
struct ir_kind {
	const char *name;
	_Atomic unsigned id; /* 0: not looked up yet */
};

static inline unsigned ir_kind_id(struct ir_kind *kind)
{
	unsigned id = atomic_load_explicit(&kind->id, memory_order_relaxed);

	if (!id) {
		id = ir_kind(kind->name);
		atomic_store_explicit(&kind->id, id, memory_order_relaxed);
	}
	return id;
}

static inline bool ir_has(LLVMValueRef f, unsigned kind)
{
	return LLVMGetEnumAttributeAtIndex(f, LLVMAttributeFunctionIndex, kind) != NULL;
}

static inline bool ir_call_has(LLVMValueRef call, LLVMAttributeIndex index, unsigned kind)
{
	return LLVMGetCallSiteEnumAttribute(call, index, kind) != NULL;
}

static inline bool ir_is_call(LLVMValueRef i)
{
	LLVMOpcode op = LLVMGetInstructionOpcode(i);

	return op == LLVMCall || op == LLVMInvoke || op == LLVMCallBr;
}

#endif
