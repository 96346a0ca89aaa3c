/* SPDX-License-Identifier: MIT */
/*
 * cuts.c - see cuts.h.
 */
#include <string.h>
#include "cuts.h"
#include "map.h"

static void add_call(const struct forest *f, const struct op *op, place at, u64 n,
                     struct cuts *cuts)
{
	const u16 forbidden = TEXT_NO_INLINE | TEXT_NO_DEFER | TEXT_NO_TRANSLATE;
	const struct text *text = runs_text(f->runs, at);
	u16 marks = text ? text_marks(text, op->insn.target) : 0;

	if (op->insn.role == ROLE_CALL_INDIRECT)
		cuts->cut_call_indirect += n;
	else if (!(marks & TEXT_FUNCTION) || !(marks & TEXT_INSN))
		cuts->cut_call_foreign += n;
	else if ((marks | op->marks) & forbidden)
		cuts->cut_call_marks += n;
	else
		cuts->cut_call_rules += n;
}

/* What stands where a way out leads. */
static void add_exit(struct forest *f, const struct way *way, bool branch, struct cuts *cuts)
{
	const struct run *run = &f->runs->runs[runs_at(f->runs, way->target)];
	u8 role = run->n ? run->ops[0]->insn.role : ROLE_SYSTEM;

	if (role == ROLE_CALL || role == ROLE_CALL_INDIRECT)
		add_call(f, run->ops[0], way->target, way->count, cuts);
	else if (role == ROLE_SYSCALL || role == ROLE_TRAP)
		cuts->cut_system += way->count;
	else
		*(branch ? &cuts->exit_branch : &cuts->cut_unknown) += way->count;
}

static void add_node(struct forest *f, const struct node *node, struct cuts *cuts)
{
	if (node->end == END_LEAVE) {
		*(f->runs->runs[node->run].role == ROLE_RET ? &cuts->leave_return
		                                            : &cuts->leave_indirect) += node->count;
		return;
	}
	for (u32 w = 0; w < 2; w++)
		if (node->ways[w].kind == WAY_EXIT)
			add_exit(f, &node->ways[w], node->end != END_CUT, cuts);
}

/* Where and why instructions that were put down to this run are executed in original text. */
static u64 *reason(struct forest *f, u32 number, struct cuts *cuts, enum status *status)
{
	place start = f->runs->runs[number].start;
	const struct text *text = runs_text(f->runs, start);
	u64 site, tree;
	u32 len;

	*status = STATUS_OK;
	if (!text)
		return &cuts->outside_file;
	*status = text_site(text, place_addr(start), f->runs->decoder, &site, &len, NULL);
	if (*status == STATUS_TEXT_UNPROVEN ||
	    (!*status && !(text_marks(text, site) & TEXT_REACHED)))
		return &cuts->outside_unproven;
	if (*status)
		return &cuts->outside_site;
	if (!map_get(f->tree_at, place_of(place_module(start), site), &tree))
		return &cuts->outside_small;
	return f->trees[tree].dead ? &cuts->outside_dropped : &cuts->outside_before;
}

void cuts_sum(struct forest *f, struct cuts *cuts)
{
	enum status status;

	memset(cuts, 0, sizeof(*cuts));
	for (u32 i = 0; i < f->n_trees; i++)
		for (u32 n = 0; n < f->trees[i].n_nodes && !f->trees[i].dead; n++)
			add_node(f, &f->trees[i].nodes[n], cuts);
	for (u32 i = 0; i < f->runs_known && i < f->runs->n_runs; i++)
		if (f->own[i])
			*reason(f, i, cuts, &status) += f->own[i];
}

void cuts_list(struct forest *f, FILE *out)
{
	static const char *const words[] = {
#define X(name) #name,
		OUTSIDE(X)
#undef X
	};
	struct cuts cuts;

	for (u32 i = 0; i < f->runs_known && i < f->runs->n_runs; i++) {
		place start = f->runs->runs[i].start;
		bool in_file = place_module(start) < f->runs->n_modules;
		enum status status;
		u64 *field;

		if ((double)f->own[i] < f->rules.least * (double)f->insns)
			continue;
		field = reason(f, i, &cuts, &status);
		fprintf(out, "%.3f %% %s 0x%llx %s %s arrival %u\n",
		        100.0 * (double)f->own[i] / (double)f->insns,
		        in_file ? f->runs->modules[place_module(start)].name : "none",
		        (unsigned long long)place_addr(start),
		        words[field - &cuts.outside_unproven], status ? status_name(status) : "",
		        f->arrival[i]);
	}
}
