/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * validate_private.h - between the files of the validator.
 *
 *     validate.c        paths, boundaries, loops, ways out
 *     validate_state.c  the translation's state, made good, against the original's
 *     validate_sides.c  one step of the original, one of the translation
 *     validate_insn.c   what an instruction does to symbolic state
 *     validate_integer.c  flags of comparisons and results, constants
 *     validate_operand.c  operations without the names of registers
 *     validate_range.c  conditions that follow from others
 *     validate_stack.c  memory of 8 bytes, and the stack of inlined calls
 *     validate_value.c  symbolic values, each kept once: equal numbers, equal values
 *     validate_flags.c  which flags are dead
 *     validate_tables.c jumps through shadows of jump tables
 */
#ifndef DYNOPT_ENGINE_VALIDATE_PRIVATE_H
#define DYNOPT_ENGINE_VALIDATE_PRIVATE_H

#include "limits.h"
#include "validate.h"

#define GPR_CX 1
#define GPR_SP 4
#define GPR_BP 5
#define RED_ZONE 128
#define WORD 8
#define FLAGS_STATUS (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* ---- values ---- */

/*
 * What a machine's state consists of. A value is a node's number and the slot of which it is that node's result: one
 * node for an instruction gives all that it writes.
 */
enum slot {
	SLOT_GPR = 0,
	SLOT_VEC = 16,
	SLOT_MASK = 48,
	SLOT_OTHER = 56, /* REGS_... */
	SLOT_FLAGS = 60, /* seven of them */
	SLOT_EVENTS = 67, /* all accesses so far, in their order, and all else that can fault */
	SLOT_N,
	SLOT_CONDITION = SLOT_N, /* of a counting branch */
};
#define SLOT_BITS 7
#define N_FLAGS 7

enum node_kind {
	NODE_UNKNOWN, /* serial: a whole machine state of which nothing is known */
	NODE_BASE,    /* what is added to module addresses, or (1) to the translation's offsets */
	NODE_SUM,     /* atom, constant (2 words); atom 0: just the constant */
	NODE_PAIR,    /* value + value * scale */
	NODE_LOAD,    /* events, address, by_stack: 8 bytes */
	NODE_STORE,   /* events, address, by_stack, value: 8 bytes */
	NODE_TEST,    /* half a condition code and the flags it reads */
	NODE_INSN,    /* operation, what it reads */
	NODE_OPERANDS, /* the same without the names of registers (validate_operand.c) */
	NODE_ZERO,    /* value, its upper 32 bits cleared */
	NODE_COMPARE, /* width, two values: their comparison, of which flags are results */
};

#define OWED_KEPT 32
#define NODE_ARGS 96
struct node {
	u32 n;
	u32 word[NODE_ARGS]; /* kind first */
};

#define CHUNK_WORDS 8192u
#define CHUNKS 128
struct values {
	struct arena *arena;
	u32 **chunk; /* CHUNKS of them, taken as they are needed */
	u32 used; /* words */
	u32 *table; /* of node numbers, 0: none */
	u32 n, size; /* of the table, a power of 2 */
	bool full;
};

__must_check bool values_init(struct values *values, struct arena *arena);
/* The number of a node; 0 if there is no room. */
u32 node_number(struct values *values, const struct node *node);

static inline void node_begin(struct node *node, enum node_kind kind)
{
	node->n = 1;
	node->word[0] = kind;
}
static inline void node_add(struct node *node, u32 word)
{
	if (node->n < NODE_ARGS)
		node->word[node->n++] = word;
}

/* The words of the node that a value is a result of, kind first, and how many; NULL, 0: no value. */
const u32 *value_node(const struct values *values, u32 value);
u32 value_node_words(const struct values *values, u32 value);

/* v = atom + c; atom 0: a constant. */
struct sum {
	u32 atom;
	s64 c;
};
struct sum value_sum(const struct values *values, u32 value);
u32 value_of(struct values *values, u32 atom, s64 c);
u32 value_plus(struct values *values, u32 value, s64 c);
u32 value_pair(struct values *values, u32 base, u32 index, u32 scale);
/* Is `atom` one of the two of the pair? */
bool value_has(const struct values *values, u32 value, u32 atom);
/* Its upper 32 bits cleared; and what has the same lower 32 bits, however often the upper ones were cleared. */
u32 value_zero(struct values *values, u32 value);
u32 value_narrow(struct values *values, u32 value);
u32 value_text(struct values *values, u64 addr); /* run-time address of a module address */
u32 value_translated(struct values *values, u64 offset);

/* ---- machines ---- */

struct machine {
	u32 v[SLOT_N];
};

