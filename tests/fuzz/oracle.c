/* SPDX-License-Identifier: MIT */
/*
 * oracle.c - see oracle.h. The hooks run in the signal handler, on its stack: they touch only this
 * file's own memory. A write that stores what was there already cannot be seen by comparing memory; the registers before and
 * behind it are compared all the same.
 */
#include <stdio.h>
#include "oracle.h"

struct entry {
	u64 at; /* original address, as the guest sees it */
	u64 gpr[16], rflags;
	u64 vector; /* hash of the rest of the state */
	u64 writes; /* sum of the hashes of what was written since the entry before; 0: nothing */
};

static struct {
	const struct guest *g;
	struct entry log[ORACLE_STEPS + 1];
	u32 n;
	u32 now; /* translation: entry whose state it has */
	u32 steps;
	bool exited;
	bool spent; /* the original's loop budget, at the end of the log */
	const char *broken;
	u64 broken_at;
	struct native_state before; /* of the instruction under way */
	u8 shadow[GUEST_AREAS][GUEST_STACK_SIZE];
} run;

u64 oracle_mix(u64 hash, u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 29;
}

u64 oracle_vector(const struct native_state *s)
{
	const u64 *at = (const u64 *)s->xsave;
	u64 h = oracle_mix(s->fs, s->gs);

	for (u32 i = 0; i < native.xsave_size / 8; i++)
		h = oracle_mix(h, at[i]);
	return h;
}

static void shadow_begin(void)
{
	for (u32 i = 0; i < run.g->n_areas; i++)
		memcpy(run.shadow[i], (void *)run.g->areas[i].addr, run.g->areas[i].size);
}

/* What was written since the last call; the first and the last byte changed. */
static u64 writes(u64 *first, u64 *end)
{
	u64 sum = 0;

	*first = ~(u64)0;
	*end = 0;
	for (u32 i = 0; i < run.g->n_areas; i++) {
		const struct guest_area *area = &run.g->areas[i];
		const u8 *live = (const u8 *)area->addr;

		if (!memcmp(live, run.shadow[i], area->size))
			continue;
		for (u32 k = 0; k < area->size; k++) {
			if (live[k] == run.shadow[i][k])
				continue;
			run.shadow[i][k] = live[k];
			sum += oracle_mix(area->addr + k, live[k]) | 1;
			*first = area->addr + k < *first ? area->addr + k : *first;
			*end = area->addr + k + 1 > *end ? area->addr + k + 1 : *end;
		}
	}
	return sum;
}

static void entry_make(struct entry *e, u64 at, u64 sum)
{
	const struct native_state *s = &native.out;

	e->at = at;
	memcpy(e->gpr, s->gpr, sizeof(e->gpr));
	e->rflags = s->rflags;
	e->vector = oracle_vector(s);
	e->writes = sum;
}

static bool same_state(const struct entry *a, const struct entry *b)
{
	return a->rflags == b->rflags && a->vector == b->vector &&
	       !memcmp(a->gpr, b->gpr, sizeof(a->gpr));
}

/* ---- what decode says of the instruction that was executed ---- */

static bool breaks(bool broken, const char *rule)
{
	if (broken && !run.broken)
		run.broken = rule;
	return broken;
}

static bool differ(u32 at, u32 size)
{
	return memcmp(run.before.xsave + at, native.out.xsave + at, size) != 0;
}

static void check_vectors(const struct insn *insn)
{
	for (u32 i = 0; i < 16; i++) {
		bool changed = differ(160 + 16 * i, 16) ||
		               (native.at[2] && differ(native.at[2] + 16 * i, 16)) ||
		               (native.at[6] && differ(native.at[6] + 32 * i, 32));

		breaks(changed && !(insn->def.vec >> i & 1),
		       "a vector register it does not define");
		changed = native.at[7] && differ(native.at[7] + 64 * i, 64);
		breaks(changed && !(insn->def.vec >> (16 + i) & 1),
		       "a vector register it does not define");
	}
	for (u32 i = 0; i < 8 && native.at[5]; i++)
		breaks(differ(native.at[5] + 8 * i, 8) && !(insn->def.mask >> i & 1),
		       "a mask register it does not define");
	breaks(differ(24, 4) && !(insn->def.other & REGS_MXCSR), "MXCSR, which it does not define");
	breaks((differ(0, 24) || differ(32, 128)) && !(insn->def.other & REGS_X87),
	       "x87 state, which it does not define");
}

u64 oracle_address(const struct guest *g, const struct native_state *s, const struct insn *insn,
                   const struct insn_mem *mem)
{
	u64 addr = (u64)mem->disp;

	if (mem->base < 16)
		addr += s->gpr[mem->base];
	else if (insn->flags & INSN_RIP)
		return insn->target + g->m->base;
	if (mem->index < 16)
		addr += s->gpr[mem->index] * mem->scale;
	if (mem->segment == 'f')
		addr += s->fs;
	if (mem->segment == 'g')
		addr += s->gs;
	return addr;
}

/* Do the bytes written lie where a store of the instruction says? */
static void check_writes(const struct insn *insn, u64 first, u64 end)
{
	breaks(!(insn->flags & INSN_STORE), "memory, although it does not store");
	for (u32 i = 0; i < insn->n_mem && i < 2; i++) {
		const struct insn_mem *mem = &insn->mem[i];
		u64 addr = oracle_address(run.g, &run.before, insn, mem);

		if (mem->store && (!mem->size || (first >= addr && end <= addr + mem->size)))
			return;
	}
	breaks(!(insn->flags & INSN_OPAQUE), "memory outside of its operands");
}

