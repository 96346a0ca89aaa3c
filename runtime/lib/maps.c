/* SPDX-License-Identifier: MIT */
/*
 * maps.c - reads the list of mappings, and finds room for a code cache near a module.
 *
 * The list is read in pieces while others may change it, so an address found here is a proposal: it is
 * taken with MAP_FIXED_NOREPLACE, and a lost race is a refusal, never an overwrite.
 */
#include "maps.h"

#include "sys.h"
#include "world.h"

#include <fcntl.h>

#define REACH 0x7ff00000ull /* 2 GiB less a margin for the ends of instructions */
#define LOWEST 0x10000ull  /* vm.mmap_min_addr as distributions set it */
#define HIGHEST 0x7fffffff0000ull
#define STACK_ROOM 0x10000000ull /* free space left below a stack */
#define HEAP_ROOM 0x10000000ull /* free space left above a heap, where reach allows */

bool maps_open(struct maps *maps)
{
	long fd = sys_open("/proc/self/maps", O_RDONLY, 0);

	maps->fd = sys_failed(fd) ? -1 : (int)fd;
	maps->got = maps->pos = 0;
	return maps->fd >= 0;
}

void maps_close(struct maps *maps)
{
	if (maps->fd >= 0)
		sys_close(maps->fd);
	maps->fd = -1;
}

static int next_char(struct maps *maps)
{
	if (maps->pos == maps->got) {
		long n = sys_read(maps->fd, maps->buffer, sizeof(maps->buffer));

		if (n <= 0)
			return -1;
		maps->got = (u32)n;
		maps->pos = 0;
	}
	return (u8)maps->buffer[maps->pos++];
}

/* Reads hexadecimal digits; *last is the character behind them, -1 at the end. */
static u64 hex(struct maps *maps, int *last)
{
	u64 value = 0;

	for (;;) {
		int c = next_char(maps);

		if (c >= '0' && c <= '9')
			value = value * 16 + (u64)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (u64)(c - 'a' + 10);
		else {
			*last = c;
			return value;
		}
	}
}

bool maps_next(struct maps *maps, struct vma *out)
{
	static const char heap[] = "[heap]", stack[] = "[stack]", code[] = "r-xp";
	u32 at_heap = 0, at_stack = 0;
	int c;

	out->start = hex(maps, &c);
	if (c != '-')
		return false;
	out->end = hex(maps, &c);
	out->code = true;
	for (u32 i = 0; i < 4 && c >= 0; i++) {
		c = next_char(maps);
		out->code = out->code && c == code[i];
	}
	while (c != '\n' && c >= 0) {
		at_heap = c == heap[at_heap] ? at_heap + 1 : c == heap[0];
		at_stack = c == stack[at_stack] ? at_stack + 1 : c == stack[0];
		c = next_char(maps);
		if (at_heap == sizeof(heap) - 1 || at_stack == sizeof(stack) - 1)
			break;
	}
	out->heap = at_heap == sizeof(heap) - 1;
	out->stack = at_stack == sizeof(stack) - 1;
	while (c != '\n' && c >= 0)
		c = next_char(maps);
	return true;
}

static u64 lower(u64 a, u64 b)
{
	return a < b ? a : b;
}

static u64 higher(u64 a, u64 b)
{
	return a > b ? a : b;
}

bool maps_code(u64 start, u64 end)
{
	struct maps maps;
	struct vma vma;

	if (!maps_open(&maps))
		return false;
	while (start < end && maps_next(&maps, &vma)) {
		if (vma.end <= start)
			continue;
		if (vma.start > start || !vma.code)
			break;
		start = vma.end;
	}
	maps_close(&maps);
	return start >= end;
}

struct search {
	u64 low, high, size;
	u64 below, above; /* best places so far; 0: none */
};

/* Considers the free space [from, to) between two mappings. */
static void consider(struct search *s, u64 from, u64 to)
{
	u64 first = s->high > REACH ? page_up(s->high - REACH) : LOWEST;
	u64 last = page_down(s->low + REACH);

	/* Not right below the module: an end at its base would be address 0 of the module. */
	if (to == s->low)
		to -= PAGE_SIZE;
	from = higher(page_up(from), first);
	to = lower(page_down(to), last);
	if (from >= to || to - from < s->size)
		return;
	if (to <= s->low)
		s->below = to - s->size;
	else if (from >= s->high)
		s->above = higher(s->above, to - s->size);
}

u64 maps_near(u64 low, u64 high, u64 size)
{
	struct search s = { low, high, page_up(size), 0, 0 };
	struct maps maps;
	struct vma vma;
	u64 from = LOWEST;

	if (!maps_open(&maps))
		return 0;
	while (maps_next(&maps, &vma)) {
		u64 to = vma.start;

		if (vma.stack)
			to = to > STACK_ROOM ? to - STACK_ROOM : 0;
		consider(&s, from, to);
		from = vma.end + (vma.heap ? HEAP_ROOM : 0);
	}
	maps_close(&maps);
	consider(&s, from, HIGHEST);
	return s.below ? s.below : s.above;
}
