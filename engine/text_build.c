/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * text_build.c - one module from its file view to marks: refuses modules as a whole, allocates,
 * and runs the steps of text_private.h in their order.
 *
 * Invariant: *text and the arena to keep change only if everything succeeded; the scratch arena is
 * as before in any case.
 */
#include "decode.h"
#include "limits.h"
#include "text_private.h"

/* Of the dynamic section (gABI, "Dynamic Section"). */
#define DT_NULL 0
#define DT_TEXTREL 22
#define DT_FLAGS 30
#define DF_TEXTREL 4

struct dyn {
	u64 tag, value;
};

/* Work that a text may take, per byte: each byte is decoded about once, and paid again per overlap. */
#define BUDGET_PER_BYTE 16
#define BUDGET_BASE 65536

static enum status check_segments(struct text *text, const struct elf_view *view,
                                  struct failure *fail)
{
	u32 i;

	text->start = ~(u64)0;
	for (i = 0; i < view->n_loads; i++) {
		const struct elf_span *span = &view->loads[i];

		if (!(span->flags & ELF_VIEW_X))
			continue;
		if (span->flags & ELF_VIEW_W)
			return failed(fail, STATUS_TEXT_WRITABLE, span->addr, span->flags);
		if (!span->bytes || !span->size)
			continue;
		if (span->addr < text->start)
			text->start = span->addr;
		text->end = span->addr + span->size;
	}
	if (!text->end)
		return failed(fail, STATUS_TEXT_NONE, 0, 0);
	if (text->end - text->start > LIMIT_TEXT_BYTES)
		return failed(fail, STATUS_TEXT_LARGE, text->start, text->end - text->start);
	return STATUS_OK;
}

/* Text that the dynamic loader changes: the file's bytes are not the program's. */
static enum status check_relocated(const struct elf_view *view, struct failure *fail)
{
	const u8 *bytes = elf_view_bytes(view, view->dynamic, view->dynamic_size, 0);
	struct dyn dyn;
	u64 at;

	if (!view->dynamic)
		return STATUS_OK;
	if (!bytes)
		return failed(fail, STATUS_TEXT_RELOCATED, view->dynamic, 0);
	for (at = 0; view->dynamic_size - at >= sizeof(dyn); at += sizeof(dyn)) {
		memcpy(&dyn, bytes + at, sizeof(dyn));
		if (dyn.tag == DT_NULL)
			break;
		if (dyn.tag == DT_TEXTREL || (dyn.tag == DT_FLAGS && (dyn.value & DF_TEXTREL)))
			return failed(fail, STATUS_TEXT_RELOCATED, view->dynamic + at, 0);
	}
	return STATUS_OK;
}

/*
 * 0f b9 3d 53 30 05 53: `ud1 0x53053053(%rip),%edi`, which stands before the abort handler of a
 * restartable sequence on x86 (rseq's RSEQ_SIG). The step is how far the last byte of the window lets it move
 * (Horspool).
 */
static const u8 rseq_signature[] = { 0x0f, 0xb9, 0x3d, 0x53, 0x30, 0x05, 0x53 };
#define RSEQ_LAST (sizeof(rseq_signature) - 1)

static u32 rseq_step(u8 last)
{
	u32 i;

	for (i = RSEQ_LAST; i > 0; i--) {
		if (rseq_signature[i - 1] == last)
			return (u32)(RSEQ_LAST - i + 1);
	}
	return sizeof(rseq_signature);
}

static enum status check_rseq(const struct elf_span *span, struct failure *fail)
{
	u8 steps[256];
	u64 at;
	u32 i;

	for (i = 0; i < 256; i++)
		steps[i] = (u8)rseq_step((u8)i);
	for (at = RSEQ_LAST; at < span->size; at += steps[span->bytes[at]]) {
		const u8 *window = span->bytes + at - RSEQ_LAST;

		if (span->bytes[at] == rseq_signature[RSEQ_LAST] &&
		    memcmp(window, rseq_signature, sizeof(rseq_signature)) == 0)
			return failed(fail, STATUS_TEXT_RSEQ, span->addr + at - RSEQ_LAST, 0);
	}
	return STATUS_OK;
}

