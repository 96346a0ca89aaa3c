// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * leave.c - how a process, or everybody, gets out of the module's pages.
 *
 *   0  sites across two pages are undone for everybody, and come back when all is done: a
 *      process may have one of the pages for itself, and its half and the shared one change
 *      together only in the gate
 *   1  sites read as the file has them, in pages and in private copies: nobody enters the
 *      code cache any more
 *   2  the cache is taken out of page tables again and again. A thread that stands in it
 *      meets the fault handler, which leads it back where the place has an original, and
 *      else lets it run on; when nobody is seen inside, nobody is
 *   3  mappings get their own operations back
 * Not seen: a context in a signal frame that a handler will return to. It finds int3 there.
 */
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include "own.h"

static unsigned long thread_ips(struct mm_struct *mm, unsigned long *ips, unsigned long room)
{
	struct task_struct *process, *thread;
	unsigned long n = 0;

	rcu_read_lock();
	for_each_process_thread(process, thread) {
		if (READ_ONCE(thread->mm) != mm)
			continue;
		if (n < room)
			ips[n] = task_pt_regs(thread)->ip;
		n++;
	}
	rcu_read_unlock();
	return n;
}

static bool ip_inside(struct mm_struct *mm, unsigned long ip)
{
	struct vm_area_struct *vma = vma_lookup(mm, ip);

	return vma && mapping_is_taken(vma) &&
	       patch_inside(mapping_file(vma),
	                    ip - vma->vm_start + ((u64)vma->vm_pgoff << PAGE_SHIFT));
}

/*
 * A thread in user mode has old registers saved, but cannot be inside: the cache is out of
 * all page tables, and on the way in is the fault handler, which saves them.
 */
static bool threads_inside(struct mm_struct *mm)
{
	unsigned long room = thread_ips(mm, NULL, 0) + 16, n, i;
	unsigned long *ips = kvcalloc(room, sizeof(*ips), GFP_KERNEL);
	bool inside = false;

	if (!ips)
		return true; /* not known: ask again */
	n = thread_ips(mm, ips, room);
	mmap_read_lock(mm);
	for (i = 0; i < min(n, room) && !inside; i++)
		inside = ip_inside(mm, ips[i]);
	mmap_read_unlock(mm);
	kvfree(ips);
	return inside || n > room;
}

static void unmap_all(bool cache)
{
	struct owned_file *file;

	for (file = file_next(NULL); file; file = file_next(file)) {
		if (cache)
			pages_unmap_cache(file);
		else
			pages_unmap_sites(file);
	}
}

static void suspend_crossing(void)
{
	struct owned_file *file;

	for (file = file_next(NULL); file; file = file_next(file))
		patch_suspend_crossing(file);
}

static void resume_crossing(void)
{
	struct owned_file *file;

	for (file = file_next(NULL); file; file = file_next(file))
		patch_resume_crossing(file);
}

static void restore_mappings(struct mm_struct *mm)
{
	mmap_write_lock(mm);
	if (process_is_registered(mm)) {
		mappings_restore(mm);
		process_forget(mm);
	}
	mmap_write_unlock(mm);
}

static void wait_a_little(void)
{
	count(DYNOPT_COUNTER_WAITED, 1);
	schedule_timeout_uninterruptible(1);
}

static void restore_private(struct mm_struct *mm)
{
	processes_lock_all(false);
	if (process_is_registered(mm))
		private_restore(mm);
	processes_unlock_all();
}

static enum dynopt_kmod_status leave_cache(struct mm_struct *mm)
{
	for (unmap_all(true); threads_inside(mm); unmap_all(true)) {
		if (fatal_signal_pending(current))
			return DYNOPT_KMOD_INTERRUPTED;
		wait_a_little();
	}
	restore_mappings(mm);
	unmap_all(true);
	return DYNOPT_KMOD_OK;
}

/* After INTERRUPTED the process is still registered, with originals. */
enum dynopt_kmod_status leave_process(struct mm_struct *mm)
{
	enum dynopt_kmod_status status;

	if (!process_is_registered(mm))
		return DYNOPT_KMOD_NO_PROCESS;
	suspend_crossing();
	process_set_leaving(mm);
	unmap_all(false);
	restore_private(mm);
	status = leave_cache(mm);
	resume_crossing();
	return status;
}

/* Copies of copies are made by forks meanwhile: again, until no fork came between. */
static void restore_private_everywhere(void)
{
	struct mm_struct **all, **at;
	u64 forks;

	do {
		forks = counted(DYNOPT_COUNTER_FORKED);
		all = processes_all(NULL);
		if (!all) {
			wait_a_little();
			forks = ~0ULL;
			continue;
		}
		for (at = all; *at; at++)
			restore_private(*at);
		processes_drop(all);
	} while (forks != counted(DYNOPT_COUNTER_FORKED));
}

static bool anybody_inside(void)
{
	struct mm_struct **all = processes_all(NULL), **at;
	bool inside = !all;

	for (at = all; at && *at && !inside; at++)
		inside = threads_inside(*at);
	if (all)
		processes_drop(all);
	return inside;
}

/* At unload: the device is gone, so nobody comes in but by fork. */
void leave_all(void)
{
	struct mm_struct **all, **at;

	mutex_lock(&requests);
	suspend_crossing();
	WRITE_ONCE(leave_state, LEAVE_SITES);
	unmap_all(false);
	restore_private_everywhere();
	for (unmap_all(true); anybody_inside(); unmap_all(true))
		wait_a_little();
	WRITE_ONCE(leave_state, LEAVE_MAPPINGS);
	while (!processes_empty()) {
		all = processes_all(NULL);
		if (!all) {
			wait_a_little();
			continue;
		}
		unmap_all(true);
		for (at = all; *at; at++)
			restore_mappings(*at);
		processes_drop(all);
	}
	mutex_unlock(&requests);
}
