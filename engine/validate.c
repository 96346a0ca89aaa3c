/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * validate.c - paths, boundaries, loops and ways out; see validate.h.
 *
 * A path is both machines' symbolic state and where each of them is. Paths are followed one at a time; a
 * branch of the translation on something untested makes two of one. At each boundary of the translation the original is moved on until
 * it stands at the boundary's origin with the state that the side table says: any number of steps is
 * right, the first is taken. Two more rules tie the two together: a translated instruction that accesses memory or can
 * fault is the original's very next one; between two arrivals at a loop's head the original has moved.
 *
 * A loop is proven by induction: where its head is met first, everything that the loop may change is forgotten, on both sides alike;
 * what the start supposes to stay (rsp, copies of it, equality of dead flags) is checked at each way back, and where that fails the loop is
 * followed again without it. If that proves nothing, the same is tried with more supposed at first: that no register changes. What
 * a path has tested stays known in loops, for it is about values.
 */
#include "validate_private.h"

#define MAX_CATCH_UP 64 /* instructions of the original at one boundary */

/* ---- paths ---- */

static enum status fail_at(struct validator *v, enum status status, const struct path *path)
{
	return failed(v->fail, status, path->pc, path->offset);
}

static struct path *path_new(struct validator *v)
{
	struct path *path = v->spare;

	if (path)
		v->spare = path->below;
	else
		path = arena_alloc(v->arena, 1, sizeof(*path));
	return path;
}

static void path_free(struct validator *v, struct path *path)
{
	path->below = v->spare;
	v->spare = path;
}

static struct path *path_copy(struct validator *v, const struct path *from)
{
	struct path *path = path_new(v);

	if (path)
		*path = *from;
	return path;
}

static void path_push(struct validator *v, struct path *path)
{
	path->below = v->top;
	v->top = path;
}

static const struct ir_state exact;

static const u16 flag_bits[N_FLAGS] = { FLAG_CF, FLAG_PF, FLAG_AF, FLAG_ZF,
	                                FLAG_SF, FLAG_DF, FLAG_OF };

/* Makes dead flags the same value on both sides: DF's, which is not among them. */
static void drop_flags(struct machine *m, u16 dead)
{
	for (u32 i = 0; i < N_FLAGS; i++)
		if (dead & flag_bits[i])
			m->v[SLOT_FLAGS + i] = m->v[SLOT_FLAGS + 5];
}

/* ---- catching up ---- */

/* Moves the original to `origin` where its state is as `state` says, by at least `least` steps. */
static enum status catch_up(struct validator *v, struct path *path, u64 origin,
                            const struct ir_state *state, u32 least)
{
	enum status status, first = STATUS_OK;

	state_drop_places(v, path);
	for (u32 i = 0; i <= MAX_CATCH_UP; i++) {
		if (path->pc == origin) {
			status = state_same(v, path, state);
			if (!status && i >= least)
				return STATUS_OK;
			if (!first)
				first = status ? status : STATUS_VALIDATE_PROGRESS;
		}
		original_step(v, path);
		if (v->why)
			return first ? first : v->why;
	}
	return first ? first : STATUS_VALIDATE_PATH;
}

/* The side table's row for an offset. */
static const struct code_origin *origin_of(const struct code *code, u32 offset)
{
	u32 low = 0, high = code->n_origins;

	while (high - low > 1) {
		u32 middle = (low + high) / 2;

		if (code->origins[middle].at <= offset)
			low = middle;
		else
			high = middle;
	}
	return &code->origins[low];
}

/* ---- loops ---- */

static struct head *head_of(const struct path *path, u32 offset)
{
	struct head *head = path->head;

	while (head && head->offset != offset)
		head = head->around;
	return head;
}

static u32 owed_value(struct validator *v, const struct path *path, const struct ir_state *state,
                      const struct place *word)
{
	for (u32 i = 0; i < state->n; i++) {
		const struct ir_pending *p = &v->code->pendings[state->first + i];

		if (p->kind == PENDING_REG &&
		    state_at(v, path, p->at) == value_of(&v->values, word->atom, word->at))
			return (p->reg == GPR_SP ? path->translated : path->original).v[p->reg];
	}
	return word->value;
}

