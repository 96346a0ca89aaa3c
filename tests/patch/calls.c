/* SPDX-License-Identifier: MIT */
/* calls.c - see calls.h. */
#include <string.h>
#include "calls.h"

/* The address of a translation, as a call at `from` says it. */
static void put_call(u8 *bytes, u64 from, u64 to)
{
	s32 distance = (s32)(to - (from + CALL_REL32_LEN));

	bytes[0] = 0xe8;
	memcpy(bytes + 1, &distance, sizeof(distance));
}

static const struct unit *callee(const struct group *g, const struct insn *call)
{
	for (u32 i = 0; i < g->n_units; i++) {
		if (g->units[i].code.head == call->target && roll(&story.dice, 4))
			return &g->units[i];
		if (story.model.visible[g->units[i].code.head - TEXT_BASE] !=
		            story.model.visible[call->target - TEXT_BASE] &&
		    do_wrong(OTHER_CALL))
			return &g->units[i];
	}
	return NULL;
}

void lead_calls(const struct group *g, struct plan *plan)
{
	const struct program *p = &story.program;

	for (u32 i = 0; i < p->n_insns; i++) {
		struct insn insn = program_insn(p, p->insns[i]);
		const u8 *now = memory_at(insn.addr);
		const struct unit *u;
		u8 bytes[CALL_REL32_LEN];
		struct failure fail;

		if (insn.role != ROLE_CALL || memcmp(now, insn.bytes, sizeof(bytes)))
			continue;
		u = callee(g, &insn);
		if (!u)
			continue;
		put_call(bytes, insn.addr, u->addr);
		must(plan_add(plan, STAGE_SITE, insn.addr, now, bytes, sizeof(bytes), &fail),
		     "call");
		story.n_calls++;
	}
}

void keep_calls(struct plan *live)
{
	u32 kept = 0;

	for (u32 i = 0; i < live->n; i++) {
		bool call = live->edits[i].new[0] == 0xe8 && live->edits[i].len == CALL_REL32_LEN;

		if (!call || !do_wrong(KEEP_CALL))
			live->edits[kept++] = live->edits[i];
	}
	live->n = kept;
}
