/* SPDX-License-Identifier: MIT */
/*
 * oracle_forms.h - instruction encodings, one by one: every opcode of every map with every
 * mandatory prefix and width, its registers and immediates drawn at random. Most are not
 * instructions; the decoder says which are.
 */
#ifndef DYNOPT_TESTS_ORACLE_FORMS_H
#define DYNOPT_TESTS_ORACLE_FORMS_H

#include <stdbool.h>
#include <stdint.h>

#define FORM_SIZE 15

uint64_t oracle_random(uint64_t *seed);
/* How many there are; `legacy_only` leaves VEX and EVEX out. */
uint32_t oracle_n_forms(bool legacy_only);
/* Bytes of the form with this number; what follows the instruction is random. */
void oracle_form(uint32_t number, uint64_t *seed, uint8_t bytes[FORM_SIZE]);

#endif
