/* SPDX-License-Identifier: MIT */
/*
 * sys.h - system calls without libc, for the agent.
 *
 * The agent runs in the program's memory with the program's thread pointer, so it must not touch
 * errno, locks or buffers of the program's libc: it calls the kernel itself. Every function returns what the
 * kernel returned: a value, or -errno in [-4095, -1].
 */
#ifndef DYNOPT_SYS_H
#define DYNOPT_SYS_H

#include "port.h"

#include <sys/syscall.h>

static inline long sys6(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	                 : "rcx", "r11", "memory");
	return result;
}

static inline bool sys_failed(long result)
{
	return (unsigned long)result >= -4095ul;
}

long sys_open(const char *path, int flags, int mode);
long sys_close(int fd);
long sys_read(int fd, void *buffer, u64 size);
long sys_write(int fd, const void *buffer, u64 size);
long sys_rename(const char *from, const char *to);
long sys_unlink(const char *path);
long sys_mmap(u64 addr, u64 size, int prot, int flags, int fd, u64 offset);
long sys_munmap(u64 addr, u64 size);
long sys_mprotect(u64 addr, u64 size, int prot);
long sys_madvise(u64 addr, u64 size, int advice);
/* Moves a mapping of `size` bytes over `to`, whatever is there. */
long sys_mremap_over(u64 from, u64 size, u64 to);
long sys_getpid(void);
/* Waits until *word is no longer `value`, a wake-up, or `timeout_ms` (0: for ever). */
long sys_futex_wait(u32 *word, u32 value, u32 timeout_ms);
long sys_futex_wake(u32 *word, u32 n);
/* 0: both processes share their memory; 1, 2: they do not; or -errno. */
long sys_kcmp_vm(int pid_a, int pid_b);
/* clone(2): the child runs `entry`, which never returns, on its own stack. Process number, or -errno. */
long sys_clone_to(void (*entry)(void), u64 stack_top, long flags, u32 *child_tid);
/* CLOCK_MONOTONIC, CLOCK_THREAD_CPUTIME_ID in ns: the agent has one thread. */
u64 sys_now_ns(void);
u64 sys_cpu_ns(void);
/* CPU time of all threads of a process; 0: the kernel does not tell. */
u64 sys_process_ns(int pid);

/* A file's bytes, read-only, for sys_munmap(); *bytes is NULL where it is empty. Returns 0 or -errno. */
long sys_map_file(const char *path, const char **bytes, u64 *size);

/* The whole of a small file such as those in /proc: returns bytes read (at most size), or -errno. */
long sys_read_file(const char *path, char *buffer, u64 size);

#endif
