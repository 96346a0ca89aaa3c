/* SPDX-License-Identifier: MIT */
/*
 * marks.c - reasons that are plain to see before optimization, and gone after it.
 *
 * USER    the source says so: annotate("dynopt_disable"), the form that attribute,
 *         pragma and DYNOPT_DISABLE all take. The function is not inlined any more,
 *         or its code would run, unmarked, elsewhere. Where it must be inlined
 *         (always_inline), the functions that contain it are disabled instead.
 * IFUNC   resolver of an ifunc: it runs before the program is relocated.
 * SIGNAL  installed as a signal handler: passed to signal() or its kin, stored into
 *         a struct sigaction that is passed to sigaction(), or passed to a function
 *         of this module that does so with its argument. A handler that comes from
 *         another module or a table is not seen.
 *
 * Reasons travel as the string attribute "dynopt-reasons", a decimal number, which
 * survives cloning, bitcode and LTO. IFUNC and SIGNAL say how a function is entered:
 * a copy inlined elsewhere is no handler, so they stay behind. The others follow
 * from instructions of the final IR (classify.c), which inlining carries along.
 *
 * Invariant: apart from USER nothing here changes what the optimizer does.
 */
#include "marks.h"
#include "dynopt_notes.h"
#include "ir.h"

#include <stdio.h>
#include <stdlib.h>

#define ATTRIBUTE "dynopt-reasons"
#define ANNOTATION "dynopt_disable"

/* How far a handler is followed through loads, stores and parameters. */
#define FOLLOW_MAX 6

uint32_t marks_of(LLVMValueRef f)
{
	const char *text = ir_attribute(f, ATTRIBUTE);

	return text ? strtoul(text, NULL, 10) : 0;
}

static void mark(LLVMValueRef f, uint32_t reasons)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", marks_of(f) | reasons);
	LLVMContextRef context = LLVMGetModuleContext(LLVMGetGlobalParent(f));

	LLVMAddAttributeAtIndex(f, LLVMAttributeFunctionIndex,
	                        LLVMCreateStringAttribute(context, ATTRIBUTE, strlen(ATTRIBUTE),
	                                                  text, length));
}

/* Follows aliases, casts and member addresses to the object behind. */
static LLVMValueRef base_of(LLVMValueRef v)
{
	for (;;) {
		if (LLVMIsAGlobalAlias(v))
			v = LLVMAliasGetAliasee(v);
		else if (LLVMIsAGetElementPtrInst(v) || LLVMIsACastInst(v) ||
		         (LLVMIsAConstantExpr(v) && LLVMGetNumOperands(v) > 0))
			v = LLVMGetOperand(v, 0);
		else
			return v;
	}
}

/* --- USER -------------------------------------------------------------------- */

static void disable(LLVMValueRef f);

/* Calls of a disabled function: none may be inlined, or else the caller is disabled. */
static void disable_callers(LLVMValueRef f, bool inlined)
{
	unsigned always = ir_kind("alwaysinline");

	for (LLVMUseRef use = LLVMGetFirstUse(f); use; use = LLVMGetNextUse(use)) {
		LLVMValueRef call = LLVMGetUser(use);

		if (!LLVMIsAInstruction(call) || !ir_is_call(call) || LLVMGetCalledValue(call) != f)
			continue;
		if (inlined)
			disable(LLVMGetBasicBlockParent(LLVMGetInstructionParent(call)));
		else
			LLVMRemoveCallSiteEnumAttribute(call, LLVMAttributeFunctionIndex, always);
	}
}

static void disable(LLVMValueRef f)
{
	if (marks_of(f) & DYNOPT_REASON_USER)
		return;
	bool inlined = ir_has(f, ir_kind("alwaysinline"));

	mark(f, DYNOPT_REASON_USER);
	if (!inlined) {
		LLVMContextRef context = LLVMGetModuleContext(LLVMGetGlobalParent(f));

		LLVMAddAttributeAtIndex(f, LLVMAttributeFunctionIndex,
		                        LLVMCreateEnumAttribute(context, ir_kind("noinline"), 0));
	}
	disable_callers(f, inlined);
}

