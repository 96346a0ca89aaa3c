/* SPDX-License-Identifier: MIT */
/*
 * walk_memory.c - memory as a walk sees it: what it has written itself, then the sample's copy of the stack, then the program's pages as they are now. A
 * return address is not taken from there: the stack changes with every call. Of thread-local memory nothing is known but the word at fs:0x28, which stack
 * protectors put on the stack and compare.
 */
#include "walk_private.h"

#define RSP 4
#define GUARD_OFFSET 0x28
#define LOCALS 0x7d00000000000000u /* stands for the thread's own memory: no address is like that */

/* The place of an aligned word among the stores, or where it would be; WALK_STORES: there is no room. */
static u32 place_of(const struct walk *w, u64 at, bool *there)
{
	u32 i = (u32)((at / 8 * 0x9e3779b97f4a7c15u) >> 40) & (WALK_STORES - 1);

	for (u32 n = 0; n < WALK_STORES; n++, i = (i + 1) & (WALK_STORES - 1)) {
		*there = w->stores[i].walk == w->number;
		if (!*there || w->stores[i].at == at)
			return i;
	}
	return WALK_STORES;
}

/* A byte that the walk has not written. */
static bool byte_at(struct walk *w, u64 addr, u8 *out)
{
	const u8 *page;

	if (addr - w->stack_at < w->n_stack) {
		*out = w->stack[addr - w->stack_at];
		return true;
	}
	if (addr - LOCALS - GUARD_OFFSET < 8) {
		*out = (u8)(w->world->guard >> 8 * (addr - LOCALS - GUARD_OFFSET));
		return true;
	}
	page = addr >> 48 ? NULL : w->world->page(w->world->ctx, addr & ~(u64)(WALK_PAGE - 1));
	if (page)
		*out = page[addr % WALK_PAGE];
	return page;
}

/* An aligned word's bytes that the walk has not written, as far as they are asked for. */
static void fill(struct walk *w, u64 at, u8 wanted, struct walk_word *word)
{
	const u8 *page;

	if (wanted == WALK_ALL && !(at >> 48) &&
	    at + 8 - w->stack_at > (u64)w->n_stack + 8) { /* all in the program's memory */
		page = w->world->page(w->world->ctx, at & ~(u64)(WALK_PAGE - 1));
		if (page)
			memcpy(&word->value, page + at % WALK_PAGE, sizeof(word->value));
		word->known = page ? WALK_ALL : 0;
		return;
	}
	for (u32 i = 0; i < 8; i++) {
		u8 byte = 0;

		if (!(wanted >> i & 1))
			continue;
		word->value &= ~((u64)0xff << 8 * i);
		word->known &= (u8) ~(1u << i);
		if (!byte_at(w, at + i, &byte))
			continue;
		word->value |= (u64)byte << 8 * i;
		word->known |= (u8)(1u << i);
	}
}

static struct walk_word aligned(struct walk *w, u64 at, u8 wanted)
{
	struct walk_word word = { 0, 0 };
	bool there;
	u32 i = place_of(w, at, &there);
	u8 written = i < WALK_STORES && there ? w->stores[i].written : 0;

	if (written)
		word = w->stores[i].word;
	if (wanted & ~written)
		fill(w, at, wanted & (u8)~written, &word);
	return word;
}

struct walk_word walk_load_bytes(struct walk *w, u64 addr, u32 size)
{
	u32 shift = addr % 8, first = 8 - shift;
	struct walk_word low = aligned(w, addr - shift, (u8)(walk_mask(size) << shift)), high;
	u8 mask = walk_mask(size);

	low.value >>= 8 * shift;
	low.known >>= shift;
	if (size > first) {
		high = aligned(w, addr + first, walk_mask(size - first));
		low.value |= high.value << 8 * first;
		low.known |= (u8)(high.known << first);
	}
	low.known &= mask;
	low.value &= size == 8 ? ~(u64)0 : ((u64)1 << 8 * size) - 1;
	return low;
}

