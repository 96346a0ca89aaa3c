/* SPDX-License-Identifier: MIT */
/*
 * exclude.h - instructions that a run cannot be compared with another by: their results are not the same
 * twice (time, random numbers, which CPU), or show where the code stands (the x87 instruction pointer), or take
 * control of the CPU's state away from the fuzzer (flags with the trap bit, protection keys).
 */
#ifndef DYNOPT_FUZZ_EXCLUDE_H
#define DYNOPT_FUZZ_EXCLUDE_H

#include "port.h"

bool exclude_mnemonic(u16 mnemonic);

#endif
