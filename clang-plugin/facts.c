/* SPDX-License-Identifier: MIT */
/*
 * facts.c - attaches a function's facts as !pcsections metadata.
 *
 *     !{!"dynopt.facts", !{i32 FACTS, i32 REASONS, ... }}
 *
 * after whatever sections the function's metadata named before: one attachment
 * holds them all, and facts of an earlier run are replaced, not doubled.
 *
 * What AsmPrinter makes of it at the end of the function, after its body, its
 * `.size` and its exception table (calls on the MCStreamer, LLVM 19,
 * AsmPrinter::emitPCSections):
 *
 *     pushSection()
 *     switchSection(S)      S: "dynopt.facts", PROGBITS, SHF_ALLOC|SHF_WRITE|SHF_LINK_ORDER
 *                           [|SHF_GROUP], linked to the function's section
 *     emitLabel(T)          temporary "pcsection_base"
 *     emitValue(F - T, n)   F: the function's begin label; n = 4, but 8 with
 *                           -mcmodel=medium and large
 *     emitValue(E - F, 4)   E: its end label; 4 bytes, no ULEB128, for the name has
 *                           no "!C" (a streamer that can fold it gets emitIntValue)
 *     emitIntValue(w, 4)    FACTS_N_WORDS times
 *     emitBytes(s)          the name of the source with its 0, where there is one
 *     popSection()
 */
#include "facts_attach.h"

#include <llvm-c/DebugInfo.h>
#include <stdlib.h>
#include <string.h>

#define SMALL 16

/* The function's !pcsections node, or NULL. */
static LLVMMetadataRef node_of(LLVMValueRef f, unsigned kind)
{
	size_t n;
	LLVMValueMetadataEntry *entries = LLVMGlobalCopyAllMetadata(f, &n);
	LLVMMetadataRef node = NULL;

	for (unsigned i = 0; i < n; i++)
		if (LLVMValueMetadataEntriesGetKind(entries, i) == kind)
			node = LLVMValueMetadataEntriesGetMetadata(entries, i);
	LLVMDisposeValueMetadataEntries(entries);
	return node;
}

/* Copies the operands of `node` without our section's; returns how many. */
static unsigned others(LLVMContextRef context, LLVMMetadataRef node, LLVMMetadataRef *out)
{
	LLVMValueRef value = LLVMMetadataAsValue(context, node);
	unsigned n = LLVMGetMDNodeNumOperands(value), kept = 0;
	LLVMValueRef *operands = malloc(n * sizeof(*operands));
	int ours = 0;

	LLVMGetMDNodeOperands(value, operands);
	for (unsigned i = 0; i < n; i++) {
		unsigned length;
		const char *name = operands[i] ? LLVMGetMDString(operands[i], &length) : NULL;

		if (name)
			ours = length == strlen(FACTS_SECTION) &&
			       !memcmp(name, FACTS_SECTION, length);
		if (ours || !operands[i])
			continue;
		LLVMMetadataRef operand = LLVMValueAsMetadata(operands[i]);

		/* A node of one constant comes out of LLVM-C as the bare constant. */
		if (LLVMGetMetadataKind(operand) == LLVMConstantAsMetadataMetadataKind)
			operand = LLVMMDNodeInContext2(context, &operand, 1);
		out[kept++] = operand;
	}
	free(operands);
	return kept;
}

void facts_attach(LLVMValueRef f, const uint32_t words[FACTS_N_WORDS], const char *source)
{
	LLVMContextRef context = LLVMGetModuleContext(LLVMGetGlobalParent(f));
	LLVMTypeRef i32 = LLVMInt32TypeInContext(context);
	unsigned kind = LLVMGetMDKindIDInContext(context, "pcsections", strlen("pcsections"));
	LLVMMetadataRef constants[FACTS_N_WORDS + 1], small[SMALL], *operands = small;
	LLVMMetadataRef before = node_of(f, kind);
	unsigned n = 0, n_constants = FACTS_N_WORDS;

	if (before) {
		LLVMValueRef value = LLVMMetadataAsValue(context, before);

		operands = malloc((LLVMGetMDNodeNumOperands(value) + 2) * sizeof(*operands));
		n = others(context, before, operands);
	}
	for (int i = 0; i < FACTS_N_WORDS; i++)
		constants[i] = LLVMValueAsMetadata(LLVMConstInt(i32, words[i], 0));
	if (*source) /* its end makes it no repeated byte, which would be emitted as a fill */
		constants[n_constants++] = LLVMValueAsMetadata(
			LLVMConstStringInContext(context, source, strlen(source), 0));
	operands[n++] = LLVMMDStringInContext2(context, FACTS_SECTION, strlen(FACTS_SECTION));
	operands[n++] = LLVMMDNodeInContext2(context, constants, n_constants);
	LLVMGlobalSetMetadata(f, kind, LLVMMDNodeInContext2(context, operands, n));
	if (operands != small)
		free(operands);
}
