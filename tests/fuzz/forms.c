/* SPDX-License-Identifier: MIT */
/*
 * forms.c - see forms.h. An instruction is varied by flipping bits of its encoding behind the legacy prefixes;
 * what then decodes as the same mnemonic in a straight line is taken, so the variation needs no tables.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "exclude.h"
#include "forms.h"
#include "rnd.h"

#define FORMS_MAX 16384
#define TEXT_AT 0x1000u
#define TEXT_SIZE 0x100000u
#define CONST_AT (TEXT_AT + TEXT_SIZE)
#define CONST_SIZE 0x4000u
#define DATA_AT (CONST_AT + CONST_SIZE)
#define DATA_SIZE 0x4000u
#define FUNCTION_INSNS 40
#define SLOT_LEN (INSN_MAX_LEN + 1)

struct form {
	u64 key;
	u8 bytes[SLOT_LEN];
	u8 len, opcode_at;
	u16 mnemonic;
	bool memory;
};

static struct {
	struct form forms[FORMS_MAX];
	u32 n;
	u32 table[FORMS_MAX * 4]; /* open hash of keys: index + 1 */
} pool;

/* ---- harvest ---- */

static u64 form_key(const struct insn *insn)
{
	u64 key = insn->mnemonic;
	u8 modrm = insn->bytes[insn->opcode_at + 1];

	for (u32 i = 0; i < insn->opcode_at; i++) {
		u8 b = insn->bytes[i];

		/* what says more than a register number: W, L, pp, map, masking */
		key = key * 31 + (b >= 0x40 && b < 0x50 && insn->opcode_at == i + 1 ? b & 0x48
		                  : insn->bytes[0] == 0xc5                          ? b & 0x07
		                  : insn->bytes[0] == 0xc4 && i == 1                ? b & 0x1f
		                  : insn->bytes[0] == 0xc4 && i == 2                ? b & 0x87
		                  : insn->bytes[0] == 0x62 && i == 1                ? b & 0x07
		                  : insn->bytes[0] == 0x62 && i == 2                ? b & 0x87
		                  : insn->bytes[0] == 0x62 && i == 3                ? b & 0xf0
		                                                                    : b);
	}
	key = key * 31 + insn->bytes[insn->opcode_at];
	key = key * 31 + (insn->n_mem ? modrm >> 6 : 4) * 2 + (insn->n_mem && (modrm & 7) == 4);
	return key * 31 + ((insn->flags & INSN_RIP) != 0) + insn->len * 7u;
}

static void harvest(const struct insn *insn)
{
	u64 key = form_key(insn);
	u32 at = (u32)((key * 0x9e3779b97f4a7c15u) >> 48) % (FORMS_MAX * 4);
	struct form *form;

	while (pool.table[at]) {
		if (pool.forms[pool.table[at] - 1].key == key)
			return;
		at = (at + 1) % (FORMS_MAX * 4);
	}
	if (pool.n == FORMS_MAX)
		return;
	form = &pool.forms[pool.n++];
	pool.table[at] = pool.n;
	form->key = key;
	form->len = insn->len;
	form->opcode_at = insn->opcode_at;
	form->mnemonic = insn->mnemonic;
	form->memory = insn->flags & (INSN_LOAD | INSN_STORE);
	memcpy(form->bytes, insn->bytes, SLOT_LEN);
}

static void harvest_text(const struct module *m)
{
	struct insn insn;

	for (u32 i = 0; i < m->n_heads; i++) {
		if (!text_insn(&m->text, m->heads[i], scratch_decode(), &insn, NULL) &&
		    insn.role == ROLE_PLAIN && !exclude_mnemonic(insn.mnemonic))
			harvest(&insn);
	}
}

/* ---- one instruction ---- */

static void flip(u8 *bytes, const struct form *form, u64 *rnd)
{
	u32 first = 0;

	while (first + 1 < form->len && (bytes[first] == 0x66 || bytes[first] == 0xf0 ||
	                                 bytes[first] == 0xf2 || bytes[first] == 0xf3))
		first++;
	for (u32 n = (u32)rnd_below(rnd, 6); n; n--) {
		u32 low = rnd_chance(rnd, 70) ? first : form->opcode_at + 1u;
		u32 end = rnd_chance(rnd, 70) ? form->opcode_at + 3u : form->len;

		end = end > form->len ? form->len : end;
		if (low < end)
			bytes[low + rnd_below(rnd, end - low)] ^= (u8)(1u << rnd_below(rnd, 8));
	}
}