/* Forgets what the loop may change: the same unknown values on both sides, but for flags that differ. */
static void forget(struct validator *v, struct path *path, struct head *head)
{
	struct machine *a = &path->original, *b = &path->translated, good;
	u16 owed = state_owed(v, head->state);
	u32 rsp = a->v[GPR_SP];
	s64 ahead = value_sum(&v->values, b->v[GPR_SP]).c - value_sum(&v->values, rsp).c;
	u32 node[2];

	for (u32 i = 0; i < 2; i++) {
		struct node unknown = { .n = 2, .word = { NODE_UNKNOWN, ++v->serial } };

		node[i] = node_number(&v->values, &unknown) << SLOT_BITS;
	}
	for (u32 i = 0; i < SLOT_N; i++) {
		bool alike = i < 16 ? !(owed >> i & 1)
		                    : i < SLOT_FLAGS || i >= SLOT_FLAGS + N_FLAGS ||
		                              (head->flags >> (i - SLOT_FLAGS) & 1);

		if (i < SLOT_VEC && (head->kept >> i & 1))
			continue;
		a->v[i] = node[0] | i;
		b->v[i] = node[alike ? 0 : 1] | i;
	}
	if (!(head->kept >> GPR_SP & 1))
		b->v[GPR_SP] = value_plus(&v->values, a->v[GPR_SP], ahead);
	good = *b;
	if (owed && state_good(v, path, head->state, &good))
		refuse(v, STATUS_VALIDATE_TABLE);
	for (u32 i = 0; i < 16; i++)
		if (owed >> i & 1)
			a->v[i] = good.v[i];
	path->low = head->low;
	path->stale = 0;
	head->translated = *b;
	for (u32 i = 0; i < path->n_words; i++) /* what is left of them is owed */
		path->words[i].value = owed_value(v, path, head->state, &path->words[i]);
}

/* What is supposed at first: pointers into the stack, or all registers, stay, flags that are equal stay equal. */
static void suppose(struct validator *v, const struct path *path, struct head *head)
{
	u32 rsp = value_sum(&v->values, path->original.v[GPR_SP]).atom;

	for (u32 i = 0; i < 16; i++)
		if (v->all_kept || value_sum(&v->values, path->original.v[i]).atom == rsp)
			head->kept |= (u16)(1u << i);
	for (u32 i = 0; i < N_FLAGS; i++)
		if (path->original.v[SLOT_FLAGS + i] == path->translated.v[SLOT_FLAGS + i])
			head->flags |= (u8)(1u << i);
	head->low = path->low;
}

/* First arrival at a head. */
static enum status enter_loop(struct validator *v, struct path *path, const struct ir_state *state)
{
	struct head *head = arena_alloc(v->arena, 1, sizeof(*head));

	if (!head)
		return fail_at(v, STATUS_WORKSPACE, path);
	if (!state_same_but_owed(v, path, state))
		return fail_at(v, STATUS_VALIDATE_REGISTER, path);
	stack_settle(v, path, state);
	if (path->n_places)
		return fail_at(v, STATUS_VALIDATE_LOOP, path);
	head->offset = path->offset;
	head->around = path->head;
	head->mark = v->top;
	suppose(v, path, head);
	head->state = state;
	if (!v->all_kept)
		head->kept &= (u16)~state_owed(v, state);
	path->head = head;
	head->entry = path_copy(v, path);
	if (!head->entry)
		return fail_at(v, STATUS_WORKSPACE, path);
	forget(v, path, head);
	return STATUS_OK;
}

/* What was supposed and is not so. True: nothing. */
static bool still_holds(const struct path *path, struct head *head)
{
	u16 kept = head->kept;
	u8 flags = head->flags;
	s64 low = head->low;

	for (u32 i = 0; i < 16; i++)
		if (path->translated.v[i] != head->translated.v[i])
			kept &= (u16) ~(1u << i);
	for (u32 i = 0; i < N_FLAGS; i++)
		if (path->original.v[SLOT_FLAGS + i] != path->translated.v[SLOT_FLAGS + i])
			flags &= (u8) ~(1u << i);
	if (path->n_returns && path->low < low)
		low = path->low;
	if (kept == head->kept && flags == head->flags && low == head->low)
		return true;
	head->kept = kept;
	head->flags = flags;
	head->low = low;
	return false;
}

/* The same words; what is in them was compared at the boundary. */
static bool same_places(const struct path *path, const struct path *entry)
{
	for (u32 i = 0; i < entry->n_words; i++)
		if (!state_word(path, (struct sum){ entry->words[i].atom, entry->words[i].at }))
			return false;
	return true;
}

