/* SPDX-License-Identifier: MIT */
/*
 * Encoder, placement, hops and plans together, on random programs: translations are published in groups, linked with one another,
 * left half-way, withdrawn and their places used again, while CPUs stand everywhere (model.h).
 *
 *     test_patch [FIRST [COUNT]]    seeds; a failure prints the command that repeats it
 *
 * Invariant of the test: the model accepts every program's story as it is, and for every way of
 * telling it wrongly (broken.def) there are programs in which the model sees it, for the right reason.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "calls.h"
#include "entries.h"

static const struct {
	const char *text, *seen;
} broken[] = {
	{ "as it is", "" },
#define X(name, text, seen) { text, seen },
#include "broken.def"
#undef X
};

struct story story;
static u8 workspace[8 << 20];

void must(enum status status, const char *what)
{
	if (status) {
		fprintf(stderr, "seed %llu: %s: %s\n", (unsigned long long)story.seed, what,
		        status_name(status));
		abort();
	}
}

/* Is it time to do this wrong? */
bool do_wrong(enum broken what)
{
	if (story.broken != what)
		return false;
	story.did = true;
	return true;
}

static bool has_slot(const struct hop *hop)
{
	return hop->kind == HOP_SLOT || hop->kind == HOP_SLOT_FAR;
}

u8 *memory_at(u64 addr)
{
	return story.model.memory + (addr - TEXT_BASE);
}

/* ---- translations ---- */

static bool is_site(u64 addr)
{
	for (u32 g = 0; g < story.n_groups; g++) {
		for (u32 i = 0; i < story.groups[g].n_units; i++) {
			if (story.groups[g].live && story.groups[g].units[i].hop.site == addr)
				return true;
		}
	}
	return false;
}

static int by_site(const void *a, const void *b)
{
	u64 x = ((const struct unit *)a)->hop.site, y = ((const struct unit *)b)->hop.site;

	return x < y ? -1 : x > y;
}

/* A tree whose head leaves at once, to where it came from. */
static void make_circle(struct tree_store *t, u64 head)
{
	memset(t, 0, sizeof(*t));
	t->blocks[0] = (struct ir_block){ .start = head,
		                          .parent = IR_NO_PARENT,
		                          .next = { .target = head, .kind = EDGE_EXIT } };
	t->tree =
		(struct ir_tree){ .head = head, .blocks = t->blocks, .ops = t->ops, .n_blocks = 1 };
}

static bool make_unit(struct unit *u, u64 head)
{
	static struct tree_store t;
	struct insn insn = program_insn(&story.program, head);
	struct failure fail;

	if (insn.len < JMP_REL8_LEN || is_site(head) ||
	    !program_tree(&story.program, &story.dice, head, 1 + roll(&story.dice, 12), &t))
		return false;
	must(ir_verify(&t.tree, &fail), "verify");
	if (do_wrong(OWN_SITE))
		make_circle(&t, head);
	must(encode_tree(&t.tree, &story.arena, &u->code, &fail), "encode");
	u->hop = (struct hop){ .site = head, .len = insn.len };
	return true;
}

static void make_units(struct group *g)
{
	u32 want = 1 + roll(&story.dice, MAX_UNITS);

	for (u32 tries = 0; tries < 40 && g->n_units < want; tries++) {
		u64 head = story.program.insns[roll(&story.dice, story.program.n_insns)];
		struct insn insn = program_insn(&story.program, head);
		bool twice = false;

		head = insn.role == ROLE_CALL ? insn.target : head;

		for (u32 i = 0; i < g->n_units; i++)
			twice |= g->units[i].hop.site == head;
		if (!twice && make_unit(&g->units[g->n_units], head))
			g->n_units++;
	}
	qsort(g->units, g->n_units, sizeof(g->units[0]), by_site);
}

