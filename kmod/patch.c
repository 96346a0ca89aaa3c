// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * patch.c - sites of a file: a jump into the code cache, and the way back.
 *
 * First everything is checked against the file's own bytes, then pages are taken over with
 * what they hold, then processes are adopted, then the translation is written where nobody
 * executes, and last the site: one step, after which every process that reaches the cache
 * jumps. Whatever fails before leaves all text as it was.
 *
 * Invariant: bytes of the code cache are written once. A site that was undone keeps them,
 * because a private copy, or a thread's saved context, may still lead there.
 */
#include <linux/file.h>
#include <linux/slab.h>
#include <linux/sched/mm.h>
#include "own.h"
#include "request.h"

static void put_jump(u8 *at, u64 from, u64 to)
{
	s32 distance = to - (from + JMP_REL32_LEN);

	at[0] = JMP_REL32;
	memcpy(at + 1, &distance, sizeof(distance));
}

/* The site's jump, and the slot's. */
static void put_jumps(struct patch *patch)
{
	struct slot *slot = &patch->slot;

	if (!slot->offset) {
		patch->jump_len = JMP_REL32_LEN;
		put_jump(patch->jump, patch->offset, patch->cache_offset);
		return;
	}
	patch->jump_len = JMP_REL8_LEN;
	patch->jump[0] = JMP_REL8;
	patch->jump[1] = slot->offset - (patch->offset + JMP_REL8_LEN);
	put_jump(slot->jump, slot->offset, patch->cache_offset);
}

static bool is_near(u64 from, u64 to)
{
	s64 distance = to - (from + JMP_REL32_LEN);

	return distance == (s32)distance;
}

static u64 cache_end(const struct patch *patch)
{
	return patch->cache_offset + patch->cache_len;
}

static u64 site_end(const struct patch *patch)
{
	return patch->offset + patch->old_len;
}

static enum dynopt_kmod_status check_range(struct inode *inode,
                                           const struct dynopt_ioc_patch *request)
{
	u64 size = i_size_read(inode), code_len = request->code_len + JMP_REL32_LEN;

	if (request->offset > size || size - request->offset < request->old_len ||
	    request->cache_offset > size || size - request->cache_offset < code_len)
		return DYNOPT_KMOD_FILE_RANGE;
	if (request->cache_offset < request->offset + request->old_len &&
	    request->offset < request->cache_offset + code_len)
		return DYNOPT_KMOD_OVERLAP;
	if (!is_near(request->offset, request->cache_offset) ||
	    !is_near(request->cache_offset + request->code_len, request->offset + request->old_len))
		return DYNOPT_KMOD_REACH;
	return DYNOPT_KMOD_OK;
}

struct patch *patch_alloc(void)
{
	struct patch *patch = kzalloc(sizeof(*patch), GFP_KERNEL_ACCOUNT);

	if (patch)
		count(DYNOPT_COUNTER_PATCHES, 1);
	return patch;
}

void patch_free(struct patch *patch)
{
	if (patch->made) {
		kvfree(patch->made->links);
		kvfree(patch->made->origins);
		kfree(patch->made);
	}
	kfree(patch);
	count(DYNOPT_COUNTER_PATCHES, -1);
}

static struct patch *patch_new(const struct dynopt_ioc_patch *request)
{
	struct patch *patch = patch_alloc();

	if (!patch)
		return NULL;
	patch->offset = request->offset;
	patch->cache_offset = request->cache_offset;
	patch->old_len = request->old_len;
	patch->code_len = request->code_len;
	patch->cache_len = request->code_len + JMP_REL32_LEN;
	memcpy(patch->old, request->old, request->old_len);
	memcpy(patch->code, request->code, request->code_len);
	put_jumps(patch);
	put_jump(patch->code + patch->code_len, patch->cache_offset + patch->code_len,
	         site_end(patch));
	return patch;
}

static bool is_same(const struct patch *patch, const struct patch *other)
{
	return !other->made && patch->offset == other->offset &&
	       patch->cache_offset == other->cache_offset && patch->old_len == other->old_len &&
	       patch->code_len == other->code_len &&
	       !memcmp(patch->code, other->code, patch->code_len);
}

static bool in_slot(const struct patch *patch, u64 offset, u64 end)
{
	return patch->slot.offset && patch->slot.offset < end &&
	       offset < patch->slot.offset + JMP_REL32_LEN;
}

