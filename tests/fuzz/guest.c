/* SPDX-License-Identifier: MIT */
/*
 * guest.c - see guest.h. Text pages are readable and executable while the guest runs and writable only
 * between guest_arm()'s first and last write. What was written for a tree is in `written`, so that
 * guest_disarm() brings the int3 back without touching the rest of a text that may be very large.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "guest.h"
#include "limits.h"
#include "native.h"
#include "../../engine/state.h"

#define INT3 0xcc
/*
 * Bytes from the module's end to the stubs and the caches; reach is 2^31. What is there can be written, so
 * it lies where no displacement from an address of the text is likely to lead.
 */
#define STUB_DISTANCE 0x13579000u
#define NEAR_DISTANCE 0x1a683000u
#define FAR_DISTANCE 0x6c147000u
#define WRITES_MAX 2048
#define PAGES_MAX 512

/* The page of stubs. */
#define STUB_ID 0
#define STUB_BUDGET 8
#define STUB_SAVE 16
#define STUB_OUT 24
#define STUB_EXITS 64
#define STUB_EXIT_SIZE 32
#define STUB_LOOPS 0x3000
#define STUB_LOOP_SIZE 64
#define STUB_BYTES 0x7000
#define STUB_SPENT 0x10000u

struct range {
	u64 addr;
	u32 len;
};

/* Of the tree that is armed. */
static struct {
	struct range ops[TREES_MAX * LIMIT_TREE_INSNS];
	u32 n_ops;
	bool twice; /* an instruction is in the tree more than once */
	struct range writes[WRITES_MAX];
	u32 n_writes;
	u64 pages[PAGES_MAX];
	u32 n_pages;
} armed;

/* ---- mapping ---- */

