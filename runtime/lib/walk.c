/* SPDX-License-Identifier: MIT */
/*
 * walk.c - see walk.h: one instruction after the other, and where control goes.
 */
#include "walk.h"

#include "walk_native.h"
#include "walk_private.h"

#define RCX 1
#define RSP 4
#define JRCXZ 0xe3
#define LOOP 0xe2

void walk_begin_round(struct walk *w)
{
	if (w->n_code)
		memset(w->places, 0, sizeof(w->places));
	w->n_code = w->last = 0;
	if (w->native)
		walk_native_forget(w->native);
}

/* The place of the instruction at addr, or the free one that it is to take. */
static u16 *place_of(struct walk *w, u64 addr)
{
	u32 i = (u32)((addr * 0x9e3779b97f4a7c15u) >> 40) & (WALK_PLACES - 1);

	while (w->places[i] && w->code[w->places[i] - 1u].insn.addr != addr)
		i = (i + 1) & (WALK_PLACES - 1);
	return &w->places[i];
}

/* Decodes one that is not there yet; false: it cannot be read, or decoded; w->end says which. */
static bool add_code(struct walk *w, u64 addr, u16 *place)
{
	struct failure fail = { STATUS_OK, 0, 0 };
	struct walk_code *code = &w->code[w->n_code];
	u8 bytes[INSN_MAX_LEN];
	u32 n = w->world->code(w->world->ctx, addr, bytes, sizeof(bytes));

	w->end = n ? WALK_SYSTEM : WALK_UNREAD;
	if (!n || decode_insn(bytes, n, addr, w->decoder, &code->insn, &fail))
		return false;
	code->form = walk_form(&code->insn);
	code->behind = code->slot = 0;
	*place = (u16)++w->n_code;
	w->end = WALK_LIMIT;
	return true;
}

/* The instruction at addr, which comes behind w->last; NULL: w->end says why. */
static struct walk_code *code_at(struct walk *w, u64 addr)
{
	u32 at = w->code[w->last].behind;
	u16 *place;

	if (at < w->n_code && w->code[at].insn.addr == addr) {
		w->last = at;
		return &w->code[at];
	}
	place = place_of(w, addr);
	if (!*place && w->n_code == WALK_CODE) {
		walk_begin_round(w);
		place = place_of(w, addr);
	}
	if (!*place && !add_code(w, addr, place))
		return NULL;
	at = *place - 1u;
	w->code[w->last].behind = (u16)at;
	w->last = at;
	return &w->code[at];
}

/* ---- what is not among the forms that are executed ---- */

/* Something unknown is written to an operand in memory. */
static void spoil_memory(struct walk_step *s, u32 number)
{
	const struct insn_mem *mem = &s->insn->mem[number];
	bool known;
	u64 addr = walk_address(s->w, s->insn, number, &known);

	if (!mem->size || !known) {
		walk_stop(s, WALK_STORE);
		return;
	}
	for (u32 at = 0; at < mem->size && !s->ended; at += 8)
		walk_store_bytes(s, addr + at, (struct walk_word){ 0, 0 },
		                 mem->size - at < 8 ? mem->size - at : 8);
}

static void spoil(struct walk_step *s)
{
	const struct insn *insn = s->insn;
	struct walk_machine *m = &s->w->m;

	if (insn->flags & (INSN_OPAQUE | INSN_REP)) {
		walk_stop(s, WALK_SYSTEM);
		return;
	}
	for (u32 i = 0; i < insn->n_mem && !s->ended; i++)
		if (insn->mem[i].store)
			spoil_memory(s, i);
	for (u32 i = 0; i < 16 && !s->ended; i++) {
		if (insn->def.gpr >> i & 1)
			m->gpr[i].known = 0;
	}
	for (u32 i = 0; i < WALK_VECTORS && !s->ended; i++)
		if (insn->def.vec >> i & 1)
			m->vec_known[i] = 0;
	for (u32 i = 0; i < 8 && !s->ended; i++)
		if (insn->def.mask >> i & 1)
			m->mask[i].known = 0;
	m->flags_known &= (u16)~insn->flags_def;
}

/* ---- where control goes ---- */

/* Goes on at `to`. */
static void go(struct walk_step *s, u64 *start, u64 to)
{
	struct walk *w = s->w;

	w->world->run(w->world->ctx, *start, s->insn->addr, to);
	w->n_runs++;
	*start = w->m.rip = to;
}

