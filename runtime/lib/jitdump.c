/* SPDX-License-Identifier: MIT */
/*
 * jitdump.c - see jitdump.h; without libc. The format is that of tools/perf/Documentation/jitdump-specification.txt.
 *
 * perf learns of the file by an executable mapping of it in the program; times are CLOCK_MONOTONIC's (perf record -k mono). Files that cannot be
 * made or written cost the names, nothing else.
 */
#include "jitdump.h"

#include "image.h"
#include "names.h"
#include "symbols.h"
#include "sys.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>

#define JITDUMP_MAGIC 0x4a695444u /* "JiTD" */
#define JITDUMP_VERSION 1
#define JITDUMP_CODE_LOAD 0
#define PREFIX "dynopt:" /* of all names */
#define NAME_ROOM (SYMBOL_NAME_MAX + 2 * 20 + sizeof(PREFIX))

struct dump_head {
	u32 magic, version, size, machine, pad, pid;
	u64 time_ns, flags;
};

struct dump_code {
	u32 id, size;
	u64 time_ns;
	u32 pid, tid;
	u64 vma, code, code_size, index;
};

static struct {
	char dump[OPTION_PATH_MAX + 32], map[64];
	bool made;
	u64 index; /* of the next translation */
} files;

static u32 put_text(char *out, u32 at, const char *text)
{
	while (*text)
		out[at++] = *text++;
	out[at] = 0;
	return at;
}

static u32 put_number(char *out, u32 at, u64 value, u32 base)
{
	char digits[24];
	u32 n = 0;

	do
		digits[n++] = "0123456789abcdef"[value % base];
	while (value /= base);
	while (n)
		out[at++] = digits[--n];
	out[at] = 0;
	return at;
}

static void name_files(void)
{
	u32 at = put_text(files.dump, 0, world->options.perf);

	at = put_text(files.dump, at, "/jit-");
	at = put_number(files.dump, at, (u64)world->host_pid, 10);
	put_text(files.dump, at, ".dump");
	at = put_text(files.map, 0, "/tmp/perf-");
	at = put_number(files.map, at, (u64)world->host_pid, 10);
	put_text(files.map, at, ".map");
}

/* Where one of an earlier process of this number is, it goes; where another user's is, it stays, and this one cannot be made. */
static long create(const char *path)
{
	sys_unlink(path);
	return sys_open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

void jitdump_start(void)
{
	struct dump_head head = { JITDUMP_MAGIC,
		                  JITDUMP_VERSION,
		                  sizeof(head),
		                  EM_X86_64,
		                  0,
		                  (u32)world->host_pid,
		                  sys_now_ns(),
		                  0 };
	long fd;

	if (!world->options.perf[0])
		return;
	name_files();
	fd = create(files.dump);
	if (sys_failed(fd))
		return;
	files.made =
		sys_write((int)fd, &head, sizeof(head)) == (long)sizeof(head) &&
		!sys_failed(sys_mmap(0, PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE, (int)fd, 0));
	sys_close((int)fd);
	fd = files.made ? create(files.map) : -1;
	if (!sys_failed(fd))
		sys_close((int)fd);
}

/* "dynopt:function+0x12", or "dynopt:module+0x1234"; returns its length. */
static u32 name_of(const struct image *record, const u8 *bytes, u64 size, u64 addr, char *out)
{
	char symbol[SYMBOL_NAME_MAX];
	u64 offset = addr;
	u32 at = put_text(out, 0, PREFIX);

	if (symbol_of(bytes, size, addr, symbol, &offset)) {
		at = put_text(out, at, symbol);
	} else {
		const char *file = names_file(record->status.path);

		for (u32 i = 0; i < SYMBOL_NAME_MAX - 1 && file[i]; i++)
			out[at++] = file[i];
	}
	if (offset) {
		at = put_text(out, at, "+0x");
		at = put_number(out, at, offset, 16);
	}
	return at;
}

/* All or nothing: what is cut off by a full disk would make the rest unreadable. */
static void append(int fd, const void *bytes, u64 size, bool *good)
{
	*good = *good && sys_write(fd, bytes, size) == (long)size;
}

static void write_code(int dump, u64 code, u32 size, const char *name, u32 n, bool *good)
{
	struct dump_code record = { JITDUMP_CODE_LOAD,
		                    (u32)sizeof(record) + n + 1 + size,
		                    sys_now_ns(),
		                    (u32)world->host_pid,
		                    (u32)world->host_pid,
		                    code,
		                    code,
		                    size,
		                    files.index++ };

	append(dump, &record, sizeof(record), good);
	append(dump, name, n + 1, good);
	append(dump, (const void *)(uintptr_t)code, size, good);
}

static void write_line(int map, u64 code, u32 size, const char *name)
{
	char line[NAME_ROOM + 64];
	u32 at = put_number(line, 0, code, 16);

	at = put_text(line, at, " ");
	at = put_number(line, at, size, 16);
	at = put_text(line, at, " ");
	at = put_text(line, at, name);
	at = put_text(line, at, "\n");
	sys_write(map, line, at);
}

static void write_all(const struct image *image, const struct mapping *mapping, const u8 *bytes,
                      u64 size, int dump, int map)
{
	const struct image *record = &world->images[image->record];
	char name[NAME_ROOM];

	for (u32 i = 0; i < image->n_translations && files.made; i++) {
		const struct translation *t = &image->translations[i];
		u64 code = mapping->base + image->areas[t->area].start + t->at;
		u32 n;

		if (!mapping->area_there[t->area])
			continue;
		n = name_of(record, bytes, size, t->site, name);
		write_code(dump, code, t->size, name, n, &files.made);
		if (map >= 0)
			write_line(map, code, t->size, name);
	}
}

void jitdump_add(const struct image *image, const struct mapping *mapping)
{
	struct image *record = &world->images[image->record];
	long dump, map, file;
	const u8 *bytes = NULL;

	if (!files.made)
		return;
	dump = sys_open(files.dump, O_WRONLY | O_APPEND | O_NOFOLLOW, 0);
	if (sys_failed(dump))
		return;
	map = sys_open(files.map, O_WRONLY | O_APPEND | O_NOFOLLOW, 0);
	file = image_open_file(record->path);
	if (!sys_failed(file)) {
		long mapped = sys_mmap(0, record->size, PROT_READ, MAP_PRIVATE, (int)file, 0);

		bytes = sys_failed(mapped) ? NULL : (const u8 *)(uintptr_t)mapped;
		sys_close((int)file);
	}
	write_all(image, mapping, bytes, bytes ? record->size : 0, (int)dump,
	          sys_failed(map) ? -1 : (int)map);
	if (bytes)
		sys_munmap((u64)(uintptr_t)bytes, record->size);
	if (!sys_failed(map))
		sys_close((int)map);
	sys_close((int)dump);
}
