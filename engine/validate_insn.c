/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * validate_insn.c - what one instruction does to a machine's symbolic state, the same for both sides.
 *
 * Interpreted is only what moves values as they are between registers and memory, and what adds constants; every other
 * instruction is an unknown function: of its bytes, less those that only form addresses, and of all it reads. Whatever
 * accesses memory, can fault or is ordered reads and yields EVENTS, so equal EVENTS mean an equal history.
 *
 * Accesses to the stack of inlined calls, and below the original's red zone, may be no events (validate_stack.c).
 */
#include "validate_private.h"

#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1

/* ---- memory ---- */

u32 insn_address(struct validator *v, const struct machine *m, const struct insn *insn, u32 number)
{
	const struct insn_mem *mem = &insn->mem[number];
	u32 address;

	if (mem->base == MEM_NO_REG && (insn->flags & INSN_RIP) && mem->index == MEM_NO_REG)
		return value_text(&v->values, insn->target);
	address = mem->base == MEM_NO_REG ? value_of(&v->values, 0, 0) : m->v[mem->base];
	if (mem->index != MEM_NO_REG)
		address = value_pair(&v->values, address, m->v[mem->index], mem->scale);
	return value_plus(&v->values, address, mem->disp);
}

/* How deep the original uses the stack of inlined calls. What points below rsp may point anywhere into its red zone. */
void note_depth(struct validator *v, struct path *path, u32 address, bool access)
{
	struct sum at = value_sum(&v->values, address);
	struct sum rsp = value_sum(&v->values, path->original.v[GPR_SP]);

	if (at.atom != rsp.atom && !value_has(&v->values, address, rsp.atom))
		return;
	if (access && at.atom == rsp.atom)
		path->low = at.c < path->low ? at.c : path->low;
	else if (at.c < rsp.c && rsp.c - RED_ZONE < path->low)
		path->low = rsp.c - RED_ZONE;
}

/* ---- the unknown function ---- */

static void add_bytes(struct node *node, const u8 *bytes, u32 n)
{
	u32 word[4] = { 0 };

	memcpy(word, bytes, n);
	node_add(node, n);
	for (u32 i = 0; i < (n + 3) / 4; i++)
		node_add(node, word[i]);
}

static bool is_vex(const struct insn *insn)
{
	for (u32 i = 0; i < insn->opcode_at; i++)
		if (insn->bytes[i] == 0xc4 || insn->bytes[i] == 0xc5 || insn->bytes[i] == 0x62 ||
		    insn->bytes[i] == 0x8f)
			return true;
	return false;
}

/* Offset of ModRM if it names a memory operand; 0: it does not, or there is none. */
static u32 modrm_of_memory(const struct insn *insn)
{
	static const u8 implicit[] = { 0x68, 0x6a, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5,
		                       0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,
		                       0xc2, 0xc3, 0xc8, 0xc9, 0xd7, 0xe8, 0x9c, 0x9d };
	u32 at = insn->opcode_at;
	const u8 *opcode = insn->bytes + at;

	if (!insn->n_mem || (insn->flags & INSN_OPAQUE))
		return 0;
	if (is_vex(insn)) {
		at += 1;
	} else if (opcode[0] != 0x0f) {
		if ((opcode[0] & 0xf0) == 0x50)
			return 0;
		for (u32 i = 0; i < sizeof(implicit); i++)
			if (opcode[0] == implicit[i])
				return 0;
		at += 1;
	} else {
		if ((opcode[1] & 0xc7) == 0x80 || opcode[1] == 0xa0 || opcode[1] == 0xa1 ||
		    opcode[1] == 0xa8 || opcode[1] == 0xa9)
			return 0;
		at += opcode[1] == 0x38 || opcode[1] == 0x3a ? 3 : 2;
	}
	return at < insn->len && insn->bytes[at] < 0xc0 ? at : 0;
}

