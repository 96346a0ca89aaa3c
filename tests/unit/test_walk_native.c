/* SPDX-License-Identifier: MIT */
/*
 * Instructions that the processor executes for a walk: what is said to be known does not depend on anything that is not. Each is executed twice, with other values
 * wherever something is unknown; values themselves are test_walk.c's business.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "unit.h"
#include "walk.h"
#include "walk_native.h"

#define ROUNDS 300
#define AREA_AT 0x5000000000u /* page 0 of it can be read, page 1 cannot */
#define RSI 6
#define RDI 7

/* Operands in memory are at rsi and rdi. Each group ends with a ud2. */
__asm__(".pushsection .text\n"
        "insns_sse:\n"
        "addsd %xmm1, %xmm2\nmulss %xmm3, %xmm4\nsqrtsd %xmm5, %xmm6\ncvtsd2ss %xmm7, %xmm8\ncvtss2sd %xmm9, %xmm10\n"
        "cvtsi2sd %rax, %xmm11\ncvttsd2si %xmm12, %rbx\nminsd %xmm13, %xmm14\ncmpltsd %xmm15, %xmm0\naddsd (%rsi), %xmm1\n"
        "paddd %xmm2, %xmm3\npcmpeqb (%rsi), %xmm4\npmovmskb %xmm5, %ecx\npshufd $27, %xmm6, %xmm7\npunpcklqdq %xmm8, %xmm9\n"
        "pxor %xmm10, %xmm11\npxor %xmm12, %xmm12\nandps %xmm13, %xmm14\npextrw $3, %xmm15, %edx\npinsrw $2, %eax, %xmm0\n"
        "movhps (%rsi), %xmm1\nmovhps %xmm2, 5(%rdi)\nmovlps %xmm3, (%rdi)\nshufps $1, %xmm4, %xmm5\n"
        "shld $3, %rax, %rbx\nshrd %cl, %rdx, %rbx\npopcnt %rax, %rdx\nmovnti %rax, 16(%rdi)\n"
        "movups %xmm1, 3(%rdi)\nmovups (%rsi), %xmm2\nmovss (%rsi), %xmm3\nmovsd %xmm4, %xmm5\nmovq %xmm6, %xmm7\n"
        "ud2\n"
        "insns_avx:\n"
        "vaddsd %xmm1, %xmm2, %xmm3\nvpaddb %ymm4, %ymm5, %ymm6\nvpaddb %xmm4, %xmm5, %xmm6\nvpmovmskb %ymm7, %eax\n"
        "vextracti128 $1, %ymm8, (%rdi)\nvpcmpeqb (%rsi), %ymm9, %ymm10\nvpxor %ymm11, %ymm11, %ymm11\n"
        "vmovdqu (%rsi), %ymm12\nvmovdqu %ymm13, 7(%rdi)\nvmovd %eax, %xmm14\nvzeroupper\n"
        "shlx %rax, %rbx, %rcx\nandn %rax, %rbx, %rdx\nbzhi %eax, %ebx, %ecx\n"
        "ud2\n"
        "insns_avx512:\n"
        "kmovd %eax, %k2\nvmovdqu8 (%rsi), %ymm18{%k2}\nvpcmpub $4, (%rsi), %ymm18, %k1{%k2}\nkmovd %k1, %eax\n"
        "vmovdqu8 %zmm19, (%rdi){%k2}\nvmovdqu32 %zmm20, (%rdi){%k3}\nkortestd %k1, %k2\nvpternlogd $0x96, %zmm1, %zmm2, %zmm21\n"
        "vpbroadcastb %ebx, %zmm22\nvmovdqu64 (%rsi), %zmm23\nvmovdqu64 %zmm24, (%rdi)\nvpminub (%rsi), %ymm17, %ymm16\n"
        "vmovdqu8 %ymm18, %ymm25{%k2}{z}\nvpaddd %zmm26, %zmm27, %zmm28{%k4}\n"
        "ud2\n"
        ".popsection\n");
