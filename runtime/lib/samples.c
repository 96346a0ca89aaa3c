/* SPDX-License-Identifier: MIT */
/*
 * samples.c - see samples.h; without libc, for the agent.
 */
#include "samples.h"

#include "sys.h"

#include <fcntl.h>
#include <sys/mman.h>

#define NAME_MAX_LEN 255
#define LINE_ROOM (NAME_MAX_LEN + 64)

static const char keyword[] = "samples";

/* ---- reading ---- */

static u64 blanks(const char *text, u64 at, u64 end)
{
	while (at < end && (text[at] == ' ' || text[at] == '\t'))
		at++;
	return at;
}

static u64 word(const char *text, u64 at, u64 end)
{
	while (at < end && text[at] != ' ' && text[at] != '\t')
		at++;
	return at;
}

static bool digits(const char *text, u64 at, u64 end, u32 base, u64 *out)
{
	u64 value = 0;

	if (at == end || end - at > 18)
		return false;
	for (; at < end; at++) {
		u32 c = (u8)text[at], digit = c - '0';

		if (c >= 'a' && c <= 'f')
			digit = c - 'a' + 10;
		if (digit >= base)
			return false;
		value = value * base + digit;
	}
	*out = value;
	return true;
}

static bool parse(const char *text, u64 at, u64 end, struct sample_line *out)
{
	u64 to = word(text, at, end), n;

	if (to - at != sizeof(keyword) - 1 || memcmp(text + at, keyword, to - at) != 0)
		return false;
	at = blanks(text, to, end);
	to = word(text, at, end);
	out->name = text + at;
	out->name_len = (u32)(to - at);
	at = blanks(text, to, end);
	to = word(text, at, end);
	if (!out->name_len || out->name_len > NAME_MAX_LEN || to - at < 3 || text[at] != '0' ||
	    text[at + 1] != 'x' || !digits(text, at + 2, to, 16, &out->addr))
		return false;
	at = blanks(text, to, end);
	to = word(text, at, end);
	if (!digits(text, at, to, 10, &n) || n > 0xffffffffu || blanks(text, to, end) != end)
		return false;
	out->n = (u32)n;
	return true;
}

bool samples_next(const char *text, u64 size, u64 *pos, u32 *line, struct sample_line *out,
                  bool *wrong)
{
	*wrong = false;
	while (*pos < size) {
		u64 at = *pos, end = at, stop;

		while (end < size && text[end] != '\n')
			end++;
		*pos = end + (end < size);
		++*line;
		for (stop = at; stop < end && text[stop] != '#';)
			stop++;
		while (stop > at && (text[stop - 1] == ' ' || text[stop - 1] == '\t'))
			stop--;
		at = blanks(text, at, stop);
		if (at == stop)
			continue;
		*wrong = !parse(text, at, stop, out);
		return !*wrong;
	}
	return false;
}

static bool fail_with(u64 detail)
{
	world->cause = STATUS_CAUSE_SAMPLES;
	world->detail = detail;
	return false;
}

bool samples_read(void (*take)(void *ctx, const struct sample_line *line), void *ctx)
{
	struct sample_line sample;
	const char *text;
	bool wrong;
	u64 pos = 0, size;
	u32 line = 0;
	long result = sys_map_file(world->options.samples, &text, &size);

	if (sys_failed(result))
		return fail_with((u64)-result);
	while (samples_next(text, size, &pos, &line, &sample, &wrong))
		;
	for (pos = 0; !wrong && samples_next(text, size, &pos, &line, &sample, &wrong);)
		take(ctx, &sample);
	if (size)
		sys_munmap((u64)(uintptr_t)text, size);
	return !wrong || fail_with(STATUS_DETAIL_LINE + line);
}

/* ---- writing ---- */

static void temporary(char *out)
{
	const char *path = world->options.keep_samples;
	u64 n = 0;

	for (; path[n]; n++)
		out[n] = path[n];
	out[n] = '~';
	out[n + 1] = 0;
}

bool samples_create(struct sample_file *file)
{
	char path[OPTION_PATH_MAX + 2];
	long fd;

	temporary(path);
	sys_unlink(path);
	fd = sys_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
	file->fd = (int)fd;
	file->failed = false;
	file->used = 0;
	return !sys_failed(fd);
}

static void flush(struct sample_file *file)
{
	for (u32 done = 0; done < file->used && !file->failed;) {
		long n = sys_write(file->fd, file->buffer + done, file->used - done);

		file->failed = n <= 0;
		done += (u32)n;
	}
	file->used = 0;
}

static void put_number(struct sample_file *file, u64 value, u32 base)
{
	char text[24];
	u32 n = 0;

	do
		text[n++] = "0123456789abcdef"[value % base];
	while (value /= base);
	while (n > 0)
		file->buffer[file->used++] = text[--n];
}

static void put_text(struct sample_file *file, const char *text)
{
	for (; *text; text++) {
		bool odd = (u8)*text <= ' ' || *text == '#';

		file->buffer[file->used++] = odd ? '_' : *text;
	}
}

void samples_put(struct sample_file *file, const char *name, u64 addr, u32 n)
{
	u32 len = 0;

	while (name[len])
		len++;
	if (!len || len > NAME_MAX_LEN)
		return;
	if (file->used + LINE_ROOM > sizeof(file->buffer))
		flush(file);
	put_text(file, keyword);
	file->buffer[file->used++] = ' ';
	put_text(file, name);
	memcpy(file->buffer + file->used, " 0x", 3);
	file->used += 3;
	put_number(file, addr, 16);
	file->buffer[file->used++] = ' ';
	put_number(file, n, 10);
	file->buffer[file->used++] = '\n';
}

void samples_close(struct sample_file *file)
{
	char path[OPTION_PATH_MAX + 2];

	temporary(path);
	flush(file);
	sys_close(file->fd);
	if (file->failed || sys_failed(sys_rename(path, world->options.keep_samples)))
		sys_unlink(path);
}