/* Pointers to the stack that are made in the loop are there the next time around: true if that is news. */
static bool pointers_come_back(const struct path *path, struct path *entry)
{
	bool news = false;

	for (u32 side = 0; side < 2; side++) {
		news |= path->escaped[side] && !entry->escaped[side];
		entry->escaped[side] |= path->escaped[side];
	}
	return news && path->n_returns;
}

/* Back at a head: either all is as supposed, or the loop is followed again with less. */
static enum status close_loop(struct validator *v, struct path *path, struct head *head)
{
	struct path *entry = head->entry, *again;
	bool news;

	if (!state_same_but_owed(v, path, head->state))
		return fail_at(v, STATUS_VALIDATE_LOOP, path);
	stack_settle(v, path, head->state);
	if (path->n_returns != entry->n_returns || path->n_places ||
	    path->n_words != entry->n_words || !same_places(path, entry) ||
	    memcmp(path->returns, entry->returns, path->n_returns * sizeof(*path->returns)))
		return fail_at(v, STATUS_VALIDATE_LOOP, path);
	news = pointers_come_back(path, entry);
	if (news && entry->n_words)
		return fail_at(v, STATUS_VALIDATE_LOOP, path);
	if (still_holds(path, head) && !news)
		return STATUS_OK;
	if (!(head->kept >> GPR_SP & 1) && path->n_returns)
		return fail_at(v, STATUS_VALIDATE_LOOP, path);
	while (v->top != head->mark) {
		struct path *dropped = v->top;

		v->top = dropped->below;
		path_free(v, dropped);
	}
	again = path_copy(v, entry);
	if (!again)
		return fail_at(v, STATUS_WORKSPACE, path);
	forget(v, again, head);
	again->begun = true;
	path_push(v, again);
	return STATUS_OK;
}

/* ---- one instruction of the translation ---- */

/* Out to original text, or to another translation that starts there. */
static enum status leave(struct validator *v, struct path *path, u64 target)
{
	enum status status;

	status = catch_up(v, path, target, &exact, target == v->code->head && !path->steps);
	return status ? fail_at(v, status, path) : STATUS_OK;
}

/* A return or an indirect jump: the original must be about to do the same, for both can fault. */
static enum status leave_to_value(struct validator *v, struct path *path,
                                  const struct code_fixup *fixup, bool *done)
{
	const struct insn *ours = v->insn, *insn = original_insn(v, path->pc);
	u32 target[2];

	*done = true;
	if (fixup && fixup->kind == FIXUP_TABLE)
		return state_same(v, path, &exact) || !table_leads_on(v, path, fixup)
		               ? fail_at(v, STATUS_VALIDATE_LEAVE, path)
		               : STATUS_OK;
	if (!insn || insn->role != ours->role)
		return fail_at(v, STATUS_VALIDATE_LEAVE, path);
	for (u32 side = 0; side < 2; side++) {
		struct machine *m = side ? &path->translated : &path->original;

		insn_execute(v, path, side, side ? ours : insn, &target[side]);
		drop_flags(m, ours->role == ROLE_RET ? FLAGS_STATUS : path->stale);
	}
	if (v->why)
		return fail_at(v, v->why, path);
	if (target[0] != target[1])
		return fail_at(v, STATUS_VALIDATE_LEAVE, path);
	state_drop_places(v, path);
	path->steps++;
	if (memcmp(&path->original, &path->translated, sizeof(path->original)))
		return fail_at(v, STATUS_VALIDATE_LEAVE, path);
	return state_returns(v, path, &exact, &path->translated)
	               ? fail_at(v, STATUS_VALIDATE_PENDING, path)
	               : STATUS_OK;
}

/* A back-edge: on to the head, and, when undo has cut it, out. */
static enum status go_back(struct validator *v, struct path *path, const struct code_fixup *fixup)
{
	struct path *cut = path_copy(v, path);
	enum status status;

	if (!cut)
		return fail_at(v, STATUS_WORKSPACE, path);
	path->offset = fixup->to;
	if (fixup->cut) {
		cut->offset = fixup->cut;
		path_push(v, cut);
		return STATUS_OK;
	}
	status = leave(v, cut, fixup->target);
	path_free(v, cut);
	return status;
}

/* Along a direct branch. */
static enum status follow(struct validator *v, struct path *path, const struct code_fixup *fixup,
                          u64 target, bool *done)
{
	*done = fixup && fixup->kind == FIXUP_EXIT;
	if (*done)
		return leave(v, path, fixup->target);
	if (fixup)
		return go_back(v, path, fixup);
	if (target >= v->code->size)
		return fail_at(v, STATUS_VALIDATE_CODE, path);
	path->offset = (u32)target;
	return STATUS_OK;
}

