// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * pages.c - the module's own pages of a file, and the gate.
 *
 * A page is taken over with the bytes of the file's page. To change bytes is to put other
 * pages in place of the old ones:
 *   1  lock the old pages, in index order: faults that would still map one are over or wait
 *   2  take the range out of every page table: threads that execute there wait in the fault
 *      handler for a lock of 1 or 3
 *   3  put the new pages in, locked
 *   4  unlock all: every thread now gets new pages only
 * So an instruction across two pages is never made of one new and one old page. No page that
 * was ever mapped is written: a private copy made meanwhile is of one state, never of a half
 * one, and no processor fetches from a page while it changes. It takes memory; where there is
 * none, and on request, a site changes in place instead (cookie.c).
 */
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include "own.h"

#define SPAN_MAX 2 /* pages that one change may cover */

struct page *page_get(struct owned_file *file, pgoff_t index, bool *cache)
{
	struct page *page;

	spin_lock(&file->lock);
	page = xa_load(&file->pages, index);
	if (page) {
		get_page(page);
		*cache = xa_get_mark(&file->pages, index, PAGE_CACHE);
	}
	spin_unlock(&file->lock);
	return page;
}

bool page_is_current(struct owned_file *file, pgoff_t index, struct page *page)
{
	return xa_load(&file->pages, index) == page;
}

static struct page *page_copy(struct page *from)
{
	struct page *page = alloc_page(GFP_HIGHUSER);

	if (!page)
		return NULL;
	copy_highpage(page, from);
	SetPageUptodate(page);
	count(DYNOPT_COUNTER_PAGES, 1);
	return page;
}

static void page_drop(struct page *page)
{
	put_page(page);
	count(DYNOPT_COUNTER_PAGES, -1);
}

static void unmap(struct owned_file *file, pgoff_t index, u32 n)
{
	/* 0: private copies stay */
	unmap_mapping_range(file->mapping, (loff_t)index << PAGE_SHIFT, (loff_t)n << PAGE_SHIFT, 0);
}

static struct page *read_page(struct owned_file *file, pgoff_t index)
{
	return read_mapping_page(file->mapping, index, file->file);
}

/* The file's bytes, whatever the module has in their place. */
enum dynopt_kmod_status pages_read_file(struct owned_file *file, u64 offset, u8 *bytes, u32 len)
{
	u32 done, part;
	struct page *page;

	for (done = 0; done < len; done += part) {
		u32 at = offset_in_page(offset + done);

		part = min_t(u32, len - done, PAGE_SIZE - at);
		page = read_page(file, (offset + done) >> PAGE_SHIFT);
		if (IS_ERR(page))
			return DYNOPT_KMOD_FILE_READ;
		memcpy_from_page(bytes + done, page, at, part);
		put_page(page);
	}
	return DYNOPT_KMOD_OK;
}

/*
 * From the moment the page is in file->pages, fault handlers find it. Those that did not and
 * may still map the file's page are over with the grace period, or hold that page's lock.
 */
static void take_over(struct owned_file *file, pgoff_t index, struct page *original)
{
	synchronize_srcu(&faults);
	lock_page(original);
	unlock_page(original);
	unmap(file, index, 1);
}

static enum dynopt_kmod_status page_insert(struct owned_file *file, pgoff_t index,
                                           struct page *page, bool cache)
{
	int error;

	if (xa_reserve(&file->pages, index, GFP_KERNEL))
		return DYNOPT_KMOD_MEMORY;
	spin_lock(&file->lock);
	error = xa_err(xa_store(&file->pages, index, page, GFP_ATOMIC));
	if (cache && !error)
		xa_set_mark(&file->pages, index, PAGE_CACHE);
	spin_unlock(&file->lock);
	return error ? DYNOPT_KMOD_MEMORY : DYNOPT_KMOD_OK;
}

static enum dynopt_kmod_status take_counted(struct owned_file *file, pgoff_t index, bool cache)
{
	struct page *original, *page;
	enum dynopt_kmod_status status;

	original = read_page(file, index);
	if (IS_ERR(original))
		return DYNOPT_KMOD_FILE_READ;
	page = page_copy(original);
	status = page ? page_insert(file, index, page, cache) : DYNOPT_KMOD_MEMORY;
	if (status) {
		if (page)
			page_drop(page);
	} else {
		file->n_pages++;
		take_over(file, index, original);
	}
	put_page(original);
	return status;
}

