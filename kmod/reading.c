// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * reading.c - a file's bytes, view and text; see reading.h.
 *
 * Memory is charged to who asks. What is too large for WORKSPACE_MAX is refused.
 */
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "reading.h"

#define WORKSPACE_MAX (128u << 20) /* bytes for one request: file, marks, workspace */
#define TRANSLATION_BYTES (8u << 20) /* what one translation may need */

static void *take(u64 size)
{
	return __vmalloc(size, GFP_KERNEL_ACCOUNT);
}

static enum dynopt_kmod_status read_bytes(struct file *file, struct reading *r)
{
	loff_t at = 0;

	r->size = i_size_read(file_inode(file));
	if (!r->size || r->size > WORKSPACE_MAX / 4)
		return DYNOPT_KMOD_WORKSPACE;
	r->bytes = take(r->size);
	if (!r->bytes)
		return DYNOPT_KMOD_MEMORY;
	while (at < r->size) {
		ssize_t got = kernel_read(file, r->bytes + at, r->size - at, &at);

		if (got <= 0)
			return DYNOPT_KMOD_FILE_READ;
	}
	return DYNOPT_KMOD_OK;
}

static enum dynopt_kmod_status take_arena(struct arena *arena, u64 size)
{
	void *base = take(size);

	if (!base)
		return DYNOPT_KMOD_MEMORY;
	arena_init(arena, base, size);
	return DYNOPT_KMOD_OK;
}

/* As in user space, what text_build() really needs and not what it could at most. */
static enum dynopt_kmod_status take_arenas(struct reading *r)
{
	u64 keep, scratch, span = 0;
	enum dynopt_kmod_status status;
	u32 i;

	for (i = 0; i < r->view.n_loads; i++)
		if (r->view.loads[i].flags & ELF_VIEW_X)
			span += r->view.loads[i].size;
	text_build_size(&r->view, &keep, &scratch);
	keep = min(keep, span * 8 + (4u << 20));
	scratch = max_t(u64, min(scratch, span * 8 + (4u << 20)), TRANSLATION_BYTES);
	if (r->size + keep + scratch > WORKSPACE_MAX)
		return DYNOPT_KMOD_WORKSPACE;
	status = take_arena(&r->keep, keep);
	return status ? status : take_arena(&r->scratch, scratch);
}

/* Where the code cache is in the file; its first page holds nothing else. */
static enum dynopt_kmod_status find_cache(struct reading *r)
{
	u32 i;

	for (i = 0; i < r->view.n_loads; i++) {
		const struct elf_span *load = &r->view.loads[i];

		if (!(load->flags & ELF_VIEW_X) || r->text.cache < load->addr ||
		    r->text.cache_end > load->addr + load->size)
			continue;
		r->bias = load->addr - (load->bytes - r->bytes);
		r->segment = load->bytes - r->bytes;
		r->segment_end = r->segment + load->size;
		r->cache = PAGE_ALIGN(r->text.cache - r->bias);
		r->cache_end = r->text.cache_end - r->bias;
		return r->cache < r->cache_end ? DYNOPT_KMOD_OK : DYNOPT_KMOD_NO_CACHE;
	}
	return DYNOPT_KMOD_NO_CACHE;
}

static enum dynopt_kmod_status build(struct file *file, struct reading *r, struct failure *fail)
{
	enum dynopt_kmod_status status = read_bytes(file, r);
	struct notes_failure why = {};

	if (status)
		return status;
	if (elf_view_file(&r->view, r->bytes, r->size, &why)) {
		failed(fail, STATUS_TEXT_FILE, why.addr, why.status);
		return DYNOPT_KMOD_FILE_TEXT;
	}
	status = take_arenas(r);
	if (status)
		return status;
	if (text_build(&r->text, &r->view, &r->keep, &r->scratch, fail))
		return DYNOPT_KMOD_FILE_TEXT;
	return find_cache(r);
}

enum dynopt_kmod_status reading_open(struct file *file, struct reading **out, struct failure *fail)
{
	struct reading *r = kvzalloc(sizeof(*r), GFP_KERNEL_ACCOUNT);
	enum dynopt_kmod_status status;

	if (!r)
		return DYNOPT_KMOD_MEMORY;
	status = build(file, r, fail);
	if (status)
		reading_close(r);
	else
		*out = r;
	return status;
}

void reading_close(struct reading *r)
{
	vfree(r->scratch.base);
	vfree(r->keep.base);
	vfree(r->bytes);
	kvfree(r);
}
