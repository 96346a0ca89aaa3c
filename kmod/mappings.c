// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * mappings.c - mappings that hand out the module's pages.
 *
 * A taken mapping has the vm_ops of its owned file, which hold the file system's own and the
 * module's fault, fault-around, open, close, mprotect and mremap. No list of mappings is
 * kept, and no pointer to one outlives the mmap lock: a mapping is known by its operations,
 * and all of a process's are found by walking it. With every mapping of a file in a process
 * having close(), the kernel merges none of them away.
 *
 * Invariant: a page of the code cache always reads as the module has it, in every taken
 * mapping; a page with sites reads so only in executable mappings that reach the cache, and
 * else as the file has it. Original text is always right.
 */
#include <linux/pagemap.h>
#include <linux/sched/task_stack.h>
#include "own.h"

/* The distance between a mapping and its file: sites and cache must have the same. */
static unsigned long base_of(const struct vm_area_struct *vma)
{
	return vma->vm_start - (vma->vm_pgoff << PAGE_SHIFT);
}

static bool reaches_cache(struct vm_area_struct *vma, struct owned_file *file, pgoff_t index)
{
	unsigned long base = base_of(vma);
	struct vm_area_struct *cache = vma_lookup(vma->vm_mm, base + (index << PAGE_SHIFT));

	return cache && cache->vm_ops == &file->ops && base_of(cache) == base &&
	       (cache->vm_flags & VM_EXEC);
}

enum view {
	VIEW_OWNED,
	VIEW_ORIGINAL,
	VIEW_AGAIN,
};

/* Leads a thread that stands in the code cache, or in a slot, back to the original, if that place has one. */
static bool evict(struct vm_fault *vmf, struct owned_file *file)
{
	unsigned long base = base_of(vmf->vma);
	struct pt_regs *regs = task_pt_regs(current);
	u64 origin;

	if (!(vmf->flags & FAULT_FLAG_USER) || !(vmf->flags & FAULT_FLAG_INSTRUCTION))
		return false;
	origin = patch_origin(file, regs->ip - base);
	if (!origin)
		return false;
	regs->ip = base + origin;
	count(DYNOPT_COUNTER_EVICTED, 1);
	return true;
}

/* What this mapping is to see of an owned page, whose lock the caller has. */
static enum view view_of(struct vm_fault *vmf, struct owned_file *file, bool cache)
{
	struct vm_area_struct *vma = vmf->vma;
	bool leaving = process_is_leaving(vma->vm_mm);

	if (cache)
		return leaving && evict(vmf, file) ? VIEW_AGAIN : VIEW_OWNED;
	if (!leaving && (vma->vm_flags & VM_EXEC) &&
	    reaches_cache(vma, file, READ_ONCE(file->cache_first)) &&
	    reaches_cache(vma, file, READ_ONCE(file->cache_last)))
		return VIEW_OWNED;
	return evict(vmf, file) ? VIEW_AGAIN : VIEW_ORIGINAL;
}

static vm_fault_t fault_owned(struct vm_fault *vmf, struct owned_file *file, struct page *page,
                              bool cache)
{
	enum view view = view_of(vmf, file, cache);

	if (view == VIEW_OWNED) {
		count(vmf->flags & FAULT_FLAG_WRITE ? DYNOPT_COUNTER_COPIED : DYNOPT_COUNTER_SERVED,
		      1);
		vmf->page = page;
		return VM_FAULT_LOCKED;
	}
	unlock_page(page);
	put_page(page);
	if (view == VIEW_AGAIN)
		return VM_FAULT_NOPAGE;
	count(DYNOPT_COUNTER_ORIGINALS, 1);
	return file->original->fault(vmf);
}

/*
 * A page lock is held until the page is in the page table. So whoever takes out a page holds
 * its lock, and both ways are looked at again under it: was an owned page replaced, did the
 * file's page become an owned one?
 */
