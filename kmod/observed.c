// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * observed.c - nobody is shown a place in the code cache, and who is debugged runs the original.
 *
 * Handlers, core dumps and tracers get a thread's registers from the kernel's signal code, which a thread enters by
 * one function. There, before the first signal is taken, a thread that stands in a translation is led back to the
 * original: its state is exact, so only the instruction pointer changes. The function is met by a kprobe, in which
 * nobody may sleep; a task work, which the signal code itself does first, then looks the place up.
 *
 * A breakpoint must be met wherever it is set. So a process leaves as soon as it has for itself a page of which code was
 * translated, or as a tracer would have seen it in the cache: not in the callback that sees it, but a little later, by a worker.
 *
 * Who leaves (leave.c) has threads turn back that would stay inside for long.
 *
 * Invariant: `expected` counts the task works and workers that will still run the module's text.
 */
#include <linux/kprobes.h>
#include <linux/sched/mm.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/task_work.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>
#include "own.h"

static atomic_t expected;

void callback_begin(void)
{
	atomic_inc(&expected);
}

void callback_end(void)
{
	if (atomic_dec_and_test(&expected))
		wake_up_var(&expected);
}

/* ---- leaving, a little later ---- */

struct leaver {
	struct work_struct work;
	struct mm_struct *mm;
};

void observed_leave_now(struct mm_struct *mm)
{
	bool leaves_already = process_is_leaving(mm);

	if (leave_begin(mm) != DYNOPT_KMOD_NO_PROCESS && !leaves_already)
		count(DYNOPT_COUNTER_DEBUGGED, 1);
}

static void leave_now(struct work_struct *work)
{
	struct leaver *leaver = container_of(work, struct leaver, work);

	mutex_lock(&requests);
	observed_leave_now(leaver->mm);
	mutex_unlock(&requests);
	mmdrop(leaver->mm);
	kfree(leaver);
	callback_end();
}

void observed_leave(struct mm_struct *mm)
{
	struct leaver *leaver = kmalloc(sizeof(*leaver), GFP_ATOMIC | __GFP_NOWARN);

	if (!leaver) {
		count(DYNOPT_COUNTER_UNSEEN, 1);
		return;
	}
	mmgrab(mm);
	leaver->mm = mm;
	INIT_WORK(&leaver->work, leave_now);
	callback_begin();
	schedule_work(&leaver->work);
}

/* ---- places in the cache ---- */

/* Of the kernel's, with an address. */
static bool is_fault(const kernel_siginfo_t *info)
{
	return info->si_code > 0 && info->si_code < SI_KERNEL &&
	       (info->si_signo == SIGFPE || info->si_signo == SIGILL || info->si_signo == SIGTRAP ||
	        info->si_signo == SIGSEGV || info->si_signo == SIGBUS);
}

/* A signal of a fault may name the instruction, from before the thread was led back; nobody has taken it yet. */
static void correct_signals(u64 from, u64 to)
{
	struct sigqueue *queued;

	spin_lock_irq(&current->sighand->siglock);
	list_for_each_entry(queued, &current->pending.list, list)
		if (is_fault(&queued->info) && (u64)queued->info.si_addr == from)
			queued->info.si_addr = (void __user *)to;
	spin_unlock_irq(&current->sighand->siglock);
}

static void turn_back(struct mm_struct *mm, struct pt_regs *regs)
{
	struct vm_area_struct *vma;
	int index = srcu_read_lock(&faults);
	u64 origin = 0, at = regs->ip;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, at);
	if (vma && mapping_is_taken(vma)) {
		u64 base = vma->vm_start - ((u64)vma->vm_pgoff << PAGE_SHIFT);

		origin = patch_origin(mapping_file(vma), at - base);
		if (origin)
			regs->ip = base + origin;
	}
	mmap_read_unlock(mm);
	srcu_read_unlock(&faults, index);
	if (!origin)
		return;
	correct_signals(at, regs->ip);
	count(DYNOPT_COUNTER_TURNED, 1);
	/* Step by step it would come here again and again. */
	if (READ_ONCE(current->ptrace))
		observed_leave(mm);
}

static void before_signals(struct callback_head *work)
{
	kfree(work);
	if (current->mm)
		turn_back(current->mm, task_pt_regs(current));
	callback_end();
}

static int on_signals(struct kprobe *probe, struct pt_regs *unused)
{
	struct callback_head *work;

	if (!current->mm || !process_is_registered(current->mm))
		return 0;
	work = kmalloc(sizeof(*work), GFP_ATOMIC | __GFP_NOWARN);
	if (!work) {
		count(DYNOPT_COUNTER_UNSEEN, 1);
		return 0;
	}
	init_task_work(work, before_signals);
	callback_begin();
	if (task_work_add(current, work, TWA_NONE)) { /* it is ending */
		kfree(work);
		callback_end();
	}
	return 0;
}

/* ---- threads that are to turn back ---- */

/* One that is on its way to a thread; it may take as long as the thread sleeps. */
struct turning {
	struct callback_head work;
	struct list_head list; /* in turnings */
	const struct task_struct *thread; /* only compared */
};

static LIST_HEAD(turnings);
static DEFINE_SPINLOCK(turnings_lock);

static void turning_free(struct turning *turning)
{
	spin_lock(&turnings_lock);
	list_del(&turning->list);
	spin_unlock(&turnings_lock);
	kfree(turning);
}

static void turn_now(struct callback_head *work)
{
	turning_free(container_of(work, struct turning, work));
	if (current->mm)
		turn_back(current->mm, task_pt_regs(current));
	callback_end();
}

/* False: one is on its way to the thread already. */
static bool turning_add(struct turning *turning)
{
	struct turning *other;
	bool is_first = true;

	spin_lock(&turnings_lock);
	list_for_each_entry(other, &turnings, list)
		is_first &= other->thread != turning->thread;
	if (is_first)
		list_add(&turning->list, &turnings);
	spin_unlock(&turnings_lock);
	return is_first;
}

/* A sleep that signals may end ends; then the thread comes by the signal code. Without memory it is asked again later. */
void observed_turn(struct task_struct *thread)
{
	struct turning *turning = kmalloc(sizeof(*turning), GFP_KERNEL | __GFP_NOWARN);

	if (!turning)
		return;
	turning->thread = thread;
	if (!turning_add(turning)) {
		kfree(turning);
		return;
	}
	init_task_work(&turning->work, turn_now);
	callback_begin();
	if (task_work_add(thread, &turning->work, TWA_SIGNAL)) { /* it is ending */
		turning_free(turning);
		callback_end();
	}
}

static struct kprobe probe = {
	.symbol_name = "arch_do_signal_or_restart",
	.pre_handler = on_signals,
};

int observed_init(void)
{
	return register_kprobe(&probe);
}

/* When no process is registered any more. */
void observed_exit(void)
{
	unregister_kprobe(&probe);
	wait_var_event(&expected, !atomic_read(&expected));
}
