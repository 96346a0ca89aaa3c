/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * compat.h - everything in which kernels differ; written for Debian 12's 6.1.
 *
 * Later kernels: the module builds (6.12 is tried) and loads, says that it takes over nothing, and
 * refuses to register anybody (KERNEL). What stands against it:
 *   6.4  5e31275cc997 "mm: add per-VMA lock": faults may run without the mmap lock, and who holds
 *        that for writing excludes none. take() and mappings_restore() would need
 *        vma_start_write(), which is inline up to 6.14; faults of ours would have to insist on the mmap
 *        lock (VM_FAULT_RETRY). The cookie would need all taken mappings' locks, too, for a
 *        write to a private mapping copies under that lock alone.
 *   6.5  0d940a9b270b: pte_offset_map_lock() may fail, and what it calls is not exported: whether
 *        a page is private cannot be seen.
 *   6.3  7d4a8be0c4b2: an invalidation's range has no mapping any more.
 * What is only written otherwise:
 *   6.7  c42d50aefd17 "mm: shrinker: add infrastructure for dynamically allocating shrinker"
 * Nothing of this can be tried in the guest, whose kernel is 6.1.
 */
#ifndef DYNOPT_KMOD_COMPAT_H
#define DYNOPT_KMOD_COMPAT_H

#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "dynopt.ko needs Linux 6.1: older kernels keep mappings in another structure"
#endif
#define TAKES_OVER (LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0))

/* NULL: it cannot be known. */
static inline pte_t *pte_lock(struct mm_struct *mm, pmd_t *pmd, unsigned long addr,
                              spinlock_t **lock)
{
#if TAKES_OVER
	return pte_offset_map_lock(mm, pmd, addr, lock);
#else
	*lock = NULL;
	return NULL;
#endif
}

/* With the mmap lock. */
static inline struct vm_area_struct *range_vma(const struct mmu_notifier_range *range)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
	return range->vma;
#else
	return vma_lookup(range->mm, range->start);
#endif
}

typedef unsigned long shrinker_fn(struct shrinker *, struct shrink_control *);

/* Or an error. */
static inline struct shrinker *shrinker_begin(const char *name, shrinker_fn *count_objects,
                                              shrinker_fn *scan_objects)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	struct shrinker *shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);
	int error;
#else
	struct shrinker *shrinker = shrinker_alloc(0, "%s", name);
#endif

	if (!shrinker)
		return ERR_PTR(-ENOMEM);
	shrinker->count_objects = count_objects;
	shrinker->scan_objects = scan_objects;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	shrinker->seeks = DEFAULT_SEEKS;
	error = register_shrinker(shrinker, "%s", name);
	if (error) {
		kfree(shrinker);
		return ERR_PTR(error);
	}
#else
	shrinker_register(shrinker);
#endif
	return shrinker;
}

static inline void shrinker_end(struct shrinker *shrinker)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	unregister_shrinker(shrinker);
	kfree(shrinker);
#else
	shrinker_free(shrinker);
#endif
}

/* mmap_assert_write_locked() calls dump_mm(), which is not exported, under CONFIG_DEBUG_VM. */
static inline void assert_mmap_write(struct mm_struct *mm)
{
	lockdep_assert_held_write(&mm->mmap_lock);
}

#endif
