// SPDX-License-Identifier: MIT
/*
 * hoist.cpp - follows runs of simple instructions from each short site on (hoist.h).
 *
 * A register is a bit, shared by all its parts (al, ah, ax, eax and rax are one), so
 * that writing a part counts as touching all of it; flags are one bit together. Any
 * register without a bit of its own ends the run.
 */
#include "hoist.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/MC/MCFragment.h"
#include <algorithm>

using namespace llvm;

namespace dynopt
{

static constexpr uint32_t Flags = 1u << 16;
static constexpr uint32_t Other = 1u << 31; /* rsp, rip, segments, vectors, x87 ... */
static constexpr unsigned LongSite = 5;

Hoister::Hoister(const MCRegisterInfo &MRI) : Bits(MRI.getNumRegs(), Other)
{
	static const char *const General[] = { "RAX", "RCX", "RDX", "RBX", "RBP",
		                               "RSI", "RDI", "R8",  "R9",  "R10",
		                               "R11", "R12", "R13", "R14", "R15" };

	Bits[0] = 0; /* no register: an address without index */
	for (unsigned R = 1; R < Bits.size(); R++) {
		StringRef Name = MRI.getName(R);
		const auto *G = llvm::find(General, Name);

		if (Name == "EFLAGS")
			Bits[R] = Flags;
		if (G == std::end(General))
			continue;
		for (MCPhysReg Part : MRI.subregs_inclusive(R))
			Bits[Part] = 1u << (G - General);
	}
}

/* All operands are registers and numbers: then there is no relocation either. */
bool Hoister::effects(const MCInst &I, const MCInstrDesc &Desc, Effects &E) const
{
	for (unsigned K = 0; K < I.getNumOperands(); K++) {
		const MCOperand &Op = I.getOperand(K);

		if (Op.isReg())
			(K < Desc.getNumDefs() ? E.Writes : E.Reads) |= Bits[Op.getReg()];
		else if (!Op.isImm())
			return false;
	}
	for (MCPhysReg R : Desc.implicit_uses())
		E.Reads |= Bits[R];
	for (MCPhysReg R : Desc.implicit_defs())
		E.Writes |= Bits[R];
	return !((E.Reads | E.Writes) & Other);
}

/* The last of the run may come in front of the site: is that better than what there is? */
void Hoister::offer(TextSection &T, uint32_t Site, unsigned Distance)
{
	place_unit &U = T.Units[Site];

	if (std::min<unsigned>(T.Units[Site + Distance].size, LongSite) <=
	    std::min<unsigned>(T.Units[Site + U.hoist].size, LongSite))
		return;
	U.hoist = (uint8_t)Distance;
	/* one a site, ascending; later sites may have come in between */
	auto H = llvm::partition_point(T.Hoists, [Site](const Hoist &X) { return X.Unit < Site; });
	if (H == T.Hoists.end() || H->Unit != Site)
		H = T.Hoists.insert(H, Hoist{ Site, {} });
	for (unsigned K = 0; K <= Distance; K++)
		H->Pieces[K] = Run[Run.size() - 1 - Distance + K].At;
}

void Hoister::computed(TextSection &T, const MCInst &I, const MCInstrDesc &Desc, MCDataFragment *F,
                       size_t Offset, bool Site)
{
	Effects Does, Passed;

	if (!effects(I, Desc, Does)) {
		stop();
		return;
	}
	if (Run.size() > HoistFarthest)
		Run.erase(Run.begin());
	Run.push_back({ { F, Offset }, Does, Site });
	/* what sets flags stays with the branch that tests them: they run as one */
	for (unsigned Distance = 1; Distance < Run.size() && !(Does.Writes & Flags); Distance++) {
		const Seen &Other = Run[Run.size() - 1 - Distance];

		Passed.Reads |= Other.Does.Reads;
		Passed.Writes |= Other.Does.Writes;
		if ((Does.Writes & (Passed.Reads | Passed.Writes)) || (Does.Reads & Passed.Writes))
			break;
		if (Other.Site)
			offer(T, (uint32_t)T.Units.size() - 1 - Distance, Distance);
	}
}

/* Pieces keep their sizes, so an instruction may end up on both sides of a border. */
void Hoister::apply(const TextSection &T, const Hoist &H)
{
	const unsigned Passed = T.Units[H.Unit].hoist;
	SmallVector<char, 64> Bytes;
	size_t At = 0;

	for (unsigned K = 0; K <= Passed; K++) {
		const char *From = H.Pieces[K].Fragment->getContents().data() + H.Pieces[K].Offset;
		Bytes.append(From, From + T.Units[H.Unit + K].size);
	}
	std::rotate(Bytes.begin(), Bytes.end() - T.Units[H.Unit + Passed].size, Bytes.end());
	for (unsigned K = 0; K <= Passed; K++) {
		size_t Size = T.Units[H.Unit + K].size;
		std::copy_n(Bytes.begin() + At, Size,
		            H.Pieces[K].Fragment->getContents().begin() + H.Pieces[K].Offset);
		At += Size;
	}
}

/*
 * Line tables must go on naming the start of an instruction, and what was done in
 * front of a label still is: it moves back by the length of what came in front.
 */
void Hoister::moveLabel(const TextSection &T, const Hoist &H, uint32_t U, MCSymbol &S)
{
	const unsigned Passed = T.Units[H.Unit].hoist;
	size_t At = T.Units[H.Unit + Passed].size;
	unsigned K = 0;

	for (uint32_t Before = H.Unit; Before < U; Before++)
		At += T.Units[Before].size;
	for (; K < Passed && At >= T.Units[H.Unit + K].size; K++)
		At -= T.Units[H.Unit + K].size;
	S.setFragment(H.Pieces[K].Fragment);
	S.setOffset(H.Pieces[K].Offset + At);
}

} // namespace dynopt
