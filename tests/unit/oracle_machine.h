/* SPDX-License-Identifier: MIT */
/*
 * oracle_machine.h - executes one instruction on a given state of all registers.
 *
 * oracle_in is loaded, the instruction in the slot executed, oracle_out stored. The caller's own
 * state is kept; an instruction that faults is reported, not died of. One thread only.
 */
#ifndef DYNOPT_TESTS_ORACLE_MACHINE_H
#define DYNOPT_TESTS_ORACLE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#define ORACLE_GPRS 16
#define ORACLE_VECS 32
#define ORACLE_VEC_SIZE 64
#define ORACLE_MASKS 8
#define ORACLE_FX_SIZE 512
#define ORACLE_MEM_SIZE 4096

/* Offsets are known to the assembly in oracle_machine.c. */
struct oracle_state {
	uint64_t gpr[ORACLE_GPRS]; /* in encoding order */
	uint64_t flags;
	uint64_t mxcsr;
	uint64_t mask[ORACLE_MASKS];
	uint8_t pad[48];
	uint8_t vec[ORACLE_VECS][ORACLE_VEC_SIZE];
	uint8_t fx[ORACLE_FX_SIZE]; /* FXSAVE64: x87, MMX; xmm where vectors are 128 bits wide */
} __attribute__((aligned(64)));

extern struct oracle_state oracle_in, oracle_out;
/*
 * Memory for operands, ORACLE_MEM_SIZE bytes between pages that fault; registers may point into
 * it. Not part of the state.
 */
extern uint8_t *oracle_mem;

/*
 * True if the processor has what 512-bit vectors and masks need; without, only legacy
 * instructions can be tested.
 */
bool oracle_init(void);
void oracle_set_insn(const uint8_t *bytes, unsigned len);
/* 0, or the signal. */
int oracle_run(void);

/* Of any number one that rsp may be while nothing uses it: an address, for where it is none, some hypervisors fault threads that are interrupted. */
static inline uint64_t oracle_rsp(uint64_t any)
{
	return any >> 17;
}

#endif
