// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * sample.c - where a registered process executes, for those who may not use perf.
 *
 * Each of its threads has a kernel counter of the CPU clock; threads that come later get one when
 * the ring is read. What the counters meet in user mode goes into a ring of the process; what has no room there is
 * counted as lost, and what the ring holds is read by request. One sample a millisecond and
 * thread is the most that can be asked for. A sampler belongs to its process: it ends with it. It counts as long as
 * the descriptor by which it was started is open: nobody is sampled for who was killed.
 *
 * Invariant: the counters refer to the sampler, and are gone before it is.
 */
#include <linux/perf_event.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "own.h"
#include "request.h"

#define THREADS_MAX 64
#define SAMPLES_MAX 4096
#define AT_ONCE 32

struct counter {
	struct task_struct *thread; /* held; NULL: free */
	struct perf_event *event;
};

struct sampler {
	struct list_head list; /* in samplers */
	const struct file *owner; /* the device as it was opened; only compared */
	refcount_t held;
	u32 period_us;
	raw_spinlock_t lock; /* the ring; taken in interrupts */
	u32 first, n;
	u64 lost;
	struct mutex counting; /* counters and `ended`: a process ends at any time */
	bool ended;
	struct counter counters[THREADS_MAX];
	u64 ips[SAMPLES_MAX];
};

static LIST_HEAD(samplers);
static DEFINE_MUTEX(samplers_lock); /* around a sampler's `counting` */

static void on_sample(struct perf_event *counter, struct perf_sample_data *data,
                      struct pt_regs *regs)
{
	struct sampler *sampler = counter->overflow_handler_context;
	unsigned long flags;

	if (!user_mode(regs))
		return;
	raw_spin_lock_irqsave(&sampler->lock, flags);
	if (sampler->n < SAMPLES_MAX)
		sampler->ips[(sampler->first + sampler->n++) % SAMPLES_MAX] = regs->ip;
	else
		sampler->lost++;
	raw_spin_unlock_irqrestore(&sampler->lock, flags);
}

/* Each is to be put. */
static u32 threads_of(struct mm_struct *mm, struct task_struct **threads)
{
	struct task_struct *process, *thread;
	u32 n = 0;

	rcu_read_lock();
	for_each_process_thread(process, thread) {
		if (READ_ONCE(thread->mm) != mm || (thread->flags & PF_KTHREAD) || n == THREADS_MAX)
			continue;
		get_task_struct(thread);
		threads[n++] = thread;
	}
	rcu_read_unlock();
	return n;
}

static int counter_start(struct sampler *sampler, struct counter *counter,
                         struct task_struct *thread)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = (u64)sampler->period_us * NSEC_PER_USEC,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	struct perf_event *event =
		perf_event_create_kernel_counter(&attr, -1, thread, on_sample, sampler);

	if (IS_ERR(event))
		return PTR_ERR(event) == -ESRCH ? 0 : PTR_ERR(event); /* it has just ended */
	counter->event = event;
	counter->thread = get_task_struct(thread);
	return 0;
}

static void counter_end(struct counter *counter)
{
	if (!counter->thread)
		return;
	perf_event_release_kernel(counter->event);
	put_task_struct(counter->thread);
	counter->thread = NULL;
}

static struct counter *counter_for(struct sampler *sampler, const struct task_struct *thread)
{
	u32 i;

	for (i = 0; i < THREADS_MAX; i++)
		if (sampler->counters[i].thread == thread)
			return &sampler->counters[i];
	return NULL;
}

/* Counters for the threads that there are now, as far as there is room. */
static enum dynopt_kmod_status count_threads(struct sampler *sampler, struct mm_struct *mm)
{
	struct task_struct **threads = kvcalloc(THREADS_MAX, sizeof(*threads), GFP_KERNEL);
	struct counter *counter;
	int error = 0;
	u32 n, i;

	if (!threads)
		return DYNOPT_KMOD_MEMORY;
	mutex_lock(&sampler->counting);
	for (i = 0; i < THREADS_MAX; i++)
		if (sampler->counters[i].thread && !READ_ONCE(sampler->counters[i].thread->mm))
			counter_end(&sampler->counters[i]);
	n = threads_of(mm, threads);
	for (i = 0; i < n; i++) {
		counter = counter_for(sampler, NULL);
		if (!error && counter && !sampler->ended && !counter_for(sampler, threads[i]))
			error = counter_start(sampler, counter, threads[i]);
		put_task_struct(threads[i]);
	}
	mutex_unlock(&sampler->counting);
	kvfree(threads);
	return error ? DYNOPT_KMOD_MEMORY : DYNOPT_KMOD_OK;
}

static void sampler_put(struct sampler *sampler)
{
	if (refcount_dec_and_test(&sampler->held))
		kvfree(sampler);
}

void sampler_hold(struct sampler *sampler)
{
	refcount_inc(&sampler->held);
}

static void stop_counting(struct sampler *sampler)
{
	u32 i;

	mutex_lock(&sampler->counting);
	sampler->ended = true;
	for (i = 0; i < THREADS_MAX; i++)
		counter_end(&sampler->counters[i]);
	mutex_unlock(&sampler->counting);
}