static void *map_at(u64 addr, u64 size, int prot)
{
	void *at = mmap((void *)addr, size, prot,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	return at == (void *)addr ? at : NULL;
}

static bool area_add(struct guest *g, u64 addr, u32 size)
{
	struct guest_area *area = &g->areas[g->n_areas];

	if (g->n_areas == GUEST_AREAS)
		return false;
	area->addr = addr;
	area->size = size;
	area->of_tree = false;
	g->n_areas++;
	return true;
}

/* An arena: a page that can be read, one that can be written too, unmapped pages around them. */
static bool map_arena(struct guest *g, u64 addr, u32 size)
{
	u8 *low = map_at(addr, PAGE, PROT_READ | PROT_WRITE);

	if (!low || !map_at(addr + PAGE, size, PROT_READ | PROT_WRITE))
		return false;
	for (u32 i = 0; i < PAGE / 8; i++)
		((u64 *)low)[i] = i % 3 ? addr + PAGE + i * 8 : i;
	mprotect(low, PAGE, PROT_READ);
	return area_add(g, addr + PAGE, size);
}

static bool map_span(const struct guest *g, const struct elf_span *span)
{
	u64 start = span->addr & ~(u64)(PAGE - 1);
	u64 size = (span->addr + span->size + PAGE - 1 - start) & ~(u64)(PAGE - 1);
	u8 *live = (u8 *)(g->m->base + start);

	if (span->flags & ELF_VIEW_X) {
		if (mprotect(live, size, PROT_READ | PROT_WRITE))
			return false;
		memset(live, INT3, size);
		return mprotect(live, size, PROT_READ | PROT_EXEC) == 0;
	}
	if (span->flags & ELF_VIEW_W || !span->bytes)
		return true; /* page by page, for those trees that use them */
	if (mprotect(live, size, PROT_READ | PROT_WRITE))
		return false;
	memcpy(live + (span->addr - start), span->bytes, span->size);
	return mprotect(live, size, PROT_READ) == 0;
}

bool guest_map(struct guest *g, const struct module *m)
{
	u64 end = m->hi + FAR_DISTANCE + GUEST_CACHE_SIZE, stubs = m->hi + STUB_DISTANCE;
	bool good;

	memset(g, 0, sizeof(*g));
	g->m = m;
	g->stubs = m->base + stubs;
	g->caches[0] = m->hi + NEAR_DISTANCE;
	g->caches[1] = m->hi + FAR_DISTANCE;
	g->shadows_end = g->caches[0] + GUEST_CACHE_SIZE;
	good = map_at(m->base + m->lo, end - m->lo, PROT_NONE) != NULL;
	for (u32 i = 0; good && i < m->view.n_loads; i++)
		good = map_span(g, &m->view.loads[i]);
	good = good && !mprotect((void *)g->stubs, STUB_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC);
	for (u32 i = 0; good && i < 2; i++)
		good = !mprotect((void *)(m->base + g->caches[i]),
		                 GUEST_CACHE_SIZE + (i ? 0 : GUEST_SHADOWS_SIZE),
		                 PROT_READ | PROT_WRITE | PROT_EXEC);
	good = good && map_arena(g, GUEST_LOW, PAGE) && map_arena(g, GUEST_HIGH, PAGE) &&
	       map_arena(g, GUEST_TLS, PAGE) &&
	       map_at(GUEST_STACK, GUEST_STACK_SIZE, PROT_READ | PROT_WRITE) &&
	       area_add(g, GUEST_STACK, GUEST_STACK_SIZE);
	if (!good) {
		fprintf(stderr, "%s: the guest's address space cannot be mapped\n", m->path);
		return false;
	}
	for (u32 i = 0; i < GUEST_AREAS; i++) {
		g->areas[i].first = aligned_alloc(64, GUEST_STACK_SIZE);
		g->areas[i].after = aligned_alloc(64, GUEST_STACK_SIZE);
		if (!g->areas[i].first || !g->areas[i].after)
			return false;
	}
	return true;
}

const struct guest_area *guest_area(const struct guest *g, u64 addr, u64 size)
{
	for (u32 i = 0; i < g->n_areas; i++) {
		const struct guest_area *area = &g->areas[i];

		if (size <= area->size && addr - area->addr <= area->size - size)
			return area;
	}
	return NULL;
}

/* ---- text of the tree ---- */

static void text_open(const struct guest *g, u64 addr)
{
	u64 page = (g->m->base + addr) & ~(u64)(PAGE - 1);

	for (u32 i = 0; i < armed.n_pages; i++) {
		if (armed.pages[i] == page)
			return;
	}
	if (armed.n_pages == PAGES_MAX)
		abort();
	armed.pages[armed.n_pages++] = page;
	mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE);
}

static void text_close(void)
{
	while (armed.n_pages)
		mprotect((void *)armed.pages[--armed.n_pages], PAGE, PROT_READ | PROT_EXEC);
}

static void text_write(const struct guest *g, u64 addr, const u8 *bytes, u32 len)
{
	text_open(g, addr);
	text_open(g, addr + len - 1);
	if (bytes)
		memcpy((u8 *)g->m->base + addr, bytes, len);
	else
		memset((u8 *)g->m->base + addr, INT3, len);
}

/* Remembers the place for guest_disarm(). */
static void text_put(const struct guest *g, u64 addr, const u8 *bytes, u32 len)
{
	if (armed.n_writes == WRITES_MAX)
		abort();
	text_write(g, addr, bytes, len);
	armed.writes[armed.n_writes++] = (struct range){ addr, len };
}

