/* SPDX-License-Identifier: MIT */
/*
 * guest.h - the address space in which original code and its translation run: the module at its own relative
 * layout, a few small arenas for pointers, a stack, a place for translations.
 *
 * The guest's copy of the text holds int3 everywhere but at the instructions of the tree under test, so that
 * whatever runs stops at the first instruction outside, wherever that is. Exits that are known in advance get a jump to a stub
 * instead (a trap costs microseconds, a stub nothing). Both runs of a case see the same text, so what
 * the original does after a join that the translation leaves by is done by the original text in both.
 * Everything writable is in `areas`: they are what is filled before a run and compared behind it.
 */
#ifndef DYNOPT_FUZZ_GUEST_H
#define DYNOPT_FUZZ_GUEST_H

#include "code.h"
#include "module.h"

#define PAGE 4096u
#define GUEST_AREAS 16
#define GUEST_LOW 0xe8000000u        /* an arena that 32-bit addresses reach */
#define GUEST_HIGH 0x300000000000u   /* an arena */
#define GUEST_TLS 0x310000000000u    /* where fs points into */
#define GUEST_STACK 0x320000000000u
#define GUEST_STACK_SIZE (2 * PAGE)
#define LOOPS_MAX 128
#define TREES_MAX 2
#define EXITS_MAX 256

struct guest_area {
	u64 addr;
	u32 size;
	u8 *first; /* content before a run, but for the case's own changes */
	u8 *after; /* content behind the first run */
	bool of_tree; /* pages of the module's data, for this tree only */
};

/* A translation in the guest's cache. */
struct guest_code {
	const struct code *code;
	u64 start; /* as the guest sees it */
};

/* A branch that closes a loop, counted on both sides. */
struct guest_loop {
	u64 branch; /* module address of the instruction */
	u64 head;
	u64 hop; /* where a two-byte branch goes first, 0: nowhere */
};

struct guest {
	const struct module *m;
	struct guest_area areas[GUEST_AREAS];
	u32 n_areas;
	u64 stubs;             /* address of the page of stubs */
	struct guest_code codes[TREES_MAX];
	u32 n_codes;
	u32 n_backs; /* loop stubs of translations */
	u64 caches[2];         /* module addresses of places for translations; near, far */
	u64 exits[EXITS_MAX];  /* module addresses with an exit stub, by stub */
	u32 n_exits;
	struct guest_loop loops[LOOPS_MAX];
	u32 n_loops;
	const struct ir_tree *trees; /* that are armed */
	u32 n_trees;
	u64 shadows_end; /* module address: so far are shadows of jump tables behind the near cache */
	bool exact; /* loops count the same on both sides */
};

/* Bytes between places for translations and their ends. */
#define GUEST_CACHE_SIZE 0x20000u
#define GUEST_SHADOWS_SIZE 0x10000u

/* Maps everything; false with a message. */
bool guest_map(struct guest *g, const struct module *m);

/* Makes the guest ready for the text of a few trees, or says why it cannot be: NULL if it is. */
const char *guest_arm(struct guest *g, const struct ir_tree *trees, u32 n);
void guest_disarm(struct guest *g);

/* Puts a translation, filled in for that place, at cache address `addr`; its back-edges are counted, or cut and counted. */
void guest_place(struct guest *g, const struct code *code, u64 addr, bool cut);
/* Leads all exits of translation `from` that go to the head of translation `to` there. Returns how many. */
u32 guest_link(struct guest *g, u32 from, u32 to);
/* The original address that rip stands for, both as the guest sees them: rip itself outside of translations. */
u64 guest_origin(const struct guest *g, u64 rip);
/* Is rip in a translation? */
bool guest_translated(const struct guest *g, u64 rip);
/* Does an instruction of the armed trees stand at this module address? */
bool guest_is_op(u64 addr);
/* Where NOPs and direct jumps lead from an address of original text, which a translation may leave out; as the guest sees it. */
u64 guest_settle(const struct guest *g, u64 addr);
/* How the machine differs from the original's at rip in a translation; NULL: not in one, or not at all. */
const struct ir_state *guest_state(const struct guest *g, u64 rip,
                                   const struct ir_pending **pendings);
/* Makes good what a translation owes at rip: registers, and guest memory. */
void guest_restore(const struct guest *g, u64 rip, u64 gpr[16]);

/* Loop budget of the next run, arrivals. */
void guest_budget(struct guest *g, u64 n);
/* Which stub ended the last run: true and the module address for an exit, false for a spent budget. */
bool guest_exit(const struct guest *g, u64 *addr);
/* Is rip at something of the guest's own: a stub, or the hop to one? */
bool guest_stub_at(const struct guest *g, u64 rip);

/* The areas that hold [addr, addr + size), NULL if none does. */
const struct guest_area *guest_area(const struct guest *g, u64 addr, u64 size);

#endif
