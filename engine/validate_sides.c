/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * validate_sides.c - where the two instruction streams come from, and one step of the original's.
 *
 * The original is text: the tree only spares decoding it again. The translation is bytes: each instruction is decoded where it
 * stands, unless it is the very copy of the one it says it stands for. Invariant: an address field that
 * code_place() fills in is one that the instruction set calls an address field, and no other byte is changed by it.
 */
#include "result.h"
#include "validate_private.h"

static u32 address_hash(u64 addr)
{
	return (u32)(addr * 0x9e3779b97f4a7c15u >> 40);
}

static const struct insn *in_tree(const struct validator *v, u64 addr)
{
	for (u32 at = address_hash(addr) & v->op_mask; v->op_index[at]; at = (at + 1) & v->op_mask)
		if (v->tree->ops[v->op_index[at] - 1].addr == addr)
			return &v->tree->ops[v->op_index[at] - 1];
	return NULL;
}

bool sides_init(struct validator *v)
{
	u32 size = 16;

	while (size < 4 * v->tree->n_ops)
		size *= 2;
	v->op_mask = size - 1;
	v->op_index = arena_alloc(v->arena, size, sizeof(*v->op_index));
	v->insn = arena_alloc(v->arena, 1, sizeof(*v->insn));
	v->other = arena_alloc(v->arena, 1, sizeof(*v->other));
	v->owed = arena_alloc(v->arena, OWED_KEPT, sizeof(*v->owed));
	v->node = arena_alloc(v->arena, 1, sizeof(*v->node));
	v->decoder = arena_alloc(v->arena, 1, decode_scratch_size());
	if (!v->op_index || !v->insn || !v->other || !v->owed || !v->node || !v->decoder)
		return false;
	for (u32 i = 0; i < v->tree->n_ops && i < 0xffff; i++) {
		u32 at = address_hash(v->tree->ops[i].addr) & v->op_mask;

		if (in_tree(v, v->tree->ops[i].addr))
			continue;
		while (v->op_index[at])
			at = (at + 1) & v->op_mask;
		v->op_index[at] = (u16)(i + 1);
	}
	return true;
}

const struct insn *original_insn(struct validator *v, u64 addr)
{
	const struct insn *insn = in_tree(v, addr);

	if (insn)
		return insn;
	return text_insn(v->text, addr, v->decoder, v->other, NULL) == STATUS_OK ? v->other : NULL;
}

int fact_find(const struct path *path, u32 condition)
{
	for (const struct fact *fact = path->facts; fact; fact = fact->next)
		if (fact->condition == condition)
			return fact->holds;
	return -1;
}

/* A direct call goes on in the callee: its return address is private, written when the translation thinks fit. */
static void call(struct validator *v, struct path *path, const struct insn *insn)
{
	const u16 forbidden = TEXT_NO_INLINE | TEXT_NO_DEFER | TEXT_NO_TRANSLATE;
	u16 callee = text_marks(v->text, insn->target);
	u32 rsp = value_plus(&v->values, path->original.v[GPR_SP], -WORD);
	struct sum at = value_sum(&v->values, rsp);

	if (((callee | text_marks(v->text, insn->addr)) & forbidden) ||
	    (callee & (TEXT_FUNCTION | TEXT_INSN)) != (TEXT_FUNCTION | TEXT_INSN) ||
	    path->n_returns == LIMIT_INLINE_DEPTH) {
		refuse(v, STATUS_VALIDATE_CALL);
		return;
	}
	if (!path->n_returns || at.c < path->low)
		path->low = at.c;
	path->returns[path->n_returns++] =
		(struct place){ at.atom, value_text(&v->values, insn->addr + insn->len), at.c };
	stack_call(path, at);
	path->original.v[GPR_SP] = rsp;
	path->pc = insn->target;
	path->stale = FLAGS_STATUS;
	for (u32 side = 0; side < 2 && path->n_returns == 1; side++)
		stack_escape(v, path, side, 0xffff); /* pointers below rsp */
}