static void spoil_code(struct unit *u)
{
	u8 *bytes = u->code.bytes;

	for (u32 i = 0; i < u->code.n_origins && story.broken == CONDITION; i++) {
		u32 at = u->code.origins[i].at;

		while (at < u->code.size && bytes[at] == 0x2e)
			at++;
		if (at + 1 < u->code.size && bytes[at] == 0x0f && bytes[at + 1] >> 4 == 8 &&
		    do_wrong(CONDITION))
			bytes[at + 1] ^= 1;
	}
	for (u32 i = 1; i < u->code.n_origins && story.broken == ORIGIN; i++) {
		if (do_wrong(ORIGIN))
			u->code.origins[i - 1].origin = u->code.origins[i].origin;
	}
	if (u->code.n_fixups && do_wrong(FIELD))
		bytes[u->code.fixups[roll(&story.dice, u->code.n_fixups)].at]++;
}

static void place_units(struct group *g)
{
	struct failure fail;

	for (u32 i = 0; i < g->n_units; i++) {
		struct unit *u = &g->units[i];

		if (!find_shadows(g, &u->code) ||
		    cache_reserve(&story.cache, u->code.size, &u->addr, &fail)) {
			g->n_units = i; /* the group is as large as there is room */
			return;
		}
		cache_commit(&story.cache, u->addr);
		must(code_place(&u->code, u->addr, &fail), "place");
		spoil_code(u);
		u->hop.target = u->addr;
		for (u32 f = 0; f < u->code.n_fixups; f++)
			story.n_back += u->code.fixups[f].kind == FIXUP_BACK;
	}
}

/* The model's addresses are all near: a far slot is used because it is there. */
static void choose_far(struct hop *hop)
{
	for (u32 i = 0; i < N_FAR; i++) {
		if (story.far_taken[i] || (hop->kind != HOP_DIRECT && hop->kind != HOP_SLOT))
			continue;
		if (roll(&story.dice, 3))
			return;
		story.far_taken[i] = 1;
		hop->far = story.far[i];
		hop->kind = hop->kind == HOP_DIRECT ? HOP_FAR : HOP_SLOT_FAR;
	}
}

/* A patch that is longer than its instruction, which ends no block. */
static void spoil_hop(struct unit *u)
{
	struct insn insn = program_insn(&story.program, u->hop.site);

	if (story.broken == TWO_INSNS && insn.role == ROLE_PLAIN && insn.len < JMP_REL32_LEN &&
	    do_wrong(TWO_INSNS)) {
		hops_release(&u->hop, &story.places);
		u->hop.kind = HOP_DIRECT;
		u->hop.slot = u->hop.far = 0;
		u->hop.len = JMP_REL32_LEN;
	}
	if (story.broken == INSIDE && insn.len > JMP_REL32_LEN && u->hop.kind == HOP_DIRECT &&
	    do_wrong(INSIDE))
		u->hop.site++;
}

static void plan_hops(struct group *g)
{
	struct hop hops[MAX_UNITS];
	u32 n = 0;

	for (u32 i = 0; i < g->n_units; i++)
		hops[i] = g->units[i].hop;
	hops_plan(hops, g->n_units, &story.places);
	for (u32 i = 0; i < g->n_units; i++) {
		if (hops[i].kind == HOP_NONE)
			continue;
		choose_far(&hops[i]);
		story.n_hops[hops[i].kind]++;
		g->units[n] = g->units[i];
		g->units[n++].hop = hops[i];
	}
	g->n_units = n;
	for (u32 i = 0; i < n; i++)
		spoil_hop(&g->units[i]);
}

/* ---- links ---- */

static void remember_link(const struct unit *from, const struct code_fixup *fixup,
                          const struct unit *to)
{
	if (story.n_links == sizeof(story.links) / sizeof(story.links[0]))
		abort();
	story.links[story.n_links++] = (struct link){ from, to, fixup, true };
	story.n_links_made++;
}

static bool is_linked(const struct unit *from, const struct code_fixup *fixup)
{
	for (u32 i = 0; i < story.n_links; i++) {
		if (story.links[i].live && story.links[i].from == from &&
		    story.links[i].fixup == fixup)
			return true;
	}
	return false;
}

