/* SPDX-License-Identifier: MIT */
/*
 * mutate_code.c - see mutate_code.h. An instruction is varied by flipping bits until what decodes differs from what was there in
 * the one thing that is wanted, so there is no table of encodings here that could share a mistake with the engine's.
 */
#include "mutate_code.h"
#include "rnd.h"

#define TRIES 200
#define NOP 0x90

const char *const mutant_names[MUTANT_KINDS] = {
#define X(name, help) #name,
#include "mutants.def"
#undef X
};

const char *const mutant_help[MUTANT_KINDS] = {
#define X(name, help) help,
#include "mutants.def"
#undef X
};

static bool list_insns(struct mutant *m)
{
	const struct code *code = m->from;

	for (u32 at = 0; at < code->size; at += m->insns[m->n_insns++].len) {
		if (decode_insn(code->bytes + at, code->size - at, at, m->decoder,
		                &m->insns[m->n_insns], NULL))
			return false;
	}
	return true;
}

bool mutant_begin(struct mutant *m, const struct text *text, const struct code *from, void *decoder,
                  struct arena *arena)
{
	*m = (struct mutant){ .text = text, .from = from, .code = *from, .decoder = decoder };
	m->code.bytes = arena_alloc(arena, from->size, 1);
	m->code.fixups = arena_alloc(arena, from->n_fixups + 1, sizeof(*from->fixups));
	m->code.origins = arena_alloc(arena, from->n_origins, sizeof(*from->origins));
	m->code.states = arena_alloc(arena, from->n_states, sizeof(*from->states));
	m->code.pendings = arena_alloc(arena, from->n_pendings + 1, sizeof(*from->pendings));
	m->insns = arena_alloc(arena, from->size, sizeof(*m->insns));
	return m->code.bytes && m->code.fixups && m->code.origins && m->code.states &&
	       m->code.pendings && m->insns && list_insns(m);
}

static void reset(struct mutant *m)
{
	const struct code *from = m->from;

	memcpy(m->code.bytes, from->bytes, from->size);
	memcpy(m->code.fixups, from->fixups, from->n_fixups * sizeof(*from->fixups));
	memcpy(m->code.origins, from->origins, from->n_origins * sizeof(*from->origins));
	memcpy((void *)m->code.states, from->states, from->n_states * sizeof(*from->states));
	memcpy((void *)m->code.pendings, from->pendings,
	       from->n_pendings * sizeof(*from->pendings));
	m->code.n_fixups = from->n_fixups;
	m->code.n_origins = from->n_origins;
}

/* ---- code ---- */

static bool in_field(const struct mutant *m, u32 at)
{
	for (u32 i = 0; i < m->from->n_fixups; i++) {
		if (at - m->from->fixups[i].at < 4)
			return true;
	}
	return false;
}

static bool has_field(const struct mutant *m, const struct insn *insn)
{
	for (u32 i = 0; i < m->from->n_fixups; i++) {
		if (m->from->fixups[i].at - insn->addr < insn->len)
			return true;
	}
	return false;
}

static const struct insn *pick(const struct mutant *m, u64 *rnd)
{
	return &m->insns[rnd_below(rnd, m->n_insns)];
}

static bool change_bit(struct mutant *m, u64 *rnd)
{
	m->at = (u32)rnd_below(rnd, m->code.size);
	m->code.bytes[m->at] ^= (u8)(1u << rnd_below(rnd, 8));
	return !in_field(m, m->at);
}

static bool change_byte(struct mutant *m, u64 *rnd)
{
	m->at = (u32)rnd_below(rnd, m->code.size);
	m->code.bytes[m->at] = (u8)rnd_next(rnd);
	return !in_field(m, m->at) && m->code.bytes[m->at] != m->from->bytes[m->at];
}

static void forget_fields(struct mutant *m, u64 at, u32 len)
{
	u32 n = 0;

	for (u32 i = 0; i < m->code.n_fixups; i++) {
		if (m->code.fixups[i].at - at >= len)
			m->code.fixups[n++] = m->code.fixups[i];
	}
	m->code.n_fixups = n;
}

static bool change_drop(struct mutant *m, u64 *rnd)
{
	const struct insn *insn = pick(m, rnd);

	m->at = (u32)insn->addr;
	forget_fields(m, insn->addr, insn->len);
	memset(m->code.bytes + insn->addr, NOP, insn->len);
	return !(insn->flags & INSN_NOP);
}