/* Leads a RIP-relative operand to this module's data. */
static void aim(u8 *bytes, const struct insn *insn, u64 *rnd)
{
	u64 to = (insn->flags & INSN_STORE ? DATA_AT : CONST_AT) + rnd_below(rnd, DATA_SIZE - 64);
	s32 disp;

	if (rnd_chance(rnd, 80))
		to &= ~(u64)63;
	disp = (s32)(to - (insn->addr + insn->len));
	memcpy(bytes + insn->rip_at, &disp, 4);
}

/* A variation of a random form for addr; its length. */
static u32 vary(u8 *out, u64 addr, u64 *rnd)
{
	const struct form *form;
	struct insn insn;

	do {
		form = &pool.forms[rnd_below(rnd, pool.n)];
	} while (form->memory && rnd_chance(rnd, 75));
	for (u32 tries = 0; tries < 8; tries++) {
		memcpy(out, form->bytes, SLOT_LEN);
		if (tries < 7)
			flip(out, form, rnd);
		if (decode_insn(out, form->len, addr, scratch_decode(), &insn, NULL) ||
		    insn.len != form->len || insn.mnemonic != form->mnemonic ||
		    insn.role != ROLE_PLAIN)
			continue;
		if (!form->memory && insn.flags & (INSN_LOAD | INSN_STORE) && rnd_chance(rnd, 80))
			continue; /* paths would end too soon */
		if (insn.flags & INSN_RIP)
			aim(out, &insn, rnd);
		return form->len;
	}
	out[0] = 0x90;
	return 1;
}

/* ---- one function ---- */

struct slot {
	u8 bytes[SLOT_LEN];
	u32 len, at;
	u32 to;      /* branches: index of the target; calls: offset in the text */
	u32 field;   /* bytes of its distance; 0: no branch */
	bool call;
};

static void branch(struct slot *s, u32 i, u32 n, u64 *rnd)
{
	static const u8 hints[] = { 0x2e, 0x3e, 0xf2, 0x67 };
	bool near = rnd_chance(rnd, 60);
	u32 how = (u32)rnd_below(rnd, 10), to;

	s->len = 0;
	if (rnd_chance(rnd, 8))
		s->bytes[s->len++] = hints[rnd_below(rnd, how < 2 ? 4 : 3)];
	if (how < 2) { /* loopne, loope, loop, jrcxz */
		near = true;
		s->bytes[s->len++] = (u8)(0xe0 + rnd_below(rnd, 4));
	} else if (how < 4) {
		s->bytes[s->len++] = near ? 0xeb : 0xe9;
	} else {
		u8 cc = (u8)rnd_below(rnd, 16);

		if (!near)
			s->bytes[s->len++] = 0x0f;
		s->bytes[s->len++] = (u8)((near ? 0x70 : 0x80) | cc);
	}
	s->field = near ? 1 : 4;
	s->len += s->field;
	to = rnd_chance(rnd, 70) ? i + 1 + (u32)rnd_below(rnd, near ? 7 : 20)
	                         : i - (u32)rnd_below(rnd, near ? 7 : 20);
	s->to = to < n ? to : to > n + 100 ? 0 : n - 1;
}

static void ending(struct slot *s, u64 *rnd)
{
	static const struct {
		u8 bytes[3], len;
	} ends[] = { { { 0xc3 }, 1 },
		     { { 0xf3, 0xc3 }, 2 },
		     { { 0xc2, 0x10, 0 }, 3 },
		     { { 0xff, 0xe0 }, 2 },
		     { { 0x3e, 0xff, 0xe3 }, 3 },
		     { { 0x41, 0xff, 0xe3 }, 3 },
		     { { 0xff, 0x26 }, 2 },
		     { { 0xff, 0xd0 }, 2 },
		     { { 0x0f, 0x05 }, 2 },
		     { { 0x0f, 0x0b }, 2 },
		     { { 0xcc }, 1 } };
	u32 how = (u32)rnd_below(rnd, sizeof(ends) / sizeof(ends[0]) * 2);

	s->field = 0;
	how = how < sizeof(ends) / sizeof(ends[0]) ? how : how % 7;
	memcpy(s->bytes, ends[how].bytes, 3);
	s->len = ends[how].len;
}