/* Where the innermost inlined call comes back to; false if this return is none of an inlined call. */
static bool return_inlined(struct validator *v, struct path *path, const struct insn *insn)
{
	struct sum rsp = value_sum(&v->values, path->original.v[GPR_SP]);
	const struct place *place = path->returns + path->n_returns - (path->n_returns > 0);
	bool plain = insn->bytes[insn->opcode_at] == 0xc3;

	if (!path->n_returns || !plain || place->atom != rsp.atom || place->at != rsp.c)
		return false;
	path->pc = (u64)value_sum(&v->values, place->value).c;
	path->original.v[GPR_SP] = value_plus(&v->values, path->original.v[GPR_SP], WORD);
	path->n_returns--;
	stack_return(v, path);
	path->stale = FLAGS_STATUS;
	return true;
}

static void branch(struct validator *v, struct path *path, const struct insn *insn)
{
	u32 condition;
	int holds;

	if (insn->role == ROLE_COUNT) {
		insn_execute(v, path, false, insn, &condition);
		holds = fact_find(path, condition);
	} else {
		condition = insn_condition(v, &path->original, insn);
		holds = fact_find(path, condition);
		if (holds < 0)
			holds = range_condition(v, path, condition);
		holds = holds < 0 ? holds : holds ^ (insn->cc & 1);
	}
	if (holds < 0)
		refuse(v, STATUS_VALIDATE_BRANCH);
	path->pc = holds ? insn->target : path->pc + insn->len;
}

void original_step(struct validator *v, struct path *path)
{
	const struct insn *insn = original_insn(v, path->pc);

	path->steps++;
	v->steps++;
	if (!insn) {
		refuse(v, STATUS_VALIDATE_PATH);
		return;
	}
	switch (insn->role) {
	case ROLE_PLAIN:
		insn_execute(v, path, false, insn, NULL);
		path->pc += insn->len;
		break;
	case ROLE_JMP:
		path->pc = insn->target;
		break;
	case ROLE_JCC:
	case ROLE_COUNT:
		branch(v, path, insn);
		break;
	case ROLE_CALL:
		call(v, path, insn);
		break;
	case ROLE_RET:
		if (return_inlined(v, path, insn))
			break;
		refuse(v, STATUS_VALIDATE_PATH);
		break;
	default:
		refuse(v, STATUS_VALIDATE_PATH);
		break;
	}
}

/* ---- what a state owes ---- */

/* Does it make the register that the state names of other general registers, and touches nothing else but flags? */
static bool is_result(const struct insn *insn, u8 reg)
{
	const u16 one = (u16)(1u << reg), rsp = 1u << GPR_SP;

	return insn->role == ROLE_PLAIN && !insn->flags && !insn->flags_use &&
	       insn->def.gpr == one && insn->full.gpr == one &&
	       !((insn->def.gpr | insn->use.gpr) & rsp) && !insn->use.vec && !insn->use.mask &&
	       !insn->use.other && !insn->def.vec && !insn->def.mask && !insn->def.other;
}

/* Whoever makes a state good must know the form, too. */
static bool decode_result(struct validator *v, const struct ir_pending *p, struct insn *insn)
{
	u64 gpr[16] = { 0 };
	u8 bytes[RESULT_MAX_LEN];

	result_unpack(p->value, bytes);
	return p->at > 0 && result_make(bytes, (u32)p->at, gpr) &&
	       decode_insn(bytes, (u32)p->at, 0, v->decoder, insn, NULL) == STATUS_OK &&
	       insn->len == p->at && is_result(insn, p->reg);
}

const struct insn *owed_insn(struct validator *v, const struct ir_pending *p)
{
	struct insn *insn = &v->owed[v->n_owed];
	u8 bytes[RESULT_MAX_LEN];

	result_unpack(p->value, bytes);
	for (u32 i = 0; i < v->n_owed; i++)
		if (v->owed[i].len == p->at && !memcmp(v->owed[i].bytes, bytes, (u32)p->at))
			return v->owed[i].def.gpr == 1u << p->reg ? &v->owed[i] : NULL;
	if (!decode_result(v, p, insn))
		return NULL;
	v->n_owed += v->n_owed < OWED_KEPT - 1;
	return insn;
}

