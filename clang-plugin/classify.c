/* SPDX-License-Identifier: MIT */
/*
 * classify.c - reasons and facts of one function, from its final IR.
 *
 * Reasons say what may not be done with the function (DYNOPT_REASONS). Those found
 * here come from instructions and attributes of the final IR, so they are those of
 * everything that was inlined into it.
 *
 * PLAIN: no atomic or volatile access, no fence, no inline assembly, no intrinsic
 * that might hide one. Every access of the function's own code is then free of data
 * races by the language's rules; its callees speak for themselves.
 * STACK_PRIVATE: see stack.c.
 *
 * Invariant: what is not understood counts against the facts; debug information
 * changes nothing.
 */
#include "classify.h"
#include "dynopt_notes.h"
#include "intrinsics.h"
#include "ir.h"
#include "marks.h"
#include "stack.h"

/* Attribute kinds, looked up once a function. */
struct kinds {
	unsigned returns_twice;
	unsigned memory;
};

struct state {
	uint32_t reasons;
	bool plain;
	bool stack_private;
	struct kinds kinds;
};

/* Callees that return twice, for sources that declare them without the attribute. */
static bool is_setjmp(const char *name)
{
	static const char *const names[] = {
		"setjmp",     "_setjmp",     "__setjmp", "sigsetjmp", "__sigsetjmp",
		"getcontext", "swapcontext", "savectx",  "vfork",     "__vfork",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

/* --- the function as a whole --------------------------------------------------- */

struct attribute_reason {
	const char *name;
	const char *value; /* NULL: any */
	uint32_t reasons;
};

static const struct attribute_reason attribute_reasons[] = {
	{ "function-instrument", "xray-always", DYNOPT_REASON_SLEDS },
	{ "xray-instruction-threshold", NULL, DYNOPT_REASON_SLEDS },
	{ "patchable-function", NULL, DYNOPT_REASON_SLEDS },
	{ "patchable-function-entry", NULL, DYNOPT_REASON_SLEDS },
	{ "patchable-function-prefix", NULL, DYNOPT_REASON_SLEDS },
	{ "split-stack", NULL, DYNOPT_REASON_SPLITSTACK },
	/* Profiling hooks, called after this pass is done, read the return address. */
	{ "fentry-call", "true", DYNOPT_REASON_RETADDR },
	{ "instrument-function-entry", NULL, DYNOPT_REASON_RETADDR },
	{ "instrument-function-exit", NULL, DYNOPT_REASON_RETADDR },
	{ "instrument-function-entry-inlined", NULL, DYNOPT_REASON_RETADDR },
	{ "instrument-function-exit-inlined", NULL, DYNOPT_REASON_RETADDR },
};

static uint32_t reasons_of_attributes(LLVMValueRef f)
{
	static struct ir_kind naked = { .name = "naked" };
	uint32_t reasons = marks_of(f);

	for (size_t i = 0; i < sizeof(attribute_reasons) / sizeof(attribute_reasons[0]); i++) {
		const struct attribute_reason *row = &attribute_reasons[i];
		const char *value = ir_attribute(f, row->name);

		if (value && (!row->value || !strcmp(value, row->value)))
			reasons |= row->reasons;
	}
	if (ir_has(f, ir_kind_id(&naked)))
		reasons |= DYNOPT_REASON_NAKED;
	if (LLVMGetFunctionCallConv(f) == LLVMX86INTRCallConv)
		reasons |= DYNOPT_REASON_INTERRUPT;
	return reasons;
}

/* Sanitizers are free to run still later, so nothing here is final for them. */
static bool is_sanitized(LLVMValueRef f)
{
	static struct ir_kind kinds[] = {
		{ .name = "sanitize_address" }, { .name = "sanitize_hwaddress" },
		{ .name = "sanitize_memory" },  { .name = "sanitize_thread" },
		{ .name = "sanitize_memtag" },  { .name = "safestack" },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (ir_has(f, ir_kind_id(&kinds[i])))
			return true;
	return false;
}

/* --- its instructions ---------------------------------------------------------- */

static void intrinsic_visit(struct state *state, LLVMValueRef call, LLVMValueRef callee,
                            unsigned id)
{
	struct intrinsic intrinsic = intrinsic_of(id);

	state->reasons |= intrinsic.reasons;
	if (intrinsic.kind == INTRINSIC_NEUTRAL) {
		if (state->stack_private && !stack_intrinsic_private(call))
			state->stack_private = false;
		return;
	}
	if (intrinsic.kind == INTRINSIC_COPY) {
		LLVMValueRef is_volatile = LLVMGetOperand(call, LLVMGetNumArgOperands(call) - 1);

		if (!LLVMIsAConstantInt(is_volatile) || LLVMConstIntGetZExtValue(is_volatile))
			state->plain = false;
		return;
	}
	state->stack_private = false;
	if (intrinsic.kind == INTRINSIC_STACK)
		return;
	LLVMAttributeRef memory = LLVMGetEnumAttributeAtIndex(callee, LLVMAttributeFunctionIndex,
	                                                      state->kinds.memory);

	if (!memory || LLVMGetEnumAttributeValue(memory) != 0)
		state->plain = false;
}

static void call_visit(struct state *state, LLVMValueRef call)
{
	LLVMValueRef callee = LLVMGetCalledValue(call);

	if (LLVMIsAInlineAsm(callee)) {
		state->plain = state->stack_private = false;
		return;
	}
	if (LLVMIsAFunction(callee)) {
		unsigned id = LLVMGetIntrinsicID(callee);
		size_t length;

		if (id) {
			intrinsic_visit(state, call, callee, id);
			return;
		}
		if (ir_has(callee, state->kinds.returns_twice) ||
		    is_setjmp(LLVMGetValueName2(callee, &length)))
			state->reasons |= DYNOPT_REASON_SETJMP;
	}
	if (ir_call_has(call, LLVMAttributeFunctionIndex, state->kinds.returns_twice))
		state->reasons |= DYNOPT_REASON_SETJMP;
}

static void instruction_visit(struct state *state, LLVMValueRef i)
{
	switch (LLVMGetInstructionOpcode(i)) {
	case LLVMLoad:
	case LLVMStore:
		if (LLVMGetVolatile(i) || LLVMGetOrdering(i) != LLVMAtomicOrderingNotAtomic)
			state->plain = false;
		break;
	case LLVMFence:
	case LLVMAtomicCmpXchg:
	case LLVMAtomicRMW:
		state->plain = false;
		break;
	case LLVMCallBr: /* asm goto */
		state->plain = state->stack_private = false;
		return;
	case LLVMCall:
	case LLVMInvoke:
		call_visit(state, i);
		break;
	default:
		break;
	}
	if (state->stack_private && !stack_instruction_private(i))
		state->stack_private = false;
}

struct verdict classify(LLVMValueRef f)
{
	static struct ir_kind returns_twice = { .name = "returns_twice" };
	static struct ir_kind memory = { .name = "memory" };
	const uint32_t bare = DYNOPT_REASON_SLEDS | DYNOPT_REASON_SPLITSTACK | DYNOPT_REASON_NAKED;
	const uint32_t odd = bare | DYNOPT_REASON_SETJMP | DYNOPT_REASON_RETADDR |
	                     DYNOPT_REASON_FRAMEADDR | DYNOPT_REASON_INTERRUPT;
	bool sanitized = is_sanitized(f);
	struct state state = {
		.reasons = reasons_of_attributes(f),
		.plain = !sanitized,
		.stack_private = !sanitized && stack_function_private(f),
		.kinds = { ir_kind_id(&returns_twice), ir_kind_id(&memory) },
	};

	for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(f); b; b = LLVMGetNextBasicBlock(b))
		for (LLVMValueRef i = LLVMGetFirstInstruction(b); i; i = LLVMGetNextInstruction(i))
			instruction_visit(&state, i);
	if (state.reasons & odd)
		state.stack_private = false;
	if (state.stack_private)
		state.stack_private = stack_locals_private(f);

	return (struct verdict){
		.facts = (state.plain ? DYNOPT_FACT_PLAIN : 0) |
		         (state.stack_private ? DYNOPT_FACT_STACK_PRIVATE : 0),
		.reasons = state.reasons,
		.no_slots = (state.reasons & bare) != 0,
	};
}