static enum status check_module(struct text *text, const struct elf_view *view,
                                struct failure *fail)
{
	enum status status = check_segments(text, view, fail);
	u32 i;

	if (status == STATUS_OK)
		status = check_relocated(view, fail);
	for (i = 0; status == STATUS_OK && i < view->n_loads; i++) {
		if ((view->loads[i].flags & ELF_VIEW_X) && view->loads[i].bytes)
			status = check_rseq(&view->loads[i], fail);
	}
	return status;
}

/* What every builder has: room for decoding, and a budget. */
static enum status begin(struct builder *b, struct text *text, struct arena *scratch,
                         struct failure *fail)
{
	u64 size = text->end - text->start;

	b->text = text;
	b->view = text->view;
	b->scratch = scratch;
	b->decoder = arena_alloc(scratch, decode_scratch_size(), 1);
	if (!b->decoder)
		return failed(fail, STATUS_WORKSPACE, 0, decode_scratch_size());
	b->code = elf_view_bytes(b->view, text->start, size, ELF_VIEW_X);
	b->budget = size * BUDGET_PER_BYTE + BUDGET_BASE;
	b->look_budget = b->budget;
	return STATUS_OK;
}

enum status text_go_on(struct builder *b, struct text *text, struct arena *scratch,
                       struct failure *fail)
{
	b->kinds = text->parts->kinds;
	b->functions = text->parts->functions;
	b->n_functions = text->parts->n_functions;
	return begin(b, text, scratch, fail);
}

static enum status begin_module(const struct elf_view *view, struct arena *keep,
                                struct arena *scratch, struct builder **out, struct failure *fail)
{
	struct text *made = arena_alloc(scratch, 1, sizeof(*made));
	struct builder *b = arena_alloc(scratch, 1, sizeof(*b));
	enum status status;

	if (!made || !b)
		return failed(fail, STATUS_WORKSPACE, 0, sizeof(*made) + sizeof(*b));
	*out = b;
	made->view = view;
	status = check_module(made, view, fail);
	if (status)
		return status;
	made->marks = arena_alloc(keep, made->end - made->start + TEXT_ROOM, sizeof(*made->marks));
	if (!made->marks)
		return failed(fail, STATUS_WORKSPACE, 0, made->end - made->start);
	return begin(b, made, scratch, fail);
}

/* All steps; what they allocate stays allocated. */
static enum status build(struct builder *b, struct arena *keep, struct failure *fail)
{
	u64 size = b->text->end - b->text->start;
	enum status status;

	b->kinds = arena_alloc(b->scratch, size + TEXT_ROOM, 1);
	if (!b->kinds)
		return failed(fail, STATUS_WORKSPACE, 0, size);
	b->whole = (struct text_part){ b->text->start, b->text->end };
	b->parts = &b->whole;
	b->n_parts = 1;
	status = text_add_notes(b, keep, fail);
	if (status == STATUS_OK)
		status = text_add_unwind(b, fail);
	if (status == STATUS_OK)
		status = text_add_jumps(b, fail);
	if (status == STATUS_OK)
		status = text_add_reach(b, fail);
	if (status == STATUS_OK)
		status = text_add_tables(b, keep, fail);
	if (status == STATUS_OK)
		status = text_add_slots(b, keep, fail);
	if (status == STATUS_OK && b->text->noted)
		text_finish(b);
	return status;
}

enum status text_make(struct text *text, const struct elf_view *view, struct arena *keep,
                      struct arena *scratch, text_steps_fn *steps, struct failure *fail)
{
	u64 keep_mark = arena_mark(keep), scratch_mark = arena_mark(scratch);
	struct builder *b;
	enum status status = begin_module(view, keep, scratch, &b, fail);

	if (status == STATUS_OK)
		status = steps(b, keep, fail);
	if (status == STATUS_OK)
		*text = *b->text;
	else
		arena_release(keep, keep_mark);
	arena_release(scratch, scratch_mark);
	return status;
}

enum status text_build(struct text *text, const struct elf_view *view, struct arena *keep,
                       struct arena *scratch, struct failure *fail)
{
	return text_make(text, view, keep, scratch, build, fail);
}

