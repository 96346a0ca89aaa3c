/* SPDX-License-Identifier: MIT */
/*
 * sampler_ip.c - the software event cpu-clock of perf_event_open(2), user mode only: one event and one ring for each CPU, inherited by
 * threads that are made later. Needs no hardware counter, and no privilege while perf_event_paranoid is at most 2. The ring's protocol
 * is that of perf_event_open(2), "MMAP layout".
 */
#include "sampler.h"

#include "sys.h"
#include "world.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define CPUS_MAX 256
#define RING_PAGES 8
#define FIRST_PERIOD_NS 1000000u

struct ring {
	int fd;
	struct perf_event_mmap_page *page;
};

/* What PERF_SAMPLE_IP | PERF_SAMPLE_TID lays down. */
struct sample {
	struct perf_event_header header;
	u64 ip;
	u32 pid, tid;
};

static struct ring rings[CPUS_MAX];
static u32 n_rings;
static int sampled_pid;

static long open_event(int pid, u32 cpu, u64 period_ns)
{
	struct perf_event_attr attr = { 0 };
	long fd;

	attr.type = PERF_TYPE_SOFTWARE;
	attr.size = sizeof(attr);
	attr.config = PERF_COUNT_SW_CPU_CLOCK;
	attr.sample_period = period_ns;
	attr.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID;
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

static long open_ring(int pid, u32 cpu, u64 period_ns)
{
	long fd = open_event(pid, cpu, period_ns), page;

	if (sys_failed(fd))
		return fd;
	page = sys_mmap(0, (1 + RING_PAGES) * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
	                (int)fd, 0);
	if (sys_failed(page)) {
		sys_close((int)fd);
		return page;
	}
	rings[n_rings++] = (struct ring){ (int)fd, (struct perf_event_mmap_page *)page };
	return 0;
}

/* CPUs are numbered with gaps at most where some are offline: those refuse with ENODEV. */
static long ip_open(int pid)
{
	long first = 0;

	sampled_pid = pid;
	for (u32 cpu = 0; cpu < CPUS_MAX; cpu++) {
		long result = open_ring(pid, cpu, FIRST_PERIOD_NS);

		if (result == -EINVAL && cpu > 0) /* beyond the last CPU that there can be */
			break;
		if (sys_failed(result) && !first)
			first = result;
		if (sys_failed(result) && result != -ENODEV)
			break;
	}
	return n_rings ? 0 : first;
}

static u64 ip_period(u64 period_ns)
{
	for (u32 i = 0; i < n_rings; i++)
		sys6(SYS_ioctl, rings[i].fd, PERF_EVENT_IOC_PERIOD, (long)&period_ns, 0, 0, 0);
	return period_ns;
}

/* Bytes of the ring from `at` on, which may go round its end. */
static void copy_out(const struct ring *ring, u64 at, void *out, u64 size)
{
	const u8 *data = (const u8 *)ring->page + PAGE_SIZE;
	u64 bytes = RING_PAGES * PAGE_SIZE;

	for (u64 i = 0; i < size; i++)
		((u8 *)out)[i] = data[(at + i) % bytes];
}

static void read_ring(struct ring *ring, sampler_take_fn *take, void *ctx)
{
	u64 head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
	u64 tail = ring->page->data_tail;

	while (head - tail >= sizeof(struct perf_event_header)) {
		struct sample sample;

		copy_out(ring, tail, &sample.header, sizeof(sample.header));
		if (sample.header.size < sizeof(sample.header) || sample.header.size > head - tail)
			break; /* not what the kernel promises: begin anew behind it */
		if (sample.header.type == PERF_RECORD_SAMPLE &&
		    sample.header.size >= sizeof(sample)) {
			copy_out(ring, tail, &sample, sizeof(sample));
			if (sample.pid == (u32)sampled_pid)
				take(ctx, sample.ip);
		}
		tail += sample.header.size;
	}
	__atomic_store_n(&ring->page->data_tail, head, __ATOMIC_RELEASE);
}

static long ip_read(sampler_take_fn *take, void *ctx)
{
	for (u32 i = 0; i < n_rings; i++)
		read_ring(&rings[i], take, ctx);
	return 0;
}

static void ip_close(void)
{
	for (u32 i = 0; i < n_rings; i++) {
		sys_munmap((u64)(uintptr_t)rings[i].page, (1 + RING_PAGES) * PAGE_SIZE);
		sys_close(rings[i].fd);
	}
	n_rings = 0;
}

const struct sampler sampler_ip = { "ip", ip_open, ip_period, ip_read, ip_close };
