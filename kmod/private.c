// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * private.c - pages of which a process has a copy of its own: debuggers' and uprobes'
 * breakpoints, programs that write their own text.
 *
 * Such a copy no longer changes with the file's pages; it holds whatever the page held when it
 * was made. That is harmless as long as an instruction lies in it as a whole, since the code
 * cache stays. Three cases need work:
 *   halves       an instruction across two pages, one of them private: changed with the other,
 *                while nobody can execute it
 *   breakpoints  an int3 on a site, the rest of the jump behind it: the rest is brought back at
 *                once, because a uprobe that goes writes only the file's first byte
 *   leaving      a process that leaves the code cache: sites are brought back under the cookie
 */
#include <linux/highmem.h>
#include <linux/interval_tree_generic.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include "own.h"

static inline unsigned long tree_first(struct vm_area_struct *vma)
{
	return vma->vm_pgoff;
}

static inline unsigned long tree_last(struct vm_area_struct *vma)
{
	return vma->vm_pgoff + vma_pages(vma) - 1;
}

/* The kernel's own walk over mapping->i_mmap is not exported. */
INTERVAL_TREE_DEFINE(struct vm_area_struct, shared.rb, unsigned long, shared.rb_subtree_last,
                     tree_first, tree_last, static __maybe_unused, mapped)

enum copy {
	COPY_NONE,
	COPY_PRESENT, /* *page is held */
	COPY_ELSEWHERE, /* swapped out, on its way to another place, not to be looked at */
};

/* With the mmap lock, or the file's i_mmap_rwsem, which keep page tables. */
static enum copy copy_at(struct vm_area_struct *vma, unsigned long addr, struct page **page)
{
	enum copy copy = COPY_NONE;
	spinlock_t *lock;
	pgd_t *pgd = pgd_offset(vma->vm_mm, addr);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;
	pte_t *pte;

	if (pgd_none(*pgd))
		return COPY_NONE;
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(*p4d))
		return COPY_NONE;
	pud = pud_offset(p4d, addr);
	if (pud_none(*pud) || pud_leaf(*pud))
		return COPY_NONE;
	pmd = pmd_offset(pud, addr);
	if (pmd_none(*pmd) || pmd_leaf(*pmd))
		return COPY_NONE;
	pte = pte_lock(vma->vm_mm, pmd, addr, &lock);
	if (!pte)
		return COPY_ELSEWHERE;
	if (!pte_none(*pte)) {
		if (!pte_present(*pte)) {
			copy = COPY_ELSEWHERE;
		} else if (pfn_valid(pte_pfn(*pte)) && PageAnon(pte_page(*pte))) {
			*page = pte_page(*pte);
			get_page(*page);
			copy = COPY_PRESENT;
		}
	}
	pte_unmap_unlock(pte, lock);
	return copy;
}

static unsigned long address_of(const struct vm_area_struct *vma, pgoff_t index)
{
	return vma->vm_start + ((index - vma->vm_pgoff) << PAGE_SHIFT);
}

static bool covers(struct vm_area_struct *vma, pgoff_t index)
{
	return index >= vma->vm_pgoff && index < vma->vm_pgoff + vma_pages(vma);
}

static bool is_private(struct vm_area_struct *vma, pgoff_t index)
{
	struct page *page;
	enum copy copy = copy_at(vma, address_of(vma, index), &page);

	if (copy == COPY_PRESENT)
		put_page(page);
	return copy != COPY_NONE;
}

bool private_in_process(struct mm_struct *mm, struct owned_file *file)
{
	struct vm_area_struct *vma;
	VMA_ITERATOR(at, mm, 0);
	unsigned long index;
	struct page *page;

	assert_mmap_write(mm);
	for_each_vma(at, vma) {
		if (!vma->vm_file || file_inode(vma->vm_file) != file->inode)
			continue;
		xa_for_each_range(&file->pages, index, page, vma->vm_pgoff, tree_last(vma))
			if (is_private(vma, index))
				return true;
	}
	return false;
}

/* Who is leaving has originals, whatever is done to the file's pages. */
static bool follows(struct vm_area_struct *vma, struct owned_file *file)
{
	return vma->vm_ops == &file->ops && !process_is_leaving(vma->vm_mm);
}

