/* SPDX-License-Identifier: MIT */
/* states.c - see states.h. */
#include <signal.h>
#include <stdio.h>
#include "rnd.h"
#include "shadows.h"
#include "states.h"

#define NO_INT3 3 /* exception vector of int3 */
#define PRINTED_MAX 16 /* words of vector state */

static const u64 borders[] = { 0,
	                       1,
	                       0x7f,
	                       0x80,
	                       0xff,
	                       0x7fff,
	                       0x8000,
	                       0x7fffffff,
	                       0x80000000,
	                       0xffffffff,
	                       1ull << 63,
	                       ~0ull >> 1,
	                       ~0ull,
	                       1ull << 47,
	                       0x3ff0000000000000,
	                       0x7ff0000000000000,
	                       0x7ff8000000000000,
	                       0x3f8000003f800000,
	                       0x0000000100000001,
	                       0x4059000000000000 };

static u64 pointer(const struct states *s, u64 *rnd)
{
	static const u64 starts[] = { GUEST_LOW + PAGE, GUEST_HIGH + PAGE, GUEST_HIGH + PAGE,
		                      GUEST_STACK + PAGE / 2 };
	u64 start = starts[rnd_below(rnd, s->framed ? 3 : 4)];
	u32 how = (u32)rnd_below(rnd, 16);

	if (how == 0) /* around an edge */
		return start + rnd_below(rnd, 2) * PAGE + rnd_below(rnd, 64) - 32;
	if (how == 1) /* in the page that can only be read */
		return start - 1 - rnd_below(rnd, PAGE);
	if (how < 5)
		return start + rnd_below(rnd, PAGE - 64);
	return start + 0x400 + (rnd_below(rnd, 0x800) & ~(u64)(how < 10 ? 63 : 7));
}

static u64 word(const struct states *s, u64 *rnd)
{
	u32 how = (u32)rnd_below(rnd, 32);

	if (how < 12)
		return pointer(s, rnd);
	if (how < 17)
		return rnd_below(rnd, 48);
	if (how < 19)
		return 0 - rnd_below(rnd, 48);
	if (how < 22)
		return borders[rnd_below(rnd, sizeof(borders) / sizeof(borders[0]))];
	if (how < 24)
		return rnd_next(rnd) >> rnd_below(rnd, 63);
	if (how < (s->returns ? 28 : 25) && s->n_places)
		return s->places[rnd_below(rnd, s->n_places)];
	return rnd_next(rnd);
}

static void use_mem(struct states *s, const struct insn_mem *mem)
{
	if (mem->base < 16) {
		struct reg_role *role = &s->roles[mem->base];

		role->base = true;
		role->disps[role->n_disps++ % 4] = mem->disp;
	}
	if (mem->index < 16)
		s->roles[mem->index].index = true;
}

static void use_tree(struct states *s, const struct ir_tree *tree)
{
	for (u32 i = 0; i < tree->n_ops; i++) {
		const struct insn *op = &tree->ops[i];

		for (u32 k = 0; k < op->n_mem && k < 2; k++)
			use_mem(s, &op->mem[k]);
		s->returns |= op->role == ROLE_RET;
		if (op->role == ROLE_JMP_INDIRECT) {
			s->jumps = true;
			for (u32 k = 0; k < 16; k++)
				s->roles[k].target |= !op->n_mem && op->use.gpr >> k & 1;
		}
		if (op->flags & INSN_REP || op->role == ROLE_COUNT)
			s->roles[1].count = true;
	}
}

void states_tree(struct states *s, const struct guest *g, const struct ir_tree *trees, u32 n,
                 u64 rnd)
{
	s->g = g;
	s->n_places = 0;
	s->jumps = s->returns = s->framed = false;
	s->n_returns = 0;
	memset(s->roles, 0, sizeof(s->roles));
	for (u32 i = 0; i < g->n_exits && i < 8; i++)
		s->places[s->n_places++] = g->m->base + g->exits[i];
	for (u32 i = 0; i < n; i++) {
		use_tree(s, &trees[i]);
		s->framed |= trees[i].n_frames > 1;
		for (u32 k = 1; k < trees[i].n_frames; k++)
			s->ret_addrs[s->n_returns++] = g->m->base + trees[i].frames[k].ret;
	}
	/* An indirect jump back into the tree would loop without a count. */
	for (u32 i = 0; i < trees[0].n_blocks && i < 8 && !s->jumps; i++)
		s->places[s->n_places++] = g->m->base + trees[0].blocks[i].start;
	for (u32 i = 0; i < sizeof(s->pool) / 8; i++)
		s->pool[i] = word(s, &rnd);
	for (u32 i = 0; i < g->n_areas; i++) {
		u64 *at = (u64 *)g->areas[i].first;

		for (u32 k = 0; k < g->areas[i].size / 8; k++)
			at[k] = word(s, &rnd);
	}
}

