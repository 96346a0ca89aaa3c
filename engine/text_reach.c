/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * text_reach.c - who arrives where, and which proven instructions of foreign text are reached.
 *
 * Reached is what the flow of control leads to from a function's start or a landing pad: along direct branches and calls,
 * past calls, through what falls through, by jump tables and by code pointers in data. The walk keeps addresses that are still to be
 * followed on a stack; each is put there at most once, when it gets its mark, so the stack is as large as the number of
 * branch targets. Code in certified text is the compiler's own and reached by definition.
 */
#include "text_private.h"

/*
 * A branch into an instruction: the byte is no target, the instruction no site; but where it is one without the lock prefix
 * (text_unwind.c). How many of those.
 */
static u32 mark_interior(struct text *text, u64 i, u32 len)
{
	u32 j, n = 0;

	if (!(text_any(text->marks + i + 1, len - 1) & (TEXT_TARGET | TEXT_INSN)))
		return 0;
	for (j = 1; j < len; j++) {
		u16 *mark = &text->marks[i + j];

		n += (*mark & TEXT_INSN) != 0;
		if ((*mark & (TEXT_TARGET | TEXT_INSN)) == TEXT_TARGET)
			*mark = (u16)((*mark & ~TEXT_TARGET) | TEXT_INTERIOR);
	}
	return n;
}

static void mark_flow(struct builder *b, u64 i, u64 function)
{
	struct text *text = b->text;
	u32 class = kind_class(b->kinds[i]), len = kind_len(b->kinds[i]);
	u64 next = i + len, target;

	/* one in front of a function never returns */
	if ((class == KIND_CALL || class == KIND_CALL_INDIRECT) && next < text->end - text->start &&
	    (text->marks[next] & (TEXT_INSN | TEXT_FUNCTION)) == TEXT_INSN)
		text->marks[next] |= TEXT_RETURN;
	if (!kind_direct(class) || class == KIND_CALL)
		return;
	target = text_branch_target(b, text->start + i) - text->start;
	if (target >= function && target <= i && (text->marks[target] & TEXT_INSN))
		text->marks[target] |= TEXT_LOOP;
}

static u64 survey_part(struct builder *b, const struct text_part *part)
{
	struct text *text = b->text;
	u64 i = part->start - text->start, n = part->end - text->start;
	u64 function = ~(u64)0, n_targets = 0, proven_bytes = 0;
	u32 n_functions = 0;

	while (i < n) {
		u16 marks = text->marks[i];
		u32 len = kind_len(b->kinds[i]);

		if (!(marks & TEXT_INSN)) {
			i += port_get64(text->marks + i) & TEXT_INSN * TEXT_FOUR ? 1 : 4;
			continue;
		}
		if (marks & TEXT_FUNCTION) {
			function = i;
			n_functions++;
		}
		if (!(marks & TEXT_REACHED) && (marks & (TEXT_TARGET | TEXT_FUNCTION)))
			n_targets++;
		n_targets += mark_interior(text, i, len);
		mark_flow(b, i, function);
		proven_bytes += len;
		i += len;
	}
	if (!text->parts) {
		text->n_functions += n_functions;
		text->proven_bytes += proven_bytes;
	}
	return n_targets;
}

u64 text_survey(struct builder *b)
{
	u64 n_targets = 0;

	for (u32 i = 0; i < b->n_parts; i++)
		n_targets += survey_part(b, &b->parts[i]);
	return n_targets;
}

struct walk {
	struct builder *b;
	u32 *stack; /* offsets from text->start */
	u64 n;
};

/* Will the walk come to addr? Then it is marked, and followed later. */
static void push(struct walk *w, u64 addr)
{
	struct text *text = w->b->text;
	u16 *mark;

	if (!text_holds(text, addr))
		return;
	mark = &text->marks[addr - text->start];
	if ((*mark & (TEXT_INSN | TEXT_REACHED)) != TEXT_INSN)
		return;
	*mark |= TEXT_REACHED;
	w->stack[w->n++] = (u32)(addr - text->start);
}

static void push_table(struct walk *w, u64 addr)
{
	const struct jump_table *table = text_table_named(w->b, addr);
	u32 i;

	for (i = 0; table && i < table->n; i++)
		push(w, text_table_entry(w->b, table, i));
}

/* Marks what follows offset i up to where the flow of control must leave. */
static void follow(struct walk *w, u64 i)
{
	const struct builder *b = w->b;
	struct text *text = b->text;
	u64 n = text->end - text->start;

	for (;;) {
		u32 class = kind_class(b->kinds[i]);

		if (kind_direct(class))
			push(w, text_branch_target(b, text->start + i));
		if (class == KIND_TABLE || class == KIND_JUMP_TABLE)
			push_table(w, text->start + i);
		if (kind_barrier(class) || class == KIND_STOP || class == KIND_INT3)
			return;
		i += kind_len(b->kinds[i]);
		if (i >= n || (text->marks[i] & (TEXT_INSN | TEXT_REACHED)) != TEXT_INSN)
			return;
		text->marks[i] |= TEXT_REACHED;
	}
}

static void drain(struct walk *w)
{
	while (w->n)
		follow(w, w->stack[--w->n]);
}

static void push_pads(struct walk *w, const struct fde *fde)
{
	struct lsda_walk pads;
	struct failure why;
	u64 pad;

	if (lsda_walk_begin(&pads, w->b->view, fde, &why) != STATUS_OK)
		return;
	while (lsda_walk_next(&pads, &pad, &why) == STATUS_OK)
		push(w, pad);
}

enum status text_add_reach(struct builder *b, struct failure *fail)
{
	struct walk w = { .b = b };
	u64 n_targets = text_survey(b), at = 0, target;
	u32 i;

	w.stack = arena_alloc(b->scratch, n_targets, sizeof(*w.stack));
	if (n_targets && !w.stack)
		return failed(fail, STATUS_WORKSPACE, 0, n_targets * sizeof(*w.stack));
	for (i = 0; i < b->n_functions; i++) {
		const struct function *f = &b->functions[i];

		if (!f->proven)
			continue;
		push(&w, f->fde.start);
		push_pads(&w, &f->fde);
		drain(&w);
	}
	while (text_code_pointer(b, &at, &target)) {
		push(&w, target);
		drain(&w);
	}
	return STATUS_OK;
}
