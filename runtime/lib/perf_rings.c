/* SPDX-License-Identifier: MIT */
/*
 * perf_rings.c - see perf_rings.h; the rings' protocol is that of perf_event_open(2), "MMAP layout".
 */
#include "perf_rings.h"

#include "sys.h"
#include "world.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

static long open_event(struct perf_event_attr attr, int pid, u32 cpu)
{
	long fd;

	attr.size = sizeof(attr);
	attr.exclude_kernel = 1;
	attr.exclude_hv = 1;
	attr.inherit = 1;
	attr.inherit_thread = 1; /* not by processes; Linux 5.13 */
	fd = sys6(SYS_perf_event_open, (long)&attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC, 0);
	if (fd != -EINVAL)
		return fd;
	attr.inherit_thread = 0;
	return sys6(SYS_perf_event_open, (long)&attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC, 0);
}

static long open_ring(struct perf_rings *rings, const struct perf_event_attr *attr, u32 cpu)
{
	long fd = open_event(*attr, rings->pid, cpu), page;

	if (sys_failed(fd))
		return fd;
	page = sys_mmap(0, (1 + (u64)rings->pages) * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
	                (int)fd, 0);
	if (sys_failed(page)) {
		sys_close((int)fd);
		return page;
	}
	rings->at[rings->n].fd = (int)fd;
	rings->at[rings->n].page = (struct perf_event_mmap_page *)page;
	rings->n++;
	return 0;
}

/* CPUs are numbered with gaps at most where some are offline: those refuse with ENODEV. */
long perf_rings_open(struct perf_rings *rings, const struct perf_event_attr *attr, int pid,
                     u32 pages)
{
	long first = 0;

	rings->n = 0;
	rings->pages = pages;
	rings->pid = pid;
	rings->lost = 0;
	rings->layout = (struct perf_layout){ attr->sample_type, attr->sample_regs_user };
	if (!perf_layout_known(&rings->layout))
		return -EINVAL;
	for (u32 cpu = 0; cpu < PERF_CPUS_MAX; cpu++) {
		long result = open_ring(rings, attr, cpu);

		if (result == -EINVAL && cpu > 0) /* beyond the last CPU that there can be */
			break;
		if (sys_failed(result) && !first)
			first = result;
		if (sys_failed(result) && result != -ENODEV)
			break;
	}
	return rings->n ? 0 : first;
}

void perf_rings_period(const struct perf_rings *rings, u64 period)
{
	for (u32 i = 0; i < rings->n; i++)
		sys6(SYS_ioctl, rings->at[i].fd, PERF_EVENT_IOC_PERIOD, (long)&period, 0, 0, 0);
}

void perf_rings_rest(const struct perf_rings *rings, bool rest)
{
	for (u32 i = 0; i < rings->n; i++)
		sys6(SYS_ioctl, rings->at[i].fd,
		     rest ? PERF_EVENT_IOC_DISABLE : PERF_EVENT_IOC_ENABLE, 0, 0, 0, 0);
}

static void count(struct perf_rings *rings, const struct perf_found *found)
{
	if (found->kind == PERF_KIND_LOST)
		rings->lost += found->lost;
	else if (found->kind == PERF_KIND_BROKEN || found->kind == PERF_KIND_LOOSE)
		rings->lost++;
}

void perf_rings_read(struct perf_rings *rings,
                     void (*take)(void *ctx, const struct perf_sample *sample), void *ctx)
{
	static struct perf_found found;

	for (u32 i = 0; i < rings->n; i++) {
		struct perf_event_mmap_page *page = rings->at[i].page;
		struct perf_ring ring = { (const u8 *)page + PAGE_SIZE, rings->pages * PAGE_SIZE };
		u64 head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
		u64 at = page->data_tail;

		while (perf_next(&ring, &rings->layout, &at, head, &found)) {
			if (found.kind == PERF_KIND_SAMPLE && found.sample.pid == (u32)rings->pid)
				take(ctx, &found.sample);
			else
				count(rings, &found);
		}
		__atomic_store_n(&page->data_tail, head, __ATOMIC_RELEASE);
	}
}

void perf_rings_close(struct perf_rings *rings)
{
	for (u32 i = 0; i < rings->n; i++) {
		sys_munmap((u64)(uintptr_t)rings->at[i].page, (1 + (u64)rings->pages) * PAGE_SIZE);
		sys_close(rings->at[i].fd);
	}
	rings->n = 0;
}