static u64 reg_value(const struct states *s, u32 reg, u64 *rnd)
{
	const struct reg_role *role = &s->roles[reg];
	u32 how = (u32)rnd_below(rnd, 32);

	if (reg == RSP && s->framed && how >= 30) { /* near the stack's ends */
		u64 at = GUEST_STACK + rnd_below(rnd, 64) * 8;

		return how == 30 ? at : at + GUEST_STACK_SIZE - 64 * 8;
	}
	if (reg == RSP && (how < 30 || s->framed)) {
		u64 at = GUEST_STACK + PAGE / 2 + rnd_below(rnd, PAGE);

		return at & ~(u64)(how < 24 ? 15 : 7);
	}
	if (role->target && how < 12 && s->n_places)
		return s->places[rnd_below(rnd, s->n_places)];
	if (role->count && how < 20)
		return rnd_below(rnd, 40);
	if (role->base && how < 28) {
		u32 n = role->n_disps < 4 ? role->n_disps : 4;
		s64 disp = role->disps[rnd_below(rnd, n)];

		return pointer(s, rnd) - (disp > 0x200 || disp < -0x200 ? (u64)disp : 0);
	}
	if (role->index && how < 28)
		return rnd_below(rnd, 2) ? rnd_below(rnd, 24) : 0 - rnd_below(rnd, 12);
	return word(s, rnd);
}

static void float_state(struct states *s, u64 *rnd)
{
	u8 *x = native.in.xsave;
	u64 bv = native.xsave_mask;
	u32 mxcsr = 0x1f80, at = (u32)rnd_below(rnd, sizeof(s->pool) / 8 - NATIVE_XSAVE_MAX / 8);
	u16 fcw = 0x37f;

	memcpy(x, (u8 *)s->pool + at * 8, native.xsave_size);
	for (u32 i = 0; i < 24; i++) {
		u64 w = word(s, rnd);

		memcpy(x + (rnd_below(rnd, native.xsave_size / 8) * 8), &w, 8);
	}
	if (rnd_chance(rnd, 40))
		mxcsr |= (u32)rnd_next(rnd) & 0xe07f; /* rounding, flush, denormals, sticky flags */
	if (rnd_chance(rnd, 5))
		mxcsr &= ~0x1f80u | (u32)rnd_next(rnd); /* unmasked */
	if (rnd_chance(rnd, 30))
		fcw = (u16)(0x7f | (rnd_next(rnd) & 0xf00));
	if (rnd_chance(rnd, 5))
		fcw = (u16)(0x40 | (rnd_next(rnd) & 0xf3f));
	if (rnd_chance(rnd, 10))
		bv &= rnd_next(rnd);
	memcpy(x, &fcw, 2);
	x[2] &= 0x7f; /* no pending exception: the first wait would only say so */
	x[3] &= 0x7f;
	if (fcw != 0x37f && (fcw & 0x3f) != 0x3f)
		x[2] = 0;
	memset(x + 5, 0, 19); /* opcode and pointers of the last x87 instruction */
	for (u32 i = 0; i < 8; i++)
		memset(x + 32 + 16 * i + 10, 0, 6); /* behind 80 bits */
	memcpy(x + 24, &mxcsr, 4);
	memset(x + 416, 0, 96);
	memset(x + 512, 0, 64);
	memcpy(x + 512, &bv, 8);
}

