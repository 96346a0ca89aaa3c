/* SPDX-License-Identifier: MIT */
/*
 * options.h - what the command line asked for, and how it reaches every pass.
 *
 * Compiling: the front-end plugin parses -fplugin-arg-dynopt-NAME=VALUE into one
 * struct options and publishes its address under a name in LLVM's symbol table of
 * the process (options_publish), where the pass plugin, another shared object,
 * finds it (options_published). Linking with LTO: there is no front end; what was
 * asked for travels in the module (module.c). The pass never reads the environment.
 *
 * Invariant: a published struct is not changed after the front end has parsed its
 * arguments, except late_runs, which only the thread that compiles touches.
 */
#ifndef DYNOPT_OPTIONS_H
#define DYNOPT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* When the native code of this compilation is made. */
enum options_phase {
	PHASE_COMPILE, /* now */
	PHASE_PRELINK, /* by the linker: only bitcode leaves this process (-flto) */
	PHASE_FAT,     /* both (-ffat-lto-objects): bitcode first, then native code */
};

#define OPTIONS_HASH_MAX 80

struct options {
	uint32_t size; /* of this struct: the two plugins may be of different builds */
	uint32_t phase;
	uint32_t budget;       /* text growth allowed, 1/100 percent */
	uint32_t cache;        /* code cache share of the text, 1/100 percent */
	uint32_t object_flags; /* DYNOPT_OBJECT_..., FACTS_REPORT */
	uint32_t late_runs;    /* how often the late pass has run */
	char hash[OPTIONS_HASH_MAX]; /* content hash of the plugins, by the driver */
};

/* Defaults. */
void options_init(struct options *options);

/*
 * One `name=value` argument. On failure false, with one line in why[why_size]
 * that names the argument and what it may be.
 */
bool options_parse(struct options *options, const char *argument, char *why, size_t why_size);

/* Makes `options` visible to options_published() in this process; it must live for ever. */
void options_publish(struct options *options);

/* What the front end of this process published; NULL in a linker or for IR input. */
struct options *options_published(void);

#ifdef __cplusplus
}
#endif

#endif
