/* SPDX-License-Identifier: MIT */
/*
 * flow.c - see flow.h.
 *
 * Fitting: in turns, what comes into each block and what goes out of it is scaled to a mean of the two and of the samples, which
 * count the more, the more instructions the block has. Control comes from outside at the function's start and, where it has an indirect
 * jump, at any block that something jumps to; it leaves at returns, indirect jumps and branches into other functions. What is called is taken to come back.
 */
#include "flow.h"

#define ROUNDS 24
#define AS_SAMPLE 16 /* instructions of runs, which follow from one another */
#define AT_ONCE 16u /* blocks */
#define WEIGHT_WAY 12 /* of what comes in and of what goes out, in instructions of a block */
#define WEIGHT_MOST 24 /* instructions of a block that count */
#define EVEN \
	4 /* instructions of a block from which on one that waits for memory is told from the others */
#define STALL 2 /* times the others' mean: samples of one instruction that count */
#define EVIDENCE 24u /* instructions behind a branch that are looked at */
/*
 * Samples that may have missed the instructions behind a branch although they are executed: few instructions retire together with others,
 * which get all of their samples.
 */
#define UNSEEN 1
#define DOUBT 16 /* a block without samples may have had one of so many */
#define COUNT_MOST ((u64)1 << 40)
#define NOWHERE 0xffffffffu /* outside of the function */

struct edge {
	u32 from, to; /* blocks, or NOWHERE */
	u64 n;
	u64 seen; /* times, of a branch's */
};

struct fit {
	struct flow *flow;
	struct edge *edges;
	u32 n_edges;
	u64 *in, *out, *seen; /* by block: sums of edges; what its samples say */
	u64 *often; /* by block: times that its branch was seen, if that is often enough; else 0 */
	u64 *middle; /* by block: what its executions are thought to be */
	u64 base; /* load bias of runs */
	u64 *passed; /* by block: times that runs have gone through it */
	u32 *ways; /* by block: the first edge from it, and 1; 0: none */
};

