/* SPDX-License-Identifier: MIT */
/*
 * stack.c - DYNOPT_FACT_STACK_PRIVATE: an axiom that the optimizer relies on.
 *
 * Definition. While an activation of the function runs, memory of its *own frame*
 * (its local variables, spills and stack temporaries, and byval parameters) is read
 * or written only by the function's own instructions. Not part of the own frame,
 * and not covered: the return address and the saved registers (the unwinder reads
 * them), and ordinary stack parameters (they belong to whom the ABI says).
 * An address inside the frame may be computed and kept in registers, callee-saved
 * ones too, and in the frame; no other code gets it in order to access the frame.
 * A call may leave through a landing pad of the function, which reads the frame.
 *
 * It holds if all of this does:
 *  1. Every alloca is static: in the entry block, of constant size.
 *  2. The address of an alloca or byval parameter flows only through getelementptr,
 *     bitcast, phi and select (to scalar pointers), and ends in
 *       - the address of a load or store that is neither atomic nor volatile (the
 *         value of a volatile local may be observed by a handler or a debugger),
 *       - a copy, not volatile, of constant size: memcpy of at most 32, memmove of at
 *         most 16 bytes, which LLVM 19 expands inline on x86-64 at every level (four
 *         general registers do; FastISel and SelectionDAG allow that many under -Oz
 *         too, and only memcpy may overlap its moves); or memcpy.inline,
 *         memset.inline. Other copies may become calls, so the address escapes,
 *       - a comparison with null or with an address derived from a local: it says
 *         nothing about where the frame is to anyone else,
 *       - lifetime markers and assumptions.
 *     Anything else is an escape: stored as a value, passed, returned, ptrtoint,
 *     addrspacecast, in an aggregate or vector, in an atomic access.
 *  3. No call passes an argument or receives a result in memory of the caller's
 *     frame: no byval, inalloca, preallocated or swifterror argument, no more
 *     arguments than registers hold, no result that needs a hidden pointer.
 *  4. Code generation makes no call that gets the address of a temporary: no
 *     sin/cos (they may be fused to sincos), no intrinsic outside intrinsics.def,
 *     no x87 or 128-bit floating point, no integer over 128 bits, no atomic access
 *     of more than 8 bytes or of less than natural alignment.
 *  5. No frame or return address is asked for, no va_start, no va_arg, no stacksave,
 *     nothing that returns twice, no inline assembly, no musttail call, no split
 *     stack, no garbage collector, no instrumentation still to come, and no
 *     personality but those of C and C++ (others outline handlers that read frames).
 *
 * When in doubt the answer is no.
 */
#include "stack.h"
#include "intrinsics.h"
#include "ir.h"

#include <stdint.h>
#include <stdlib.h>

/* Bytes. */
#define INLINE_MEMCPY_MAX 32
#define INLINE_MEMMOVE_MAX 16

/* Registers that carry arguments and results (System V x86-64 ABI, 3.2.3). */
#define INT_ARGUMENTS 6
#define VECTOR_ARGUMENTS 8
#define INT_RESULTS 2
#define VECTOR_RESULTS 2

/* --- types ------------------------------------------------------------------- */

struct registers {
	unsigned ints;
	unsigned vectors;
};

/* Adds what a value of this type needs; false: not in registers, or not surely. */
static bool registers_add(struct registers *need, LLVMTypeRef type)
{
	switch (LLVMGetTypeKind(type)) {
	case LLVMVoidTypeKind:
	case LLVMMetadataTypeKind:
		return true;
	case LLVMIntegerTypeKind:
		need->ints += LLVMGetIntTypeWidth(type) > 64 ? 2 : 1;
		return LLVMGetIntTypeWidth(type) <= 128;
	case LLVMPointerTypeKind:
		need->ints++;
		return LLVMGetPointerAddressSpace(type) == 0;
	case LLVMHalfTypeKind:
	case LLVMBFloatTypeKind:
	case LLVMFloatTypeKind:
	case LLVMDoubleTypeKind:
		need->vectors++;
		return true;
	case LLVMVectorTypeKind: {
		struct registers element = { 0, 0 };
		unsigned n = LLVMGetVectorSize(type);
		LLVMTypeRef of = LLVMGetElementType(type);
		bool is_int = LLVMGetTypeKind(of) == LLVMIntegerTypeKind;
		unsigned bits = is_int ? LLVMGetIntTypeWidth(of) : 64;

		need->vectors++;
		return registers_add(&element, of) && bits >= 8 && bits * n <= 128;
	}
	case LLVMStructTypeKind:
		for (unsigned i = 0; i < LLVMCountStructElementTypes(type); i++)
			if (!registers_add(need, LLVMStructGetTypeAtIndex(type, i)))
				return false;
		return true;
	default:
		return false;
	}
}

