/* SPDX-License-Identifier: MIT */
/*
 * image.c - reads a module's file and remembers it by what stat(2) says of it.
 *
 *     file -> view -> text -> (workshop.c, batch.c) translations
 *
 * Instructions come from the file's bytes. They are compared with what is mapped when a mapping is
 * published (mapping.c), so text that somebody has changed in memory is left alone.
 */
#include "image.h"

#include "leave.h"
#include "limits.h"
#include "names.h"
#include "reader.h"
#include "sys.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define READ_NS_PER_BYTE 11 /* of a file, as a whole, */
#define OPEN_NS_PER_BYTE 2 /* and where only its functions are found */

#define RELAXED_BYTES (64u << 10) /* that an arena keeps: a page that comes back is a fault */

bool memory_arena(struct arena *arena, u64 size)
{
	long base = sys_mmap(0, size, PROT_READ | PROT_WRITE,
	                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (sys_failed(base))
		return false;
	arena_init_zeroed(arena, (void *)base, size);
	return true;
}

void memory_relax(struct arena *arena)
{
	u64 from = page_up(arena->used) > RELAXED_BYTES ? page_up(arena->used) : RELAXED_BYTES;

	if (from < arena->zero_from && from < arena->size &&
	    sys_madvise((u64)(uintptr_t)arena->base + from, arena->size - from, MADV_DONTNEED) == 0)
		arena_zeroed(arena, from);
}

void memory_free(struct arena *arena)
{
	if (arena->base)
		sys_munmap((u64)(uintptr_t)arena->base, arena->size);
	arena->base = NULL;
}

/* "/proc/NUMBER/exe" */
static void exe_path(char *out, int pid)
{
	char digits[12];
	u32 n = 0;

	memcpy(out, "/proc/", 6);
	out += 6;
	do
		digits[n++] = (char)('0' + pid % 10);
	while ((pid /= 10) > 0);
	while (n > 0)
		*out++ = digits[--n];
	memcpy(out, "/exe", 5);
}

long image_open_file(const char *path)
{
	char exe[32];

	if (*path)
		return sys_open(path, O_RDONLY, 0);
	exe_path(exe, world->host_pid);
	return sys_open(exe, O_RDONLY, 0);
}

bool image_is_file(const struct image *image, const struct stat *st)
{
	return image->ino == st->st_ino && image->size == (u64)st->st_size &&
	       image->mtime_ns == (u64)st->st_mtim.tv_sec * 1000000000u + (u64)st->st_mtim.tv_nsec;
}

static struct image *find_again(const struct stat *st)
{
	for (u32 i = 0; i < world->n_images; i++) {
		struct image *image = &world->images[i];

		if (image->record == i && image_is_file(image, st))
			return image;
	}
	return NULL;
}

static void copy_path(char *out, const char *path, u64 size)
{
	u64 n = 0;

	while (n < size - 1 && path[n])
		n++;
	memcpy(out, path, n);
	out[n] = 0;
}

/* What people read: the program's own path where the loader says "". */
static void show_path(struct image *image, const char *path)
{
	char exe[32];
	long n = 0;

	if (!*path) {
		exe_path(exe, world->host_pid);
		n = sys6(SYS_readlink, (long)exe, (long)image->status.path,
		         sizeof(image->status.path) - 1, 0, 0, 0);
	}
	if (n > 0)
		image->status.path[n] = 0;
	else
		copy_path(image->status.path, path, sizeof(image->status.path));
}

void image_refuse(struct image *record, enum status status, u64 addr, u64 detail)
{
	record->status.refusal = status;
	record->status.refusal_addr = addr;
	record->status.refusal_detail = detail;
}

/* Segments as the loader maps them: the file offset of a byte differs from its address by a constant. */
static bool note_segments(struct image *image, const struct reading *r)
{
	image->n_segments = 0;
	for (u32 i = 0; i < r->view.n_loads; i++) {
		const struct elf_span *load = &r->view.loads[i];
		u64 offset = (u64)(load->bytes - r->bytes);
		struct segment *segment;

		if (!(load->flags & ELF_VIEW_X) || load->size == 0)
			continue;
		if (image->n_segments == IMAGE_SEGMENTS || ((offset - load->addr) & ~PAGE_MASK))
			return false;
		segment = &image->segments[image->n_segments++];
		segment->addr = page_down(load->addr);
		segment->size = page_up(load->addr + load->size) - segment->addr;
		segment->offset = page_down(offset);
	}
	return image->n_segments > 0;
}

/* What is known of the text by now. */
static void note_text(struct image *image, const struct reading *r)
{
	image->text_start = r->text.start;
	image->status.proven_bytes = r->text.proven_bytes;
	image->status.n_functions = r->text.n_functions;
	image->status.n_slots = r->text.n_slots;
	image->status.noted = r->text.noted;
}

static enum status find_code(struct reading *r, bool whole, struct failure *fail)
{
	enum status status = STATUS_TEXT_NOTES;

	if (!whole)
		status = text_parts_open(&r->text, &r->view, &r->keep, &r->scratch, fail);
	if (status == STATUS_TEXT_NOTES)
		status = text_build(&r->text, &r->view, &r->keep, &r->scratch, fail);
	return status;
}

static enum status read_text(struct image *image, struct reading *r, bool whole,
                             struct failure *fail)
{
	struct notes_failure why = { 0 };
	u64 text, span;
	enum status status;

	if (elf_view_file(&r->view, r->bytes, r->size, &why) != NOTES_OK)
		return failed(fail, STATUS_TEXT_FILE, why.addr, why.status);
	if (!note_segments(image, r))
		return failed(fail, STATUS_TEXT_NONE, 0, 0);
	text = elf_view_size(&r->view, ELF_VIEW_X);
	span = r->view.loads[r->view.n_loads - 1].addr - r->view.loads[0].addr + text;
	image->status.text_bytes = text;
	if (span > LIMIT_TEXT_BYTES)
		return failed(fail, STATUS_TEXT_LARGE, 0, span);
	if (!memory_arena(&r->keep, span * 8 + (4u << 20)) ||
	    !memory_arena(&r->scratch, span * 16 + (16u << 20)))
		return failed(fail, STATUS_WORKSPACE, 0, span);
	status = find_code(r, whole, fail);
	if (status)
		return status;
	leave_mark(world->options.leave, names_file(image->status.path), &r->text);
	note_text(image, r);
	for (u32 i = 0; i < STATUS_N && i < STATUS_REASONS && !image->was_read; i++)
		image->status.refused[i] += r->text.refused[i];
	image->was_read = true;
	return STATUS_OK;
}

bool image_read_more(struct image *record, struct reading *r, const u64 *addrs, u32 n)
{
	struct text before = r->text;
	u64 began = sys_now_ns();
	struct failure fail;

	if (!before.parts)
		return true;
	if (text_parts_read(&r->text, addrs, n, &r->keep, &r->scratch, &fail))
		return false;
	leave_mark(world->options.leave, names_file(record->status.path), &r->text);
	note_text(record, r);
	for (u32 i = 0; i < STATUS_N && i < STATUS_REASONS; i++)
		record->status.refused[i] += r->text.refused[i] - before.refused[i];
	record->status.build_ns += sys_now_ns() - began;
	return true;
}

void image_close(struct reading *r)
{
	memory_free(&r->scratch);
	memory_free(&r->keep);
	if (r->bytes)
		sys_munmap((u64)(uintptr_t)r->bytes, r->size);
	if (r->fd >= 0)
		sys_close(r->fd);
	r->bytes = NULL;
	r->fd = -1;
}

static enum status open_file(const struct image *record, struct reading *r, struct failure *fail)
{
	struct stat st;
	long fd = image_open_file(record->path), bytes;

	r->fd = (int)fd;
	if (sys_failed(fd))
		return failed(fail, STATUS_TEXT_FILE, 0, (u64)-fd);
	if (sys6(SYS_fstat, fd, (long)&st, 0, 0, 0, 0) != 0 || !image_is_file(record, &st))
		return failed(fail, STATUS_PLAN_STALE, 0, 0);
	r->size = (u64)st.st_size;
	bytes = sys_mmap(0, r->size ? r->size : 1, PROT_READ, MAP_PRIVATE, r->fd, 0);
	if (sys_failed(bytes))
		return failed(fail, STATUS_TEXT_FILE, 0, (u64)-bytes);
	r->bytes = (const u8 *)(uintptr_t)bytes;
	return STATUS_OK;
}

static bool has_notes(const struct reading *r)
{
	struct notes_failure why;
	struct notes_reader reader;
	struct notes_object object;
	struct notes_walk walk;
	struct elf_view view;

	if (elf_view_file(&view, r->bytes, r->size, &why) != NOTES_OK)
		return false;
	notes_reader_init(&reader, &view);
	notes_walk_begin(&walk, &reader);
	return notes_objects_next(&walk, &object) == NOTES_OK;
}

u64 image_cost_ns(const struct image *record, bool whole)
{
	return record->size * (whole ? READ_NS_PER_BYTE : OPEN_NS_PER_BYTE);
}

bool image_is_noted(struct image *record)
{
	struct failure fail;
	struct reading r = { .fd = -1 };

	if (record->notes == IMAGE_NOTES_UNKNOWN)
		record->notes = open_file(record, &r, &fail) == STATUS_OK && has_notes(&r)
		                        ? IMAGE_NOTES
		                        : IMAGE_NO_NOTES;
	image_close(&r);
	return record->notes == IMAGE_NOTES;
}

bool image_read(struct image *record, struct reading *r, bool whole)
{
	static const struct reading empty;
	struct failure fail = { STATUS_OK, 0, 0 };
	u64 began = sys_now_ns();
	enum status status;

	*r = empty;
	status = open_file(record, r, &fail);
	if (!status)
		status = read_text(record, r, whole, &fail);
	record->status.build_ns += sys_now_ns() - began;
	if (!status)
		return true;
	image_refuse(record, status, fail.addr, fail.detail);
	image_close(r);
	return false;
}

struct image *image_next(void)
{
	static const struct image empty;
	struct image *image = &world->images[world->n_images];

	if (world->n_images == WORLD_MODULES)
		return NULL;
	*image = empty;
	return image;
}

struct image *image_of(const struct module *module, bool *fresh)
{
	struct image *image;
	struct stat st;
	long fd = image_open_file(module->path);
	bool known = !sys_failed(fd) && sys6(SYS_fstat, fd, (long)&st, 0, 0, 0, 0) == 0;

	if (!sys_failed(fd))
		sys_close((int)fd);
	image = known ? find_again(&st) : NULL;
	*fresh = !image;
	if (!image)
		image = image_next();
	if (!*fresh || !image)
		return image;
	image->record = world->n_images++;
	copy_path(image->path, module->path, sizeof(image->path));
	show_path(image, module->path);
	if (!known) {
		image_refuse(image, STATUS_TEXT_FILE, 0, sys_failed(fd) ? (u64)-fd : 0);
		return image;
	}
	image->ino = st.st_ino;
	image->size = (u64)st.st_size;
	image->mtime_ns = (u64)st.st_mtim.tv_sec * 1000000000u + (u64)st.st_mtim.tv_nsec;
	image->wanted = names_hold(world->options.modules, names_file(image->status.path));
	return image;
}
