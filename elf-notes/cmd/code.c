/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * code.c - decodes a file's text with Zydis, in one pass over each stretch.
 *
 * A stretch is a certified range, or the bytes from one known start to the next. The marks of a
 * byte are set once; certified text is decoded first and ordinary decoding stops
 * where it begins, so guesses never overwrite what the notes say (check.c compares
 * the two where they meet).
 */
#include "code.h"

#include <Zydis/Zydis.h>
#include <stdlib.h>
#include <string.h>

/* What decoding needs beside the code itself. */
struct decoding {
	struct code *code;
	const struct image *image;
	ZydisDecoder decoder;
};

/* A known start of ordinary code; end is 0 where nobody says how far it goes. */
struct anchor {
	u64 start, end;
};
struct anchors {
	VEC(struct anchor) v;
};

size_t code_index(const struct code *code, u64 addr)
{
	size_t low = 0, high = code->regions.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct code_region *r = &code->regions.at[mid];

		if (addr < r->addr)
			high = mid;
		else if (addr - r->addr >= r->size)
			low = mid + 1;
		else
			return r->base + (size_t)(addr - r->addr);
	}
	return CODE_NONE;
}

static const struct code_region *region_of(const struct code *code, size_t index)
{
	size_t low = 0, high = code->regions.n;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (code->regions.at[mid].base <= index)
			low = mid;
		else
			high = mid;
	}
	return &code->regions.at[low];
}

u64 code_address(const struct code *code, size_t index)
{
	const struct code_region *r = region_of(code, index);

	return r->addr + (index - r->base);
}

