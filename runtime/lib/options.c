/* SPDX-License-Identifier: MIT */
/*
 * options.c - reads `key=value` lines by the table in ../options.def. No libc: it is tested as it runs,
 * before anything of the program does.
 */
#include "options.h"

static void set_FLAG(u64 *field, u64 value)
{
	*field = value;
}

static void set_NUMBER(u64 *field, u64 value)
{
	*field = value;
}

static void set_PATH(char *field, const char *value)
{
	u64 n = 0;

	/* cppcheck-suppress arrayIndexOutOfBoundsCond ; "" ends the loop at once */
	while (n < OPTION_PATH_MAX - 1 && value[n])
		n++;
	memcpy(field, value, n);
	field[n] = 0;
}

static void defaults(struct options *out)
{
	memset(out, 0, sizeof(*out));
#define X(key, kind, default, text) set_##kind(SETTING(kind, out, key), default);
#define SETTING(kind, out, key) SETTING_##kind(out, key)
#define SETTING_FLAG(out, key) &(out)->key
#define SETTING_NUMBER(out, key) &(out)->key
#define SETTING_PATH(out, key) (out)->key
#include "../options.def"
#undef X
}

static bool number(const char *text, u64 n, u64 *value)
{
	u64 v = 0;

	if (n == 0 || n > 18)
		return false;
	for (u64 i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		v = v * 10 + (u64)(text[i] - '0');
	}
	*value = v;
	return true;
}

static bool flag(const char *text, u64 n, u64 *value)
{
	return number(text, n, value) && *value <= 1;
}

static bool path(const char *text, u64 n, char *value)
{
	if (n >= OPTION_PATH_MAX)
		return false;
	memcpy(value, text, n);
	value[n] = 0;
	return true;
}

static bool pair(struct options *out, const char *key, u64 n_key, const char *value, u64 n_value)
{
#define PARSE_FLAG(out, key) flag(value, n_value, &(out)->key)
#define PARSE_NUMBER(out, key) number(value, n_value, &(out)->key)
#define PARSE_PATH(out, key) path(value, n_value, (out)->key)
#define X(name, kind, default, text) \
	if (n_key == sizeof(#name) - 1 && memcmp(key, #name, n_key) == 0) \
		return PARSE_##kind(out, name);
#include "../options.def"
#undef X
	return false;
}

bool options_parse(const char *text, struct options *out)
{
	defaults(out);
	while (*text) {
		const char *key = text;
		u64 n_key = 0, n_value = 0;

		while (key[n_key] && key[n_key] != '=' && key[n_key] != '\n')
			n_key++;
		if (key[n_key] != '=') {
			defaults(out);
			return false;
		}
		while (key[n_key + 1 + n_value] && key[n_key + 1 + n_value] != '\n')
			n_value++;
		if (!pair(out, key, n_key, key + n_key + 1, n_value)) {
			defaults(out);
			return false;
		}
		text = key + n_key + 1 + n_value;
		if (*text == '\n')
			text++;
	}
	return true;
}
