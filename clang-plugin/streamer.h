/* SPDX-License-Identifier: MIT */
/*
 * streamer.h - the object streamer that leaves jumpstations behind.
 *
 * An MCELFStreamer that watches everything on its way into the object file. It
 * changes nothing while a function streams by, except that it leaves fills of
 * unknown size behind barriers and in front of instructions that may turn out to
 * be leaders; when the object is finished, branch targets are known, place.c
 * decides, the sizes are set, and record.cpp writes the notes.
 */
#ifndef DYNOPT_STREAMER_H
#define DYNOPT_STREAMER_H

#include "hoist.h"
#include "opcodes.h"
#include "table_jumps.h"
#include "text_section.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/MC/MCELFStreamer.h"
#include <memory>

namespace llvm
{
class Target;
}

namespace dynopt
{

struct Options {
	uint32_t BudgetPermyriad = FACTS_BUDGET_DEFAULT;
	uint32_t CachePermyriad = FACTS_CACHE_DEFAULT;
	uint32_t ObjectFlags = 0;
};

class Streamer final : public llvm::MCELFStreamer
{
public:
	Streamer(const llvm::Target &T, llvm::MCContext &C, std::unique_ptr<llvm::MCAsmBackend> B,
	         std::unique_ptr<llvm::MCObjectWriter> W, std::unique_ptr<llvm::MCCodeEmitter> E);

	void changeSection(llvm::MCSection *S, uint32_t Sub) override;
	void emitLabel(llvm::MCSymbol *S, llvm::SMLoc Loc) override;
	llvm::MCSymbol *emitCFILabel() override;
	bool emitSymbolAttribute(llvm::MCSymbol *S, llvm::MCSymbolAttr A) override;
	void emitELFSize(llvm::MCSymbol *S, const llvm::MCExpr *V) override;
	void emitInstruction(const llvm::MCInst &I, const llvm::MCSubtargetInfo &STI) override;
	void emitCodeAlignment(llvm::Align A, const llvm::MCSubtargetInfo *STI,
	                       unsigned Max) override;
	void emitValueToAlignment(llvm::Align A, int64_t V, unsigned Size, unsigned Max) override;
	void emitNops(int64_t N, int64_t Max, llvm::SMLoc Loc,
	              const llvm::MCSubtargetInfo &STI) override;
	void emitBytes(llvm::StringRef Data) override;
	void emitIntValue(uint64_t Value, unsigned Size) override;
	void emitValueImpl(const llvm::MCExpr *V, unsigned Size, llvm::SMLoc Loc) override;
	void emitULEB128Value(const llvm::MCExpr *V) override;
	void emitSLEB128Value(const llvm::MCExpr *V) override;
	void emitFill(const llvm::MCExpr &N, uint64_t V, llvm::SMLoc Loc) override;
	void emitFill(const llvm::MCExpr &N, int64_t Size, int64_t V, llvm::SMLoc Loc) override;
	void emitValueToOffset(const llvm::MCExpr *Off, unsigned char V, llvm::SMLoc Loc) override;
	void emitAbsoluteSymbolDiff(const llvm::MCSymbol *Hi, const llvm::MCSymbol *Lo,
	                            unsigned Size) override;
	void emitAbsoluteSymbolDiffAsULEB128(const llvm::MCSymbol *Hi,
	                                     const llvm::MCSymbol *Lo) override;

	/* Everything has been emitted: decide, set sizes, write notes. */
	void finishNotes();

	/* For record.cpp. */
	llvm::MCSymbol *labelHere();
	llvm::MCSymbol *labelAt(llvm::MCFragment &F, uint64_t Offset);
	const std::vector<Function> &functions() const
	{
		return Functions;
	}
	/* The source's name; known with FACTS_REPORT only. */
	const std::string &source() const
	{
		return Source;
	}
	const Options &options() const
	{
		return Opts;
	}
	const llvm::DenseMap<const llvm::MCSymbol *, JumpTable> &jumpTables() const
	{
		return JumpTables;
	}

private:
	enum Place { Elsewhere, Text, Data, Lsda, Facts, Finished };

	void textInstruction(const llvm::MCInst &I, const llvm::MCSubtargetInfo &STI);
	void noteOperands(const llvm::MCInst &I, uint16_t Class, llvm::MCFragment *F);
	bool wantsPrefixes(const llvm::MCInst &I, uint16_t Class, const llvm::MCSubtargetInfo &STI);
	bool worthMoving() const;
	LateSize *lateFill(uint8_t Byte, llvm::MCFillFragment **F);
	void addUnit(place_kind K, uint32_t Arg, uint8_t Size);
	void rawBytes(uint32_t Size);
	void openAsm(bool Opaque);
	void closeAsm();
	void startFunctionHere();
	void noteTables(const llvm::MCInst &I, uint16_t Class);
	void factsArrived();
	void addReferences(const llvm::MCExpr *E);
	void landingPads(const llvm::MCSymbol *Hi, const llvm::MCSymbol *Lo);
	void decide(TextSection &T);
	void resolve(TextSection &T);
	void forbid(TextSection &T);
	void apply(TextSection &T);
	void dropEmpty(TextSection &T);
	const TextLabel *labelOf(const llvm::MCSymbol *S) const;
	void leads(const llvm::MCSymbol *S);
	void moveLabels();
	void makeLong(llvm::MCRelaxableFragment &F);

	std::unique_ptr<const llvm::MCInstrInfo> MII;
	const OpcodeTable &Ops;
	Options Opts;
	const llvm::MCSubtargetInfo *STI = nullptr;

	Place Where = Elsewhere;
	TextSection *Cur = nullptr;
	std::vector<std::unique_ptr<TextSection>> Sections;
	llvm::DenseMap<const llvm::MCSection *, TextSection *> BySection;

	std::vector<Function> Functions;
	const llvm::MCSymbol *OpenFunction = nullptr;
	std::vector<uint32_t> FactWords;
	std::string Source;
	bool AnyFacts = false; /* some function was compiled with the flag */

	bool PendingSite = false; /* the next instruction of two bytes or more may be a site */
	bool Bystander = false;   /* the label being emitted is only named by tables */
	unsigned GluedSize = 0;   /* bytes of prefixes emitted as instructions of their own */
	TableJumps Jumps;
	Hoister Moves;

	/* Labels of text sections; a symbol's index, free until the object is written, is its place here. */
	std::vector<TextLabel> Labels;
	std::vector<const llvm::MCSymbol *>
		References; /* symbols that data or code takes the address of */
	const llvm::MCSymbol *PendingPad =
		nullptr; /* a label the LSDA names: call site or landing pad */
	const llvm::MCSymbol *LastHi = nullptr;
	llvm::SmallPtrSet<const llvm::MCSymbol *, 8> LsdaNames;
	llvm::DenseMap<const llvm::MCSymbol *, JumpTable> JumpTables;
	JumpTable *OpenTable = nullptr;
};

/* record.cpp: note, records and cache share of all sections. */
void emitRecords(Streamer &S, const std::vector<std::unique_ptr<TextSection>> &Sections);

} // namespace dynopt

extern "C" void dynopt_register_streamer(void);

#endif
