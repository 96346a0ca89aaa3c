/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * encode.c - from a tree to machine code that can stand anywhere.
 *
 * Blocks are laid out so that the child control is likelier to reach follows its parent; the rest are
 * reached by jumps. Invariants, for the origin table, for undo and for signals:
 *   - a copied instruction differs from the original in its RIP displacement only, or in that of its jump table;
 *   - jumps that are added change no register, no flag and no memory, so an added jump stands for the
 *     original address where control goes on, and one that replaces an original jump for that jump's own;
 *   - entry is offset 0, where the head's first instruction stands (a direct jump whose target follows
 *     has no code: it is done as soon as control is there);
 *   - the field of every exit and back-edge lies in one aligned 8-byte word of a code placed at a multiple of
 *     CACHE_ALIGN, so that one store redirects it.
 */
#include "cache.h"
#include "code.h"
#include "layout.h"
#include "limits.h"
#include "stub.h"

/* What a block may need beyond its instructions' own bytes: a counting branch is the largest (encode_count). */
#define TAIL_MAX 32
#define LINE CACHE_ALIGN
#define ALIGN_NOPS ((LINE + INSN_MAX_LEN - 2) / INSN_MAX_LEN) /* at a loop's head, at most */
#define PREFIX_PAD 0x2e /* cs: without meaning on a branch since NetBurst (SDM 2A, 2.1.1) */
#define FIELD_LEN 4
#define NEAR_MAX 127 /* that a field of one byte reaches */
#define FIELD_WORD 8

/* A jump to a child that is placed later: the field, of one byte or four, is filled in when all are. */
struct link {
	u32 at, block;
};

/* A loop whose head is to be placed well: its hottest way back, as it stood when all was laid out last. */
struct round {
	u32 bytes, flow;
};

/* A way out that owes something: the field of its jump, or the fixup of a back-edge, leads to a stub behind all blocks. */
struct debt {
	u64 target;
	u32 at; /* of the field; 0 with a back-edge */
	u32 flow; /* of the edge; 0 with a back-edge */
	u32 fixup; /* number, of a back-edge */
	u16 state;
	bool back;
};

struct encoder {
	const struct ir_tree *tree;
	struct code *code;
	u32 *offset; /* of each block */
	u32 *stack; /* children still to be placed */
	struct link *links;
	u8 *far; /* of each link: a byte does not reach */
	struct round *rounds; /* of each block */
	struct debt *debts;
	struct ir_state *states; /* the code's, writable */
	struct ir_pending *pendings;
	u32 depth, n_links, n_debts;
};

/* A branch without its field: before one of four bytes, and before one of one byte. */
struct opcode {
	u8 bytes[2], len, near;
};
static const struct opcode jmp = { { 0xe9 }, 1, 0xeb };

static struct opcode jcc(u8 cc)
{
	return (struct opcode){ { 0x0f, (u8)(0x80 | cc) }, 2, (u8)(0x70 | cc) };
}

static void emit(struct encoder *e, const u8 *bytes, u32 n)
{
	memcpy(e->code->bytes + e->code->size, bytes, n);
	e->code->size += n;
}

/* The next bytes are an instruction that stands for the one at `origin`, met in this state. */
static void begin_insn(struct encoder *e, u64 origin, u16 state)
{
	struct code_origin *o = &e->code->origins[e->code->n_origins++];

	o->at = e->code->size;
	o->origin = origin;
	o->state = state;
}

/* In front of an instruction of the tree. */
static u16 state_of(const struct encoder *e, const struct insn *insn)
{
	return e->tree->op_state ? e->tree->op_state[insn - e->tree->ops] : 0;
}

/* On the way along an edge. */
static u16 state_along(const struct encoder *e, const struct ir_edge *edge)
{
	if (edge->kind == EDGE_EXIT)
		return edge->state;
	return state_of(e, &e->tree->ops[e->tree->blocks[edge->block].first]);
}

