/* SPDX-License-Identifier: MIT */
/*
 * options.h - DYNOPT_OPTIONS (../options.def), parsed.
 */
#ifndef DYNOPT_OPTIONS_H
#define DYNOPT_OPTIONS_H

#include "port.h"

#define OPTION_PATH_MAX 1024

enum option_kind { OPTION_FLAG, OPTION_NUMBER, OPTION_PATH };

struct options {
#define OPTION_FIELD_FLAG(key) u64 key;
#define OPTION_FIELD_NUMBER(key) u64 key;
#define OPTION_FIELD_PATH(key) char key[OPTION_PATH_MAX];
#define X(key, kind, default, text) OPTION_FIELD_##kind(key)
#include "../options.def"
#undef X
};

/* Defaults, then the text's pairs. False if a key is unknown or a value malformed: *out is then all defaults. */
__must_check bool options_parse(const char *text, struct options *out);

#endif
