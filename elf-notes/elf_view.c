/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * elf_view.c - program headers to spans.
 *
 * Both kinds of view go through view_fill(): they differ in where an address's
 * bytes are, and in how many of a segment's bytes exist (the file's, or all that
 * are mapped). Every field is copied out before it is looked at, so unaligned
 * input and input that changes meanwhile do no harm: what was checked is what is used.
 *
 * Layouts: System V gABI, "ELF Header" and "Program Header".
 */
#include "elf_view.h"

struct ehdr {
	u8 ident[16];
	u16 type;
	u16 machine;
	u32 version;
	u64 entry;
	u64 phoff;
	u64 shoff;
	u32 flags;
	u16 ehsize;
	u16 phentsize;
	u16 phnum;
	u16 shentsize;
	u16 shnum;
	u16 shstrndx;
};

struct phdr {
	u32 type;
	u32 flags;
	u64 offset;
	u64 vaddr;
	u64 paddr;
	u64 filesz;
	u64 memsz;
	u64 align;
};

static_assert(sizeof(struct ehdr) == 64, "ELF64 header");
static_assert(sizeof(struct phdr) == 56, "ELF64 program header");

#define ELF_CLASS64 2
#define ELF_DATA_LSB 1
#define ELF_TYPE_EXEC 2
#define ELF_TYPE_DYN 3
#define ELF_MACHINE_X86_64 62
#define ELF_PHNUM_ELSEWHERE 0xffff /* PN_XNUM: the number is in a section header */
#define ELF_PT_LOAD 1
#define ELF_PT_DYNAMIC 2
#define ELF_PT_NOTE 4
#define ELF_PT_GNU_EH_FRAME 0x6474e550
#define ELF_PT_GNU_RELRO 0x6474e552

/* What view_fill() reads from. */
struct source {
	const u8 *file; /* NULL: live */
	u64 file_size;
	const u8 *phdrs;
	u64 phdrs_offset; /* in the file, for messages */
	u32 n;
};

static enum notes_status view_fail(struct elf_view *view, struct notes_failure *fail,
                                   enum notes_status status, u64 offset, u64 detail)
{
	view->n_loads = 0;
	view->n_notes = 0;
	fail->status = status;
	fail->addr = offset;
	fail->detail = detail;
	return status;
}

static void phdr_read(const struct source *src, u32 i, struct phdr *ph)
{
	memcpy(ph, src->phdrs + (u64)i * sizeof(*ph), sizeof(*ph));
}

/* The segment's span, or what is wrong with it; *floor is where it may begin at the earliest. */
static enum notes_status load_span(const struct elf_view *view, const struct source *src,
                                   const struct phdr *ph, struct elf_span *span, u64 *floor,
                                   u64 *detail)
{
	u64 addr = view->base + ph->vaddr;

	*detail = ph->filesz;
	if (ph->filesz > ph->memsz)
		return NOTES_ELF_LOAD_SIZE;
	if (src->file && (ph->offset > src->file_size || ph->filesz > src->file_size - ph->offset))
		return NOTES_ELF_LOAD_FILE;
	*detail = ph->vaddr;
	if ((!view->live && ph->vaddr + ph->memsz < ph->vaddr) || addr + ph->memsz < addr)
		return NOTES_ELF_LOAD_WRAP;
	if (addr < *floor)
		return NOTES_ELF_LOAD_ORDER;
	*floor = addr + ph->memsz;
	span->addr = addr;
	span->size = src->file ? ph->filesz : ph->memsz;
	span->flags = ph->flags & (ELF_VIEW_R | ELF_VIEW_W | ELF_VIEW_X);
	span->bytes = NULL;
	if (span->flags & ELF_VIEW_R)
		span->bytes = src->file ? src->file + ph->offset : (const u8 *)(uintptr_t)addr;
	return NOTES_OK;
}

static enum notes_status view_loads(struct elf_view *view, const struct source *src,
                                    struct notes_failure *fail)
{
	struct phdr ph;
	u64 floor = 0;
	u32 i;

	for (i = 0; i < src->n; i++) {
		u64 offset = src->phdrs_offset + (u64)i * sizeof(ph);
		enum notes_status status;
		u64 detail;

		phdr_read(src, i, &ph);
		if (ph.type != ELF_PT_LOAD || ph.memsz == 0)
			continue;
		if (view->n_loads == ELF_VIEW_LOADS_MAX)
			return view_fail(view, fail, NOTES_ELF_LOADS_MANY, offset,
			                 (u64)view->n_loads + 1);
		status = load_span(view, src, &ph, &view->loads[view->n_loads], &floor, &detail);
		if (status != NOTES_OK)
			return view_fail(view, fail, status, offset, detail);
		view->loads[view->n_loads++].phdr = i;
	}
	return NOTES_OK;
}

/*
 * Note segments are found by address, not by p_offset: their contents are distances
 * from where they are mapped, and so a file and its image in memory read alike.
 */
static enum notes_status view_notes(struct elf_view *view, const struct source *src,
                                    struct notes_failure *fail)
{
	struct phdr ph;
	u32 i;

	for (i = 0; i < src->n; i++) {
		u64 offset = src->phdrs_offset + (u64)i * sizeof(ph);
		struct elf_span *span = &view->notes[view->n_notes];

		phdr_read(src, i, &ph);
		if (ph.type != ELF_PT_NOTE || ph.filesz == 0)
			continue;
		if (view->n_notes == ELF_VIEW_NOTES_MAX)
			return view_fail(view, fail, NOTES_ELF_NOTES_MANY, offset,
			                 (u64)view->n_notes + 1);
		span->addr = view->base + ph.vaddr;
		span->size = ph.filesz;
		span->bytes = elf_view_bytes(view, span->addr, span->size, 0);
		span->flags = ELF_VIEW_R;
		span->phdr = i;
		if (!span->bytes)
			return view_fail(view, fail, NOTES_ELF_NOTE_OUTSIDE, offset, ph.vaddr);
		view->n_notes++;
	}
	return NOTES_OK;
}

