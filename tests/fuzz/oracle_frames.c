/* SPDX-License-Identifier: MIT */
/*
 * oracle_frames.c - see oracle_frames.h. As in oracle.c, hooks run in the signal handler and touch only this file's memory.
 * A write that stores what was there already cannot be seen: such a byte may be called dead and is not compared.
 */
#include <stdio.h>
#include "oracle.h"
#include "oracle_frames.h"
#include "../../engine/state.h"

#define DEAD_STEPS 20000 /* a case that is stepped only because memory differs */
#define AHEAD 80 /* so many instructions of the original may have no code of their own */
#define CALLS_MAX 64

/* A state of the original. */
struct moment {
	u64 at; /* as the guest sees it */
	u64 gpr[16], rflags;
	u64 vector, others; /* hashes of the rest of the registers, of memory but for the stack */
	u8 stack[GUEST_STACK_SIZE];
	u8 dead[GUEST_STACK_SIZE];
	u16 stale;
};

static struct {
	const struct guest *g;
	struct moment log[ORACLE_STEPS + 1];
	struct moment now;
	u32 n, agreed, steps;
	u8 shadow[GUEST_AREAS][GUEST_STACK_SIZE];
	u8 dead[GUEST_STACK_SIZE];
	u64 others;
	u64 rip; /* of the instruction under way */
	u64 slots[CALLS_MAX]; /* return addresses that calls of this run have pushed */
	u32 n_slots;
	u64 frame_top; /* the first byte above a signal's frame */
	u16 stale; /* flags from before a call or a return, and those that the manual leaves undefined */
	bool odd, denied, spent;
	bool into_frame; /* making good reads or writes where a signal's frame is */
	const char *broken;
	u64 broken_at;
} run;

/* ---- memory ---- */

static bool is_stack(u32 area)
{
	return run.g->areas[area].addr == GUEST_STACK;
}

static void shadows_begin(void)
{
	for (u32 i = 0; i < run.g->n_areas; i++)
		memcpy(run.shadow[i], (void *)run.g->areas[i].addr, run.g->areas[i].size);
	run.others = 0;
}

/* Brings the hash of what is not the stack up to date. */
static void others_update(void)
{
	for (u32 i = 0; i < run.g->n_areas; i++) {
		const struct guest_area *area = &run.g->areas[i];
		const u8 *live = (const u8 *)area->addr;

		if (is_stack(i) || !memcmp(live, run.shadow[i], area->size))
			continue;
		for (u32 k = 0; k < area->size; k++) {
			if (live[k] == run.shadow[i][k])
				continue;
			run.others += oracle_mix(area->addr + k, live[k]) -
			              oracle_mix(area->addr + k, run.shadow[i][k]);
			run.shadow[i][k] = live[k];
		}
	}
}

static u8 *stack_shadow(void)
{
	for (u32 i = 0; i < run.g->n_areas; i++) {
		if (is_stack(i))
			return run.shadow[i];
	}
	return run.shadow[0];
}

/* ---- what is dead, and what is odd, in the original ---- */

static bool insn_at(u64 rip, struct insn *insn)
{
	u64 left, addr = rip - run.g->m->base;
	const u8 *bytes = text_bytes(&run.g->m->text, addr, &left);

	return bytes && !decode_insn(bytes, left, addr, scratch_decode(), insn, NULL);
}

/* Of an address just above the stack, too: an unaligned rsp at its upper end. */
static void dead_below(u64 addr)
{
	u64 end = addr - GUEST_STACK;

	if (end <= GUEST_STACK_SIZE + PAGE)
		memset(run.dead, 1, end < GUEST_STACK_SIZE ? end : GUEST_STACK_SIZE);
}

static bool any_dead(u64 addr, u64 size)
{
	u64 at = addr - GUEST_STACK;

	if (at >= GUEST_STACK_SIZE)
		return false;
	for (u64 i = at; i < at + (size ? size : 64) && i < GUEST_STACK_SIZE; i++) {
		if (run.dead[i])
			return true;
	}
	return false;
}

static bool on_slot(u64 addr, u64 size)
{
	for (u32 i = 0; i < run.n_slots; i++) {
		if (addr < run.slots[i] + 8 && run.slots[i] < addr + size)
			return true;
	}
	return false;
}

/* Is the instruction that comes next one that no compiler makes? */
static void look_ahead(void)
{
	const struct native_state *s = &native.out;
	struct insn insn;

	if (!insn_at(s->rip, &insn))
		return;
	run.odd |= insn.flags_use & run.stale;
	for (u32 i = 0; i < insn.n_mem && i < 2; i++) {
		const struct insn_mem *mem = &insn.mem[i];
		u64 addr = oracle_address(run.g, s, &insn, mem);
		bool far = mem->size == 0 && addr - GUEST_STACK < GUEST_STACK_SIZE;

		if (!mem->load && !mem->store)
			continue;
		run.odd |= far || (mem->load && any_dead(addr, mem->size));
		run.odd |= insn.role == ROLE_PLAIN && on_slot(addr, mem->size);
		run.odd |= mem->index != MEM_NO_REG &&
		           addr - GUEST_STACK < s->gpr[RSP] - GUEST_STACK;
	}
}

