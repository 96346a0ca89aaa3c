// SPDX-License-Identifier: MIT
/*
 * table_jumps.cpp - the dataflow of table_jumps.h.
 *
 * Known holds at most a handful of registers; whatever an instruction defines is
 * forgotten first (aliases included), then what it makes known is added. Calls
 * and branches forget everything.
 */
#include "table_jumps.h"
#include "llvm/MC/MCExpr.h"
#include "llvm/Support/Casting.h"

using namespace llvm;

namespace dynopt
{

/* Operands of an x86 memory reference, from its first operand. */
enum { MemBase, MemScale, MemIndex, MemDisp, MemOperands = 5 };

static const MCSymbol *tableIn(const MCInst &I, unsigned Mem)
{
	const MCOperand &Disp = I.getOperand(Mem + MemDisp);
	const auto *Ref = Disp.isExpr() ? dyn_cast<MCSymbolRefExpr>(Disp.getExpr()) : nullptr;

	return Ref && TableJumps::isTable(Ref->getSymbol()) ? &Ref->getSymbol() : nullptr;
}

static bool indexedBy(const MCInst &I, unsigned Mem, int64_t Scale)
{
	return I.getOperand(Mem + MemIndex).getReg() &&
	       I.getOperand(Mem + MemScale).getImm() == Scale;
}

const TableJumps::Fact *TableJumps::find(unsigned Reg, What Is) const
{
	for (const Fact &F : Known)
		if (F.Reg == Reg && F.Is == Is)
			return &F;
	return nullptr;
}

TableJumps::Seen TableJumps::follow(const MCInst &I, uint16_t Class, uint32_t Unit,
                                    const MCInstrDesc &Desc, const MCRegisterInfo &MRI)
{
	Seen S;
	Fact New = { 0, Base, 0, nullptr, Unit };

	S.Since = Unit;

	if (Class & OpLea) {
		if ((S.Table = tableIn(I, 1)))
			New = { I.getOperand(0).getReg(), Base, 0, S.Table, Unit };
	} else if (Class & OpLoadS32) {
		unsigned B = I.getOperand(1 + MemBase).getReg();
		const MCOperand &Disp = I.getOperand(1 + MemDisp);
		if (B && indexedBy(I, 1, 4) && Disp.isImm() && Disp.getImm() == 0) {
			const Fact *F = find(B, Base);
			New = { I.getOperand(0).getReg(), Entry, B, F ? F->Table : nullptr,
				F ? F->Since : Unit };
			if (New.Reg == B)
				New.Reg = 0; /* the base is gone, the sum cannot follow */
		}
	} else if (Class & OpAdd) {
		unsigned D = I.getOperand(0).getReg(), A = I.getOperand(2).getReg();
		if (const Fact *F = find(D, Entry); F && F->BaseReg == A)
			New = { D, Target, 0, F->Table, F->Since };
		else if (const Fact *G = find(A, Entry); G && G->BaseReg == D)
			New = { D, Target, 0, G->Table, G->Since };
	} else if (Class & OpLoad) {
		if ((S.Table = tableIn(I, 1)) && indexedBy(I, 1, 8))
			New = { I.getOperand(0).getReg(), Target, 0, S.Table, Unit };
	} else if (Class & OpJumpMem) {
		S.Table = tableIn(I, 0);
		S.Jump = S.Table && indexedBy(I, 0, 8);
	} else if ((Class & OpIndirect) && I.getNumOperands() && I.getOperand(0).isReg()) {
		if (const Fact *F = find(I.getOperand(0).getReg(), Target)) {
			S.Jump = true;
			S.Table = F->Table;
			S.Since = F->Since;
		}
	}

	if (Class & (OpCall | OpBranch))
		Known.clear();
	else
		llvm::erase_if(Known, [&](const Fact &F) {
			return Desc.hasDefOfPhysReg(I, F.Reg, MRI) ||
			       (F.BaseReg && Desc.hasDefOfPhysReg(I, F.BaseReg, MRI));
		});
	if (New.Reg)
		Known.push_back(New);
	return S;
}

} // namespace dynopt