/* Types that codegen handles by library calls with operands in memory. */
static bool type_needs_memory(LLVMTypeRef type)
{
	switch (LLVMGetTypeKind(type)) {
	case LLVMX86_FP80TypeKind:
	case LLVMFP128TypeKind:
	case LLVMPPC_FP128TypeKind:
	case LLVMX86_AMXTypeKind:
	case LLVMTargetExtTypeKind:
	case LLVMScalableVectorTypeKind:
		return true;
	case LLVMIntegerTypeKind:
		return LLVMGetIntTypeWidth(type) > 128;
	case LLVMVectorTypeKind:
	case LLVMArrayTypeKind:
		return type_needs_memory(LLVMGetElementType(type));
	case LLVMStructTypeKind:
		for (unsigned i = 0; i < LLVMCountStructElementTypes(type); i++)
			if (type_needs_memory(LLVMStructGetTypeAtIndex(type, i)))
				return true;
		return false;
	default:
		return false;
	}
}

/* --- the function ------------------------------------------------------------- */

static bool personality_known(LLVMValueRef f)
{
	if (!LLVMHasPersonalityFn(f))
		return true;
	LLVMValueRef p = LLVMGetPersonalityFn(f);
	size_t length;
	const char *name = LLVMGetValueName2(p, &length);

	return !strcmp(name, "__gxx_personality_v0") || !strcmp(name, "__gcc_personality_v0");
}

bool stack_function_private(LLVMValueRef f)
{
	unsigned n = LLVMCountParams(f);

	if (LLVMGetGC(f) || !personality_known(f))
		return false;
	for (unsigned i = 0; i < n; i++)
		if (type_needs_memory(LLVMTypeOf(LLVMGetParam(f, i))))
			return false;
	return true;
}

/* --- instructions ------------------------------------------------------------- */

/* sin and cos of one argument may be fused to sincos(x, &s, &c). */
static bool may_become_sincos(const char *name)
{
	return !strcmp(name, "sin") || !strcmp(name, "sinf") || !strcmp(name, "sinl") ||
	       !strcmp(name, "cos") || !strcmp(name, "cosf") || !strcmp(name, "cosl");
}

static bool argument_in_register(LLVMValueRef call, unsigned index)
{
	static struct ir_kind in_memory[] = { { .name = "byval" },
		                              { .name = "byref" },
		                              { .name = "inalloca" },
		                              { .name = "preallocated" },
		                              { .name = "swifterror" } };

	if (!LLVMGetCallSiteAttributeCount(call, index + 1))
		return true;
	for (size_t i = 0; i < sizeof(in_memory) / sizeof(in_memory[0]); i++)
		if (ir_call_has(call, index + 1, ir_kind_id(&in_memory[i])))
			return false;
	return true;
}

static bool call_private(LLVMValueRef call)
{
	LLVMValueRef callee = LLVMGetCalledValue(call);
	struct registers arguments = { 0, 0 }, result = { 0, 0 };
	unsigned n = LLVMGetNumArgOperands(call);
	size_t length;

	if (LLVMIsAFunction(callee)) {
		if (LLVMGetIntrinsicID(callee))
			return true;
		if (may_become_sincos(LLVMGetValueName2(callee, &length)))
			return false;
	}
	if (LLVMGetInstructionOpcode(call) == LLVMCall &&
	    LLVMGetTailCallKind(call) == LLVMTailCallKindMustTail)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (!argument_in_register(call, i) ||
		    !registers_add(&arguments, LLVMTypeOf(LLVMGetOperand(call, i))))
			return false;
	return registers_add(&result, LLVMTypeOf(call)) && arguments.ints <= INT_ARGUMENTS &&
	       arguments.vectors <= VECTOR_ARGUMENTS && result.ints <= INT_RESULTS &&
	       result.vectors <= VECTOR_RESULTS;
}

bool stack_intrinsic_private(LLVMValueRef call)
{
	for (unsigned i = 0; i < LLVMGetNumArgOperands(call); i++)
		if (type_needs_memory(LLVMTypeOf(LLVMGetOperand(call, i))))
			return false;
	return true;
}