void marks_disable_all(LLVMModuleRef module)
{
	for (LLVMValueRef f = LLVMGetFirstFunction(module); f; f = LLVMGetNextFunction(f))
		if (!LLVMIsDeclaration(f))
			disable(f);
}

/* llvm.global.annotations: an array of { function, string, file, line, arguments }. */
static void annotations_collect(LLVMModuleRef module)
{
	LLVMValueRef global = LLVMGetNamedGlobal(module, "llvm.global.annotations");
	LLVMValueRef array = global ? LLVMGetInitializer(global) : NULL;

	if (!array || !LLVMIsAConstantArray(array))
		return;
	for (int i = 0; i < LLVMGetNumOperands(array); i++) {
		LLVMValueRef entry = LLVMGetOperand(array, i);
		LLVMValueRef f = base_of(LLVMGetOperand(entry, 0));
		LLVMValueRef text = base_of(LLVMGetOperand(entry, 1));

		if (!LLVMIsAFunction(f) || LLVMIsDeclaration(f) || !LLVMIsAGlobalVariable(text))
			continue;
		LLVMValueRef string = LLVMGetInitializer(text);
		size_t length;

		if (!string || !LLVMIsAConstantDataSequential(string) ||
		    !LLVMIsConstantString(string))
			continue;
		if (!strcmp(LLVMGetAsString(string, &length), ANNOTATION))
			disable(f);
	}
}

/* --- SIGNAL ------------------------------------------------------------------ */

static void handler(LLVMValueRef v, int depth);

/* Whatever is stored into `slot`, a local variable of an unoptimized function. */
static void handlers_stored(LLVMValueRef slot, int depth)
{
	for (LLVMUseRef use = LLVMGetFirstUse(slot); use; use = LLVMGetNextUse(use)) {
		LLVMValueRef user = LLVMGetUser(use);

		if (LLVMIsAStoreInst(user) && LLVMGetOperand(user, 1) == slot)
			handler(LLVMGetOperand(user, 0), depth);
	}
}

/* What the module's direct calls pass for parameter `p` of its function. */
static void handlers_passed(LLVMValueRef p, int depth)
{
	LLVMValueRef f = LLVMGetParamParent(p);
	unsigned index = 0;

	while (LLVMGetParam(f, index) != p)
		index++;
	for (LLVMUseRef use = LLVMGetFirstUse(f); use; use = LLVMGetNextUse(use)) {
		LLVMValueRef call = LLVMGetUser(use);

		if (LLVMIsAInstruction(call) && ir_is_call(call) && LLVMGetCalledValue(call) == f &&
		    LLVMGetNumArgOperands(call) > index)
			handler(LLVMGetOperand(call, index), depth);
	}
}

/* `v` becomes a signal handler: marks the functions that it may be. */
static void handler(LLVMValueRef v, int depth)
{
	v = base_of(v);
	if (LLVMIsAFunction(v)) {
		if (!LLVMIsDeclaration(v))
			mark(v, DYNOPT_REASON_SIGNAL);
		return;
	}
	if (depth >= FOLLOW_MAX)
		return;
	if (LLVMIsALoadInst(v)) {
		LLVMValueRef from = base_of(LLVMGetOperand(v, 0));

		if (LLVMIsAAllocaInst(from))
			handlers_stored(from, depth + 1);
	} else if (LLVMIsAArgument(v)) {
		handlers_passed(v, depth + 1);
	} else if (LLVMIsASelectInst(v)) {
		handler(LLVMGetOperand(v, 1), depth + 1);
		handler(LLVMGetOperand(v, 2), depth + 1);
	} else if (LLVMIsAPHINode(v)) {
		for (unsigned i = 0; i < LLVMCountIncoming(v); i++)
			handler(LLVMGetIncomingValue(v, i), depth + 1);
	}
}