/* Bytes that were given may be asked for again; what was made of a trace is made anew. */
bool patch_overlaps(struct owned_file *file, u64 offset, u64 end)
{
	struct patch *patch;

	list_for_each_entry(patch, &file->patches, list) {
		if ((patch->live || !patch->made) && patch->offset < end &&
		    offset < site_end(patch))
			return true;
		if (in_slot(patch, offset, end))
			return true;
	}
	return false;
}

bool patch_overlaps_cache(struct owned_file *file, u64 offset, u64 end)
{
	struct patch *patch;

	list_for_each_entry(patch, &file->patches, list)
		if (patch->cache_offset < end && offset < cache_end(patch))
			return true;
	return false;
}

u64 patch_cache_next(struct owned_file *file, u64 start, u64 end)
{
	u64 next = max(start, file->cache_next);
	struct patch *patch;

	list_for_each_entry(patch, &file->patches, list)
		if (patch->cache_offset < end && start < cache_end(patch))
			next = max(next, cache_end(patch));
	return next;
}

struct patch *patch_at(struct owned_file *file, u64 offset)
{
	struct patch *patch;

	list_for_each_entry(patch, &file->patches, list)
		if (patch->live && patch->offset == offset)
			return patch;
	return NULL;
}

/* A site that was undone and is asked for again, or what stands in the new one's way. */
static enum dynopt_kmod_status find_earlier(struct owned_file *file, const struct patch *wanted,
                                            struct patch **again)
{
	struct patch *patch;

	list_for_each_entry(patch, &file->patches, list) {
		if (!patch->live && is_same(wanted, patch)) {
			*again = patch;
			return DYNOPT_KMOD_OK;
		}
	}
	if (patch_overlaps(file, wanted->offset, site_end(wanted)))
		return DYNOPT_KMOD_OVERLAP;
	if (patch_overlaps_cache(file, wanted->cache_offset, cache_end(wanted)))
		return DYNOPT_KMOD_CACHE_TAKEN;
	return DYNOPT_KMOD_OK;
}

static enum dynopt_kmod_status check_file(struct owned_file *file, const struct patch *patch)
{
	u8 bytes[sizeof(patch->code)];
	u32 cache_len = cache_end(patch) - patch->cache_offset;
	enum dynopt_kmod_status status;

	status = pages_read_file(file, patch->offset, bytes, patch->old_len);
	if (status)
		return status;
	if (memcmp(bytes, patch->old, patch->old_len))
		return DYNOPT_KMOD_MISMATCH;
	status = pages_read_file(file, patch->cache_offset, bytes, cache_len);
	if (status)
		return status;
	if (memchr_inv(bytes, INT3, cache_len))
		return DYNOPT_KMOD_CACHE_BYTES;
	return DYNOPT_KMOD_OK;
}

static enum dynopt_kmod_status take_range(struct owned_file *file, u64 offset, u64 end, bool cache)
{
	enum dynopt_kmod_status status = DYNOPT_KMOD_OK;
	pgoff_t index;

	for (index = offset >> PAGE_SHIFT; index <= (end - 1) >> PAGE_SHIFT && !status; index++) {
		status = pages_take(file, index, cache);
		if (cache && !status) {
			WRITE_ONCE(file->cache_first, min(file->cache_first, index));
			WRITE_ONCE(file->cache_last, max(file->cache_last, index));
		}
	}
	return status;
}

/* Those that have no taken mapping yet, or not all. */
static enum dynopt_kmod_status adopt_all(struct owned_file *file)
{
	struct mm_struct **all = processes_all(file->domain), **at;

	if (!all)
		return DYNOPT_KMOD_MEMORY;
	for (at = all; *at; at++)
		process_adopt(*at, file);
	processes_drop(all);
	return DYNOPT_KMOD_OK;
}

/* Does a taken mapping have the site, and a taken one at the same distance the cache? */
static bool reaches(struct mm_struct *mm, struct owned_file *file, const struct patch *patch)
{
	struct vm_area_struct *vma, *cache;
	VMA_ITERATOR(at, mm, 0);
	bool found = false;

	mmap_write_lock(mm);
	if (!process_is_registered(mm) || process_is_leaving(mm)) {
		/* If it has ended, there is nothing left to walk. */
		mmap_write_unlock(mm);
		return false;
	}
	for_each_vma(at, vma) {
		u64 base = vma->vm_start - ((u64)vma->vm_pgoff << PAGE_SHIFT);

		if (vma->vm_ops != &file->ops || !(vma->vm_flags & VM_EXEC) ||
		    base + patch->offset < vma->vm_start || base + site_end(patch) > vma->vm_end)
			continue;
		cache = vma_lookup(mm, base + patch->cache_offset);
		found = cache && cache->vm_ops == &file->ops && (cache->vm_flags & VM_EXEC) &&
		        base + cache_end(patch) <= cache->vm_end &&
		        cache->vm_start - ((u64)cache->vm_pgoff << PAGE_SHIFT) == base;
		if (found)
			break;
	}
	mmap_write_unlock(mm);
	return found;
}