static bool change_twice(struct mutant *m, u64 *rnd)
{
	const struct insn *insn = pick(m, rnd);
	u64 end = insn->addr + insn->len;

	m->at = (u32)insn->addr;
	if (insn + 1 == m->insns + m->n_insns || insn[1].len != insn->len || has_field(m, insn) ||
	    has_field(m, &insn[1]) || !memcmp(insn->bytes, insn[1].bytes, insn->len))
		return false;
	memcpy(m->code.bytes + end, insn->bytes, insn->len);
	return true;
}

/* Where an address within one of the two is when they have changed places. */
static u32 swapped(const struct insn *a, u32 at)
{
	u32 end = (u32)a->addr + a->len;

	return at < end ? at + a[1].len : at - a->len;
}

static bool change_swap(struct mutant *m, u64 *rnd)
{
	const struct insn *a = pick(m, rnd);
	u32 at = (u32)a->addr, len = a->len;

	m->at = at;
	if (a + 1 == m->insns + m->n_insns)
		return false;
	len += a[1].len;
	memcpy(m->code.bytes + at, a[1].bytes, a[1].len);
	memcpy(m->code.bytes + at + a[1].len, a->bytes, a->len);
	for (u32 i = 0; i < m->code.n_fixups; i++) {
		struct code_fixup *f = &m->code.fixups[i];

		if (f->at - at >= len)
			continue;
		f->end = swapped(a, f->at) + (f->end - f->at);
		f->at = swapped(a, f->at);
		if (i && m->code.fixups[i - 1].at > f->at) {
			struct code_fixup other = m->code.fixups[i - 1];

			m->code.fixups[i - 1] = *f;
			*f = other;
		}
	}
	for (u32 i = 1; i < m->code.n_origins; i++) {
		struct code_origin *o = &m->code.origins[i];

		if (o->at != at + a->len || o[-1].at != at)
			continue;
		o->at = at + a[1].len;
		if (rnd_chance(rnd, 50)) { /* what they stand for changes places, too */
			struct code_origin first = o[-1];

			o[-1].origin = o->origin;
			o[-1].state = o->state;
			o->origin = first.origin;
			o->state = first.state;
		}
		return a->len != a[1].len || memcmp(a->bytes, a[1].bytes, a->len);
	}
	return false;
}

/* ---- one instruction, another operand ---- */

static bool same_operands(const struct insn *a, const struct insn *b)
{
	return !memcmp(&a->use, &b->use, sizeof(a->use)) &&
	       !memcmp(&a->def, &b->def, sizeof(a->def)) && a->gpr_values == b->gpr_values &&
	       a->n_mem == b->n_mem && !memcmp(a->mem, b->mem, sizeof(a->mem));
}

static bool same_places(const struct insn *a, const struct insn *b)
{
	for (u32 i = 0; i < 2; i++) {
		if (a->mem[i].base != b->mem[i].base || a->mem[i].index != b->mem[i].index)
			return false;
	}
	return a->n_mem == b->n_mem;
}

static bool is_displacement(const struct insn *a, const struct insn *b)
{
	return a->mnemonic == b->mnemonic && a->n_mem && same_places(a, b) &&
	       a->mem[0].disp != b->mem[0].disp && a->gpr_values == b->gpr_values;
}

static bool is_immediate(const struct insn *a, const struct insn *b)
{
	return a->mnemonic == b->mnemonic && same_operands(a, b);
}

static bool is_register(const struct insn *a, const struct insn *b)
{
	return a->mnemonic == b->mnemonic && a->n_mem == b->n_mem &&
	       a->mem[0].disp == b->mem[0].disp && !same_operands(a, b);
}

static bool is_condition(const struct insn *a, const struct insn *b)
{
	if (a->role == ROLE_JCC)
		return b->role == ROLE_JCC && a->cc != b->cc;
	return a->mnemonic != b->mnemonic && a->flags_use != 0 && a->role == ROLE_PLAIN &&
	       a->opcode_at == b->opcode_at && same_operands(a, b);
}

static bool is_operation(const struct insn *a, const struct insn *b)
{
	return a->mnemonic != b->mnemonic;
}