static void put(struct walk_step *s, u64 at, struct walk_word word, u8 bytes)
{
	struct walk *w = s->w;
	bool there;
	u32 i = place_of(w, at, &there);

	if (i == WALK_STORES) {
		walk_stop(s, WALK_ROOM);
		return;
	}
	if (!there) {
		w->stores[i].at = at;
		w->stores[i].walk = w->number;
		w->stores[i].written = 0;
		w->stores[i].word = (struct walk_word){ 0, 0 };
	}
	for (u32 k = 0; k < 8; k++) {
		u64 mask = (u64)0xff << 8 * k;

		if (!(bytes >> k & 1))
			continue;
		w->stores[i].word.value = (w->stores[i].word.value & ~mask) | (word.value & mask);
	}
	w->stores[i].word.known = (u8)((w->stores[i].word.known & ~bytes) | (word.known & bytes));
	w->stores[i].written |= bytes;
}

void walk_store_bytes(struct walk_step *s, u64 addr, struct walk_word word, u32 size)
{
	u32 shift = addr % 8, first = 8 - shift;
	u8 mask = walk_mask(size);
	struct walk_word low = { word.value << 8 * shift, (u8)(word.known << shift) };

	put(s, addr - shift, low, (u8)(mask << shift));
	if (size > first && !s->ended)
		put(s, addr + first,
		    (struct walk_word){ word.value >> 8 * first, (u8)(word.known >> first) },
		    (u8)(mask >> first));
}

struct walk_value walk_load(struct walk_step *s, u64 addr, bool addr_known, u32 size)
{
	struct walk_word word = { 0, 0 };

	if (addr_known)
		word = walk_load_bytes(s->w, addr, size);
	return (struct walk_value){ word.value, word.known == walk_mask(size) };
}

void walk_store(struct walk_step *s, u64 addr, bool addr_known, struct walk_value value, u32 size)
{
	if (!addr_known)
		walk_stop(s, WALK_STORE);
	else
		walk_store_bytes(s, addr,
		                 (struct walk_word){ value.v, value.known ? walk_mask(size) : 0 },
		                 size);
}

void walk_push(struct walk_step *s, struct walk_value value)
{
	struct walk_word *rsp = &s->w->m.gpr[RSP];

	if (rsp->known != WALK_ALL) {
		walk_stop(s, WALK_STORE);
		return;
	}
	walk_store(s, rsp->value - 8, true, value, 8);
	if (!s->ended)
		rsp->value -= 8;
}

struct walk_value walk_return_address(struct walk_step *s)
{
	const struct walk_word *rsp = &s->w->m.gpr[RSP];
	struct walk *w = s->w;
	bool there = false;
	u32 i;

	if (rsp->known != WALK_ALL || rsp->value % 8)
		return (struct walk_value){ 0, false };
	i = place_of(w, rsp->value, &there);
	if (i < WALK_STORES && there)
		return (struct walk_value){ w->stores[i].word.value,
			                    (w->stores[i].word.known & w->stores[i].written) ==
			                            WALK_ALL };
	if (!w->still && (rsp->value < w->stack_at || rsp->value + 8 > w->stack_at + w->n_stack))
		return (struct walk_value){ 0, false };
	return walk_load(s, rsp->value, true, 8);
}

struct walk_value walk_pop(struct walk_step *s)
{
	struct walk_word *rsp = &s->w->m.gpr[RSP];
	struct walk_value value = walk_load(s, rsp->value, rsp->known == WALK_ALL, 8);

	rsp->value += 8;
	return value;
}

u64 walk_address(const struct walk *w, const struct insn *insn, u32 number, bool *known)
{
	const struct insn_mem *mem = &insn->mem[number];
	u64 sum = (u64)mem->disp;

	*known = true;
	if (mem->base == MEM_NO_REG && mem->index == MEM_NO_REG && (insn->flags & INSN_RIP))
		sum = insn->target;
	if (mem->base != MEM_NO_REG) {
		*known &= w->m.gpr[mem->base].known == WALK_ALL;
		sum += w->m.gpr[mem->base].value;
	}
	if (mem->index != MEM_NO_REG) {
		*known &= w->m.gpr[mem->index].known == WALK_ALL;
		sum += w->m.gpr[mem->index].value * mem->scale;
	}
	if (mem->segment == 'f')
		sum += w->locals ? w->locals : LOCALS;
	else if (mem->segment)
		*known = false;
	return sum;
}
