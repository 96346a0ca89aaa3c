/* SPDX-License-Identifier: MIT */
/*
 * traces.c - see traces.h. The text stays mapped while the process lives, for libraries loaded later; that its
 * syntax is sound was checked when it was opened, so a failure afterwards is a lack of memory.
 */
#include "traces.h"

#include "image.h"
#include "sys.h"

#define SYNTAX_ARENA (1u << 20)

static bool fail_with(u64 detail)
{
	world->cause = STATUS_CAUSE_TRACES;
	world->detail = detail;
	return false;
}

static bool map_file(void)
{
	long result = sys_map_file(world->options.traces, &world->traces, &world->traces_size);

	return !sys_failed(result) || fail_with((u64)-result);
}

bool traces_open(void)
{
	struct failure fail = { STATUS_OK, 0, 0 };
	struct trace_stanza stanza;
	struct arena arena;
	enum status status;
	u64 pos = 0;
	u32 line = 0;

	if (!map_file())
		return false;
	if (!memory_arena(&arena, SYNTAX_ARENA))
		return fail_with(12); /* ENOMEM */
	do {
		arena_release(&arena, 0);
		status = trace_parse(world->traces, world->traces_size, &pos, &line, &arena,
		                     &stanza, &fail);
	} while (!status);
	memory_free(&arena);
	return status == STATUS_END || fail_with(STATUS_DETAIL_LINE + fail.detail);
}

static bool is_name(const struct trace_stanza *stanza, const char *name)
{
	u64 n = 0;

	while (name[n])
		n++;
	return n == stanza->module_len && memcmp(name, stanza->module, n) == 0;
}

/* One pass to count, one to keep: the arena holds nothing but what is wanted. */
static enum status walk(const char *name, struct arena *arena, struct trace *out, u32 *n,
                        struct failure *fail)
{
	u64 pos = 0;
	u32 line = 0;

	for (*n = 0;;) {
		struct trace_stanza stanza;
		u64 mark = arena_mark(arena);
		enum status status = trace_parse(world->traces, world->traces_size, &pos, &line,
		                                 arena, &stanza, fail);

		if (status)
			return status == STATUS_END ? STATUS_OK : status;
		if (!is_name(&stanza, name)) {
			arena_release(arena, mark);
			continue;
		}
		if (out)
			out[*n] = stanza.trace;
		else
			arena_release(arena, mark);
		++*n;
	}
}

enum status traces_of(const char *name, struct arena *arena, struct trace **out, u32 *n,
                      struct failure *fail)
{
	struct trace *traces;
	enum status status = walk(name, arena, NULL, n, fail);

	if (status)
		return status;
	traces = arena_alloc(arena, *n + 1, sizeof(*traces));
	if (!traces)
		return failed(fail, STATUS_WORKSPACE, 0, *n * sizeof(*traces));
	*out = traces;
	return walk(name, arena, traces, n, fail);
}