bool private_anywhere(struct owned_file *file, pgoff_t index)
{
	struct vm_area_struct *vma;
	bool found = false;

	i_mmap_lock_read(file->mapping);
	for (vma = mapped_iter_first(&file->mapping->i_mmap, index, index); vma && !found;
	     vma = mapped_iter_next(vma, index, index))
		found = follows(vma, file) && is_private(vma, index);
	i_mmap_unlock_read(file->mapping);
	return found;
}

/* Bytes that are `before` become `after`; others, a breakpoint's, stay. */
static void mend(struct page *page, u32 at, const u8 *before, const u8 *after, u32 len)
{
	u8 *bytes = (u8 *)kmap_local_page(page) + at;
	u32 i;

	for (i = 0; i < len; i++)
		if (bytes[i] == before[i])
			WRITE_ONCE(bytes[i], after[i]);
	kunmap_local(bytes - at);
}

/* Is the page beside one of the same process its own, too? In another mapping, maybe. */
static bool neighbour_is_private(struct owned_file *file, const struct vm_area_struct *vma,
                                 unsigned long addr, pgoff_t index)
{
	struct rb_root_cached *tree = &file->mapping->i_mmap;
	struct vm_area_struct *other;

	for (other = mapped_iter_first(tree, index, index); other;
	     other = mapped_iter_next(other, index, index))
		if (other->vm_mm == vma->vm_mm && address_of(other, index) == addr)
			return is_private(other, index);
	return false;
}

static void mend_half(struct owned_file *file, struct vm_area_struct *vma, u64 offset,
                      const u8 *before, const u8 *after, u32 len)
{
	pgoff_t first = offset >> PAGE_SHIFT;
	unsigned long addr = address_of(vma, first);
	u32 here = PAGE_SIZE - offset_in_page(offset);
	struct page *page;

	if (covers(vma, first) && copy_at(vma, addr, &page) == COPY_PRESENT) {
		if (!neighbour_is_private(file, vma, addr + PAGE_SIZE, first + 1))
			mend(page, offset_in_page(offset), before, after, here);
		put_page(page);
	}
	if (covers(vma, first + 1) && copy_at(vma, addr + PAGE_SIZE, &page) == COPY_PRESENT) {
		if (!neighbour_is_private(file, vma, addr, first))
			mend(page, 0, before + here, after + here, len - here);
		put_page(page);
	}
}

/* Both pages are out of all page tables and locked: nobody executes what lies across them. */
void private_mend_half(struct owned_file *file, u64 offset, const u8 *before, const u8 *after,
                       u32 len)
{
	pgoff_t first = offset >> PAGE_SHIFT;
	struct vm_area_struct *vma;

	i_mmap_lock_read(file->mapping);
	for (vma = mapped_iter_first(&file->mapping->i_mmap, first, first + 1); vma;
	     vma = mapped_iter_next(vma, first, first + 1))
		if (follows(vma, file))
			mend_half(file, vma, offset, before, after, len);
	i_mmap_unlock_read(file->mapping);
}

/* How much of the jump lies on the page where it starts. */
static u32 jump_here(const struct patch *patch)
{
	return min_t(u32, patch->jump_len, PAGE_SIZE - offset_in_page(patch->offset));
}

static bool has_breakpoint(struct page *page, const struct patch *patch)
{
	u8 *bytes = kmap_local_page(page);
	u32 at = offset_in_page(patch->offset);
	bool has = bytes[at] == INT3 &&
	           !memcmp(bytes + at + 1, patch->jump + 1, jump_here(patch) - 1);

	kunmap_local(bytes);
	return has;
}

/*
 * After the page at addr may have become a copy, with an int3 on a site already: its first
 * byte traps, so nobody executes the rest while it is written.
 */
void private_mend_breakpoint(struct vm_area_struct *vma, unsigned long addr)
{
	struct owned_file *file = mapping_file(vma);
	pgoff_t index = vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);
	int srcu = srcu_read_lock(&faults);
	struct patch *patch;
	struct page *page;

	if (xa_load(&file->pages, index) && copy_at(vma, addr, &page) == COPY_PRESENT) {
		count(DYNOPT_COUNTER_COPIED, 1);
		if (xa_get_mark(&file->pages, index, PAGE_TRANSLATED))
			observed_leave(vma->vm_mm);
		list_for_each_entry_srcu(patch, &file->patches, list,
		                         srcu_read_lock_held(&faults)) {
			if (patch->offset >> PAGE_SHIFT != index || !has_breakpoint(page, patch))
				continue;
			mend(page, offset_in_page(patch->offset) + 1, patch->jump + 1,
			     patch->old + 1, jump_here(patch) - 1);
			count(DYNOPT_COUNTER_MENDED, 1);
		}
		put_page(page);
	}
	srcu_read_unlock(&faults, srcu);
}

