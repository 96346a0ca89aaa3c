/* SPDX-License-Identifier: MIT */
/*
 * ir_print.h - what dynopt-ir prints: instructions with all that decode knows, trees, code.
 *
 * Lines are stable: tests/golden compares them.
 */
#ifndef DYNOPT_TESTS_IR_PRINT_H
#define DYNOPT_TESTS_IR_PRINT_H

#include "code.h"
#include "ir.h"

void print_insn(const struct insn *insn);
/* False if there is no memory for the text. */
bool print_tree(const struct ir_tree *tree);
void print_code(const struct code *code);
/* Names of the passes, in order. */
extern const char *const pass_names[PASS_N];
/* What each pass did that did something, and the instructions executed for an entry. */
void print_stats(const struct code *code);
/* "refused at 0x1000: TRACE_PATH: a block does not follow from its parent (block 1)" */
void print_failure(const struct failure *failure);

#endif