/* Does ModRM, of a memory operand, name one of the byte registers, which REX gives other names to? */
static bool names_byte(const u8 *opcode)
{
	if (opcode[0] == 0x0f)
		return opcode[1] == 0xb0 || opcode[1] == 0xc0;
	return (opcode[0] < 0x40 && !(opcode[0] & 5)) || opcode[0] == 0x84 || opcode[0] == 0x86 ||
	       opcode[0] == 0x88 || opcode[0] == 0x8a;
}

/* A REX prefix that says nothing any more. */
static bool has_empty_rex(const struct insn *insn, const u8 *bytes)
{
	return insn->opcode_at && bytes[insn->opcode_at - 1] == 0x40 && !is_vex(insn) &&
	       !names_byte(insn->bytes + insn->opcode_at);
}

/*
 * The operation: bytes without displacement, and without the registers that do nothing but form the address, which is
 * an input of its own. Accesses whose place the address does not tell keep the registers.
 */
static void add_operation(struct node *node, const struct insn *insn)
{
	u32 at = modrm_of_memory(insn), n = at, tail;
	const u8 *modrm = insn->bytes + at;
	bool vague = (insn->mem[0].load || insn->mem[0].store) && insn->mem[0].size == 0;
	bool sib = at && (modrm[0] & 7) == 4;
	u8 bytes[INSN_MAX_LEN + 1];
	u32 disp;

	if (!at) { /* of a counting branch less the distance */
		add_bytes(node, insn->bytes, insn->len - (insn->role == ROLE_COUNT ? 1u : 0u));
		return;
	}
	switch (modrm[0] >> 6) {
	case 0:
		disp = (modrm[0] & 7) == 5 || (sib && (modrm[1] & 7) == 5) ? 4 : 0;
		break;
	case 1:
		disp = 1;
		break;
	default:
		disp = 4;
		break;
	}
	tail = at + 1 + sib + disp;
	if (tail > insn->len) {
		add_bytes(node, insn->bytes, insn->len);
		return;
	}
	memcpy(bytes, insn->bytes, at);
	bytes[n++] = modrm[0] & (vague ? 0x3f : 0x38);
	if (vague && sib)
		bytes[n++] = modrm[1];
	if (!vague && !is_vex(insn) && insn->opcode_at &&
	    (insn->bytes[insn->opcode_at - 1] & 0xf0) == 0x40)
		bytes[insn->opcode_at - 1] &= (u8) ~(REX_X | REX_B);
	memcpy(bytes + n, insn->bytes + tail, insn->len - tail);
	n += insn->len - tail;
	if (has_empty_rex(insn, bytes)) {
		memmove(bytes + insn->opcode_at - 1, bytes + insn->opcode_at, n - insn->opcode_at);
		n--;
	}
	add_bytes(node, bytes, n);
	node_add(node, insn->mem[0].segment);
}

static void add_bare_operation(struct node *node, const struct insn *insn,
                               const struct operands *operands)
{
	u8 bytes[INSN_MAX_LEN + 1] = { 0 };
	u32 n = operands_operation(insn, operands, bytes);

	add_bytes(node, bytes, n);
}

static void add_set(struct node *node, const struct machine *m, u32 first, u32 set)
{
	for (u32 i = 0; set; i++, set >>= 1)
		if (set & 1)
			node_add(node, m->v[first + i]);
}

static const u16 flag_bits[N_FLAGS] = { FLAG_CF, FLAG_PF, FLAG_AF, FLAG_ZF,
	                                FLAG_SF, FLAG_DF, FLAG_OF };

static u32 flag_set(u16 flags)
{
	u32 set = 0;

	for (u32 i = 0; i < N_FLAGS; i++)
		set |= flags & flag_bits[i] ? 1u << i : 0;
	return set;
}

static bool has_event(const struct insn *insn)
{
	return insn->flags & (INSN_LOAD | INSN_STORE | INSN_LOCKED | INSN_FENCE | INSN_FAULTS |
	                      INSN_FLOAT | INSN_OPAQUE);
}

