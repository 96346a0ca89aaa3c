/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * trace.h - a request: which basic blocks, in which shape, from which head.
 *
 * Made by whoever watches the program, trusted by nobody: a trace is a list of block starts, and
 * lift.c validates it from scratch against the module's text. Block 0 starts at the head; every
 * other block names an earlier one as its parent, from which one branch or fall-through leads to
 * it. So a trace is a tree: joins are copied, loops close by edges back to an ancestor.
 *
 * Text form (trace_text.c), one trace in a stanza, '#' to the end of a line is a comment:
 *
 *     trace MODULE 0x1a2c entries 70 MODULE: file name without folders; addresses: link-time
 *       block 0x1a2c
 *       block 0x1a40 after 0         parent's number; blocks are numbered from 0
 *       block 0x1a60 after 0 weight 120 branch 900
 *     end
 */
#ifndef DYNOPT_ENGINE_TRACE_H
#define DYNOPT_ENGINE_TRACE_H

#include "arena.h"
#include "engine_status.h"
#include "port.h"

#define TRACE_NO_PARENT 0xffffffffu

struct trace_block {
	u64 start;  /* module address */
	u32 parent; /* index of an earlier block; TRACE_NO_PARENT for block 0 */
	u32 weight; /* executions per 1,000 entries of the tree; 0: unknown */
	u32 branch; /* how many of 1,000 executions take the branch at its end, and 1; 0: unknown */
};

struct trace {
	const struct trace_block *blocks;
	u32 n_blocks;
	u32 entries; /* how often it is entered, beside others from the same source; 0: unknown */
};

/* A stanza of a text. */
struct trace_stanza {
	const char *module; /* in the text, not NUL-terminated */
	u32 module_len;
	u32 line; /* where it begins, from 1 */
	struct trace trace; /* blocks in the arena */
};

/*
 * Parses the next stanza of text[*pos..size) and moves *pos behind it; *line (from 0) counts
 * lines with it. STATUS_END if there is none, STATUS_TRACE_SYNTAX with the line,
 * STATUS_TRACE_BLOCKS, STATUS_WORKSPACE. Syntax only: what the blocks say is lift_trace()'s to
 * check.
 */
__must_check enum status trace_parse(const char *text, u64 size, u64 *pos, u32 *line,
                                     struct arena *arena, struct trace_stanza *out,
                                     struct failure *fail);
/*
 * Writes a stanza, NUL-terminated, at most `size` bytes; returns the length it needs without the
 * NUL. Blanks and '#' in the module's name become '_'.
 */
u64 trace_format(const struct trace *trace, const char *module, char *out, u64 size);

#endif
