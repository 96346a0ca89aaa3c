/* SPDX-License-Identifier: MIT */
/* spoil_code.c - see spoil_code.h. */
#include <stdlib.h>
#include "rnd.h"
#include "spoil_code.h"

static void *duplicate(const void *from, u64 n, u64 size)
{
	void *to = malloc(n * size ? n * size : 1);

	if (to && n)
		memcpy(to, from, n * size);
	return to;
}

bool code_copy(struct code *copy, const struct code *from)
{
	*copy = *from;
	copy->bytes = duplicate(from->bytes, from->size, 1);
	copy->fixups = duplicate(from->fixups, from->n_fixups, sizeof(*from->fixups));
	copy->origins = duplicate(from->origins, from->n_origins, sizeof(*from->origins));
	copy->states = duplicate(from->states, from->n_states, sizeof(*from->states));
	copy->pendings = duplicate(from->pendings, from->n_pendings, sizeof(*from->pendings));
	return copy->bytes && copy->fixups && copy->origins && copy->states && copy->pendings;
}

void code_forget(struct code *copy)
{
	free(copy->bytes);
	free(copy->fixups);
	free(copy->origins);
	free((void *)copy->states);
	free((void *)copy->pendings);
}

/* Numbers that tables should not have, and some that they may. */
static u32 word(u32 near, u64 *rnd)
{
	static const u32 odd[] = { 0,          1,          2,         3,       7,
		                   0x7f,       0xff,       0xffff,    0x10000, 0x7fffffff,
		                   0x80000000, 0xfffffffc, 0xffffffff };

	switch (rnd_below(rnd, 4)) {
	case 0:
		return odd[rnd_below(rnd, sizeof(odd) / sizeof(odd[0]))];
	case 1:
		return near + (u32)rnd_below(rnd, 33) - 16;
	case 2:
		return (u32)rnd_below(rnd, (u64)near + 2);
	default:
		return (u32)rnd_next(rnd);
	}
}

static u64 address(const struct code *code, u64 near, u64 *rnd)
{
	switch (rnd_below(rnd, 4)) {
	case 0:
		return near + rnd_below(rnd, 65) - 32;
	case 1:
		return code->n_origins ? code->origins[rnd_below(rnd, code->n_origins)].origin : 0;
	case 2:
		return code->head;
	default:
		return rnd_next(rnd) >> rnd_below(rnd, 64);
	}
}

static void spoil_byte(struct code *code, u64 *rnd)
{
	u8 *at = &code->bytes[rnd_below(rnd, code->size)];

	*at = rnd_chance(rnd, 50) ? (u8)rnd_next(rnd) : *at ^ (u8)(1u << rnd_below(rnd, 8));
}

static void spoil_fixup(struct code *code, u64 *rnd)
{
	struct code_fixup *f = &code->fixups[rnd_below(rnd, code->n_fixups)];

	switch (rnd_below(rnd, 6)) {
	case 0:
		f->at = word(f->at, rnd);
		break;
	case 1:
		f->end = word(f->end, rnd);
		break;
	case 2:
		f->to = word(f->to, rnd);
		break;
	case 3:
		f->cut = word(code->size, rnd);
		break;
	case 4:
		f->kind = (u8)rnd_below(rnd, rnd_chance(rnd, 80) ? PENDING_RESULT + 1u : 256);
		break;
	default:
		f->target = address(code, f->target, rnd);
		break;
	}
}

static void spoil_origin(struct code *code, u64 *rnd)
{
	struct code_origin *o = &code->origins[rnd_below(rnd, code->n_origins)];

	switch (rnd_below(rnd, 3)) {
	case 0:
		o->at = word(o->at, rnd);
		break;
	case 1:
		o->state = word(code->n_states, rnd);
		break;
	default:
		o->origin = address(code, o->origin, rnd);
		break;
	}
}

static void spoil_state(struct code *code, u64 *rnd)
{
	struct ir_state *s = (struct ir_state *)&code->states[rnd_below(rnd, code->n_states)];

	switch (rnd_below(rnd, 3)) {
	case 0:
		s->rsp = (s32)word((u32)s->rsp, rnd);
		break;
	case 1:
		s->n = (u16)word(s->n, rnd);
		break;
	default:
		s->first = word(code->n_pendings, rnd);
		break;
	}
}

static void spoil_pending(struct code *code, u64 *rnd)
{
	struct ir_pending *p =
		(struct ir_pending *)&code->pendings[rnd_below(rnd, code->n_pendings)];

	switch (rnd_below(rnd, 4)) {
	case 0:
		p->at = (s32)word((u32)p->at, rnd);
		break;
	case 1:
		p->kind = (u8)rnd_below(rnd, rnd_chance(rnd, 80) ? PENDING_RESULT + 1u : 256);
		break;
	case 2:
		p->reg = (u8)rnd_below(rnd, rnd_chance(rnd, 80) ? 16 : 256);
		break;
	default:
		p->value = address(code, p->value, rnd);
		break;
	}
}

/* Arrays get shorter: what the rest says of them is then wrong. */
static void shorten(struct code *code, u64 *rnd)
{
	u32 *lengths[] = { &code->size, &code->n_fixups, &code->n_origins, &code->n_states,
		           &code->n_pendings };
	u32 *length = lengths[rnd_below(rnd, sizeof(lengths) / sizeof(lengths[0]))];

	*length = (u32)rnd_below(rnd, *length + 1u);
}

void code_spoil(struct code *code, u64 *rnd)
{
	for (u32 n = 1 + (u32)rnd_below(rnd, rnd_chance(rnd, 50) ? 2 : 12); n; n--) {
		u32 how = (u32)rnd_below(rnd, 100);

		if (how < 30 && code->size)
			spoil_byte(code, rnd);
		else if (how < 50 && code->n_fixups)
			spoil_fixup(code, rnd);
		else if (how < 65 && code->n_origins)
			spoil_origin(code, rnd);
		else if (how < 78 && code->n_states)
			spoil_state(code, rnd);
		else if (how < 93 && code->n_pendings)
			spoil_pending(code, rnd);
		else if (how < 95)
			shorten(code, rnd);
		else if (how == 95)
			code->head = address(code, code->head, rnd);
	}
}
