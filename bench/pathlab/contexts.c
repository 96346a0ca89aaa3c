/* SPDX-License-Identifier: MIT */
/*
 * contexts.c - see contexts.h. A context is the jump and the starts of the last runs, its own first: what a tree that leads to
 * the jump would know. Keys are hashes of 64 bits; nobody looks whether two are the same.
 */
#include <stdio.h>
#include "contexts.h"
#include "map.h"

#define LENGTHS 7
#define RARE 10000

static const u32 lengths[LENGTHS] = { 0, 1, 2, 3, 4, 6, 8 };

struct context {
	u64 n, most; /* executions, and of them to the target that is met most */
};

struct kind {
	struct map *numbers; /* of contexts, from 1 */
	struct map *targets; /* executions of a context that lead to one target */
	struct context *contexts;
	u64 n, room;
};

static u64 mix(u64 hash, u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 29;
}

static u64 key_of(u64 hash)
{
	return hash ? hash : 1;
}

static struct context *context_of(struct kind *kind, u64 hash)
{
	u64 number;

	if (!map_get(kind->numbers, key_of(hash), &number)) {
		if (kind->n == kind->room) {
			kind->room = 2 * kind->room + 1024;
			kind->contexts =
				must(realloc(kind->contexts, kind->room * sizeof(*kind->contexts)));
		}
		number = kind->n++;
		kind->contexts[number] = (struct context){ 0 };
		map_put(kind->numbers, key_of(hash), number);
	}
	return &kind->contexts[number];
}

static void count(struct kind *kind, u64 hash, u64 target)
{
	struct context *context = context_of(kind, hash);
	u64 key = key_of(mix(hash, target)), n = 0;

	map_get(kind->targets, key, &n);
	map_put(kind->targets, key, ++n);
	context->n++;
	context->most = n > context->most ? n : context->most;
}

/* `jmp *slot(%rip)`, alone in its run: what calls of other modules go through. */
static bool is_plt(const struct run *run)
{
	const struct op *last = run_last(run);

	return run->role == ROLE_JMP_INDIRECT && run->n == 1 && (last->insn.flags & INSN_RIP);
}

static void count_jump(const struct runs *runs, const struct path *path, u64 at, struct kind *kinds)
{
	const struct run *run = &runs->runs[path->runs[at]];
	u64 hash = mix(1, place_of(place_module(run->start), run_last(run)->insn.addr));
	u32 known = 0;

	for (u32 i = 0; i < LENGTHS; i++) {
		for (; known < lengths[i] && known <= at; known++)
			hash = mix(hash, path->runs[at - known]);
		count(&kinds[i], hash, runs->runs[path->runs[at + 1]].start);
	}
}

static void print_kind(const struct kind *kind, u32 length, u64 jumps)
{
	u64 right = 0, sure = 0, often = 0;

	for (u64 i = 0; i < kind->n; i++) {
		const struct context *c = &kind->contexts[i];

		right += c->most;
		if (c->n * RARE < jumps)
			continue;
		often++;
		sure += c->most * 10 >= c->n * 9 ? c->n : 0;
	}
	printf("{\"length\": %u, \"contexts\": %llu, \"often\": %llu, \"right\": %llu, \"sure\": %llu}",
	       length, (unsigned long long)kind->n, (unsigned long long)often,
	       (unsigned long long)right, (unsigned long long)sure);
}

void contexts_print(const struct runs *runs)
{
	struct kind kinds[LENGTHS] = { 0 };
	u64 insns = 0, plt = 0, jumps = 0;

	for (u32 i = 0; i < LENGTHS; i++) {
		kinds[i].numbers = map_new();
		kinds[i].targets = map_new();
	}
	for (u32 thread = 0; thread < PATH_THREADS_MAX; thread++) {
		const struct path *path = &runs->paths[thread];

		for (u64 at = 0; at < path->n; at++) {
			const struct run *run = &runs->runs[path->runs[at]];
			bool indirect = run->role == ROLE_JMP_INDIRECT ||
			                run->role == ROLE_CALL_INDIRECT;

			insns += run->n;
			plt += is_plt(run);
			if (!indirect || is_plt(run) || at + 1 == path->n)
				continue;
			jumps++;
			count_jump(runs, path, at, kinds);
		}
	}
	printf("{\"insns\": %llu, \"plt\": %llu, \"jumps\": %llu, \"lengths\": [",
	       (unsigned long long)insns, (unsigned long long)plt, (unsigned long long)jumps);
	for (u32 i = 0; i < LENGTHS; i++) {
		printf(i ? ", " : "");
		print_kind(&kinds[i], lengths[i], jumps);
		map_free(kinds[i].numbers);
		map_free(kinds[i].targets);
		free(kinds[i].contexts);
	}
	printf("]}\n");
}
