/* SPDX-License-Identifier: MIT */
/* exclude.c - see exclude.h. Names are compared once for each mnemonic. */
#include <string.h>
#include "decode.h"
#include "exclude.h"

static const char *const excluded[] = {
	"cpuid",    "rdtsc",     "rdtscp", "rdpmc",    "rdpru",    "rdpid",      "rdrand",
	"rdseed",   "xgetbv",    "popf",   "popfd",    "popfq",    "xrstor",     "xrstor64",
	"fxrstor",  "fxrstor64", "wrpkru", "fnstenv",  "fnsave",   "fxsave",     "fxsave64",
	"xsave",    "xsave64",   "xsavec", "xsavec64", "xsaveopt", "xsaveopt64", "wrfsbase",
	"wrgsbase", "tpause",    "umwait", "umonitor", "monitorx", "mwaitx",
};

bool exclude_mnemonic(u16 mnemonic)
{
	static u8 known[4096]; /* 0: not asked yet, 1: no, 2: yes */

	if (mnemonic >= sizeof(known))
		return true;
	if (!known[mnemonic]) {
		known[mnemonic] = 1;
		for (u32 i = 0; i < sizeof(excluded) / sizeof(excluded[0]); i++) {
			if (!strcmp(excluded[i], insn_mnemonic(mnemonic)))
				known[mnemonic] = 2;
		}
	}
	return known[mnemonic] == 2;
}