static bool vary(struct mutant *m, bool (*wanted)(const struct insn *, const struct insn *),
                 u64 *rnd)
{
	for (u32 tries = 0; tries < TRIES; tries++) {
		const struct insn *insn = pick(m, rnd);
		u8 *bytes = m->code.bytes + insn->addr;
		struct insn varied;

		memcpy(bytes, insn->bytes, insn->len);
		for (u32 n = 1 + (u32)rnd_below(rnd, 3); n; n--) {
			u32 at = (u32)rnd_below(rnd, insn->len);

			if (!in_field(m, (u32)insn->addr + at))
				bytes[at] ^= (u8)(1u << rnd_below(rnd, 8));
		}
		m->at = (u32)insn->addr;
		if (memcmp(bytes, insn->bytes, insn->len) &&
		    !decode_insn(bytes, insn->len, insn->addr, m->decoder, &varied, NULL) &&
		    varied.len == insn->len && wanted(insn, &varied))
			return true;
		memcpy(bytes, insn->bytes, insn->len);
	}
	return false;
}

static bool change_displacement(struct mutant *m, u64 *rnd)
{
	return vary(m, is_displacement, rnd);
}

static bool change_immediate(struct mutant *m, u64 *rnd)
{
	return vary(m, is_immediate, rnd);
}

static bool change_registers(struct mutant *m, u64 *rnd)
{
	return vary(m, is_register, rnd);
}

static bool is_width(const struct insn *a, const struct insn *b)
{
	return a->mnemonic == b->mnemonic && same_places(a, b) && a->use.gpr == b->use.gpr &&
	       a->def.gpr == b->def.gpr && a->mem[0].disp == b->mem[0].disp &&
	       (a->full.gpr != b->full.gpr || a->mem[0].size != b->mem[0].size);
}

static bool change_width(struct mutant *m, u64 *rnd)
{
	return vary(m, is_width, rnd);
}

/* Bits 0 to 2 and 3 to 5 of a byte name registers in ModRM and in SIB; a prefix in front may have a bit for each. */
static bool change_exchange(struct mutant *m, u64 *rnd)
{
	for (u32 tries = 0; tries < TRIES; tries++) {
		const struct insn *insn = pick(m, rnd);
		u8 *bytes = m->code.bytes + insn->addr;
		u32 at = insn->opcode_at + 1 + (u32)rnd_below(rnd, 3);
		u8 byte = bytes[at < insn->len ? at : 0],
		   rex = insn->opcode_at ? insn->opcode_at - 1 : 0;
		struct insn varied;

		if (at >= insn->len || in_field(m, (u32)insn->addr + at))
			continue;
		bytes[at] = (u8)((byte & 0xc0) | (byte & 7) << 3 | (byte >> 3 & 7));
		if (insn->opcode_at && rnd_chance(rnd, 50))
			bytes[rex] = (u8)((bytes[rex] & 0xf8) | (bytes[rex] & 1) << 2 |
			                  (bytes[rex] & 2) | (bytes[rex] >> 2 & 1));
		m->at = (u32)insn->addr;
		if (!decode_insn(bytes, insn->len, insn->addr, m->decoder, &varied, NULL) &&
		    varied.len == insn->len && varied.mnemonic == insn->mnemonic &&
		    !same_operands(insn, &varied))
			return true;
		memcpy(bytes, insn->bytes, insn->len);
	}
	return false;
}

static bool change_condition(struct mutant *m, u64 *rnd)
{
	return vary(m, is_condition, rnd);
}

static bool change_operation(struct mutant *m, u64 *rnd)
{
	return vary(m, is_operation, rnd);
}

static bool change_jump(struct mutant *m, u64 *rnd)
{
	for (u32 tries = 0; tries < TRIES; tries++) {
		const struct insn *insn = pick(m, rnd), *to = pick(m, rnd);
		bool near = insn->len < JMP_REL32_LEN;
		s64 distance = (s64)to->addr - (s64)(insn->addr + insn->len);
		s32 value = (s32)distance;
		u8 *end = m->code.bytes + insn->addr + insn->len;

		if ((insn->role != ROLE_JMP && insn->role != ROLE_JCC && insn->role != ROLE_COUNT &&
		     insn->role != ROLE_CALL) ||
		    has_field(m, insn) || insn->target == to->addr ||
		    (near && distance != (s8)distance))
			continue;
		m->at = (u32)insn->addr;
		memcpy(end - (near ? 1 : 4), &value, near ? 1 : 4);
		return true;
	}
	return false;
}

