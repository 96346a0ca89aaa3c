/* SPDX-License-Identifier: MIT */
/*
 * still.c - see still.h; perf_event_open(2), sched_setaffinity(2).
 */
#include "still.h"

#include "sys.h"
#include "walker.h"
#include "world.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define PERIOD_NS 1000000u
#define AT_ONCE_NS \
	(PERIOD_NS / \
	 8) /* of CPU time: the interrupt, and the agent's awakening, where the kernel is slow */
#define PAGES 4 /* for 18 samples */
#define CPUS 8192u

/* Processors, one bit for each. */
struct cpus {
	u8 bits[CPUS / 8];
};

static struct {
	int fd, tid; /* tid: 0: nothing is open */
	struct perf_event_mmap_page *page;
	struct perf_found found;
	struct cpus before;
	long n_before; /* bytes of it that the kernel has written; not more than 0: where the agent may run is not known, and left alone */
	u32 cpu; /* the agent's; CPUS: any */
	u64 ran_ns; /* CPU time of the thread, when the agent began to look at it */
} still;

static const struct perf_event_attr event = {
	.type = PERF_TYPE_SOFTWARE,
	.size = sizeof(struct perf_event_attr),
	.config = PERF_COUNT_SW_CPU_CLOCK,
	.sample_period = PERIOD_NS,
	.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_CPU | PERF_SAMPLE_READ |
	               PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
	.sample_regs_user = WALKER_REGS,
	.sample_stack_user = WALKER_STACK,
	.disabled = 1,
	.exclude_kernel = 1,
	.exclude_hv = 1,
	.wakeup_events = 1,
};

long still_open(int tid)
{
	long page,
		fd = sys6(SYS_perf_event_open, (long)&event, tid, -1, -1, PERF_FLAG_FD_CLOEXEC, 0);

	if (sys_failed(fd))
		return fd;
	page = sys_mmap(0, (1 + PAGES) * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
	if (sys_failed(page)) {
		sys_close((int)fd);
		return page;
	}
	still.fd = (int)fd;
	still.tid = tid;
	still.page = (struct perf_event_mmap_page *)page;
	return 0;
}

/* Who goes before all others would keep the agent from its processor, and from whoever waits for the agent. */
static bool is_ordinary(int tid)
{
	long policy = sys6(SYS_sched_getscheduler, tid, 0, 0, 0, 0, 0);

	return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE;
}

bool still_begin(int tid)
{
	if (!is_ordinary(tid))
		return false;
	if (still.tid != tid) {
		still_close();
		if (sys_failed(still_open(tid)))
			return false;
	}
	still.cpu = CPUS;
	still.n_before =
		sys6(SYS_sched_getaffinity, 0, sizeof(still.before), (long)&still.before, 0, 0, 0);
	return !sys_failed(sys6(SYS_ioctl, still.fd, PERF_EVENT_IOC_ENABLE, 0, 0, 0, 0));
}

/* The last one that has come in, as the thread has left all others; NULL: none has. */
static const struct perf_sample *newest(void)
{
	const struct perf_layout layout = { event.sample_type, event.sample_regs_user };
	const struct perf_ring ring = { (const u8 *)still.page + PAGE_SIZE, PAGES * PAGE_SIZE };
	u64 head = __atomic_load_n(&still.page->data_head, __ATOMIC_ACQUIRE);
	u64 at = still.page->data_tail;
	bool any = false;

	while (perf_next(&ring, &layout, &at, head, &still.found))
		any = still.found.kind == PERF_KIND_SAMPLE;
	__atomic_store_n(&still.page->data_tail, head, __ATOMIC_RELEASE);
	return any ? &still.found.sample : NULL;
}

/* To the processor where the thread is. False: the agent was there. */
static bool follow(u32 cpu)
{
	struct cpus one = { { 0 } };

	if (cpu == still.cpu || cpu >= CPUS || still.n_before <= 0)
		return false;
	one.bits[cpu / 8] = (u8)(1u << cpu % 8);
	still.cpu = cpu;
	return !sys_failed(sys6(SYS_sched_setaffinity, 0, sizeof(one), (long)&one, 0, 0, 0));
}

/* CPU time of the thread since the event was made; it does not move while the thread waits. 0: not known. */
static u64 ran_ns(void)
{
	u64 ns = 0;

	return sys_read(still.fd, &ns, sizeof(ns)) == sizeof(ns) ? ns : 0;
}

const struct perf_sample *still_next(u32 ms)
{
	const struct perf_sample *sample;
	struct timespec left = { 0, (long)ms * 1000000 };
	struct pollfd poll = { still.fd, POLLIN, 0 };

	for (;;) {
		long n = sys6(SYS_ppoll, (long)&poll, 1, (long)&left, 0, 0,
		              0); /* the kernel counts `left` down */

		if (n != 1 || !(poll.revents & POLLIN))
			return NULL;
		sample = newest();
		if (!sample || follow(sample->cpu))
			continue;
		still.ran_ns = ran_ns();
		return sample;
	}
}

bool still_stands(void)
{
	u64 now = ran_ns();

	return now && now == still.ran_ns && now - still.found.sample.value < AT_ONCE_NS;
}

void still_end(void)
{
	sys6(SYS_ioctl, still.fd, PERF_EVENT_IOC_DISABLE, 0, 0, 0, 0);
	if (still.cpu != CPUS)
		sys6(SYS_sched_setaffinity, 0, still.n_before, (long)&still.before, 0, 0, 0);
	(void)newest();
}

void still_close(void)
{
	if (!still.tid)
		return;
	sys_munmap((u64)(uintptr_t)still.page, (1 + PAGES) * PAGE_SIZE);
	sys_close(still.fd);
	still.tid = 0;
}
