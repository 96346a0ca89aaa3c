/* SPDX-License-Identifier: MIT */
/*
 * walk_native.c - see walk_native.h. ModRM and its like: SDM volume 2, 2.1.5; an address relative to rip is mod 0, rm 5, whatever the prefixes say.
 */
#include "walk_native.h"

#include "sys.h"
#include "walk_private.h"

#include <cpuid.h>
#include <linux/memfd.h>
#include <stddef.h>
#include <sys/mman.h>

#define SLOT 32u /* bytes of a copy, and the jump behind it */
#define SLOTS 1024u
#define CODE_BYTES (SLOTS * SLOT)
#define BACK_AT (CODE_BYTES - SLOT) /* the last slot: where copies jump to, by level */
#define BUFFER 64u /* bytes, behind the code */
#define RSP 4
#define JMP_MEM_LEN 6 /* jmp [rip+disp32] */

enum { LEVEL_SSE, LEVEL_AVX, LEVEL_AVX512, LEVELS };

/* ---- entering a copy ---- */

#define GPR_AT "%c[gpr]+16*"
#define LOAD_GPR(n, reg) "mov " GPR_AT #n "(%%rdi), %%" #reg "\n"
#define STORE_GPR(n, reg) "mov %%" #reg ", " GPR_AT #n "(%%rdi)\n"
#define GPRS(X) \
	X(0, rax) \
	X(1, rcx) \
	X(2, rdx) \
	X(3, rbx) \
	X(5, rbp) \
	X(6, rsi) \
	X(8, r8) \
	X(9, r9) \
	X(10, r10) \
	X(11, r11) \
	X(12, r12) \
	X(13, r13) \
	X(14, r14) \
	X(15, r15)
#define LOW "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15"
#define ALL LOW ",16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31"
#define EACH(list, insn) ".irp i," list "\n" insn "\n.endr\n"

#define PUSH_ALL \
	"push %%rbx\npush %%rbp\npush %%r12\npush %%r13\npush %%r14\npush %%r15\npush %%rdi\n"
#define POP_ALL "pop %%r15\npop %%r14\npop %%r13\npop %%r12\npop %%rbp\npop %%rbx\nret\n"
#define SET_SLOT "pushq (%%rsi)\npopq dynopt_walk_slot(%%rip)\n"
#define LOAD_FLAGS "pushq %c[flags](%%rdi)\npopfq\n"
#define STORE_FLAGS "pushfq\npopq %c[flags](%%rdi)\ncld\n"
#define LOAD_GPRS GPRS(LOAD_GPR) LOAD_GPR(7, rdi)
/* The machine's address lies on the stack; moves leave the flags alone. */
#define STORE_GPRS \
	"xchg %%rdi, (%%rsp)\n" GPRS(STORE_GPR) "pop %%rax\nmov %%rax, " GPR_AT "7(%%rdi)\n"
#define JUMP "jmp *dynopt_walk_slot(%%rip)\n"

/* From the machine's registers but rsp, through the copy, which jumps back behind JUMP, and back into them. */
#define ENTER(name, load, store, last) \
	static __attribute__((naked)) void name(struct walk_machine *m, u64 *to) \
	{ \
		__asm__ volatile(PUSH_ALL SET_SLOT load LOAD_FLAGS LOAD_GPRS JUMP \
		                 "dynopt_" #name \
		                 "_back:\n" STORE_GPRS STORE_FLAGS store last POP_ALL \
		                 : \
		                 : [gpr] "i"(offsetof(struct walk_machine, gpr)), \
		                   [vec] "i"(offsetof(struct walk_machine, vec)), \
		                   [mask] "i"(offsetof(struct walk_machine, mask)), \
		                   [flags] "i"(offsetof(struct walk_machine, flags_in_out))); \
	} \
	__attribute__((visibility("hidden"))) extern const u8 back_of_##name[] __asm__( \
		"dynopt_" #name "_back");

__attribute__((visibility("hidden"), used)) u64 dynopt_walk_slot;

ENTER(enter_sse, EACH(LOW, "movups %c[vec]+64*\\i(%%rdi), %%xmm\\i"),
      EACH(LOW, "movups %%xmm\\i, %c[vec]+64*\\i(%%rdi)"), "")
ENTER(enter_avx, EACH(LOW, "vmovups %c[vec]+64*\\i(%%rdi), %%ymm\\i"),
      EACH(LOW, "vmovups %%ymm\\i, %c[vec]+64*\\i(%%rdi)"), "vzeroupper\n")
ENTER(enter_avx512,
      EACH(ALL, "vmovups %c[vec]+64*\\i(%%rdi), %%zmm\\i")
              EACH("0,1,2,3,4,5,6,7", "kmovq %c[mask]+16*\\i(%%rdi), %%k\\i"),
      EACH(ALL, "vmovups %%zmm\\i, %c[vec]+64*\\i(%%rdi)")
              EACH("0,1,2,3,4,5,6,7", "kmovq %%k\\i, %c[mask]+16*\\i(%%rdi)"),
      "vzeroupper\n")

