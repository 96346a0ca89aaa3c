/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * validate.h - the proof that a translation does what the original paths of its tree do.
 *
 * Both instruction streams are executed symbolically, in lock step, path by path from the entry; the translation
 * drives. At every instruction boundary of the translation its side table must tell the truth: the original, at the origin named there,
 * has the state that reconstruction (state.h) would yield. The sequence of memory accesses and of everything else that can
 * fault is the same, instruction by instruction; at each way out nothing differs that is alive; each loop comes back to
 * the relation it began with. What is not proven is refused by name.
 *
 * Shares with the passes the decoder and the facts of the module's text, nothing else. What it takes for granted: those two;
 * that nothing but rsp-based accesses touches a return address (DESIGN's axiom); that there is a stack where calls and saves push and stubs write; that an indexed access at or above rsp stays there; the
 * ABI's word that flags carry nothing across calls and returns, and that the stack below rsp-128 is dead; that nobody reads flags
 * which the manual leaves undefined.
 */
#ifndef DYNOPT_ENGINE_VALIDATE_H
#define DYNOPT_ENGINE_VALIDATE_H

#include "code.h"
#include "text.h"

/*
 * `lifted` is the tree as lift_trace() made it, before any pass; `code` what encode_tree() made in the end, not yet placed: its bytes and tables
 * are not trusted. STATUS_VALIDATE_... with the origin in failure.addr and the offset in failure.detail, STATUS_WORKSPACE. The
 * arena is as before in any case.
 */
__must_check enum status validate(const struct text *text, const struct ir_tree *lifted,
                                  const struct code *code, struct arena *arena,
                                  struct failure *fail);

#endif