/* Every function in a constant, e.g. the initializer of a struct sigaction. */
static void handlers_in_constant(LLVMValueRef c, int depth)
{
	if (LLVMIsAFunction(c) || LLVMIsAConstantExpr(c) || LLVMIsAGlobalAlias(c))
		handler(c, 0);
	else if ((LLVMIsAConstantStruct(c) || LLVMIsAConstantArray(c)) && depth < FOLLOW_MAX)
		for (int i = 0; i < LLVMGetNumOperands(c); i++)
			handlers_in_constant(LLVMGetOperand(c, i), depth + 1);
}

/* `object` is a struct sigaction: follows what is written into it. */
static void handlers_in_object(LLVMValueRef object, int depth)
{
	if (LLVMIsAGlobalVariable(object) && LLVMGetInitializer(object))
		handlers_in_constant(LLVMGetInitializer(object), 0);
	for (LLVMUseRef use = LLVMGetFirstUse(object); use; use = LLVMGetNextUse(use)) {
		LLVMValueRef user = LLVMGetUser(use);

		if (LLVMIsAStoreInst(user)) {
			if (LLVMGetOperand(user, 1) == object)
				handler(LLVMGetOperand(user, 0), 0);
		} else if (LLVMIsAGetElementPtrInst(user) || LLVMIsACastInst(user) ||
		           LLVMIsAConstantExpr(user)) {
			if (depth < FOLLOW_MAX)
				handlers_in_object(user, depth + 1);
		} else if (LLVMIsAMemCpyInst(user) && LLVMGetOperand(user, 0) == object) {
			LLVMValueRef from = base_of(LLVMGetOperand(user, 1));

			if (LLVMIsAGlobalVariable(from) && LLVMGetInitializer(from))
				handlers_in_constant(LLVMGetInitializer(from), 0);
		}
	}
}

/* Installers: all take the handler, or the struct that holds it, as second argument. */
static const struct {
	const char *name;
	bool by_struct;
} installers[] = {
	{ "signal", false },   { "bsd_signal", false },    { "sysv_signal", false },
	{ "ssignal", false },  { "__sysv_signal", false }, { "sigset", false },
	{ "sigaction", true }, { "__sigaction", true },
};

static void handlers_collect(LLVMModuleRef module)
{
	for (size_t i = 0; i < sizeof(installers) / sizeof(installers[0]); i++) {
		LLVMValueRef f = LLVMGetNamedFunction(module, installers[i].name);

		if (!f)
			continue;
		for (LLVMUseRef use = LLVMGetFirstUse(f); use; use = LLVMGetNextUse(use)) {
			LLVMValueRef call = LLVMGetUser(use);

			if (!LLVMIsAInstruction(call) || !ir_is_call(call) ||
			    LLVMGetCalledValue(call) != f || LLVMGetNumArgOperands(call) < 2)
				continue;
			if (installers[i].by_struct)
				handlers_in_object(base_of(LLVMGetOperand(call, 1)), 0);
			else
				handler(LLVMGetOperand(call, 1), 0);
		}
	}
}

/* --- IFUNC ------------------------------------------------------------------- */

static void resolvers_collect(LLVMModuleRef module)
{
	for (LLVMValueRef i = LLVMGetFirstGlobalIFunc(module); i; i = LLVMGetNextGlobalIFunc(i)) {
		LLVMValueRef resolver = base_of(LLVMGetGlobalIFuncResolver(i));

		if (LLVMIsAFunction(resolver))
			mark(resolver, DYNOPT_REASON_IFUNC);
	}
}

void marks_collect(LLVMModuleRef module)
{
	annotations_collect(module);
	resolvers_collect(module);
	handlers_collect(module);
}