/* ---- the translation ---- */

/* The first field that ends behind `at`. */
static u32 field_behind(const struct code *code, u32 at)
{
	u32 low = 0, high = code->n_fixups;

	while (low < high) {
		u32 middle = (low + high) / 2;

		if (code->fixups[middle].at + 4 > at)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Is the instruction at bytes the one that the tree has, but for its address field? */
static bool is_copy(const struct insn *insn, const u8 *bytes, u64 size)
{
	u32 field = insn->rip_at;

	if (insn->len > size || insn->role == ROLE_JMP || insn->role == ROLE_JCC ||
	    insn->role == ROLE_COUNT || insn->role == ROLE_CALL)
		return false;
	if (!field)
		return !memcmp(insn->bytes, bytes, insn->len);
	return !memcmp(insn->bytes, bytes, field) &&
	       !memcmp(insn->bytes + field + 4, bytes + field + 4, insn->len - field - 4u);
}

static bool has_long_field(const struct insn *insn)
{
	u8 opcode = insn->bytes[insn->opcode_at];

	return (insn->role == ROLE_JMP && opcode == 0xe9) ||
	       (insn->role == ROLE_JCC && opcode == 0x0f);
}

/* Is the last field of an indirect jump a displacement of 32 bits? SDM 2A, tables 2-2 and 2-3. */
static bool has_long_operand(const struct insn *insn)
{
	const u8 *modrm = insn->bytes + insn->opcode_at + 1;

	if (insn->bytes[insn->opcode_at] != 0xff || insn->len != insn->opcode_at + 7u ||
	    (modrm[0] & 7) != 4)
		return false;
	return modrm[0] >> 6 == 2 || (modrm[0] >> 6 == 0 && (modrm[1] & 7) == 5);
}

/* The fixup must be that of the instruction's address field, and there must be one if there has to. */
static bool field_fits(const struct insn *insn, u32 offset, const struct code_fixup *fixup)
{
	if (!fixup)
		return !(insn->flags & INSN_RIP);
	if (fixup->end != offset + insn->len)
		return false;
	if (insn->flags & INSN_RIP)
		return fixup->kind == FIXUP_DATA && fixup->at == offset + insn->rip_at;
	if (fixup->kind == FIXUP_TABLE)
		return insn->role == ROLE_JMP_INDIRECT && has_long_operand(insn) &&
		       fixup->at == fixup->end - 4;
	return (fixup->kind == FIXUP_EXIT || fixup->kind == FIXUP_BACK) && has_long_field(insn) &&
	       fixup->at == fixup->end - 4;
}

void translated_insn(struct validator *v, const struct path *path, const struct code_fixup **fixup)
{
	const struct code *code = v->code;
	const u8 *bytes = code->bytes + path->offset;
	u64 size = code->size - path->offset;
	const struct insn *twin = in_tree(v, path->pc);
	u32 at = field_behind(code, path->offset);

	*fixup = NULL;
	if (twin && is_copy(twin, bytes, size)) {
		*v->insn = *twin;
	} else if (decode_insn(bytes, size, path->offset, v->decoder, v->insn, NULL) != STATUS_OK) {
		refuse(v, STATUS_VALIDATE_CODE);
		return;
	}
	if (at < code->n_fixups && code->fixups[at].at < path->offset + v->insn->len) {
		*fixup = &code->fixups[at];
		if (at + 1 < code->n_fixups &&
		    code->fixups[at + 1].at < path->offset + v->insn->len)
			refuse(v, STATUS_VALIDATE_TABLE);
	}
	if (!field_fits(v->insn, path->offset, *fixup))
		refuse(v, STATUS_VALIDATE_TABLE);
	else if (v->insn->flags & INSN_RIP)
		v->insn->target = (*fixup)->target;
}