/* Flags, calls and returns of the instruction that has been executed; true for a return. */
static bool follow(void)
{
	struct insn insn;

	if (!insn_at(run.rip, &insn))
		return false;
	run.stale = (u16)((run.stale & ~insn.flags_def) | insn.flags_undef);
	if (insn.role == ROLE_CALL || insn.role == ROLE_RET)
		run.stale = RFLAGS_STATUS & ~FLAG_DF;
	if (insn.role == ROLE_CALL) {
		run.odd |= native.out.gpr[RSP] - GUEST_STACK >= GUEST_STACK_SIZE;
		if (run.n_slots < CALLS_MAX)
			run.slots[run.n_slots++] = native.out.gpr[RSP];
	}
	while (run.n_slots &&
	       native.out.gpr[RSP] - run.slots[run.n_slots - 1] - 1 < GUEST_STACK_SIZE)
		run.n_slots--;
	return insn.role == ROLE_RET;
}

static void track(void)
{
	u8 *shadow = stack_shadow();
	const u8 *live = (const u8 *)GUEST_STACK;
	bool returned = follow();

	for (u32 k = 0; k < GUEST_STACK_SIZE; k++) {
		if (live[k] != shadow[k])
			run.dead[k] = 0;
	}
	memcpy(shadow, live, GUEST_STACK_SIZE);
	dead_below(native.out.gpr[RSP] - (returned ? 0 : RED_ZONE));
	run.rip = native.out.rip;
	look_ahead();
}

static void track_begin(const struct guest *g)
{
	run.g = g;
	run.odd = false;
	run.steps = run.n_slots = run.stale = 0;
	shadows_begin();
	memset(run.dead, 0, sizeof(run.dead));
	native.out = native.in;
	dead_below(native.in.gpr[RSP] - RED_ZONE);
	run.rip = native.in.rip;
	look_ahead();
}

static bool dead_step(void)
{
	bool go_on;

	if (oracle_in_stub(&go_on))
		return go_on;
	track();
	return ++run.steps < DEAD_STEPS;
}

bool frames_dead(const struct guest *g, u8 *dead)
{
	track_begin(g);
	oracle_run(g, dead_step);
	memcpy(dead, run.dead, sizeof(run.dead));
	return run.steps < DEAD_STEPS;
}

bool frames_stack_ends(void)
{
	const struct native_state *s = &native.out;
	struct insn insn;

	if (native.stop.kind != NATIVE_SIGNAL || s->rip != run.rip || !insn_at(run.rip, &insn))
		return false;
	for (u32 i = 0; i < insn.n_mem && i < 2; i++) {
		const struct insn_mem *mem = &insn.mem[i];
		bool word = mem->store && mem->size == 8 && mem->base == RSP &&
		            mem->index == MEM_NO_REG;

		if (word && (insn.role == ROLE_CALL || run.n_slots) &&
		    !guest_area(run.g, oracle_address(run.g, s, &insn, mem), 8))
			return true;
	}
	return false;
}

u64 frames_stale(void)
{
	return run.stale;
}

bool frames_odd(void)
{
	return run.odd;
}

/* ---- the original's states ---- */

static void take(struct moment *m, u64 at)
{
	const struct native_state *s = &native.out;

	others_update();
	m->at = at;
	memcpy(m->gpr, s->gpr, sizeof(m->gpr));
	m->rflags = s->rflags;
	m->vector = oracle_vector(s);
	m->others = run.others;
	memcpy(m->stack, (const void *)GUEST_STACK, GUEST_STACK_SIZE);
}

static void keep(void)
{
	struct moment *m = &run.log[run.n++];

	native_normalize(&native.out);
	take(m, native.out.rip);
	memcpy(m->dead, run.dead, sizeof(m->dead));
	m->stale = run.stale;
}

static bool log_step(void)
{
	bool go_on;

	if (oracle_in_stub(&go_on))
		return go_on;
	track();
	keep();
	return run.n <= ORACLE_STEPS;
}

void frames_log(const struct guest *g, struct outcome *out)
{
	track_begin(g);
	run.n = 0;
	keep();
	oracle_run(g, log_step);
	outcome_take(out, g);
	run.spent = out->kind == OUTCOME_SPENT;
}

u32 frames_steps(void)
{
	return run.n;
}

/* ---- the translation's states ---- */

static bool load(void *ctx, u64 addr, u64 *value)
{
	if (addr - GUEST_STACK > GUEST_STACK_SIZE - 8) {
		run.denied = true;
		return false;
	}
	run.into_frame |= addr < run.frame_top;
	memcpy(value, (u8 *)ctx + (addr - GUEST_STACK), 8);
	return true;
}

