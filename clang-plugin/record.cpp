// SPDX-License-Identifier: MIT
/*
 * record.cpp - writes what was found and decided as notes (elf-notes/dynopt_notes.h).
 *
 * Every offset is an expression over labels that the assembler evaluates after
 * layout, so notes are true even where place.c's model of the layout were not.
 * A text section names its record by an R_X86_64_NONE relocation and the record
 * stands in the text's COMDAT group: a linker that drops or folds the text does
 * the same to the record, and nothing keeps dead code alive.
 */
#include "streamer.h"
#include "../elf-notes/dynopt_notes.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/MC/MCAssembler.h"
#include "llvm/MC/MCContext.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>

using namespace llvm;

namespace dynopt
{

namespace
{

struct NoOpt {
	const MCSymbol *Begin, *End;
	uint32_t Unit, Reasons;
	bool Asm;
};

class RecordWriter
{
public:
	explicit RecordWriter(Streamer &S) : S(S), C(S.getContext()), Note(C.createTempSymbol()) {}

	MCSymbol *begin()
	{
		return border(1);
	}
	MCSymbol *end()
	{
		return border(2);
	}
	void section(TextSection &T);
	void object(MCSymbol *Begin, MCSymbol *End, const Options &O, uint64_t Text);

private:
	const MCExpr *ref(const MCSymbol *Sym)
	{
		return MCSymbolRefExpr::create(Sym, C);
	}
	const MCExpr *number(int64_t N)
	{
		return MCConstantExpr::create(N, C);
	}
	const MCExpr *distance(const MCSymbol *To, const MCSymbol *From)
	{
		return MCBinaryExpr::createSub(ref(To), ref(From), C);
	}
	void uleb(const MCExpr *E)
	{
		S.emitULEB128Value(E);
	}
	void uleb(uint64_t N)
	{
		S.emitULEB128IntValue(N);
	}
	void relative(const MCSymbol *To) /* s32, from the field itself */
	{
		MCSymbol *Here = S.labelHere();
		S.emitValue(distance(To, Here), 4);
	}
	MCSymbol *border(unsigned Bytes);
	MCSymbol *ownBytes(uint64_t Size, uint8_t Byte);
	void none(MCDataFragment *F, const MCSymbol *To);
	MCSectionELF *piece(const MCSectionELF *Text);
	void edge(TextSection &T, const MCSymbol *Record);
	void functions(const TextSection &T, const MCSymbol *Start);
	void slots(const TextSection &T, const MCSymbol *Start);
	void noopt(const TextSection &T, const MCSymbol *Start, const std::vector<NoOpt> &All);
	void opaque(const TextSection &T, const MCSymbol *Start);
	void tables(const TextSection &T, const MCSymbol *Start, const std::vector<TableUse> &Uses);
	std::vector<NoOpt> noOptRanges(const TextSection &T);
	std::vector<TableUse> tableUses(const TextSection &T);