static s32 field_value(const struct unit *u, const struct code_fixup *fixup, u64 target)
{
	struct failure fail;
	s32 value = 0;

	must(code_fixup_value(fixup, u->addr, target, &value, &fail), "value");
	return value;
}

static void add_link_edit(struct plan *plan, const struct unit *u, const struct code_fixup *fixup,
                          u64 target)
{
	u64 addr = u->addr + fixup->at;
	s32 value = field_value(u, fixup, target);
	struct failure fail;

	must(plan_add(plan, STAGE_LINK, addr, memory_at(addr), (const u8 *)&value, sizeof(value),
	              &fail),
	     "link");
}

/* Some exits of `from` that lead to heads of `to`: in its bytes if it is new, else by edits of the plan. */
static void link_units(struct group *from, struct group *to, struct plan *plan)
{
	for (u32 i = 0; i < from->n_units; i++) {
		struct unit *u = &from->units[i];

		for (u32 f = 0; f < u->code.n_fixups; f++) {
			const struct code_fixup *fixup = &u->code.fixups[f];

			for (u32 k = 0; k < to->n_units; k++) {
				struct unit *v = &to->units[k];

				if (fixup->kind != FIXUP_EXIT || fixup->target != v->code.head ||
				    is_linked(u, fixup) || !roll(&story.dice, 4))
					continue;
				if (from->live) {
					add_link_edit(plan, u, fixup, v->addr);
				} else {
					s32 value = field_value(u, fixup, v->addr);

					memcpy(u->code.bytes + fixup->at, &value, sizeof(value));
				}
				remember_link(u, fixup, v);
			}
		}
	}
}

static void link_group(struct group *g)
{
	for (u32 i = 0; i < story.n_groups; i++) {
		struct group *other = &story.groups[i];

		if (!other->live && other != g)
			continue;
		link_units(g, other, &g->plan);
		if (other != g)
			link_units(other, g, &g->plan);
	}
}

/* ---- publication ---- */

static void reverse(struct plan *plan)
{
	for (u32 i = 0; i < plan->n / 2; i++) {
		struct edit t = plan->edits[i];

		plan->edits[i] = plan->edits[plan->n - 1 - i];
		plan->edits[plan->n - 1 - i] = t;
	}
}

/* One stage before all others. */
static void hurry(struct plan *plan, enum edit_stage stage)
{
	for (u32 i = 0; i < plan->n; i++) {
		if (plan->edits[i].stage == stage)
			plan->edits[i].stage = 0;
		else if (plan->edits[i].stage < stage)
			plan->edits[i].stage++;
	}
}

/* The slot of an earlier group's site, which the planner takes for free. */
static void share_slot(struct group *g)
{
	for (u32 k = 0; story.n_groups > 1 && k < story.groups[0].n_units; k++) {
		const struct hop *other = &story.groups[0].units[k].hop;

		if (!story.groups[0].live || !has_slot(other))
			continue;
		for (u32 i = 0; i < g->n_units; i++) {
			struct hop *hop = &g->units[i].hop;
			u64 distance = other->slot - (hop->site + JMP_REL8_LEN);

			if (!has_slot(hop) || (s64)distance != (s8)distance ||
			    !do_wrong(SHARED_SLOT))
				continue;
			hops_release(hop, &story.places);
			hop->slot = other->slot;
			hop->kind = HOP_SLOT;
			hop->far = 0;
			return;
		}
	}
}

static void make_plan(struct group *g)
{
	struct failure fail;

	must(plan_init(&g->plan, MAX_EDITS, &story.arena), "plan");
	if (story.broken == SHARED_SLOT)
		share_slot(g);
	link_group(g);
	for (u32 i = 0; i < g->n_units; i++) {
		struct unit *u = &g->units[i];
		u64 slot = has_slot(&u->hop) ? u->hop.slot : TEXT_BASE;

		must(plan_add(&g->plan, STAGE_CODE, u->addr, NULL, u->code.bytes, u->code.size,
		              &fail),
		     "code");
		must(plan_add_hop(&g->plan, &u->hop, 0, memory_at(u->hop.site), memory_at(slot),
		                  NULL, &fail),
		     "hop");
	}
	for (u32 i = 0; i < g->n_shadows; i++)
		make_shadow(g, &g->shadows[i], &g->plan);
	link_entries(g, &g->plan);
	lead_calls(g, &g->plan);
	if (story.broken != AS_IT_IS && plan_finish(&g->plan, &fail) == STATUS_PLAN_OVERLAP)
		story.model.wrong = "two edits touch a byte";
	else
		must(plan_finish(&g->plan, &fail), "finish");
}