static enum dynopt_kmod_status take_locked(struct owned_file *file, pgoff_t index, bool cache)
{
	enum dynopt_kmod_status status;

	if (file->n_pages == FILE_PAGES_MAX)
		return DYNOPT_KMOD_LIMIT;
	if (!domain_pages_add(file->domain))
		return DYNOPT_KMOD_DOMAIN_PAGES;
	status = take_counted(file, index, cache);
	if (status)
		domain_pages_sub(file->domain, 1);
	return status;
}

enum dynopt_kmod_status pages_take(struct owned_file *file, pgoff_t index, bool cache)
{
	enum dynopt_kmod_status status = DYNOPT_KMOD_OK;

	mutex_lock(&file->gate);
	if (!xa_load(&file->pages, index))
		status = take_locked(file, index, cache);
	else if (xa_get_mark(&file->pages, index, PAGE_CACHE) != cache)
		status = DYNOPT_KMOD_CACHE_TAKEN;
	mutex_unlock(&file->gate);
	return status;
}

bool pages_mark_translated(struct owned_file *file, pgoff_t index)
{
	bool before;

	spin_lock(&file->lock);
	before = xa_get_mark(&file->pages, index, PAGE_TRANSLATED);
	xa_set_mark(&file->pages, index, PAGE_TRANSLATED);
	spin_unlock(&file->lock);
	return before;
}

struct span {
	pgoff_t first;
	u32 n;
	struct page *old[SPAN_MAX], *new[SPAN_MAX];
};

static struct span span_of(const struct edit *edit)
{
	struct span span = { .first = edit->offset >> PAGE_SHIFT };

	span.n = ((edit->offset + edit->len - 1) >> PAGE_SHIFT) - span.first + 1;
	return span;
}

static void span_free_new(struct span *span)
{
	u32 i;

	for (i = 0; i < span->n; i++)
		if (span->new[i])
			page_drop(span->new[i]);
}

static bool page_reads(struct page *page, u32 at, const u8 *bytes, u32 len)
{
	u8 *mapped = kmap_local_page(page);
	bool same = !memcmp(mapped + at, bytes, len);

	kunmap_local(mapped);
	return same;
}

/* Writes what of an edit lies on page i of the span; false: the old page reads otherwise. */
static bool span_edit(struct span *span, u32 i, const struct edit *edit)
{
	u64 page = (u64)(span->first + i) << PAGE_SHIFT;
	u64 from = max(edit->offset, page), end = min(edit->offset + edit->len, page + PAGE_SIZE);

	if (from >= end)
		return true;
	if (!page_reads(span->old[i], from - page, edit->before + (from - edit->offset),
	                end - from))
		return false;
	memcpy_to_page(span->new[i], from - page, edit->after + (from - edit->offset), end - from);
	return true;
}

/* Copies of the pages with `after` where they have `before`. */
static enum dynopt_kmod_status span_prepare(struct owned_file *file, struct span *span,
                                            const struct edit *edits, u32 n)
{
	bool same = true;
	u32 i, k;

	for (i = 0; i < span->n && same; i++) {
		span->old[i] = xa_load(&file->pages, span->first + i);
		span->new[i] = page_copy(span->old[i]);
		if (!span->new[i]) {
			span_free_new(span);
			return DYNOPT_KMOD_MEMORY;
		}
		for (k = 0; k < n && same; k++)
			same = span_edit(span, i, &edits[k]);
	}
	if (same)
		return DYNOPT_KMOD_OK;
	span_free_new(span);
	return DYNOPT_KMOD_MISMATCH;
}

static bool span_has_private(struct owned_file *file, const struct span *span)
{
	u32 i;

	for (i = 0; i < span->n; i++)
		if (private_anywhere(file, span->first + i))
			return true;
	return false;
}

static void span_lock(struct page *const *pages, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		lock_page(pages[i]);
}

static void span_unlock(struct page *const *pages, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		unlock_page(pages[i]);
}

/* An entry that is there is replaced without allocation, and its mark stays. */
static void span_put_in(struct owned_file *file, const struct span *span)
{
	u32 i;

	spin_lock(&file->lock);
	for (i = 0; i < span->n; i++)
		xa_store(&file->pages, span->first + i, span->new[i], GFP_ATOMIC);
	spin_unlock(&file->lock);
}

