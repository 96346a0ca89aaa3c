// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * processes.c - the memory maps whose mappings may be taken over.
 *
 * A memory map is registered by request, or because it was forked from a registered one, and
 * stays so until it is unregistered or torn down. Then, at the start of exit_mmap(), all
 * mappings are given back, so that a map that is being torn down has nothing of the module's.
 * An MMU notifier tells of pages that became private. For one that it finds in its list at
 * the end the kernel waits for a grace period; but it tells interval notifiers first. So each
 * memory map has one of these, too, which takes the other out of the list. (Should a later
 * kernel have another order, the list's own release does the same, later.)
 *
 * Invariant: whatever has taken mappings is in the registry, or its mmap lock is held for
 * writing by the fork, split or exit that changes that.
 */
#include <linux/hashtable.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include "own.h"

#define LOCK_TRIES 1000

static DEFINE_HASHTABLE(processes, 8);
static unsigned long n_processes, n_leaving;
static struct workqueue_struct *removals;

static struct process *process_find(struct mm_struct *mm)
{
	struct process *process;

	lockdep_assert_held(&registry);
	hash_for_each_possible(processes, process, node, (unsigned long)mm)
		if (process->notifier.mm == mm)
			return process;
	return NULL;
}

static void process_drop(struct process *process)
{
	if (!refcount_dec_and_test(&process->watched))
		return;
	if (process->domain)
		domain_put(process->domain);
	kfree(process);
}

static void end_remove(struct work_struct *work)
{
	struct process *process = container_of(work, struct process, removal);

	mmu_interval_notifier_remove(&process->end);
	sampler_end(process->sampler);
	process_drop(process);
}

/*
 * With the mmap lock held for writing. Counted out last: who sees no process any more, at
 * unload, sees what is to be waited for.
 */
static void process_remove(struct mm_struct *mm)
{
	struct process *process;

	spin_lock(&registry);
	process = process_find(mm);
	if (process) {
		hash_del(&process->node);
		n_leaving -= process->leaving;
		count(DYNOPT_COUNTER_LEAVING, -(long)process->leaving);
	}
	spin_unlock(&registry);
	if (!process)
		return;
	queue_work(removals, &process->removal);
	mmu_notifier_put(&process->notifier);
	count(DYNOPT_COUNTER_PROCESSES, -1);
	spin_lock(&registry);
	n_processes--;
	spin_unlock(&registry);
}

static void give_back_at_end(struct mm_struct *mm)
{
	mmap_write_lock(mm);
	mappings_restore(mm);
	process_remove(mm);
	mmap_write_unlock(mm);
}

static void notifier_release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	give_back_at_end(mm);
}

/* Its range is the first page, where nothing is mapped: so this is called at the end only. */
static bool end_invalidate(struct mmu_interval_notifier *end,
                           const struct mmu_notifier_range *range, unsigned long seq)
{
	mmu_interval_set_seq(end, seq);
	if (range->event == MMU_NOTIFY_RELEASE)
		give_back_at_end(end->mm);
	return true;
}

static const struct mmu_interval_notifier_ops end_ops = { .invalidate = end_invalidate };

/* Uprobes and writes to private mappings announce the one page that becomes a copy. */
static void notifier_invalidate_end(struct mmu_notifier *notifier,
                                    const struct mmu_notifier_range *range)
{
	struct vm_area_struct *vma = range_vma(range);

	if (range->event == MMU_NOTIFY_CLEAR && range->end - range->start == PAGE_SIZE && vma &&
	    mapping_is_taken(vma))
		private_mend_breakpoint(vma, range->start);
}

static struct mmu_notifier *notifier_alloc(struct mm_struct *mm)
{
	struct process *process = kzalloc(sizeof(*process), GFP_KERNEL);

	if (!process)
		return ERR_PTR(-ENOMEM);
	INIT_WORK(&process->removal, end_remove);
	refcount_set(&process->watched, 1);
	return &process->notifier;
}

static void notifier_free(struct mmu_notifier *notifier)
{
	process_drop(container_of(notifier, struct process, notifier));
}

static const struct mmu_notifier_ops notifier_ops = {
	.release = notifier_release,
	.invalidate_range_end = notifier_invalidate_end,
	.alloc_notifier = notifier_alloc,
	.free_notifier = notifier_free,
};

static enum dynopt_kmod_status status_of(long error)
{
	return error == -EINTR ? DYNOPT_KMOD_INTERRUPTED : DYNOPT_KMOD_MEMORY;
}

/* With the mmap lock held for writing, so that there is one at a time for a memory map. */
static enum dynopt_kmod_status process_add(struct mm_struct *mm, struct domain *domain)
{
	struct mmu_notifier *notifier = mmu_notifier_get_locked(&notifier_ops, mm);
	struct process *process;
	int error;