const struct flow_block *flow_block_at(const struct flow *flow, u64 addr)
{
	u32 low = 0, high = flow->n_blocks;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (flow->blocks[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < flow->n_blocks && flow->blocks[low].start <= addr ? &flow->blocks[low] : NULL;
}

/* ---- blocks and edges ---- */

static bool goes_on(u8 role)
{
	return role == ROLE_PLAIN || role == ROLE_CALL || role == ROLE_CALL_INDIRECT ||
	       role == ROLE_SYSCALL || role == ROLE_SYSTEM;
}

static bool is_branch(u8 role)
{
	return role == ROLE_JCC || role == ROLE_COUNT;
}

static bool read_insn(const struct flows *flows, u64 addr, struct insn_brief *insn)
{
	return text_brief(flows->text, addr, flows->decoder, insn, NULL) == STATUS_OK;
}

/* A block's samples without those of one instruction that say how long it waits, not how often it is executed. */
static u32 evened(u32 samples, u32 most, u32 n_insns)
{
	u32 rest = samples - most;
	u64 fair = n_insns > 1 ? (u64)STALL * rest / (n_insns - 1) + 1 : samples;

	return n_insns < EVEN || most <= fair ? samples : rest + (u32)fair;
}

/* Of a function whose blocks are read in order; hit: the next instruction that may have been hit. */
static void read_block(const struct flows *flows, u64 addr, u64 end, u64 *hit,
                       struct flow_block *block)
{
	struct insn_brief insn;
	u32 most = 0;

	*block = (struct flow_block){ .start = addr, .end = addr };
	while (addr < end && read_insn(flows, addr, &insn)) {
		u32 n = addr < *hit ? 0 : flows->heat(flows->ctx, addr, hit);

		most = n > most ? n : most;
		block->samples += n;
		block->n_insns += block->n_insns < 0xffff;
		block->last = addr;
		block->target = insn.target;
		block->role = insn.role;
		addr += insn.len;
		block->end = addr;
		if (insn.role != ROLE_PLAIN || (text_marks(flows->text, addr) & TEXT_TARGET))
			break;
	}
	block->samples = evened(block->samples, most, block->n_insns);
}

/* Room for more blocks: what an arena hands out stands one behind the other. */
static bool make_room(const struct flows *flows, struct flow *flow, u32 *room)
{
	struct flow_block *more = arena_alloc(flows->arena, AT_ONCE, sizeof(*more));

	if (!flow->blocks)
		flow->blocks = more;
	if (!more || more != flow->blocks + *room)
		return false;
	*room += AT_ONCE;
	return true;
}

static bool read_blocks(const struct flows *flows, struct flow *flow)
{
	u64 hit = flow->start;
	u32 room = 0;

	for (u64 addr = flow->start; addr < flow->end;) {
		struct flow_block *block;

		if (flow->n_blocks + 2 > room && !make_room(flows, flow, &room))
			return false;
		block = &flow->blocks[flow->n_blocks];
		read_block(flows, addr, flow->end, &hit, block);
		if (!block->n_insns) {
			addr++;
			continue;
		}
		flow->samples += block->samples;
		flow->n_blocks++;
		addr = block->end;
	}
	flow->blocks[flow->n_blocks] = (struct flow_block){ 0 };
	arena_release(flows->arena,
	              (u64)((u8 *)&flow->blocks[flow->n_blocks + 1] - flows->arena->base));
	return true;
}

/* Which block starts at addr, or one byte before it: a branch may lead past a lock prefix (text_unwind.c). */
static u32 number_of(const struct flow *flow, const struct text *text, u64 addr)
{
	const struct flow_block *block = flow_block_at(flow, addr);
	bool is_start = block && (block->start == addr || (block->start + 1 == addr &&
	                                                   (text_marks(text, addr) & TEXT_INSN)));

	return is_start ? (u32)(block - flow->blocks) : NOWHERE;
}

static void add_edge(struct fit *fit, u32 from, u32 to)
{
	if (from != NOWHERE && !fit->ways[from])
		fit->ways[from] = fit->n_edges + 1;
	fit->edges[fit->n_edges++] = (struct edge){ from, to, 0, 0 };
}

static void add_edges(struct fit *fit, const struct text *text)
{
	struct flow *flow = fit->flow;
	bool indirect = false;

	for (u32 i = 0; i < flow->n_blocks; i++)
		indirect |= flow->blocks[i].role == ROLE_JMP_INDIRECT;
	for (u32 i = 0; i < flow->n_blocks; i++) {
		const struct flow_block *block = &flow->blocks[i];
		u16 marks = text_marks(text, block->start);
		u8 role = block->role;

		if ((marks & TEXT_FUNCTION) || (indirect && (marks & TEXT_TARGET)))
			add_edge(fit, NOWHERE, i);
		if (role == ROLE_JMP || is_branch(role))
			add_edge(fit, i, number_of(flow, text, block->target));
		if (goes_on(role) || is_branch(role))
			add_edge(fit, i,
			         block[1].start == block->end ? i + 1
			                                      : number_of(flow, text, block->end));
		if (role == ROLE_JMP_INDIRECT || role == ROLE_RET)
			add_edge(fit, i, NOWHERE);
	}
}

/* ---- what was seen ---- */

/* The two edges of a block that ends in a branch, taken and not; NULL: it does not. */
static struct edge *ways_of(const struct fit *fit, u32 block)
{
	return is_branch(fit->flow->blocks[block].role) ? &fit->edges[fit->ways[block] - 1] : NULL;
}

static u64 seen_often(const struct fit *fit, u32 block)
{
	const struct edge *ways = ways_of(fit, block);
	u64 n = ways ? ways[0].seen + ways[1].seen : 0;

	return n >= FLOW_SEEN ? n : 0;
}

/* Branches that a run passes were not taken, and the one at its end was. */
static void see(void *ctx, const struct run *run)
{
	const struct fit *fit = ctx;
	const struct flow *flow = fit->flow;
	u64 last = run->last - fit->base, to = run->to - fit->base;
	const struct flow_block *end = flow_block_at(flow, last);
	const struct flow_block *at = run->start ? flow_block_at(flow, run->start - fit->base)
	                                         : NULL;
	struct edge *ways;

	if (end && run->to && end->last == last && end->target == to) {
		ways = ways_of(fit, (u32)(end - flow->blocks));
		if (ways)
			ways[0].seen += run->n;
	}
	for (; at && at < flow->blocks + flow->n_blocks && at->last < last; at++) {
		fit->passed[at - flow->blocks] += run->n;
		ways = ways_of(fit, (u32)(at - flow->blocks));
		if (ways)
			ways[1].seen += run->n;
	}
	if (at && at == end && end->last == last && run->to)
		fit->passed[at - flow->blocks] += run->n;
}

/* n of `of` scaled to `to`, without overflow. */
static u64 scaled(u64 n, u64 to, u64 of)
{
	while (n >> 32 || to >> 32) {
		u64 *larger = n > to ? &n : &to;

		*larger >>= 1;
		of >>= 1;
	}
	n = of ? n * to / of : to;
	return n ? n : 1;
}

/*
 * How often each block was seen: by its samples, and by how often runs have gone through it against all others of the function, which tell how often it is executed, and not how long that
 * takes.
 */
static void look(struct fit *fit)
{
	const struct flow *flow = fit->flow;
	u64 walked = 0;

	for (u32 i = 0; i < flow->n_blocks; i++)
		walked += fit->passed[i] * flow->blocks[i].n_insns;
	for (u32 i = 0; i < flow->n_blocks; i++) {
		const struct flow_block *block = &flow->blocks[i];
		u64 sampled = ((u64)block->samples * DOUBT + 1) * FLOW_ONE / DOUBT / block->n_insns;
		u64 by_runs = walked ? scaled(fit->passed[i] * FLOW_ONE, flow->samples, walked) : 0;
		u64 weight = flow->samples + walked / AS_SAMPLE;

		fit->seen[i] =
			weight ? (sampled * flow->samples + by_runs * (walked / AS_SAMPLE)) / weight
			       : sampled;
	}
}

/* ---- fitting ---- */

static void sum_edges(struct fit *fit)
{
	for (u32 i = 0; i < fit->flow->n_blocks; i++)
		fit->in[i] = fit->out[i] = 0;
	for (u32 i = 0; i < fit->n_edges; i++) {
		const struct edge *edge = &fit->edges[i];

		if (edge->from != NOWHERE)
			fit->out[edge->from] += edge->n;
		if (edge->to != NOWHERE)
			fit->in[edge->to] += edge->n;
	}
}

/* What a block's executions are thought to be. */
static u64 middle_of(const struct fit *fit, u32 block)
{
	u64 n = fit->flow->blocks[block].n_insns, weight = 0, sum = 0;

	n = n < WEIGHT_MOST ? n : WEIGHT_MOST;
	sum = fit->seen[block] * n;
	weight = n;
	if (fit->in[block]) {
		sum += fit->in[block] * WEIGHT_WAY;
		weight += WEIGHT_WAY;
	}
	if (fit->out[block]) {
		sum += fit->out[block] * WEIGHT_WAY;
		weight += WEIGHT_WAY;
	}
	return sum / weight;
}

/* Of FLOW_SHARE. */
static u64 share_of(u64 n, u64 of)
{
	u64 share = of ? scaled(n, FLOW_SHARE, of) : FLOW_SHARE / 2;

	return share < FLOW_SHARE ? share : FLOW_SHARE;
}

/* From the edges; in, out and middle follow. */
static void weigh_blocks(struct fit *fit)
{
	sum_edges(fit);
	for (u32 i = 0; i < fit->flow->n_blocks; i++)
		fit->middle[i] = middle_of(fit, i);
}

/* False: nothing has changed. */
static bool scale(struct fit *fit, bool incoming)
{
	bool changed = false;

	weigh_blocks(fit);
	for (u32 i = 0; i < fit->n_edges; i++) {
		struct edge *edge = &fit->edges[i];
		u32 block = incoming ? edge->to : edge->from;
		u64 n, often;

		if (block == NOWHERE)
			continue;
		often = incoming ? 0 : fit->often[block];
		n = often ? scaled(fit->middle[block], edge->seen, often)
		          : scaled(edge->n, fit->middle[block],
		                   incoming ? fit->in[block] : fit->out[block]);
		n = n < COUNT_MOST ? n : COUNT_MOST;
		changed |= n != edge->n;
		edge->n = n;
	}
	return changed;
}

/* In turns; what neither has changed stays so. */
static void scale_all(struct fit *fit)
{
	for (u32 i = 0, idle = 0; i < ROUNDS && idle < 2; i++)
		idle = scale(fit, i % 2) ? 0 : idle + 1;
}

/* What an end of an edge has seen; outside of the function nobody knows, and it is taken to be as much as at the other end. */
static u64 seen_at(const struct fit *fit, u32 end, u32 other)
{
	return fit->seen[end == NOWHERE ? other : end];
}

/* First guess of an edge: what its ends have seen, shared as what is seen at the other ends of their edges. */
static void begin(struct fit *fit)
{
	for (u32 i = 0; i < fit->n_edges; i++) {
		const struct edge *edge = &fit->edges[i];

		if (edge->to != NOWHERE)
			fit->in[edge->to] += seen_at(fit, edge->from, edge->to);
		if (edge->from != NOWHERE)
			fit->out[edge->from] += seen_at(fit, edge->to, edge->from);
	}
	for (u32 i = 0; i < fit->n_edges; i++) {
		struct edge *edge = &fit->edges[i];
		u64 from = seen_at(fit, edge->from, edge->to);
		u64 to = seen_at(fit, edge->to, edge->from);
		u64 by_to = edge->to == NOWHERE ? 0 : scaled(from, to, fit->in[edge->to]);
		u64 by_from = edge->from == NOWHERE ? 0 : scaled(from, to, fit->out[edge->from]);

		edge->n = edge->to == NOWHERE     ? by_from
		          : edge->from == NOWHERE ? by_to
		                                  : by_from / 2 + by_to / 2 + 1;
	}
}

static u16 taken_share(const struct fit *fit, const struct edge *edge)
{
	u64 seen = fit->often[edge->from];

	return (u16)(1 +
	             (seen ? share_of(edge->seen, seen) : share_of(edge->n, fit->out[edge->from])));
}

/* Counts and shares from the edges; the first one from a branch is that taken. */
static void finish(struct fit *fit)
{
	u32 before = NOWHERE;

	weigh_blocks(fit);
	for (u32 i = 0; i < fit->flow->n_blocks; i++)
		fit->flow->blocks[i].count = fit->middle[i];
	for (u32 i = 0; i < fit->n_edges; i++) {
		const struct edge *edge = &fit->edges[i];
		struct flow_block *block =
			&fit->flow->blocks[edge->from == NOWHERE ? edge->to : edge->from];

		if (edge->from == NOWHERE)
			block->outside = edge->n;
		else if (edge->from != before && is_branch(block->role)) {
			block->taken = taken_share(fit, edge);
			block->seen = (u32)fit->often[edge->from];
		}
		before = edge->from;
	}
}

static bool fit_flow(const struct flows *flows, struct flow *flow)
{
	struct fit fit = { .flow = flow };
	u64 n = flow->n_blocks + 1;

	fit.edges = arena_alloc(flows->arena, 3 * n, sizeof(*fit.edges));
	fit.in = arena_alloc(flows->arena, n, sizeof(*fit.in));
	fit.out = arena_alloc(flows->arena, n, sizeof(*fit.out));
	fit.seen = arena_alloc(flows->arena, n, sizeof(*fit.seen));
	fit.often = arena_alloc(flows->arena, n, sizeof(*fit.often));
	fit.middle = arena_alloc(flows->arena, n, sizeof(*fit.middle));
	fit.passed = arena_alloc(flows->arena, n, sizeof(*fit.passed));
	fit.ways = arena_alloc(flows->arena, n, sizeof(*fit.ways));
	if (!fit.edges || !fit.in || !fit.out || !fit.seen || !fit.often || !fit.middle ||
	    !fit.passed || !fit.ways)
		return false;
	fit.base = flows->base;
	add_edges(&fit, flows->text);
	if (flows->runs)
		runs_each(flows->runs, flow->start + fit.base, flow->end + fit.base, see, &fit);
	look(&fit);
	for (u32 i = 0; i < flow->n_blocks; i++)
		fit.often[i] = seen_often(&fit, i);
	begin(&fit);
	scale_all(&fit);
	finish(&fit);
	return true;
}

/* ---- what else may be ---- */

/* Instructions that are executed if control comes to addr, EVIDENCE at most, and the samples that hit them. */
static u32 look_behind(const struct flows *flows, u64 addr, u64 *samples)
{
	struct insn_brief insn;
	u64 next;
	u32 n = 0;

	for (*samples = 0; n < EVIDENCE && read_insn(flows, addr, &insn); n++) {
		*samples += flows->heat(flows->ctx, addr, &next);
		if (insn.role == ROLE_JMP || insn.role == ROLE_CALL)
			addr = insn.target;
		else if (insn.role == ROLE_PLAIN)
			addr += insn.len;
		else
			return n + 1;
	}
	return n;
}

/* Of a block's executions, those that go on at addr: at most, and at least if nobody else comes there. */
static void bound(const struct flows *flows, const struct flow_block *block, u64 addr, u64 *most,
                  u64 *least)
{
	u64 samples, insns = look_behind(flows, addr, &samples);
	u64 all = block->count * insns + (u64)UNSEEN * FLOW_ONE;
	u64 some = samples > UNSEEN ? samples - UNSEEN : 0;

	*most = share_of((samples + UNSEEN) * FLOW_ONE, all);
	*least = some ? share_of(some * FLOW_ONE, all) : 0;
}

/* Of a branch that was seen: next time it may go the other way. */
static void bound_seen(struct flow_block *block)
{
	u64 taken = (u64)(block->taken - 1) * block->seen / FLOW_SHARE;

	block->taken_most = (u16)share_of(taken + 1, block->seen + 1);
	block->next_most = (u16)share_of(block->seen - taken + 1, block->seen + 1);
}

static void bound_guessed(const struct flows *flows, struct flow_block *block)
{
	u64 most, least, unused;

	bound(flows, block, block->target, &most, &unused);
	block->taken_most = (u16)most;
	bound(flows, block, block->end, &most, &least);
	block->next_most = (u16)most;
	if (!(text_marks(flows->text, block->end) & TEXT_TARGET) &&
	    FLOW_SHARE - least < block->taken_most)
		block->taken_most = (u16)(FLOW_SHARE - least);
}

void flow_at_most(const struct flows *flows, const struct flow_block *block, u32 *next, u32 *taken)
{
	struct flow_block *own = (struct flow_block *)(uintptr_t)block;

	if (!block->bounded && block->seen && block->taken)
		bound_seen(own);
	else if (!block->bounded)
		bound_guessed(flows, own);
	own->bounded = true;
	*next = block->next_most;
	*taken = block->taken_most;
}

/* ---- what is known ---- */

/* Among flows->order: of the first function that ends behind addr. */
static u32 place_of(const struct flows *flows, u64 addr)
{
	u32 low = 0, high = flows->n_known;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (flows->known[flows->order[middle]].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The one that is to be known next. */
static void add_function(struct flows *flows, u32 at)
{
	memmove(&flows->order[at + 1], &flows->order[at],
	        (flows->n_known - at) * sizeof(flows->order[0]));
	flows->order[at] = (u16)flows->n_known++;
}

const struct flow *flow_of(struct flows *flows, u64 addr)
{
	u32 at = place_of(flows, addr);
	struct flow *flow = &flows->known[flows->n_known];
	u64 mark;

	if (at < flows->n_known && flows->known[flows->order[at]].start <= addr) {
		flow = &flows->known[flows->order[at]];
		return flow->blocks ? flow : NULL;
	}
	if (flows->n_known == FLOW_FUNCTIONS)
		return NULL;
	*flow = (struct flow){ 0 };
	if (!text_function(flows->text, addr, &flow->start, &flow->end))
		return NULL;
	add_function(flows, at);
	flow->mark = arena_mark(flows->arena);
	if (!read_blocks(flows, flow)) {
		flow->blocks = NULL;
		return NULL;
	}
	mark = arena_mark(flows->arena);
	if (!fit_flow(flows, flow))
		flow->blocks = NULL;
	arena_release(flows->arena, mark);
	return flow->blocks ? flow : NULL;
}

static bool holds(const struct flow_block *block, u64 addr)
{
	return addr >= block->start && addr < block->end;
}

static const struct flow_block *hinted(const struct flows *flows, struct flow_hint hint, u64 addr)
{
	const struct flow *flow = &flows->known[hint.function];

	return hint.function < flows->n_known && flow->blocks && hint.block < flow->n_blocks &&
	                       holds(&flow->blocks[hint.block], addr)
	               ? &flow->blocks[hint.block]
	               : NULL;
}

const struct flow_block *flow_block_of(struct flows *flows, u64 addr,
                                       const struct flow_block *before)
{
	struct flow_hint *hint =
		&flows->found[(u32)((addr * 0x9e3779b97f4a7c15u) >> 40) & (FLOW_HINTS - 1)];
	const struct flow_block *block;
	const struct flow *flow;

	if (before && holds(before + 1, addr))
		return before + 1;
	block = hinted(flows, *hint, addr);
	if (block)
		return block;
	flow = flow_of(flows, addr);
	block = flow ? flow_block_at(flow, addr) : NULL;
	if (block)
		*hint = (struct flow_hint){ (u16)(flow - flows->known),
			                    (u16)(block - flow->blocks) };
	return block;
}

void flows_release(struct flows *flows, u64 mark)
{
	u32 n = 0;

	trees_release(&flows->trees, flows->arena, mark);
	arena_release(flows->arena, mark);
	for (u32 i = 0; i < flows->n_known; i++)
		if (flows->known[flows->order[i]].mark < mark)
			flows->order[n++] = flows->order[i];
	flows->n_known = n;
}
