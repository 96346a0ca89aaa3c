// SPDX-License-Identifier: MIT
// A single-threaded program stays one, for glibc and for the kernel: one task,
// __libc_single_threaded is set, no children that any wait sees, system calls work that
// only single-threaded processes may do.
#define _GNU_SOURCE
#include "t_proc.h"
#include <sched.h>
#include <sys/single_threaded.h>

int main(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < 20; i++) {
		CHECK(__libc_single_threaded);
		CHECK(t_threads() == 1);
		t_no_children();
		sum = t_mix(sum, t_hot(200));
	}
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();

		CHECK(child >= 0);
		if (!child) {
			t_no_children();
			CHECK(__libc_single_threaded && t_threads() == 1);
			_exit((int)(t_hot(200) & 0x3f));
		}
		CHECK(t_wait(child) == (int)(t_hot(200) & 0x3f));
		t_no_children();
		if (i == 10) {
			child = fork();
			if (!child) {
				CHECK(!unshare(CLONE_NEWUSER) || errno == EPERM || errno == ENOSPC);
				t_hot(200);
				_exit(7);
			}
			CHECK(t_wait(child) == 7);
		}
	}
	CHECK(!unshare(CLONE_FILES | CLONE_FS));
	return t_ok(sum);
}