/* What the stages of a plan are there for. */
static void spoil_plan(struct group *g)
{
	if (!g->plan.n)
		return;
	if (do_wrong(SITE_FIRST))
		reverse(&g->plan);
	if (story.broken == SHADOW_LAST)
		delay_shadows(g);
	for (u32 i = 0; i < g->n_units && story.broken == SLOT_LAST; i++) {
		if (has_slot(&g->units[i].hop) && do_wrong(SLOT_LAST)) {
			struct failure fail;

			hurry(&g->plan, STAGE_SITE);
			must(plan_finish(&g->plan, &fail), "finish");
			/* The applier goes by the stages it finds. */
			for (u32 k = 0; k < g->plan.n; k++)
				g->plan.edits[k].stage = g->plan.edits[k].stage == 0 ? STAGE_SITE
				                                                     : STAGE_CODE;
			return;
		}
	}
}

static void mean_group(struct group *g)
{
	for (u32 i = 0; i < g->n_units; i++) {
		model_means_code(&story.model, &g->units[i].code, g->units[i].addr, g->owner);
		model_means_hop(&story.model, &g->units[i].hop, g->units[i].code.head, g->owner);
	}
	for (u32 i = 0; i < g->n_shadows; i++)
		model_means_shadow(&story.model, g->shadows[i].table, g->shadows[i].addr, g->owner);
}

/* ---- the way back ---- */

static void cut(struct group *g, struct plan *plan)
{
	for (u32 i = 0; i < g->n_units; i++) {
		const struct unit *u = &g->units[i];

		for (u32 f = 0; f < u->code.n_fixups; f++) {
			const struct code_fixup *fixup = &u->code.fixups[f];

			if (fixup->kind == FIXUP_BACK && !do_wrong(KEEP_BACK))
				add_link_edit(plan, u, fixup, fixup->target);
		}
	}
	for (u32 i = 0; i < story.n_links; i++) {
		struct link *link = &story.links[i];
		bool into = link->to >= g->units && link->to < g->units + g->n_units;
		bool from = link->from >= g->units && link->from < g->units + g->n_units;

		if (!link->live || !(into || from))
			continue;
		link->live = false;
		if (into && !(!from && do_wrong(KEEP_LINK)))
			add_link_edit(plan, link->from, link->fixup, link->fixup->target);
	}
}

/* What links changed in the bytes of all translations. */
static void amend_groups(const struct plan *links)
{
	for (u32 i = 0; i < links->n; i++) {
		for (u32 g = 0; g < story.n_groups && links->edits[i].stage == STAGE_LINK; g++)
			plan_amend(&story.groups[g].plan, &links->edits[i]);
	}
}

/*
 * Takes back the first n edits of a group's plan: what is live at once, with back-edges and jumps into it, the
 * rest when nobody stands there.
 */
