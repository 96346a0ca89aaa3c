/* SPDX-License-Identifier: MIT */
/*
 * model.c - the set of places, one step from each of them, and the writes in between.
 *
 * Invariant: after model_check() returns true, every place in `standing` decodes to an instruction that no
 * unfinished write touches, means an original address, and all of its successors are in the set too.
 */
#include <string.h>
#include "dynopt_notes.h"
#include "model.h"
#include "toy.h"

#define ENDLESS 1 /* meaning of what only jumps in a circle, in the original */
#define MANY_JUMPS 2000 /* more than there are places in a row of jumps */

static bool wrong(struct model *m, const char *what, u64 at)
{
	if (!m->wrong) {
		m->wrong = what;
		m->wrong_at = at;
	}
	return false;
}

static bool inside(u64 addr)
{
	return addr >= TEXT_BASE && addr < TEXT_BASE + MEMORY_SIZE;
}

static u64 meaning_of(const struct model *m, u64 addr)
{
	return inside(addr) ? m->means[addr - TEXT_BASE] : 0;
}

static bool decode_at(const struct model *m, u64 addr, struct insn *out)
{
	u64 at = addr - TEXT_BASE;

	return inside(addr) && toy_decode(m->memory + at, MEMORY_SIZE - at, addr, out);
}

/* Where the original has its next instruction that is no direct jump. */
static u64 find_visible(const struct program *p, u64 original)
{
	for (u32 i = 0; i <= p->n_insns; i++) {
		struct insn insn = program_insn(p, original);

		if (insn.role != ROLE_JMP)
			return original;
		original = insn.target;
	}
	return ENDLESS;
}

static u64 visible(const struct model *m, u64 original)
{
	return m->visible[original - TEXT_BASE];
}

static void stand(struct model *m, u64 addr)
{
	if (m->standing[addr - TEXT_BASE])
		return;
	m->standing[addr - TEXT_BASE] = 1;
	m->todo[m->n_todo++] = addr;
}

void model_init(struct model *m, const struct program *p)
{
	memset(m, 0, sizeof(*m));
	m->program = p;
	memset(m->memory, 0xcc, sizeof(m->memory));
	memcpy(m->memory, p->bytes, sizeof(p->bytes));
	for (u32 i = 0; i < p->n_insns; i++) {
		m->means[p->insns[i] - TEXT_BASE] = p->insns[i];
		m->visible[p->insns[i] - TEXT_BASE] = find_visible(p, p->insns[i]);
		m->standing[p->insns[i] - TEXT_BASE] = 1;
	}
}

static void set_meaning(struct model *m, u64 addr, u64 meaning, u8 owner)
{
	m->means[addr - TEXT_BASE] = meaning;
	m->owner[addr - TEXT_BASE] = owner;
}

void model_means_hop(struct model *m, const struct hop *hop, u64 meaning, u8 owner)
{
	if (hop->slot)
		set_meaning(m, hop->slot, meaning, owner);
	if (hop->far)
		set_meaning(m, hop->far, meaning, owner);
}

void model_means_code(struct model *m, const struct code *code, u64 addr, u8 owner)
{
	for (u32 i = 0; i < code->n_origins; i++) {
		u32 at = code->origins[i].at;

		set_meaning(m, addr + at, code_origin_at(code->origins, code->n_origins, at),
		            owner);
	}
}

void model_means_shadow(struct model *m, const struct table *table, u64 addr, u8 owner)
{
	u32 i = 0;

	while (i < m->n_shadows && m->shadows[i].addr)
		i++;
	if (i == MAX_SHADOWS) {
		wrong(m, "more shadows than the model knows", addr);
		return;
	}
	m->shadows[i] = (struct shadow){ table, addr, owner };
	m->n_shadows += i == m->n_shadows;
}

/* ---- jumps through shadows ---- */

