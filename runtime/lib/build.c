/* SPDX-License-Identifier: MIT */
/*
 * build.c - see build.h.
 */
#include "build.h"

#include "elf_view.h"
#include "sys.h"

#include <elf.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define ID_MOST 64 /* bytes */

static char *put_hex(char *out, u64 value, u32 digits)
{
	while (digits-- > 0)
		*out++ = "0123456789abcdef"[value >> 4 * digits & 15];
	return out;
}

/* The build-id's note in a segment of notes; NULL. Steps of four bytes, whatever alignment the segment claims. */
static const u8 *find_id(const struct elf_span *span, u32 *size)
{
	static const char owner[4] = "GNU";
	Elf64_Nhdr note;

	for (u64 at = 0; span->bytes && span->size - at >= sizeof(note);) {
		u64 name, whole;

		memcpy(&note, span->bytes + at, sizeof(note));
		name = ((u64)note.n_namesz + 3) & ~(u64)3;
		whole = sizeof(note) + name + (((u64)note.n_descsz + 3) & ~(u64)3);
		if (whole > span->size - at)
			return NULL;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(owner) &&
		    note.n_descsz && note.n_descsz <= ID_MOST &&
		    memcmp(span->bytes + at + sizeof(note), owner, sizeof(owner)) == 0) {
			*size = note.n_descsz;
			return span->bytes + at + sizeof(note) + name;
		}
		at += whole;
	}
	return NULL;
}

static bool by_id(const u8 *bytes, u64 size, char *out)
{
	struct notes_failure why;
	struct elf_view view;
	const u8 *id = NULL;
	u32 n = 0;

	if (elf_view_file(&view, bytes, size, &why) != NOTES_OK)
		return false;
	for (u32 i = 0; i < view.n_notes && !id; i++)
		id = find_id(&view.notes[i], &n);
	for (u32 i = 0; id && i < n; i++)
		out = put_hex(out, id[i], 2);
	*out = 0;
	return id;
}

static void by_stat(const struct stat *st, char *out)
{
	out = put_hex(out, (u64)st->st_size, 16);
	*out++ = '-';
	out = put_hex(out, (u64)st->st_mtim.tv_sec * 1000000000u + (u64)st->st_mtim.tv_nsec, 16);
	*out = 0;
}

/* Of the file at `path`, which has to be `record`'s if there is one. */
static void find(const char *path, const struct image *record, char *out)
{
	long fd = image_open_file(path), bytes = 0;
	struct stat st;

	out[0] = 0;
	if (sys_failed(fd))
		return;
	if (sys6(SYS_fstat, fd, (long)&st, 0, 0, 0, 0) == 0 && st.st_size > 0 &&
	    (!record || image_is_file(record, &st)))
		bytes = sys_mmap(0, (u64)st.st_size, PROT_READ, MAP_PRIVATE, (int)fd, 0);
	sys_close((int)fd);
	if (!bytes || sys_failed(bytes))
		return;
	if (!by_id((const u8 *)(uintptr_t)bytes, (u64)st.st_size, out))
		by_stat(&st, out);
	sys_munmap((u64)bytes, (u64)st.st_size);
}

void build_of_file(const char *path, char out[BUILD_ROOM])
{
	find(path, NULL, out);
}

void build_of(const struct image *record, char out[BUILD_ROOM])
{
	find(record->path, record, out);
}