/* Wider or misaligned ones become calls of libatomic that get the address of a temporary. */
static bool atomic_private(LLVMValueRef i)
{
	LLVMOpcode op = LLVMGetInstructionOpcode(i);
	LLVMTypeRef type = LLVMTypeOf(op == LLVMLoad            ? i
	                              : op == LLVMStore         ? LLVMGetOperand(i, 0)
	                              : op == LLVMAtomicCmpXchg ? LLVMGetOperand(i, 2)
	                                                        : LLVMGetOperand(i, 1));
	unsigned size;

	switch (LLVMGetTypeKind(type)) {
	case LLVMIntegerTypeKind:
		size = (LLVMGetIntTypeWidth(type) + 7) / 8;
		break;
	case LLVMFloatTypeKind:
		size = 4;
		break;
	case LLVMPointerTypeKind:
	case LLVMDoubleTypeKind:
		size = 8;
		break;
	default:
		return false;
	}
	return size <= 8 && (size & (size - 1)) == 0 && LLVMGetAlignment(i) >= size;
}

static bool alloca_static(LLVMValueRef i)
{
	LLVMBasicBlockRef block = LLVMGetInstructionParent(i);

	return block == LLVMGetEntryBasicBlock(LLVMGetBasicBlockParent(block)) &&
	       LLVMIsAConstantInt(LLVMGetOperand(i, 0));
}

bool stack_instruction_private(LLVMValueRef i)
{
	if (type_needs_memory(LLVMTypeOf(i)))
		return false;
	switch (LLVMGetInstructionOpcode(i)) {
	case LLVMAlloca:
		return alloca_static(i) && !type_needs_memory(LLVMGetAllocatedType(i));
	case LLVMCall:
	case LLVMInvoke:
		return call_private(i);
	case LLVMLoad:
	case LLVMStore:
		return LLVMGetOrdering(i) == LLVMAtomicOrderingNotAtomic || atomic_private(i);
	case LLVMAtomicCmpXchg:
	case LLVMAtomicRMW:
		return atomic_private(i);
	case LLVMVAArg:
	case LLVMCallBr:
	case LLVMCleanupPad:
	case LLVMCatchPad:
	case LLVMCatchSwitch:
		return false;
	default:
		return true;
	}
}

/* --- addresses of locals ------------------------------------------------------ */

/*
 * Values derived from the address of a local and still to be looked at, and a set of
 * the phis and selects among them, which can be reached twice.
 */
struct flow {
	LLVMValueRef *todo;
	size_t n, room;
	LLVMValueRef *set; /* open addressing, set_room a power of two */
	size_t set_n, set_room;
	LLVMValueRef *compares; /* judged at the end, when the set is complete */
	size_t compares_n, compares_room;
};

static void push(LLVMValueRef **array, size_t *n, size_t *room, LLVMValueRef v)
{
	if (*n == *room) {
		*room = *room ? 2 * *room : 32;
		*array = realloc(*array, *room * sizeof(**array));
	}
	(*array)[(*n)++] = v;
}

static LLVMValueRef *set_find(const struct flow *flow, LLVMValueRef v)
{
	size_t i = ((uintptr_t)v >> 4) * 0x9e3779b97f4a7c15u >> 20;

	for (;; i++) {
		LLVMValueRef *place = &flow->set[i & (flow->set_room - 1)];

		if (!*place || *place == v)
			return place;
	}
}

static bool set_has(const struct flow *flow, LLVMValueRef v)
{
	return flow->set_room && *set_find(flow, v) == v;
}

static void set_add(struct flow *flow, LLVMValueRef v)
{
	if (2 * (flow->set_n + 1) > flow->set_room) {
		struct flow old = *flow;

		flow->set_room = old.set_room ? 2 * old.set_room : 32;
		flow->set = calloc(flow->set_room, sizeof(*flow->set));
		for (size_t i = 0; i < old.set_room; i++)
			if (old.set[i])
				*set_find(flow, old.set[i]) = old.set[i];
		free(old.set);
	}
	*set_find(flow, v) = v;
	flow->set_n++;
}

static void derive(struct flow *flow, LLVMValueRef v)
{
	push(&flow->todo, &flow->n, &flow->room, v);
}

static void derive_once(struct flow *flow, LLVMValueRef v)
{
	if (set_has(flow, v))
		return;
	set_add(flow, v);
	derive(flow, v);
}

