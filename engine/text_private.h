/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * text_private.h - what the builders of struct text share.
 *
 * Order of work, each step in its own file:
 *
 *   text_build.c   refuse modules as a whole; allocate
 *   text_notes.c   records -> certified instructions, prohibitions, facts, tables
 *   text_cache.c   notes -> code cache and far pool
 *   text_unwind.c  unwind table -> proven functions of foreign text
 *   text_jumps.c   jump tables and code pointers of foreign text
 *   text_reach.c   who arrives where; what is reached in foreign text
 *   text_tables.c  where the jump tables of the notes lead
 *   text_gotos.c   jumps through arrays of labels, which no note names
 *   text_slots.c   free bytes -> slots
 *
 * text_decode.c serves all of them. text_parts.c takes those of these steps that certified text needs, for some functions at a time: steps
 * go over the builder's parts, which are the whole text else.
 *
 * `kinds` has a byte for every byte of text: 0 where no instruction was decoded, else its length and
 * what it does to the flow of control. Its targets are read from the text again, so nobody decodes twice.
 * Work is paid from a budget that is linear in the size of the text: tables that name the same bytes
 * again and again end the build, not the day.
 */
#ifndef DYNOPT_ENGINE_TEXT_PRIVATE_H
#define DYNOPT_ENGINE_TEXT_PRIVATE_H

#include "fde.h"
#include "reader.h"
#include "text.h"

/* Build only: a valid record covers this byte. */
#define TEXT_RECORDED (1u << 15)
#define TEXT_NO_ALL (TEXT_NO_PATCH | TEXT_NO_TRANSLATE | TEXT_NO_INLINE | TEXT_NO_DEFER)
/* Marks are looked at four at a time: the same bits in each. */
#define TEXT_FOUR 0x0001000100010001u
/* Somebody arrives at this byte otherwise than from the byte before it. */
#define TEXT_ARRIVAL (TEXT_TARGET | TEXT_INTERIOR | TEXT_FUNCTION | TEXT_RETURN)

enum kind_class {
	KIND_PLAIN,
	KIND_NOP,  /* executed padding, but not endbr64 */
	KIND_INT3,
	KIND_STOP, /* traps: what follows is not reached by falling through, and yet no barrier */
	KIND_BARRIER, /* returns and indirect jumps */
	KIND_JMP8,
	KIND_JMP32,
	KIND_JCC8, /* anything that goes on and may branch */
	KIND_JCC32,
	KIND_CALL,
	KIND_CALL_INDIRECT,
	KIND_TABLE,      /* goes on, and names an address that may be a jump table's */
	KIND_JUMP_TABLE, /* an indirect jump through a table at an address of its own */
};

static inline u32 kind_len(u8 kind)
{
	return kind & 0xf;
}

static inline u32 kind_class(u8 kind)
{
	return kind >> 4;
}

static inline bool kind_barrier(u32 class)
{
	return class == KIND_BARRIER || class == KIND_JMP8 || class == KIND_JMP32 ||
	       class == KIND_JUMP_TABLE;
}

static inline bool kind_direct(u32 class)
{
	return class >= KIND_JMP8 && class <= KIND_CALL;
}

struct function {
	struct fde fde;
	u64 base; /* of label differences: an address inside the function that it names; 0: none */
	bool proven;
};

/* A table of foreign text that leads into the function that names it. */
struct jump_table {
	u64 addr;
	u64 base; /* what the entries of DYNOPT_TABLE_REL32 count from */
	const struct function *function;
	u32 n; /* entries */
	u32 form; /* DYNOPT_TABLE_... */
};

/* [start, end) of the text. */
struct text_part {
	u64 start, end;
};

/* A function of certified text; no gaps follow but between records. */
struct text_unit {
	u64 start;
	u32 size;
	u8 state; /* enum unit_state */
};

/* Of a text that is read by parts. */
struct text_parts {
	struct text_unit *units; /* by start */
	u32 n_units;
	struct function *functions; /* of the unwind table, by start */
	u32 n_functions;
	u8 *arrivals; /* one bit for each byte of text: a branch of four bytes' distance may lead there */
	u8 *kinds; /* of what was read, and of its neighbours */
};

