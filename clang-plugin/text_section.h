/* SPDX-License-Identifier: MIT */
/*
 * text_section.h - what the streamer remembers of one text section.
 *
 * Written while instructions stream by (streamer.cpp), resolved and decided when
 * the object is finished (streamer.cpp calls place.c), read by record.cpp. State
 * belongs to a section, not to a function: one function may be spread over many
 * sections (-fbasic-block-sections, hot/cold splitting) and one section may hold
 * many functions.
 */
#ifndef DYNOPT_TEXT_SECTION_H
#define DYNOPT_TEXT_SECTION_H

#include "facts.h"
#include "place.h"
#include "llvm/MC/MCExpr.h"
#include "llvm/MC/MCFragment.h"
#include "llvm/MC/MCSectionELF.h"
#include "llvm/MC/MCSymbol.h"
#include "llvm/MC/MCValue.h"
#include <cstdint>
#include <vector>

namespace dynopt
{

/* A number of bytes that is unknown while fragments are laid down and known before layout. */
struct LateSize final : llvm::MCTargetExpr {
	int64_t Size = -1;

	void printImpl(llvm::raw_ostream &, const llvm::MCAsmInfo *) const override {}
	bool evaluateAsRelocatableImpl(llvm::MCValue &Res, const llvm::MCAssembler *,
	                               const llvm::MCFixup *) const override
	{
		if (Size < 0)
			return false;
		Res = llvm::MCValue::get(Size);
		return true;
	}
	void visitUsedExpr(llvm::MCStreamer &) const override {}
	llvm::MCFragment *findAssociatedFragment() const override
	{
		return nullptr;
	}
	void fixELFSymbolsInTLSFixups(llvm::MCAssembler &) const override {}
};

/* Bytes to be put in front of (prefixes) or behind (slots) a unit. */
struct LateFill {
	uint32_t Unit;
	LateSize *Size;
	llvm::MCFillFragment *Fragment;
};

/* How many others an instruction may pass. */
constexpr unsigned HoistFarthest = 3;

/* Instructions that may change places, from a site on (hoist.h). */
struct Hoist {
	struct Piece {
		llvm::MCDataFragment *Fragment;
		size_t Offset;
	};
	uint32_t Unit;
	Piece Pieces[HoistFarthest + 1]; /* where this unit and those behind it stand */
};

struct Branch {
	uint32_t Unit;
	const llvm::MCSymbol *Target;
	llvm::MCRelaxableFragment *Relaxable; /* null: one size only */
};

/* Where a function, or a part of it, starts in this section. */
struct FunctionStart {
	uint32_t Unit;
	uint32_t Function; /* index into the streamer's functions */
	llvm::MCSymbol *Label;
};

/* Bytes that the compiler did not generate. */
struct AsmRun {
	uint32_t FirstUnit, EndUnit;
	llvm::MCSymbol *Begin, *End;
	bool Opaque; /* control flow or raw bytes inside */
};

struct TableUse {
	uint32_t Function;
	const llvm::MCSymbol *Table; /* null: known only to be a table jump of this function */
	llvm::MCSymbol *Site;        /* null: the table is used, the jump is not proven */
	uint32_t Since, Unit; /* the proof holds if nothing jumps in between, or to the site */
};

struct TextSection {
	llvm::MCSectionELF *Section = nullptr;
	bool Uncertain = false; /* something went by that cannot be sized: no slots, no record */
	bool Rigid = false; /* a branch of fixed reach spans compiled code: nothing is changed */
	llvm::MCDataFragment *FirstData = nullptr;
	llvm::MCSymbol *End = nullptr;
	std::vector<place_unit> Units;
	std::vector<LateFill> Prefixes, Slots;
	std::vector<Branch> Branches;
	std::vector<Hoist> Hoists;
	std::vector<uint32_t> Entries; /* units that have a symbol people can see */
	std::vector<FunctionStart> Functions;
	std::vector<AsmRun> AsmRuns;
	std::vector<TableUse> Tables;
	place_stats Stats = {};

	/* Gets a record: there is code in it, all of it accounted for. */
	bool hasCode() const
	{
		return !Uncertain && !Functions.empty();
	}
};

/* A label stands in front of a unit. */
struct TextLabel {
	llvm::MCSymbol *Symbol;
	TextSection *Section;
	uint32_t Unit;
};

struct Function {
	uint32_t Facts = 0;
	uint32_t Reasons = 0;
	bool NoSlots = true; /* until its facts say otherwise: only flagged code is touched */
	bool Closed = false; /* its facts have arrived or its size was set */
	uint32_t IndirectJumps = 0;            /* through tables or not, tail calls too */
	const llvm::MCSymbol *Table = nullptr; /* a table it uses */
	bool ManyTables = false;               /* and others */
};

struct JumpTable {
	uint32_t Entries = 0;
	uint32_t EntrySize = 0;
};

} // namespace dynopt

#endif
