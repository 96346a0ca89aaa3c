/* SPDX-License-Identifier: MIT */
/*
 * fault.c - see fault.h.
 */
#include "fault.h"

#include "decode.h"

#include <signal.h>

#define RSP 4
#define STACK_AHEAD (2u << 20) /* what is owed to the stack is paid elsewhere (docs/engine.md) */
#define CANONICAL_BITS 47

enum answer { NO, YES, UNKNOWN };

static bool is_canonical(u64 addr)
{
	return !(addr >> CANONICAL_BITS);
}

static u64 address_of(const struct insn *insn, const struct insn_mem *mem, const u64 gpr[16])
{
	u64 sum = (u64)mem->disp;

	if (mem->base == MEM_NO_REG && mem->index == MEM_NO_REG && (insn->flags & INSN_RIP))
		sum = insn->target;
	if (mem->base != MEM_NO_REG)
		sum += gpr[mem->base];
	if (mem->index != MEM_NO_REG)
		sum += gpr[mem->index] * mem->scale;
	return sum;
}

/* Does the instruction access memory so that it faults as that? */
static enum answer accesses(const struct insn *insn, const u64 gpr[16], const struct fault *fault)
{
	enum answer answer = NO;

	if (insn->flags & (INSN_OPAQUE | INSN_REP))
		return UNKNOWN;
	for (u32 i = 0; i < insn->n_mem; i++) {
		const struct insn_mem *mem = &insn->mem[i];
		u64 addr = address_of(insn, mem, gpr);

		if (!mem->load && !mem->store)
			continue;
		if (mem->segment || !mem->size)
			answer = UNKNOWN;
		else if (fault->page ? fault->addr - addr < mem->size
		                     : !is_canonical(addr) || !is_canonical(addr + mem->size - 1))
			return YES;
	}
	return answer;
}

static bool is_near(u64 a, u64 b)
{
	return a - b < STACK_AHEAD || b - a < STACK_AHEAD;
}

static bool is_vector(const struct insn *insn)
{
	return insn->use.vec || insn->def.vec || insn->use.mask || insn->def.mask ||
	       ((insn->use.other | insn->def.other) & REGS_X87) || (insn->flags & INSN_FLOAT);
}

static bool is_division(const struct insn *insn)
{
	const u8 *op = insn->bytes + insn->opcode_at;

	return !is_vector(insn) && (op[0] & 0xfe) == 0xf6 && (op[1] >> 3 & 7) >= 6;
}

bool fault_is_ours(const struct fault *fault, const u8 *here, u64 n_here, const u8 *original,
                   u64 n_original, void *scratch)
{
	struct failure fail;
	struct insn made, was;
	bool decoded;

	if (decode_insn(original, n_original, fault->origin, scratch, &was, &fail) ||
	    (was.flags & INSN_OPAQUE) || was.role == ROLE_TRAP || was.role == ROLE_SYSCALL)
		return false;
	decoded = !decode_insn(here, n_here, fault->at, scratch, &made, &fail);
	if (fault->sig == SIGILL)
		return (!decoded || made.role == ROLE_TRAP) && !is_vector(&was);
	if (!decoded)
		return false;
	if (fault->sig == SIGFPE)
		return is_division(&made) && !is_division(&was) && !is_vector(&was);
	if (fault->page &&
	    (is_near(fault->addr, fault->gpr[RSP]) || is_near(fault->addr, fault->gpr_at[RSP])))
		return false;
	if (!fault->page && (!fault->general || is_vector(&was))) /* they want alignment */
		return false;
	return accesses(&made, fault->gpr_at, fault) == YES &&
	       accesses(&was, fault->gpr, fault) == NO;
}
