/* SPDX-License-Identifier: MIT */
/*
 * hoist.h - proves that an instruction may change places with those in front of it.
 *
 * Where a block starts with a short instruction and a longer one that depends on
 * nothing in between follows, the longer one in front needs neither prefix nor slot.
 * Proven from what the instructions are, not from where they came: all of them, the
 * one that moves and those that it passes, only compute in general registers and
 * flags (no memory, no stack pointer, no trap, no relocation), and no register or
 * flag that one of them writes is read or written by the other. Where control may
 * enter is not known while code goes by; place.c looks at that in the end. What is
 * found does not depend on labels: debug information has labels of its own.
 */
#ifndef DYNOPT_HOIST_H
#define DYNOPT_HOIST_H

#include "opcodes.h"
#include "text_section.h"
#include "llvm/MC/MCInst.h"
#include "llvm/MC/MCInstrDesc.h"
#include "llvm/MC/MCRegisterInfo.h"

namespace dynopt
{

class Hoister
{
public:
	explicit Hoister(const llvm::MCRegisterInfo &MRI);

	/*
	 * The last unit of T has just been emitted, as one of many or alone, at Offset of F.
	 * Site: it may be one that is too short.
	 */
	void instruction(TextSection &T, const llvm::MCInst &I, const llvm::MCInstrDesc &Desc,
	                 uint16_t Class, llvm::MCDataFragment *F, size_t Offset, bool Site)
	{
		if (!Site && Run.empty())
			return;
		if (Class & OpCompute)
			computed(T, I, Desc, F, Offset, Site);
		else
			stop();
	}
	/* What comes next does not simply follow. */
	void stop()
	{
		Run.clear();
	}

	/* Write the instructions in their new order; prefixes are none of its business. */
	static void apply(const TextSection &T, const Hoist &H);
	/* Moves a label in front of unit U, one of those passed or the one that passed them. */
	static void moveLabel(const TextSection &T, const Hoist &H, uint32_t U, llvm::MCSymbol &S);

private:
	struct Effects {
		uint32_t Reads = 0, Writes = 0;
	};
	struct Seen {
		Hoist::Piece At;
		Effects Does;
		bool Site;
	};
	void computed(TextSection &T, const llvm::MCInst &I, const llvm::MCInstrDesc &Desc,
	              llvm::MCDataFragment *F, size_t Offset, bool Site);
	bool effects(const llvm::MCInst &I, const llvm::MCInstrDesc &Desc, Effects &E) const;
	void offer(TextSection &T, uint32_t Site, unsigned Distance);

	std::vector<uint32_t> Bits; /* by register: what it shares with others; see hoist.cpp */
	llvm::SmallVector<Seen, HoistFarthest + 1> Run; /* the last instructions, simple all */
};

} // namespace dynopt

#endif