static void check_insn(u64 at, u64 first, u64 end)
{
	const struct native_state *a = &run.before, *b = &native.out;
	u64 left, addr = at - run.g->m->base;
	const u8 *bytes = text_bytes(&run.g->m->text, addr, &left);
	struct insn insn;

	/* Elsewhere the guest has jumps of its own: whoever jumps into the middle of one executes what the module does not have. */
	if (run.broken || !bytes || !guest_is_op(addr) ||
	    decode_insn(bytes, left, addr, scratch_decode(), &insn, NULL))
		return;
	for (u32 i = 0; i < 16; i++)
		breaks(a->gpr[i] != b->gpr[i] && !(insn.def.gpr >> i & 1),
		       "a general register it does not define");
	breaks((a->rflags ^ b->rflags) & ~(u64)insn.flags_def, "a flag it does not define");
	breaks((a->fs != b->fs || a->gs != b->gs) && !(insn.def.other & REGS_FSGS),
	       "a segment base it does not define");
	check_vectors(&insn);
	if (first < end)
		check_writes(&insn, first, end);
	if (run.broken)
		run.broken_at = at;
}

/* ---- hooks ---- */

/* In a stub: nothing of the program. True with *go_on if that decides. */
bool oracle_in_stub(bool *go_on)
{
	*go_on = true;
	if (native.out.rip == (u64)native_exit) {
		run.exited = true;
		*go_on = false;
		return true;
	}
	return guest_stub_at(run.g, native.out.rip);
}

static bool original_step(void)
{
	u64 at = native.out.rip, sum, first, end;
	bool go_on;

	if (oracle_in_stub(&go_on))
		return go_on;
	native_normalize(&native.out);
	sum = writes(&first, &end);
	check_insn(run.log[run.n - 1].at, first, end);
	entry_make(&run.log[run.n++], at, sum);
	run.before = native.out;
	return run.n <= ORACLE_STEPS;
}

/* Did the instruction before entry i change anything but where control is? */
static bool has_effect(u32 i)
{
	return run.log[i].writes || !same_state(&run.log[i - 1], &run.log[i]);
}

/*
 * Moves run.now to the entry that `e` is, over at most one instruction with an effect and any number without;
 * false if there is none.
 */
static bool advance(const struct entry *e)
{
	u32 effects = 0;
	u64 sum = 0;

	if (e->at == run.log[run.now].at && !e->writes && same_state(e, &run.log[run.now]))
		return true;
	for (u32 i = run.now + 1; i < run.n && effects < 2; i++) {
		effects += has_effect(i);
		sum += run.log[i].writes;
		/* Where the budget is spent, the jump to the loop's head is the last, which may be missing. */
		bool here = run.log[i].at == e->at || (run.spent && i + 1 == run.n);

		if (here && sum == e->writes && same_state(e, &run.log[i])) {
			run.now = i;
			return true;
		}
	}
	return false;
}

static bool at_end(void)
{
	for (u32 i = run.now + 1; i < run.n; i++) {
		if (has_effect(i))
			return false;
	}
	return true;
}

static bool translation_step(void)
{
	u64 rip = native.out.rip, first, end;
	struct entry e;
	bool go_on;

	if (oracle_in_stub(&go_on))
		return go_on;
	native_normalize(&native.out);
	entry_make(&e, guest_origin(run.g, rip), writes(&first, &end));
	/* The log may be full before the original ended. */
	if (run.n > ORACLE_STEPS && run.now > ORACLE_STEPS - 8)
		return false;
	if (!advance(&e)) {
		if (run.spent && at_end())
			return false; /* the branch was counted before it arrived */
		breaks(true, "its state is not the original's at the origin");
		run.broken_at = rip;
		return false;
	}
	return ++run.steps < 8 * ORACLE_STEPS;
}

void oracle_run(const struct guest *g, bool (*hook)(void))
{
	run.g = g;
	run.exited = false;
	native.on_step = hook;
	native.in.rflags |= RFLAGS_TRAP;
	native_run();
	native.in.rflags &= ~(u64)RFLAGS_TRAP;
	native.on_step = NULL;
	if (run.exited)
		native.stop.kind = NATIVE_EXIT;
}

static void step(bool (*hook)(void), u64 at)
{
	run.broken = NULL;
	run.steps = 0;
	run.now = 0;
	shadow_begin();
	native.out = native.in;
	native_normalize(&native.out);
	run.before = native.out;
	if (at) {
		entry_make(&run.log[0], at, 0);
		run.n = 1;
	}
	oracle_run(run.g, hook);
}

const char *oracle_original(const struct guest *g, struct outcome *out)
{
	run.g = g;
	step(original_step, native.in.rip);
	outcome_take(out, g);
	run.spent = out->kind == OUTCOME_SPENT;
	return run.broken;
}

const char *oracle_translation(const struct guest *g, struct outcome *out)
{
	step(translation_step, 0);
	outcome_take(out, g);
	if (!run.broken && out->kind != OUTCOME_ENOUGH && out->kind != OUTCOME_ENDLESS) {
		breaks(!at_end(), "it ends before the original does");
		run.broken_at = out->at;
	}
	return run.broken;
}

u32 oracle_steps(void)
{
	return run.n;
}

void oracle_print(void)
{
	const struct entry *e = &run.log[run.now];

	fprintf(stderr,
	        "  %s: 0x%llx; the log has %u entries, the last one that agreed is %u at 0x%llx\n",
	        run.broken ? run.broken : "nothing broken", (unsigned long long)run.broken_at,
	        run.n, run.now, (unsigned long long)e->at);
}