struct builder {
	struct text *text;
	const struct elf_view *view;
	struct arena *scratch;
	u8 *kinds; /* by offset from text->start */
	const u8 *code; /* likewise, if all text is one segment; else NULL */
	void *decoder;
	const struct text_part *parts; /* what is read: ascending, apart from each other */
	struct text_part whole, *own; /* room for these */
	u32 n_parts;
	struct text_part
		*fringe; /* certified text beside them: only where it branches to is wanted */
	u32 n_fringe;
	u64 n_noted_tables, n_noted_functions, n_records; /* of the notes */
	struct function *functions; /* of the unwind table, by start */
	u32 n_functions;
	struct jump_table *tables; /* by address */
	u32 n_tables;
	u64 n_naming; /* times that an instruction which may name a table was decoded */
	const u8 *relocations; /* of the file, for text_code_pointer() */
	u64 relocations_size;
	u64 budget; /* bytes of work left */
	u64 look_budget; /* bytes that may be read in search of cold parts */
	bool damaged; /* the notes are: uncovered text is left alone */
};

/* Is addr in [text->start, text->end)? */
static inline bool text_holds(const struct text *text, u64 addr)
{
	return addr >= text->start && addr < text->end;
}

/* The bytes of an instruction that was decoded. */
static inline const u8 *text_code(const struct builder *b, u64 addr)
{
	u64 size;

	return b->code ? b->code + (addr - b->text->start) : text_bytes(b->text, addr, &size);
}

/* Marks and kinds are allocated with so much room behind them that eight may be read from each byte on. */
#define TEXT_ROOM 8

static inline u64 text_low_bits(u32 n)
{
	return n < 64 ? ((u64)1 << n) - 1 : ~(u64)0;
}

/* Sets bits in the marks of n bytes: of one instruction, so few. */
static inline void text_set(u16 *marks, u32 n, u32 bits)
{
	u64 four = bits * TEXT_FOUR;

	for (; n > 4; n -= 4, marks += 4)
		port_put64(marks, port_get64(marks) | four);
	port_put64(marks, port_get64(marks) | (four & text_low_bits(16 * n)));
}

/* What the marks of n bytes from `marks` on have together, or all of them have. */
static inline u16 text_any(const u16 *marks, u32 n)
{
	u64 any = 0;

	for (; n > 4; n -= 4, marks += 4)
		any |= port_get64(marks);
	any |= port_get64(marks) & text_low_bits(16 * n);
	any |= any >> 32;
	return (u16)(any | any >> 16);
}

static inline u16 text_all(const u16 *marks, u32 n)
{
	u64 all = ~(u64)0;

	for (; n > 4; n -= 4, marks += 4)
		all &= port_get64(marks);
	all &= port_get64(marks) | ~text_low_bits(16 * n);
	all &= all >> 32;
	return (u16)(all & all >> 16);
}

/* The next bytes from *at on, in front of `end`, that are in one of n parts; *at is then behind them. False: there are none. */
bool text_next_part(const struct text_part *parts, u32 n, u64 *at, u64 end, struct text_part *out);
/* Sets `bits` on all bytes of [start, end), which lie in the text. */
void text_mark_range(struct text *text, u64 start, u64 end, u32 bits);
/* Sorts items of `size` bytes (at most 64) by the u64 that each begins with. */
void text_sort(void *items, u32 n, u32 size);
/* STATUS_TEXT_LARGE if the budget does not hold `bytes` more. */
__must_check enum status text_pay(struct builder *b, u64 bytes, struct failure *fail);
/* The target of the direct branch or call at addr. */
u64 text_branch_target(const struct builder *b, u64 addr);

/*
 * Decodes [start, end), which lies in one executable segment: fills kinds[] and sets TEXT_TARGET where direct
 * branches lead. The failure's address is that of the first instruction that cannot be decoded or does not end by `end`.
 */
__must_check enum status text_decode(struct builder *b, u64 start, u64 end, struct failure *fail);

/* The kind at `addr`, from the decoder; the slow half of text_decode(). */
__must_check enum status text_decode_kind(const u8 *bytes, u64 size, u64 addr, void *decoder,
                                          u8 *kind, struct failure *fail);
