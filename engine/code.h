/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * code.h - a translation as machine code: bytes that can stand anywhere, what must be filled in once their
 * place is known, the ways out, and for every instruction the original one it stands for.
 *
 *     tree -(encode_tree)-> code -(code_place)-> bytes for an address in the code cache
 *
 * Identity code: each original instruction is copied with its address fields redirected; a direct jump within the tree
 * is a jump or nothing. Invariant: between two copied instructions the machine state is the original's, so the
 * origin table maps every address in the code to the original address with the same state. A jump that stands for an
 * original jump has that jump's address there, an added one the address where control goes on.
 */
#ifndef DYNOPT_ENGINE_CODE_H
#define DYNOPT_ENGINE_CODE_H

#include "arena.h"
#include "engine_status.h"
#include "ir.h"
#include "passes.h"

enum fixup_kind {
	FIXUP_DATA, /* a RIP-relative operand: target is the address accessed */
	FIXUP_EXIT, /* a jump out: target is the original address, which a caller may replace by another translation */
	FIXUP_BACK, /* a jump back within the code: target is the original address of the loop head; undo makes it an exit */
	FIXUP_TABLE, /* a jump through the shadow of the jump table at target: an absolute displacement, no distance */
};

/*
 * The shadow of a jump table has as many entries, 8 bytes each: the run-time address of where the original entry leads, or of a
 * translation that starts there. Whoever places code makes the shadow first. In the original, entry i is 4 or 8 bytes at
 * target + i * size, and an operand of `to` + base + index * size accesses it; base + index * 8 + field accesses the shadow's.
 */
/*
 * A 32-bit field relative to the end of its instruction. Those of EXIT and BACK lie in one aligned 8-byte
 * word if the code stands at a multiple of CACHE_ALIGN.
 */
struct code_fixup {
	u64 target; /* module address; FIXUP_BACK: of the original loop head */
	u32 at; /* offset of the field */
	u32 end; /* offset of the end of its instruction, from where the distance counts */
	u32 to; /* FIXUP_BACK: offset in the code; FIXUP_TABLE: what the field is if the shadow stands where the table does */
	u32 cut; /* FIXUP_BACK: offset of the stub that makes an exit of it; 0: it needs none */
	u8 kind; /* FIXUP_... */
	u32 flow; /* EXIT, TABLE: how often control goes this way for COST_ENTRY entries (cost.h) */
	u64 shadow; /* FIXUP_TABLE: module address, from who places the code; 0: none yet */
};

/*
 * From code offset `at` up to the next entry, the original address is `origin`, and code.states[state] says how the
 * machine differs from the original's there.
 */
struct code_origin {
	u64 origin;
	u32 at;
	u32 state;
};

struct code {
	u64 head; /* original address of the entry, which is at offset 0 */
	u8 *bytes;
	struct code_fixup *fixups; /* by .at */
	struct code_origin *origins; /* by .at; the first is at 0 */
	const struct ir_state *states; /* states[0] is exact */
	const struct ir_pending *pendings;
	u32 size, n_fixups, n_origins, n_states, n_pendings;
	u32 n_stubs;
	u32 n_insns; /* original instructions in it */
	u16 done[PASS_N]; /* how much each pass did (passes.def) */
	u64 cost_nops; /* NOPs that the encoder has added, executed for COST_ENTRY entries */
	u64 cost_original,
		cost; /* instructions executed for COST_ENTRY entries, in original text and here: an estimate (cost.h) */
};

/*
 * A tree that ir_verify() accepts. *code lives in `arena`; its fields are empty until code_place().
 * STATUS_ENCODE_...; on failure the arena is as before.
 */
__must_check enum status encode_tree(const struct ir_tree *tree, struct arena *arena,
                                     struct code *code, struct failure *fail);

/*
 * Fills in all fixups of code->bytes for a code that will stand at `addr`. Exits lead to the original addresses.
 * STATUS_PLACE_REACH if one does not reach (bytes are then as before), STATUS_PLACE_TABLE. May be called again for another place.
 */
__must_check enum status code_place(struct code *code, u64 addr, struct failure *fail);

/* The 4 bytes of one fixup of a code at `addr` if it is to lead to `target`; STATUS_PLACE_REACH. */
__must_check enum status code_fixup_value(const struct code_fixup *fixup, u64 addr, u64 target,
                                          s32 *value, struct failure *fail);

/* The original address for offset `at` of the code. */
u64 code_origin_at(const struct code_origin *origins, u32 n, u32 at);

#endif
