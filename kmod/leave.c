// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * leave.c - how a process, or everybody, gets out of the module's pages.
 *
 *   0  sites across two pages are undone for everybody, and come back after 1: a process may have
 *      one of the pages for itself, and its half and the shared one change together only in the gate
 *   1  sites read as the file has them, in pages and in private copies: nobody enters the
 *      code cache any more
 *   2  the cache is taken out of page tables. A thread that stands in it meets the fault handler, which
 *      leads it back where the place has an original, and else lets it run on; a thread that would stay
 *      is asked to turn back. Again and again, until nobody is seen inside: then nobody is
 *   3  mappings get their own operations back
 * A thread may stay inside for as long as it likes: in a fault that its owner does not let end, or stopped where there is no original.
 * So 2 and 3 are tried, not waited for, and what was not done is tried again later, by a worker, until it is done or the process ends.
 * Meanwhile it is *leaving*: it executes originals, its children are none of the module's, and it does not come back.
 * Not seen: a context in a signal frame that a handler will return to. It finds int3 there.
 */
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include "own.h"
#include "policy.h"

#define PAUSE_MAX HZ /* ticks between two tries of the worker */
#define UNLOAD_PATIENCE (10 * HZ) /* tries, a tick each, until the log says who is waited for */

/* Where a thread was when it entered the kernel. */
struct place {
	struct task_struct *thread; /* held */
	unsigned long ip;
};

static unsigned long threads_of(struct mm_struct *mm, struct place *places, unsigned long room)
{
	struct task_struct *process, *thread;
	unsigned long n = 0;

	rcu_read_lock();
	for_each_process_thread(process, thread) {
		if (READ_ONCE(thread->mm) != mm || (thread->flags & PF_KTHREAD))
			continue;
		if (n < room)
			places[n] =
				(struct place){ get_task_struct(thread), task_pt_regs(thread)->ip };
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

enum inside {
	INSIDE_NOBODY,
	INSIDE_UNKNOWN, /* no memory, or too many new threads: ask again */
	INSIDE_SOMEBODY, /* *who is the last one's number; all were asked to turn back */
};

/*
 * A thread in user mode has old registers saved, but cannot be inside if the cache is out of
 * all page tables: on the way in is the fault handler, which saves them.
 */
static enum inside threads_inside(struct mm_struct *mm, pid_t *who)
{
	unsigned long room = threads_of(mm, NULL, 0) + 16, n, i;
	struct place *places = kvcalloc(room, sizeof(*places), GFP_KERNEL);
	enum inside inside;

	if (!places)
		return INSIDE_UNKNOWN;
	n = threads_of(mm, places, room);
	inside = n > room ? INSIDE_UNKNOWN : INSIDE_NOBODY;
	mmap_read_lock(mm);
	for (i = 0; i < min(n, room); i++) {
		if (ip_inside(mm, places[i].ip)) {
			inside = INSIDE_SOMEBODY;
			*who = task_pid_nr(places[i].thread);
			observed_turn(places[i].thread);
		}
		put_task_struct(places[i].thread);
	}
	mmap_read_unlock(mm);
	kvfree(places);
	return inside;
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

/* Copies that are made from now on have originals: all mmap locks are needed only if there is one already. */
static bool has_copied_sites(struct mm_struct *mm)
{
	bool has;

	mmap_write_lock(mm);
	has = process_is_registered(mm) && private_has_sites(mm);
	mmap_write_unlock(mm);
	return has;
}

static void begin(struct mm_struct *mm)
{
	suspend_crossing();
	process_set_leaving(mm);
	unmap_all(false);
	if (has_copied_sites(mm))
		restore_private(mm);
	resume_crossing();
	sampler_end(process_swap_sampler(mm, NULL));
}

/* The cache stays in page tables as long as somebody is seen inside: others need not fault for one who sleeps there. */
static bool try_to_finish(struct mm_struct *mm)
{
	pid_t who;

	if (threads_inside(mm, &who))
		return false;
	unmap_all(true);
	if (threads_inside(mm, &who))
		return false;
	restore_mappings(mm);
	unmap_all(true);
	return true;
}

static void finish_later(struct work_struct *work);
static DECLARE_DELAYED_WORK(finishing, finish_later);
static unsigned long finish_pause; /* ticks; requests */

static bool try_to_finish_all(void)
{
	struct mm_struct **all = processes_all(NULL), **at;
	bool is_done = all;

	for (at = all; at && *at; at++)
		if (process_is_registered(*at) && process_is_leaving(*at))
			is_done &= try_to_finish(*at);
	if (all)
		processes_drop(all);
	return is_done;
}

/*
 * It may wait for long while somebody unloads, who waits for everybody himself: not in a sleep that the kernel takes for a hang. Nobody
 * sends signals to a worker.
 */
static void finish_later(struct work_struct *work)
{
	if (mutex_lock_killable(&requests))
		return;
	if (!try_to_finish_all()) {
		finish_pause = min(finish_pause * 2, (unsigned long)PAUSE_MAX);
		schedule_delayed_work(&finishing, finish_pause);
	}
	mutex_unlock(&requests);
}

enum dynopt_kmod_status leave_begin(struct mm_struct *mm)
{
	lockdep_assert_held(&requests);
	if (!process_is_registered(mm))
		return DYNOPT_KMOD_NO_PROCESS;
	if (!process_is_leaving(mm))
		begin(mm);
	if (try_to_finish(mm))
		return DYNOPT_KMOD_OK;
	finish_pause = 1;
	mod_delayed_work(system_wq, &finishing, finish_pause);
	return DYNOPT_KMOD_LEAVING;
}

enum dynopt_kmod_status leave_process(struct mm_struct *mm)
{
	u64 end = ktime_get_ns() + (u64)READ_ONCE(policy.leave_ms) * NSEC_PER_MSEC;
	enum dynopt_kmod_status status;

	if (mutex_lock_interruptible(&requests))
		return DYNOPT_KMOD_INTERRUPTED;
	status = leave_begin(mm);
	while (status == DYNOPT_KMOD_LEAVING && ktime_get_ns() < end &&
	       !fatal_signal_pending(current)) {
		mutex_unlock(&requests);
		wait_a_little();
		mutex_lock(&requests);
		if (!process_is_registered(mm) || try_to_finish(mm))
			status = DYNOPT_KMOD_OK;
	}
	mutex_unlock(&requests);
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

static enum inside anybody_inside(pid_t *who)
{
	struct mm_struct **all = processes_all(NULL), **at;
	enum inside inside = all ? INSIDE_NOBODY : INSIDE_UNKNOWN;

	for (at = all; at && *at; at++)
		inside = max(inside, threads_inside(*at, who));
	if (all)
		processes_drop(all);
	return inside;
}

/* For as long as it takes: a thread inside would execute what is no longer there. */
static void wait_for_everybody(void)
{
	enum inside inside;
	u32 tries = 0;
	pid_t who;

	for (unmap_all(true); (inside = anybody_inside(&who)); unmap_all(true)) {
		if (++tries % UNLOAD_PATIENCE == 0 && inside == INSIDE_SOMEBODY)
			pr_notice(
				"dynopt: unloading waits for thread %d, which stands in a translation; it can be killed\n",
				who);
		wait_a_little();
	}
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
	wait_for_everybody();
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

void leave_exit(void)
{
	cancel_delayed_work_sync(&finishing);
}