/* The gate; the numbers are those of the head comment. */
static enum dynopt_kmod_status span_replace(struct owned_file *file, struct span *span,
                                            const struct edit *edit, bool together)
{
	enum dynopt_kmod_status status = DYNOPT_KMOD_OK;

	span_lock(span->old, span->n); /* 1 */
	unmap(file, span->first, span->n); /* 2 */
	if (together && span_has_private(file, span)) {
		status = DYNOPT_KMOD_PRIVATE_PAGE;
	} else {
		span_lock(span->new, span->n);
		span_put_in(file, span); /* 3 */
		if (span->n > 1)
			private_mend_half(file, edit->offset, edit->before, edit->after, edit->len);
		span_unlock(span->new, span->n); /* 4 */
	}
	span_unlock(span->old, span->n);
	return status;
}

enum dynopt_kmod_status pages_edit(struct owned_file *file, const struct edit *edits, u32 n,
                                   bool together)
{
	struct span span = span_of(edits);
	enum dynopt_kmod_status status;
	u32 i;

	if (WARN_ON_ONCE(span.n > SPAN_MAX || (n > 1 && span.n > 1)))
		return DYNOPT_KMOD_BAD_REQUEST;
	mutex_lock(&file->gate);
	status = span_prepare(file, &span, edits, n);
	if (!status) {
		status = span_replace(file, &span, edits, together);
		if (status) {
			span_free_new(&span);
		} else {
			for (i = 0; i < span.n; i++)
				page_drop(span.old[i]);
			count(DYNOPT_COUNTER_PUBLISHED, 1);
		}
	}
	mutex_unlock(&file->gate);
	return status;
}

enum dynopt_kmod_status pages_write(struct owned_file *file, u64 offset, const u8 *before,
                                    const u8 *after, u32 len, bool together)
{
	const struct edit edit = { offset, before, after, len };

	return pages_edit(file, &edit, 1, together);
}

/* In place, which needs no memory. A private half would have to change with the other one. */
static enum dynopt_kmod_status span_write_in_place(struct owned_file *file, struct span *span,
                                                   const struct edit *edit)
{
	u8 *site[JMP_REL32_LEN];
	u32 i;

	if (span->n > 1 && span_has_private(file, span))
		return DYNOPT_KMOD_PRIVATE_PAGE;
	for (i = 0; i < edit->len; i++) {
		pgoff_t index = (edit->offset + i) >> PAGE_SHIFT;

		/* 64-bit kernels have all memory mapped */
		site[i] = (u8 *)page_address(xa_load(&file->pages, index)) +
		          offset_in_page(edit->offset + i);
		if (*site[i] != edit->before[i])
			return DYNOPT_KMOD_MISMATCH;
	}
	cookie_write(file, edit->offset, site, edit->after, edit->len);
	count(DYNOPT_COUNTER_PUBLISHED, 1);
	return DYNOPT_KMOD_OK;
}

static enum dynopt_kmod_status write_in_place(struct owned_file *file, const struct edit *edit)
{
	struct span span = span_of(edit);
	enum dynopt_kmod_status status;

	if (!processes_lock_all(true))
		return DYNOPT_KMOD_PROCESS_BUSY;
	mutex_lock(&file->gate);
	status = span_write_in_place(file, &span, edit);
	mutex_unlock(&file->gate);
	processes_unlock_all();
	return status;
}

enum dynopt_kmod_status pages_write_site(struct owned_file *file, const struct edit *edit,
                                         bool together, bool in_place)
{
	enum dynopt_kmod_status status;

	if (in_place)
		return write_in_place(file, edit);
	status = pages_edit(file, edit, 1, together);
	if (status == DYNOPT_KMOD_MEMORY && !write_in_place(file, edit))
		status = DYNOPT_KMOD_OK;
	return status;
}

void pages_unmap_cache(struct owned_file *file)
{
	struct page *page;
	unsigned long index;

	mutex_lock(&file->gate);
	xa_for_each_marked(&file->pages, index, page, PAGE_CACHE)
		unmap(file, index, 1);
	mutex_unlock(&file->gate);
}

void pages_unmap_sites(struct owned_file *file)
{
	struct page *page;
	unsigned long index;

	mutex_lock(&file->gate);
	xa_for_each(&file->pages, index, page)
		if (!xa_get_mark(&file->pages, index, PAGE_CACHE))
			lock_page(page);
	xa_for_each(&file->pages, index, page)
		if (!xa_get_mark(&file->pages, index, PAGE_CACHE))
			unmap(file, index, 1);
	xa_for_each(&file->pages, index, page)
		if (!xa_get_mark(&file->pages, index, PAGE_CACHE))
			unlock_page(page);
	mutex_unlock(&file->gate);
}