/* The same by table, of an instruction with INSN_MAX_LEN readable bytes; 0: the decoder is to be asked. */
u8 text_quick_kind(const u8 *insn);
/* And what decode_brief() would say of it; false: the decoder is to be asked. */
bool text_quick_brief(const u8 *insn, u64 addr, struct insn_brief *out);
/* The same of an instruction that does not write general register `reg`, one that calls preserve; false: it may, or the decoder is to be asked. It is not opaque. */
bool text_quick_keeps(const u8 *insn, u64 addr, u32 reg, struct insn_brief *out);
/* Where the direct branch of this kind, whose end is at `end` and at address `end_addr`, leads. */
u64 text_kind_target(u8 kind, const u8 *end, u64 end_addr);
/* Does the instruction's last field hold the address of what may be a jump table? */
bool text_names_table(const u8 *insn, u32 len);
bool text_jumps_by_table(const u8 *insn, u32 len);

/* Makes *text by these steps, whose builder has a module that is not refused, and its marks allocated. On failure all is as before. */
typedef enum status text_steps_fn(struct builder *b, struct arena *keep, struct failure *fail);
__must_check enum status text_make(struct text *text, const struct elf_view *view,
                                   struct arena *keep, struct arena *scratch, text_steps_fn *steps,
                                   struct failure *fail);
/* A builder that goes on with a text that is read by parts. */
__must_check enum status text_go_on(struct builder *b, struct text *text, struct arena *scratch,
                                    struct failure *fail);
__must_check enum status text_add_notes(struct builder *b, struct arena *keep,
                                        struct failure *fail);
/* Tables, functions and code cache of the notes; STATUS_TEXT_NOTES: it cannot be read by parts. */
__must_check enum status text_list_notes(struct builder *b, struct arena *keep,
                                         struct failure *fail);
/* Marks of the builder's parts. */
__must_check enum status text_read_notes(struct builder *b, struct failure *fail);
#define TEXT_REACH8 \
	130 /* bytes from the first of a branch with a distance of one byte to where it leads, at most */
/* Does a branch that is outside [start, end) lead behind its first byte? By parts: as far as bytes tell, whatever was decoded. */
bool text_is_entered(const struct builder *b, u64 start, u64 end);
/* The marks that only building needs go. */
void text_finish(struct builder *b);
__must_check enum status text_add_unwind(struct builder *b, struct failure *fail);
/* Those of the unwind table; text_add_unwind() begins with it. */
__must_check enum status text_load_functions(struct builder *b, struct arena *arena,
                                             struct failure *fail);
/* Where exceptions in a function lead; its table is read as far as it makes sense. */
__must_check enum status text_each_pad(struct builder *b, const struct fde *fde,
                                       void (*arrive)(struct text *text, u64 pad),
                                       struct failure *fail);
/* The function of the unwind table that addr is in, or NULL. */
const struct function *text_function_at(const struct builder *b, u64 addr);
__must_check enum status text_add_jumps(struct builder *b, struct failure *fail);
/* Tables for jumps through arrays of labels, in no order, at most TEXT_GOTOS_MAX; how many. */
#define TEXT_GOTOS_MAX 64
u32 text_find_gotos(struct builder *b, struct arena *keep, struct text_table *tables);
/* The table that the instruction at addr (KIND_TABLE, KIND_JUMP_TABLE) names; NULL if that is none. */
const struct jump_table *text_table_named(const struct builder *b, u64 addr);
u64 text_table_entry(const struct builder *b, const struct jump_table *table, u32 i);
/* The next relative relocation that names an address in the text, from byte *at of them on; false at the end. */
bool text_code_pointer(const struct builder *b, u64 *at, u64 *target);
/* Code pointers in data are targets. */
void text_mark_pointers(struct builder *b);
/* Marks flow in the parts, counts what is proven there; returns how many addresses a walk may have to keep. */
u64 text_survey(struct builder *b);
__must_check enum status text_add_reach(struct builder *b, struct failure *fail);
__must_check enum status text_add_tables(struct builder *b, struct arena *keep,
                                         struct failure *fail);
__must_check enum status text_add_slots(struct builder *b, struct arena *keep,
                                        struct failure *fail);
/* The largest code cache and far pool of the notes; the objects' shares are joined where they touch. */
__must_check enum status text_add_cache(struct builder *b, struct notes_reader *r,
                                        struct failure *fail);

#endif