static bool add_fact(struct validator *v, struct path *path, u32 condition, bool holds)
{
	struct fact *fact = arena_alloc(v->arena, 1, sizeof(*fact));

	if (!fact)
		return false;
	*fact = (struct fact){ path->facts, condition, holds };
	path->facts = fact;
	return true;
}

static enum status branch(struct validator *v, struct path *path, const struct code_fixup *fixup,
                          bool *done)
{
	const struct insn *insn = v->insn;
	bool inverted = insn->role == ROLE_JCC && (insn->cc & 1);
	u32 behind = path->offset + insn->len;
	u64 target = insn->target;
	struct path *other;
	u32 condition;
	int holds;

	if (insn->role == ROLE_COUNT)
		insn_execute(v, path, true, insn, &condition);
	else
		condition = insn_condition(v, &path->translated, insn);
	holds = fact_find(path, condition);
	if (holds < 0) {
		other = path_copy(v, path);
		if (!other || !add_fact(v, other, condition, inverted) ||
		    !add_fact(v, path, condition, !inverted))
			return fail_at(v, STATUS_WORKSPACE, path);
		other->offset = behind;
		path_push(v, other);
		holds = !inverted;
	}
	if (holds != inverted)
		return follow(v, path, fixup, target, done);
	path->offset = behind;
	return STATUS_OK;
}

/* An instruction that goes on with the next. What it does to the world, the original does at this very place. */
static enum status plain(struct validator *v, struct path *path)
{
	u32 events = path->translated.v[SLOT_EVENTS];
	bool acts;

	insn_execute(v, path, true, v->insn, NULL);
	acts = path->translated.v[SLOT_EVENTS] != events;
	if (acts && !v->why) {
		original_step(v, path);
		if (path->original.v[SLOT_EVENTS] != path->translated.v[SLOT_EVENTS])
			refuse(v, STATUS_VALIDATE_MEMORY);
	}
	if (v->why)
		return fail_at(v, v->why, path);
	path->offset += v->insn->len;
	return STATUS_OK;
}

/* Only stubs call, and only themselves: a word is pushed where nothing lives. */
static enum status call(struct validator *v, struct path *path, const struct code_fixup *fixup)
{
	u32 rsp = state_at(v, path, -WORD);
	u32 events = path->translated.v[SLOT_EVENTS];

	memory_store(v, path, true, rsp, value_translated(&v->values, path->offset + v->insn->len));
	if (v->why || fixup || v->insn->target >= v->code->size ||
	    events != path->translated.v[SLOT_EVENTS])
		return fail_at(v, STATUS_VALIDATE_CODE, path);
	path->translated.v[GPR_SP] = rsp;
	path->offset = (u32)v->insn->target;
	return STATUS_OK;
}

static enum status execute(struct validator *v, struct path *path, bool *done)
{
	const struct code_fixup *fixup;

	translated_insn(v, path, &fixup);
	if (v->why)
		return fail_at(v, v->why, path);
	switch (v->insn->role) {
	case ROLE_PLAIN:
		return plain(v, path);
	case ROLE_JMP:
		return follow(v, path, fixup, v->insn->target, done);
	case ROLE_JCC:
	case ROLE_COUNT:
		return branch(v, path, fixup, done);
	case ROLE_CALL:
		return call(v, path, fixup);
	case ROLE_JMP_INDIRECT:
	case ROLE_RET:
		return leave_to_value(v, path, fixup, done);
	default:
		return fail_at(v, STATUS_VALIDATE_CODE, path);
	}
}

/* ---- paths to their ends ---- */

/* At a boundary of the translation: the side table tells the truth. *done: a loop has closed. */
static enum status arrive(struct validator *v, struct path *path, bool *done)
{
	const struct code_origin *row = origin_of(v->code, path->offset);
	struct head *head = head_of(path, path->offset);
	u32 least = head && path->steps == head->entry->steps;
	enum status status;

	if (path->offset >= v->code->size)
		return fail_at(v, STATUS_VALIDATE_CODE, path);
	status = catch_up(v, path, row->origin, &v->code->states[row->state], least);
	if (status)
		return fail_at(v, status, path);
	if (!(v->is_head[path->offset / 8] >> path->offset % 8 & 1))
		return STATUS_OK;
	*done = head;
	return head ? close_loop(v, path, head) : enter_loop(v, path, &v->code->states[row->state]);
}