/*
 * The original address that goes with that state: passes may have left out what the block began with, and then its first
 * instruction's state is not that of the edge's target.
 */
static u64 address_along(const struct encoder *e, const struct ir_edge *edge)
{
	if (edge->kind == EDGE_EXIT)
		return edge->target;
	return e->tree->ops[e->tree->blocks[edge->block].first].addr;
}

static struct code_fixup *add_fixup(struct encoder *e, u8 kind, u64 target, u32 at, u32 end, u32 to)
{
	struct code_fixup *f = &e->code->fixups[e->code->n_fixups++];

	f->kind = kind;
	f->target = target;
	f->at = at;
	f->end = end;
	f->to = to;
	f->flow = 0;
	return f;
}

static void copy_insn(struct encoder *e, const struct insn *insn, u32 freq)
{
	u32 at = e->code->size;

	begin_insn(e, insn->addr, state_of(e, insn));
	emit(e, insn->bytes, insn->len);
	if (insn->flags & INSN_RIP)
		add_fixup(e, FIXUP_DATA, insn->target, at + insn->rip_at, at + insn->len, 0);
	if (insn->flags & INSN_TABLE)
		add_fixup(e, FIXUP_TABLE, insn->target, at + insn->rip_at, at + insn->len,
		          (u32)insn->mem[0].disp)
			->flow = freq;
}

/* Prefixes that move a field at `at` into one aligned word. */
static void align_field(struct encoder *e, u32 at)
{
	static const u8 pad[FIELD_LEN - 1] = { PREFIX_PAD, PREFIX_PAD, PREFIX_PAD };

	if (at % FIELD_WORD > FIELD_WORD - FIELD_LEN)
		emit(e, pad, FIELD_WORD - at % FIELD_WORD);
}

static void emit_back(struct encoder *e, const struct ir_edge *edge, u32 at)
{
	u16 state = state_along(e, edge);
	u64 target = address_along(e, edge);
	struct round *round = &e->rounds[edge->block];

	if (edge->flow >= round->flow)
		*round = (struct round){ at + FIELD_LEN - e->offset[edge->block], edge->flow };

	if (state)
		e->debts[e->n_debts++] =
			(struct debt){ target, 0, 0, e->code->n_fixups, state, true };
	add_fixup(e, FIXUP_BACK, target, at, at + FIELD_LEN, e->offset[edge->block]);
}

/* A branch to a child: of two bytes if that reaches. */
static void emit_link(struct encoder *e, struct opcode opcode, u32 block)
{
	static const u8 field[FIELD_LEN];
	bool far = e->far[e->n_links];

	if (far)
		emit(e, opcode.bytes, opcode.len);
	else
		emit(e, &opcode.near, 1);
	e->links[e->n_links++] = (struct link){ e->code->size, block };
	emit(e, field, far ? FIELD_LEN : 1);
}

/* A branch along an edge; in the code it stands for `origin`. What may be redirected later has a 32-bit field. */
static void emit_branch(struct encoder *e, struct opcode opcode, const struct ir_edge *edge,
                        u64 origin, u16 state)
{
	static const u8 field[FIELD_LEN];
	bool owes = edge->kind == EDGE_EXIT && edge->state;
	u32 at;

	begin_insn(e, origin, state);
	if (edge->kind == EDGE_CHILD) {
		emit_link(e, opcode, edge->block);
		return;
	}
	if (!owes)
		align_field(e, e->code->size + opcode.len);
	emit(e, opcode.bytes, opcode.len);
	at = e->code->size;
	emit(e, field, FIELD_LEN);
	if (owes)
		e->debts[e->n_debts++] =
			(struct debt){ edge->target, at, edge->flow, 0, edge->state, false };
	else if (edge->kind == EDGE_BACK)
		emit_back(e, edge, at);
	else
		add_fixup(e, FIXUP_EXIT, edge->target, at, at + FIELD_LEN, 0)->flow = edge->flow;
}