static const struct shadow *shadow_of(const struct model *m, const struct insn *insn)
{
	for (u32 i = 0; i < m->n_shadows; i++)
		if (insn->role == ROLE_JMP_INDIRECT && insn->rip_at && !(insn->flags & INSN_RIP) &&
		    m->shadows[i].addr && m->shadows[i].addr == insn->target)
			return &m->shadows[i];
	return NULL;
}

static u64 entry_of(const struct model *m, const struct shadow *shadow, u32 i)
{
	u64 target;

	memcpy(&target, m->memory + (shadow->addr - TEXT_BASE) + i * 8, sizeof(target));
	return target;
}

static bool is_shadow(const struct model *m, u64 from, u64 end)
{
	for (u32 i = 0; i < m->n_shadows; i++)
		if (m->shadows[i].addr && from < m->shadows[i].addr + m->shadows[i].table->n * 8 &&
		    m->shadows[i].addr < end)
			return true;
	return false;
}

/* ---- one step ---- */

/* Jumps that only lead on: direct ones anywhere, and the far slot's. */
static bool is_plain_jump(const struct model *m, const struct insn *insn, u64 *target)
{
	u64 at = insn->target - TEXT_BASE;

	*target = insn->target;
	if (insn->role == ROLE_JMP)
		return true;
	if (insn->addr < FAR_BASE || insn->addr >= CACHE_BASE || insn->role != ROLE_JMP_INDIRECT ||
	    !inside(insn->target))
		return false;
	memcpy(target, m->memory + at, sizeof(*target));
	return true;
}

/* Rule 5: a row of jumps comes to an instruction, unless the original's does not either. */
static bool comes_to_something(struct model *m, u64 addr)
{
	struct insn insn;
	u64 target = addr;

	for (u32 i = 0; i < MANY_JUMPS; i++) {
		if (!decode_at(m, target, &insn))
			return wrong(m, "a jump leads to what is no instruction", target);
		if (!is_plain_jump(m, &insn, &target))
			return true;
	}
	return wrong(m, "jumps in a circle", addr);
}

static bool outcome(struct model *m, const struct insn *insn, u64 addr, u64 original)
{
	u64 meaning = meaning_of(m, addr);

	if (!meaning)
		return wrong(m, "leads to where nobody may stand", insn->addr);
	if (visible(m, meaning) != visible(m, original))
		return wrong(m, "leads to the wrong place", insn->addr);
	stand(m, addr);
	return true;
}

/* Are they the same but for their address fields? Addresses accessed must be the same. */
static bool same_insn(const struct insn *a, const struct insn *b)
{
	u8 x[16], y[16];

	if (a->role != b->role || (a->flags ^ b->flags) & INSN_RIP)
		return false;
	if (a->role == ROLE_CALL)
		return true; /* where it leads is an outcome */
	if (a->role == ROLE_JCC)
		return a->cc >> 1 == b->cc >> 1;
	if (a->role == ROLE_COUNT)
		return a->opcode_at == b->opcode_at &&
		       !memcmp(a->bytes, b->bytes, a->opcode_at + 1u);
	if (a->len != b->len || a->rip_at != b->rip_at)
		return false;
	memcpy(x, a->bytes, sizeof(x));
	memcpy(y, b->bytes, sizeof(y));
	if (a->flags & INSN_RIP) {
		memset(x + a->rip_at, 0, 4);
		memset(y + a->rip_at, 0, 4);
		if (a->target != b->target)
			return false;
	}
	return !memcmp(x, y, a->len);
}

/* Both outcomes of a conditional branch, against the original's under the same flags and count. */
static bool both_outcomes(struct model *m, const struct insn *insn, const struct insn *original)
{
	for (u32 value = 0; value < 2; value++) {
		bool taken = value ^ (insn->role == ROLE_JCC && insn->cc & 1);
		bool original_taken = value ^ (original->role == ROLE_JCC && original->cc & 1);

		if (!outcome(m, insn, taken ? insn->target : insn->addr + insn->len,
		             original_taken ? original->target : original->addr + original->len))
			return false;
	}
	return true;
}