static bool withdraw(struct group *g, u32 n)
{
	struct plan done = g->plan, live, rest;
	struct failure fail;
	u64 mark = arena_mark(&story.arena);
	bool good;

	done.n = n;
	must(plan_init(&live, MAX_EDITS, &story.arena), "plan");
	must(plan_init(&rest, MAX_EDITS, &story.arena), "plan");
	must(plan_invert(&done, &live, &fail), "invert");
	if (live.n) {
		/* A site was live. Links of its own plan are cut with all others, from what they are now. */
		u32 kept = 0;

		for (u32 i = 0; i < live.n; i++) {
			if (live.edits[i].stage == STAGE_SITE)
				live.edits[kept++] = live.edits[i];
		}
		live.n = kept;
		keep_calls(&live);
		cut(g, &live);
		cut_entries(g, &live);
		must(plan_finish(&live, &fail), "finish");
	}
	good = model_apply(&story.model, &live, live.n, TORN_NOTHING);
	amend_groups(&live);
	must(plan_reclaim(&done, &rest, &fail), "reclaim");
	if (good && do_wrong(NO_WAIT))
		good = model_apply(&story.model, &rest, rest.n, TORN_NOTHING);
	else if (good)
		good = model_drain(&story.model, g->owner) &&
		       model_apply(&story.model, &rest, rest.n, TORN_NOTHING);
	arena_release(&story.arena, mark);
	if (!good)
		return false;
	for (u32 i = 0; i < g->n_units; i++)
		hops_release(&g->units[i].hop, &story.places);
	g->live = false;
	return true;
}

/* ---- stories ---- */

static void new_group(struct group *g)
{
	memset(g, 0, sizeof(*g));
	g->owner = (u8)(1 + story.n_groups++);
	make_units(g);
	place_units(g);
	plan_hops(g);
	make_plan(g);
	spoil_plan(g);
	mean_group(g);
}

/* Links that were made for a plan that was left before it wrote them. */
static void forget_links(struct group *g)
{
	for (u32 i = 0; i < story.n_links; i++) {
		struct link *link = &story.links[i];

		if ((link->to >= g->units && link->to < g->units + g->n_units) ||
		    (link->from >= g->units && link->from < g->units + g->n_units))
			link->live = false;
	}
}

static enum torn tear(void)
{
	if (do_wrong(TORN_SITE))
		return TORN_ALL;
	return do_wrong(TORN_ENTRY) ? TORN_ENTRIES : TORN_NOTHING;
}

/* A group is published, or left after some of its edits and taken back. */
static bool publish(struct group *g)
{
	u32 n = g->plan.n;

	if (story.broken == AS_IT_IS && n && roll(&story.dice, 4) == 0) {
		n = roll(&story.dice, n);
		story.n_half++;
		if (!model_apply(&story.model, &g->plan, n, TORN_NOTHING) || !withdraw(g, n))
			return false;
		forget_links(g);
		/* And once more, all of it. */
		story.n_groups--;
		new_group(g);
		n = g->plan.n;
	}
	if (!model_apply(&story.model, &g->plan, n, tear()))
		return false;
	amend_groups(&g->plan);
	g->live = true;
	story.n_published += g->n_units;
	return true;
}

static void set_scene(u32 n_functions, u32 n_insns)
{
	program_make(&story.program, &story.dice, n_functions, n_insns);
	model_init(&story.model, &story.program);
	story.places = (struct hop_places){ story.program.gaps,   story.taken,
		                            story.program.n_gaps, story.far,
		                            story.far_taken,      N_FAR };
}

static bool is_restored(void)
{
	if (memcmp(story.model.memory, story.program.bytes, TEXT_SIZE))
		story.model.wrong = "not all bytes are back";
	return !story.model.wrong;
}

static bool tell(u32 n_functions, u32 n_insns)
{
	u32 n_groups = 1 + roll(&story.dice, MAX_GROUPS), order[MAX_GROUPS];

	set_scene(n_functions, n_insns);
	for (u32 i = 0; i < n_groups; i++) {
		new_group(&story.groups[i]);
		if (!publish(&story.groups[i]))
			return false;
		order[i] = i;
	}
	for (u32 left = n_groups; left; left--) {
		u32 at = roll(&story.dice, left);
		struct group *g = &story.groups[order[at]];

		if (!withdraw(g, g->plan.n))
			return false;
		order[at] = order[left - 1];
	}
	return is_restored();
}