static u8 level_here(void)
{
	const u32 avx = 6, avx512 = 0xe6; /* of xcr0: what the system keeps */
	u32 a, b, c, d, features = 0, low, high;

	__cpuid(1, a, b, c, d);
	if (!(c & bit_OSXSAVE) || !(c & bit_AVX))
		return LEVEL_SSE;
	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	if ((low & avx) != avx || !__get_cpuid_count(7, 0, &a, &features, &c, &d))
		return LEVEL_SSE;
	if ((low & avx512) == avx512 && (features & bit_AVX512F) && (features & bit_AVX512BW))
		return LEVEL_AVX512;
	return LEVEL_AVX;
}

static bool write_code(const struct walk_native *native, const void *bytes, u32 size, u32 at)
{
	return sys6(SYS_pwrite64, native->file, (long)bytes, size, at, 0, 0) == size;
}

bool walk_native_open(struct walk_native *native)
{
	const u64 backs[LEVELS] = { (u64)(uintptr_t)back_of_enter_sse,
		                    (u64)(uintptr_t)back_of_enter_avx,
		                    (u64)(uintptr_t)back_of_enter_avx512 };
	long file = sys6(SYS_memfd_create, (long)"dynopt-walk", MFD_CLOEXEC, 0, 0, 0, 0), code;

	if (sys_failed(file))
		return false;
	native->file = (int)file;
	code = sys_mmap(0, CODE_BYTES + WALK_PAGE, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sys_failed(code) || sys6(SYS_ftruncate, file, CODE_BYTES, 0, 0, 0, 0) ||
	    !write_code(native, backs, sizeof(backs), BACK_AT) ||
	    sys_mmap((u64)code, CODE_BYTES, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED,
	             native->file, 0) != code) {
		sys_close(native->file);
		if (!sys_failed(code))
			sys_munmap((u64)code, CODE_BYTES + WALK_PAGE);
		return false;
	}
	native->code = (u64)code;
	native->level = level_here();
	walk_native_forget(native);
	return true;
}

void walk_native_forget(struct walk_native *native)
{
	native->n = 0;
}

/* ---- copies ---- */

static u64 buffer_of(const struct walk_native *native)
{
	return native->code + CODE_BYTES;
}

/* Bytes of SIB and displacement behind a ModRM of an operand in memory. */
static u32 address_len(const u8 *modrm)
{
	u8 mod = *modrm >> 6, rm = *modrm & 7;
	bool sib = rm == 4, base5 = sib ? (modrm[1] & 7) == 5 : rm == 5;

	return sib + (mod == 1 ? 1u : mod == 2 || base5 ? 4u : 0u);
}

/* The instruction with the buffer as its operand in memory, which ends at `end` if it has n bytes: returned. */
static u32 copy_insn(const struct walk_step *s, u64 at, u64 buffer, u8 *out)
{
	const struct insn *insn = s->insn;
	u32 modrm_at = s->form->modrm_at, tail_at, n;
	s32 distance;

	if (!s->memory) {
		memcpy(out, insn->bytes, insn->len);
		return insn->len;
	}
	tail_at = modrm_at + 1 + address_len(insn->bytes + modrm_at);
	memcpy(out, insn->bytes, modrm_at);
	out[modrm_at] = (u8)((insn->bytes[modrm_at] & 0x38) | 5);
	n = modrm_at + 5 + insn->len - tail_at;
	distance = (s32)(buffer - (at + n));
	memcpy(out + modrm_at + 1, &distance, sizeof(distance));
	memcpy(out + modrm_at + 5, insn->bytes + tail_at, insn->len - tail_at);
	return n;
}

static u8 level_of(const struct walk_step *s)
{
	const struct insn *insn = s->insn;

	if (s->form->encoding == WALK_EVEX || insn->use.mask || insn->def.mask)
		return LEVEL_AVX512;
	return s->form->encoding == WALK_VEX ? LEVEL_AVX : LEVEL_SSE;
}

/* Its slot, made if there is none; 0: it does not fit, or there is no room for more. */
static u64 slot_of(struct walk_step *s, u8 level)
{
	struct walk_native *native = s->w->native;
	u8 bytes[SLOT] = { 0 };
	s32 distance;
	u64 at;
	u32 n;

	if (s->code->slot)
		return native->code + (s->code->slot - 1u) * SLOT;
	if (native->n == BACK_AT / SLOT)
		return 0;
	at = native->code + native->n * SLOT;
	n = copy_insn(s, at, buffer_of(native), bytes);
	if (n > INSN_MAX_LEN)
		return 0;
	bytes[n] = 0xff;
	bytes[n + 1] = 0x25;
	distance = (s32)(native->code + BACK_AT + 8u * level - (at + n + JMP_MEM_LEN));
	memcpy(bytes + n + 2, &distance, sizeof(distance));
	if (!write_code(native, bytes, sizeof(bytes), native->n * SLOT))
		return 0;
	s->code->slot = (u16)++native->n;
	return at;
}

