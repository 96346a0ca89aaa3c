/* SPDX-License-Identifier: MIT */
/*
 * symbols.h - names of functions, for other tools' eyes; nothing that is translated depends on them.
 */
#ifndef DYNOPT_SYMBOLS_H
#define DYNOPT_SYMBOLS_H

#include "port.h"

#define SYMBOL_NAME_MAX 256

/*
 * The name of the function symbol of an ELF file's bytes[0..size) that holds the link-time address, and how far into it that is. False: none does,
 * or the file is damaged.
 */
bool symbol_of(const u8 *bytes, u64 size, u64 addr, char name[SYMBOL_NAME_MAX], u64 *offset);

#endif
