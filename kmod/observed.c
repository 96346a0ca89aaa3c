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

static void one_less(void)
{
	if (atomic_dec_and_test(&expected))
		wake_up_var(&expected);
}

/* ---- leaving, a little later ---- */

struct leaver {
	struct work_struct work;
	struct mm_struct *mm;
};

static void leave_now(struct work_struct *work)
{
	struct leaver *leaver = container_of(work, struct leaver, work);

	mutex_lock(&requests);
	if (leave_process(leaver->mm) == DYNOPT_KMOD_OK)
		count(DYNOPT_COUNTER_DEBUGGED, 1);
	mutex_unlock(&requests);
	mmdrop(leaver->mm);
	kfree(leaver);
	one_less();
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
	atomic_inc(&expected);
	schedule_work(&leaver->work);
}

/* ---- places in the cache ---- */

static void turn_back(struct mm_struct *mm, struct pt_regs *regs)
{
	struct vm_area_struct *vma;
	int index = srcu_read_lock(&faults);
	u64 origin = 0;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, regs->ip);
	if (vma && mapping_is_taken(vma)) {
		u64 base = vma->vm_start - ((u64)vma->vm_pgoff << PAGE_SHIFT);

		origin = patch_origin(mapping_file(vma), regs->ip - base);
		if (origin)
			regs->ip = base + origin;
	}
	mmap_read_unlock(mm);
	srcu_read_unlock(&faults, index);
	if (!origin)
		return;
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
	one_less();
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
	atomic_inc(&expected);
	if (task_work_add(current, work, TWA_NONE)) { /* it is ending */
		kfree(work);
		one_less();
	}
	return 0;
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