/* Control goes on along `edge`. */
static void go_on(struct encoder *e, const struct ir_edge *edge, u32 follower)
{
	if (!layout_leads_to(edge, follower))
		emit_branch(e, jmp, edge, address_along(e, edge), state_along(e, edge));
}

/* An odd condition is the negation of the even one below it (SDM 2D, B.1.4.7). */
static void encode_jcc(struct encoder *e, const struct insn *insn, const struct ir_block *block,
                       u32 follower)
{
	bool neither = !layout_leads_to(&block->taken, follower) &&
	               !layout_leads_to(&block->next, follower);

	if (layout_leads_to(&block->taken, follower) || (neither && layout_inverts(block))) {
		emit_branch(e, jcc(insn->cc ^ 1), &block->next, insn->addr, state_of(e, insn));
		go_on(e, &block->taken, follower);
		return;
	}
	emit_branch(e, jcc(insn->cc), &block->taken, insn->addr, state_of(e, insn));
	go_on(e, &block->next, follower);
}

/* The distance from the end of a short branch to where the code ends now. */
static void land_here(struct encoder *e, u32 branch_end)
{
	e->code->bytes[branch_end - 1] = (u8)(e->code->size - branch_end);
}

/*
 * loop, loope, loopne, jrcxz reach 127 bytes only and count, so they are executed once:
 *         loop 1f                loop 1f
 *         jmp next               jmp 2f            if next follows
 *     1:  (jmp) taken        1:  jmp taken
 *                            2:
 * Prefixes are kept: 67 chooses ecx, and behind f2 some processors take loope for loopne (seen).
 */
static void encode_count(struct encoder *e, const struct insn *insn, const struct ir_block *block,
                         u32 follower)
{
	static const u8 jmp_over[JMP_REL8_LEN] = { 0xeb };
	static const u8 no_distance;
	u32 end, over;

	begin_insn(e, insn->addr, state_of(e, insn));
	emit(e, insn->bytes, insn->opcode_at + 1u);
	emit(e, &no_distance, 1);
	end = e->code->size;
	if (layout_leads_to(&block->next, follower)) {
		begin_insn(e, address_along(e, &block->next), state_along(e, &block->next));
		emit(e, jmp_over, sizeof(jmp_over));
		over = e->code->size;
		land_here(e, end);
		emit_branch(e, jmp, &block->taken, address_along(e, &block->taken),
		            state_along(e, &block->taken));
		land_here(e, over);
		return;
	}
	emit_branch(e, jmp, &block->next, address_along(e, &block->next),
	            state_along(e, &block->next));
	land_here(e, end);
	go_on(e, &block->taken, follower);
}

/*
 * Prefixes of a direct branch. Segment prefixes, rep and rex say nothing or hint (SDM 2A, 2.1.1; bnd needs MPX,
 * which is no more) to those that do not count. Behind 66 the target has 16 bits for some processors, unless rex.w
 * stands in front of the opcode.
 */
static enum status check_prefixes(const struct insn *insn, struct failure *fail)
{
	for (u32 i = 0; i < insn->opcode_at; i++) {
		switch (insn->bytes[i]) {
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x64:
		case 0x65:
		case 0x67:
		case 0xf2:
		case 0xf3:
		case 0x40 ... 0x4f:
			break;
		case 0x66:
			if ((insn->bytes[insn->opcode_at - 1] & 0xf8) == 0x48)
				break;
			return failed(fail, STATUS_ENCODE_PREFIX, insn->addr, 0x66);
		default:
			return failed(fail, STATUS_ENCODE_PREFIX, insn->addr, insn->bytes[i]);
		}
	}
	return STATUS_OK;
}

static bool is_direct(u8 role)
{
	return role == ROLE_JMP || role == ROLE_JCC || role == ROLE_COUNT;
}