static void add_addresses(struct validator *v, struct path *path, bool translated,
                          const struct insn *insn)
{
	struct machine *m = translated ? &path->translated : &path->original;

	for (u32 i = 0; i < insn->n_mem; i++) {
		const struct insn_mem *mem = &insn->mem[i];
		u32 address = insn_address(v, m, insn, i);
		bool access = mem->load || mem->store;

		node_add(v->node, address);
		node_add(v->node, access && mem_by_stack(mem));
		if (!translated)
			note_depth(v, path, address, access);
		if (access && touches_return(path, value_sum(&v->values, address), mem->size))
			refuse(v, STATUS_VALIDATE_SLOT);
	}
}

static void write_set(struct machine *m, u32 number, u32 first, u32 set)
{
	for (u32 i = 0; set; i++, set >>= 1)
		if (set & 1)
			m->v[first + i] = number << SLOT_BITS | (first + i);
}

/* What a shift by cl leaves in its register does not depend on the flags that it may keep. */
static u32 shift_number(struct validator *v, const struct machine *m, const struct insn *insn)
{
	node_begin(v->node, NODE_INSN);
	add_operation(v->node, insn);
	add_set(v->node, m, SLOT_GPR, insn->gpr_values);
	return node_number(&v->values, v->node);
}

/* Returns the node's number. */
static u32 apply_unknown(struct validator *v, struct path *path, bool translated,
                         const struct insn *insn)
{
	struct machine *m = translated ? &path->translated : &path->original;
	bool shift = !insn->n_mem && flags_kept_by(insn);
	u32 result = shift ? shift_number(v, m, insn) : 0;
	struct node *node = v->node;
	struct operands operands;
	bool named = !operands_of(insn, &operands);
	u32 number;

	if (path->n_returns && (insn->flags & INSN_OPAQUE))
		refuse(v, STATUS_VALIDATE_SLOT);
	for (u32 i = 0; i < insn->n_mem; i++)
		if (insn->mem[i].load || insn->mem[i].store)
			stack_access(v, path, translated, insn_address(v, m, insn, i),
			             insn->mem[i].size);
	node_begin(node, named ? NODE_INSN : NODE_OPERANDS);
	if (named)
		add_operation(node, insn);
	else
		add_bare_operation(node, insn, &operands);
	add_addresses(v, path, translated, insn);
	if (named)
		add_set(node, m, SLOT_GPR, insn->gpr_values);
	else
		operands_add(v, m, insn, &operands);
	add_set(node, m, SLOT_VEC, insn->use.vec);
	add_set(node, m, SLOT_MASK, insn->use.mask);
	add_set(node, m, SLOT_OTHER, insn->use.other & 0xf);
	add_set(node, m, SLOT_FLAGS, flag_set(insn->flags_use));
	if (has_event(insn))
		node_add(node, m->v[SLOT_EVENTS]);
	number = node_number(&v->values, node);
	write_set(m, shift ? result : number, SLOT_GPR, insn->def.gpr);
	write_set(m, number, SLOT_VEC, insn->def.vec);
	write_set(m, number, SLOT_MASK, insn->def.mask);
	write_set(m, number, SLOT_OTHER, insn->def.other & 0xf);
	write_set(m, number, SLOT_FLAGS, flag_set(insn->flags_def));
	if (has_event(insn))
		m->v[SLOT_EVENTS] = number << SLOT_BITS | SLOT_EVENTS;
	return number;
}

u32 insn_condition(struct validator *v, const struct machine *m, const struct insn *insn)
{
	node_begin(v->node, NODE_TEST);
	node_add(v->node, insn->cc >> 1);
	add_set(v->node, m, SLOT_FLAGS, flag_set(insn->flags_use));
	return node_number(&v->values, v->node) << SLOT_BITS;
}

/* ---- what is interpreted ---- */

/* An instruction of 64-bit operands without prefixes that mean anything but rex. */
struct shape {
	const u8 *at; /* opcode */
	u32 n;
	u8 rex;
	bool plain;
};