static void begin(u64 seed, enum broken how)
{
	u64 n_published = story.n_published, n_links = story.n_links_made, n_back = story.n_back;
	u64 n_half = story.n_half, n_shadows = story.n_shadows, n_entries = story.n_entries;
	u64 n_calls = story.n_calls;
	u64 n_hops[HOP_KINDS];

	memcpy(n_hops, story.n_hops, sizeof(n_hops));
	memset(&story, 0, sizeof(story));
	memcpy(story.n_hops, n_hops, sizeof(n_hops));
	story.n_published = n_published;
	story.n_links_made = n_links;
	story.n_back = n_back;
	story.n_half = n_half;
	story.n_shadows = n_shadows;
	story.n_entries = n_entries;
	story.n_calls = n_calls;
	story.seed = seed;
	story.dice.state = seed * 2654435761u + 12345;
	roll(&story.dice, 2);
	story.broken = how;
	arena_init(&story.arena, workspace, sizeof(workspace));
	cache_init(&story.cache);
	must(cache_add(&story.cache, CACHE_BASE, CACHE_BASE + CACHE_SIZE), "cache");
	for (u32 i = 0; i < N_FAR; i++)
		story.far[i] = FAR_BASE + i * DYNOPT_FARSLOT_SIZE;
}

static bool run(u64 seed, enum broken how)
{
	begin(seed, how);
	return tell(1 + seed % 6, seed % 2 ? 6 : 40);
}

/* A small program whose one plan is left after each of its edits in turn. */
static bool leave_everywhere(u64 seed, u64 *checks)
{
	u32 n = 0, end;

	do {
		struct group *g = &story.groups[0];

		begin(seed, AS_IT_IS);
		set_scene(2, 5);
		new_group(g);
		end = g->plan.n;
		if (!model_apply(&story.model, &g->plan, n, TORN_NOTHING) || !withdraw(g, n) ||
		    !is_restored())
			return false;
		story.n_half++;
		*checks += story.model.n_checks;
	} while (n++ < end);
	return true;
}

int main(int argc, char **argv)
{
	u64 first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	u64 count = argc > 2 ? strtoull(argv[2], NULL, 0) : argc > 1 ? 1 : 300;
	u64 checks = 0;
	int bad = 0;

	for (u64 seed = first; seed < first + count; seed++) {
		if (!leave_everywhere(seed, &checks) || !run(seed, AS_IT_IS)) {
			bad++;
			printf("wrong: %s at 0x%llx; repeat with: test_patch %llu\n",
			       story.model.wrong, (unsigned long long)story.model.wrong_at,
			       (unsigned long long)seed);
		}
		checks += story.model.n_checks;
	}
	printf("%llu programs, %llu translations (%llu back-edges, %llu links), %llu shadows"
	       " (%llu entries lead to translations), %llu calls led to them, %llu plans left half-way;"
	       " hops %llu direct, %llu slot, %llu far, %llu slot and far; %llu places looked at\n",
	       (unsigned long long)count, (unsigned long long)story.n_published,
	       (unsigned long long)story.n_back, (unsigned long long)story.n_links_made,
	       (unsigned long long)story.n_shadows, (unsigned long long)story.n_entries,
	       (unsigned long long)story.n_calls, (unsigned long long)story.n_half,
	       (unsigned long long)story.n_hops[HOP_DIRECT],
	       (unsigned long long)story.n_hops[HOP_SLOT],
	       (unsigned long long)story.n_hops[HOP_FAR],
	       (unsigned long long)story.n_hops[HOP_SLOT_FAR], (unsigned long long)checks);
	for (int how = AS_IT_IS + 1; how < N_BROKEN; how++) {
		u64 did = 0, seen = 0, other = 0;
		const char *else_seen = "";

		for (u64 seed = first; seed < first + count; seed++) {
			bool good = run(seed, (enum broken)how);

			did += story.did;
			if (story.did && !good && strstr(broken[how].seen, story.model.wrong)) {
				seen++;
			} else if (!good) {
				other++;
				else_seen = story.model.wrong;
			}
		}
		printf("%-40s done in %llu, seen in %llu%s%s\n", broken[how].text,
		       (unsigned long long)did, (unsigned long long)seen,
		       other ? ", also seen: " : "", else_seen);
		if (count > 50 && (!seen || other))
			bad++;
	}
	return bad != 0;
}