/* May this instruction be copied, or built anew, at this place of its block? */
static enum status check_insn(const struct insn *insn, bool last, struct failure *fail)
{
	if (insn->len <= INSN_MAX_LEN && insn->role == ROLE_PLAIN)
		return STATUS_OK;
	if (insn->len <= INSN_MAX_LEN && last) {
		if (is_direct(insn->role))
			return check_prefixes(insn, fail);
		if (insn->role == ROLE_RET || insn->role == ROLE_JMP_INDIRECT)
			return STATUS_OK;
	}
	return failed(fail, STATUS_ENCODE_ROLE, insn->addr, insn->role);
}

static enum status check_tree(const struct ir_tree *tree, struct failure *fail)
{
	for (u32 b = 0; b < tree->n_blocks; b++) {
		const struct ir_block *block = &tree->blocks[b];

		for (u32 i = 0; i < block->n; i++) {
			enum status status =
				check_insn(&tree->ops[block->first + i], i + 1 == block->n, fail);

			if (status)
				return status;
		}
	}
	return STATUS_OK;
}

static void push_others(struct encoder *e, const struct ir_block *block, u32 follower)
{
	if (block->next.kind == EDGE_CHILD && block->next.block != follower)
		e->stack[e->depth++] = block->next.block;
	if (block->taken.kind == EDGE_CHILD && block->taken.block != follower)
		e->stack[e->depth++] = block->taken.block;
}

static void encode_block(struct encoder *e, const struct ir_block *block, u32 follower)
{
	const struct insn *insn = e->tree->ops + block->first, *last = NULL;

	for (u32 i = 0; i < block->n; i++, insn++) {
		last = insn;
		if (!is_direct(insn->role))
			copy_insn(e, insn, block->freq);
	}
	switch (last ? last->role : ROLE_PLAIN) {
	case ROLE_JMP:
		if (!layout_leads_to(&block->next, follower))
			emit_branch(e, jmp, &block->next, last->addr, state_of(e, last));
		break;
	case ROLE_JCC:
		encode_jcc(e, last, block, follower);
		break;
	case ROLE_COUNT:
		encode_count(e, last, block, follower);
		break;
	case ROLE_PLAIN:
		go_on(e, &block->next, follower);
		break;
	default: /* returns and indirect jumps */
		break;
	}
}

/* One NOP of n bytes (SDM 2B, NOP, table 4-12; up to 15 by prefixes). */
static void emit_nop(struct encoder *e, u32 n)
{
	static const u8 shorter[][7] = {
		{ 0x90 },
		{ 0x66, 0x90 },
		{ 0x0f, 0x1f, 0x00 },
		{ 0x0f, 0x1f, 0x40, 0x00 },
		{ 0x0f, 0x1f, 0x44, 0x00, 0x00 },
		{ 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 },
		{ 0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00 },
	};
	static const u8 longest[INSN_MAX_LEN] = { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x0f,
		                                  0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00 };

	emit(e, n <= 7 ? shorter[n - 1] : longest + INSN_MAX_LEN - n, n);
}

static u32 lines(u32 at, u32 bytes)
{
	return (at % LINE + bytes + LINE - 1) / LINE;
}

/* How often control falls into a block that stands behind its parent. */
static u64 fall_in(const struct ir_tree *tree, u32 b)
{
	const struct ir_block *parent = &tree->blocks[tree->blocks[b].parent];

	if (layout_follower(parent) != b)
		return 0;
	return layout_leads_to(&parent->next, b) ? parent->next.flow : parent->taken.flow;
}

/*
 * NOPs up to the next line if who goes round from this block would need fewer lines from there. They are executed by who falls into
 * the block, and for the origin table a part of it.
 */
static void align_block(struct encoder *e, u32 b)
{
	const struct ir_block *block = &e->tree->blocks[b];
	const struct insn *first = &e->tree->ops[block->first];
	u32 bytes = block->aligned ? e->rounds[b].bytes : 0, n;

	if (!bytes || bytes > LIMIT_ALIGN_LOOP || lines(e->code->size, bytes) == lines(0, bytes))
		return;
	for (u32 left = -e->code->size % LINE; left; left -= n) {
		n = left < INSN_MAX_LEN ? left : INSN_MAX_LEN;
		begin_insn(e, first->addr, state_of(e, first));
		emit_nop(e, n);
		e->code->cost_nops += fall_in(e->tree, b);
	}
}

