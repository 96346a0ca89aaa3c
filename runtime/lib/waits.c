/* SPDX-License-Identifier: MIT */
/*
 * waits.c - see waits.h. A loop is what lies between a target of a backward branch and the branch; the innermost one counts.
 */
#include "waits.h"

#define BEHIND 4u /* instructions between a load and the first that uses it, at most */

struct peak {
	u64 addr;
	u32 n;
};

struct loop {
	u64 start, end; /* end: behind the branch */
};

static bool read_brief(const struct text *text, u64 addr, void *decoder, struct insn_brief *insn)
{
	return text_brief(text, addr, decoder, insn, NULL) == STATUS_OK;
}

/* The instruction with most samples. */
static struct peak peak_of(const struct text *text, u64 start, u64 end, grow_heat_fn *heat,
                           const void *ctx)
{
	struct peak peak = { 0, 0 };

	for (u64 addr = start; addr < end; addr++) {
		u32 n = text_marks(text, addr) & TEXT_INSN ? heat(ctx, addr) : 0;

		if (n > peak.n)
			peak = (struct peak){ addr, n };
	}
	return peak;
}

static bool loop_around(const struct text *text, u64 addr, u64 start, u64 end, void *decoder,
                        struct loop *out)
{
	struct insn_brief insn;
	bool found = false;

	for (u64 at = start; at < end && read_brief(text, at, decoder, &insn); at += insn.len) {
		bool back = (insn.role == ROLE_JCC || insn.role == ROLE_JMP ||
		             insn.role == ROLE_COUNT) &&
		            insn.target >= start && insn.target <= addr && at >= addr;

		if (back && (!found || at + insn.len - insn.target < out->end - out->start)) {
			*out = (struct loop){ insn.target, at + insn.len };
			found = true;
		}
	}
	return found;
}

/* Does the peak stand out among the loop's instructions? */
static bool stands_out(const struct text *text, const struct loop *loop, const struct peak *peak,
                       grow_heat_fn *heat, const void *ctx)
{
	u64 n = 0, sum = 0;

	for (u64 at = loop->start; at < loop->end; at++) {
		if (!(text_marks(text, at) & TEXT_INSN) || at == peak->addr)
			continue;
		n++;
		sum += heat(ctx, at);
	}
	return n && (u64)peak->n * n >= (u64)WAITS_TIMES * sum;
}

/*
 * The last load in front of the peak that gives it what it reads, or stands right there; without a branch between. 0: none.
 */
static u64 load_before(const struct text *text, const struct loop *loop, u64 peak, void *decoder)
{
	struct insn window[BEHIND], reader;
	u32 n = 0;
	struct failure fail;

	for (u64 at = loop->start; at < peak;) {
		struct insn *insn = &window[n % BEHIND];

		if (text_insn(text, at, decoder, insn, &fail))
			return 0;
		at += insn->len;
		n = insn->role == ROLE_PLAIN ? n + 1 : 0;
		if (at > peak)
			return 0;
	}
	if (text_insn(text, peak, decoder, &reader, &fail))
		return 0;
	for (u32 i = 1; i <= n && i <= BEHIND; i++) {
		const struct insn *insn = &window[(n - i) % BEHIND];
		bool feeds = (insn->def.gpr & reader.use.gpr) || (insn->def.vec & reader.use.vec) ||
		             (insn->flags_def & reader.flags_use);

		if ((insn->flags & INSN_LOAD) && !(insn->flags & INSN_STACK) && (i == 1 || feeds))
			return insn->addr;
	}
	return 0;
}

bool waits_find(const struct text *text, u64 start, u64 end, grow_heat_fn *heat, const void *ctx,
                void *decoder, struct wait *out)
{
	struct peak peak = peak_of(text, start, end, heat, ctx);
	struct loop loop;
	u64 load;

	if (peak.n < WAITS_SAMPLES || !loop_around(text, peak.addr, start, end, decoder, &loop) ||
	    !stands_out(text, &loop, &peak, heat, ctx))
		return false;
	load = load_before(text, &loop, peak.addr, decoder);
	if (!load)
		return false;
	*out = (struct wait){ load, peak.n };
	return true;
}