extern const u8 insns_sse[], insns_avx[], insns_avx512[];

static struct walk walk;
static struct walk_native native;
static u8 memory[WALK_PAGE];

static u32 code(void *ctx, u64 addr, u8 *out, u32 size)
{
	(void)ctx;
	memcpy(out, (const void *)(uintptr_t)addr, size);
	return size;
}

static const u8 *page(void *ctx, u64 at)
{
	(void)ctx;
	return at == AREA_AT ? memory : NULL;
}

static void run(void *ctx, u64 start, u64 last, u64 to)
{
	(void)ctx;
	(void)start;
	(void)last;
	(void)to;
}

static u64 any(void)
{
	return (u64)random() << 42 ^ (u64)random() << 21 ^ (u64)random();
}

static u64 spread(u8 known)
{
	u64 bits = 0;

	for (u32 i = 0; i < 8; i++)
		bits |= known >> i & 1 ? (u64)0xff << 8 * i : 0;
	return bits;
}

/* Other values where nothing is known. */
static void shuffle(struct walk_machine *m)
{
	for (u32 i = 0; i < 16; i++)
		m->gpr[i].value ^= any() & ~spread(m->gpr[i].known);
	for (u32 i = 0; i < 8; i++)
		m->mask[i].value ^= any() & ~spread(m->mask[i].known);
	for (u32 i = 0; i < WALK_VECTORS; i++)
		for (u32 k = 0; k < 8; k++)
			m->vec[i][k] ^= any() & ~spread((u8)(m->vec_known[i] >> 8 * k));
	m->flags ^= (u16)any() & (u16)~m->flags_known &
	            (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF);
}

static void draw(struct walk_machine *m, u64 rip)
{
	bool all = random() % 2;

	for (u32 i = 0; i < 16; i++)
		m->gpr[i] = (struct walk_word){ any(), all || random() % 4 ? 0xff : (u8)any() };
	for (u32 i = 0; i < 8; i++)
		m->mask[i] = (struct walk_word){ any(), all || random() % 4 ? 0xff : 0 };
	for (u32 i = 0; i < WALK_VECTORS; i++) {
		for (u32 k = 0; k < 8; k++)
			m->vec[i][k] = random() % 4 ? any() : 0x4005bf0a8b145769u;
		m->vec_known[i] = all            ? ~(u64)0
		                  : random() % 3 ? any() | any()
		                                 : (u64)0xff << 8 * (random() % 8);
	}
	m->gpr[RSI] = (struct walk_word){ AREA_AT + (u64)random() % (WALK_PAGE + 64), 0xff };
	m->gpr[RDI] = (struct walk_word){ AREA_AT + (u64)random() % WALK_PAGE, 0xff };
	m->flags = 0;
	m->flags_known = all ? 0xffff : (u16)any();
	m->rip = rip;
}

struct stored {
	u8 value[WALK_PAGE + 256], state[WALK_PAGE + 256]; /* 1: written, 2: and known */
};

static void collect(struct stored *out)
{
	memset(out, 0, sizeof(*out));
	for (u32 i = 0; i < WALK_STORES; i++)
		for (u32 k = 0; k < 8 && walk.stores[i].walk == walk.number; k++) {
			u64 at = walk.stores[i].at + k - AREA_AT;

			if (!(walk.stores[i].written >> k & 1) || at >= sizeof(out->value))
				continue;
			out->state[at] = (u8)(1 + (walk.stores[i].word.known >> k & 1));
			out->value[at] =
				out->state[at] == 2 ? (u8)(walk.stores[i].word.value >> 8 * k) : 0;
		}
}

