/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * validate_flags.c - which arithmetic flags nobody will read.
 *
 * Looks at original text only: whatever the translation does, from a boundary on the program behaves as the original
 * from that boundary's origin. A flag is dead if on every way on it is written before it is read. Calls and
 * returns end a way: by the ABI flags carry nothing across (psABI x86-64, 3.2.3). Bounded; what is not followed to its
 * end counts as read.
 */
#include "validate_private.h"

#define WAYS 16
#define STEPS 160

struct way {
	u64 addr;
	u16 live;
};

bool flags_kept_by(const struct insn *insn)
{
	const u8 *opcode = insn->bytes + insn->opcode_at;
	u8 group = opcode[1] >> 3 & 7;

	/* d2 and d3; /2 and /3 are rcl and rcr, which read the carry */
	return insn->flags_use && (opcode[0] & 0xfe) == 0xd2 && group != 2 && group != 3;
}

/* Behind an instruction: false if one of the flags is read, or nothing is known. */
static bool judge(const struct insn *insn, u16 *live)
{
	if (insn->flags & INSN_OPAQUE)
		return false;
	if (flags_kept_by(insn))
		return true;
	if (insn->flags_use & *live)
		return false;
	switch (insn->role) {
	case ROLE_CALL:
	case ROLE_CALL_INDIRECT:
	case ROLE_RET:
		*live = 0;
		return true;
	case ROLE_PLAIN:
	case ROLE_JMP:
	case ROLE_JCC:
	case ROLE_COUNT:
		*live &= (u16)~insn->flags_def;
		return true;
	default:
		return false;
	}
}

bool flags_dead_at(struct validator *v, u64 addr, u16 flags)
{
	struct way ways[WAYS];
	u32 n = 1;

	ways[0] = (struct way){ addr, flags };
	for (u32 steps = 0; n; steps++) {
		struct way *way = &ways[n - 1];
		const struct insn *insn = steps < STEPS ? original_insn(v, way->addr) : NULL;
		u64 behind;

		v->steps++;
		if (!insn || !judge(insn, &way->live))
			return false;
		if (!way->live) {
			n--;
			continue;
		}
		behind = way->addr + insn->len;
		way->addr = insn->role == ROLE_JMP ? insn->target : behind;
		if (insn->role != ROLE_JCC && insn->role != ROLE_COUNT)
			continue;
		if (n == WAYS)
			return false;
		ways[n] = (struct way){ insn->target, way->live };
		n++;
	}
	return true;
}
