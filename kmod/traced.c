// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * traced.c - who is traced executes the original, and the tracer sees nothing else.
 *
 * A debugger reads what is at a place, writes a breakpoint there, and writes back what it read: so that must be the original. A process with
 * translations leaves in the call that begins to trace it, before that returns to the tracer: a kprobe at ptrace()'s entry queues a
 * task work, which the tracer does on its way out. Who is traced already is not registered (TRACED).
 *
 * Sites of which the bytes were given (PATCH) are left alone: tests look at them with tracers.
 */
#include <linux/kprobes.h>
#include <linux/pid.h>
#include <linux/ptrace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/task_work.h>
#include "own.h"

/* One call of ptrace(). */
struct attaching {
	struct callback_head work;
	pid_t number; /* in the caller's namespace; 0: the caller asks to be traced */
};

static struct task_struct *find_traced(pid_t number)
{
	struct pid *pid = number ? find_get_pid(number) : get_pid(task_pid(current));
	struct task_struct *task = get_pid_task(pid, PIDTYPE_PID);

	put_pid(pid);
	return task;
}

static void leave_if_traced(struct task_struct *task)
{
	struct mm_struct *mm = READ_ONCE(task->ptrace) ? get_task_mm(task) : NULL;

	if (!mm)
		return;
	mutex_lock(
		&requests); /* what is being published is there then, or will not come (patch_part_with_traced) */
	if (mappings_translated(mm))
		observed_leave_now(mm);
	mutex_unlock(&requests);
	mmput(mm);
}

static void after_attach(struct callback_head *work)
{
	struct attaching *attaching = container_of(work, struct attaching, work);
	struct task_struct *task = find_traced(attaching->number);

	if (task) {
		leave_if_traced(task);
		put_task_struct(task);
	}
	kfree(attaching);
	callback_end();
}

/* Of the call's own registers: request, number. */
static int on_ptrace(struct kprobe *probe, struct pt_regs *regs)
{
	const struct pt_regs *call = (const struct pt_regs *)regs->di;
	struct attaching *attaching;

	if (call->di != PTRACE_ATTACH && call->di != PTRACE_SEIZE && call->di != PTRACE_TRACEME)
		return 0;
	attaching = kmalloc(sizeof(*attaching), GFP_ATOMIC | __GFP_NOWARN);
	if (!attaching) {
		count(DYNOPT_COUNTER_UNSEEN, 1);
		return 0;
	}
	attaching->number = call->di == PTRACE_TRACEME ? 0 : call->si;
	init_task_work(&attaching->work, after_attach);
	callback_begin();
	if (task_work_add(current, &attaching->work, TWA_RESUME)) { /* it is ending */
		kfree(attaching);
		callback_end();
	}
	return 0;
}

bool traced_is(struct mm_struct *mm)
{
	struct task_struct *process, *thread;
	bool is = false;

	rcu_read_lock();
	for_each_process_thread(process, thread)
		if (READ_ONCE(thread->mm) == mm && READ_ONCE(thread->ptrace))
			is = true;
	rcu_read_unlock();
	return is;
}

static struct kprobe probe = {
	.symbol_name = "__x64_sys_ptrace",
	.pre_handler = on_ptrace,
};

int traced_init(void)
{
	return register_kprobe(&probe);
}

/* Before observed_exit(), which waits for what was queued. */
void traced_exit(void)
{
	unregister_kprobe(&probe);
}
