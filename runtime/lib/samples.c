/* SPDX-License-Identifier: MIT */
/*
 * samples.c - see samples.h; without libc, for the agent.
 */
#include "samples.h"

#include "sys.h"

#include <errno.h>
#include <fcntl.h>

#define NAME_MAX_LEN 255
#define LINE_ROOM (2 * NAME_MAX_LEN + 96)
#define FRESH_ROOM 48 /* behind the name of a file in the making */

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

static bool is_word(const char *text, u64 at, u64 end, const char *what, u64 len)
{
	return end - at == len && memcmp(text + at, what, len) == 0;
}

/* 0x and hexadecimal digits; *at moves behind what follows. */
static bool address(const char *text, u64 *at, u64 end, u64 *out)
{
	u64 from = *at, to = word(text, from, end);

	*at = blanks(text, to, end);
	return to - from >= 3 && text[from] == '0' && text[from + 1] == 'x' &&
	       digits(text, from + 2, to, 16, out);
}

/* Numbers up to the end. */
static bool numbers(const char *text, u64 at, u64 end)
{
	u64 n;

	while (at < end) {
		u64 to = word(text, at, end);

		if (!digits(text, at, to, 10, &n))
			return false;
		at = blanks(text, to, end);
	}
	return true;
}

static bool kind_of(const char *text, u64 at, u64 end, enum sample_kind *kind)
{
	static const struct {
		const char *word;
		u32 len;
	} words[] = {
		[SAMPLE_COUNT] = { "samples", 7 }, [SAMPLE_RUN] = { "run", 3 },
		[SAMPLE_MODULE] = { "module", 6 }, [SAMPLE_RAN] = { "ran", 3 },
		[SAMPLE_LEFT] = { "left", 4 },     [SAMPLE_OWED] = { "owed", 4 },
	};

	for (u32 i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (is_word(text, at, end, words[i].word, words[i].len)) {
			*kind = (enum sample_kind)i;
			return true;
		}
	return false;
}

static bool parse(const char *text, u64 at, u64 end, struct sample_line *out)
{
	u64 to = word(text, at, end), n;
	bool run;

	*out = (struct sample_line){ .kind = SAMPLE_COUNT };
	if (!kind_of(text, at, to, &out->kind))
		return false;
	at = blanks(text, to, end);
	if (out->kind >= SAMPLE_RAN)
		return numbers(text, at, end);
	to = word(text, at, end);
	out->name = text + at;
	out->name_len = (u32)(to - at);
	if (!out->name_len || out->name_len > NAME_MAX_LEN)
		return false;
	at = blanks(text, to, end);
	if (out->kind == SAMPLE_MODULE) {
		to = word(text, at, end);
		out->build = text + at;
		out->build_len = (u32)(to - at);
		return out->build_len && out->build_len <= NAME_MAX_LEN &&
		       blanks(text, to, end) == end;
	}
	run = out->kind == SAMPLE_RUN;
	if ((run && !address(text, &at, end, &out->start)) ||
	    !address(text, &at, end, &out->addr) || (run && !address(text, &at, end, &out->to)))
		return false;
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

bool samples_read(const char *text, u64 size,
                  void (*take)(void *ctx, const struct sample_line *line), void *ctx, u32 *line)
{
	struct sample_line sample;
	bool wrong = false;
	u64 pos = 0;
	u32 at = 0;

	while (samples_next(text, size, &pos, &at, &sample, &wrong))
		;
	if (wrong) {
		*line = at;
		return false;
	}
	for (pos = 0, at = 0; samples_next(text, size, &pos, &at, &sample, &wrong);)
		take(ctx, &sample);
	return true;
}

/* ---- writing ---- */

static u32 put_hex(char *out, u64 value)
{
	char text[24];
	u32 n = 0, at = 0;

	do
		text[n++] = "0123456789abcdef"[value % 16];
	while (value /= 16);
	while (n > 0)
		out[at++] = text[--n];
	return at;
}

/* Beside it, and of this process alone. */
static void fresh_name(const struct sample_file *file, char *out)
{
	u32 n = 0;

	for (; n < OPTION_PATH_MAX && file->name[n]; n++)
		out[n] = file->name[n];
	out[n++] = '~';
	n += put_hex(out + n, (u64)world->host_pid);
	out[n++] = '-';
	n += put_hex(out + n, world->start_ns);
	out[n] = 0;
}

static long unlink_at(int folder, const char *name)
{
	return sys6(SYS_unlinkat, folder, (long)name, 0, 0, 0, 0);
}

bool samples_create(struct sample_file *file, int folder, const char *name, int mode)
{
	char fresh[OPTION_PATH_MAX + FRESH_ROOM];
	long fd;

	file->folder = folder;
	file->name = name;
	fresh_name(file, fresh);
	unlink_at(folder, fresh);
	fd = sys6(SYS_openat, folder, (long)fresh,
	          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode, 0, 0);
	file->fd = (int)fd;
	file->error = sys_failed(fd) ? (u32)-fd : 0;
	file->used = 0;
	return !file->error;
}

static void flush(struct sample_file *file)
{
	for (u32 done = 0; done < file->used && !file->error;) {
		long n = sys_write(file->fd, file->buffer + done, file->used - done);

		if (n > 0)
			done += (u32)n;
		else
			file->error = n < 0 ? (u32)-n : ENOSPC;
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
	while (*text)
		file->buffer[file->used++] = *text++;
}

char samples_letter(char letter)
{
	return (u8)letter <= ' ' || letter == '#' ? '_' : letter;
}

static void put_name(struct sample_file *file, const char *text)
{
	for (; *text; text++)
		file->buffer[file->used++] = samples_letter(*text);
}

static void put_address(struct sample_file *file, u64 addr)
{
	put_text(file, " 0x");
	put_number(file, addr, 16);
}

/* False: such a module has no line. */
static bool begin_line(struct sample_file *file, const char *word, const char *name)
{
	u32 len = 0;

	while (name[len])
		len++;
	if (!len || len > NAME_MAX_LEN)
		return false;
	if (file->used + LINE_ROOM > sizeof(file->buffer))
		flush(file);
	put_text(file, word);
	file->buffer[file->used++] = ' ';
	put_name(file, name);
	return true;
}

static void end_line(struct sample_file *file, u32 n)
{
	file->buffer[file->used++] = ' ';
	put_number(file, n, 10);
	file->buffer[file->used++] = '\n';
}

void samples_put_ran(struct sample_file *file, const char *line, u32 size)
{
	if (file->used + size > sizeof(file->buffer))
		flush(file);
	memcpy(file->buffer + file->used, line, size);
	file->used += size;
}

void samples_put_module(struct sample_file *file, const char *name, const char *build)
{
	if (!begin_line(file, "module", name))
		return;
	file->buffer[file->used++] = ' ';
	put_name(file, build);
	file->buffer[file->used++] = '\n';
}

void samples_put(struct sample_file *file, const char *name, u64 addr, u32 n)
{
	if (!begin_line(file, "samples", name))
		return;
	put_address(file, addr);
	end_line(file, n);
}

void samples_put_run(struct sample_file *file, const char *name, u64 start, u64 last, u64 to, u32 n)
{
	if (!begin_line(file, "run", name))
		return;
	put_address(file, start);
	put_address(file, last);
	put_address(file, to);
	end_line(file, n);
}

void samples_close(struct sample_file *file)
{
	char fresh[OPTION_PATH_MAX + FRESH_ROOM];
	long result = 0;

	fresh_name(file, fresh);
	flush(file);
	sys_close(file->fd);
	if (!file->error)
		result = sys6(SYS_renameat, file->folder, (long)fresh, file->folder,
		              (long)file->name, 0, 0);
	if (sys_failed(result))
		file->error = (u32)-result;
	if (file->error)
		unlink_at(file->folder, fresh);
}