static void encode_blocks(struct encoder *e)
{
	u32 at = 0;

	for (;;) {
		const struct ir_block *block = &e->tree->blocks[at];
		u32 follower = layout_follower(block);

		align_block(e, at);
		e->rounds[at] = (struct round){ 0 };
		e->offset[at] = e->code->size;
		encode_block(e, block, follower);
		push_others(e, block, follower);
		if (follower == LAYOUT_NONE && !e->depth)
			return;
		at = follower != LAYOUT_NONE ? follower : e->stack[--e->depth];
	}
}

/* How far a link's jump goes from the end of its field; children stand behind their parents. */
static u32 distance(const struct encoder *e, u32 link)
{
	const struct link *l = &e->links[link];

	return e->offset[l->block] - (l->at + (e->far[link] ? FIELD_LEN : 1));
}

/* Finds links that a byte does not reach any more. */
static bool lengthen(struct encoder *e)
{
	bool found = false;

	for (u32 i = 0; i < e->n_links; i++) {
		if (e->far[i] || distance(e, i) <= NEAR_MAX)
			continue;
		e->far[i] = 1;
		found = true;
	}
	return found;
}

/* All blocks, laid out until each link reaches; once more at least, as only then it is known how long loops are. */
static void lay_out(struct encoder *e)
{
	bool again = true;

	memset(e->far, 0, 2ul * e->tree->n_blocks);
	memset(e->rounds, 0, e->tree->n_blocks * sizeof(*e->rounds));
	for (u32 i = 0; again; i++) {
		e->code->size = e->code->n_origins = e->code->n_fixups = 0;
		e->code->cost_nops = 0;
		e->n_links = e->n_debts = 0;
		encode_blocks(e);
		again = lengthen(e) || !i;
	}
}

static void fill_links(struct encoder *e)
{
	for (u32 i = 0; i < e->n_links; i++) {
		u32 value = distance(e, i);

		memcpy(e->code->bytes + e->links[i].at, &value, e->far[i] ? FIELD_LEN : 1);
	}
}

/* One stub for all debts that are the same. */
static void pay(struct encoder *e, const struct debt *debt, u32 stub)
{
	if (debt->back) {
		e->code->fixups[debt->fixup].cut = stub;
	} else {
		u32 value = stub - (debt->at + FIELD_LEN);

		memcpy(e->code->bytes + debt->at, &value, FIELD_LEN);
	}
}

static void encode_stubs(struct encoder *e)
{
	for (u32 i = 0; i < e->n_debts; i++) {
		struct debt debt = e->debts[i];
		struct ir_edge out = { .target = debt.target, .kind = EDGE_EXIT };
		u32 stub = e->code->size;

		if (!debt.state)
			continue;
		for (u32 k = i; k < e->n_debts; k++) {
			if (e->debts[k].state != debt.state || e->debts[k].target != debt.target)
				continue;
			pay(e, &e->debts[k], stub);
			out.flow += e->debts[k].flow;
			e->debts[k].state = 0;
		}
		stub_emit(e->code, e->states, e->pendings, debt.state, debt.target);
		emit_branch(e, jmp, &out, debt.target, 0);
		e->code->n_stubs++;
	}
}

/* Ways out that owe something, and how much each needs at most. */
struct bounds {
	u64 debts, bytes, insns, pendings;
};

static void bound_edge(const struct ir_tree *tree, const struct ir_edge *edge, struct bounds *sum)
{
	u16 state = edge->kind == EDGE_EXIT ? edge->state : 0;
	struct stub_debts debts;

	if (edge->kind == EDGE_BACK && tree->op_state)
		state = tree->op_state[tree->blocks[edge->block].first];
	if (!state)
		return;
	debts = stub_debts(&tree->states[state], tree->pendings);
	sum->debts++;
	sum->bytes += stub_bytes(debts);
	sum->insns += stub_insns(debts);
	sum->pendings += stub_pendings(debts);
}