void text_build_size(const struct elf_view *view, u64 *keep, u64 *scratch)
{
	u64 low = ~(u64)0, high = 0, file = 0, size;
	u32 i;

	for (i = 0; i < view->n_loads; i++) {
		const struct elf_span *span = &view->loads[i];

		file += span->size;
		if (!(span->flags & ELF_VIEW_X) || !span->bytes)
			continue;
		if (span->addr < low)
			low = span->addr;
		high = span->addr + span->size;
	}
	size = high > low ? high - low : 0;
	/* A slot takes 5 bytes of text; a table 6 bytes of a record; a function 16 bytes of the unwind table. */
	*keep = size * 2 + size / JMP_REL32_LEN * sizeof(struct text_slot) +
	        2 * (file / 6 * (sizeof(struct text_table) + 16)) + file + 524288;
	/* A branch target that is told from others takes a branch of two bytes. */
	*scratch = 2 * size + size / 7 * 8 + file / 16 * sizeof(struct function) +
	           size / 2 * sizeof(u32) + decode_scratch_size() + sizeof(struct text) + 131072;
}

/* ---- shared by the steps ---- */

enum status text_pay(struct builder *b, u64 bytes, struct failure *fail)
{
	port_yield();
	if (bytes > b->budget)
		return failed(fail, STATUS_TEXT_LARGE, 0, bytes);
	b->budget -= bytes;
	return STATUS_OK;
}

void text_finish(struct builder *b)
{
	for (u32 k = 0; k < b->n_parts; k++) {
		u64 i = b->parts[k].start - b->text->start, n = b->parts[k].end - b->text->start;

		for (; i < n; i += 4)
			port_put64(b->text->marks + i,
			           port_get64(b->text->marks + i) & ~(TEXT_RECORDED * TEXT_FOUR));
	}
}

bool text_next_part(const struct text_part *parts, u32 n, u64 *at, u64 end, struct text_part *out)
{
	u32 low = 0, high = n;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (parts[middle].end <= *at)
			low = middle + 1;
		else
			high = middle;
	}
	if (*at >= end || low == n || parts[low].start >= end)
		return false;
	out->start = *at > parts[low].start ? *at : parts[low].start;
	out->end = end < parts[low].end ? end : parts[low].end;
	*at = out->end;
	return true;
}

void text_mark_range(struct text *text, u64 start, u64 end, u32 bits)
{
	u16 *marks = text->marks + (start - text->start);
	u64 n = end - start, four = bits * TEXT_FOUR;

	for (; n >= 4; n -= 4, marks += 4)
		port_put64(marks, port_get64(marks) | four);
	for (; n; n--)
		*marks++ |= (u16)bits;
}

static u64 key_of(const u8 *item)
{
	return port_get64(item);
}

static bool sorted(const u8 *items, u32 n, u32 size)
{
	u32 i;

	for (i = 1; i < n; i++) {
		if (key_of(items + (u64)(i - 1) * size) > key_of(items + (u64)i * size))
			return false;
	}
	return true;
}

/* Moves the item at `root` down until no child among the first n is larger. */
static void sift(u8 *items, u64 root, u64 n, u32 size)
{
	u8 item[64];
	u64 child;

	memcpy(item, items + root * size, size);
	while ((child = root * 2 + 1) < n) {
		if (child + 1 < n &&
		    key_of(items + child * size) < key_of(items + (child + 1) * size))
			child++;
		if (key_of(items + child * size) <= key_of(item))
			break;
		memcpy(items + root * size, items + child * size, size);
		root = child;
	}
	memcpy(items + root * size, item, size);
}

void text_sort(void *array, u32 n, u32 size)
{
	u8 *items = array;
	u8 item[64];
	u32 i;

	if (sorted(items, n, size))
		return;
	for (i = n / 2; i > 0; i--)
		sift(items, i - 1, n, size);
	for (i = n - 1; i > 0; i--) {
		memcpy(item, items + (u64)i * size, size);
		memcpy(items + (u64)i * size, items, size);
		memcpy(items, item, size);
		sift(items, 0, i, size);
	}
}