/* A path that begins behind a boundary: a loop that is followed again. */
static enum status follow_path(struct validator *v, struct path *path)
{
	enum status status = STATUS_OK;
	bool done = false;

	while (!status && !done) {
		if (++v->steps > LIMIT_VALIDATE_STEPS)
			return fail_at(v, STATUS_VALIDATE_STEPS, path);
		if (v->values.full)
			return fail_at(v, STATUS_WORKSPACE, path);
		if (!path->begun)
			status = arrive(v, path, &done);
		path->begun = false;
		if (!status && !done)
			status = execute(v, path, &done);
	}
	return status;
}

/* ---- tables ---- */

static enum status check_fixups(struct validator *v)
{
	const struct code *code = v->code;

	for (u32 i = 0; i < code->n_fixups; i++) {
		const struct code_fixup *f = &code->fixups[i];
		bool jump = f->kind == FIXUP_EXIT || f->kind == FIXUP_BACK;

		if (f->at > code->size || code->size - f->at < 4 || f->end < f->at + 4 ||
		    f->end > code->size || (i && f->at < code->fixups[i - 1].at + 4) ||
		    f->kind > FIXUP_TABLE || (jump && f->at % 8 > 4) ||
		    (f->kind == FIXUP_BACK && (f->to >= code->size || f->cut >= code->size)))
			return failed(v->fail, STATUS_VALIDATE_TABLE, code->head, f->at);
		if (f->kind == FIXUP_BACK)
			v->is_head[f->to / 8] |= (u8)(1u << f->to % 8);
	}
	return STATUS_OK;
}

static enum status check_origins(struct validator *v)
{
	const struct code *code = v->code;

	for (u32 i = 0; i < code->n_origins; i++) {
		const struct code_origin *o = &code->origins[i];

		if ((i ? o->at <= code->origins[i - 1].at : o->at != 0) || o->at >= code->size ||
		    o->state >= code->n_states)
			return failed(v->fail, STATUS_VALIDATE_TABLE, code->head, o->at);
	}
	for (u32 i = 0; i < code->n_states; i++) {
		const struct ir_state *s = &code->states[i];

		if (s->first > code->n_pendings || code->n_pendings - s->first < s->n)
			return failed(v->fail, STATUS_VALIDATE_TABLE, code->head, 0);
	}
	for (u32 i = 0; i < code->n_pendings; i++)
		if (code->pendings[i].kind > PENDING_RESULT || code->pendings[i].reg > 15)
			return failed(v->fail, STATUS_VALIDATE_TABLE, code->head, 0);
	return code->size && code->n_origins
	               ? STATUS_OK
	               : failed(v->fail, STATUS_VALIDATE_TABLE, code->head, 0);
}

static enum status run(struct validator *v)
{
	struct path *path;
	enum status status = STATUS_OK;
	struct head root = { .state = &exact };

	v->is_head = arena_alloc(v->arena, v->code->size / 8 + 1, 1);
	if (!v->is_head || !sides_init(v) || !values_init(&v->values, v->arena))
		return failed(v->fail, STATUS_WORKSPACE, v->code->head, v->arena->size);
	status = check_fixups(v);
	if (!status)
		status = check_origins(v);
	path = path_new(v);
	if (status || !path)
		return status ? status
		              : failed(v->fail, STATUS_WORKSPACE, v->code->head, v->arena->size);
	path->pc = v->code->head;
	root.flags = 0xff;
	forget(v, path, &root);
	path_push(v, path);
	while (!status && v->top) {
		path = v->top;
		v->top = path->below;
		status = follow_path(v, path);
		path_free(v, path);
	}
	return status;
}

enum status validate(const struct text *text, const struct ir_tree *lifted, const struct code *code,
                     struct arena *arena, struct failure *fail)
{
	u64 before = arena_mark(arena);
	enum status status = STATUS_VALIDATE_TABLE;

	if (code->head != lifted->head)
		return failed(fail, STATUS_VALIDATE_TABLE, code->head, 0);
	for (u32 all_kept = 0; all_kept < 2 && status_class(status) == STATUS_CLASS_REFUSED;
	     all_kept++) {
		struct validator v = { .text = text,
			               .tree = lifted,
			               .code = code,
			               .arena = arena,
			               .fail = fail,
			               .all_kept = all_kept };

		status = run(&v);
		arena_release(arena, before);
	}
	return status;
}
