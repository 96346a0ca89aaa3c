/* SPDX-License-Identifier: MIT */
/*
 * ir_print.c - structs of the engine as lines of text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ir_print.h"
#include "cost.h"
#include "result.h"

static const char *const role_names[] = {
	[ROLE_PLAIN] = "plain",
	[ROLE_JMP] = "jmp",
	[ROLE_JCC] = "jcc",
	[ROLE_COUNT] = "count",
	[ROLE_CALL] = "call",
	[ROLE_CALL_INDIRECT] = "call-indirect",
	[ROLE_JMP_INDIRECT] = "jmp-indirect",
	[ROLE_RET] = "ret",
	[ROLE_SYSCALL] = "syscall",
	[ROLE_TRAP] = "trap",
	[ROLE_SYSTEM] = "system",
};

struct bit_name {
	u32 bit;
	const char *name;
};
static const struct bit_name property_names[] = {
	{ INSN_RIP, "rip" },       { INSN_LOAD, "load" },   { INSN_STORE, "store" },
	{ INSN_LOCKED, "locked" }, { INSN_FENCE, "fence" }, { INSN_NOP, "nop" },
	{ INSN_ENDBR, "endbr" },   { INSN_REP, "rep" },     { INSN_STACK, "stack" },
	{ INSN_FAULTS, "faults" }, { INSN_FLOAT, "float" }, { INSN_OPAQUE, "opaque" },
};
static const struct bit_name flag_names[] = {
	{ FLAG_CF, "cf" }, { FLAG_PF, "pf" }, { FLAG_AF, "af" }, { FLAG_ZF, "zf" },
	{ FLAG_SF, "sf" }, { FLAG_DF, "df" }, { FLAG_OF, "of" },
};
static const struct bit_name other_names[] = {
	{ REGS_X87, "x87" },
	{ REGS_MXCSR, "mxcsr" },
	{ REGS_FSGS, "fsgs" },
	{ REGS_PKRU, "pkru" },
};
static const char *const gpr_names[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
	                                 "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };
static const char *const fixup_names[] = {
	[FIXUP_DATA] = "data",
	[FIXUP_EXIT] = "exit",
	[FIXUP_BACK] = "back",
	[FIXUP_TABLE] = "table",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BYTES_COLUMN 24

static unsigned long long ull(u64 value)
{
	return value;
}

static void print_bits(u32 bits, const struct bit_name *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bits & names[i].bit)
			printf(" %s", names[i].name);
	}
}

static void print_numbered(const char *prefix, u32 set)
{
	for (unsigned i = 0; i < 32; i++) {
		if (set >> i & 1)
			printf(" %s%u", prefix, i);
	}
}

static void print_set(const char *title, const struct reg_set *set)
{
	if (!set->gpr && !set->vec && !set->mask && !set->other)
		return;
	printf("    %s", title);
	if (set->gpr == 0xffff && set->vec == 0xffffffff) {
		printf(" all\n");
		return;
	}
	for (unsigned i = 0; i < COUNT(gpr_names); i++) {
		if (set->gpr >> i & 1)
			printf(" %s", gpr_names[i]);
	}
	print_numbered("zmm", set->vec);
	print_numbered("k", set->mask);
	print_bits(set->other, other_names, COUNT(other_names));
	printf("\n");
}

static void print_flags(const char *title, u16 flags)
{
	if (!flags)
		return;
	printf("    %s", title);
	print_bits(flags, flag_names, COUNT(flag_names));
	printf("\n");
}

static void print_mem(const struct insn_mem *mem)
{
	printf("    mem%s%s", mem->load ? " load" : "", mem->store ? " store" : "");
	if (mem->load || mem->store) {
		if (mem->size)
			printf(" %u bytes", mem->size);
		else
			printf(" somewhere");
	} else {
		printf(" address");
	}
	if (mem->segment)
		printf(" %cs:", mem->segment);
	printf(" [");
	if (mem->base != MEM_NO_REG)
		printf("%s", gpr_names[mem->base]);
	if (mem->index != MEM_NO_REG)
		printf("+%s*%u", gpr_names[mem->index], mem->scale);
	printf("%+lld]\n", (long long)mem->disp);
}

static void print_bytes(const u8 *bytes, u32 n)
{
	for (u32 i = 0; i < n; i++)
		printf("%02x", bytes[i]);
	printf("%*s", (int)(n < BYTES_COLUMN / 2 ? BYTES_COLUMN - 2 * n : 0), "");
}

void print_insn(const struct insn *insn)
{
	printf("  0x%llx ", ull(insn->addr));
	print_bytes(insn->bytes, insn->len);
	printf(" %s %s", insn_mnemonic(insn->mnemonic), role_names[insn->role]);
	if (insn->target)
		printf(" 0x%llx", ull(insn->target));
	if (insn->role == ROLE_JCC)
		printf(" condition %u", insn->cc);
	if (insn->flags & INSN_RIP)
		printf(" field at %u", insn->rip_at);
	print_bits(insn->flags, property_names, COUNT(property_names));
	printf("\n");
	print_set("use", &insn->use);
	print_set("def", &insn->def);
	print_set("full", &insn->full);
	print_flags("flags use", insn->flags_use);
	print_flags("flags def", insn->flags_def);
	print_flags("flags undefined", insn->flags_undef);
	for (u32 i = 0; i < insn->n_mem; i++)
		print_mem(&insn->mem[i]);
}

bool print_tree(const struct ir_tree *tree)
{
	u64 size = ir_dump(tree, NULL, 0) + 1;
	char *text = malloc(size);

	if (!text)
		return false;
	ir_dump(tree, text, size);
	fputs(text, stdout);
	free(text);
	return true;
}

/* The instruction that makes it. */
static void print_result(const struct ir_pending *p, const char *reg)
{
	u8 bytes[RESULT_MAX_LEN];

	result_unpack(p->value, bytes);
	printf(", %s := <", reg);
	for (s32 i = 0; i < p->at && i < RESULT_MAX_LEN; i++)
		printf("%02x", bytes[i]);
	printf(">");
}