/* Each entry leads to where the table's entry leads, or to what stands for that. */
static bool all_entries(struct model *m, const struct insn *insn, const struct insn *original)
{
	const struct shadow *shadow = shadow_of(m, insn);

	if (!shadow || shadow->table != program_table(m->program, original))
		return wrong(m, "a jump through what is not its table's shadow", insn->addr);
	if (shadow->addr < m->busy_end && shadow->addr + shadow->table->n * 8 > m->busy)
		return wrong(m, "a CPU reads a half-written entry", insn->addr);
	for (u32 i = 0; i < shadow->table->n; i++) {
		u64 target = shadow->table->targets[i], entry = entry_of(m, shadow, i);

		if (!outcome(m, insn, entry, target) ||
		    (visible(m, target) != ENDLESS && !comes_to_something(m, entry)))
			return false;
	}
	return true;
}

static bool step(struct model *m, u64 addr)
{
	u64 meaning = meaning_of(m, addr), at, target;
	struct insn insn, original;

	m->n_checks++;
	if (!meaning)
		return wrong(m, "a CPU stands where nobody may", addr);
	if (!decode_at(m, addr, &insn))
		return wrong(m, "no instruction", addr);
	if (addr < m->busy_end && addr + insn.len > m->busy)
		return wrong(m, "a CPU stands on a half-written instruction", addr);
	at = visible(m, meaning);
	if (is_plain_jump(m, &insn, &target))
		return outcome(m, &insn, target, meaning) &&
		       (at == ENDLESS || comes_to_something(m, addr));
	if (at == ENDLESS)
		return wrong(m, "does something where the original only jumps", addr);
	original = program_insn(m->program, at);
	if (program_table(m->program, &original) && insn.target != original.target)
		return all_entries(m, &insn, &original);
	if (!same_insn(&insn, &original))
		return wrong(m, "not the original's instruction", addr);
	switch (insn.role) {
	case ROLE_PLAIN:
		return outcome(m, &insn, addr + insn.len, at + original.len);
	case ROLE_JCC:
	case ROLE_COUNT:
		return both_outcomes(m, &insn, &original);
	case ROLE_RET:
	case ROLE_JMP_INDIRECT:
		return true; /* to original addresses, where CPUs stand anyway */
	case ROLE_CALL:
		return (addr == at || wrong(m, "a call outside the original text", addr)) &&
		       outcome(m, &insn, insn.target, original.target);
	default:
		/* Calls and system calls show their own address to others. */
		return addr == at || wrong(m, "a call outside the original text", addr);
	}
}

/* Looks again at who may stand on an instruction with bytes in [from, end), and where that leads. */
static bool check_range(struct model *m, u64 from, u64 end)
{
	u64 low = from < TEXT_BASE + INSN_MAX_LEN ? TEXT_BASE : from - INSN_MAX_LEN;

	if (is_shadow(m, from, end)) { /* whoever jumps through it */
		low = TEXT_BASE;
		end = TEXT_BASE + MEMORY_SIZE;
	}
	m->n_todo = 0;
	for (u64 addr = low; addr < end && !m->wrong; addr++) {
		if (m->standing[addr - TEXT_BASE])
			step(m, addr);
	}
	while (m->n_todo && !m->wrong)
		step(m, m->todo[--m->n_todo]);
	return !m->wrong;
}

bool model_check(struct model *m)
{
	return check_range(m, TEXT_BASE, TEXT_BASE + MEMORY_SIZE);
}

/* ---- writes ---- */