static enum dynopt_kmod_status check_mapped(struct owned_file *file, const struct patch *patch)
{
	struct mm_struct **all = processes_all(file->domain), **at;
	bool found = false;

	if (!all)
		return DYNOPT_KMOD_MEMORY;
	for (at = all; *at && !found; at++)
		found = reaches(*at, file, patch);
	processes_drop(all);
	return found ? DYNOPT_KMOD_OK : DYNOPT_KMOD_NOT_MAPPED;
}

static bool crosses(const struct patch *patch)
{
	return offset_in_page(patch->offset) + patch->jump_len > PAGE_SIZE;
}

#define EDITS_OF_SITE 2

/* What makes the site live, all on one page if it has a slot; how many edits. */
static u32 site_edits(const struct patch *patch, struct edit edits[EDITS_OF_SITE])
{
	const struct slot *slot = &patch->slot;

	edits[0] = (struct edit){ patch->offset, patch->old, patch->jump, patch->jump_len };
	if (!slot->offset || slot->written)
		return 1;
	edits[1] = (struct edit){ slot->offset, slot->old, slot->jump, JMP_REL32_LEN };
	return 2;
}

static void set_live(struct patch *patch)
{
	patch->live = true;
	patch->slot.written = patch->slot.offset;
}

/* A slot's first jump takes a new page: in place two things would change one after the other. */
static enum dynopt_kmod_status write_site(struct owned_file *file, struct patch *patch,
                                          bool in_place)
{
	struct edit edits[EDITS_OF_SITE];
	u32 n = site_edits(patch, edits);
	enum dynopt_kmod_status status =
		n > 1 ? pages_edit(file, edits, n, false)
		      : pages_write_site(file, edits, crosses(patch), in_place);

	if (!status)
		set_live(patch);
	return status;
}

static enum dynopt_kmod_status unwrite_site(struct owned_file *file, struct patch *patch,
                                            bool in_place)
{
	const struct edit edit = { patch->offset, patch->jump, patch->old, patch->jump_len };
	enum dynopt_kmod_status status = pages_write_site(file, &edit, false, in_place);

	if (!status)
		patch->live = false;
	return status;
}

static enum dynopt_kmod_status write_cache(struct owned_file *file, const struct patch *patch)
{
	u8 empty[sizeof(patch->code)];
	u32 len = cache_end(patch) - patch->cache_offset;

	memset(empty, INT3, sizeof(empty));
	return pages_write(file, patch->cache_offset, empty, patch->code, len, true);
}

/* Hands over the patch to the file as soon as its code is in the cache. */
static enum dynopt_kmod_status patch_first(struct owned_file *file, struct patch **patch,
                                           bool in_place)
{
	enum dynopt_kmod_status status;
	struct patch *known;

	if (file->n_patches == FILE_PATCHES_MAX)
		return DYNOPT_KMOD_LIMIT;
	status = check_file(file, *patch);
	if (!status)
		status = take_range(file, (*patch)->cache_offset, cache_end(*patch), true);
	if (!status)
		status = take_range(file, (*patch)->offset, site_end(*patch), false);
	if (!status)
		status = adopt_all(file);
	if (!status)
		status = check_mapped(file, *patch);
	if (!status)
		status = write_cache(file, *patch);
	if (status)
		return status;
	known = *patch;
	*patch = NULL;
	list_add_tail_rcu(&known->list, &file->patches);
	file->n_patches++;
	return write_site(file, known, in_place);
}

/* The part of the new code on one page of the cache, which holds int3 there. */
static enum dynopt_kmod_status write_code(struct owned_file *file, u64 at, const u8 *code, u32 len)
{
	u8 *empty = kmalloc(PAGE_SIZE, GFP_KERNEL);
	enum dynopt_kmod_status status = empty ? DYNOPT_KMOD_OK : DYNOPT_KMOD_MEMORY;
	u32 done, part;

