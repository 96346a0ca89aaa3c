// SPDX-License-Identifier: MIT
/*
 * streamer.cpp - watches code go by, then places slots (streamer.h).
 *
 * Leaders are not taken from labels (debug information and unwind tables have
 * labels of their own, and -g must not change a byte) but from what refers to
 * them: branches, jump tables, addresses taken, landing pads, visible symbols,
 * and the place behind a conditional branch. That is why everything is decided
 * at the end. Label differences that LLVM would fold while streaming stay open
 * across our fills, because the fills are fragments of unknown size until then.
 */
#include "streamer.h"
#include "../elf-notes/dynopt_notes.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/MC/MCAsmBackend.h"
#include "llvm/MC/MCAssembler.h"
#include "llvm/MC/MCCodeEmitter.h"
#include "llvm/MC/MCContext.h"
#include "llvm/MC/MCDwarf.h"
#include "llvm/MC/MCObjectWriter.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/MCSymbolELF.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/CommandLine.h"

using namespace llvm;

namespace dynopt
{

static constexpr uint8_t SlotByte = 0xcc;   /* int3 */
static constexpr uint8_t PrefixByte =
	0x2e; /* CS override: ignored in 64-bit mode, SDM vol. 2, 2.1.1 */
static constexpr unsigned LongSite = 5;     /* jmp rel32 */
static constexpr unsigned ShortOnly = 3;    /* 67 e3 rel8: the longest without a long form */

namespace
{
/* MCELFStreamer::finishImpl is final; its target streamer is told just before. */
struct Finisher final : MCTargetStreamer {
	explicit Finisher(MCStreamer &S) : MCTargetStreamer(S) {}
	void finish() override
	{
		static_cast<dynopt::Streamer &>(Streamer).finishNotes();
	}
};
} // namespace

Streamer::Streamer(const Target &T, MCContext &C, std::unique_ptr<MCAsmBackend> B,
                   std::unique_ptr<MCObjectWriter> W, std::unique_ptr<MCCodeEmitter> E)
	: MCELFStreamer(C, std::move(B), std::move(W), std::move(E)), MII(T.createMCInstrInfo()),
	  Ops(opcodeTable(*MII)), Moves(*C.getRegisterInfo())
{
	new Finisher(*this); /* registers itself with the streamer, which owns it */
}

/* ---- sections, labels, functions ---- */

void Streamer::changeSection(MCSection *S, uint32_t Sub)
{
	auto *E = static_cast<MCSectionELF *>(S);

	if (Where == Finished)
		return MCELFStreamer::changeSection(S, Sub);
	if (Where == Facts)
		factsArrived();
	if (Where == Text)
		closeAsm();
	OpenTable = nullptr;
	Cur = nullptr;
	if (E->getName() == FACTS_SECTION) {
		Where = Facts;
		FactWords.clear();
		return;
	}
	MCELFStreamer::changeSection(S, Sub);
	if (E->getFlags() & ELF::SHF_EXECINSTR) {
		Where = Text;
		TextSection *&T = BySection[S];
		if (!T) {
			Sections.push_back(std::make_unique<TextSection>());
			T = Sections.back().get();
			T->Section = E;
		}
		Cur = T;
		PendingSite = true;
		GluedSize = 0;
		Jumps.blockStarts();
		Moves.stop();
		if (Sub)
			T->Uncertain = true;
	} else if (E->getName().starts_with(".gcc_except_table")) {
		Where = Lsda;
	} else {
		Where = E->getFlags() & ELF::SHF_ALLOC ? Data : Elsewhere;
	}
}

void Streamer::emitLabel(MCSymbol *S, SMLoc Loc)
{
	if (Where == Facts)
		return;
	MCELFStreamer::emitLabel(S, Loc);
	if (Where == Text) {
		if (Loc.isValid())
			openAsm(true);
		S->setIndex((uint32_t)Labels.size());
		Labels.push_back({ S, Cur, (uint32_t)Cur->Units.size() });
		if (!S->isTemporary())
			Cur->Entries.push_back((uint32_t)Cur->Units.size());
		PendingSite |= !Bystander;
	} else if (Where == Data) {
		OpenTable = TableJumps::isTable(*S) ? &JumpTables[S] : nullptr;
	}
}

/* Labels of unwind and line tables: nothing ever jumps there. */
MCSymbol *Streamer::emitCFILabel()
{
	MCSymbol *S = getContext().createTempSymbol("cfi"); /* the base class does the same */

	Bystander = true;
	emitLabel(S, SMLoc());
	Bystander = false;
	return S;
}

bool Streamer::emitSymbolAttribute(MCSymbol *S, MCSymbolAttr A)
{
	if (A == MCSA_ELF_TypeFunction && Where == Text &&
	    (Functions.empty() || Functions.back().Closed)) {
		Functions.emplace_back();
		OpenFunction = S;
	}
	return MCELFStreamer::emitSymbolAttribute(S, A);
}

void Streamer::emitELFSize(MCSymbol *S, const MCExpr *V)
{
	MCELFStreamer::emitELFSize(S, V);
	if (Where == Text)
		closeAsm();
	if (S == OpenFunction && !Functions.empty())
		Functions.back().Closed = true;
}

void Streamer::startFunctionHere()
{
	uint32_t F = Functions.empty() ? 0 : (uint32_t)Functions.size() - 1;

	if (Functions.empty()) { /* assembly in front of the first function */
		Functions.emplace_back();
		Functions.back().Closed = true;
	}
	if (Cur->Functions.empty() || Cur->Functions.back().Function != F)
		Cur->Functions.push_back({ (uint32_t)Cur->Units.size(), F, labelHere() });
}

void Streamer::factsArrived()
{
	if (FactWords.size() < FACTS_N_WORDS || Functions.empty())
		return;
	Function &F = Functions.back();
	F.Facts = FactWords[FACTS_FACTS];
	F.Reasons = FactWords[FACTS_REASONS];
	F.NoSlots = FactWords[FACTS_NO_SLOTS];
	F.Closed = true;
	Opts.BudgetPermyriad =
		AnyFacts ? std::max(Opts.BudgetPermyriad, FactWords[FACTS_BUDGET_PERMYRIAD])
			 : FactWords[FACTS_BUDGET_PERMYRIAD];
	AnyFacts = true;
	Opts.CachePermyriad = FactWords[FACTS_CACHE_PERMYRIAD];
	Opts.ObjectFlags |= FactWords[FACTS_OBJECT_FLAGS];
}

/* ---- instructions ---- */

LateSize *Streamer::lateFill(uint8_t Byte, MCFillFragment **F)
{
	auto *Size = new (getContext()) LateSize();

	*F = getContext().allocFragment<MCFillFragment>(Byte, 1, *Size, SMLoc());
	insert(*F);
	return Size;
}

void Streamer::addUnit(place_kind K, uint32_t Arg, uint8_t Size)
{
	place_unit U = {};

	U.kind = (uint8_t)K;
	U.arg = Arg;
	U.size = U.size_long = Size;
	Cur->Units.push_back(U);
	if (K != PLACE_INSN)
		Moves.stop();
}

/* May this be a site that is too short, and may it be made longer? Clears PendingSite at a site. */
bool Streamer::wantsPrefixes(const MCInst &I, uint16_t Class, const MCSubtargetInfo &STI)
{
	SmallVector<char, 16> Code;
	SmallVector<MCFixup, 2> Fixups;

	if (Class & (OpEndbr | OpPrefix))
		return false;
	if (GluedSize || getAssembler().getBackend().mayNeedRelaxation(I, STI)) {
		PendingSite = false;
		return false;
	}
	getAssembler().getEmitter().encodeInstruction(I, Code, Fixups, STI);
	if (Code.size() < 2)
		return false;
	PendingSite = false;
	if (Code.size() >= LongSite || !Fixups.empty() || (Class & OpBare))
		return false;
	if ((Class & OpBranch) && !(Class & OpIndirect))
		return false;
	for (uint8_t Byte : Code) {
		switch (Byte) {
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x64:
		case 0x65:
			return false;
		case 0x66:
		case 0x67:
		case 0xf0:
		case 0xf2:
		case 0xf3:
			continue;
		}
		break;
	}
	return true;
}

/* At -O0 what is debugged stays as it was written. */
bool Streamer::worthMoving() const
{
	return !AnyFacts || Opts.BudgetPermyriad;
}

void Streamer::emitInstruction(const MCInst &I, const MCSubtargetInfo &S)
{
	if (Where == Text)
		textInstruction(I, S);
	else
		MCELFStreamer::emitInstruction(I, S);
}

void Streamer::textInstruction(const MCInst &I, const MCSubtargetInfo &S)
{
	const uint16_t Class = Ops[I.getOpcode()];
	const bool Asm = I.getLoc().isValid();
	LateFill Prefix = {};

	STI = &S;
	if (getContext().getDwarfLocSeen()) { /* names the first prefix, not what follows it */
		Bystander = true;
		MCDwarfLineEntry::make(this, getCurrentSectionOnly());
		Bystander = false;
	}
	if (Asm)
		openAsm(Class & (OpBranch | OpCall));
	else
		closeAsm();
	startFunctionHere();
	noteTables(I, Class);
	if (PendingSite && !Asm && wantsPrefixes(I, Class, S)) {
		Prefix.Unit = (uint32_t)Cur->Units.size();
		Prefix.Size = lateFill(PrefixByte, &Prefix.Fragment);
		Cur->Prefixes.push_back(Prefix);
	}

	MCFragment *Before = getCurrentFragment();
	size_t Had = Before && Before->getKind() == MCFragment::FT_Data
	                     ? cast<MCDataFragment>(Before)->getContents().size()
	                     : 0;
	MCELFStreamer::emitInstruction(I, S);

	MCFragment *F = getCurrentFragment();
	auto *R = dyn_cast<MCRelaxableFragment>(F);
	size_t Size = R ? R->getContents().size() : cast<MCDataFragment>(F)->getContents().size();
	if (F == Before)
		Size -= Had;
	if (!R && !Cur->FirstData)
		Cur->FirstData = cast<MCDataFragment>(F);
	if (Class & OpPrefix) { /* belongs to the instruction that follows */
		GluedSize += Size;
		Moves.stop();
		return;
	}
	addUnit(PLACE_INSN, PLACE_NO_TARGET, (uint8_t)(Size + GluedSize));
	GluedSize = 0;
	place_unit &U = Cur->Units.back();
	if (Class & OpBranch)
		U.flags |= PLACE_BRANCH;
	if (Class & OpEndbr)
		U.flags |= PLACE_ENDBR;
	if (Asm)
		U.flags |= PLACE_FORBIDDEN;
	if (Prefix.Size)
		U.flags |= PLACE_PREFIXABLE;
	noteOperands(I, Class, F);
	if (Asm || R)
		Moves.stop();
	else
		Moves.instruction(*Cur, I, MII->get(I.getOpcode()), Class, cast<MCDataFragment>(F),
		                  F == Before ? Had : 0, Prefix.Size && worthMoving());
	if (Class & OpBranch)
		PendingSite = true;
	if ((Class & OpBarrier) && !Asm) {
		Cur->Units.back().flags |= PLACE_BARRIER;
		LateFill Slot = { (uint32_t)Cur->Units.size() - 1, nullptr, nullptr };
		Slot.Size = lateFill(SlotByte, &Slot.Fragment);
		Cur->Slots.push_back(Slot);
	}
}

void Streamer::noteTables(const MCInst &I, uint16_t Class)
{
	const uint32_t Unit = (uint32_t)Cur->Units.size();
	Function &F = Functions.back();
	auto Seen = Jumps.instruction(I, Class, Unit, MII->get(I.getOpcode()),
	                              *getContext().getRegisterInfo());

	F.IndirectJumps += (Class & OpIndirect) != 0;
	if (Seen.Table && F.Table && F.Table != Seen.Table)
		F.ManyTables = true;
	if (Seen.Table)
		F.Table = Seen.Table;
	if (Seen.Table || Seen.Jump)
		Cur->Tables.push_back({ (uint32_t)Functions.size() - 1, Seen.Table,
		                        Seen.Jump ? labelHere() : nullptr, Seen.Since, Unit });
}

/* A direct branch's target, or symbols whose address the instruction takes. */
void Streamer::noteOperands(const MCInst &I, uint16_t Class, MCFragment *F)
{
	auto *R = dyn_cast<MCRelaxableFragment>(F);
	uint32_t Unit = (uint32_t)Cur->Units.size() - 1;
	bool Direct = (Class & OpBranch) && !(Class & OpIndirect);

	if (R && (Class & OpBranch)) /* eb rel8 -> e9 rel32, 7x rel8 -> 0f 8x rel32 */
		Cur->Units[Unit].size_long = Cur->Units[Unit].size + (Class & OpBarrier ? 3 : 4);
	else if (R) /* imm8 -> imm32: its value is a symbol of inline assembly */
		Cur->Units[Unit].size = Cur->Units[Unit].size_long += 3;
	for (const MCOperand &Op : I) {
		if (!Op.isExpr())
			continue;
		const auto *Ref = dyn_cast<MCSymbolRefExpr>(Op.getExpr());
		if (Direct && Ref)
			Cur->Branches.push_back(
				{ Unit, &Ref->getSymbol(),
			          Ref->getKind() == MCSymbolRefExpr::VK_None ? R : nullptr });
		else if (!(Class & OpCall))
			addReferences(Op.getExpr());
		if (Direct && Ref && R && Ref->getKind() != MCSymbolRefExpr::VK_None)
			Cur->Units[Unit].size = Cur->Units[Unit].size_long;
	}
}

/* ---- inline assembly and other bytes in text ---- */

void Streamer::openAsm(bool Opaque)
{
	auto &Runs = Cur->AsmRuns;

	if (Runs.empty() || Runs.back().End)
		Runs.push_back({ (uint32_t)Cur->Units.size(), 0, labelHere(), nullptr, false });
	Runs.back().Opaque |= Opaque;
}

void Streamer::closeAsm()
{
	if (Cur->AsmRuns.empty() || Cur->AsmRuns.back().End)
		return;
	Cur->AsmRuns.back().End = labelHere();
	Cur->AsmRuns.back().EndUnit = (uint32_t)Cur->Units.size();
}

void Streamer::rawBytes(uint32_t Size)
{
	openAsm(true);
	addUnit(PLACE_BYTES, Size, 0);
	PendingSite = false;
	Jumps.blockStarts();
}

void Streamer::emitCodeAlignment(Align A, const MCSubtargetInfo *S, unsigned Max)
{
	if (Where == Text) {
		closeAsm();
		addUnit(PLACE_ALIGN, (uint32_t)A.value(), 0);
		Cur->Units.back().max = Max < 255 ? (uint8_t)Max : 0;
	}
	Place Was = Where; /* the base class goes through emitValueToAlignment */
	Where = Elsewhere;
	MCELFStreamer::emitCodeAlignment(A, S, Max);
	Where = Was;
}

void Streamer::emitValueToAlignment(Align A, int64_t V, unsigned Size, unsigned Max)
{
	if (Where == Facts)
		return;
	if (Where == Text) {
		openAsm(true);
		addUnit(PLACE_ALIGN, (uint32_t)A.value(), 0);
		Cur->Units.back().max = Max < 255 ? (uint8_t)Max : 0;
		Cur->Units.back().flags = PLACE_FORBIDDEN; /* filled with values, not NOPs */
	}
	MCELFStreamer::emitValueToAlignment(A, V, Size, Max);
}

void Streamer::emitNops(int64_t N, int64_t Max, SMLoc Loc, const MCSubtargetInfo &S)
{
	if (Where == Text) {
		closeAsm();
		startFunctionHere();
		addUnit(PLACE_BYTES, (uint32_t)N, 0);
	}
	MCELFStreamer::emitNops(N, Max, Loc, S);
}

void Streamer::emitBytes(StringRef Bytes)
{
	if (Where == Facts) {
		if (Source.empty() && FactWords.size() >= FACTS_N_WORDS)
			Source = Bytes.substr(0, Bytes.find('\0')).str();
		return;
	}
	if (Where == Text)
		rawBytes((uint32_t)Bytes.size());
	MCELFStreamer::emitBytes(Bytes);
}

void Streamer::emitIntValue(uint64_t Value, unsigned Size)
{
	if (Where == Facts)
		FactWords.push_back((uint32_t)Value);
	else
		MCELFStreamer::emitIntValue(Value, Size);
}

void Streamer::emitFill(const MCExpr &N, uint64_t V, SMLoc Loc)
{
	int64_t Size;

	if (Where == Text) {
		bool Known = N.evaluateAsAbsolute(Size, getAssembler());
		Cur->Uncertain |= !Known;
		rawBytes(Known ? (uint32_t)Size : 0);
	}
	MCELFStreamer::emitFill(N, V, Loc);
}

void Streamer::emitFill(const MCExpr &N, int64_t Size, int64_t V, SMLoc Loc)
{
	int64_t Count;

	/* the base class emits a known number as integers, which count themselves */
	if (Where == Text && !N.evaluateAsAbsolute(Count, getAssembler()))
		Cur->Uncertain = true;
	MCELFStreamer::emitFill(N, Size, V, Loc);
}

void Streamer::emitValueToOffset(const MCExpr *Off, unsigned char V, SMLoc Loc)
{
	if (Where == Text)
		Cur->Uncertain = true;
	MCELFStreamer::emitValueToOffset(Off, V, Loc);
}

void Streamer::emitULEB128Value(const MCExpr *V)
{
	if (Where == Facts)
		return;
	if (Where == Text)
		Cur->Uncertain = true;
	MCELFStreamer::emitULEB128Value(V);
}

void Streamer::emitSLEB128Value(const MCExpr *V)
{
	if (Where == Text)
		Cur->Uncertain = true;
	MCELFStreamer::emitSLEB128Value(V);
}

/* ---- references ---- */

void Streamer::addReferences(const MCExpr *E)
{
	if (const auto *Ref = dyn_cast<MCSymbolRefExpr>(E)) {
		if (!TableJumps::isTable(Ref->getSymbol()))
			References.push_back(&Ref->getSymbol());
	} else if (const auto *Bin = dyn_cast<MCBinaryExpr>(E)) {
		addReferences(Bin->getLHS());
		addReferences(Bin->getRHS());
	} else if (const auto *Un = dyn_cast<MCUnaryExpr>(E)) {
		addReferences(Un->getSubExpr());
	}
}

void Streamer::emitValueImpl(const MCExpr *V, unsigned Size, SMLoc Loc)
{
	int64_t Known;

	if (Where == Facts)
		return;
	if (Where == Text && !V->evaluateAsAbsolute(Known, getAssembler()))
		rawBytes(Size); /* a known value comes back as bytes */
	if (Where == Text || Where == Data)
		addReferences(V);
	if (OpenTable) {
		OpenTable->Entries++;
		OpenTable->EntrySize = Size;
	}
	MCELFStreamer::emitValueImpl(V, Size, Loc);
}

/*
 * A call site is (begin - base, end - begin, pad - base, action); a difference
 * that neither starts nor continues a pair (x - y, z - x) names a landing pad.
 */
void Streamer::landingPads(const MCSymbol *Hi, const MCSymbol *Lo)
{
	if (Where != Lsda)
		return;
	LsdaNames.insert(Hi);
	LsdaNames.insert(Lo);
	if (Lo == LastHi) { /* the one before was a begin, this is its extent */
		PendingPad = nullptr;
		LastHi = nullptr;
		return;
	}
	if (PendingPad)
		References.push_back(PendingPad);
	PendingPad = LastHi = Hi;
}

void Streamer::emitAbsoluteSymbolDiff(const MCSymbol *Hi, const MCSymbol *Lo, unsigned Size)
{
	if (Where == Facts)
		return;
	landingPads(Hi, Lo);
	MCELFStreamer::emitAbsoluteSymbolDiff(Hi, Lo, Size);
}

void Streamer::emitAbsoluteSymbolDiffAsULEB128(const MCSymbol *Hi, const MCSymbol *Lo)
{
	if (Where == Facts)
		return;
	landingPads(Hi, Lo);
	MCELFStreamer::emitAbsoluteSymbolDiffAsULEB128(Hi, Lo);
}

/* ---- the end ---- */

MCSymbol *Streamer::labelHere()
{
	MCSymbol *S = getContext().createTempSymbol();

	MCELFStreamer::emitLabel(S);
	return S;
}

MCSymbol *Streamer::labelAt(MCFragment &F, uint64_t Offset)
{
	MCSymbol *S = getContext().createTempSymbol();

	S->setFragment(&F);
	S->setOffset(Offset);
	getAssembler().registerSymbol(*S);
	return S;
}

/* Assembly's jrcxz and loop have one size: is there code between that could grow? */
static bool spansCode(const TextSection &T, uint32_t A, uint32_t B)
{
	for (uint32_t U = std::min(A, B); U < std::max(A, B); U++)
		if (!(T.Units[U].flags & PLACE_FORBIDDEN))
			return true;
	return false;
}

/* Where a label of this object's text stands, if a unit follows it. */
const TextLabel *Streamer::labelOf(const MCSymbol *S) const
{
	const TextLabel *L = S->getIndex() < Labels.size() ? &Labels[S->getIndex()] : nullptr;

	return L && L->Symbol == S && L->Unit < L->Section->Units.size() ? L : nullptr;
}

void Streamer::leads(const MCSymbol *S)
{
	if (const TextLabel *L = labelOf(S))
		L->Section->Units[L->Unit].flags |= PLACE_LEADER;
}

void Streamer::resolve(TextSection &T)
{
	size_t Next = 0; /* function that starts behind the branch */
	uint32_t FirstUnit = 0; /* of the function it is in */

	for (const Branch &B : T.Branches) {
		const TextLabel *To = labelOf(B.Target);
		bool Here = To && To->Section == &T;
		place_unit &U = T.Units[B.Unit];
		const auto *Sym = static_cast<const MCSymbolELF *>(B.Target);

		while (Next < T.Functions.size() && T.Functions[Next].Unit <= B.Unit)
			FirstUnit = T.Functions[Next++].Unit;
		leads(B.Target);
		if (Here) {
			if (To->Unit <= B.Unit && To->Unit >= FirstUnit && (U.flags & PLACE_BRANCH))
				T.Units[To->Unit].flags |= PLACE_LOOP_HEAD;
			U.arg = To->Unit;
			T.Rigid |= !B.Relaxable && U.size <= ShortOnly &&
			           spansCode(T, B.Unit, To->Unit);
		}
		/* what the assembler cannot resolve itself takes the long form at once */
		if (!Here || (!B.Target->isTemporary() && Sym->getBinding() == ELF::STB_WEAK)) {
			U.arg = PLACE_NO_TARGET;
			U.size = U.size_long;
		}
	}
	for (uint32_t U : T.Entries)
		if (U < T.Units.size())
			T.Units[U].flags |= PLACE_LEADER;
	for (const FunctionStart &F : T.Functions)
		if (F.Unit < T.Units.size())
			T.Units[F.Unit].flags |= PLACE_LEADER;
}

void Streamer::forbid(TextSection &T)
{
	for (size_t K = 0; K < T.Functions.size(); K++) {
		const Function &F = Functions[T.Functions[K].Function];
		uint32_t End = K + 1 < T.Functions.size() ? T.Functions[K + 1].Unit
		                                          : (uint32_t)T.Units.size();
		uint32_t Forbids = 0;
#define X(Name, Bit, What, Why) \
	if (F.Reasons & (Bit)) \
		Forbids |= (What);
		DYNOPT_REASONS(X)
#undef X
		if (!F.NoSlots && !(Forbids & DYNOPT_FORBID_PATCH))
			continue;
		for (uint32_t U = T.Functions[K].Unit; U < End; U++)
			T.Units[U].flags |= PLACE_FORBIDDEN;
	}
}

/* The same steps as MCAssembler::relaxInstruction. */
void Streamer::makeLong(MCRelaxableFragment &F)
{
	MCInst Long = F.getInst();

	getAssembler().getBackend().relaxInstruction(Long, *F.getSubtargetInfo());
	F.setInst(Long);
	F.getContents().clear();
	F.getFixups().clear();
	getAssembler().getEmitter().encodeInstruction(Long, F.getContents(), F.getFixups(),
	                                              *F.getSubtargetInfo());
}

/*
 * Labels between instructions that changed places. Those that the exception tables
 * name stay: nothing there can throw, and distances between them may be written down
 * already.
 */
void Streamer::moveLabels()
{
	for (const TextLabel &L : Labels) {
		const TextSection &T = *L.Section;

		if (T.Uncertain || T.Hoists.empty() || LsdaNames.contains(L.Symbol))
			continue;
		auto H = llvm::partition_point(T.Hoists,
		                               [&L](const Hoist &X) { return X.Unit < L.Unit; });
		/* a site that is none may have been offered something behind the one that is */
		for (unsigned K = 0; K < HoistFarthest && H != T.Hoists.begin(); K++) {
			const place_unit &Site = T.Units[(--H)->Unit];
			if (Site.hoisted && L.Unit <= H->Unit + Site.hoist)
				Hoister::moveLabel(T, *H, L.Unit, *L.Symbol);
		}
	}
}

/*
 * Most fills were left for nothing. The assembler sizes every fragment again and
 * again, so they leave the section's list; labels stand in data fragments and in fills
 * that are not empty.
 */
void Streamer::dropEmpty(TextSection &T)
{
	constexpr unsigned Empty = ~0u; /* as a layout order, which the assembler sets anew */
	MCFragment *Was = CurFrag;

	for (const auto *Fills : { &T.Prefixes, &T.Slots })
		for (const LateFill &F : *Fills)
			if (!F.Size->Size)
				F.Fragment->setLayoutOrder(Empty);
	CurFrag = &*T.Section->begin();
	for (MCFragment *F = CurFrag->getNext(), *Next; F; F = Next) {
		Next = F->getNext();
		if (F->getLayoutOrder() != Empty || !Next)
			insert(F);
	}
	CurFrag = Was;
}

void Streamer::apply(TextSection &T)
{
	for (const LateFill &P : T.Prefixes)
		P.Size->Size = T.Uncertain || P.Unit >= T.Units.size() ? 0
		                                                       : T.Units[P.Unit].prefixes;
	for (const LateFill &S : T.Slots)
		S.Size->Size = T.Uncertain ? 0 : T.Units[S.Unit].slots * (int64_t)DYNOPT_SLOT_SIZE;
	for (const Branch &B : T.Branches)
		if (!T.Uncertain && B.Relaxable && T.Units[B.Unit].force_long)
			makeLong(*B.Relaxable);
	if (T.Uncertain)
		return;
	for (const Hoist &H : T.Hoists)
		if (T.Units[H.Unit].hoisted)
			Hoister::apply(T, H);
	dropEmpty(T);
}

void Streamer::decide(TextSection &T)
{
	if (T.hasCode()) {
		/* not initialized: most of it is never touched */
		std::unique_ptr<uint32_t[]> Scratch(
			new uint32_t[PLACE_SCRATCH(T.Units.size()) / sizeof(uint32_t)]);
		bool Off = Opts.ObjectFlags & DYNOPT_OBJECT_DISABLED;
		forbid(T);
		if (Off || T.Rigid)
			for (place_unit &U : T.Units)
				U.flags |= PLACE_FORBIDDEN;
		for (const Hoist &H : T.Hoists)
			if (!Opts.BudgetPermyriad)
				T.Units[H.Unit].hoist = 0;
		place_options Place = { Opts.BudgetPermyriad,
			                getAssembler().getBackend().getMaximumNopSize(*STI) };
		place_section(T.Units.data(), T.Units.size(), &Place, Scratch.get(), &T.Stats);
	}
	apply(T);
}

void Streamer::finishNotes()
{
	if (Where == Facts)
		factsArrived();
	if (Where == Text)
		closeAsm();
	if (PendingPad)
		References.push_back(PendingPad);
	for (auto &T : Sections)
		resolve(*T);
	for (const MCSymbol *S : References)
		leads(S);
	for (auto &T : Sections)
		decide(*T);
	moveLabels();
	Where = Finished;
	if (AnyFacts)
		emitRecords(*this, Sections);
}

} // namespace dynopt

static const Target *X86;

static MCStreamer *createStreamer(const Triple &, MCContext &C, std::unique_ptr<MCAsmBackend> &&B,
                                  std::unique_ptr<MCObjectWriter> &&W,
                                  std::unique_ptr<MCCodeEmitter> &&E)
{
	return new dynopt::Streamer(*X86, C, std::move(B), std::move(W), std::move(E));
}

void dynopt_register_streamer(void)
{
	std::string Error;

	X86 = TargetRegistry::lookupTarget("x86_64-unknown-linux-gnu", Error);
	if (X86)
		TargetRegistry::RegisterELFStreamer(const_cast<Target &>(*X86), createStreamer);
}