u64 code_function(const struct code *code, u64 addr)
{
	size_t low = 0, high = code->functions.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (code->functions.at[mid] <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? code->functions.at[low - 1] : 0;
}

static int by_addr(const void *a, const void *b)
{
	const struct code_region *x = a, *y = b;

	return (x->addr > y->addr) - (x->addr < y->addr);
}

static void add_region(struct code *code, u64 addr, u64 size, const u8 *bytes)
{
	if (size && bytes)
		*vec_add(&code->regions) =
			(struct code_region){ .addr = addr, .size = size, .bytes = bytes };
}

static bool linker_made(const char *name)
{
	return strncmp(name, ".plt", 4) == 0 || strncmp(name, ".iplt", 5) == 0;
}

/* Regions from sections, or from segments; overlapping ones (a lying file) are dropped. */
static void find_regions(struct code *code, const struct image *image)
{
	size_t kept = 0;

	for (size_t i = 0; i < image->sections.n; i++) {
		const struct section *s = &image->sections.at[i];

		if ((s->flags & (SHF_ALLOC | SHF_EXECINSTR)) == (SHF_ALLOC | SHF_EXECINSTR) &&
		    s->type == SHT_PROGBITS)
			add_region(code, s->addr, s->size, s->bytes);
	}
	for (size_t i = 0; !image->sections.n && i < image->segments.n; i++) {
		const struct segment *s = &image->segments.at[i];

		if (s->type == PT_LOAD && (s->flags & PF_X))
			add_region(code, s->addr, s->size, s->bytes);
	}
	if (code->regions.n)
		qsort(code->regions.at, code->regions.n, sizeof(*code->regions.at), by_addr);
	for (size_t i = 0; i < code->regions.n; i++) {
		struct code_region r = code->regions.at[i];

		if (kept &&
		    r.addr - code->regions.at[kept - 1].addr < code->regions.at[kept - 1].size)
			continue;
		r.base = code->size;
		code->size += r.size;
		code->regions.at[kept++] = r;
	}
	code->regions.n = kept;
	code->length = base_calloc(code->size, sizeof(*code->length));
	code->mark = base_calloc(code->size, sizeof(*code->mark));
}

/* Sets and clears bits of the marks of [start, end), as far as it is text. */
static void paint(struct code *code, u64 start, u64 end, u32 set, u32 clear)
{
	for (size_t i = 0; i < code->regions.n; i++) {
		const struct code_region *r = &code->regions.at[i];
		u64 from = start > r->addr ? start : r->addr;
		u64 to = end < r->addr + r->size ? end : r->addr + r->size;

		for (u64 addr = from; addr < to; addr++) {
			u32 *mark = &code->mark[r->base + (addr - r->addr)];

			*mark = (*mark & ~clear) | set;
		}
	}
}

static void paint_text(struct code *code, const struct image *image, const struct model *model)
{
	for (size_t i = 0; i < code->size; i++)
		code->mark[i] = BYTE_TEXT;
	for (size_t i = 0; i < image->sections.n; i++) {
		const struct section *s = &image->sections.at[i];

		if (linker_made(s->name) || strcmp(s->name, DYNOPT_RECORD_SECTION) == 0 ||
		    strcmp(s->name, DYNOPT_CACHE_SECTION) == 0 ||
		    strcmp(s->name, DYNOPT_FARPOOL_SECTION) == 0)
			paint(code, s->addr, s->addr + s->size, 0, BYTE_TEXT);
	}
	for (size_t i = 0; i < model->objects.n; i++) {
		const struct notes_object *o = &model->objects.at[i];

		paint(code, o->records, o->records_end, 0, BYTE_TEXT);
		paint(code, o->cache, o->cache + o->cache_size, 0, BYTE_TEXT);
	}
	for (size_t i = 0; i < model->farpools.n; i++)
		paint(code, model->farpools.at[i].start, model->farpools.at[i].end, 0, BYTE_TEXT);
}

static u32 classify(const ZydisDecodedInstruction *insn)
{
	u32 mark = 0;

	switch (insn->meta.category) {
	case ZYDIS_CATEGORY_COND_BR:
		mark |= INSN_CONDITIONAL;
		break;
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_RET:
		mark |= INSN_BARRIER;
		break;
	case ZYDIS_CATEGORY_CALL:
		mark |= INSN_CALL;
		break;
	case ZYDIS_CATEGORY_NOP:
	case ZYDIS_CATEGORY_WIDENOP:
		mark |= INSN_PAD;
		break;
	default:
		break;
	}
	switch (insn->mnemonic) {
	case ZYDIS_MNEMONIC_NOP:
		mark |= INSN_PAD;
		if (insn->opcode_map == ZYDIS_OPCODE_MAP_0F && insn->raw.modrm.mod == 2 &&
		    insn->raw.modrm.rm == 4)
			mark |= INSN_LONG_NOP;
		break;
	case ZYDIS_MNEMONIC_INT3:
		mark |= INSN_PAD | INSN_INT3;
		break;
	case ZYDIS_MNEMONIC_ENDBR64:
	case ZYDIS_MNEMONIC_ENDBR32:
		mark = INSN_ENDBR;
		break;
	case ZYDIS_MNEMONIC_XBEGIN:
		mark = INSN_CONDITIONAL;
		break;
	case ZYDIS_MNEMONIC_XABORT:
		mark = 0;
		break;
	case ZYDIS_MNEMONIC_MFENCE:
		mark |= INSN_ORDERED;
		break;
	case ZYDIS_MNEMONIC_XCHG:
		if (insn->raw.modrm.mod != 3 && (insn->opcode & 0xfe) == 0x86)
			mark |= INSN_ORDERED;
		break;
	case ZYDIS_MNEMONIC_JMP:
		if (!insn->raw.imm[0].is_relative)
			mark |= INSN_INDIRECT;
		break;
	default:
		break;
	}
	if (insn->attributes & ZYDIS_ATTRIB_HAS_LOCK)
		mark |= INSN_ORDERED;
	return mark;
}

/* mod 0, rm 4, base 5: disp32 without base register, as in `jmp *table(,%rax,8)`. */
static bool indexes_absolute_table(const ZydisDecodedInstruction *insn)
{
	return insn->raw.modrm.mod == 0 && insn->raw.modrm.rm == 4 && insn->raw.sib.base == 5 &&
	       insn->raw.sib.scale == 3 && insn->raw.disp.size == 32 &&
	       (insn->mnemonic == ZYDIS_MNEMONIC_JMP || insn->mnemonic == ZYDIS_MNEMONIC_MOV);
}

static void note_references(struct decoding *d, const ZydisDecodedInstruction *insn, u64 addr,
                            u32 mark)
{
	struct code *code = d->code;

	if (insn->raw.imm[0].is_relative) {
		if (u64_sorted_has(d->image->unresolved.at, d->image->unresolved.n,
		                   addr + insn->raw.imm[0].offset))
			return;
		*vec_add(&code->branches) = (struct code_reference){
			addr, addr + insn->length + (u64)insn->raw.imm[0].value.s, mark
		};
	} else if (insn->mnemonic == ZYDIS_MNEMONIC_LEA && insn->raw.modrm.mod == 0 &&
	           insn->raw.modrm.rm == 5) {
		if (u64_sorted_has(d->image->unresolved.at, d->image->unresolved.n,
		                   addr + insn->raw.disp.offset))
			return;
		*vec_add(&code->leas) = (struct code_reference){
			addr, addr + insn->length + (u64)insn->raw.disp.value, mark
		};
	} else if (indexes_absolute_table(insn)) {
		*vec_add(&code->indexed) =
			(struct code_reference){ addr, (u64)insn->raw.disp.value, mark };
	} else if (insn->mnemonic == ZYDIS_MNEMONIC_MOVSXD && insn->raw.modrm.rm == 4 &&
	           insn->raw.modrm.mod != 3 && insn->raw.sib.scale == 2) {
		*vec_add(&code->widened) = addr;
	} else if ((mark & INSN_INDIRECT) && insn->raw.modrm.mod == 3) {
		*vec_add(&code->computed) = addr;
	}
}

/*
 * Decodes [addr, end) linearly, one region at most. Returns where it stopped: end,
 * or the address of the first instruction that is none or would cross end.
 */
static u64 decode(struct decoding *d, u64 addr, u64 end, u32 set)
{
	struct code *code = d->code;
	size_t index = code_index(code, addr);
	ZydisDecodedInstruction insn;

	if (index == CODE_NONE)
		return addr;
	const struct code_region *r = region_of(code, index);
	const u8 *bytes = r->bytes + (addr - r->addr);
	u64 limit = end < r->addr + r->size ? end : r->addr + r->size;

	while (addr < limit) {
		if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(&d->decoder, NULL, bytes,
		                                              limit - addr, &insn)))
			return addr;
		u32 mark = classify(&insn);

		code->length[index] = insn.length;
		code->mark[index] |= mark | set;
		note_references(d, &insn, addr, mark);
		addr += insn.length;
		index += insn.length;
		bytes += insn.length;
	}
	return addr;
}

