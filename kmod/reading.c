// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * reading.c - a file's bytes, view and text; see reading.h.
 *
 * Memory is charged to who asks first. What is too large for WORKSPACE_MAX is refused. How much a text needs is known when it has been
 * built once; only the second one, which is built in just that, is kept.
 *
 * Invariant: one that is kept is in `kept`, and its file's .reading; it is taken out before anybody uses or frees it.
 */
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "reading.h"

#define WORKSPACE_MAX (128u << 20) /* bytes for one request: file, marks, workspace */
#define TRANSLATION_BYTES (8u << 20) /* what one translation may need */
#define KEPT_MAX (64u << 20) /* bytes of all that are kept */

static LIST_HEAD(kept);
static u64 kept_bytes;
static DEFINE_SPINLOCK(kept_lock);

static void *take(u64 size)
{
	return __vmalloc(size, GFP_KERNEL_ACCOUNT);
}

static enum dynopt_kmod_status read_bytes(struct reading *r)
{
	struct file *file = r->file->file;
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
	keep = r->file->text_bytes ?: min(keep, span * 8 + (4u << 20));
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

static enum dynopt_kmod_status build(struct reading *r, struct failure *fail)
{
	enum dynopt_kmod_status status = read_bytes(r);
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
	count(DYNOPT_COUNTER_READ, 1);
	return find_cache(r);
}

static void reading_free(struct reading *r)
{
	vfree(r->scratch.base);
	vfree(r->keep.base);
	vfree(r->bytes);
	kvfree(r);
}

/* ---- those that are kept ---- */

static u64 bytes_of(const struct reading *r)
{
	return r->size + r->keep.size;
}

static void take_out(struct reading *r)
{
	lockdep_assert_held(&kept_lock);
	list_del(&r->list);
	r->file->reading = NULL;
	kept_bytes -= bytes_of(r);
	count(DYNOPT_COUNTER_TEXTS, -1);
}

static struct reading *take_of_file(struct owned_file *file)
{
	struct reading *r;

	spin_lock(&kept_lock);
	r = file->reading;
	if (r)
		take_out(r);
	spin_unlock(&kept_lock);
	return r;
}

/* The oldest, if there are more bytes than that. */
static struct reading *take_oldest(u64 most)
{
	struct reading *r = NULL;

	spin_lock(&kept_lock);
	if (kept_bytes > most) {
		r = list_first_entry(&kept, struct reading, list);
		take_out(r);
	}
	spin_unlock(&kept_lock);
	return r;
}

static void keep(struct reading *r)
{
	struct reading *old;

	vfree(r->scratch.base);
	arena_init(&r->scratch, NULL, 0);
	spin_lock(&kept_lock);
	list_add_tail(&r->list, &kept);
	r->file->reading = r;
	kept_bytes += bytes_of(r);
	count(DYNOPT_COUNTER_TEXTS, 1);
	spin_unlock(&kept_lock);
	while ((old = take_oldest(KEPT_MAX)))
		reading_free(old);
}

void reading_drop(struct owned_file *file)
{
	struct reading *r = take_of_file(file);

	if (r)
		reading_free(r);
}

static unsigned long kept_pages(struct shrinker *unused, struct shrink_control *control)
{
	return READ_ONCE(kept_bytes) >> PAGE_SHIFT;
}

static unsigned long free_kept(struct shrinker *unused, struct shrink_control *control)
{
	unsigned long freed = 0;
	struct reading *r;

	while (freed < control->nr_to_scan && (r = take_oldest(0))) {
		freed += bytes_of(r) >> PAGE_SHIFT;
		reading_free(r);
	}
	return freed ?: SHRINK_STOP;
}

static struct shrinker *shrinker;

int readings_init(void)
{
	shrinker = shrinker_begin("dynopt", kept_pages, free_kept);
	return PTR_ERR_OR_ZERO(shrinker);
}

void readings_exit(void)
{
	shrinker_end(shrinker);
}

/* ---- for a block of traces ---- */

static enum dynopt_kmod_status open_kept(struct reading *r, struct reading **out)
{
	enum dynopt_kmod_status status = take_arena(&r->scratch, TRANSLATION_BYTES);

	if (status)
		reading_free(r);
	else
		*out = r;
	return status;
}

enum dynopt_kmod_status reading_open(struct owned_file *file, struct reading **out,
                                     struct failure *fail)
{
	struct reading *r = take_of_file(file);
	enum dynopt_kmod_status status;

	if (r)
		return open_kept(r, out);
	r = kvzalloc(sizeof(*r), GFP_KERNEL_ACCOUNT);
	if (!r)
		return DYNOPT_KMOD_MEMORY;
	r->file = file;
	status = build(r, fail);
	if (status)
		reading_free(r);
	else
		*out = r;
	return status;
}

void reading_close(struct reading *r)
{
	if (r->keep.size == r->file->text_bytes) {
		keep(r);
		return;
	}
	r->file->text_bytes = r->keep.peak;
	reading_free(r);
}
