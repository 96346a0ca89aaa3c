// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * cookie.c - a site changes in place, while threads execute it, and nothing is allocated.
 *
 *   1  int3 over the first byte: whoever comes traps, and tries again at the site
 *   2  the rest
 *   3  the first byte
 * each seen by every processor before the next. All registered processes' mmap locks are held
 * (processes_lock_all), so nobody can copy the page meanwhile, by a write, a debugger or a
 * uprobe, and keep the int3; nobody forks or reads the page from another process; and the trap
 * handler can look for its mapping. The writer is not preempted: a thread of whatever priority
 * traps for a few microseconds. The handler runs with interrupts off, so after the last round
 * no trap is on its way. A thread with an int3 of its own there traps a little later.
 */
#include <linux/kdebug.h>
#include <linux/smp.h>
#include <asm/sync_core.h>
#include "own.h"

static struct {
	struct owned_file *file; /* NULL: there is none */
	u64 offset;
} cookie;

static bool is_under_cookie(struct owned_file *file, unsigned long addr)
{
	struct vm_area_struct *vma;

	/* Of others the mmap lock is not held. */
	if (!process_is_registered(current->mm))
		return false;
	vma = vma_lookup(current->mm, addr);
	return vma && vma->vm_ops == &file->ops &&
	       addr - vma->vm_start + ((u64)vma->vm_pgoff << PAGE_SHIFT) == cookie.offset;
}

static int cookie_trap(struct notifier_block *block, unsigned long why, void *data)
{
	struct pt_regs *regs = ((struct die_args *)data)->regs;
	struct owned_file *file = smp_load_acquire(&cookie.file); /* pairs with cookie_write() */

	if (!file || why != DIE_INT3 || !user_mode(regs) || !is_under_cookie(file, regs->ip - 1))
		return NOTIFY_DONE;
	count(DYNOPT_COUNTER_TRAPPED, 1);
	cpu_relax();
	regs->ip--;
	return NOTIFY_STOP;
}

static void sync_one(void *unused)
{
	sync_core();
}

static void sync_all(void)
{
	on_each_cpu(sync_one, NULL, 1);
}

void cookie_write(struct owned_file *file, u64 offset, u8 *const *site, const u8 *bytes, u32 len)
{
	u32 i;

	preempt_disable();
	cookie.offset = offset;
	smp_store_release(&cookie.file, file); /* pairs with cookie_trap() */
	WRITE_ONCE(*site[0], INT3); /* 1 */
	sync_all();
	for (i = 1; i < len; i++)
		WRITE_ONCE(*site[i], bytes[i]); /* 2 */
	sync_all();
	WRITE_ONCE(*site[0], bytes[0]); /* 3 */
	sync_all();
	smp_store_release(&cookie.file, NULL);
	sync_all(); /* no handler looks at mappings any more */
	preempt_enable();
	count(DYNOPT_COUNTER_COOKIES, 1);
}

static struct notifier_block cookie_block = {
	.notifier_call = cookie_trap,
	.priority = INT_MAX, /* before uprobes, which take every int3 for theirs */
};

int cookie_init(void)
{
	return register_die_notifier(&cookie_block);
}

void cookie_exit(void)
{
	unregister_die_notifier(&cookie_block);
}
