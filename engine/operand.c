/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * operand.c - see operand.h. Fields of ModRM, SIB and REX: SDM volume 2, 2.1.3 to 2.2.1.2. Invariant: whatever is written here is
 * decoded again and compared with what it was, operand by operand, so a form that is misjudged is no replacement.
 */
#include "operand.h"

#include "reencode.h"
#include "stack_op.h"

#define REX 0x40
#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1
#define SIB 4
#define NO_BASE 5 /* with mod 00 */
#define NO_INDEX 4

/* Which fields of ModRM name general registers that are read and not written, and how much of them. */
struct fields {
	bool reg, rm;
	bool wide_reg, wide_rm; /* more than 32 bits */
	bool bytes; /* 8-bit registers */
};

static struct fields one_byte(const struct insn *insn, u8 kind, bool wide)
{
	u8 opcode = insn->bytes[insn->opcode_at];
	struct fields f = { .wide_reg = wide, .wide_rm = wide, .bytes = !(opcode & 1) };

	switch (opcode) {
	case 0x00 ... 0x37: /* arithmetic, but for cmp and accumulators */
		f.reg = (opcode & 7) < 2;
		f.rm = (opcode & 7) == 2 || (opcode & 7) == 3;
		break;
	case 0x38 ... 0x3b: /* cmp */
	case 0x84:
	case 0x85: /* test */
		f.reg = f.rm = true;
		break;
	case 0x63: /* movsxd */
		f.rm = true;
		f.wide_rm = false;
		f.bytes = false;
		break;
	case 0x69:
	case 0x6b: /* imul */
		f.rm = true;
		f.bytes = false;
		break;
	case 0x80:
	case 0x81:
	case 0x83: /* group 1: cmp */
		f.rm = kind == 7;
		break;
	case 0x88:
	case 0x89: /* mov */
		f.reg = true;
		break;
	case 0x8a:
	case 0x8b:
		f.rm = true;
		break;
	case 0xf6:
	case 0xf7: /* group 3: test */
		f.rm = kind == 0;
		break;
	default:
		f.bytes = false;
		break;
	}
	return f;
}

static struct fields two_bytes(const struct insn *insn, bool wide)
{
	u8 opcode = insn->bytes[insn->opcode_at + 1];
	struct fields f = { .wide_reg = wide, .wide_rm = wide };

	switch (opcode) {
	case 0x40 ... 0x4f: /* cmov */
	case 0xaf: /* imul */
		f.rm = true;
		break;
	case 0xb6:
	case 0xb7:
	case 0xbe:
	case 0xbf: /* movzx, movsx */
		f.rm = true;
		f.wide_rm = false;
		f.bytes = !(opcode & 1);
		break;
	default:
		break;
	}
	return f;
}

/* An instruction taken apart: what is in front of REX, REX, the opcode, ModRM and what follows. */
struct parts {
	const struct insn *insn;
	u32 prefixes, modrm_at;
	u8 rex, modrm, sib;
	bool has_rex, has_sib;
	struct fields fields;
};

static bool take_apart(const struct insn *insn, struct parts *p)
{
	u8 before = insn->opcode_at ? insn->bytes[insn->opcode_at - 1] : 0;
	bool rep = false;

	*p = (struct parts){ .insn = insn, .modrm_at = reencode_modrm_at(insn) };
	if (insn->role != ROLE_PLAIN || (insn->flags & (INSN_OPAQUE | INSN_REP)) || !p->modrm_at ||
	    p->modrm_at >= insn->len)
		return false;
	p->has_rex = (before & 0xf0) == REX;
	p->prefixes = insn->opcode_at - p->has_rex;
	for (u32 i = 0; i < p->prefixes; i++) {
		u8 byte = insn->bytes[i];

		if (byte == 0xc4 || byte == 0xc5 || byte == 0x62 || byte == 0x8f)
			return false;
		rep |= byte == 0xf2 || byte == 0xf3;
	}
	p->rex = p->has_rex ? before : REX;
	p->modrm = insn->bytes[p->modrm_at];
	p->has_sib = p->modrm < 0xc0 && (p->modrm & 7) == SIB;
	p->sib = p->has_sib ? insn->bytes[p->modrm_at + 1] : 0;
	if (rep) /* of its fields only addresses are known */
		return insn->n_mem;
	if (insn->bytes[insn->opcode_at] != 0x0f)
		p->fields = one_byte(insn, p->modrm >> 3 & 7, p->rex & REX_W);
	else if (insn->bytes[insn->opcode_at + 1] != 0x38 &&
	         insn->bytes[insn->opcode_at + 1] != 0x3a)
		p->fields = two_bytes(insn, p->rex & REX_W);
	/* What has neither such fields nor an address has no ModRM, or one of no use here. */
	return insn->n_mem || p->fields.reg || p->fields.rm;
}

static void set_rex(struct parts *p, u8 bit, u8 reg)
{
	p->rex = (u8)((p->rex & ~bit) | (reg & 8 ? bit : 0));
}

static u8 whole(const struct parts *p, u8 low, u8 bit)
{
	return (u8)((low & 7) | (p->rex & bit ? 8 : 0));
}