	if (empty)
		memset(empty, INT3, PAGE_SIZE);
	for (done = 0; done < len && !status; done += part) {
		part = min_t(u32, len - done, PAGE_SIZE - offset_in_page(at + done));
		status = pages_write(file, at + done, empty, code + done, part, true);
	}
	kfree(empty);
	return status;
}

#define EDITS_MAX 16

/* Live from now on, with all others of patches[i..n) on the same page. */
static void write_sites(struct owned_file *file, struct patch **patches, u32 i, u32 n,
                        enum dynopt_kmod_status *statuses)
{
	struct edit edits[EDITS_MAX];
	u32 which[EDITS_MAX], n_edits = 0, n_sites = 0, k;
	enum dynopt_kmod_status status;

	for (k = i; k < n && n_edits + EDITS_OF_SITE <= EDITS_MAX; k++) {
		struct patch *patch = patches[k];

		if (patch->live || statuses[k] || crosses(patch) ||
		    patch->offset >> PAGE_SHIFT != patches[i]->offset >> PAGE_SHIFT)
			continue;
		which[n_sites++] = k;
		n_edits += site_edits(patch, &edits[n_edits]);
	}
	status = pages_edit(file, edits, n_edits, false);
	for (k = 0; k < n_sites; k++) {
		if (!status)
			set_live(patches[which[k]]);
		statuses[which[k]] = status;
	}
}

/*
 * All code that a translation stands for is on owned pages, so that it is noticed when a process gets a copy of one: there
 * may be a breakpoint in it, which the translation would not meet.
 */
static enum dynopt_kmod_status take_origins(struct owned_file *file, const struct made *made)
{
	enum dynopt_kmod_status status = DYNOPT_KMOD_OK;
	pgoff_t last = ULONG_MAX;
	u32 i;

	for (i = 0; i < made->n_origins && !status; i++) {
		pgoff_t index = made->origins[i].origin >> PAGE_SHIFT;

		if (index == last)
			continue;
		last = index;
		status = pages_take(file, index, false);
		if (!status && !pages_mark_translated(file, index) && private_anywhere(file, index))
			status = DYNOPT_KMOD_PRIVATE_PAGE;
	}
	return status;
}

static enum dynopt_kmod_status take_pages(struct owned_file *file, struct patch **patches, u32 n,
                                          u64 at, u32 len)
{
	enum dynopt_kmod_status status = take_range(file, at, at + len, true);
	u32 i;

	for (i = 0; i < n && !status; i++)
		status = take_range(file, patches[i]->offset, site_end(patches[i]), false);
	for (i = 0; i < n && !status; i++)
		status = take_origins(file, patches[i]->made);
	return status;
}

enum dynopt_kmod_status patch_publish(struct owned_file *file, struct patch **patches, u32 n,
                                      u64 at, const u8 *code, u32 len,
                                      enum dynopt_kmod_status *statuses)
{
	enum dynopt_kmod_status status;
	u32 i;

	if (n > FILE_PATCHES_MAX - file->n_patches)
		return DYNOPT_KMOD_LIMIT;
	for (i = 0; i < n; i++)
		put_jumps(patches[i]);
	status = take_pages(file, patches, n, at, len);
	if (!status)
		status = adopt_all(file);
	if (!status)
		status = check_mapped(file, patches[0]);
	if (status)
		return status;
	file->cache_next = at + len; /* also if it fails half way */
	status = write_code(file, at, code, len);
	if (status)
		return status;
	for (i = 0; i < n; i++) {
		list_add_tail_rcu(&patches[i]->list, &file->patches);
		file->n_patches++;
		statuses[i] = DYNOPT_KMOD_OK;
	}
	for (i = 0; i < n; i++) {
		if (patches[i]->live || statuses[i])
			continue;
		if (crosses(patches[i]))
			statuses[i] = write_site(file, patches[i], false);
		else
			write_sites(file, patches, i, n, statuses);
	}
	return DYNOPT_KMOD_OK;
}