/* 8 bytes of the stack whose content is known and which no other pointer reaches. */
struct place {
	u32 atom, value;
	s64 at;
};

/* What a path has tested so far. */
struct fact {
	const struct fact *next;
	u32 condition;
	bool holds;
};

#define PLACES 24
struct path {
	struct path *below; /* in the stack of paths, or among those to spare */
	struct machine original, translated;
	u64 pc; /* of the original */
	u32 offset; /* of the translation */
	u32 steps; /* of the original */
	bool begun; /* the boundary at `offset` is behind it: a loop that is followed again */
	struct head *head; /* innermost loop */
	const struct fact *facts;
	s64 low; /* while calls are inlined: the original has used the stack down to here (same atom as rsp) */
	u16 stale; /* flags of the original from before a call or return: nobody reads them */
	u32 n_returns, n_places, n_words;
	bool escaped[2]; /* an address in the stack of inlined calls is in a register, or was: original, translation */
	struct place returns[LIMIT_INLINE_DEPTH +
	                     2]; /* of calls that the original has made and that are not over */
	struct place words[PLACES], /* of inlined calls, private, as the original has them */
		places[PLACES]; /* return addresses and scratch that the translation has written */
};

/* A loop that is being followed. */
struct head {
	struct head *around;
	struct path *entry; /* as it was met first, behind its boundary */
	struct path *mark; /* top of the stack of paths by then */
	u32 offset;
	u16 kept; /* general registers that are supposed not to change in the loop: the translation's, where the original's are owed */
	u8 flags; /* flags that are supposed to be the same on both sides */
	const struct ir_state *state; /* what is owed there */
	s64 low;
	struct machine translated; /* as the loop began */
};

struct validator {
	const struct text *text;
	const struct ir_tree *tree;
	const struct code *code;
	struct arena *arena;
	struct failure *fail;
	struct values values;
	void *decoder;
	struct insn *insn; /* of the translation */
	struct insn *other; /* of text, not in the tree */
	struct insn *owed; /* OWED_KEPT results of states, as they were decoded */
	u32 n_owed;
	struct node *node;
	u16 *op_index; /* hash table of tree->ops by address, +1 */
	u32 op_mask;
	u8 *is_head; /* bitmap over offsets */
	struct path *top, *spare; /* of paths */
	u64 steps;
	u32 serial;
	bool all_kept; /* of all registers it is supposed at first that loops do not change them */
	bool by_stack; /* the instruction's operand is based on rsp or rbp: it faults in another way (SDM 1, 3.3.7.1) */
	enum status why; /* first thing that went wrong within a step */
};

/* Everything that goes wrong within a step, by name; the first counts. */
static inline void refuse(struct validator *v, enum status why)
{
	if (!v->why)
		v->why = why;
}

/* ---- validate_state.c ---- */

/* Address `at` from where the translation's rsp is. */
u32 state_at(struct validator *v, const struct path *path, s32 at);
/* Registers as reconstruction brings them back: reloads, then results, each made of what is there by then. */
enum status state_good(struct validator *v, struct path *path, const struct ir_state *state,
                       struct machine *good);
enum status state_same(struct validator *v, struct path *path, const struct ir_state *state);
enum status state_returns(struct validator *v, const struct path *path,
                          const struct ir_state *state, const struct machine *good);
const struct place *state_word(const struct path *path, struct sum at);
/* Does the state owe a register's word there? */
bool state_owes(struct validator *v, const struct path *path, const struct ir_state *state,
                u32 address);
/* General registers that the state owes as results. */
u16 state_owed(const struct validator *v, const struct ir_state *state);
/* Are all registers the same on both sides, but for those that are owed? */
bool state_same_but_owed(const struct validator *v, const struct path *path,
                         const struct ir_state *state);
/* What the translation has written below the red zone may be gone at any time. */
void state_drop_places(struct validator *v, struct path *path);

/* ---- validate_insn.c ---- */

/* Executes an instruction that goes on with the next; also the counting part of branches (*condition). */
void insn_execute(struct validator *v, struct path *path, bool translated, const struct insn *insn,
                  u32 *condition);
/* What an instruction without effects but on registers and flags makes of *m. */
void insn_make(struct validator *v, struct path *path, const struct insn *insn, struct machine *m);
/* The value that a conditional branch tests; holds if the flag form of an even condition code does. */
u32 insn_condition(struct validator *v, const struct machine *m, const struct insn *insn);
/* How deep the original uses the stack of inlined calls. What points below rsp may point anywhere into its red zone. */
void note_depth(struct validator *v, struct path *path, u32 address, bool access);

/* ---- validate_operand.c ---- */