static vm_fault_t fault_page(struct vm_fault *vmf, struct owned_file *file)
{
	pgoff_t index = vmf->pgoff;
	struct page *page;
	vm_fault_t result;
	bool cache, others;

	for (;;) {
		page = page_get(file, index, &cache);
		if (page) {
			lock_page(page);
			if (page_is_current(file, index, page))
				return fault_owned(vmf, file, page, cache);
			unlock_page(page);
			put_page(page);
			continue;
		}
		result = file->original->fault(vmf);
		if (!(result & VM_FAULT_LOCKED))
			return result;
		page = page_get(file, index, &others);
		if (!page)
			return result;
		put_page(page);
		unlock_page(vmf->page);
		put_page(vmf->page);
		vmf->page = NULL;
	}
}

static vm_fault_t taken_fault(struct vm_fault *vmf)
{
	struct owned_file *file = mapping_file(vmf->vma);
	int index = srcu_read_lock(&faults);
	vm_fault_t result = fault_page(vmf, file);

	srcu_read_unlock(&faults, index);
	return result;
}

/* The file's pages around a fault, up to the next owned page on either side. */
static vm_fault_t taken_map_pages(struct vm_fault *vmf, pgoff_t first, pgoff_t last)
{
	struct owned_file *file = mapping_file(vmf->vma);
	int index = srcu_read_lock(&faults);
	unsigned long owned = first;
	vm_fault_t result = 0;

	while (xa_find(&file->pages, &owned, last, XA_PRESENT) && owned < vmf->pgoff)
		first = ++owned;
	owned = vmf->pgoff;
	if (!xa_find(&file->pages, &owned, last, XA_PRESENT))
		owned = last + 1;
	if (owned > vmf->pgoff)
		result = file->original->map_pages(vmf, first, owned - 1);
	srcu_read_unlock(&faults, index);
	return result;
}

/*
 * With the mmap lock held for writing, no fault comes in between: a new mapping sees no jump
 * while a page of the file's cache, or one half of a site, is still in its page tables.
 */
static void unmap_all(struct owned_file *file)
{
	pages_unmap_cache(file);
	pages_unmap_sites(file);
}

static void give_back(struct vm_area_struct *vma, struct owned_file *file)
{
	vma->vm_ops = file->original;
	if (vma->anon_vma)
		unmap_all(file); /* page tables were copied */
}

/*
 * Of a fork, by who forks; the mapping of a split is one of a registered process. As long as the parent has jumps in copies of its own,
 * which the child has now, the child needs what they lead to.
 */
static bool is_child_of_leaving(struct mm_struct *mm)
{
	return current->mm && current->mm != mm && process_is_leaving(current->mm) &&
	       !process_is_registered(mm) && !private_has_sites(current->mm);
}

static void taken_open(struct vm_area_struct *vma)
{
	struct owned_file *file = mapping_file(vma);

	if (READ_ONCE(leave_state) == LEAVE_MAPPINGS || is_child_of_leaving(vma->vm_mm)) {
		give_back(vma, file);
	} else if (!process_join(vma->vm_mm, file->domain)) {
		give_back(vma, file);
		count(DYNOPT_COUNTER_LEFT_OUT, 1);
	} else {
		file_hold(file);
		count(DYNOPT_COUNTER_MAPPINGS, 1);
	}
}

/*
 * Not at exit, where mappings are given back beforehand: the program unmaps a part of its
 * text, maybe of its cache. Sites are looked at anew.
 */
static void taken_close(struct vm_area_struct *vma)
{
	struct owned_file *file = mapping_file(vma);

	pages_unmap_sites(file);
	count(DYNOPT_COUNTER_MAPPINGS, -1);
	file_put(file);
}

static bool may_take(const struct vm_area_struct *vma, const struct owned_file *file)
{
	return vma->vm_file && file_inode(vma->vm_file) == file->inode &&
	       vma->vm_ops == file->original && !(vma->vm_flags & (VM_SHARED | VM_MAYSHARE));
}

static void take(struct vm_area_struct *vma, struct owned_file *file)
{
	vma->vm_ops = &file->ops;
	file_hold(file);
	count(DYNOPT_COUNTER_MAPPINGS, 1);
}