static void resolve(struct slot *slots, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		struct slot *s = &slots[i];
		u32 to = s->call ? s->to : slots[s->to].at;
		s64 distance = (s64)to - (s64)(s->at + s->len);
		s32 value = (s32)distance;

		if (s->field == 1 && distance != (s8)distance)
			value = 0; /* the next one */
		if (s->field)
			memcpy(s->bytes + s->len - s->field, &value, s->field);
	}
}

/* ---- functions that call and have frames ---- */

/* Offsets of functions that may be called. */
static struct {
	u32 at[64], n;
} callees;

static void put(struct slot *s, const char *bytes, u32 len)
{
	memcpy(s->bytes, bytes, len);
	s->len = len;
	s->field = 0;
}

enum frame_style { FRAME_NONE, FRAME_PUSHES, FRAME_POINTER, FRAME_BARE, FRAME_STYLES };

/* The first instructions of a function, and the last; returns how many. `room` is the frame's size. */
static u32 prologue(struct slot *s, u32 style, u8 room)
{
	u32 n = 0;

	if (style == FRAME_PUSHES) {
		put(&s[n++], "\x53", 1); /* push %rbx */
		put(&s[n++], "\x41\x54", 2); /* push %r12 */
	} else if (style == FRAME_POINTER) {
		put(&s[n++], "\x55", 1); /* push %rbp */
		put(&s[n++], "\x48\x89\xe5", 3); /* mov %rsp, %rbp */
	}
	if (style != FRAME_NONE && room) {
		put(&s[n], "\x48\x83\xec", 4); /* sub $room, %rsp */
		s[n++].bytes[3] = room;
	}
	return n;
}

static u32 epilogue(struct slot *s, u32 style, u8 room)
{
	u32 n = 0;

	if (style == FRAME_POINTER) {
		put(&s[n++], "\xc9", 1); /* leave */
	} else if (room) {
		put(&s[n], "\x48\x83\xc4", 4); /* add $room, %rsp */
		s[n++].bytes[3] = room;
	}
	if (style == FRAME_PUSHES) {
		put(&s[n++], "\x41\x5c", 2); /* pop %r12 */
		put(&s[n++], "\x5b", 1); /* pop %rbx */
	}
	put(&s[n++], "\xc3", 1);
	return n;
}

/* Something with the stack, at a distance that is mostly within the frame. */
static void use_stack(struct slot *s, u8 room, u64 *rnd)
{
	static const struct {
		u8 bytes[4], len; /* up to the displacement, which has 8 bits */
	} uses[] = {
		{ { 0x48, 0x8b, 0x44, 0x24 }, 4 }, /* mov d(%rsp), %rax */
		{ { 0x48, 0x89, 0x74, 0x24 }, 4 }, /* mov %rsi, d(%rsp) */
		{ { 0x48, 0x8d, 0x7c, 0x24 }, 4 }, /* lea d(%rsp), %rdi */
		{ { 0x44, 0x01, 0x4c, 0x24 }, 4 }, /* add %r9d, d(%rsp) */
		{ { 0x0f, 0x11, 0x44, 0x24 }, 4 }, /* movups %xmm0, d(%rsp) */
		{ { 0x0f, 0xb6, 0x54, 0x24 }, 4 }, /* movzbl d(%rsp), %edx */
		{ { 0x48, 0x8b, 0x4d }, 3 }, /* mov d(%rbp), %rcx */
		{ { 0x48, 0x89, 0x55 }, 3 }, /* mov %rdx, d(%rbp) */
		{ { 0x48, 0x8b, 0x5c, 0x84 }, 4 }, /* mov d(%rsp,%rax,4), %rbx */
		{ { 0x48, 0x89, 0x1f, 0x90 }, 4 }, /* mov %rbx, (%rdi); nop */
	};
	u32 which = (u32)rnd_below(rnd, sizeof(uses) / sizeof(uses[0]));

	put(s, (const char *)uses[which].bytes, uses[which].len);
	if (uses[which].bytes[3] == 0x90)
		return;
	s->bytes[s->len++] = rnd_chance(rnd, 85) ? (u8)(rnd_below(rnd, room / 8 + 1) * 8)
	                                         : (u8)rnd_next(rnd);
}

static void call(struct slot *s, u64 *rnd)
{
	s->bytes[0] = 0xe8;
	s->len = 5;
	s->field = 4;
	s->call = true;
	s->to = callees.at[rnd_below(rnd, callees.n)];
}

/* ---- one function ---- */