static struct shape shape_of(const struct insn *insn)
{
	struct shape s = { insn->bytes, insn->len, 0, false };

	while (s.n > 1 &&
	       (s.at[0] == 0x2e || s.at[0] == 0x3e || s.at[0] == 0x26 || s.at[0] == 0x36))
		s.at++, s.n--;
	if (s.n > 1 && (s.at[0] & 0xf0) == 0x40)
		s.rex = *s.at++, s.n--;
	s.plain = (u32)(s.at - insn->bytes) == insn->opcode_at && !(insn->flags & INSN_OPAQUE);
	return s;
}

static s64 signed_bytes(const u8 *at, u32 n)
{
	s32 value = 0;

	if (n == 1)
		return (s8)at[0];
	memcpy(&value, at, 4);
	return value;
}

struct step {
	struct validator *v;
	struct path *path;
	struct machine *m;
	const struct insn *insn;
	struct shape s;
	bool translated;
};

static u8 low_reg(const struct step *t)
{
	return (u8)((t->s.at[0] & 7) | (t->s.rex & REX_B ? 8 : 0));
}

static u8 modrm_reg(const struct step *t)
{
	return (u8)((t->s.at[1] >> 3 & 7) | (t->s.rex & REX_R ? 8 : 0));
}

static u8 modrm_rm(const struct step *t)
{
	return (u8)((t->s.at[1] & 7) | (t->s.rex & REX_B ? 8 : 0));
}

static u32 operand(const struct step *t)
{
	return insn_address(t->v, t->m, t->insn, 0);
}

static void push(const struct step *t, u32 value)
{
	u32 rsp = value_plus(&t->v->values, t->m->v[GPR_SP], -WORD);

	memory_store(t->v, t->path, t->translated, rsp, value);
	t->m->v[GPR_SP] = rsp;
}

static u32 pop(const struct step *t)
{
	u32 rsp = t->m->v[GPR_SP];
	u32 value = memory_load(t->v, t->path, t->translated, rsp);

	t->m->v[GPR_SP] = value_plus(&t->v->values, rsp, WORD);
	return value;
}

/* add, sub r64, imm: 83 ib, 81 id, /0 and /5. Its flags are those of the unknown function. */
static bool add_constant(const struct step *t)
{
	u8 group = t->s.at[1] >> 3 & 7, reg = modrm_rm(t);
	u32 old = t->m->v[reg];
	s64 c;

	if (t->s.at[1] < 0xc0 || (group != 0 && group != 5))
		return false;
	c = signed_bytes(t->s.at + 2, t->s.at[0] == 0x83 ? 1 : 4);
	apply_unknown(t->v, t->path, t->translated, t->insn);
	t->m->v[reg] = value_plus(&t->v->values, old, group ? -c : c);
	return true;
}

/* mov r32, r32 */
static bool move_narrow(const struct step *t)
{
	bool to_rm = t->s.at[0] == 0x89;
	u8 reg = modrm_reg(t), rm = modrm_rm(t);

	if ((!to_rm && t->s.at[0] != 0x8b) || t->s.at[1] < 0xc0)
		return false;
	t->m->v[to_rm ? rm : reg] = value_zero(&t->v->values, t->m->v[to_rm ? reg : rm]);
	return true;
}

static bool move(const struct step *t)
{
	bool to_rm = t->s.at[0] == 0x89;
	u8 reg = modrm_reg(t);
	u32 address;

	if (t->s.at[1] >= 0xc0) {
		u8 rm = modrm_rm(t);

		t->m->v[to_rm ? rm : reg] = t->m->v[to_rm ? reg : rm];
		return true;
	}
	if (t->insn->mem[0].segment)
		return false;
	address = operand(t);
	if (to_rm)
		memory_store(t->v, t->path, t->translated, address, t->m->v[reg]);
	else
		t->m->v[reg] = memory_load(t->v, t->path, t->translated, address);
	return true;
}

