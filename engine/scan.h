/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * scan.h - reading and writing of the engine's text forms, word by word, over buffers.
 *
 * A text is lines of words; '#' starts a comment. A reader sees one line at a time and never runs
 * past its end; a writer counts what it would need even when the buffer is full.
 */
#ifndef DYNOPT_ENGINE_SCAN_H
#define DYNOPT_ENGINE_SCAN_H

#include "port.h"

struct scan {
	const char *at;  /* next unread character of the line */
	const char *end; /* of the line, without comment and newline */
	const char *next, *text_end;
	u32 line; /* of the current line, from 1 */
};

struct word {
	const char *at;
	u32 len; /* 0: the line has no more */
};

void scan_init(struct scan *scan, const char *text, u64 size);
/* Goes on to the next line that has a word; false at the end of the text. */
bool scan_line(struct scan *scan);
struct word scan_word(struct scan *scan);
bool word_is(struct word word, const char *text);
/* "0x1a2c" (up to 16 digits); false if the word is anything else. */
bool word_hex(struct word word, u64 *value);
/* "1234", below 2^32. */
bool word_decimal(struct word word, u32 *value);
/* "4883c001" into at most `max` bytes. */
bool word_bytes(struct word word, u8 *bytes, u32 max, u32 *n);

struct printer {
	char *out;
	u64 size; /* of out */
	u64 used; /* characters wanted so far, those that found no room included */
};

void print_text(struct printer *printer, const char *text);
void print_hex(struct printer *printer, u64 value); /* "0x1a2c" */
void print_decimal(struct printer *printer, u64 value);
void print_bytes(struct printer *printer, const u8 *bytes, u32 n);
void print_char(struct printer *printer, char c);
/* Blanks up to column `column` of a line that began at `line`. */
void print_to_column(struct printer *printer, u64 line, u32 column);
/* Ends the text with NUL and returns its length without. */
u64 print_end(struct printer *printer);

#endif