static int by_addr(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static void collect_ops(const struct ir_tree *trees, u32 n_trees)
{
	u32 all = 0, n = 0;

	armed.twice = false;
	for (u32 t = 0; t < n_trees; t++) {
		for (u32 i = 0; i < trees[t].n_ops; i++)
			armed.ops[all++] =
				(struct range){ trees[t].ops[i].addr, trees[t].ops[i].len };
	}
	qsort(armed.ops, all, sizeof(armed.ops[0]), by_addr);
	for (u32 i = 0; i < all; i++) {
		if (n && armed.ops[n - 1].addr == armed.ops[i].addr)
			armed.twice = true;
		else
			armed.ops[n++] = armed.ops[i];
	}
	armed.n_ops = n;
}

bool guest_is_op(u64 addr)
{
	const struct range key = { .addr = addr };

	return bsearch(&key, armed.ops, armed.n_ops, sizeof(key), by_addr) != NULL;
}

/* Does an instruction of the tree have a byte in [addr, addr + len)? */
static bool ops_touch(u64 addr, u32 len)
{
	u32 low = 0, high = armed.n_ops;

	while (low < high) { /* first instruction that ends behind addr */
		u32 mid = (low + high) / 2;

		if (armed.ops[mid].addr + armed.ops[mid].len <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low < armed.n_ops && armed.ops[low].addr < addr + len;
}

static bool in_text(const struct guest *g, u64 addr, u32 len)
{
	u64 left;

	return text_bytes(&g->m->text, addr, &left) && left >= len;
}

/* ---- stubs ---- */

static u8 *put_rel32(u8 *at, u64 to)
{
	s32 value = (s32)(to - (u64)(at + 4));

	memcpy(at, &value, 4);
	return at + 4;
}

static u8 *put(u8 *at, const char *bytes, u32 n)
{
	memcpy(at, bytes, n);
	return at + n;
}

/* movl $id, ID(%rip); jmp *OUT(%rip) */
static void stub_exit(const struct guest *g, u8 *at, u32 id)
{
	s32 value = (s32)(g->stubs + STUB_ID - (u64)(at + 10));

	at = put(at, "\xc7\x05", 2);
	memcpy(at, &value, 4);
	memcpy(at + 4, &id, 4);
	at = put(at + 8, "\xff\x25", 2);
	put_rel32(at, g->stubs + STUB_OUT);
}

static u64 exit_stub(const struct guest *g, u32 i)
{
	return g->stubs + STUB_EXITS + i * STUB_EXIT_SIZE;
}

/* side 0: original, 1: translation */
static u64 loop_stub(const struct guest *g, u32 i, u32 side)
{
	return g->stubs + STUB_LOOPS + (i + side * LOOPS_MAX) * STUB_LOOP_SIZE;
}

/* Counts one arrival down without touching flags or stack, then goes on at `to`. */
static void stub_loop(const struct guest *g, u8 *at, u32 id, u64 to)
{
	at = put_rel32(put(at, "\x48\x89\x0d", 3), g->stubs + STUB_SAVE);   /* mov %rcx, save */
	at = put_rel32(put(at, "\x48\x8b\x0d", 3), g->stubs + STUB_BUDGET); /* mov budget, %rcx */
	at = put(at, "\x48\x8d\x49\xff", 4); /* lea -1(%rcx), %rcx */
	at = put_rel32(put(at, "\x48\x89\x0d", 3), g->stubs + STUB_BUDGET); /* mov %rcx, budget */
	at = put(at, "\xe3\x0c", 2); /* jrcxz behind the jump */
	at = put_rel32(put(at, "\x48\x8b\x0d", 3), g->stubs + STUB_SAVE); /* mov save, %rcx */
	at = put_rel32(put(at, "\xe9", 1), to); /* jmp to */
	at = put_rel32(put(at, "\x48\x8b\x0d", 3), g->stubs + STUB_SAVE); /* mov save, %rcx */
	stub_exit(g, at, id);
}

bool guest_stub_at(const struct guest *g, u64 rip)
{
	if (rip - g->stubs < STUB_BYTES)
		return true;
	for (u32 i = 0; i < g->n_loops; i++) {
		if (g->loops[i].hop && rip == g->m->base + g->loops[i].hop)
			return true;
	}
	return false;
}

void guest_budget(struct guest *g, u64 n)
{
	u64 out = (u64)native_exit;

	memcpy((u8 *)g->stubs + STUB_BUDGET, &n, 8);
	memcpy((u8 *)g->stubs + STUB_OUT, &out, 8);
}

bool guest_exit(const struct guest *g, u64 *addr)
{
	u32 id;

	memcpy(&id, (u8 *)g->stubs + STUB_ID, 4);
	if (id & STUB_SPENT)
		return false;
	*addr = g->exits[id];
	return true;
}

/* ---- exits and loops of the tree ---- */

static void exit_collect(struct guest *g, const struct ir_edge *edge)
{
	if (edge->kind != EDGE_EXIT)
		return;
	if (guest_is_op(edge->target)) {
		g->exact = false;
		return;
	}
	for (u32 i = 0; i < g->n_exits; i++) {
		if (g->exits[i] == edge->target)
			return;
	}
	if (g->n_exits < EXITS_MAX && in_text(g, edge->target, 1))
		g->exits[g->n_exits++] = edge->target;
}

/* Is [addr, addr + 5) free of instructions, and of exits and places to which the module jumps, other than `own`? */
static bool jump_fits(const struct guest *g, u64 addr, u64 own)
{
	if (!in_text(g, addr, JMP_REL32_LEN) || ops_touch(addr, JMP_REL32_LEN))
		return false;
	for (u32 i = 0; i < JMP_REL32_LEN; i++)
		if (addr + i != own && (text_marks(&g->m->text, addr + i) & TEXT_TARGET))
			return false;
	for (u32 i = 0; i < g->n_exits; i++) {
		if (g->exits[i] != own && g->exits[i] < addr + JMP_REL32_LEN &&
		    addr < g->exits[i] + JMP_REL32_LEN)
			return false;
	}
	return true;
}

static void jump_put(const struct guest *g, u64 addr, u64 to)
{
	s32 value = (s32)(to - (g->m->base + addr + JMP_REL32_LEN));
	u8 bytes[JMP_REL32_LEN] = { 0xe9 };

	memcpy(bytes + 1, &value, 4);
	text_put(g, addr, bytes, JMP_REL32_LEN);
}

static void exits_put(struct guest *g)
{
	for (u32 i = 0; i < g->n_exits; i++) {
		stub_exit(g, (u8 *)exit_stub(g, i), i);
		if (jump_fits(g, g->exits[i], g->exits[i]))
			jump_put(g, g->exits[i], exit_stub(g, i));
	}
}

static bool is_direct(const struct insn *op)
{
	return op->role == ROLE_JMP || op->role == ROLE_JCC || op->role == ROLE_COUNT;
}

static bool loop_add(struct guest *g, const struct insn *op)
{
	for (u32 i = 0; i < g->n_loops; i++) {
		if (g->loops[i].branch == op->addr)
			return true;
	}
	if (g->n_loops == LOOPS_MAX)
		return false;
	g->loops[g->n_loops++] = (struct guest_loop){ op->addr, op->target, 0 };
	return true;
}

static bool loops_collect(struct guest *g, const struct ir_tree *tree)
{
	for (u32 i = 0; i < tree->n_blocks; i++) {
		const struct ir_block *b = &tree->blocks[i];
		const struct insn *last = b->n ? &tree->ops[b->first + b->n - 1] : NULL;
		bool direct = last && is_direct(last);
		bool back = direct &&
		            (last->role == ROLE_JMP ? b->next : b->taken).kind == EDGE_BACK;

		if (b->next.kind == EDGE_BACK && !(direct && last->role == ROLE_JMP))
			g->exact = false;
		if (direct && !back && last->target <= last->addr && guest_is_op(last->target))
			g->exact = false;
		else if (!back)
			continue;
		if (!loop_add(g, last))
			return false;
	}
	return true;
}

/* The place of a jump that a two-byte branch ending at `end` reaches. */
static bool hop_find(const struct guest *g, u64 end, u64 *addr)
{
	for (s32 d = 0; d < 128; d++) {
		u64 up = end + (u32)d, down = end - (u32)d - 1;
		bool fits = jump_fits(g, up, 0);

		if (!fits && !jump_fits(g, down, 0))
			continue;
		*addr = fits ? up : down;
		for (u32 i = 0; i < armed.n_writes; i++) {
			if (armed.writes[i].addr < *addr + JMP_REL32_LEN &&
			    *addr < armed.writes[i].addr + armed.writes[i].len)
				*addr = 0;
		}
		if (*addr)
			return true;
	}
	return false;
}

/* Redirects the branch of a loop to its counter; the branch itself stays what it is. */
static bool loop_put(struct guest *g, u32 i, u32 len)
{
	u64 end = g->loops[i].branch + len, to = loop_stub(g, i, 0), hop;
	s32 value = (s32)(to - (g->m->base + end));

	stub_loop(g, (u8 *)to, STUB_SPENT | i, g->m->base + g->loops[i].head);
	if (len >= JMP_REL32_LEN) {
		text_put(g, end - 4, (u8 *)&value, 4);
		return true;
	}
	if (!hop_find(g, end, &hop))
		return false;
	g->loops[i].hop = hop;
	jump_put(g, hop, to);
	value = (s32)(hop - end);
	text_put(g, end - 1, (u8 *)&value, 1);
	return true;
}

static bool loops_put(struct guest *g)
{
	for (u32 i = 0; i < g->n_loops; i++) {
		const struct range key = { .addr = g->loops[i].branch };
		const struct range *op =
			bsearch(&key, armed.ops, armed.n_ops, sizeof(key), by_addr);

		if (!op || !loop_put(g, i, op->len))
			return false;
	}
	return true;
}

/* ---- data ---- */

static void data_open(struct guest *g, u64 addr)
{
	u64 page = addr & ~(u64)(PAGE - 1);

	if (addr < g->m->lo || page >= g->m->hi || guest_area(g, g->m->base + page, 1))
		return;
	for (u32 i = 0; i < g->m->view.n_loads; i++) {
		const struct elf_span *span = &g->m->view.loads[i];

		if (page < span->addr + span->size && page + PAGE > span->addr &&
		    !(span->flags & ELF_VIEW_W))
			return;
	}
	if (mprotect((u8 *)g->m->base + page, PAGE, PROT_READ | PROT_WRITE))
		return;
	if (area_add(g, g->m->base + page, PAGE))
		g->areas[g->n_areas - 1].of_tree = true;
	else
		mprotect((u8 *)g->m->base + page, PAGE, PROT_NONE);
}

static void data_collect(struct guest *g, const struct ir_tree *tree)
{
	for (u32 i = 0; i < tree->n_ops; i++) {
		const struct insn *op = &tree->ops[i];

		if (op->flags & INSN_RIP && !is_direct(op)) {
			data_open(g, op->target);
			data_open(g, op->target + 63);
		}
	}
}

/* The original instructions, from the file. */
static void ops_put(const struct guest *g)
{
	for (u32 i = 0; i < armed.n_ops; i++) {
		u64 left;
		const u8 *bytes = text_bytes(&g->m->text, armed.ops[i].addr, &left);

		if (!bytes || left < armed.ops[i].len)
			abort();
		text_put(g, armed.ops[i].addr, bytes, armed.ops[i].len);
	}
}

const char *guest_arm(struct guest *g, const struct ir_tree *trees, u32 n)
{
	const char *why = NULL;

	g->n_exits = g->n_loops = g->n_codes = g->n_backs = 0;
	g->trees = trees;
	g->n_trees = n;
	collect_ops(trees, n);
	g->exact = !armed.twice;
	ops_put(g);
	for (u32 t = 0; t < n; t++) {
		for (u32 i = 0; i < trees[t].n_blocks; i++) {
			exit_collect(g, &trees[t].blocks[i].next);
			exit_collect(g, &trees[t].blocks[i].taken);
		}
	}
	exits_put(g);
	for (u32 t = 0; t < n && !why; t++) {
		if (!loops_collect(g, &trees[t]))
			why = "more loops than can be counted";
	}
	if (!why && !loops_put(g))
		why = "no place to count a loop";
	for (u32 t = 0; t < n; t++)
		data_collect(g, &trees[t]);
	text_close();
	if (why)
		guest_disarm(g);
	return why;
}

void guest_disarm(struct guest *g)
{
	for (u32 i = 0; i < armed.n_writes; i++)
		text_write(g, armed.writes[i].addr, NULL, armed.writes[i].len);
	armed.n_writes = 0;
	text_close();
	while (g->n_areas && g->areas[g->n_areas - 1].of_tree)
		mprotect((void *)g->areas[--g->n_areas].addr, PAGE, PROT_NONE);
}

/* ---- translations ---- */

void guest_place(struct guest *g, const struct code *code, u64 addr, bool cut)
{
	u8 *live = (u8 *)g->m->base + addr;

	memset(live, INT3, code->size + 64);
	memcpy(live, code->bytes, code->size);
	g->codes[g->n_codes++] = (struct guest_code){ code, (u64)live };
	for (u32 i = 0; i < code->n_fixups && g->n_backs < LOOPS_MAX; i++) {
		const struct code_fixup *fixup = &code->fixups[i];
		u64 to = loop_stub(g, g->n_backs, 1);

		if (fixup->kind != FIXUP_BACK)
			continue;
		stub_loop(g, (u8 *)to, STUB_SPENT | g->n_backs,
		          !cut         ? (u64)live + fixup->to
		          : fixup->cut ? (u64)live + fixup->cut
		                       : g->m->base + fixup->target);
		put_rel32(live + fixup->at, to);
		g->n_backs++;
	}
}

u32 guest_link(struct guest *g, u32 from, u32 to)
{
	const struct guest_code *a = &g->codes[from], *b = &g->codes[to];
	u32 n = 0;

	for (u32 i = 0; i < a->code->n_fixups; i++) {
		const struct code_fixup *fixup = &a->code->fixups[i];
		s32 value;

		if (fixup->kind != FIXUP_EXIT || fixup->target != b->code->head ||
		    code_fixup_value(fixup, a->start, b->start, &value, NULL))
			continue;
		memcpy((u8 *)a->start + fixup->at, &value, 4);
		n++;
	}
	return n;
}

static const struct guest_code *code_at(const struct guest *g, u64 rip)
{
	for (u32 i = 0; i < g->n_codes; i++) {
		if (rip - g->codes[i].start < g->codes[i].code->size)
			return &g->codes[i];
	}
	return NULL;
}

bool guest_translated(const struct guest *g, u64 rip)
{
	return code_at(g, rip) != NULL;
}

u64 guest_settle(const struct guest *g, u64 addr)
{
	for (u32 i = 0; i < 8; i++) {
		u64 left, at = addr - g->m->base;
		const u8 *bytes = text_bytes(&g->m->text, at, &left);
		struct insn_brief brief;

		if (!bytes || decode_brief(bytes, left, at, scratch_decode(), &brief, NULL) ||
		    (!brief.nop && brief.role != ROLE_JMP))
			break;
		addr = brief.nop ? addr + brief.len : g->m->base + brief.target;
	}
	return addr;
}

u64 guest_origin(const struct guest *g, u64 rip)
{
	const struct guest_code *c = code_at(g, rip);

	if (!c)
		return rip;
	return g->m->base +
	       code_origin_at(c->code->origins, c->code->n_origins, (u32)(rip - c->start));
}

static bool memory_load(void *ctx, u64 addr, u64 *value)
{
	if (!guest_area(ctx, addr, 8))
		return false;
	memcpy(value, (void *)addr, 8);
	return true;
}

static bool memory_store(void *ctx, u64 addr, u64 value)
{
	if (!guest_area(ctx, addr, 8))
		return false;
	memcpy((void *)addr, &value, 8);
	return true;
}

const struct ir_state *guest_state(const struct guest *g, u64 rip,
                                   const struct ir_pending **pendings)
{
	const struct guest_code *c = code_at(g, rip);
	u32 state = 0;

	for (u32 i = 0; c && i < c->code->n_origins; i++) {
		if (c->code->origins[i].at <= rip - c->start)
			state = c->code->origins[i].state;
	}
	*pendings = c ? c->code->pendings : NULL;
	return state ? &c->code->states[state] : NULL;
}

void guest_restore(const struct guest *g, u64 rip, u64 gpr[16])
{
	const struct state_memory memory = { memory_load, memory_store, (void *)g };
	const struct ir_pending *pendings;
	const struct ir_state *state = guest_state(g, rip, &pendings);

	if (state)
		state_apply(state, pendings, g->m->base, gpr, &memory);
}