static bool store(void *ctx, u64 addr, u64 value)
{
	if (addr - GUEST_STACK > GUEST_STACK_SIZE - 8) {
		run.denied = true;
		return false;
	}
	run.into_frame |= addr < run.frame_top;
	memcpy((u8 *)ctx + (addr - GUEST_STACK), &value, 8);
	return true;
}

static bool same_stack(const struct moment *a, const struct moment *b)
{
	u64 low = run.frame_top - GUEST_STACK;

	if (low > GUEST_STACK_SIZE)
		low = 0;
	for (u32 i = 0; i < GUEST_STACK_SIZE; i++) {
		if (!a->dead[i] && (i < low || a->stack[i] != b->stack[i]))
			return false;
	}
	return true;
}

static bool same_moment(const struct moment *a, const struct moment *b)
{
	u64 flags = (a->rflags ^ b->rflags) & ~(u64)a->stale;

	return a->at == b->at && a->vector == b->vector && a->others == b->others &&
	       !memcmp(a->gpr, b->gpr, sizeof(a->gpr)) &&
	       (!flags || !(flags & flags_live(run.g, a->at))) && same_stack(a, b);
}

/* Moves `agreed` on to the state that `now` is; false if there is none. */
static bool agree(void)
{
	for (u32 i = run.agreed; i < run.n && i < run.agreed + AHEAD; i++) {
		if (same_moment(&run.log[i], &run.now)) {
			run.agreed = i;
			return true;
		}
	}
	return false;
}

static bool broken(const char *rule, u64 rip)
{
	run.broken = rule;
	run.broken_at = rip;
	return false;
}

static bool check_step(void)
{
	const struct state_memory memory = { load, store, run.now.stack };
	u64 rip = native.out.rip;
	const struct ir_pending *pendings;
	const struct ir_state *state;
	bool go_on;

	if (oracle_in_stub(&go_on))
		return go_on;
	if (!guest_translated(run.g, rip))
		return false; /* what it left is for the whole runs to compare */
	native_normalize(&native.out);
	take(&run.now, guest_origin(run.g, rip));
	state = guest_state(run.g, rip, &pendings);
	run.frame_top = native.out.gpr[RSP] - RED_ZONE;
	run.denied = run.into_frame = false;
	if (state)
		state_apply(state, pendings, run.g->m->base, run.now.gpr, &memory);
	if (run.into_frame)
		return broken("what it owes or needs for that lies in a signal's frame", rip);
	if (run.n > ORACLE_STEPS && run.agreed > ORACLE_STEPS - AHEAD)
		return false; /* the log may be full before the original ended */
	if (run.denied)
		return broken("what it owes or needs for that lies outside of the stack", rip);
	if (!agree()) {
		if (run.spent)
			return false; /* arrivals are counted at other places */
		return broken("its state, made good, is none of the original's at the origin", rip);
	}
	return ++run.steps < 8 * ORACLE_STEPS;
}

const char *frames_check(const struct guest *g, struct outcome *out)
{
	run.g = g;
	run.steps = run.agreed = 0;
	run.broken = NULL;
	shadows_begin();
	oracle_run(g, check_step);
	outcome_take(out, g);
	return run.broken;
}

void frames_print(void)
{
	const struct moment *a = &run.log[run.agreed], *b = &run.now;

	fprintf(stderr,
	        "  %s: 0x%llx, for 0x%llx; %u states, the last one that agreed is %u at 0x%llx\n",
	        run.broken ? run.broken : "nothing broken", (unsigned long long)run.broken_at,
	        (unsigned long long)b->at, run.n, run.agreed, (unsigned long long)a->at);
	for (u32 i = run.agreed; i < run.n && i < run.agreed + AHEAD; i++) {
		if (run.log[i].at == b->at) {
			a = &run.log[i];
			break;
		}
	}
	for (u32 i = 0; i < 16; i++) {
		if (a->gpr[i] != b->gpr[i])
			fprintf(stderr, "  register %u: 0x%llx, 0x%llx\n", i,
			        (unsigned long long)a->gpr[i], (unsigned long long)b->gpr[i]);
	}
	if (a->rflags != b->rflags)
		fprintf(stderr, "  flags: 0x%llx, 0x%llx\n", (unsigned long long)a->rflags,
		        (unsigned long long)b->rflags);
	if (a->vector != b->vector || a->others != b->others)
		fprintf(stderr, "  vector registers %s, memory but for the stack %s\n",
		        a->vector == b->vector ? "agree" : "differ",
		        a->others == b->others ? "agrees" : "differs");
	for (u32 i = 0; i < GUEST_STACK_SIZE; i++) {
		if (!a->dead[i] && a->stack[i] != b->stack[i]) {
			fprintf(stderr, "  stack at 0x%llx: %02x, %02x\n",
			        (unsigned long long)GUEST_STACK + i, a->stack[i], b->stack[i]);
			break;
		}
	}
}