	Streamer &S;
	MCContext &C;
	MCSymbol *Note; /* start of the object's note */
	unsigned NextPiece = 1;
};

/* A .dynopt.rec of its own; linkers keep pieces of one object in this order. */
MCSectionELF *RecordWriter::piece(const MCSectionELF *Text)
{
	const MCSymbolELF *Group = Text ? Text->getGroup() : nullptr;
	unsigned Flags = ELF::SHF_ALLOC | ELF::SHF_EXECINSTR | (Group ? ELF::SHF_GROUP : 0);

	return C.getELFSection(DYNOPT_RECORD_SECTION, ELF::SHT_PROGBITS, Flags, 0, Group,
	                       Text && Text->isComdat(), NextPiece++, nullptr);
}

/* An edge that linkers follow and nobody else sees. */
void RecordWriter::none(MCDataFragment *F, const MCSymbol *To)
{
	auto Kind = (MCFixupKind)(FirstLiteralRelocationKind + ELF::R_X86_64_NONE);

	F->getFixups().insert(F->getFixups().begin(), MCFixup::create(0, ref(To), Kind));
}

/*
 * Border pieces and cache shares look alike in every object; identical code folding
 * would make one of them all. An edge to the object's own note tells them apart.
 */
MCSymbol *RecordWriter::ownBytes(uint64_t Size, uint8_t Byte)
{
	MCSymbol *Sym = S.labelHere();

	S.emitIntValue(Byte, 1);
	none(cast<MCDataFragment>(S.getCurrentFragment()), Note);
	if (Size > 1)
		static_cast<MCStreamer &>(S).emitFill(Size - 1, Byte);
	return Sym;
}

/* A section must not be empty: zero bytes are padding to the reader. */
MCSymbol *RecordWriter::border(unsigned Bytes)
{
	S.switchSection(piece(nullptr));
	return ownBytes(Bytes, 0);
}

void RecordWriter::edge(TextSection &T, const MCSymbol *Record)
{
	none(T.FirstData ? T.FirstData : S.getOrCreateDataFragment(), Record);
}

static bool isSingle(const TextSection &T)
{
	return T.Functions.size() == 1 && T.Functions[0].Unit == 0;
}

/* log2 of the alignment that all function starts of the section share, at most 16. */
static unsigned startShift(const TextSection &T)
{
	unsigned Shift = 4;

	for (const FunctionStart &F : T.Functions) {
		uint32_t A = 1;
		if (F.Unit == 0)
			A = 1u << Shift;
		else if (T.Units[F.Unit - 1].kind == PLACE_ALIGN && !T.Units[F.Unit - 1].max)
			A = T.Units[F.Unit - 1].arg;
		while (Shift && A < (1u << Shift))
			Shift--;
	}
	return Shift;
}

void RecordWriter::functions(const TextSection &T, const MCSymbol *Start)
{
	unsigned Shift = startShift(T);
	const MCExpr *Round = number((1 << Shift) - 1), *By = number(Shift);

	S.emitIntValue(Shift, 1);
	uleb(T.Functions.size());
	uleb(distance(T.Functions[0].Label, Start));
	for (size_t K = 0; K < T.Functions.size(); K++) {
		bool Last = K + 1 == T.Functions.size();
		const MCExpr *Extent =
			distance(Last ? T.End : T.Functions[K + 1].Label, T.Functions[K].Label);
		Extent = MCBinaryExpr::createLShr(MCBinaryExpr::createAdd(Extent, Round, C), By, C);
		uleb(MCBinaryExpr::createAdd(MCBinaryExpr::createShl(Extent, number(2), C),
		                             number(S.functions()[T.Functions[K].Function].Facts &
		                                    DYNOPT_FACTS_MASK),
		                             C));
	}
}

void RecordWriter::slots(const TextSection &T, const MCSymbol *Start)
{
	const MCSymbol *From = Start;

	uleb(T.Stats.slots);
	for (const LateFill &F : T.Slots) {
		for (unsigned K = 0; K < T.Units[F.Unit].slots; K++) {
			uleb(distance(S.labelAt(*F.Fragment, K * DYNOPT_SLOT_SIZE), From));
			From = S.labelAt(*F.Fragment, (K + 1) * DYNOPT_SLOT_SIZE);
		}
	}
}

std::vector<NoOpt> RecordWriter::noOptRanges(const TextSection &T)
{
	std::vector<NoOpt> All;

	for (size_t K = 0; K < T.Functions.size(); K++) {
		bool Last = K + 1 == T.Functions.size();
		if (uint32_t R = S.functions()[T.Functions[K].Function].Reasons)
			All.push_back({ T.Functions[K].Label,
			                Last ? T.End : T.Functions[K + 1].Label,
			                T.Functions[K].Unit, R, false });
	}
	for (const AsmRun &A : T.AsmRuns)
		if (A.Opaque)
			All.push_back({ A.Begin, A.End, A.FirstUnit, DYNOPT_REASON_ASMFLOW, true });
	/* a function before the assembly it starts with */
	llvm::sort(All, [](const NoOpt &A, const NoOpt &B) {
		return std::tie(A.Unit, A.Asm) < std::tie(B.Unit, B.Asm);
	});
	return All;
}

void RecordWriter::noopt(const TextSection &T, const MCSymbol *Start, const std::vector<NoOpt> &All)
{
	const MCSymbol *From = Start;

	uleb(All.size());
	for (const NoOpt &N : All) {
		uleb(distance(N.Begin, From));
		uleb(distance(N.End, N.Begin));
		uleb(N.Reasons);
		From = N.Begin;
	}
}

void RecordWriter::opaque(const TextSection &T, const MCSymbol *Start)
{
	const MCSymbol *From = Start;

	uleb(std::count_if(T.AsmRuns.begin(), T.AsmRuns.end(),
	                   [](const AsmRun &A) { return A.Opaque; }));
	for (const AsmRun &A : T.AsmRuns) {
		if (!A.Opaque)
			continue;
		uleb(distance(A.Begin, From));
		uleb(distance(A.End, A.Begin));
		From = A.End;
	}
}

/* Is this place reached only by falling through from where the proof starts? */
static bool straight(const TextSection &T, const TableUse &U)
{
	for (uint32_t K = U.Since + 1; K <= U.Unit; K++)
		if (T.Units[K].flags & PLACE_LEADER)
			return false;
	return true;
}

/*
 * One entry a proven (jump, table) pair, then one for each table that has none.
 * A table jump whose base came from elsewhere is proven if its function has one
 * table and one indirect jump: some jump must use the table.
 */
std::vector<TableUse> RecordWriter::tableUses(const TextSection &T)
{
	std::vector<TableUse> Uses;
	SmallPtrSet<const MCSymbol *, 8> Named;

	for (TableUse U : T.Tables) {
		const Function &F = S.functions()[U.Function];
		if (!U.Site)
			continue;
		if (!U.Table || !straight(T, U))
			U.Table = F.IndirectJumps == 1 && !F.ManyTables ? F.Table : nullptr;
		if (U.Table && S.jumpTables().count(U.Table)) {
			Uses.push_back(U);
			Named.insert(U.Table);
		}
	}
	for (TableUse U : T.Tables) {
		if (U.Table && S.jumpTables().count(U.Table) && Named.insert(U.Table).second) {
			U.Site = nullptr;
			Uses.push_back(U);
		}
	}
	return Uses;
}

void RecordWriter::tables(const TextSection &T, const MCSymbol *Start,
                          const std::vector<TableUse> &Uses)
{
	uleb(Uses.size());
	for (const TableUse &U : Uses) {
		const JumpTable &J = S.jumpTables().find(U.Table)->second;
		if (U.Site)
			uleb(MCBinaryExpr::createAdd(distance(U.Site, Start), number(1), C));
		else
			uleb(uint64_t{ 0 });
		relative(U.Table);
		uleb((uint64_t)J.Entries << 1 |
		     (J.EntrySize == 8 ? DYNOPT_TABLE_ABS64 : DYNOPT_TABLE_REL32));
	}
}

void RecordWriter::section(TextSection &T)
{
	std::vector<NoOpt> NoOpts = noOptRanges(T);
	std::vector<TableUse> Uses = tableUses(T);
	bool Opaque = std::any_of(T.AsmRuns.begin(), T.AsmRuns.end(),
	                          [](const AsmRun &A) { return A.Opaque; });
	uint8_t Lists = (T.Stats.slots ? DYNOPT_LIST_SLOTS : 0) |
	                (NoOpts.empty() ? 0 : DYNOPT_LIST_NOOPT) |
	                (Opaque ? DYNOPT_LIST_OPAQUE : 0) | (Uses.empty() ? 0 : DYNOPT_LIST_TABLES);
	MCSymbol *Start = T.Section->getBeginSymbol();
	MCSymbol *Record, *Body, *Last = C.createTempSymbol();

	if (isSingle(T))
		Lists |= DYNOPT_LIST_SINGLE |
		         (S.functions()[T.Functions[0].Function].Facts & DYNOPT_FACTS_MASK)
		                 << DYNOPT_LIST_FACTS_SHIFT;
	else if (!T.Functions.empty())
		Lists |= DYNOPT_LIST_FUNCTIONS;

	S.switchSection(piece(T.Section));
	Record = S.labelHere();
	Body = C.createTempSymbol();
	uleb(distance(Last, Body));
	S.emitLabel(Body, SMLoc());
	relative(Start);
	uleb(distance(T.End, Start));
	S.emitIntValue(Lists, 1);
	if (Lists & DYNOPT_LIST_FUNCTIONS)
		functions(T, Start);
	if (Lists & DYNOPT_LIST_SLOTS)
		slots(T, Start);
	if (Lists & DYNOPT_LIST_NOOPT)
		noopt(T, Start, NoOpts);
	if (Lists & DYNOPT_LIST_OPAQUE)
		opaque(T, Start);
	if (Lists & DYNOPT_LIST_TABLES)
		tables(T, Start, Uses);
	S.emitLabel(Last, SMLoc());
	S.switchSection(T.Section);
	edge(T, Record);
}

void RecordWriter::object(MCSymbol *Begin, MCSymbol *End, const Options &O, uint64_t Text)
{
	uint64_t Cache = Text * O.CachePermyriad / 10000 & ~15ull;
	MCSymbol *CacheStart = Begin;

	if (Cache) {
		S.switchSection(C.getELFSection(DYNOPT_CACHE_SECTION, ELF::SHT_PROGBITS,
		                                ELF::SHF_ALLOC | ELF::SHF_EXECINSTR));
		S.emitValueToAlignment(Align(16), 0xcc, 1, 0);
		CacheStart = ownBytes(Cache, 0xcc);
	}
	S.switchSection(C.getELFSection(DYNOPT_NOTE_SECTION, ELF::SHT_NOTE, ELF::SHF_ALLOC));
	S.emitValueToAlignment(Align(4), 0, 1, 0);
	S.emitLabel(Note, SMLoc());
	S.emitIntValue(sizeof(DYNOPT_NOTE_OWNER), 4);
	S.emitIntValue(sizeof(struct dynopt_note_object), 4);
	S.emitIntValue(DYNOPT_NT_OBJECT, 4);
	S.emitBytes(StringRef(DYNOPT_NOTE_OWNER "\0", 8)); /* padded to 4 */
	relative(Begin);
	relative(End);
	S.emitIntValue(DYNOPT_NOTES_VERSION, 2);
	S.emitIntValue(O.ObjectFlags & 0xffff, 2);
	relative(CacheStart);
	S.emitIntValue(Cache, 4);
}

} // namespace

/* "3 with restrictions (disabled in the source: 1, signal handler: 2)" */
static std::string marks(const Streamer &S)
{
	std::string Why;
	uint32_t Marked = 0;

	for (const Function &F : S.functions())
		Marked += F.Reasons != 0;
#define X(Name, Bit, Forbids, Text) \
	if (auto N = llvm::count_if(S.functions(), \
	                            [](const Function &F) { return F.Reasons & (Bit); })) \
		Why += (Why.empty() ? " (" : ", ") + (Text ": " + std::to_string(N));
	DYNOPT_REASONS(X)
#undef X
	return std::to_string(Marked) + " with restrictions" + (Why.empty() ? "" : Why + ")");
}

static void report(const std::vector<std::unique_ptr<TextSection>> &Sections, const Streamer &S)
{
	place_stats All = {};
	uint32_t AsmRuns = 0, Opaque = 0, Skipped = 0;
	std::string Line;
	raw_string_ostream OS(Line);

	for (const auto &T : Sections) {
		All.text += T->Stats.text;
		All.text_grown += T->Stats.text_grown;
		All.sites += T->Stats.sites;
		All.loop_heads += T->Stats.loop_heads;
		All.slots += T->Stats.slots;
		All.gaps += T->Stats.gaps;
		All.lengthened += T->Stats.lengthened;
		All.unpatchable += T->Stats.unpatchable;
		AsmRuns += T->AsmRuns.size();
		Opaque += llvm::count_if(T->AsmRuns, [](const AsmRun &A) { return A.Opaque; });
		Skipped += T->Uncertain;
	}
	OS << "dynopt: " << S.source() << ": text " << All.text << " -> " << All.text_grown
	   << " bytes, " << All.sites << " blocks, " << All.loop_heads << " loop heads, "
	   << All.slots << " slots reserved, " << All.gaps << " found in padding, "
	   << All.lengthened << " instructions lengthened, " << All.unpatchable
	   << " blocks out of reach; " << S.functions().size() << " functions, " << marks(S) << ", "
	   << AsmRuns << " pieces of inline assembly (" << Opaque << " with control flow)";
	if (Skipped)
		OS << ", " << Skipped
		   << " sections left alone (their layout is computed in assembly)";
	OS << "\n";
	errs() << Line; /* one write: compiles run in parallel */
}

void emitRecords(Streamer &S, const std::vector<std::unique_ptr<TextSection>> &Sections)
{
	RecordWriter W(S);
	MCSymbol *Begin = nullptr;
	uint64_t Text = 0;

	for (const auto &T : Sections) {
		if (!T->hasCode())
			continue;
		S.switchSection(T->Section);
		T->End = S.labelHere();
		if (!Begin)
			Begin = W.begin();
		W.section(*T);
		if (!T->Section->isComdat())
			Text += T->Stats.text_grown;
	}
	if (Begin)
		W.object(Begin, W.end(), S.options(), Text);
	if (S.options().ObjectFlags & FACTS_REPORT)
		report(Sections, S);
}

} // namespace dynopt