static void forget(struct code *code, u64 start, u64 end, size_t n_branches, size_t n_leas)
{
	size_t from = code_index(code, start);

	memset(code->length + from, 0, end - start);
	code->branches.n = n_branches;
	code->leas.n = n_leas;
}

/* Opaque pieces: decoded to find branches, kept only if the decoding comes out even. */
static void decode_opaque(struct decoding *d, const struct notes_opaque *o)
{
	size_t n_branches = d->code->branches.n, n_leas = d->code->leas.n;

	if (o->start < o->end && decode(d, o->start, o->end, BYTE_OPAQUE) != o->end)
		forget(d->code, o->start, o->end, n_branches, n_leas);
	paint(d->code, o->start, o->end, BYTE_OPAQUE, 0);
}

static void certify_piece(struct decoding *d, u64 start, u64 end, bool is_end)
{
	if (start >= end)
		return;
	u64 stop = decode(d, start, end, 0);

	if (stop == end)
		return;
	paint(d->code, stop, end, 0, BYTE_CERTIFIED);
	*vec_add(&d->code->errors) = (struct code_error){
		stop, is_end ? "bytes before the end of a certified range are no instruction"
			     : "bytes before an opaque piece are no instruction"
	};
}

static void certify(struct decoding *d, const struct model *model, const struct range *range)
{
	const struct notes_record *record = &range->record;
	size_t first = code_index(d->code, record->start);
	u64 at = record->start;

	if (range->folded || record->start == record->end)
		return;
	if (first == CODE_NONE || code_index(d->code, record->end - 1) == CODE_NONE ||
	    record->end - record->start > d->code->size ||
	    code_index(d->code, record->end - 1) - first != record->end - 1 - record->start) {
		*vec_add(&d->code->errors) = (struct code_error){
			record->start, "a certified range does not lie in one executable section"
		};
		return;
	}
	for (u64 i = 0; i < record->end - record->start; i++) {
		u32 mark = d->code->mark[first + i];

		if (!(mark & BYTE_TEXT) || (mark & BYTE_CERTIFIED)) {
			*vec_add(&d->code->errors) = (struct code_error){
				record->start + i,
				mark & BYTE_CERTIFIED
					? "certified ranges overlap and differ"
					: "a certified range covers records, cache or linker stubs"
			};
			return;
		}
	}
	paint(d->code, record->start, record->end, BYTE_CERTIFIED, 0);
	for (u64 i = 0; i < record->counts[NOTES_OPAQUE]; i++) {
		const struct notes_opaque *o = &model->opaques.at[range->first[NOTES_OPAQUE] + i];

		certify_piece(d, at, o->start, false);
		decode_opaque(d, o);
		at = o->end;
	}
	certify_piece(d, at, record->end, true);
}

static int by_anchor(const void *a, const void *b)
{
	const struct anchor *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->end > y->end) - (x->end < y->end);
}

static void collect_anchors(struct anchors *anchors, const struct code *code,
                            const struct image *image, const struct unwind *unwind)
{
	for (size_t i = 0; i < unwind->functions.n; i++)
		*vec_add(&anchors->v) = (struct anchor){ unwind->functions.at[i].start,
			                                 unwind->functions.at[i].end };
	for (size_t i = 0; i < image->symbols.n; i++) {
		const struct symbol *s = &image->symbols.at[i];

		if (s->type == STT_FUNC)
			*vec_add(&anchors->v) = (struct anchor){ s->addr, s->addr + s->size };
	}
	/* Without sections an executable segment may hold anything: no start of its own. */
	for (size_t i = 0; image->sections.n && i < code->regions.n; i++)
		*vec_add(&anchors->v) = (struct anchor){ code->regions.at[i].addr, 0 };
	if (anchors->v.n)
		qsort(anchors->v.at, anchors->v.n, sizeof(*anchors->v.at), by_anchor);
}

