/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * decode_effects.c - definitions and uses of one instruction.
 *
 * The decoder library lists operands with their actions and the flags an instruction touches;
 * decode_effects.def and the functions below add what the manuals say beyond that. Errors may
 * only go one way: `use` and `def` may name too much, `full` too little. Invariant (the oracle
 * test executes it): what is not in `use` has no influence, what is not in `def` keeps its value,
 * what is in `full` and not in `use` does not depend on its old value.
 */
#include "decode_private.h"

enum effect {
	FX_FENCE = 1 << 0,
	FX_MXCSR = 1 << 1,
	FX_KEEPS = 1 << 2,
	FX_X87 = 1 << 3,
	FX_UPPER = 1 << 4,
	FX_ZERO_VECTORS = 1 << 5,
	FX_ZERO_IDIOM = 1 << 6,
	FX_ALL_ONES = 1 << 7,
	FX_RSI = 1 << 8,
	FX_RDI = 1 << 9,
	FX_DIVIDE = 1 << 10,
	FX_UNKNOWN_SIZE = 1 << 11,
	FX_ZERO_CARRY = 1 << 12,
};

#define FLAG_ALL (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_DF | FLAG_OF)
#define GPR_SP 4
#define GPR_SI 6
#define GPR_DI 7
#define VEC_LOW 0xffffu /* zmm0 to zmm15, which VEX can name */
#define COUNT_UNKNOWN 0xff

static u32 effects_of(const ZydisDecodedInstruction *insn)
{
	switch (insn->mnemonic) {
#define X(name, effects) \
	case ZYDIS_MNEMONIC_##name: \
		return FX_##effects;
#include "decode_effects.def"
#undef X
	default:
		return 0;
	}
}

/* One register as the sets of decode.h name it. */
struct reg_place {
	u32 vec;
	u16 gpr;
	u8 mask, other;
	u16 bits; /* gpr: width */
};

static bool in_range(ZydisRegister reg, ZydisRegister first, ZydisRegister last)
{
	return reg >= first && reg <= last;
}

static struct reg_place gpr_place(u32 number, u16 bits)
{
	struct reg_place place = { .gpr = (u16)(1u << number), .bits = bits };

	return place;
}

static struct reg_place reg_place(ZydisRegister reg)
{
	struct reg_place place = { 0 };

	if (in_range(reg, ZYDIS_REGISTER_AL, ZYDIS_REGISTER_BL))
		return gpr_place(reg - ZYDIS_REGISTER_AL, 8);
	if (in_range(reg, ZYDIS_REGISTER_AH, ZYDIS_REGISTER_BH))
		return gpr_place(reg - ZYDIS_REGISTER_AH, 8);
	if (in_range(reg, ZYDIS_REGISTER_SPL, ZYDIS_REGISTER_R15B))
		return gpr_place(reg - ZYDIS_REGISTER_SPL + GPR_SP, 8);
	if (in_range(reg, ZYDIS_REGISTER_AX, ZYDIS_REGISTER_R15W))
		return gpr_place(reg - ZYDIS_REGISTER_AX, 16);
	if (in_range(reg, ZYDIS_REGISTER_EAX, ZYDIS_REGISTER_R15D))
		return gpr_place(reg - ZYDIS_REGISTER_EAX, 32);
	if (in_range(reg, ZYDIS_REGISTER_RAX, ZYDIS_REGISTER_R15))
		return gpr_place(reg - ZYDIS_REGISTER_RAX, 64);
	if (in_range(reg, ZYDIS_REGISTER_XMM0, ZYDIS_REGISTER_XMM31))
		place.vec = 1u << (reg - ZYDIS_REGISTER_XMM0);
	else if (in_range(reg, ZYDIS_REGISTER_YMM0, ZYDIS_REGISTER_YMM31))
		place.vec = 1u << (reg - ZYDIS_REGISTER_YMM0);
	else if (in_range(reg, ZYDIS_REGISTER_ZMM0, ZYDIS_REGISTER_ZMM31))
		place.vec = 1u << (reg - ZYDIS_REGISTER_ZMM0);
	else if (in_range(reg, ZYDIS_REGISTER_K0, ZYDIS_REGISTER_K7))
		place.mask = (u8)(1u << (reg - ZYDIS_REGISTER_K0));
	else if (in_range(reg, ZYDIS_REGISTER_ST0, ZYDIS_REGISTER_MM7))
		place.other = REGS_X87;
	else if (reg == ZYDIS_REGISTER_MXCSR)
		place.other = REGS_MXCSR;
	else if (reg == ZYDIS_REGISTER_PKRU)
		place.other = REGS_PKRU;
	return place;
}

