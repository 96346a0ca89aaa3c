/* SPDX-License-Identifier: MIT */
/*
 * sys.c - the kernel's entry points that the agent needs (sys.h).
 */
#include "sys.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/kcmp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

long sys_open(const char *path, int flags, int mode)
{
	return sys6(SYS_openat, AT_FDCWD, (long)path, flags | O_CLOEXEC, mode, 0, 0);
}

long sys_close(int fd)
{
	return sys6(SYS_close, fd, 0, 0, 0, 0, 0);
}

long sys_read(int fd, void *buffer, u64 size)
{
	return sys6(SYS_read, fd, (long)buffer, (long)size, 0, 0, 0);
}

long sys_write(int fd, const void *buffer, u64 size)
{
	return sys6(SYS_write, fd, (long)buffer, (long)size, 0, 0, 0);
}

long sys_rename(const char *from, const char *to)
{
	return sys6(SYS_rename, (long)from, (long)to, 0, 0, 0, 0);
}

long sys_unlink(const char *path)
{
	return sys6(SYS_unlink, (long)path, 0, 0, 0, 0, 0);
}

long sys_mmap(u64 addr, u64 size, int prot, int flags, int fd, u64 offset)
{
	return sys6(SYS_mmap, (long)addr, (long)size, prot, flags, fd, (long)offset);
}

long sys_munmap(u64 addr, u64 size)
{
	return sys6(SYS_munmap, (long)addr, (long)size, 0, 0, 0, 0);
}

long sys_mprotect(u64 addr, u64 size, int prot)
{
	return sys6(SYS_mprotect, (long)addr, (long)size, prot, 0, 0, 0);
}

long sys_madvise(u64 addr, u64 size, int advice)
{
	return sys6(SYS_madvise, (long)addr, (long)size, advice, 0, 0, 0);
}

long sys_mremap_over(u64 from, u64 size, u64 to)
{
	return sys6(SYS_mremap, (long)from, (long)size, (long)size, MREMAP_MAYMOVE | MREMAP_FIXED,
	            (long)to, 0);
}

long sys_getpid(void)
{
	return sys6(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

long sys_futex_wait(u32 *word, u32 value, u32 timeout_ms)
{
	struct timespec timeout = { timeout_ms / 1000, (timeout_ms % 1000) * 1000000l };

	return sys6(SYS_futex, (long)word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, value,
	            timeout_ms ? (long)&timeout : 0, 0, 0);
}

long sys_futex_wake(u32 *word, u32 n)
{
	return sys6(SYS_futex, (long)word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, n, 0, 0, 0);
}

long sys_kcmp_vm(int pid_a, int pid_b)
{
	return sys6(SYS_kcmp, pid_a, pid_b, KCMP_VM, 0, 0, 0);
}

static u64 clock_ns(int clock)
{
	struct timespec now = { 0, 0 };

	sys6(SYS_clock_gettime, clock, (long)&now, 0, 0, 0, 0);
	return (u64)now.tv_sec * 1000000000u + (u64)now.tv_nsec;
}

u64 sys_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

u64 sys_cpu_ns(void)
{
	return clock_ns(
		CLOCK_THREAD_CPUTIME_ID); /* a process's is as coarse as ticks once it has a timer (limit.c) */
}

/* clock_getcpuclockid(3): the process' number, inverted, and what is counted: CPUCLOCK_SCHED. */
u64 sys_process_ns(int pid)
{
	struct timespec t;
	long clock = (long)(int)(~(u32)pid << 3 | 2);

	return sys6(SYS_clock_gettime, clock, (long)&t, 0, 0, 0, 0) == 0
	               ? (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec
	               : 0;
}

long sys_map_file(const char *path, const char **bytes, u64 *size)
{
	long fd = sys_open(path, O_RDONLY, 0), at = 0;
	struct stat st;

	if (sys_failed(fd))
		return fd;
	sys6(SYS_fstat, fd, (long)&st, 0, 0, 0, 0);
	if (st.st_size)
		at = sys_mmap(0, (u64)st.st_size, PROT_READ, MAP_PRIVATE, (int)fd, 0);
	sys_close((int)fd);
	if (sys_failed(at))
		return at;
	*bytes = (const char *)at;
	*size = (u64)st.st_size;
	return 0;
}

long sys_read_file(const char *path, char *buffer, u64 size)
{
	long fd = sys_open(path, O_RDONLY, 0);
	u64 got = 0;

	if (sys_failed(fd))
		return fd;
	while (got < size) {
		long n = sys_read((int)fd, buffer + got, size - got);

		if (n <= 0)
			break;
		got += (u64)n;
	}
	sys_close((int)fd);
	return (long)got;
}

long sys_clone_to(void (*entry)(void), u64 stack_top, long flags, u32 *child_tid)
{
	register long r10 __asm__("r10") = (long)child_tid;
	register long r8 __asm__("r8") = 0;
	long result;

	__asm__ volatile("syscall\n\t"
	                 "test %%rax, %%rax\n\t"
	                 "jnz 1f\n\t"
	                 "xor %%ebp, %%ebp\n\t"
	                 "call *%[entry]\n\t"
	                 "ud2\n"
	                 "1:"
	                 : "=a"(result)
	                 : "a"((long)SYS_clone), "D"(flags), "S"(stack_top), "d"(0l), "r"(r10),
	                   "r"(r8), [entry] "r"(entry)
	                 : "rcx", "r11", "memory");
	return result;
}