static bool apply_edit(struct model *m, const struct edit *edit, bool bytewise)
{
	u8 *at = m->memory + (edit->addr - TEXT_BASE);
	struct failure fail;

	if (!inside(edit->addr) || !inside(edit->addr + edit->len - 1))
		return wrong(m, "an edit outside memory", edit->addr);
	if (plan_check(edit, at, &fail))
		return wrong(m, "not the bytes that the plan expects", edit->addr);
	if (!bytewise) {
		memcpy(at, edit->new, edit->len);
		return check_range(m, edit->addr, edit->addr + edit->len);
	}
	m->busy = edit->addr;
	m->busy_end = edit->addr + edit->len;
	for (u32 i = 0; i < edit->len; i++) {
		at[i] = edit->new[i];
		if (!check_range(m, m->busy, m->busy_end))
			return false;
	}
	m->busy = m->busy_end = 0;
	return check_range(m, edit->addr, edit->addr + edit->len);
}

bool model_apply(struct model *m, const struct plan *plan, u32 n, enum torn torn)
{
	if (!model_check(m))
		return false;
	for (u32 i = 0; i < n; i++) {
		const struct edit *edit = &plan->edits[i];
		bool live = edit->stage == STAGE_SITE || edit->stage == STAGE_LINK;

		bool entry = is_shadow(m, edit->addr, edit->addr + edit->len);

		if (!apply_edit(m, edit,
		                !live || torn == TORN_ALL || (torn == TORN_ENTRIES && entry)))
			return false;
	}
	return model_check(m);
}

/* ---- leaving ---- */

/* How many of addr's successors are places of the owner where a CPU stands. */
static u32 staying(const struct model *m, u64 addr, u8 owner)
{
	struct insn insn;
	const struct shadow *shadow;
	u32 n = 0, n_to = 0;
	u64 to[TABLE_ENTRIES];

	if (!decode_at(m, addr, &insn))
		return 0;
	if (is_plain_jump(m, &insn, &to[0])) {
		n_to = 1;
	} else if (insn.role == ROLE_PLAIN) {
		to[n_to++] = addr + insn.len;
	} else if (insn.role == ROLE_JCC || insn.role == ROLE_COUNT) {
		to[n_to++] = addr + insn.len;
		to[n_to++] = insn.target;
	} else if ((shadow = shadow_of(m, &insn))) {
		while (n_to < shadow->table->n) {
			to[n_to] = entry_of(m, shadow, n_to);
			n_to++;
		}
	}
	for (u32 i = 0; i < n_to; i++)
		n += inside(to[i]) && m->standing[to[i] - TEXT_BASE] &&
		     m->owner[to[i] - TEXT_BASE] == owner;
	return n;
}

/* An address where a CPU stands in a place of the owner; 0: none. */
static u64 stands_in(const struct model *m, u8 owner)
{
	for (u64 at = 0; at < MEMORY_SIZE; at++) {
		if (m->standing[at] && m->owner[at] == owner)
			return TEXT_BASE + at;
	}
	return 0;
}

void model_forget(struct model *m, u8 owner)
{
	for (u64 at = 0; at < MEMORY_SIZE; at++) {
		if (m->owner[at] == owner)
			m->means[at] = m->owner[at] = 0;
	}
	for (u32 i = 0; i < m->n_shadows; i++)
		if (m->shadows[i].owner == owner)
			m->shadows[i].addr = 0;
}

bool model_drain(struct model *m, u8 owner)
{
	bool changed = true;

	/* Who can only go to other places is out with the next step; who is left then goes round for ever. */
	while (changed) {
		changed = false;
		/* Downward, as most steps lead up. */
		for (u64 at = MEMORY_SIZE; at-- > 0;) {
			if (m->standing[at] && m->owner[at] == owner &&
			    !staying(m, TEXT_BASE + at, owner)) {
				m->standing[at] = 0;
				changed = true;
			}
		}
	}
	if (stands_in(m, owner))
		return wrong(m, "a CPU may stay for ever", stands_in(m, owner));
	if (!model_check(m))
		return false;
	if (stands_in(m, owner))
		return wrong(m, "somebody can still arrive", stands_in(m, owner));
	model_forget(m, owner);
	return true;
}