/* An integer instruction with operands in ModRM. */
struct operands {
	u32 prefixes, modrm_at; /* how many, and where */
	u8 rex, reg, rm;
	u8 reg_width, rm_width; /* bits; 0: it is no register */
	bool memory;
};
/* False: it is none of them. */
bool operands_of(const struct insn *insn, struct operands *o);
/* The operation without registers and addresses; returns its length, at most INSN_MAX_LEN + 1. */
u32 operands_operation(const struct insn *insn, const struct operands *o, u8 *bytes);
/* Adds to v->node what it reads of registers, but for addresses. */
void operands_add(struct validator *v, const struct machine *m, const struct insn *insn,
                  const struct operands *o);

/* ---- validate_integer.c ---- */

/* Behind an instruction: its flags, where they are those of a comparison. */
void integer_flags(struct validator *v, struct machine *m, const struct insn *insn);
/* What it makes of general register *reg, if more is known of that than that it is a function. */
bool integer_value(struct validator *v, const struct machine *m, const struct insn *insn, u8 *reg,
                   u32 *value);

/* ---- validate_range.c ---- */

/* The most that a value can be, without sign, by how it was made. */
u64 range_most(const struct values *values, u32 value);
/* Does a condition hold by what the path has tested so far? 1, 0; -1: not known. */
int range_condition(struct validator *v, const struct path *path, u32 condition);

/* ---- validate_stack.c ---- */

/* 8 bytes at an address; false sides: the original's. */
u32 memory_load(struct validator *v, struct path *path, bool translated, u32 addr);
void memory_store(struct validator *v, struct path *path, bool translated, u32 addr, u32 value);
/* Is this memory that holds the return address of an inlined call? */
bool touches_return(const struct path *path, struct sum at, u32 size);
/* Does it lie in the stack of inlined calls, other than as a return address? */
bool stack_is_frame(const struct validator *v, const struct path *path, struct sum at);
/* An access of another kind: words that it may touch become events. Size 0: unknown. */
void stack_access(struct validator *v, struct path *path, bool translated, u32 address, u32 size);
/* An instruction has written these general registers: if one holds an address in the stack of inlined calls, words become events. */
void stack_escape(struct validator *v, struct path *path, bool translated, u16 written);
/* The same for whatever an instruction makes of rsp that is not understood. */
void stack_reveal(struct validator *v, struct path *path, bool translated);
/* The original has made an inlined call (its return address is at `at`), or returned from one. */
void stack_call(struct path *path, struct sum at);
void stack_return(struct validator *v, struct path *path);
/*
 * At a loop's head: words that both sides have become events, in whatever order, but for those that the head's state owes, be they there or
 * not. What else the translation has there is dropped.
 */
void stack_settle(struct validator *v, struct path *path, const struct ir_state *state);

/* Is its segment that of the stack? An address that is none faults in another way then (SDM 1, 3.3.7.1: #SS, not #GP). */
static inline bool mem_by_stack(const struct insn_mem *mem)
{
	return (mem->base == GPR_SP || mem->base == GPR_BP) && !mem->segment;
}

/* Address of a memory operand. */
u32 insn_address(struct validator *v, const struct machine *m, const struct insn *insn, u32 number);

/* ---- validate_sides.c ---- */

/* False: no room. */
__must_check bool sides_init(struct validator *v);
/* The instruction of original text at addr; NULL: none that may be translated. */
const struct insn *original_insn(struct validator *v, u64 addr);
/* One instruction of the original. v->why if it cannot go on. */
void original_step(struct validator *v, struct path *path);
/* The translation's instruction at path->offset into *v->insn, and the field that code_place() fills in. */
void translated_insn(struct validator *v, const struct path *path, const struct code_fixup **fixup);
/* A result that a state owes; NULL: none that may wait. */
const struct insn *owed_insn(struct validator *v, const struct ir_pending *p);
/* 1: holds, 0: does not, -1: not known. */
int fact_find(const struct path *path, u32 condition);

/* ---- validate_tables.c ---- */

/* Does the translation's jump, whose field this is, lead where the original leads from path->pc on, with nothing that lives lost? */
bool table_leads_on(struct validator *v, const struct path *path, const struct code_fixup *fixup);

/* ---- validate_flags.c ---- */

/* Is each of these flags written before it is read, on every way on from addr in original text? */
bool flags_dead_at(struct validator *v, u64 addr, u16 flags);
/* Shifts and rotations by cl: they read no flag, and keep all if cl is 0 (SDM 2, SAL/SAR/SHL/SHR). */
bool flags_kept_by(const struct insn *insn);

#endif