static void print_state(const struct code *code, const struct ir_state *state)
{
	static const char *const reg_names[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp",
		                                 "rsi", "rdi", "r8",  "r9",  "r10", "r11",
		                                 "r12", "r13", "r14", "r15" };

	printf("; rsp%+d", state->rsp);
	for (u32 i = 0; i < state->n; i++) {
		const struct ir_pending *p = &code->pendings[state->first + i];

		if (p->kind == PENDING_RETURN)
			printf(", [%+d] := 0x%llx", p->at, ull(p->value));
		else if (p->kind == PENDING_REG)
			printf(", [%+d] := %s", p->at, reg_names[p->reg]);
		else if (p->kind == PENDING_RESULT)
			print_result(p, reg_names[p->reg]);
		else
			printf(", %s := [%+d]", reg_names[p->reg], p->at);
	}
}

/* One line for each stretch of bytes with one origin. */
static void print_origins(const struct code *code)
{
	for (u32 i = 0; i < code->n_origins; i++) {
		u32 at = code->origins[i].at;
		u32 end = i + 1 < code->n_origins ? code->origins[i + 1].at : code->size;

		printf("  +0x%03x ", at);
		print_bytes(code->bytes + at, end - at);
		printf(" of 0x%llx", ull(code->origins[i].origin));
		if (code->origins[i].state)
			print_state(code, &code->states[code->origins[i].state]);
		printf("\n");
	}
}

void print_code(const struct code *code)
{
	printf("code of 0x%llx: %u bytes, %u instructions\n", ull(code->head), code->size,
	       code->n_insns);
	print_origins(code);
	for (u32 i = 0; i < code->n_fixups; i++) {
		const struct code_fixup *fixup = &code->fixups[i];

		printf("  %s at +0x%03x end +0x%03x target 0x%llx", fixup_names[fixup->kind],
		       fixup->at, fixup->end, ull(fixup->target));
		if (fixup->kind == FIXUP_BACK)
			printf(" to +0x%03x", fixup->to);
		printf("\n");
	}
}

const char *const pass_names[PASS_N] = {
#define X(name, help, counts) [PASS_##name] = #name,
#include "passes.def"
#undef X
};

void print_stats(const struct code *code)
{
	static const char *const counts[PASS_N] = {
#define X(name, help, counts) [PASS_##name] = counts,
#include "passes.def"
#undef X
	};

	for (u32 i = 0; i < PASS_N; i++)
		if (code->done[i])
			printf("  %s: %u %s\n", pass_names[i], code->done[i], counts[i]);
	printf("  cost of 1000 entries: %llu, originally %llu\n",
	       ull(code->cost * 1000 / COST_ENTRY), ull(code->cost_original * 1000 / COST_ENTRY));
}

void print_failure(const struct failure *failure)
{
	const char *counts = status_detail(failure->status);

	printf("refused at 0x%llx: %s: %s", ull(failure->addr), status_name(failure->status),
	       status_text(failure->status));
	if (!strcmp(counts, "mnemonic"))
		printf(" (%s)", insn_mnemonic((u16)failure->detail));
	else if (*counts)
		printf(" (%s %llu)", counts, ull(failure->detail));
	printf("\n");
}
