/* SPDX-License-Identifier: MIT */
/*
 * samples.c - see samples.h; without libc, for the agent.
 */
#include "samples.h"

#include "sys.h"

#include <fcntl.h>
#include <sys/mman.h>

#define NAME_MAX_LEN 255
#define LINE_ROOM (NAME_MAX_LEN + 96)

static const char keyword[] = "samples", run_keyword[] = "run";

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

static bool parse(const char *text, u64 at, u64 end, struct sample_line *out)
{
	u64 to = word(text, at, end), n;

	*out = (struct sample_line){ 0 };
	out->is_run = is_word(text, at, to, run_keyword, sizeof(run_keyword) - 1);
	if (!out->is_run && !is_word(text, at, to, keyword, sizeof(keyword) - 1))
		return false;
	at = blanks(text, to, end);
	to = word(text, at, end);
	out->name = text + at;
	out->name_len = (u32)(to - at);
	at = blanks(text, to, end);
	if (!out->name_len || out->name_len > NAME_MAX_LEN ||
	    (out->is_run && !address(text, &at, end, &out->start)) ||
	    !address(text, &at, end, &out->addr) ||
	    (out->is_run && !address(text, &at, end, &out->to)))
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
	while (*text)
		file->buffer[file->used++] = *text++;
}

/* As one word. */
static void put_name(struct sample_file *file, const char *text)
{
	for (; *text; text++) {
		bool odd = (u8)*text <= ' ' || *text == '#';

		file->buffer[file->used++] = odd ? '_' : *text;
	}
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

void samples_put(struct sample_file *file, const char *name, u64 addr, u32 n)
{
	if (!begin_line(file, keyword, name))
		return;
	put_address(file, addr);
	end_line(file, n);
}

void samples_put_run(struct sample_file *file, const char *name, u64 start, u64 last, u64 to, u32 n)
{
	if (!begin_line(file, run_keyword, name))
		return;
	put_address(file, start);
	put_address(file, last);
	put_address(file, to);
	end_line(file, n);
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
