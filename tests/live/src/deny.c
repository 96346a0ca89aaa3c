/* SPDX-License-Identifier: MIT */
/*
 * deny.c [-w | -p] PROGRAM... - runs a program under a seccomp filter like that of systemd's MemoryDenyWriteExecute=: what is or was
 * writable does not become executable. With -w, pwrite64 is denied as well, which is how /proc/self/mem is written.
 *
 * With -p only perf_event_open is denied, as in containers.
 *
 * Exit code 77 with the reason where filters cannot be installed.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define NUMBER_IS(number, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##number, yes, no)

int main(int argc, char **argv)
{
	int writes = argc > 1 && strcmp(argv[1], "-w") == 0;
	int perf = argc > 1 && strcmp(argv[1], "-p") == 0;
	struct sock_filter no_perf[] = {
		LOAD(nr),
		NUMBER_IS(perf_event_open, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_filter code[] = {
		LOAD(nr),
		NUMBER_IS(pwrite64, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, writes ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_ALLOW),
		NUMBER_IS(mprotect, 2, 0),
		NUMBER_IS(mmap, 4, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		/* mprotect: executable */
		LOAD(args[2]),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 5, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		/* mmap: both */
		LOAD(args[2]),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, PROT_WRITE | PROT_EXEC),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PROT_WRITE | PROT_EXEC, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };
	int options = writes || perf;

	if (perf)
		program = (struct sock_fprog){ sizeof(no_perf) / sizeof(no_perf[0]), no_perf };
	if (argc < 2 + options)
		return 2;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
		printf("SKIP: no seccomp filter can be installed: %s\n", strerror(errno));
		return 77;
	}
	execvp(argv[1 + options], argv + 1 + options);
	perror(argv[1 + options]);
	return 127;
}
