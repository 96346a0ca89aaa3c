/* SPDX-License-Identifier: MIT */
/*
 * request.h - what a command line asks for.
 *
 * request_scan() reads the arguments once, marks those that are ours as dropped,
 * and says what the rest means for us. Nothing is decided here: plan.c decides.
 * Clang's rules apply: the last of two contrary flags wins, a value is never
 * taken for a flag, `--` ends the flags.
 */
#ifndef DYNOPT_DRIVER_REQUEST_H
#define DYNOPT_DRIVER_REQUEST_H

#include "args.h"

enum wanted {
	WANTED_NO,
	WANTED_BY_DEFAULT, /* DYNOPT_CC_DEFAULT: leave quietly what cannot be done */
	WANTED_BY_FLAG,    /* say what cannot be done */
};

#define BITS_X32 320

/* In the order in which they win. */
enum last_phase {
	PHASE_LINK,
	PHASE_COMPILE, /* -c, -S */
	PHASE_EARLIER, /* -E, -M, -fsyntax-only, --precompile, ... */
};

enum input {
	INPUT_SOURCE, /* C family: marks, slots, notes */
	INPUT_IR,
	INPUT_ASSEMBLER,
	INPUT_HEADER,
	INPUT_OTHER, /* objects, archives, languages we leave alone */
	N_INPUTS
};

struct request {
	enum wanted wanted;
	unsigned int budget_permyriad;
	unsigned int cache_permyriad;
	bool report;
	bool disable_object;
	bool runtime;
	bool help, identity;
	const char *idle; /* a flag of ours that means nothing without -fdynopt-jumpstations */
	bool refused;     /* -fno-dynopt-jumpstations was said: idle flags are no mistake */

	enum last_phase phase;
	unsigned int inputs[N_INPUTS];
	bool dash_S, emit_llvm, save_temps, external_as, quiet;
	bool lto, thin_backend; /* thin_backend: -fthinlto-index=, machine code comes out */
	const char *language;   /* -x */
	const char *target;     /* --target= */
	int bits;               /* the last of -m16 -m32 -m64 -mx32 */
	const char *aligned;    /* flag that aligns branches: the streamer cannot */
	bool cl_mode;

	const char *fuse_ld; /* value of -fuse-ld=, NULL or "" if none */
	const char *ld_path; /* value of --ld-path= */
	struct strings prefixes; /* -B */
	bool own_script, relocatable, archive;
	bool shared; /* no program is linked */
	const char *fixed; /* flag that leaves no dynamic loader */
	const char *config_file, *config_user_dir, *config_system_dir;
	bool no_default_config;
};

/* Adds what `args` say to what `r` already holds. */
void request_scan(struct request *r, struct args *args);

#endif