/* Base and index of a memory operand. */
static bool replace_address(struct parts *p, u8 from, u8 to)
{
	u8 mod = p->modrm >> 6;

	if (mod == 3)
		return true;
	if (p->has_sib) {
		bool base = !(mod == 0 && (p->sib & 7) == NO_BASE);
		u8 index = whole(p, p->sib >> 3, REX_X);

		if (index == from && index != NO_INDEX) {
			p->sib = (u8)((p->sib & 0xc7) | (to & 7) << 3);
			set_rex(p, REX_X, to);
		}
		if (!base || whole(p, p->sib, REX_B) != from)
			return true;
		if (mod == 0 && (to & 7) == NO_BASE)
			return false;
		p->sib = (u8)((p->sib & 0xf8) | (to & 7));
		set_rex(p, REX_B, to);
		return true;
	}
	if ((mod == 0 && (p->modrm & 7) == NO_BASE) || whole(p, p->modrm, REX_B) != from)
		return true;
	if ((to & 7) == SIB || (mod == 0 && (to & 7) == NO_BASE))
		return false;
	p->modrm = (u8)((p->modrm & 0xf8) | (to & 7));
	set_rex(p, REX_B, to);
	return true;
}

static void replace_fields(struct parts *p, u8 from, u8 to, bool narrow)
{
	const struct fields f = p->fields;

	if (f.reg && !(narrow && f.wide_reg) && whole(p, p->modrm >> 3, REX_R) == from) {
		p->modrm = (u8)((p->modrm & 0xc7) | (to & 7) << 3);
		set_rex(p, REX_R, to);
	}
	if (f.rm && p->modrm >= 0xc0 && !(narrow && f.wide_rm) &&
	    whole(p, p->modrm, REX_B) == from) {
		p->modrm = (u8)((p->modrm & 0xf8) | (to & 7));
		set_rex(p, REX_B, to);
	}
}

/* Without REX byte registers 4 to 7 are ah to bh; with it, and only then, they are the low bytes of rsp to rdi. */
static bool bytes_allow(const struct parts *p, u8 to)
{
	u8 low = p->modrm >> 3 & 7, rm = p->modrm & 7;

	if (!p->fields.bytes || p->has_rex)
		return true;
	return to < 4 && low < 4 && (p->modrm < 0xc0 || rm < 4);
}

/* 0: these are not the parts of an instruction. */
static u32 put_together(const struct parts *p, u8 *out)
{
	const struct insn *insn = p->insn;
	u32 n = p->prefixes, rest = p->modrm_at - insn->opcode_at, tail = p->modrm_at + 1u;

	if (tail + p->has_sib > insn->len)
		return 0;
	memcpy(out, insn->bytes, n);
	if (p->has_rex || p->rex != REX)
		out[n++] = p->rex;
	memcpy(out + n, insn->bytes + insn->opcode_at, rest);
	n += rest;
	out[n++] = p->modrm;
	if (p->has_sib) {
		out[n++] = p->sib;
		tail++;
	}
	memcpy(out + n, insn->bytes + tail, insn->len - tail);
	return n + insn->len - tail;
}

static bool same_set(const struct reg_set *a, const struct reg_set *b, u16 except)
{
	return !((a->gpr ^ b->gpr) & (u16)~except) && a->vec == b->vec && a->mask == b->mask &&
	       a->other == b->other;
}

static u8 renamed(u8 reg, u8 from, u8 to)
{
	return reg == from ? to : reg;
}

static bool same_operand(const struct insn_mem *a, const struct insn_mem *b, u8 from, u8 to)
{
	/* Through rbp it is the stack's segment, and an address that is none faults in another way (SDM 1, 3.3.7.1). */
	if ((a->load || a->store) && (a->base == RBP) != (b->base == RBP))
		return false;
	return renamed(a->base, from, to) == b->base && renamed(a->index, from, to) == b->index &&
	       a->scale == b->scale && a->segment == b->segment && a->size == b->size &&
	       a->load == b->load && a->store == b->store && a->disp == b->disp;
}

/* Does the new one do to `to` what the old one did to `from`, and all else to what it did it to? */
static bool is_same(const struct insn *a, const struct insn *b, u8 from, u8 to)
{
	u16 both = (u16)(1u << from | 1u << to);

	if (a->mnemonic != b->mnemonic || a->role != b->role || a->flags != b->flags ||
	    a->n_mem != b->n_mem || a->flags_use != b->flags_use || a->flags_def != b->flags_def ||
	    a->flags_undef != b->flags_undef)
		return false;
	if (!same_set(&a->use, &b->use, both) || !same_set(&a->def, &b->def, 0) ||
	    !same_set(&a->full, &b->full, 0) || (b->use.gpr >> from & 1) || !(b->use.gpr >> to & 1))
		return false;
	for (u32 i = 0; i < a->n_mem; i++)
		if (!same_operand(&a->mem[i], &b->mem[i], from, to))
			return false;
	return true;
}

bool operand_replace(const struct insn *insn, u8 from, u8 to, bool narrow, void *decoder,
                     struct insn *out)
{
	u8 bytes[INSN_MAX_LEN + 2];
	struct parts p;
	struct insn made;
	u32 n;

	if (!take_apart(insn, &p) || !bytes_allow(&p, to))
		return false;
	replace_fields(&p, from, to, narrow);
	if (!narrow && !replace_address(&p, from, to))
		return false;
	n = put_together(&p, bytes);
	if (!n || n > INSN_MAX_LEN ||
	    decode_insn(bytes, n, insn->addr, decoder, &made, NULL) != STATUS_OK || made.len != n ||
	    !is_same(insn, &made, from, to))
		return false;
	if (made.flags & INSN_RIP)
		made.target = insn->target;
	*out = made;
	return true;
}
