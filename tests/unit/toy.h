/* SPDX-License-Identifier: MIT */
/*
 * toy.h - a decoder for the few instructions that test programs are made of, independent of the engine's.
 *
 * Plain: 1 to 10 bytes, with and without a RIP displacement; all direct branches with any prefixes; calls, returns,
 * indirect jumps, one of them through a table (.target, and its field at .rip_at), syscall, int3. Of `struct insn` it fills what encoder and model look at.
 */
#ifndef DYNOPT_TESTS_TOY_H
#define DYNOPT_TESTS_TOY_H

#include "decode.h"

/* Decodes at bytes[0..size); false if it is none of them or cut. */
bool toy_decode(const u8 *bytes, u64 size, u64 addr, struct insn *out);

/* Two hexadecimal digits a byte, blanks between them; returns how many bytes. */
u32 toy_hex(const char *hex, u8 *bytes, u32 max);

#endif