void states_case(struct states *s, u64 *rnd)
{
	struct native_state *in = &native.in;

	for (u32 i = 0; i < 16; i++)
		in->gpr[i] = reg_value(s, i, rnd);
	shadows_aim(s->g, in->gpr, rnd);
	in->rflags = RFLAGS_FIXED | (rnd_next(rnd) & RFLAGS_STATUS & ~(u64)FLAG_DF);
	if (rnd_chance(rnd, 6))
		in->rflags |= FLAG_DF;
	in->fs = GUEST_TLS + PAGE + PAGE / 2;
	in->gs = GUEST_HIGH + PAGE + PAGE / 2;
	float_state(s, rnd);
	for (u32 i = 0; i < CHANGES; i++) {
		const struct guest_area *area = &s->g->areas[rnd_below(rnd, s->g->n_areas)];

		s->changes[i].at = (u8 *)area->addr + rnd_below(rnd, area->size / 8) * 8;
		s->changes[i].word = word(s, rnd);
	}
}

void states_memory(const struct states *s)
{
	for (u32 i = 0; i < s->g->n_areas; i++)
		memcpy((void *)s->g->areas[i].addr, s->g->areas[i].first, s->g->areas[i].size);
	for (u32 i = 0; i < CHANGES; i++)
		memcpy(s->changes[i].at, &s->changes[i].word, 8);
	shadows_originals(s->g);
}

/* ---- what a run left ---- */

static bool is_breakpoint(const struct native_stop *stop)
{
	return stop->kind == NATIVE_SIGNAL && stop->signal == SIGTRAP && stop->trap == NO_INT3;
}

static void place(struct outcome *out, const struct guest *g)
{
	u64 rip = native.out.rip;

	if (is_breakpoint(&native.stop) &&
	    text_bytes(&g->m->text, rip - 1 - g->m->base, &(u64){ 0 })) {
		out->kind = OUTCOME_AT;
		out->at = rip - 1;
		return;
	}
	out->kind = OUTCOME_FAULT;
	out->at = guest_origin(g, rip);
	guest_restore(g, rip, native.out.gpr);
}

void outcome_take(struct outcome *out, const struct guest *g)
{
	out->at = 0;
	out->stop = native.stop;
	switch (native.stop.kind) {
	case NATIVE_EXIT:
		out->kind = guest_exit(g, &out->at) ? OUTCOME_AT : OUTCOME_SPENT;
		out->at += out->kind == OUTCOME_AT ? g->m->base : 0;
		break;
	case NATIVE_SIGNAL:
		place(out, g);
		break;
	case NATIVE_ENDLESS:
		out->kind = OUTCOME_ENDLESS;
		break;
	default:
		out->kind = OUTCOME_ENOUGH;
		break;
	}
	native_normalize(&native.out);
	memcpy(&out->state, &native.out, offsetof(struct native_state, xsave) + native.xsave_size);
}

const char *outcome_differs(const struct outcome *a, const struct outcome *b, u64 flags)
{
	const struct native_stop *s = &a->stop, *t = &b->stop;

	if (a->kind != b->kind)
		return "how it ends";
	if (a->at != b->at)
		return a->kind == OUTCOME_AT ? "exit" : "address of the fault";
	if (a->kind == OUTCOME_FAULT &&
	    (s->signal != t->signal || s->code != t->code || s->trap != t->trap))
		return "signal";
	if (a->kind == OUTCOME_FAULT && (s->addr != t->addr || s->error != t->error))
		return "address accessed";
	if (memcmp(a->state.gpr, b->state.gpr, sizeof(a->state.gpr)))
		return "general registers";
	if ((a->state.rflags ^ b->state.rflags) & flags)
		return "flags";
	if (a->state.fs != b->state.fs || a->state.gs != b->state.gs)
		return "segment bases";
	if (memcmp(a->state.xsave, b->state.xsave, native.xsave_size))
		return "vector or floating-point state";
	return NULL;
}

u64 flags_live(const struct guest *g, u64 at)
{
	u64 unknown = RFLAGS_STATUS, live = 0, left, addr = at - g->m->base;
	struct insn insn;

	for (u32 i = 0; i < 16 && unknown; i++, addr += insn.len) {
		const u8 *bytes = text_bytes(&g->m->text, addr, &left);

		if (!bytes || decode_insn(bytes, left, addr, scratch_decode(), &insn, NULL))
			break;
		/* A shift by cl keeps flags if cl is 0: neither read nor surely written. */
		if (__builtin_popcount(insn.flags_use & insn.flags_def) > 1)
			break;
		live |= insn.flags_use & unknown;
		unknown &= ~(u64)insn.flags_def;
		if (insn.role != ROLE_PLAIN)
			break;
	}
	return live | FLAG_DF;
}