static void set_add(struct reg_set *set, const struct reg_place *place)
{
	set->vec |= place->vec;
	set->gpr |= place->gpr;
	set->mask |= place->mask;
	set->other |= place->other;
}

static bool is_segment(ZydisRegister reg)
{
	return in_range(reg, ZYDIS_REGISTER_ES, ZYDIS_REGISTER_GS);
}

static u8 gpr_number(ZydisRegister reg)
{
	if (in_range(reg, ZYDIS_REGISTER_RAX, ZYDIS_REGISTER_R15))
		return reg - ZYDIS_REGISTER_RAX;
	if (in_range(reg, ZYDIS_REGISTER_EAX, ZYDIS_REGISTER_R15D))
		return reg - ZYDIS_REGISTER_EAX;
	return MEM_NO_REG;
}

/* EVEX destinations under a merging mask keep what the mask leaves out. */
static bool merges(const ZydisDecodedInstruction *insn)
{
	return insn->avx.mask.mode == ZYDIS_MASK_MODE_MERGING &&
	       insn->avx.mask.reg != ZYDIS_REGISTER_K0 && insn->avx.mask.reg != ZYDIS_REGISTER_NONE;
}

/*
 * Are all bits replaced by a write of this operand? Legacy SSE keeps the upper parts of vector
 * registers; under a merging mask the library calls the write conditional.
 */
static bool writes_all(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operand,
                       const struct reg_place *place, u32 effects)
{
	if (effects & FX_KEEPS)
		return false;
	if (insn->meta.category == ZYDIS_CATEGORY_CMOV)
		return place->bits >= 32;
	if (!(operand->actions & ZYDIS_OPERAND_ACTION_WRITE))
		return false;
	if (place->vec)
		return insn->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX ||
		       insn->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX;
	if (place->other)
		return place->other == REGS_MXCSR;
	return place->mask || place->bits >= 32;
}

static void add_register(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operand,
                         u32 effects, struct insn *out)
{
	struct reg_place place = reg_place(operand->reg.value);

	if (operand->encoding == ZYDIS_OPERAND_ENCODING_MASK &&
	    operand->reg.value == ZYDIS_REGISTER_K0)
		return; /* k0 as a write mask stands for none */
	if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ) {
		set_add(&out->use, &place);
		out->gpr_values |= place.gpr;
	}
	if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) {
		set_add(&out->def, &place);
		if (writes_all(insn, operand, &place, effects)) {
			set_add(&out->full, &place);
		} else {
			set_add(&out->use, &place);
			out->gpr_values |= place.gpr;
		}
	}
	if (operand->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN && place.gpr == 1u << GPR_SP)
		out->flags |= INSN_STACK;
}

static void use_address_register(struct insn *out, ZydisRegister reg)
{
	struct reg_place place = reg_place(reg);

	set_add(&out->use, &place);
}

/*
 * A hidden operand of the stack pointer: pushes write below it, and pops move it before they form
 * an address.
 */