/* The operations that processes' mappings of the file have, before any is taken. */
static enum dynopt_kmod_status find_operations(struct inode *inode, const struct domain *domain,
                                               const struct vm_operations_struct **out)
{
	struct mm_struct **all = processes_all(domain), **at;
	const struct vm_operations_struct *ops = NULL;

	if (!all)
		return DYNOPT_KMOD_MEMORY;
	for (at = all; *at && !ops; at++) {
		mmap_write_lock(*at);
		if (process_is_registered(*at))
			ops = mappings_operations(*at, inode);
		mmap_write_unlock(*at);
	}
	processes_drop(all);
	if (!ops)
		return DYNOPT_KMOD_NOT_MAPPED;
	if (IS_ERR(ops))
		return DYNOPT_KMOD_FILE_SYSTEM;
	*out = ops;
	return DYNOPT_KMOD_OK;
}

enum dynopt_kmod_status patch_find_or_make(struct file *opened, struct domain *domain,
                                           struct owned_file **out)
{
	const struct vm_operations_struct *ops;
	enum dynopt_kmod_status status;

	*out = file_find(file_inode(opened), domain);
	if (*out)
		return DYNOPT_KMOD_OK;
	status = find_operations(file_inode(opened), domain, &ops);
	if (status)
		return status;
	return file_new(opened, domain, ops, out);
}

void patch_part_with_strangers(const struct domain *domain)
{
	struct mm_struct *mm;

	while ((mm = process_find_stranger(domain))) {
		/* Has it ended? Else it has originals now, be it that a thread has yet to go on. */
		if (leave_begin(mm) != DYNOPT_KMOD_NO_PROCESS)
			count(DYNOPT_COUNTER_CHANGED_USER, 1);
		mmdrop(mm);
	}
}

void patch_part_with_traced(const struct domain *domain)
{
	struct mm_struct *mm;

	while ((mm = process_find_traced(domain))) {
		observed_leave_now(mm);
		mmdrop(mm);
	}
}

struct file *patch_open_file(s32 fd)
{
	struct file *opened = fget(fd);

	if (opened && (!S_ISREG(file_inode(opened)->i_mode) || !(opened->f_mode & FMODE_READ))) {
		fput(opened);
		opened = NULL;
	}
	return opened;
}

static enum dynopt_kmod_status apply(struct file *opened, const struct dynopt_ioc_patch *request,
                                     struct domain *domain)
{
	struct owned_file *file;
	struct patch *patch, *again = NULL;
	bool in_place = request->flags & DYNOPT_PATCH_COOKIE;
	enum dynopt_kmod_status status = check_range(file_inode(opened), request);

	if (status)
		return status;
	patch = patch_new(request);
	if (!patch)
		return DYNOPT_KMOD_MEMORY;
	patch_part_with_strangers(domain);
	status = patch_find_or_make(opened, domain, &file);
	if (!status) {
		status = find_earlier(file, patch, &again);
		if (!status)
			status = again ? write_site(file, again, in_place)
			               : patch_first(file, &patch, in_place);
		file_put(file);
	}
	if (patch)
		patch_free(patch);
	return status;
}

enum dynopt_kmod_status patch_apply(const struct dynopt_ioc_patch *request, struct domain *domain)
{
	enum dynopt_kmod_status status = request_patch(request);
	struct file *opened;

	if (status)
		return status;
	opened = patch_open_file(request->fd);
	if (!opened)
		return DYNOPT_KMOD_FILE;
	status = apply(opened, request, domain);
	fput(opened);
	return status;
}

/* One field of a jump, in the code cache. */
static enum dynopt_kmod_status cut_link(struct owned_file *file, const struct patch *from,
                                        struct patch_link *link)
{
	enum dynopt_kmod_status status = DYNOPT_KMOD_OK;

	if (link->linked != link->original)
		status = pages_write(file, from->cache_offset + link->at, (u8 *)&link->linked,
		                     (u8 *)&link->original, sizeof(link->linked), false);
	if (!status)
		link->to = NULL;
	return status;
}

/*
 * Nobody comes into a translation by its site any more: now by no other translation either, and its loops let go. What
 * is in it already goes on to the next way out.
 */
static enum dynopt_kmod_status cut_links(struct owned_file *file, const struct patch *to)
{
	enum dynopt_kmod_status status = DYNOPT_KMOD_OK;
	struct patch *patch;
	u32 i;

	list_for_each_entry(patch, &file->patches, list)
		for (i = 0; patch->made && i < patch->made->n_links && !status; i++)
			if (patch->made->links[i].to == to)
				status = cut_link(file, patch, &patch->made->links[i]);
	return status;
}

struct patch *patch_undone(struct owned_file *file, u64 offset, u64 digest)
{
	struct patch *patch;

