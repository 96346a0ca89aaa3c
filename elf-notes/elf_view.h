/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * elf_view.h - the loadable bytes of an x86-64 ELF file by address.
 *
 * A view is made from the bytes of a whole file (a tool, the kernel), or from the
 * program headers of a module in this process (dl_iterate_phdr); afterwards both
 * look the same: spans of bytes with addresses and permissions, and the note
 * segments among them. Section headers are never read: stripped files work.
 *
 * Invariant: every span is backed by readable memory for all its size, or has
 * bytes == NULL; spans ascend and do not overlap; note segments lie in spans.
 * So an address that elf_view_bytes() has granted can be read without a check.
 * The view borrows the caller's bytes: keep them mapped while it is in use.
 */
#ifndef DYNOPT_ELF_VIEW_H
#define DYNOPT_ELF_VIEW_H

#include "port.h"
#include "status.h"

/* More segments than any linker's default layout makes; beyond them: ELF_..._MANY. */
#define ELF_VIEW_LOADS_MAX 32
#define ELF_VIEW_NOTES_MAX 32

/* Span flags: the values of ELF's PF_X, PF_W, PF_R. */
#define ELF_VIEW_X 1u
#define ELF_VIEW_W 2u
#define ELF_VIEW_R 4u

/* One PT_LOAD, or one PT_NOTE. */
struct elf_span {
	u64 addr; /* of its first byte: link-time address (file) or run-time address (live) */
	u64 size; /* bytes: what the file holds (file) or what is mapped (live) */
	const u8 *bytes; /* NULL if it may not be read */
	u32 flags; /* ELF_VIEW_... */
	u32 phdr; /* index of its program header */
};

struct elf_view {
	struct elf_span loads[ELF_VIEW_LOADS_MAX];
	struct elf_span notes[ELF_VIEW_NOTES_MAX];
	u32 n_loads;
	u32 n_notes;
	u64 base; /* load bias in bytes; 0 for a file */
	/* What PT_DYNAMIC and PT_GNU_EH_FRAME claim, unchecked; 0: there is none. */
	u64 dynamic, dynamic_size;
	u64 eh_frame_hdr;
	u64 relro, relro_size; /* written while the program is loaded, never later */
	bool live; /* spans are memory of this process */
	bool relocatable; /* file: ET_DYN, so absolute words in it are not final */
};

/*
 * View of a whole file: ELF64, x86-64, ET_EXEC or ET_DYN. Nothing in it is
 * trusted. Returns NOTES_OK or a status of class FILE, told in *fail as well
 * (addr: offset in the file); *view is then empty.
 */
__must_check enum notes_status elf_view_file(struct elf_view *view, const void *bytes, u64 size,
                                             struct notes_failure *fail);

/*
 * View of a module of this process: `phdrs` is an array of `n` Elf64_Phdr as in
 * struct dl_phdr_info, `base` its dlpi_addr. The segments must be mapped as the
 * headers say, which the dynamic loader guarantees. Returns NOTES_OK or a status
 * of class FILE (addr: offset in the array); *view is then empty.
 */
__must_check enum notes_status elf_view_live(struct elf_view *view, const void *phdrs, u32 n,
                                             u64 base, struct notes_failure *fail);

/*
 * The bytes of [addr, addr + size) if they lie in one readable span that has all
 * of `flags`; NULL otherwise. size may be 0 (then addr may be the span's end).
 */
const u8 *elf_view_bytes(const struct elf_view *view, u64 addr, u64 size, u32 flags);

/* Is [addr, addr + size) in one span that has all of `flags`? */
bool elf_view_covers(const struct elf_view *view, u64 addr, u64 size, u32 flags);

/* Bytes of all spans that have all of `flags`. */
u64 elf_view_size(const struct elf_view *view, u32 flags);

#endif