static void fill(struct slot *s, u32 i, u32 n, u64 addr, bool calls, u8 room, u64 *rnd)
{
	if (rnd_chance(rnd, 16))
		branch(s, i, n, rnd);
	else if (calls && callees.n && rnd_chance(rnd, 12))
		call(s, rnd);
	else if (calls && rnd_chance(rnd, 25))
		use_stack(s, room, rnd);
	else
		s->len = vary(s->bytes, addr, rnd);
}

/* Writes a function at offset `at` of the text; its length. */
static u32 function(u8 *text, u16 *marks, u32 at, bool calls, u64 *rnd)
{
	u32 style = calls ? (u32)rnd_below(rnd, FRAME_STYLES) : FRAME_NONE;
	u8 room = style && rnd_chance(rnd, 80) ? (u8)(rnd_below(rnd, 15) * 8) : 0;
	u32 limit = calls ? FUNCTION_INSNS / 2 : FUNCTION_INSNS - 5;
	u32 body = 2 + (u32)rnd_below(rnd, limit - 2), now = at, n = 0;
	struct slot slots[FUNCTION_INSNS];

	memset(slots, 0, sizeof(slots));
	n = prologue(slots, style, room);
	body += n;
	for (u32 i = 0; i < body; i++) {
		if (i >= n)
			fill(&slots[i], i, body + 1, TEXT_AT + now, calls, room, rnd);
		slots[i].at = now;
		now += slots[i].len;
	}
	n = body;
	if (style)
		n += epilogue(slots + n, style, room);
	else
		ending(&slots[n++], rnd);
	for (u32 i = body; i < n; i++) {
		slots[i].at = now;
		now += slots[i].len;
	}
	resolve(slots, n);
	for (u32 i = 0; i < n; i++) {
		memcpy(text + slots[i].at, slots[i].bytes, slots[i].len);
		marks[slots[i].at] |= TEXT_INSN | TEXT_REACHED | TEXT_CERTIFIED;
		if (slots[i].field && !slots[i].call)
			marks[slots[slots[i].to].at] |= TEXT_TARGET;
	}
	marks[at] |= TEXT_FUNCTION;
	callees.at[callees.n < 64 ? callees.n++ : rnd_below(rnd, 64)] = at;
	return now - at;
}

/* ---- the module ---- */

static void span_add(struct module *m, u64 addr, u64 size, u32 flags, u8 *bytes)
{
	m->view.loads[m->view.n_loads++] =
		(struct elf_span){ .addr = addr, .size = size, .bytes = bytes, .flags = flags };
}

static void module_make(struct module *m, u8 *bytes, u16 *marks, bool calls, u64 seed)
{
	u64 rnd = rnd_start(seed, 4, 0);

	for (u32 i = 0; i < (CONST_SIZE + DATA_SIZE) / 8; i++) {
		u64 word = rnd_chance(&rnd, 50) ? rnd_below(&rnd, 64) : rnd_next(&rnd);

		memcpy(bytes + TEXT_SIZE + i * 8, &word, 8);
	}
	memset(bytes, 0x90, TEXT_SIZE);
	for (u32 at = 0; at < TEXT_SIZE - FUNCTION_INSNS * SLOT_LEN;)
		at += function(bytes, marks, at, calls, &rnd);
	span_add(m, TEXT_AT, TEXT_SIZE, ELF_VIEW_R | ELF_VIEW_X, bytes);
	span_add(m, CONST_AT, CONST_SIZE, ELF_VIEW_R, bytes + TEXT_SIZE);
	span_add(m, DATA_AT, DATA_SIZE, ELF_VIEW_R | ELF_VIEW_W, bytes + TEXT_SIZE + CONST_SIZE);
	m->text.view = &m->view;
	m->text.start = TEXT_AT;
	m->text.end = TEXT_AT + TEXT_SIZE;
	m->text.marks = marks;
}

bool forms_load(struct module *m, const char *path, bool calls, u64 seed)
{
	u16 *marks = calloc(TEXT_SIZE, sizeof(*marks));
	u8 *bytes = malloc(TEXT_SIZE + CONST_SIZE + DATA_SIZE);
	struct module from = { 0 };

	if (!marks || !bytes || !module_load(&from, path)) {
		free(marks);
		free(bytes);
		return false;
	}
	harvest_text(&from);
	fprintf(stderr, "%s: %u forms\n", path, pool.n);
	memset(m, 0, sizeof(*m));
	m->path = path;
	module_make(m, bytes, marks, calls, seed);
	return module_finish(m, true);
}