	if (IS_ERR(notifier))
		return status_of(PTR_ERR(notifier));
	process = container_of(notifier, struct process, notifier);
	error = mmu_interval_notifier_insert_locked(&process->end, mm, 0, PAGE_SIZE, &end_ops);
	if (error) {
		mmu_notifier_put(notifier);
		return status_of(error);
	}
	refcount_inc(&process->watched);
	process->domain = domain_hold(domain);
	spin_lock(&registry);
	hash_add(processes, &process->node, (unsigned long)mm);
	n_processes++;
	spin_unlock(&registry);
	count(DYNOPT_COUNTER_PROCESSES, 1);
	return DYNOPT_KMOD_OK;
}

bool process_is_registered(struct mm_struct *mm)
{
	bool is;

	spin_lock(&registry);
	is = process_find(mm);
	spin_unlock(&registry);
	return is;
}

struct domain *process_domain(struct mm_struct *mm)
{
	struct domain *domain = NULL;
	struct process *process;

	spin_lock(&registry);
	process = process_find(mm);
	if (process)
		domain = domain_hold(process->domain);
	spin_unlock(&registry);
	return domain;
}

static bool process_is_in(struct mm_struct *mm, const struct domain *domain)
{
	struct process *process;
	bool is;

	spin_lock(&registry);
	process = process_find(mm);
	is = process && process->domain == domain;
	spin_unlock(&registry);
	return is;
}

enum dynopt_kmod_status process_register(struct mm_struct *mm, struct domain *domain)
{
	enum dynopt_kmod_status status = DYNOPT_KMOD_OK;

	if (!TAKES_OVER)
		return DYNOPT_KMOD_KERNEL;
	mmap_write_lock(mm);
	if (!process_is_registered(mm))
		status = process_add(mm, domain);
	else if (process_is_leaving(mm))
		status = DYNOPT_KMOD_LEAVING;
	else if (!process_is_in(mm, domain))
		status = DYNOPT_KMOD_DOMAIN;
	mmap_write_unlock(mm);
	return status;
}

/* A memory map that is registered stays for as long as the registry is locked. */
static bool grab_if_in(struct mm_struct *mm, const struct domain *domain)
{
	struct process *process;
	bool is;

	spin_lock(&registry);
	process = process_find(mm);
	is = process && process->domain == domain && !process->leaving;
	if (is)
		mmgrab(mm);
	spin_unlock(&registry);
	return is;
}

static bool is_stranger(struct task_struct *thread, const struct domain *domain)
{
	return !domain_has(domain, __task_cred(thread));
}

static bool is_traced(struct task_struct *thread, const struct domain *domain)
{
	return READ_ONCE(thread->ptrace);
}

static struct mm_struct *find_by_thread(const struct domain *domain,
                                        bool (*is_it)(struct task_struct *, const struct domain *))
{
	struct task_struct *process, *thread;
	struct mm_struct *mm, *found = NULL;

	rcu_read_lock();
	for_each_process_thread(process, thread) {
		mm = READ_ONCE(thread->mm);
		if (!mm || (thread->flags & PF_KTHREAD) || !is_it(thread, domain) ||
		    !grab_if_in(mm, domain))
			continue;
		found = mm;
		break;
	}
	rcu_read_unlock();
	return found;
}

struct mm_struct *process_find_stranger(const struct domain *domain)
{
	return find_by_thread(domain, is_stranger);
}

struct mm_struct *process_find_traced(const struct domain *domain)
{
	return find_by_thread(domain, is_traced);
}

/* A fork is not undone by a signal that merely waits, so it shall not stop this either. */
bool process_join(struct mm_struct *mm, struct domain *domain)
{
	enum dynopt_kmod_status status;
	sigset_t all, before;

	assert_mmap_write(mm);
	if (process_is_registered(mm))
		return true;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	status = process_add(mm, domain);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (!status)
		count(DYNOPT_COUNTER_FORKED, 1);
	return !status;
}

bool process_is_leaving(struct mm_struct *mm)
{
	struct process *process;
	bool is;

	if (READ_ONCE(leave_state) != LEAVE_NOT)
		return true;
	if (!READ_ONCE(n_leaving))
		return false;
	spin_lock(&registry);
	process = process_find(mm);
	is = process && process->leaving;
	spin_unlock(&registry);
	return is;
}

void process_set_leaving(struct mm_struct *mm)
{
	struct process *process;

	spin_lock(&registry);
	process = process_find(mm);
	if (process && !process->leaving) {
		process->leaving = true;
		WRITE_ONCE(n_leaving, n_leaving + 1);
		count(DYNOPT_COUNTER_LEAVING, 1);
	}
	spin_unlock(&registry);
}

void process_forget(struct mm_struct *mm)
{
	assert_mmap_write(mm);
	process_remove(mm);
}

void process_adopt(struct mm_struct *mm, struct owned_file *file)
{
	mmap_write_lock(mm);
	if (process_is_in(mm, file->domain) && !process_is_leaving(mm) &&
	    !private_in_process(mm, file))
		mappings_take(mm, file);
	mmap_write_unlock(mm);
}