/* Mappings that have come since get close(), too, before the kernel looks what it can merge. */
static int taken_mprotect(struct vm_area_struct *vma, unsigned long start, unsigned long end,
                          unsigned long flags)
{
	struct owned_file *file = mapping_file(vma);

	mappings_take(vma->vm_mm, file);
	if (file->original->mprotect)
		return file->original->mprotect(vma, start, end, flags);
	return 0;
}

static int taken_mremap(struct vm_area_struct *vma)
{
	struct domain *domain = process_domain(vma->vm_mm);
	struct owned_file *file = NULL;

	if (domain) {
		file = file_find(file_inode(vma->vm_file), domain);
		domain_put(domain);
	}
	if (!file)
		return 0;
	if (may_take(vma, file))
		take(vma, file);
	unmap_all(file);
	file_put(file);
	return 0;
}

void mappings_init_ops(struct owned_file *file)
{
	file->ops = *file->original;
	file->ops.fault = taken_fault;
	file->ops.map_pages = taken_map_pages;
	file->ops.open = taken_open;
	file->ops.close = taken_close;
	file->ops.mprotect = taken_mprotect;
	file->ops.mremap = taken_mremap;
}

bool mapping_is_taken(const struct vm_area_struct *vma)
{
	return vma->vm_ops && vma->vm_ops->fault == taken_fault;
}

struct owned_file *mapping_file(const struct vm_area_struct *vma)
{
	return container_of(vma->vm_ops, struct owned_file, ops);
}

u32 mappings_count(struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	VMA_ITERATOR(at, mm, 0);
	u32 n = 0;

	assert_mmap_write(mm);
	for_each_vma(at, vma)
		n += mapping_is_taken(vma);
	return n;
}

u32 mappings_take(struct mm_struct *mm, struct owned_file *file)
{
	struct vm_area_struct *vma;
	VMA_ITERATOR(at, mm, 0);
	u32 n = 0;

	assert_mmap_write(mm);
	for_each_vma(at, vma) {
		if (!may_take(vma, file))
			continue;
		take(vma, file);
		n++;
	}
	if (n)
		unmap_all(file);
	return n;
}

u32 mappings_restore(struct mm_struct *mm)
{
	struct owned_file *file;
	struct vm_area_struct *vma;
	VMA_ITERATOR(at, mm, 0);
	u32 n = 0;

	assert_mmap_write(mm);
	for_each_vma(at, vma) {
		if (!mapping_is_taken(vma))
			continue;
		file = mapping_file(vma);
		vma->vm_ops = file->original;
		count(DYNOPT_COUNTER_MAPPINGS, -1);
		file_put(file);
		n++;
	}
	return n;
}

bool mappings_translated(struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	VMA_ITERATOR(at, mm, 0);
	bool found = false;

	mmap_read_lock(mm);
	for_each_vma(at, vma)
		found |= mapping_is_taken(vma) &&
		         xa_marked(&mapping_file(vma)->pages, PAGE_TRANSLATED);
	mmap_read_unlock(mm);
	return found;
}

/*
 * Page-cache mappings of local file systems that want nothing else of their mappings: no DAX,
 * hugetlb, shmem, FUSE, NFS; overlayfs' own inodes are mapped by nobody.
 */
static bool is_plain(const struct vm_operations_struct *ops, const struct inode *inode)
{
	return (inode->i_sb->s_type->fs_flags & FS_REQUIRES_DEV) && ops && ops->fault &&
	       ops->map_pages == filemap_map_pages && !ops->huge_fault && !ops->open &&
	       !ops->close && !ops->mremap && !ops->access && !ops->pagesize;
}

const struct vm_operations_struct *mappings_operations(struct mm_struct *mm, struct inode *inode)
{
	const struct vm_operations_struct *found = NULL;
	struct vm_area_struct *vma;
	VMA_ITERATOR(at, mm, 0);

	assert_mmap_write(mm);
	for_each_vma(at, vma) {
		if (!vma->vm_file || file_inode(vma->vm_file) != inode ||
		    !(vma->vm_flags & VM_EXEC) || (vma->vm_flags & (VM_SHARED | VM_MAYSHARE)))
			continue;
		if (!is_plain(vma->vm_ops, inode))
			return ERR_PTR(-EOPNOTSUPP);
		found = vma->vm_ops;
	}
	return found;
}