/* ---- address fields ---- */

static struct code_fixup *pick_field(struct mutant *m, u64 *rnd)
{
	if (!m->code.n_fixups)
		return NULL;
	m->at = (u32)rnd_below(rnd, m->code.n_fixups);
	return &m->code.fixups[m->at];
}

static bool change_target(struct mutant *m, u64 *rnd)
{
	struct code_fixup *f = pick_field(m, rnd);
	u64 old = f ? f->target : 0;

	if (!f)
		return false;
	switch (rnd_below(rnd, 4)) {
	case 0:
		f->target += rnd_below(rnd, 33) - 16;
		break;
	case 1:
		f->target = m->code.fixups[rnd_below(rnd, m->code.n_fixups)].target;
		break;
	case 2:
		f->target = m->code.origins[rnd_below(rnd, m->code.n_origins)].origin;
		break;
	default:
		f->target ^= 1ull << rnd_below(rnd, 24);
		break;
	}
	return f->target != old;
}

static bool change_class(struct mutant *m, u64 *rnd)
{
	struct code_fixup *f = pick_field(m, rnd);

	if (!f)
		return false;
	f->kind = (u8)((f->kind + 1 + rnd_below(rnd, FIXUP_TABLE)) % (FIXUP_TABLE + 1));
	if (f->kind == FIXUP_BACK)
		f->to = (u32)pick(m, rnd)->addr;
	return true;
}

static bool change_field(struct mutant *m, u64 *rnd)
{
	struct code_fixup *f = pick_field(m, rnd);
	u32 by = 1 + (u32)rnd_below(rnd, 4);

	if (!f)
		return false;
	by = rnd_chance(rnd, 50) ? by : 0 - by;
	switch (rnd_below(rnd, 3)) {
	case 0:
		f->at += by;
		break;
	case 1:
		f->end += by;
		break;
	default:
		f->at += by;
		f->end += by;
		break;
	}
	return true;
}

static bool change_lost(struct mutant *m, u64 *rnd)
{
	struct code_fixup *f = pick_field(m, rnd);

	if (!f)
		return false;
	forget_fields(m, f->at, 1);
	return true;
}

static bool change_back(struct mutant *m, u64 *rnd)
{
	for (u32 tries = 0; tries < TRIES; tries++) {
		struct code_fixup *f = pick_field(m, rnd);
		u32 to = (u32)pick(m, rnd)->addr, *what;

		if (!f || f->kind != FIXUP_BACK)
			continue;
		what = f->cut && rnd_chance(rnd, 50) ? &f->cut : &f->to;
		if (what == &f->cut && rnd_chance(rnd, 30))
			to = 0;
		if (*what == to)
			continue;
		*what = to;
		return true;
	}
	return false;
}

static bool change_shadow(struct mutant *m, u64 *rnd)
{
	for (u32 tries = 0; tries < TRIES; tries++) {
		struct code_fixup *f = pick_field(m, rnd);
		u64 old = f ? f->target : 0;
		u32 by = 4u << rnd_below(rnd, 4);

		if (!f || f->kind != FIXUP_TABLE)
			continue;
		if (rnd_chance(rnd, 50)) {
			f->to += rnd_chance(rnd, 50) ? by : 0 - by;
			return true;
		}
		f->target = m->text->tables[rnd_below(rnd, m->text->n_tables)].addr;
		if (f->target != old)
			return true;
	}
	return false;
}

/* ---- the origin table ---- */

static bool change_origin(struct mutant *m, u64 *rnd)
{
	u32 i = (u32)rnd_below(rnd, m->code.n_origins);
	struct code_origin *o = &m->code.origins[i];
	u64 old = o->origin;

	m->at = i;
	switch (rnd_below(rnd, 3)) {
	case 0: /* a neighbour's */
		i += rnd_chance(rnd, 50) ? 1u : ~0u;
		if (i >= m->code.n_origins)
			return false;
		o->origin = m->code.origins[i].origin;
		break;
	case 1:
		o->origin = m->code.origins[rnd_below(rnd, m->code.n_origins)].origin;
		break;
	default:
		o->origin += rnd_below(rnd, 17) - 8;
		break;
	}
	return o->origin != old;
}

