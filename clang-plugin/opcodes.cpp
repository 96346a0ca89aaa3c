// SPDX-License-Identifier: MIT
/*
 * opcodes.cpp - builds the table of opcodes.h, once, for all threads.
 *
 * A barrier is an unconditional jump or a return. MCID::Barrier alone would also
 * name ud2, int3 and hlt, behind which a handler may continue.
 */
#include "opcodes.h"
#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace dynopt
{

/* Names first: descriptors alone would trust that nobody forgot a side effect. */
static bool computes(const MCInstrDesc &Desc, StringRef Name)
{
	static const char *const Names[] = { "MOV", "LEA",  "ADD",  "SUB", "AND",  "OR",  "XOR",
		                             "CMP", "TEST", "INC",  "DEC", "NEG",  "NOT", "SHL",
		                             "SHR", "SAR",  "IMUL", "SET", "CMOV", "BT",  "BSWAP" };

	if (Desc.mayLoad() || Desc.mayStore() || Desc.hasUnmodeledSideEffects() ||
	    Desc.mayRaiseFPException() || Desc.isCall() || Desc.isBranch() || Desc.isTerminator() ||
	    Desc.isBarrier() || Desc.isVariadic() || Desc.isPseudo())
		return false;
	return llvm::any_of(Names, [Name](const char *N) { return Name.starts_with(N); });
}

static uint16_t classify(const MCInstrDesc &Desc, StringRef Name)
{
	uint16_t C = 0;

	if (Desc.isReturn() || Desc.isUnconditionalBranch() || Desc.isIndirectBranch())
		C |= OpBarrier;
	if (Desc.isBranch() || Desc.isReturn() || Desc.isBarrier())
		C |= OpBranch;
	if (Desc.isCall())
		C |= OpCall;
	if (Desc.isIndirectBranch())
		C |= OpIndirect;
	if (Name.ends_with("_PREFIX"))
		C |= OpPrefix;
	if (Name.starts_with("ENDBR"))
		C |= OpEndbr;
	if (Name.starts_with("SYS") || Name.starts_with("INT") || Name == "XBEGIN" ||
	    Name == "XABORT" || Name.starts_with("NOOP") || Name == "TRAP" ||
	    Name.starts_with("UD1") || Name.starts_with("RDTSC") || Name == "CPUID")
		C |= OpBare;
	if (Name == "LEA64r")
		C |= OpLea;
	if (Name == "MOV64rm")
		C |= OpLoad;
	if (Name == "MOVSX64rm32")
		C |= OpLoadS32;
	if (Name == "ADD64rr")
		C |= OpAdd;
	if (computes(Desc, Name))
		C |= OpCompute;
	if (Name == "JMP64m" || Name == "JMP64m_NT")
		C |= OpJumpMem;
	return C;
}

const OpcodeTable &opcodeTable(const MCInstrInfo &MII)
{
	static const OpcodeTable Table = [&] {
		OpcodeTable T(MII.getNumOpcodes());
		for (unsigned Op = 0; Op < T.size(); Op++)
			T[Op] = classify(MII.get(Op), MII.getName(Op));
		return T;
	}();
	return Table;
}

} // namespace dynopt