static bool copy_private(LLVMValueRef call, unsigned long long max)
{
	LLVMValueRef length = LLVMGetOperand(call, 2);
	LLVMValueRef is_volatile = LLVMGetOperand(call, 3);

	return LLVMIsAConstantInt(length) && LLVMConstIntGetZExtValue(length) <= max &&
	       LLVMIsAConstantInt(is_volatile) && !LLVMConstIntGetZExtValue(is_volatile);
}

/* An intrinsic gets the address: may it? */
static bool use_by_call(LLVMValueRef call)
{
	static const char *const harmless[] = { "llvm.lifetime.start", "llvm.lifetime.end",
		                                "llvm.assume", "llvm.invariant.start",
		                                "llvm.invariant.end" };
	LLVMValueRef callee = LLVMGetCalledValue(call);
	size_t length;

	if (!LLVMIsAFunction(callee) || !LLVMGetIntrinsicID(callee))
		return false;
	const char *name = LLVMGetValueName2(callee, &length);

	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (!strncmp(name, harmless[i], strlen(harmless[i])))
			return true;
	if (!strncmp(name, "llvm.memcpy.inline.", 19) || !strncmp(name, "llvm.memset.inline.", 19))
		return copy_private(call, UINT64_MAX);
	if (!strncmp(name, "llvm.memcpy.p", 13))
		return copy_private(call, INLINE_MEMCPY_MAX);
	return !strncmp(name, "llvm.memmove.p", 14) && copy_private(call, INLINE_MEMMOVE_MAX);
}

/* One use of a derived address. */
static bool use_private(struct flow *flow, LLVMValueRef v, LLVMValueRef user)
{
	if (!LLVMIsAInstruction(user))
		return false;
	switch (LLVMGetInstructionOpcode(user)) {
	case LLVMLoad:
		return !LLVMGetVolatile(user) &&
		       LLVMGetOrdering(user) == LLVMAtomicOrderingNotAtomic;
	case LLVMStore:
		return LLVMGetOperand(user, 0) != v && !LLVMGetVolatile(user) &&
		       LLVMGetOrdering(user) == LLVMAtomicOrderingNotAtomic;
	case LLVMGetElementPtr:
	case LLVMBitCast:
		if (LLVMGetTypeKind(LLVMTypeOf(user)) != LLVMPointerTypeKind)
			return false;
		derive(flow, user);
		return true;
	case LLVMPHI:
	case LLVMSelect:
		if (LLVMGetTypeKind(LLVMTypeOf(user)) != LLVMPointerTypeKind)
			return false;
		derive_once(flow, user);
		return true;
	case LLVMICmp:
		push(&flow->compares, &flow->compares_n, &flow->compares_room, user);
		return true;
	case LLVMCall:
		return use_by_call(user);
	default:
		return false;
	}
}

static bool is_local(const struct flow *flow, LLVMValueRef v)
{
	while (LLVMIsAGetElementPtrInst(v) || LLVMIsABitCastInst(v))
		v = LLVMGetOperand(v, 0);
	return LLVMIsAAllocaInst(v) || set_has(flow, v);
}

static bool compares_private(const struct flow *flow)
{
	for (size_t i = 0; i < flow->compares_n; i++)
		for (unsigned k = 0; k < 2; k++) {
			LLVMValueRef v = LLVMGetOperand(flow->compares[i], k);

			if (!LLVMIsAConstantPointerNull(v) && !is_local(flow, v))
				return false;
		}
	return true;
}

static void roots(struct flow *flow, LLVMValueRef f)
{
	LLVMBasicBlockRef entry = LLVMGetEntryBasicBlock(f);
	static struct ir_kind by_value = { .name = "byval" };
	unsigned byval = ir_kind_id(&by_value);

	for (LLVMValueRef i = LLVMGetFirstInstruction(entry); i; i = LLVMGetNextInstruction(i))
		if (LLVMIsAAllocaInst(i))
			derive(flow, i);
	for (unsigned i = 0; i < LLVMCountParams(f); i++)
		if (LLVMGetEnumAttributeAtIndex(f, i + 1, byval))
			derive_once(flow, LLVMGetParam(f, i));
}

bool stack_locals_private(LLVMValueRef f)
{
	struct flow flow = { 0 };
	bool ok = true;

	roots(&flow, f);
	while (ok && flow.n) {
		LLVMValueRef v = flow.todo[--flow.n];

		for (LLVMUseRef u = LLVMGetFirstUse(v); ok && u; u = LLVMGetNextUse(u))
			ok = use_private(&flow, v, LLVMGetUser(u));
	}
	ok = ok && compares_private(&flow);
	free(flow.todo);
	free(flow.set);
	free(flow.compares);
	return ok;
}