static void same(const struct walk_machine *a, const struct walk_machine *b, bool *good)
{
	for (u32 i = 0; i < 16; i++)
		*good &= a->gpr[i].known == b->gpr[i].known &&
		         !((a->gpr[i].value ^ b->gpr[i].value) & spread(a->gpr[i].known));
	for (u32 i = 0; i < 8; i++)
		*good &= a->mask[i].known == b->mask[i].known &&
		         !((a->mask[i].value ^ b->mask[i].value) & spread(a->mask[i].known));
	for (u32 i = 0; i < WALK_VECTORS; i++)
		for (u32 k = 0; k < 8; k++)
			*good &= a->vec_known[i] == b->vec_known[i] &&
			         !((a->vec[i][k] ^ b->vec[i][k]) &
			           spread((u8)(a->vec_known[i] >> 8 * k)));
	*good &= a->flags_known == b->flags_known && !((a->flags ^ b->flags) & a->flags_known);
}

/* One instruction, twice. Returns the next one's address. */
static u64 one(u64 rip, u32 *n_known)
{
	static struct walk_machine before, after;
	static struct stored stored, other;
	bool good = true;
	u64 next;

	draw(&before, rip);
	walk.m = before;
	walk_on(&walk, 1, 1);
	next = walk.m.rip;
	after = walk.m;
	collect(&stored);
	for (u32 i = 0; i < WALK_VECTORS; i++)
		*n_known += after.vec_known[i] != before.vec_known[i];
	walk.m = before;
	shuffle(&walk.m);
	walk_on(&walk, 1, 1);
	collect(&other);
	same(&after, &walk.m, &good);
	good &= !memcmp(&stored, &other, sizeof(stored)) && walk.m.rip == next;
	if (!good)
		printf("\n    %s depends on what is not known",
		       insn_mnemonic(walk.code[walk.last].insn.mnemonic));
	CU_ASSERT_TRUE(good);
	return next;
}

static void group(const u8 *insns, u32 most)
{
	u64 at = (u64)(uintptr_t)insns;
	u32 n_known = 0, n = 0;

	for (; n < most && memcmp((const void *)(uintptr_t)at, "\x0f\x0b", 2) != 0; n++) {
		u64 next = at;

		for (u32 i = 0; i < ROUNDS; i++) {
			u64 to = one(at, &n_known);

			next = to != at ? to
			                : next; /* a store to nowhere ends a walk in front of it */
		}
		CU_ASSERT_FATAL(next > at);
		at = next;
	}
	printf(" %u instructions,", n);
	CU_ASSERT(n > 10 && n < most && n_known > 0);
}

static void test_unknown(void)
{
	for (u32 i = 0; i < sizeof(memory); i++)
		memory[i] = (u8)(i * 37 + i / 256);
	group(insns_sse, 100);
	if (native.level > 0)
		group(insns_avx, 100);
	if (native.level > 1)
		group(insns_avx512, 100);
}

static u64 from = AREA_AT; /* where operands in memory are */

/* The last register of `insn`, of which nothing was known, all else being known: if `from` can be read; else what of it is known behind an operand that cannot. */
static u64 known_after(const u8 *insn, u32 skip, u32 reg)
{
	const bool forget = from == AREA_AT;
	u64 at = (u64)(uintptr_t)insn;

	for (;; skip--) {
		do
			draw(&walk.m, at);
		while (walk.m.vec_known[0] != ~(u64)0);
		if (!skip && forget)
			walk.m.vec_known[reg] = 0;
		walk.m.gpr[RSI].value = walk.m.gpr[RDI].value = from;
		walk_on(&walk, 1, 1);
		CU_ASSERT_FATAL(walk.m.rip > at);
		at = walk.m.rip;
		if (!skip)
			return walk.m.vec_known[reg];
	}
}

