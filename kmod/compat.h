/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * compat.h - everything in which kernels differ; written for Debian 12's 6.1.
 *
 * Later kernels:
 *   6.4  5e31275cc997 "mm: add per-VMA lock": faults may run without the mmap lock, and a
 *        module cannot take a VMA's lock (__vma_start_write is not exported). Putting other
 *        operations into a live mapping would race with them, so there is no taking over.
 *   6.5  0d940a9b270b: pte_offset_map() may fail and is not exported.
 */
#ifndef DYNOPT_KMOD_COMPAT_H
#define DYNOPT_KMOD_COMPAT_H

#include <linux/lockdep.h>
#include <linux/mm_types.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "dynopt.ko needs Linux 6.1: older kernels keep mappings in another structure"
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
#error "dynopt.ko cannot take over mappings safely under per-VMA locks (Linux 6.4 and later)"
#endif

/* mmap_assert_write_locked() calls dump_mm(), which is not exported, under CONFIG_DEBUG_VM. */
static inline void assert_mmap_write(struct mm_struct *mm)
{
	lockdep_assert_held_write(&mm->mmap_lock);
}

#endif