static bool change_row(struct mutant *m, u64 *rnd)
{
	u32 i = (u32)rnd_below(rnd, m->code.n_origins);
	struct code_origin *o = m->code.origins;

	m->at = i;
	if (!i)
		return false;
	if (rnd_chance(rnd, 40)) {
		u32 low = o[i - 1].at, end = i + 1 < m->code.n_origins ? o[i + 1].at : m->code.size;
		u32 old = o[i].at;

		o[i].at = low + 1 + (u32)rnd_below(rnd, end - low - 1);
		return o[i].at != old;
	}
	memmove(o + i, o + i + 1, (m->code.n_origins - i - 1) * sizeof(*o));
	m->code.n_origins--;
	return true;
}

static bool change_state(struct mutant *m, u64 *rnd)
{
	u32 i = (u32)rnd_below(rnd, m->code.n_origins), old = m->code.origins[i].state;

	m->at = i;
	m->code.origins[i].state = (u32)rnd_below(rnd, m->code.n_states);
	return m->code.origins[i].state != old;
}

/* ---- states ---- */

/* A state that a row has, so that the change is one. */
static struct ir_state *pick_state(struct mutant *m, u64 *rnd)
{
	m->at = m->code.origins[rnd_below(rnd, m->code.n_origins)].state;
	return m->at ? (struct ir_state *)m->code.states + m->at : NULL;
}

static bool change_rsp(struct mutant *m, u64 *rnd)
{
	struct ir_state *s = pick_state(m, rnd);
	s32 by = 8 << rnd_below(rnd, 4);

	if (!s)
		return false;
	s->rsp += rnd_chance(rnd, 20) ? 1 : rnd_chance(rnd, 50) ? by : -by;
	return true;
}

static bool change_pending(struct mutant *m, u64 *rnd)
{
	struct ir_state *s = pick_state(m, rnd);
	struct ir_pending *p;

	if (!s || !s->n)
		return false;
	p = (struct ir_pending *)m->code.pendings + s->first + rnd_below(rnd, s->n);
	switch (rnd_below(rnd, 5)) {
	case 0:
		p->at += rnd_chance(rnd, 50) ? 8 : -8;
		return true;
	case 1:
		if (p->kind == PENDING_RESULT)
			p->value ^= (u64)1 << rnd_below(rnd, 8u * (u32)p->at);
		else
			p->value += 1 + rnd_below(rnd, 8);
		return p->kind == PENDING_RETURN || p->kind == PENDING_RESULT;
	case 2:
		p->value = m->code.origins[rnd_below(rnd, m->code.n_origins)].origin;
		return p->kind == PENDING_RETURN &&
		       p->value != m->from->pendings[p - m->code.pendings].value;
	case 3:
		p->kind = (u8)((p->kind + 1 + rnd_below(rnd, 3)) % 4);
		p->reg = (u8)rnd_below(rnd, 16);
		return true;
	default:
		p->reg = (u8)((p->reg + 1 + rnd_below(rnd, 15)) % 16);
		return p->kind != PENDING_RETURN;
	}
}

static bool change_owes(struct mutant *m, u64 *rnd)
{
	struct ir_state *s = pick_state(m, rnd);
	struct ir_state old;

	if (!s)
		return false;
	old = *s;
	switch (rnd_below(rnd, 3)) {
	case 0:
		s->n -= s->n > 0;
		break;
	case 1:
		s->n++;
		break;
	default:
		s->first = (u32)rnd_below(rnd, m->code.n_pendings + 1u);
		break;
	}
	return s->n != old.n || (s->n && s->first != old.first);
}

bool mutant_make(struct mutant *m, enum mutant_kind kind, u64 *rnd)
{
	static bool (*const changes[MUTANT_KINDS])(struct mutant *, u64 *) = {
#define X(name, help) change_##name,
#include "mutants.def"
#undef X
	};

	for (u32 tries = 0; tries < 32; tries++) {
		reset(m);
		if (changes[kind](m, rnd))
			return true;
	}
	return false;
}