/* The bytes of a site in private copies, which may be two. */
struct copied_site {
	struct page *pages[2];
	u8 *bytes[JMP_REL32_LEN];
};

static struct page *copy_in_process(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma = vma_lookup(mm, addr);
	struct page *page;

	return vma && copy_at(vma, addr, &page) == COPY_PRESENT ? page : NULL;
}

static bool site_find(struct mm_struct *mm, unsigned long addr, u32 len, struct copied_site *site)
{
	unsigned long last = addr + len - 1;
	u32 i;

	site->pages[0] = copy_in_process(mm, addr & PAGE_MASK);
	if (!site->pages[0])
		return false;
	site->pages[1] = copy_in_process(mm, last & PAGE_MASK);
	if (!site->pages[1]) {
		put_page(site->pages[0]);
		return false;
	}
	for (i = 0; i < len; i++)
		/* 64-bit kernels have all memory mapped */
		site->bytes[i] = (u8 *)page_address(site->pages[(addr ^ (addr + i)) >= PAGE_SIZE]) +
		                 offset_in_page(addr + i);
	return true;
}

static void site_put(struct copied_site *site)
{
	put_page(site->pages[0]);
	put_page(site->pages[1]);
}

/* The jump, or an int3 on it. */
static bool site_is_patched(const struct copied_site *site, const struct patch *patch)
{
	u32 i;

	for (i = 1; i < patch->jump_len; i++)
		if (*site->bytes[i] != patch->jump[i])
			return false;
	return *site->bytes[0] == patch->jump[0] || *site->bytes[0] == INT3;
}

static bool site_has_jump(struct mm_struct *mm, unsigned long addr, struct owned_file *file,
                          const struct patch *patch)
{
	struct copied_site site;
	bool has;

	if (!site_find(mm, addr, patch->jump_len, &site))
		return false;
	has = site_is_patched(&site, patch);
	site_put(&site);
	return has;
}

/* Under an int3, if it is not there already. */
static void site_write_old(struct owned_file *file, const struct patch *patch,
                           struct copied_site *site)
{
	u32 i;

	if (*site->bytes[0] == patch->jump[0]) {
		cookie_write(file, patch->offset, site->bytes, patch->old, patch->jump_len);
		return;
	}
	for (i = 1; i < patch->jump_len; i++)
		WRITE_ONCE(*site->bytes[i], patch->old[i]);
}

static bool site_restore(struct mm_struct *mm, unsigned long addr, struct owned_file *file,
                         const struct patch *patch)
{
	struct copied_site site;

	if (!site_find(mm, addr, patch->jump_len, &site))
		return false;
	if (site_is_patched(&site, patch))
		site_write_old(file, patch, &site);
	site_put(&site);
	return false;
}

/* All sites in taken mappings of the process, until `visit` says true; then this does. */
static bool sites_visit(struct mm_struct *mm,
                        bool (*visit)(struct mm_struct *, unsigned long addr, struct owned_file *,
                                      const struct patch *))
{
	struct owned_file *file;
	struct vm_area_struct *vma;
	struct patch *patch;
	int srcu = srcu_read_lock(&faults);
	bool found = false;
	VMA_ITERATOR(at, mm, 0);

	for_each_vma(at, vma) {
		if (!mapping_is_taken(vma))
			continue;
		file = mapping_file(vma);
		list_for_each_entry_srcu(patch, &file->patches, list,
		                         srcu_read_lock_held(&faults)) {
			if (found || !covers(vma, patch->offset >> PAGE_SHIFT))
				continue;
			found = visit(mm, address_of(vma, 0) + patch->offset, file, patch);
		}
	}
	srcu_read_unlock(&faults, srcu);
	return found;
}

bool private_has_sites(struct mm_struct *mm)
{
	return sites_visit(mm, site_has_jump);
}

/*
 * With all mmap locks (processes_lock_all). No site has one half in a copy and the other in a
 * shared page any more.
 */
void private_restore(struct mm_struct *mm)
{
	rcu_read_lock(); /* for the lock validator, which does not know of the mmap locks */
	sites_visit(mm, site_restore);
	rcu_read_unlock();
}