/* What a result does not reach stays as it was, or is cleared. */
static void test_parts(void)
{
	CU_ASSERT_EQUAL(known_after(insns_sse, 0, 2), 0); /* addsd: of two */
	CU_ASSERT_EQUAL(known_after(insns_sse, 2, 6), 0xff); /* sqrtsd */
	CU_ASSERT_EQUAL(known_after(insns_sse, 3, 8), 0xf); /* cvtsd2ss */
	CU_ASSERT_EQUAL(known_after(insns_sse, 4, 10), 0xff); /* cvtss2sd */
	CU_ASSERT_EQUAL(known_after(insns_sse, 5, 11), 0xff); /* cvtsi2sd */
	CU_ASSERT_EQUAL(known_after(insns_sse, 13, 7), 0xffff); /* pshufd */
	from = AREA_AT + WALK_PAGE;
	CU_ASSERT_EQUAL(known_after(insns_sse, 9, 1),
	                0); /* addsd from memory that cannot be read */
	CU_ASSERT_EQUAL(known_after(insns_sse, 11, 4), 0); /* pcmpeqb */
	from = AREA_AT;
	if (native.level == 0)
		return;
	CU_ASSERT_EQUAL(known_after(insns_avx, 0, 3), ~(u64)0xff00); /* vaddsd */
	CU_ASSERT_EQUAL(known_after(insns_avx, 1, 6), ~(u64)0);
	for (u32 i = 4; i < 8; i++)
		CU_ASSERT_EQUAL(walk.m.vec[6][i], 0);
	CU_ASSERT_EQUAL(known_after(insns_avx, 2, 6), ~(u64)0);
	for (u32 i = 2; i < 8; i++)
		CU_ASSERT_EQUAL(walk.m.vec[6][i], 0);
}

/* What is stored by an instruction that is none of the interpreter's. */
static void test_stored(void)
{
	static struct stored stored;
	u64 at = (u64)(uintptr_t)insns_sse;

	for (u32 n = 0;; n++) {
		do
			draw(&walk.m, at);
		while (walk.m.vec_known[0] != ~(u64)0);
		walk.m.gpr[RSI].value = AREA_AT;
		walk.m.gpr[RDI].value = AREA_AT + 64;
		walk_on(&walk, 1, 1);
		at = walk.m.rip;
		if (n < 21) /* movhps %xmm2, 5(%rdi) */
			continue;
		collect(&stored);
		for (u32 i = 0; i < 8; i++) {
			CU_ASSERT_EQUAL(stored.state[64 + 5 + i], 2);
			CU_ASSERT_EQUAL(stored.value[64 + 5 + i], (u8)(walk.m.vec[2][1] >> 8 * i));
		}
		CU_ASSERT_EQUAL(stored.state[64 + 4], 0);
		CU_ASSERT_EQUAL(stored.state[64 + 13], 0);
		return;
	}
}

/* The agent's own state is none of a walk's business. */
static void test_left_alone(void)
{
	static const u8 ldmxcsr[] = { 0x0f, 0xae, 0x16 }; /* (%rsi) */
	u32 before, after;

	__asm__ volatile("stmxcsr %0" : "=m"(before));
	memcpy(memory, &(u32){ before ^ 0x6000 }, 4); /* another rounding */
	draw(&walk.m, (u64)(uintptr_t)ldmxcsr);
	walk.m.gpr[RSI].value = AREA_AT;
	walk_on(&walk, 1, 1);
	CU_ASSERT_EQUAL(walk.m.rip, (u64)(uintptr_t)(ldmxcsr + sizeof(ldmxcsr)));
	__asm__ volatile("stmxcsr %0" : "=m"(after));
	CU_ASSERT_EQUAL((after ^ before) & 0xffc0, 0);
}

static const struct unit_test tests[] = {
	{ "nothing known depends on what is not", test_unknown },
	{ "parts of registers", test_parts },
	{ "stores", test_stored },
	{ "what is left alone", test_left_alone },
};

int main(void)
{
	static const struct walk_world world = { .code = code, .page = page, .run = run };

	if (!walk_native_open(&native)) {
		printf("SKIP: executable memory is refused here\n");
		return 77;
	}
	walk.world = &world;
	walk.decoder = malloc(decode_scratch_size());
	walk.native = &native;
	walk_begin_round(&walk);
	return UNIT_RUN("walk_native", tests);
}