/* By who took it from the process. */
void sampler_end(struct sampler *sampler)
{
	if (!sampler)
		return;
	mutex_lock(&samplers_lock);
	list_del(&sampler->list);
	mutex_unlock(&samplers_lock);
	stop_counting(sampler);
	count(DYNOPT_COUNTER_SAMPLERS, -1);
	sampler_put(sampler);
}

void samplers_close(const struct file *owner)
{
	struct sampler *sampler;

	mutex_lock(&samplers_lock);
	list_for_each_entry(sampler, &samplers, list)
		if (sampler->owner == owner)
			stop_counting(sampler);
	mutex_unlock(&samplers_lock);
}

static struct sampler *sampler_new(struct mm_struct *mm, u32 period_us, const struct file *owner)
{
	struct sampler *sampler = kvzalloc(sizeof(*sampler), GFP_KERNEL);

	if (!sampler)
		return NULL;
	refcount_set(&sampler->held, 1);
	raw_spin_lock_init(&sampler->lock);
	mutex_init(&sampler->counting);
	sampler->period_us = period_us;
	sampler->owner = owner;
	mutex_lock(&samplers_lock);
	list_add(&sampler->list, &samplers);
	mutex_unlock(&samplers_lock);
	count(DYNOPT_COUNTER_SAMPLERS, 1);
	if (count_threads(sampler, mm)) {
		sampler_end(sampler);
		return NULL;
	}
	return sampler;
}

/* Without a period it only ends the sampler that there is. */
static enum dynopt_kmod_status start(struct mm_struct *mm, u32 period_us, const struct file *owner)
{
	struct sampler *sampler = NULL, *before;

	if (!process_is_registered(mm) || process_is_leaving(mm))
		return DYNOPT_KMOD_NO_PROCESS;
	if (period_us) {
		sampler = sampler_new(mm, period_us, owner);
		if (!sampler)
			return DYNOPT_KMOD_MEMORY;
	}
	before = process_swap_sampler(mm, sampler);
	sampler_end(before);
	return sampler && before == sampler ? DYNOPT_KMOD_NO_PROCESS : DYNOPT_KMOD_OK;
}

static u32 take_some(struct sampler *sampler, u64 *ips, u32 most)
{
	unsigned long flags;
	u32 n;

	raw_spin_lock_irqsave(&sampler->lock, flags);
	for (n = 0; n < most && sampler->n; n++, sampler->n--) {
		ips[n] = sampler->ips[sampler->first];
		sampler->first = (sampler->first + 1) % SAMPLES_MAX;
	}
	raw_spin_unlock_irqrestore(&sampler->lock, flags);
	return n;
}

/* What is in translations becomes an address of the original, and is marked. */
static void find_origins(struct mm_struct *mm, u64 *ips, u32 n)
{
	int index = srcu_read_lock(&faults);
	u32 i;

	mmap_read_lock(mm);
	for (i = 0; i < n; i++) {
		struct vm_area_struct *vma = vma_lookup(mm, ips[i]);
		u64 base, origin;

		if (!vma || !mapping_is_taken(vma))
			continue;
		base = vma->vm_start - ((u64)vma->vm_pgoff << PAGE_SHIFT);
		origin = patch_origin(mapping_file(vma), ips[i] - base);
		if (origin)
			ips[i] = (base + origin) | DYNOPT_SAMPLE_INSIDE;
	}
	mmap_read_unlock(mm);
	srcu_read_unlock(&faults, index);
}

static enum dynopt_kmod_status read_ring(struct mm_struct *mm, struct dynopt_ioc_sample *request)
{
	struct sampler *sampler = process_get_sampler(mm);
	u64 __user *to = u64_to_user_ptr(request->ips);
	enum dynopt_kmod_status status;
	u64 some[AT_ONCE];
	u32 done = 0, n = 0;

	if (!sampler)
		return DYNOPT_KMOD_NOT_SAMPLED;
	if (READ_ONCE(sampler->ended)) {
		sampler_put(sampler);
		return DYNOPT_KMOD_NOT_SAMPLED;
	}
	status = count_threads(sampler, mm);
	while (!status && (n = take_some(sampler, some, min_t(u32, AT_ONCE, request->n - done)))) {
		find_origins(mm, some, n);
		if (copy_to_user(to + done, some, n * sizeof(*some)))
			status = DYNOPT_KMOD_BAD_ADDRESS;
		done += n;
	}
	request->n = done;
	request->lost = READ_ONCE(sampler->lost);
	sampler_put(sampler);
	return status;
}

enum dynopt_kmod_status sample_run(struct mm_struct *mm, struct dynopt_ioc_sample *request,
                                   const struct file *owner)
{
	enum dynopt_kmod_status status = request_sample(request);

	if (status)
		return status;
	if (request->flags == DYNOPT_SAMPLE_READ)
		return read_ring(mm, request);
	return start(mm, request->period_us, owner);
}