/* ---- what goes in and comes out ---- */

static u64 low_bytes(u32 n)
{
	return n >= 64 ? ~(u64)0 : ((u64)1 << n) - 1;
}

/*
 * Instructions on one number at the lower end of a register: bytes of it that go in; 0: the whole vectors do. Sums and their like, roots, comparisons,
 * and conversions.
 */
static u32 scalar_size(const struct walk_form *form)
{
	bool rounds = form->opcode == 0x2c || form->opcode == 0x2d;

	if (form->map != 1 || !form->prefix || form->mask)
		return 0;
	if (rounds || form->opcode == 0x51 || form->opcode == 0xc2 ||
	    (form->opcode >= 0x58 && form->opcode <= 0x5f && form->opcode != 0x5b))
		return form->prefix == 0xf2 ? 8 : 4;
	return 0;
}

/* From an integer: nothing of the vector goes in but what stays. */
static bool is_from_integer(const struct walk_form *form)
{
	return form->map == 1 && form->opcode == 0x2a && form->prefix;
}

/* Bytes of the number that comes out. */
static u32 result_size(const struct walk_form *form)
{
	if (form->opcode == 0x5a)
		return form->prefix == 0xf2 ? 4 : 8;
	return form->prefix == 0xf2 ? 8 : 4;
}

/* vmovdqu8; vpcmpb, vpcmpub: their mask has a bit for each byte. */
static bool is_by_byte(const struct walk_form *form)
{
	return form->mask && !(form->rex & 8) &&
	       ((form->map == 1 && (form->opcode == 0x6f || form->opcode == 0x7f) &&
	         form->prefix == 0xf2) ||
	        (form->map == 3 && (form->opcode == 0x3e || form->opcode == 0x3f) && form->word));
}

/*
 * Old instructions keep what is above the low 16 bytes, or above the number, so their destination goes in as well as out; of these nothing of it matters
 * to what comes out: roots, conversions, shuffles of one operand.
 */
static bool overwrites(const struct walk_form *form)
{
	static const u8 map1[] = { 0x51, 0x52, 0x53, 0x5a, 0x5b, 0x70, 0xe6 };

	if (form->encoding != WALK_LEGACY)
		return false;
	if (form->map == 2) /* pabsb to pabsd; pmovsxbw to pmovzxdq */
		return (form->opcode >= 0x1c && form->opcode <= 0x1e) ||
		       (form->opcode >= 0x20 && form->opcode <= 0x25) ||
		       (form->opcode >= 0x30 && form->opcode <= 0x35);
	for (u32 i = 0; form->map == 1 && i < sizeof(map1); i++)
		if (form->opcode == map1[i])
			return true;
	return false;
}

/* The register whose old bytes need not be known, as they are replaced, or stay where a mask says so; WALK_VECTORS: there is none. */
static u32 destination(const struct walk_step *s)
{
	const struct walk_form *form = s->form;

	if (overwrites(form) && (s->memory || form->reg != form->rm))
		return form->reg;
	if (!is_by_byte(form) || form->map != 1 || (form->opcode == 0x7f && s->memory))
		return WALK_VECTORS;
	return form->opcode == 0x7f ? form->rm : form->reg;
}

/* Bytes of the whole vectors that go in, or are replaced. */
static u64 bytes_used(const struct walk_step *s)
{
	u64 all = low_bytes(s->form->width);

	return is_by_byte(s->form) ? s->w->m.mask[s->form->mask].value & all : all;
}

#define GROUP_15 0xae /* 0f ae: ldmxcsr and its like change what the agent computes with */

static bool has_effects(const struct walk_step *s)
{
	const struct insn *insn = s->insn;
	const u8 others = REGS_X87 | REGS_FSGS | REGS_PKRU;

	return (insn->flags & (INSN_OPAQUE | INSN_REP | INSN_STACK | INSN_FENCE)) ||
	       ((insn->use.other | insn->def.other) & others) || insn->n_mem > 1 ||
	       (s->form->map == 1 && s->form->opcode == GROUP_15) ||
	       ((insn->gpr_values | insn->def.gpr) & 1u << RSP) ||
	       (insn->n_mem && (!s->memory || !insn->mem[0].size || insn->mem[0].size > BUFFER ||
	                        insn->mem[0].segment));
}

