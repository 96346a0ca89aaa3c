/* SPDX-License-Identifier: MIT */
/* trial.c - see trial.h. */
#include "trial.h"
#include "oracle.h"
#include "oracle_frames.h"
#include "shadows.h"

#define FAULT_WRITE 2 /* bit of a page fault's error code */

static void begin_run(struct trial *t, u64 budget, u64 module_addr)
{
	states_memory(&t->states);
	guest_budget(&t->guest, budget);
	native.in.rip = t->guest.m->base + module_addr;
}

/* Words that a stub writes below the red zone: where rax is kept, and what its calls push. */
#define STUB_WORDS (1 + LIMIT_INLINE_DEPTH)

/* Did the translation fault in a stub that needs more of the stack than there is? */
static bool stub_ran_out(const struct outcome *b)
{
	u64 end = b->state.gpr[RSP] - RED_ZONE;

	return b->kind == OUTCOME_FAULT && (b->stop.error & FAULT_WRITE) &&
	       b->stop.addr - (end - STUB_WORDS * 8) < STUB_WORDS * 8;
}

static bool only_alive(const struct trial *t)
{
	return t->loose || t->states.framed;
}

/* Was it ended by this machine, and not by what it executed? */
static bool is_lost(const struct outcome *o)
{
	return o->kind == OUTCOME_FAULT && native_is_lost(&o->stop, o->state.gpr[RSP]);
}

/* Do the outcomes say something about each other? */
static bool comparable(const struct trial *t)
{
	const struct outcome *a = &t->original, *b = &t->translation;
	bool spent = a->kind == OUTCOME_SPENT || b->kind == OUTCOME_SPENT;

	if (is_lost(a) || is_lost(b))
		return false;
	if (a->kind == OUTCOME_ENDLESS || b->kind == OUTCOME_ENDLESS || a->kind == OUTCOME_ENOUGH)
		return false;
	if ((spent && !t->guest.exact) || shadows_strayed(&t->guest, a, b))
		return false;
	/* A loop's counter stands where an inlined call may be under way, or where the translation need not loop. */
	return !(spent && only_alive(t));
}

/*
 * The original's run, which has just been stepped: does it say anything? Where the stack ends a translation with inlined calls does
 * not do the same.
 */
static bool says_something(struct trial *t, const struct outcome *translation)
{
	t->stack_ended = t->states.framed &&
	                 (frames_stack_ends() || (translation && stub_ran_out(translation)));
	return !frames_odd() && !t->stack_ended &&
	       !native_is_lost(&native.stop, native.out.gpr[RSP]);
}

/* Steps the original to see what is dead; false if its run says nothing. */
static bool find_dead(struct trial *t, u64 budget, u8 *dead, bool *known)
{
	static u8 translated[GUEST_AREAS][GUEST_STACK_SIZE];
	const struct guest *g = &t->guest;

	for (u32 i = 0; i < g->n_areas; i++)
		memcpy(translated[i], (void *)g->areas[i].addr, g->areas[i].size);
	begin_run(t, budget, t->head);
	*known = frames_dead(g, dead);
	for (u32 i = 0; i < g->n_areas; i++)
		memcpy((void *)g->areas[i].addr, translated[i], g->areas[i].size);
	return says_something(t, &t->translation) && native.stop.kind != NATIVE_ENDLESS;
}

static const char *differs(struct trial *t, u64 budget)
{
	const struct outcome *a = &t->original;
	static u8 dead[GUEST_STACK_SIZE];
	u64 sp = a->state.gpr[RSP];
	const char *what;
	bool known;

	if (!only_alive(t)) {
		what = outcome_differs(a, &t->translation, RFLAGS_STATUS);
		return what ? what : memory_differs(&t->states);
	}
	if (a->kind == OUTCOME_AT && t->translation.kind == OUTCOME_AT &&
	    guest_settle(&t->guest, a->at) == guest_settle(&t->guest, t->translation.at))
		t->translation.at = a->at;
	what = outcome_differs(a, &t->translation, flags_live(&t->guest, a->at));
	if (!what && !memory_differs_framed(&t->states, sp, NULL))
		return NULL;
	t->compared = find_dead(t, budget, dead, &known);
	if (!t->compared)
		return NULL;
	what = outcome_differs(a, &t->translation, flags_live(&t->guest, a->at) & ~frames_stale());
	return what ? what : memory_differs_framed(&t->states, sp, known ? dead : NULL);
}

const char *trial_run(struct trial *t, u64 budget)
{
	t->stack_ended = false;
	begin_run(t, budget, t->head);
	native_run();
	outcome_take(&t->original, &t->guest);
	memory_keep(&t->guest);
	begin_run(t, budget, t->entry);
	native_run();
	outcome_take(&t->translation, &t->guest);
	t->compared = comparable(t);
	shadows_forgive(&t->guest, &t->original, &t->translation);
	return t->compared ? differs(t, budget) : NULL;
}

static const char *step_alive(struct trial *t, u64 budget)
{
	begin_run(t, budget, t->head);
	frames_log(&t->guest, &t->original);
	t->compared = says_something(t, NULL) && t->original.kind != OUTCOME_ENDLESS &&
	              !shadows_strayed(&t->guest, &t->original, NULL);
	if (!t->compared)
		return NULL;
	begin_run(t, budget, t->entry);
	return frames_check(&t->guest, &t->translation);
}

const char *trial_step(struct trial *t, u64 budget)
{
	const char *what;

	begin_run(t, budget, t->head);
	what = oracle_original(&t->guest, &t->original);
	t->steps = oracle_steps();
	t->compared = !is_lost(&t->original);
	t->stack_ended = false;
	t->misread = what;
	if (what && t->compared)
		return what;
	/* Stepping takes long: the watchdog may have come. */
	t->compared = t->compared && t->original.kind != OUTCOME_ENDLESS;
	if (!t->compared)
		return NULL;
	if (only_alive(t))
		return step_alive(t, budget);
	begin_run(t, budget, t->entry);
	what = oracle_translation(&t->guest, &t->translation);
	if (t->original.kind != OUTCOME_SPENT || t->guest.exact)
		return what;
	t->compared = false;
	return NULL;
}

void trial_print(struct trial *t, bool stepped)
{
	outcome_print(&t->original, &t->translation);
	if (!stepped)
		memory_print(&t->guest);
	else if (only_alive(t) && !t->misread)
		frames_print();
	else
		oracle_print();
}