static bool store_constant(const struct step *t)
{
	u32 value;

	if (t->s.at[1] >= 0xc0 || (t->s.at[1] >> 3 & 7) != 0 || t->insn->mem[0].segment)
		return false;
	value = value_of(&t->v->values, 0, signed_bytes(t->insn->bytes + t->insn->len - 4, 4));
	memory_store(t->v, t->path, t->translated, operand(t), value);
	return true;
}

static bool interpret_stack(const struct step *t)
{
	u8 opcode = t->s.at[0], reg = low_reg(t);
	u32 value;

	switch (opcode) {
	case 0x50 ... 0x57:
		push(t, t->m->v[reg]);
		return true;
	case 0x58 ... 0x5f:
		if (reg == GPR_SP)
			return false;
		value = pop(t);
		t->m->v[reg] = value;
		return true;
	case 0x68:
	case 0x6a:
		push(t,
		     value_of(&t->v->values, 0, signed_bytes(t->s.at + 1, opcode == 0x6a ? 1 : 4)));
		return true;
	case 0xc9:
		t->m->v[GPR_SP] = t->m->v[GPR_BP];
		value = pop(t);
		t->m->v[GPR_BP] = value;
		return true;
	default:
		return false;
	}
}

/* What is known of more than its name. */
static bool make_value(const struct step *t)
{
	u32 value;
	u8 reg;

	if (!integer_value(t->v, t->m, t->insn, &reg, &value))
		return false;
	if (t->insn->flags_def)
		apply_unknown(t->v, t->path, t->translated, t->insn);
	t->m->v[reg] = value;
	return true;
}

static bool interpret(const struct step *t)
{
	if (make_value(t))
		return true;
	if (!t->s.plain)
		return false;
	if (interpret_stack(t))
		return true;
	if (!(t->s.rex & REX_W))
		return move_narrow(t);
	switch (t->s.at[0]) {
	case 0x81:
	case 0x83:
		return add_constant(t);
	case 0x89:
	case 0x8b:
		return move(t);
	case 0x8d:
		t->m->v[modrm_reg(t)] = operand(t);
		return true;
	case 0xc7:
		return store_constant(t);
	default:
		return false;
	}
}

/* Pointers below rsp, and rsp itself, tell how deep the original uses the stack. */
static void note_registers(struct validator *v, struct path *path, u16 written)
{
	for (u32 i = 0; i < 16; i++)
		if (written >> i & 1)
			note_depth(v, path, path->original.v[i], i == GPR_SP);
}

static void execute_unknown(struct validator *v, struct path *path, bool translated,
                            const struct insn *insn)
{
	if (insn->gpr_values >> GPR_SP & 1)
		stack_reveal(v, path, translated);
	apply_unknown(v, path, translated, insn);
}

void insn_execute(struct validator *v, struct path *path, bool translated, const struct insn *insn,
                  u32 *condition)
{
	struct step step = { v,    path,           translated ? &path->translated : &path->original,
		             insn, shape_of(insn), translated };

	if (insn->flags & INSN_NOP)
		return;
	v->by_stack = insn->n_mem && mem_by_stack(&insn->mem[0]);
	if (condition)
		*condition = apply_unknown(v, path, translated, insn) << SLOT_BITS | SLOT_CONDITION;
	else if (!interpret(&step))
		execute_unknown(v, path, translated, insn);
	integer_flags(v, step.m, insn);
	stack_escape(v, path, translated, insn->def.gpr);
	if (translated)
		return;
	if (!flags_kept_by(insn))
		path->stale &= (u16)~insn->flags_def;
	if (path->n_returns)
		note_registers(v, path, insn->def.gpr);
}

void insn_make(struct validator *v, struct path *path, const struct insn *insn, struct machine *m)
{
	struct machine kept = path->translated;
	struct step step = { v, path, &path->translated, insn, shape_of(insn), true };

	path->translated = *m;
	if (!interpret(&step))
		apply_unknown(v, path, true, insn);
	*m = path->translated;
	path->translated = kept;
}