static bool is_known(const struct walk_step *s)
{
	const struct insn *insn = s->insn;
	const struct walk_machine *m = &s->w->m;
	u32 scalar = scalar_size(s->form);
	u64 bytes = is_from_integer(s->form) ? 0 : scalar ? low_bytes(scalar) : bytes_used(s);

	for (u32 i = 0; i < 16; i++)
		if ((insn->gpr_values >> i & 1) && m->gpr[i].known != WALK_ALL)
			return false;
	for (u32 i = 0; i < WALK_VECTORS; i++)
		if ((insn->use.vec >> i & 1) && i != destination(s) &&
		    (m->vec_known[i] & bytes) != bytes)
			return false;
	for (u32 i = 0; i < 8; i++)
		if ((insn->use.mask >> i & 1) && m->mask[i].known != WALK_ALL)
			return false;
	return (insn->flags_use & (u16)~m->flags_known) == 0;
}

/* Memory that goes in; of what a mask leaves alone, the old bytes. */
static bool fill_buffer(struct walk_step *s, u8 *buffer)
{
	const struct insn_mem *mem = s->insn->mem;
	bool by_byte = is_by_byte(s->form);
	u64 bytes = bytes_used(s);

	if (!s->insn->n_mem)
		return true;
	if (!s->addr_known)
		return false;
	for (u32 at = 0; at < mem->size && (mem->load || (s->form->mask && !by_byte)); at += 8) {
		u32 size = mem->size - at < 8 ? mem->size - at : 8u;
		u8 wanted = by_byte ? (u8)(bytes >> at) & walk_mask(size) : walk_mask(size);
		struct walk_word word = { 0, 0 };

		if (wanted)
			word = walk_load_bytes(s->w, s->addr + at, size);
		if ((word.known & wanted) != wanted)
			return false;
		memcpy(buffer + at, &word.value, size);
	}
	return true;
}

static void store_buffer(struct walk_step *s, const u8 *buffer)
{
	const struct insn_mem *mem = s->insn->mem;
	u32 step = is_by_byte(s->form) ? 1 : 8;
	u64 bytes = bytes_used(s);

	for (u32 at = 0; s->insn->n_mem && mem->store && at < mem->size && !s->ended; at += step) {
		u32 size = mem->size - at < step ? mem->size - at : step;
		struct walk_word word = { 0, walk_mask(size) };

		memcpy(&word.value, buffer + at, size);
		if (step > 1 || (bytes >> at & 1))
			walk_store_bytes(s, s->addr + at, word, size);
	}
}

static void set_vector(struct walk_step *s, u32 reg)
{
	struct walk_machine *m = &s->w->m;
	const struct walk_form *form = s->form;
	u64 *known = &m->vec_known[reg];
	bool legacy = form->encoding == WALK_LEGACY;

	if (scalar_size(form) || is_from_integer(form))
		*known = legacy ? *known | low_bytes(result_size(form))
		                : low_bytes(result_size(form)) | ~low_bytes(16);
	else
		*known = legacy ? *known | low_bytes(16)
		                : *known | bytes_used(s) | ~low_bytes(form->width);
	for (u32 i = 4; form->encoding == WALK_VEX && i < 8; i++)
		m->vec[reg][i] =
			0; /* VEX clears what is above, and that was not in the processor */
}

static void set_known(struct walk_step *s)
{
	const struct insn *insn = s->insn;
	struct walk_machine *m = &s->w->m;
	u16 flags = insn->flags_def & (u16)~insn->flags_undef;

	for (u32 i = 0; i < 16; i++)
		if (insn->def.gpr >> i & 1)
			m->gpr[i].known = WALK_ALL;
	for (u32 i = 0; i < WALK_VECTORS; i++)
		if (insn->def.vec >> i & 1)
			set_vector(s, i);
	for (u32 i = 0; i < 8; i++)
		if (insn->def.mask >> i & 1)
			m->mask[i].known = WALK_ALL;
	m->flags_known &= (u16)~insn->flags_def;
	if (flags)
		walk_set_flags(m, flags, (u16)m->flags_in_out);
}

bool walk_native(struct walk_step *s)
{
	static void (*const enter[LEVELS])(struct walk_machine *m,
	                                   u64 *to) = { enter_sse, enter_avx, enter_avx512 };
	const u16 flags = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF;
	struct walk_native *native = s->w->native;
	u8 level = level_of(s), *buffer;
	u64 slot;

	if (!native || level > native->level || has_effects(s) || !is_known(s))
		return false;
	buffer = (u8 *)(uintptr_t)buffer_of(native);
	if (!fill_buffer(s, buffer))
		return false;
	slot = slot_of(s, level);
	if (!slot)
		return false;
	s->w->m.flags_in_out = s->w->m.flags & flags;
	enter[level](&s->w->m, &slot);
	set_known(s);
	store_buffer(s, buffer);
	return true;
}