/* The tree's states, with room for those of the stubs. */
static bool copy_states(struct encoder *e, struct arena *arena, const struct bounds *b)
{
	const struct ir_tree *tree = e->tree;

	e->states = arena_alloc(arena, tree->n_states + b->insns + 1, sizeof(*e->states));
	e->pendings = arena_alloc(arena, tree->n_pendings + b->pendings + 1, sizeof(*e->pendings));
	if (!e->states || !e->pendings)
		return false;
	if (tree->n_states)
		memcpy(e->states, tree->states, tree->n_states * sizeof(*e->states));
	if (tree->n_pendings)
		memcpy(e->pendings, tree->pendings, tree->n_pendings * sizeof(*e->pendings));
	e->code->states = e->states;
	e->code->pendings = e->pendings;
	e->code->n_states = tree->n_states ? tree->n_states : 1;
	e->code->n_pendings = tree->n_pendings;
	return true;
}

/* Room for everything; what the encoder alone needs comes last and starts at *mark. */
static bool allocate(struct encoder *e, struct arena *arena, u64 *mark)
{
	u64 ops = e->tree->n_ops, blocks = e->tree->n_blocks;
	struct code *code = e->code;
	struct bounds b = { 0 };

	for (u32 i = 0; i < blocks; i++) {
		bound_edge(e->tree, &e->tree->blocks[i].next, &b);
		bound_edge(e->tree, &e->tree->blocks[i].taken, &b);
	}
	code->bytes =
		arena_alloc(arena, ops * INSN_MAX_LEN + blocks * (TAIL_MAX + LINE) + b.bytes, 1);
	code->fixups = arena_alloc(arena, ops + 2 * blocks + b.insns, sizeof(*code->fixups));
	code->origins = arena_alloc(arena, ops + (2 + ALIGN_NOPS) * blocks + b.insns,
	                            sizeof(*code->origins));
	if (!copy_states(e, arena, &b))
		return false;
	*mark = arena_mark(arena);
	e->offset = arena_alloc(arena, blocks, sizeof(*e->offset));
	e->stack = arena_alloc(arena, blocks, sizeof(*e->stack));
	e->links = arena_alloc(arena, 2 * blocks, sizeof(*e->links));
	e->far = arena_alloc(arena, 2 * blocks, sizeof(*e->far));
	e->rounds = arena_alloc(arena, blocks, sizeof(*e->rounds));
	e->debts = arena_alloc(arena, b.debts + 1, sizeof(*e->debts));
	return e->debts && code->bytes && code->fixups && code->origins && e->offset && e->stack &&
	       e->links && e->far && e->rounds;
}

enum status encode_tree(const struct ir_tree *tree, struct arena *arena, struct code *code,
                        struct failure *fail)
{
	struct code made = { .head = tree->head, .n_insns = tree->n_ops };
	struct encoder e = { .tree = tree, .code = &made };
	u64 before = arena_mark(arena), mark;
	enum status status = check_tree(tree, fail);

	if (status)
		return status;
	if (!allocate(&e, arena, &mark)) {
		arena_release(arena, before);
		return failed(fail, STATUS_WORKSPACE, tree->head, arena->size);
	}
	lay_out(&e);
	fill_links(&e);
	encode_stubs(&e);
	arena_release(arena, mark);
	if (made.size > LIMIT_CODE_BYTES)
		status = failed(fail, STATUS_ENCODE_BYTES, tree->head, made.size);
	else if (made.n_fixups > LIMIT_CODE_FIXUPS)
		status = failed(fail, STATUS_ENCODE_FIXUPS, tree->head, made.n_fixups);
	if (status)
		arena_release(arena, before);
	else
		*code = made;
	return status;
}