void memory_keep(const struct guest *g)
{
	for (u32 i = 0; i < g->n_areas; i++)
		memcpy(g->areas[i].after, (void *)g->areas[i].addr, g->areas[i].size);
}

const char *memory_differs(const struct states *s)
{
	for (u32 i = 0; i < s->g->n_areas; i++) {
		const struct guest_area *area = &s->g->areas[i];

		if (memcmp(area->after, (u8 *)area->addr, area->size))
			return "memory";
	}
	return NULL;
}

static bool is_dead(const struct states *s, const struct guest_area *area, u32 at, u64 sp,
                    const u8 *dead)
{
	u64 addr = area->addr + at;

	if (area->addr != GUEST_STACK)
		return false;
	for (u32 i = 0; i < s->n_returns && addr < sp; i++) {
		if (!memcmp(area->after + (at & ~7u), &s->ret_addrs[i], 8))
			return true;
	}
	return addr < sp - RED_ZONE || (dead && dead[at]);
}

const char *memory_differs_framed(const struct states *s, u64 sp, const u8 *dead)
{
	if (!memory_differs(s))
		return NULL;
	for (u32 i = 0; i < s->g->n_areas; i++) {
		const struct guest_area *area = &s->g->areas[i];

		for (u32 k = 0; k < area->size; k++) {
			if (area->after[k] != ((u8 *)area->addr)[k] &&
			    !is_dead(s, area, k, sp, dead))
				return "memory";
		}
	}
	return NULL;
}

void memory_print(const struct guest *g)
{
	u32 n = 0;

	for (u32 i = 0; i < g->n_areas; i++) {
		const struct guest_area *area = &g->areas[i];

		for (u32 k = 0; k < area->size && n < PRINTED_MAX; k += 8) {
			u64 a = *(const u64 *)(area->after + k), b = *(const u64 *)(area->addr + k);

			if (a == b)
				continue;
			n++;
			fprintf(stderr, "  memory at 0x%llx: 0x%llx, 0x%llx\n",
			        (unsigned long long)area->addr + k, (unsigned long long)a,
			        (unsigned long long)b);
		}
	}
}

static void print_one(const char *name, const struct outcome *o)
{
	static const char *const kinds[] = { "arrives", "faults", "loops on", "endless",
		                             "stepped" };

	fprintf(stderr, "  %-11s %s at 0x%llx", name, kinds[o->kind], (unsigned long long)o->at);
	if (o->kind == OUTCOME_FAULT)
		fprintf(stderr, ", signal %u code %u trap %u error %llx address 0x%llx",
		        o->stop.signal, o->stop.code, o->stop.trap,
		        (unsigned long long)o->stop.error, (unsigned long long)o->stop.addr);
	fprintf(stderr, "\n");
}

void outcome_print(const struct outcome *a, const struct outcome *b)
{
	print_one("original", a);
	print_one("translation", b);
	fprintf(stderr, "  rsp: 0x%llx before, 0x%llx behind\n",
	        (unsigned long long)native.in.gpr[RSP], (unsigned long long)a->state.gpr[RSP]);
	for (u32 i = 0; i < 16; i++) {
		if (a->state.gpr[i] != b->state.gpr[i])
			fprintf(stderr, "  register %u: 0x%llx, 0x%llx (before: 0x%llx)\n", i,
			        (unsigned long long)a->state.gpr[i],
			        (unsigned long long)b->state.gpr[i],
			        (unsigned long long)native.in.gpr[i]);
	}
	if (a->state.rflags != b->state.rflags)
		fprintf(stderr, "  flags: 0x%llx, 0x%llx\n", (unsigned long long)a->state.rflags,
		        (unsigned long long)b->state.rflags);
	for (u32 i = 0, n = 0; i < native.xsave_size && n < PRINTED_MAX; i += 4) {
		if (memcmp(a->state.xsave + i, b->state.xsave + i, 4) && ++n)
			fprintf(stderr, "  xsave area +%u: %08x, %08x\n", i,
			        *(const u32 *)(a->state.xsave + i),
			        *(const u32 *)(b->state.xsave + i));
	}
}