/* Tables that others read; of each, the first one counts, as for the dynamic loader. */
static void view_tables(struct elf_view *view, const struct source *src)
{
	struct phdr ph;
	u32 i;

	for (i = 0; i < src->n; i++) {
		phdr_read(src, i, &ph);
		if (ph.type == ELF_PT_DYNAMIC && !view->dynamic) {
			view->dynamic = view->base + ph.vaddr;
			view->dynamic_size = ph.filesz;
		}
		if (ph.type == ELF_PT_GNU_RELRO && !view->relro) {
			view->relro = view->base + ph.vaddr;
			view->relro_size = ph.memsz;
		}
		if (ph.type == ELF_PT_GNU_EH_FRAME && !view->eh_frame_hdr)
			view->eh_frame_hdr = view->base + ph.vaddr;
	}
}

static enum notes_status view_fill(struct elf_view *view, const struct source *src, u64 base,
                                   struct notes_failure *fail)
{
	enum notes_status status;

	view->base = base;
	view->live = !src->file;
	status = view_loads(view, src, fail);
	if (status != NOTES_OK)
		return status;
	view_tables(view, src);
	return view_notes(view, src, fail);
}

static enum notes_status ehdr_check(const struct ehdr *eh, u64 size, u64 *offset, u64 *detail)
{
	u32 magic;

	memcpy(&magic, eh->ident, sizeof(magic));
	*offset = 0;
	*detail = magic;
	if (magic != 0x464c457f) /* "\177ELF" */
		return NOTES_ELF_MAGIC;
	*offset = 4;
	*detail = eh->ident[4] | (u64)eh->ident[5] << 8;
	if (eh->ident[4] != ELF_CLASS64 || eh->ident[5] != ELF_DATA_LSB)
		return NOTES_ELF_CLASS;
	*offset = offsetof(struct ehdr, machine);
	*detail = eh->machine;
	if (eh->machine != ELF_MACHINE_X86_64)
		return NOTES_ELF_MACHINE;
	*offset = offsetof(struct ehdr, type);
	*detail = eh->type;
	if (eh->type != ELF_TYPE_EXEC && eh->type != ELF_TYPE_DYN)
		return NOTES_ELF_TYPE;
	*offset = offsetof(struct ehdr, phnum);
	*detail = eh->phnum;
	if (eh->phnum == 0 || eh->phnum == ELF_PHNUM_ELSEWHERE)
		return NOTES_ELF_PHNUM;
	*offset = offsetof(struct ehdr, phentsize);
	*detail = eh->phentsize;
	if (eh->phentsize != sizeof(struct phdr))
		return NOTES_ELF_PHENTSIZE;
	*offset = offsetof(struct ehdr, phoff);
	*detail = eh->phoff;
	if (eh->phoff > size || eh->phnum * sizeof(struct phdr) > size - eh->phoff)
		return NOTES_ELF_PHDRS;
	return NOTES_OK;
}

enum notes_status elf_view_file(struct elf_view *view, const void *bytes, u64 size,
                                struct notes_failure *fail)
{
	struct source src = { .file = bytes, .file_size = size };
	enum notes_status status;
	u64 offset, detail;
	struct ehdr eh;

	memset(view, 0, sizeof(*view));
	memset(fail, 0, sizeof(*fail));
	if (size < sizeof(eh))
		return view_fail(view, fail, NOTES_ELF_SHORT, 0, size);
	memcpy(&eh, bytes, sizeof(eh));
	status = ehdr_check(&eh, size, &offset, &detail);
	if (status != NOTES_OK)
		return view_fail(view, fail, status, offset, detail);
	src.phdrs = src.file + eh.phoff;
	src.phdrs_offset = eh.phoff;
	src.n = eh.phnum;
	view->relocatable = eh.type == ELF_TYPE_DYN;
	return view_fill(view, &src, 0, fail);
}

enum notes_status elf_view_live(struct elf_view *view, const void *phdrs, u32 n, u64 base,
                                struct notes_failure *fail)
{
	struct source src = { .phdrs = phdrs, .n = n };

	memset(view, 0, sizeof(*view));
	memset(fail, 0, sizeof(*fail));
	return view_fill(view, &src, base, fail);
}

static const struct elf_span *span_of(const struct elf_view *view, u64 addr, u64 size, u32 flags)
{
	u32 i;

	for (i = 0; i < view->n_loads; i++) {
		const struct elf_span *span = &view->loads[i];

		if (addr >= span->addr && size <= span->size &&
		    addr - span->addr <= span->size - size && (span->flags & flags) == flags)
			return span;
	}
	return NULL;
}

const u8 *elf_view_bytes(const struct elf_view *view, u64 addr, u64 size, u32 flags)
{
	const struct elf_span *span = span_of(view, addr, size, flags | ELF_VIEW_R);

	return span ? span->bytes + (addr - span->addr) : NULL;
}

bool elf_view_covers(const struct elf_view *view, u64 addr, u64 size, u32 flags)
{
	return span_of(view, addr, size, flags) != NULL;
}

u64 elf_view_size(const struct elf_view *view, u32 flags)
{
	u64 sum = 0;

	for (u32 i = 0; i < view->n_loads; i++)
		if ((view->loads[i].flags & flags) == flags)
			sum += view->loads[i].size;
	return sum;
}