bool processes_empty(void)
{
	return !READ_ONCE(n_processes);
}

struct mm_struct **processes_all(const struct domain *domain)
{
	unsigned long room = READ_ONCE(n_processes) + 16, n = 0;
	struct mm_struct **all;
	struct process *process;
	int bucket;

	for (;; room *= 2) {
		all = kvcalloc(room, sizeof(*all), GFP_KERNEL);
		if (!all)
			return NULL;
		spin_lock(&registry);
		if (n_processes < room)
			break;
		spin_unlock(&registry);
		kvfree(all);
	}
	hash_for_each(processes, bucket, process, node) {
		if (domain && process->domain != domain)
			continue;
		mmgrab(process->notifier.mm);
		all[n++] = process->notifier.mm;
	}
	spin_unlock(&registry);
	return all;
}

void processes_drop(struct mm_struct **all)
{
	struct mm_struct **at;

	for (at = all; *at; at++)
		mmdrop(*at);
	kvfree(all);
}

/*
 * The lock validator would count them all, of which it has room for 48: it is told that they
 * are let go, and taken again before that.
 */
static void hide_lock(struct mm_struct *mm)
{
	rwsem_release(&mm->mmap_lock.dep_map, _THIS_IP_);
}

static void unlock_hidden(struct mm_struct *mm)
{
	rwsem_acquire(&mm->mmap_lock.dep_map, 0, 1, _THIS_IP_);
	mmap_write_unlock(mm);
}

/* All but `held`, which the caller has locked and which is unlocked with them. */
static void unlock_until(const struct process *last, const struct mm_struct *held)
{
	struct process *process;
	int bucket;

	lockdep_assert_held(&registry);
	hash_for_each(processes, bucket, process, node) {
		if (process == last)
			return;
		if (process->notifier.mm != held)
			unlock_hidden(process->notifier.mm);
	}
}

/* All, by trying; or the first that is not to be had, grabbed, and no other than `held`. */
static struct mm_struct *lock_others(struct mm_struct *held, bool *held_is_one)
{
	struct mm_struct *missing = NULL, *mm;
	struct process *process;
	int bucket;

	*held_is_one = false;
	spin_lock(&registry);
	hash_for_each(processes, bucket, process, node) {
		mm = process->notifier.mm;
		if (mm == held) {
			*held_is_one = true;
			continue;
		}
		if (!down_write_trylock(&mm->mmap_lock)) {
			missing = mm;
			mmgrab(mm);
			unlock_until(process, held);
			break;
		}
		hide_lock(mm);
	}
	spin_unlock(&registry);
	return missing;
}

static void let_go(struct mm_struct *held)
{
	if (!held)
		return;
	mmap_write_unlock(held);
	mmdrop(held);
}

static bool wait_for(struct mm_struct *mm, bool killable)
{
	if (!killable)
		mmap_write_lock(mm);
	else if (mmap_write_lock_killable(mm))
		return false;
	return true;
}

/* It waits for one at a time, while it has no other, and then tries to have the rest. */
bool processes_lock_all(bool killable)
{
	struct mm_struct *held = NULL, *missing;
	bool held_is_one;
	u32 n;

	lockdep_assert_held(&requests);
	for (n = 0; !killable || n < LOCK_TRIES; n++) {
		missing = lock_others(held, &held_is_one);
		if (!missing) {
			if (held && held_is_one) {
				hide_lock(held);
				mmdrop(held); /* the registry has it */
			} else {
				let_go(held);
			}
			return true;
		}
		let_go(held);
		held = NULL;
		if (!wait_for(missing, killable)) {
			mmdrop(missing);
			return false;
		}
		held = missing;
	}
	let_go(held);
	return false;
}

/* Those that were locked: none has come or gone since. */
void processes_unlock_all(void)
{
	spin_lock(&registry);
	unlock_until(NULL, NULL);
	spin_unlock(&registry);
}

struct sampler *process_swap_sampler(struct mm_struct *mm, struct sampler *sampler)
{
	struct process *process;

	spin_lock(&registry);
	process = process_find(mm);
	if (process)
		swap(process->sampler, sampler);
	spin_unlock(&registry);
	return sampler;
}

struct sampler *process_get_sampler(struct mm_struct *mm)
{
	struct sampler *sampler = NULL;
	struct process *process;

	spin_lock(&registry);
	process = process_find(mm);
	if (process)
		sampler = process->sampler;
	if (sampler)
		sampler_hold(sampler);
	spin_unlock(&registry);
	return sampler;
}

int processes_init(void)
{
	removals = alloc_workqueue("dynopt", WQ_UNBOUND, 0);
	return removals ? 0 : -ENOMEM;
}

void processes_exit(void)
{
	destroy_workqueue(removals);
	mmu_notifier_synchronize();
}
