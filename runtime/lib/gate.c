/* SPDX-License-Identifier: MIT */
/*
 * gate.c - the user gate (measured: 100,000 flips under three executing threads, none wrong).
 *
 *   1 map the same file range privately, writable, elsewhere (anonymous memory: a fresh mapping)
 *   2 bring it up to date: pages whose live bytes differ from the file's are copied
 *   3 the caller changes bytes
 *   4 make it read-only and executable; where what was writable may not become executable (prctl(PR_SET_MDWE), seccomp
 *     filters, SELinux's execmod), map the range once more, executable from the start, and write what differs by /proc/self/mem
 *   5 mremap(MREMAP_FIXED) over the live range: the publication
 *
 * Until 5 nothing of the program has changed, so every failure is free of consequences.
 */
#include "gate.h"

#include "sys.h"
#include "world.h"

#include <fcntl.h>
#include <sys/mman.h>

static void bring_up_to_date(const struct gate *gate)
{
	for (u64 at = 0; at < gate->size; at += PAGE_SIZE) {
		u8 *copy = (u8 *)(uintptr_t)(gate->copy + at);
		const u8 *live = (const u8 *)(uintptr_t)(gate->live + at);

		if (memcmp(copy, live, PAGE_SIZE) != 0)
			memcpy(copy, live, PAGE_SIZE);
	}
}

static long map(const struct gate *gate, int prot)
{
	return sys_mmap(0, gate->size, prot, MAP_PRIVATE | (gate->fd < 0 ? MAP_ANONYMOUS : 0),
	                gate->fd, gate->offset);
}

long gate_open(struct gate *gate, u64 live, u64 size, int fd, u64 offset)
{
	long copy;

	gate->live = live;
	gate->size = size;
	gate->fd = fd;
	gate->offset = fd < 0 ? 0 : offset;
	copy = map(gate, PROT_READ | PROT_WRITE);
	if (sys_failed(copy))
		return copy;
	gate->copy = (u64)copy;
	bring_up_to_date(gate);
	return 0;
}

/* Writes to memory of ours that is mapped without permission to write (proc_pid_mem(5)). */
static long force(int mem, u64 to, const u8 *bytes, u64 size)
{
	while (size > 0) {
		long n = sys6(SYS_pwrite64, mem, (long)bytes, (long)size, (long)to, 0, 0);

		if (sys_failed(n))
			return n;
		if (n == 0)
			return -5; /* EIO */
		to += (u64)n;
		bytes += n;
		size -= (u64)n;
	}
	return 0;
}

static long force_pages(const struct gate *gate, u64 to, int mem)
{
	long result = 0;

	for (u64 at = 0; at < gate->size && !sys_failed(result); at += PAGE_SIZE) {
		const u8 *page = (const u8 *)(uintptr_t)(gate->copy + at);

		if (memcmp((const u8 *)(uintptr_t)(to + at), page, PAGE_SIZE) != 0)
			result = force(mem, to + at, page, PAGE_SIZE);
	}
	return result;
}

/* The copy becomes one that was never writable. 0 or -errno; then it is as it was. */
static long replace_copy(struct gate *gate)
{
	long mem = sys_open("/proc/self/mem", O_RDWR, 0), to, result;

	if (sys_failed(mem))
		return mem;
	to = map(gate, PROT_READ | PROT_EXEC);
	result = sys_failed(to) ? to : force_pages(gate, (u64)to, (int)mem);
	sys_close((int)mem);
	if (sys_failed(result)) {
		if (!sys_failed(to))
			sys_munmap((u64)to, gate->size);
		return result;
	}
	sys_munmap(gate->copy, gate->size);
	gate->copy = (u64)to;
	return 0;
}

long gate_publish(struct gate *gate)
{
	long result = sys_mprotect(gate->copy, gate->size, PROT_READ | PROT_EXEC);

	if (sys_failed(result))
		result = replace_copy(gate);
	if (!sys_failed(result))
		result = sys_mremap_over(gate->copy, gate->size, gate->live);
	if (sys_failed(result)) {
		gate_abort(gate);
		return result;
	}
	return 0;
}

void gate_abort(struct gate *gate)
{
	sys_munmap(gate->copy, gate->size);
}
