/* SPDX-License-Identifier: MIT */
/*
 * table_jumps.h - proves which indirect jump goes through which jump table.
 *
 * Follows, in straight-line code, the two shapes LLVM emits on x86-64:
 *     lea  table(%rip), B;  movslq (B,I,4), T;  add B, T;  jmp *T
 *     jmp *table(,I,8)   or   mov table(,I,8), T;  jmp *T
 * Labels say nothing here (debug information has its own); record.cpp drops a proof
 * that something may jump into. Where B comes from outside the block, the jump only
 * looks like a table jump; record.cpp names its table if the function has no other
 * table and no other indirect jump. An unproven pair is never written down.
 */
#ifndef DYNOPT_TABLE_JUMPS_H
#define DYNOPT_TABLE_JUMPS_H

#include "opcodes.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/MC/MCInst.h"
#include "llvm/MC/MCRegisterInfo.h"
#include "llvm/MC/MCSymbol.h"

namespace dynopt
{

class TableJumps
{
public:
	/* What an instruction turned out to be. */
	struct Seen {
		bool Jump = false;                   /* a jump through a table */
		const llvm::MCSymbol *Table = nullptr; /* the table it names or is proven to use */
		uint32_t Since = 0; /* the unit that the proof starts with */
	};

	void blockStarts()
	{
		Known.clear();
	}
	Seen instruction(const llvm::MCInst &I, uint16_t Class, uint32_t Unit,
	                 const llvm::MCInstrDesc &Desc, const llvm::MCRegisterInfo &MRI)
	{
		constexpr uint16_t Telling = OpLea | OpLoad | OpLoadS32 | OpJumpMem | OpIndirect;

		if (Known.empty() && !(Class & Telling)) {
			Seen S;
			S.Since = Unit;
			return S;
		}
		return follow(I, Class, Unit, Desc, MRI);
	}

	static bool isTable(const llvm::MCSymbol &S)
	{
		return S.getName().starts_with(".LJTI");
	}

private:
	enum What { Base, Entry, Target };
	struct Fact {
		unsigned Reg;
		What Is;
		unsigned BaseReg;
		const llvm::MCSymbol *Table;
		uint32_t Since;
	};
	const Fact *find(unsigned Reg, What Is) const;
	Seen follow(const llvm::MCInst &I, uint16_t Class, uint32_t Unit,
	            const llvm::MCInstrDesc &Desc, const llvm::MCRegisterInfo &MRI);

	llvm::SmallVector<Fact, 4> Known;
};

} // namespace dynopt

#endif