	list_for_each_entry(patch, &file->patches, list)
		if (!patch->live && patch->made && patch->offset == offset &&
		    patch->made->digest == digest)
			return patch;
	return NULL;
}

/* Its loops, then its site. Its ways into other translations stay cut. */
enum dynopt_kmod_status patch_revive(struct owned_file *file, struct patch *patch)
{
	enum dynopt_kmod_status status = DYNOPT_KMOD_OK;
	u32 i;

	for (i = 0; i < patch->made->n_links && !status; i++) {
		struct patch_link *link = &patch->made->links[i];

		if (!link->loop || link->to)
			continue;
		if (link->linked != link->original)
			status = pages_write(file, patch->cache_offset + link->at,
			                     (u8 *)&link->original, (u8 *)&link->linked,
			                     sizeof(link->linked), false);
		if (!status)
			link->to = patch;
	}
	return status ? status : write_site(file, patch, false);
}

static enum dynopt_kmod_status undo(struct owned_file *file, const struct dynopt_ioc_undo *request,
                                    u32 *undone)
{
	enum dynopt_kmod_status status;
	struct patch *patch;

	list_for_each_entry(patch, &file->patches, list) {
		if (!patch->live ||
		    (!(request->flags & DYNOPT_UNDO_ALL) && patch->offset != request->offset))
			continue;
		status = unwrite_site(file, patch, request->flags & DYNOPT_UNDO_COOKIE);
		if (!status)
			status = cut_links(file, patch);
		if (status)
			return status;
		++*undone;
	}
	return *undone || (request->flags & DYNOPT_UNDO_ALL) ? DYNOPT_KMOD_OK
	                                                     : DYNOPT_KMOD_NO_PATCH;
}

enum dynopt_kmod_status patch_undo(const struct dynopt_ioc_undo *request,
                                   const struct domain *domain, u32 *undone)
{
	bool all = request->flags & DYNOPT_UNDO_ALL;
	enum dynopt_kmod_status status = all ? DYNOPT_KMOD_OK : DYNOPT_KMOD_NO_PATCH;
	struct owned_file *file;
	struct file *opened;

	opened = patch_open_file(request->fd);
	if (!opened)
		return DYNOPT_KMOD_FILE;
	file = file_find(file_inode(opened), domain);
	if (file) {
		status = undo(file, request, undone);
		file_put(file);
	}
	fput(opened);
	return status;
}

/*
 * It takes memory for two pages, where a process has a private copy of one; that is asked for
 * until there is.
 */
void patch_suspend_crossing(struct owned_file *file)
{
	struct patch *patch;

	list_for_each_entry(patch, &file->patches, list) {
		patch->suspended = patch->live && crosses(patch);
		while (patch->suspended && unwrite_site(file, patch, false) == DYNOPT_KMOD_MEMORY)
			schedule_timeout_uninterruptible(1);
	}
}

void patch_resume_crossing(struct owned_file *file)
{
	struct patch *patch;

	list_for_each_entry(patch, &file->patches, list) {
		if (patch->suspended && write_site(file, patch, false))
			count(DYNOPT_COUNTER_WITHDRAWN, 1);
		patch->suspended = false;
	}
}

/* Translations have the original's state at each instruction, bytes that were given where they begin and end. */
static u64 origin_in(const struct patch *patch, u64 at)
{
	u32 low = 0, high;

	if (!patch->made)
		return !at ? patch->offset : at == patch->code_len ? site_end(patch) : 0;
	for (high = patch->made->n_origins; high - low > 1;) {
		u32 middle = low + (high - low) / 2;

		if (patch->made->origins[middle].at <= at)
			low = middle;
		else
			high = middle;
	}
	return patch->made->origins[low].origin;
}

u64 patch_origin(struct owned_file *file, u64 offset)
{
	struct patch *patch;

	list_for_each_entry_srcu(patch, &file->patches, list, srcu_read_lock_held(&faults)) {
		if (offset >= patch->cache_offset && offset < cache_end(patch))
			return origin_in(patch, offset - patch->cache_offset);
		if (patch->slot.offset && offset == patch->slot.offset)
			return patch->offset;
	}
	return 0;
}

bool patch_inside(struct owned_file *file, u64 offset)
{
	struct patch *patch;

	list_for_each_entry(patch, &file->patches, list)
		if ((offset >= patch->cache_offset && offset < cache_end(patch)) ||
		    (patch->slot.offset && offset == patch->slot.offset))
			return true;
	return false;
}