static s64 stack_bias(const struct insn *insn, const ZydisDecodedOperand *operand)
{
	bool hidden = operand->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;

	if (operand->mem.base != ZYDIS_REGISTER_RSP)
		return 0;
	if (hidden && (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
		return -(s64)(operand->size / 8);
	if (!hidden && insn->mnemonic == ZYDIS_MNEMONIC_POP)
		return operand->size / 8;
	return 0;
}

/* bt m, r and its kin select a word far from the operand's by the register. */
static bool is_bit_string(const struct decode_scratch *decoded)
{
	switch (decoded->insn.mnemonic) {
	case ZYDIS_MNEMONIC_BT:
	case ZYDIS_MNEMONIC_BTC:
	case ZYDIS_MNEMONIC_BTR:
	case ZYDIS_MNEMONIC_BTS:
		return decoded->operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER;
	default:
		return false;
	}
}

static u16 access_size(const struct decode_scratch *decoded, const ZydisDecodedOperand *operand,
                       u32 effects)
{
	if (operand->mem.type != ZYDIS_MEMOP_TYPE_MEM || (effects & FX_UNKNOWN_SIZE) ||
	    decoded->insn.address_width != 64 || is_bit_string(decoded) ||
	    (decoded->insn.attributes &
	     (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE)))
		return 0;
	return operand->size / 8;
}

static enum status add_memory(const struct decode_scratch *decoded,
                              const ZydisDecodedOperand *operand, u32 effects, struct insn *out,
                              struct failure *fail)
{
	ZydisRegister segment = operand->mem.segment;
	struct insn_mem *mem = &out->mem[out->n_mem];

	if (operand->mem.base == ZYDIS_REGISTER_EIP)
		return failed(fail, STATUS_DECODE_ADDR32, out->addr, out->mnemonic);
	if (out->n_mem == sizeof(out->mem) / sizeof(out->mem[0]))
		return failed(fail, STATUS_DECODE_UNKNOWN, out->addr, out->mnemonic);
	out->n_mem++;
	mem->base = gpr_number(operand->mem.base);
	mem->index = gpr_number(operand->mem.index);
	mem->scale = mem->index == MEM_NO_REG ? 0 : operand->mem.scale;
	mem->disp = operand->mem.disp.value + stack_bias(out, operand);
	use_address_register(out, operand->mem.base);
	use_address_register(out, operand->mem.index);
	if (operand->mem.base == ZYDIS_REGISTER_RIP) {
		out->flags |= INSN_RIP;
		out->rip_at = decoded->insn.raw.disp.offset;
		out->target = out->addr + out->len + (u64)operand->mem.disp.value;
	}
	if (operand->mem.type == ZYDIS_MEMOP_TYPE_AGEN)
		return STATUS_OK;
	if (segment == ZYDIS_REGISTER_FS || segment == ZYDIS_REGISTER_GS) {
		mem->segment = segment == ZYDIS_REGISTER_FS ? 'f' : 'g';
		out->use.other |= REGS_FSGS;
	}
	if (decoded->insn.meta.category == ZYDIS_CATEGORY_PREFETCH ||
	    decoded->insn.meta.category == ZYDIS_CATEGORY_PREFETCHWT1 ||
	    decoded->insn.meta.category == ZYDIS_CATEGORY_CLDEMOTE)
		return STATUS_OK;
	mem->load = operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ;
	mem->store = operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
	mem->size = access_size(decoded, operand, effects);
	out->flags |= INSN_FAULTS | (mem->load ? INSN_LOAD : 0) | (mem->store ? INSN_STORE : 0);
	return STATUS_OK;
}

/* Explicit operands first, as decode.h promises. */
static enum status add_operands(const struct decode_scratch *decoded, u32 effects, struct insn *out,
                                struct failure *fail)
{
	enum status status;

	for (u32 i = 0; i < decoded->insn.operand_count; i++) {
		const ZydisDecodedOperand *operand = &decoded->operands[i];

		if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY) {
			status = add_memory(decoded, operand, effects, out, fail);
			if (status)
				return status;
			continue;
		}
		if (operand->type != ZYDIS_OPERAND_TYPE_REGISTER)
			continue;
		if (is_segment(operand->reg.value) && out->role == ROLE_PLAIN) {
			if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
				return failed(fail, STATUS_DECODE_SYSTEM, out->addr, out->mnemonic);
			out->flags |= INSN_OPAQUE;
		}
		add_register(&decoded->insn, operand, effects, out);
	}
	return STATUS_OK;
}

/* The count of a shift or rotate as the processor masks it; COUNT_UNKNOWN if it is in cl. */
static u32 shift_count(const struct decode_scratch *decoded, u32 operand)
{
	const ZydisDecodedOperand *count = &decoded->operands[operand];

	if (count->type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return COUNT_UNKNOWN;
	return count->imm.value.u & (decoded->operands[0].size == 64 ? 63 : 31);
}

/*
 * Shifts by 0 touch no flag, by 1 they define OF, by more they leave it undefined; CF is
 * undefined where all bits left the operand, and a double shift of 16 bits by more leaves
 * everything undefined (SDM 2B, SAL/SAR/SHL/SHR, SHLD). By cl all of it is possible: nothing is
 * undefined always, and any flag may stay as it was.
 */
static void adjust_shift_flags(const struct decode_scratch *decoded, struct insn *out)
{
	bool doubled = out->mnemonic == ZYDIS_MNEMONIC_SHLD || out->mnemonic == ZYDIS_MNEMONIC_SHRD;
	bool logical = out->mnemonic == ZYDIS_MNEMONIC_SHL || out->mnemonic == ZYDIS_MNEMONIC_SHR;
	u32 count = shift_count(decoded, doubled ? 2 : 1);
	u32 bits = decoded->operands[0].size;

	if (count == 0)
		out->flags_def = out->flags_undef = out->flags_use = 0;
	else if (count == 1)
		out->flags_undef &= ~FLAG_OF;
	else if (count == COUNT_UNKNOWN)
		out->flags_undef = 0;
	else if (logical && count >= bits)
		out->flags_undef |= FLAG_CF;
	else if (doubled && count > bits)
		out->flags_undef = out->flags_def;
	if (count == COUNT_UNKNOWN)
		out->flags_use |= out->flags_def;
}

static void add_flags(const struct decode_scratch *decoded, struct insn *out)
{
	const ZydisAccessedFlags *flags = decoded->insn.cpu_flags;

	if (!flags)
		return;
	out->flags_use = flags->tested & FLAG_ALL;
	out->flags_undef = flags->undefined & FLAG_ALL;
	out->flags_def = (flags->modified | flags->set_0 | flags->set_1 | flags->undefined) &
	                 FLAG_ALL;
	switch (decoded->insn.mnemonic) {
	case ZYDIS_MNEMONIC_SHLD:
	case ZYDIS_MNEMONIC_SHRD:
	case ZYDIS_MNEMONIC_SHL:
	case ZYDIS_MNEMONIC_SHR:
	case ZYDIS_MNEMONIC_SAR:
	case ZYDIS_MNEMONIC_ROL:
	case ZYDIS_MNEMONIC_ROR:
	case ZYDIS_MNEMONIC_RCL:
	case ZYDIS_MNEMONIC_RCR:
		adjust_shift_flags(decoded, out);
		break;
	case ZYDIS_MNEMONIC_SBB: /* the library calls AF undefined, the manual does not */
		out->flags_undef = 0;
		break;
	case ZYDIS_MNEMONIC_BEXTR: /* likewise CF and OF, which are cleared */
		out->flags_undef &= ~(FLAG_CF | FLAG_OF);
		break;
	default:
		break;
	}
	if (out->flags & INSN_REP)
		out->flags_use |= out->flags_def; /* no repetition, no change */
}

/*
 * Exception classes of vector arithmetic: those that may raise SIMD floating-point exceptions
 * (SDM 2A, 2.4, 2.7).
 */
static bool is_vector_float(const ZydisDecodedInstruction *insn)
{
	switch (insn->meta.exception_class) {
	case ZYDIS_EXCEPTION_CLASS_SSE2:
	case ZYDIS_EXCEPTION_CLASS_SSE3:
	case ZYDIS_EXCEPTION_CLASS_AVX2:
	case ZYDIS_EXCEPTION_CLASS_AVX3:
	case ZYDIS_EXCEPTION_CLASS_AVX11:
	case ZYDIS_EXCEPTION_CLASS_E2:
	case ZYDIS_EXCEPTION_CLASS_E2NF:
	case ZYDIS_EXCEPTION_CLASS_E3:
	case ZYDIS_EXCEPTION_CLASS_E3NF:
	case ZYDIS_EXCEPTION_CLASS_E11:
	case ZYDIS_EXCEPTION_CLASS_E11NF:
		return true;
	default:
		return false;
	}
}

static void add_float(const ZydisDecodedInstruction *insn, u32 effects, struct insn *out)
{
	if ((effects & FX_MXCSR) || is_vector_float(insn)) {
		out->use.other |= REGS_MXCSR;
		out->def.other |= REGS_MXCSR;
		out->flags |= INSN_FAULTS;
	}
	if ((effects & FX_X87) || insn->meta.isa_ext == ZYDIS_ISA_EXT_X87 ||
	    insn->meta.category == ZYDIS_CATEGORY_X87_ALU ||
	    ((out->use.other | out->def.other) & REGS_X87)) {
		out->use.other |= REGS_X87;
		out->def.other |= REGS_X87;
		out->flags |= INSN_FAULTS;
	}
	if ((out->use.other | out->def.other) & (REGS_MXCSR | REGS_X87))
		out->flags |= INSN_FLOAT;
}

static void add_advance(u32 gpr, struct insn *out)
{
	out->use.gpr |= 1u << gpr;
	out->gpr_values |= 1u << gpr;
	out->def.gpr |= 1u << gpr;
	if (!(out->flags & INSN_REP))
		out->full.gpr |= 1u << gpr;
}

/*
 * xor r, r: the result is a constant, whatever r was. Partial and masked writes still keep the
 * rest.
 */
static void drop_idle_sources(const struct decode_scratch *decoded, u32 effects, struct insn *out)
{
	const ZydisDecodedOperand *operands = decoded->operands;
	u32 first = decoded->insn.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY ? 0 : 1;
	struct reg_place place;

	if (decoded->insn.encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX)
		first = 2;
	if (!(effects & (FX_ZERO_IDIOM | FX_ALL_ONES)) || merges(&decoded->insn) ||
	    ((effects & FX_ALL_ONES) &&
	     decoded->insn.encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX) ||
	    operands[first].type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    operands[first + 1].type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    operands[first].reg.value != operands[first + 1].reg.value)
		return;
	place = reg_place(operands[first].reg.value);
	if (place.gpr && place.bits < 32)
		return;
	out->use.gpr &= ~place.gpr;
	out->gpr_values &= ~place.gpr;
	out->use.vec &= ~place.vec;
}

static void add_special(const struct decode_scratch *decoded, u32 effects, struct insn *out)
{
	const ZydisDecodedInstruction *insn = &decoded->insn;

	if (effects & FX_FENCE)
		out->flags |= INSN_FENCE;
	if (effects & FX_ZERO_CARRY)
		out->flags_def = FLAG_ALL & ~FLAG_DF;
	if (effects & FX_DIVIDE)
		out->flags |= INSN_FAULTS;
	if (effects & (FX_UPPER | FX_ZERO_VECTORS))
		out->def.vec |= VEC_LOW;
	if (effects & FX_UPPER)
		out->use.vec |= VEC_LOW;
	if (effects & FX_ZERO_VECTORS)
		out->full.vec |= VEC_LOW;
	if (insn->meta.category == ZYDIS_CATEGORY_STRINGOP) {
		if (effects & FX_RSI)
			add_advance(GPR_SI, out);
		if (effects & FX_RDI)
			add_advance(GPR_DI, out);
	}
	if (insn->meta.category == ZYDIS_CATEGORY_CMOV) {
		out->use.gpr |= out->def.gpr;
		out->gpr_values |= out->def.gpr;
	}
	if ((insn->attributes & ZYDIS_ATTRIB_HAS_LOCK) ||
	    (insn->mnemonic == ZYDIS_MNEMONIC_XCHG && out->n_mem))
		out->flags |= INSN_LOCKED;
	drop_idle_sources(decoded, effects, out);
}

/* Nothing is known but that it is an exact copy: it may read and change everything. */
static void make_opaque(struct insn *out)
{
	static const struct reg_set all = { 0xffffffff, 0xffff, 0xff, 0xff };
	static const struct reg_set none;

	out->use = out->def = all;
	out->gpr_values = all.gpr;
	out->full = none;
	out->flags_use = out->flags_def = FLAG_ALL;
	out->flags_undef = 0;
	out->flags |= INSN_LOAD | INSN_STORE | INSN_FAULTS;
	for (u32 i = 0; i < out->n_mem; i++)
		out->mem[i].size = 0; /* an area's size may depend on processor state */
}

/* An executed NOP names operands, but neither reads nor computes with them. */
static void make_nop(struct insn *out)
{
	static const struct reg_set none;

	out->use = out->def = out->full = none;
	out->gpr_values = 0;
	out->flags = (out->flags & INSN_RIP) | INSN_NOP;
	out->n_mem = 0;
}

static bool is_nop(const ZydisDecodedInstruction *insn)
{
	return insn->mnemonic == ZYDIS_MNEMONIC_NOP || insn->mnemonic == ZYDIS_MNEMONIC_ENDBR64 ||
	       insn->mnemonic == ZYDIS_MNEMONIC_ENDBR32 ||
	       insn->meta.category == ZYDIS_CATEGORY_WIDENOP;
}

static bool has_rep(const ZydisDecodedInstruction *insn)
{
	return insn->meta.category == ZYDIS_CATEGORY_STRINGOP &&
	       (insn->attributes &
	        (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE));
}

enum status decode_effects(const struct decode_scratch *decoded, struct insn *out,
                           struct failure *fail)
{
	const ZydisDecodedInstruction *insn = &decoded->insn;
	u32 effects = effects_of(insn);
	enum status status;

	status = add_operands(decoded, effects, out, fail);
	if (status)
		return status;
	if (is_nop(insn)) {
		make_nop(out);
		if (insn->mnemonic == ZYDIS_MNEMONIC_ENDBR64)
			out->flags |= INSN_ENDBR;
		return STATUS_OK;
	}
	if (has_rep(insn))
		out->flags |= INSN_REP;
	add_flags(decoded, out);
	add_float(insn, effects, out);
	add_special(decoded, effects, out);
	if (out->role == ROLE_SYSCALL)
		out->flags |= INSN_OPAQUE;
	if (out->role == ROLE_TRAP)
		out->flags |= INSN_FAULTS;
	if (out->flags & INSN_OPAQUE)
		make_opaque(out);
	return STATUS_OK;
}
