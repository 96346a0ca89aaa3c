/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * scan.c - words and numbers of text forms.
 *
 * Invariant: at <= end <= next <= text_end. A number that does not fit is no number, and nothing is
 * written behind a printer's buffer.
 */
#include "scan.h"

#define HEX_DIGITS_MAX 16

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

void scan_init(struct scan *scan, const char *text, u64 size)
{
	scan->at = scan->end = scan->next = text;
	scan->text_end = text + size;
	scan->line = 0;
}

static void take_line(struct scan *scan)
{
	const char *p = scan->next;

	scan->at = p;
	while (p < scan->text_end && *p != '\n' && *p != '#')
		p++;
	scan->end = p;
	while (p < scan->text_end && *p != '\n')
		p++;
	scan->next = p < scan->text_end ? p + 1 : p;
	scan->line++;
}

bool scan_line(struct scan *scan)
{
	while (scan->next < scan->text_end) {
		take_line(scan);
		while (scan->at < scan->end && is_blank(*scan->at))
			scan->at++;
		if (scan->at < scan->end)
			return true;
	}
	return false;
}

struct word scan_word(struct scan *scan)
{
	struct word word;

	while (scan->at < scan->end && is_blank(*scan->at))
		scan->at++;
	word.at = scan->at;
	while (scan->at < scan->end && !is_blank(*scan->at))
		scan->at++;
	word.len = (u32)(scan->at - word.at);
	return word;
}

bool word_is(struct word word, const char *text)
{
	u32 i = 0;

	while (i < word.len && text[i] && text[i] == word.at[i])
		i++;
	return i == word.len && !text[i];
}

static bool hex_digit(char c, u8 *digit)
{
	if (c >= '0' && c <= '9')
		*digit = (u8)(c - '0');
	else if (c >= 'a' && c <= 'f')
		*digit = (u8)(c - 'a' + 10);
	else if (c >= 'A' && c <= 'F')
		*digit = (u8)(c - 'A' + 10);
	else
		return false;
	return true;
}

bool word_hex(struct word word, u64 *value)
{
	u64 v = 0;
	u8 digit;

	if (word.len < 3 || word.len > HEX_DIGITS_MAX + 2 || word.at[0] != '0' || word.at[1] != 'x')
		return false;
	for (u32 i = 2; i < word.len; i++) {
		if (!hex_digit(word.at[i], &digit))
			return false;
		v = v << 4 | digit;
	}
	*value = v;
	return true;
}

bool word_decimal(struct word word, u32 *value)
{
	u64 v = 0;

	if (!word.len)
		return false;
	for (u32 i = 0; i < word.len; i++) {
		if (word.at[i] < '0' || word.at[i] > '9')
			return false;
		v = v * 10 + (u64)(word.at[i] - '0');
		if (v > 0xffffffffu)
			return false;
	}
	*value = (u32)v;
	return true;
}

bool word_bytes(struct word word, u8 *bytes, u32 max, u32 *n)
{
	u8 high, low;

	if (!word.len || word.len % 2 || word.len / 2 > max)
		return false;
	for (u32 i = 0; i < word.len; i += 2) {
		if (!hex_digit(word.at[i], &high) || !hex_digit(word.at[i + 1], &low))
			return false;
		bytes[i / 2] = (u8)(high << 4 | low);
	}
	*n = word.len / 2;
	return true;
}

void print_char(struct printer *printer, char c)
{
	if (printer->used < printer->size)
		printer->out[printer->used] = c;
	printer->used++;
}

void print_text(struct printer *printer, const char *text)
{
	while (*text)
		print_char(printer, *text++);
}

static void print_digit(struct printer *printer, u32 digit)
{
	print_char(printer, "0123456789abcdef"[digit & 0xf]);
}

void print_hex(struct printer *printer, u64 value)
{
	u32 shift = 60;

	while (shift && !(value >> shift))
		shift -= 4;
	print_text(printer, "0x");
	for (;; shift -= 4) {
		print_digit(printer, value >> shift & 0xf);
		if (!shift)
			break;
	}
}

void print_decimal(struct printer *printer, u64 value)
{
	u64 unit = 1;

	while (value / unit >= 10)
		unit *= 10;
	for (; unit; unit /= 10)
		print_digit(printer, (u32)(value / unit % 10));
}

void print_bytes(struct printer *printer, const u8 *bytes, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		print_digit(printer, bytes[i] >> 4);
		print_digit(printer, bytes[i] & 0xf);
	}
}

void print_to_column(struct printer *printer, u64 line, u32 column)
{
	do {
		print_char(printer, ' ');
	} while (printer->used < line + column);
}

u64 print_end(struct printer *printer)
{
	if (printer->size)
		printer->out[printer->used < printer->size ? printer->used : printer->size - 1] =
			'\0';
	return printer->used;
}