/* First byte at or after addr, below end, that is not ordinary text. */
static u64 ordinary_end(const struct code *code, u64 addr, u64 end)
{
	size_t i = code_index(code, addr);

	if (i == CODE_NONE)
		return addr;
	const struct code_region *r = region_of(code, i);

	if (end > r->addr + r->size)
		end = r->addr + r->size;
	while (addr < end && (code->mark[i] & (BYTE_TEXT | BYTE_CERTIFIED)) == BYTE_TEXT)
		addr++, i++;
	return addr;
}

/* Decodes from each start to the next; a byte that starts no instruction is stepped over. */
static void decode_ordinary(struct decoding *d, const struct anchors *anchors, bool sections)
{
	for (size_t i = 0; i < anchors->v.n; i++) {
		u64 addr = anchors->v.at[i].start, end = UINT64_MAX;

		if (i + 1 < anchors->v.n && anchors->v.at[i + 1].start == addr)
			continue;
		if (i + 1 < anchors->v.n)
			end = anchors->v.at[i + 1].start;
		if (!sections && anchors->v.at[i].end < end)
			end = anchors->v.at[i].end;
		if (code_index(d->code, addr) == CODE_NONE)
			continue;
		const struct code_region *r = region_of(d->code, code_index(d->code, addr));

		if (end > r->addr + r->size)
			end = r->addr + r->size;
		while (addr < end) {
			u64 stop = ordinary_end(d->code, addr, end);

			addr = stop > addr ? decode(d, addr, stop, 0) : addr + 1;
			if (addr < stop)
				addr++;
		}
	}
}

static void collect_functions(struct code *code, const struct image *image,
                              const struct unwind *unwind, const struct model *model)
{
	size_t kept = 0;

	for (size_t i = 0; i < unwind->functions.n; i++)
		*vec_add(&code->functions) = unwind->functions.at[i].start;
	for (size_t i = 0; i < image->symbols.n; i++)
		if (image->symbols.at[i].type == STT_FUNC)
			*vec_add(&code->functions) = image->symbols.at[i].addr;
	for (size_t i = 0; i < model->functions.n; i++)
		*vec_add(&code->functions) = model->functions.at[i].start;
	for (size_t i = 0; i < model->ranges.n; i++)
		*vec_add(&code->functions) = model->ranges.at[i].record.start;
	if (code->functions.n)
		qsort(code->functions.at, code->functions.n, sizeof(u64), u64_compare);
	for (size_t i = 0; i < code->functions.n; i++)
		if (!kept || code->functions.at[i] != code->functions.at[kept - 1])
			code->functions.at[kept++] = code->functions.at[i];
	code->functions.n = kept;
}

static void paint_notes(struct code *code, const struct model *model)
{
	for (size_t i = 0; i < model->ranges.n; i++)
		if (model_disabled(model, &model->ranges.at[i]))
			paint(code, model->ranges.at[i].record.start,
			      model->ranges.at[i].record.end, BYTE_NOPATCH, 0);
	for (size_t i = 0; i < model->noopts.n; i++)
		if (model->noopts.at[i].forbids & DYNOPT_FORBID_PATCH)
			paint(code, model->noopts.at[i].start, model->noopts.at[i].end,
			      BYTE_NOPATCH, 0);
	for (size_t i = 0; i < model->slots.n; i++)
		paint(code, model->slots.at[i].addr, model->slots.at[i].addr + DYNOPT_SLOT_SIZE,
		      BYTE_SLOT, 0);
}

void code_read(struct code *code, const struct image *image, const struct unwind *unwind,
               const struct model *model)
{
	struct decoding d = { .code = code, .image = image };
	struct anchors anchors = { 0 };

	*code = (struct code){ 0 };
	ZydisDecoderInit(&d.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	find_regions(code, image);
	paint_text(code, image, model);
	for (size_t i = 0; i < model->ranges.n; i++)
		certify(&d, model, &model->ranges.at[i]);
	collect_anchors(&anchors, code, image, unwind);
	decode_ordinary(&d, &anchors, image->sections.n);
	free(anchors.v.at);
	paint_notes(code, model);
	collect_functions(code, image, unwind, model);
	for (size_t i = 0; i < code->size; i++) {
		code->text += !!(code->mark[i] & BYTE_TEXT);
		code->certified += !!(code->mark[i] & BYTE_CERTIFIED);
	}
}

void code_free(struct code *code)
{
	free(code->regions.at);
	free(code->length);
	free(code->mark);
	free(code->functions.at);
	free(code->branches.at);
	free(code->leas.at);
	free(code->errors.at);
	free(code->indexed.at);
	free(code->widened.at);
	free(code->computed.at);
}