static void branch(struct walk_step *s, u64 *start)
{
	struct walk_word *rcx = &s->w->m.gpr[RCX];
	u8 op = s->insn->bytes[s->insn->opcode_at];
	bool known, taken;

	if (s->insn->role == ROLE_JCC) {
		known = walk_condition(&s->w->m, s->insn->cc, &taken);
	} else {
		known = rcx->known == WALK_ALL && (op == JRCXZ || op == LOOP) &&
		        s->insn->bytes[0] != 0x67;
		taken = op == JRCXZ ? !rcx->value : rcx->value != 1;
		if (known && op == LOOP)
			rcx->value--;
	}
	if (!known)
		walk_stop(s, WALK_WAY);
	else if (taken)
		go(s, start, s->insn->target);
	else
		s->w->m.rip += s->insn->len;
}

/* Where an indirect branch leads to. */
static struct walk_value destination(struct walk_step *s)
{
	if (s->memory)
		return walk_load(s, s->addr, s->addr_known, 8);
	return (struct walk_value){ s->w->m.gpr[walk_rm_field(s)].value,
		                    s->w->m.gpr[walk_rm_field(s)].known == WALK_ALL };
}

static void transfer(struct walk_step *s, u64 *start)
{
	const struct insn *insn = s->insn;
	struct walk_value to = walk_known(insn->target);
	u16 gone = 0;

	if (insn->role == ROLE_JMP_INDIRECT || insn->role == ROLE_CALL_INDIRECT)
		to = destination(s);
	if (insn->role == ROLE_RET)
		to = walk_return_address(s);
	if (!to.known || !to.v) {
		walk_stop(s, WALK_WAY);
		return;
	}
	if (insn->role == ROLE_RET) {
		if (*s->op == 0xc2)
			memcpy(&gone, s->op + 1, sizeof(gone));
		s->w->m.gpr[RSP].value += 8u + gone;
	}
	if (insn->role == ROLE_CALL || insn->role == ROLE_CALL_INDIRECT)
		walk_push(s, walk_known(insn->addr + insn->len));
	if (!s->ended)
		go(s, start, to.v);
}

/* An instruction that is to be executed now. */
static struct walk_step begin(struct walk *w, struct walk_code *code)
{
	const struct insn *insn = &code->insn;
	const struct walk_form *form = &code->form;
	struct walk_step s = { .w = w,
		               .insn = insn,
		               .code = code,
		               .form = form,
		               .op = insn->bytes + insn->opcode_at,
		               .rex = form->rex,
		               .modrm = form->modrm_at ? insn->bytes[form->modrm_at] : 0,
		               .prefix = form->prefix,
		               .word = form->word,
		               .memory = form->memory,
		               .size = form->size };

	if (form->memory && form->whole)
		s.addr = walk_address(w, insn, 0, &s.addr_known);
	return s;
}

/* False: the walk ends in front of this instruction. */
static bool step(struct walk *w, struct walk_code *code, u64 *start)
{
	const struct insn *insn = &code->insn;
	struct walk_step s = begin(w, code);

	switch (insn->role) {
	case ROLE_PLAIN:
		if (!(insn->flags & INSN_NOP) &&
		    (!code->form.whole || (!walk_insn(&s) && !walk_vec(&s) && !walk_native(&s))))
			spoil(&s);
		if (!s.ended)
			w->m.rip += insn->len;
		break;
	case ROLE_JCC:
	case ROLE_COUNT:
		branch(&s, start);
		break;
	case ROLE_JMP:
	case ROLE_CALL:
	case ROLE_JMP_INDIRECT:
	case ROLE_CALL_INDIRECT:
	case ROLE_RET:
		if (code->form.whole)
			transfer(&s, start);
		else
			walk_stop(&s, WALK_SYSTEM);
		break;
	default:
		walk_stop(&s, WALK_SYSTEM);
		break;
	}
	return !s.ended;
}

void walk_on(struct walk *w, u32 runs, u32 insns)
{
	u64 start = w->m.rip;

	w->number++;
	w->n_insns = w->n_runs = 0;
	w->end = WALK_LIMIT;
	while (w->n_runs < runs && w->n_insns < insns) {
		struct walk_code *code = code_at(w, w->m.rip);

		if (!code || !step(w, code, &start))
			break;
		w->n_insns++;
	}
	if (w->m.rip != start)
		w->world->run(w->world->ctx, start, w->m.rip, 0);
}
