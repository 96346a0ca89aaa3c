/* SPDX-License-Identifier: MIT */
/*
 * start.c - a program without libc, for the script of own.ld: leaves with 0 if
 * work.c computes what it should.
 */
int work(const char *text);
int twin_a(int x);

void *memset(void *at, int c, unsigned long n)
{
	for (char *p = at; n--; p++)
		*p = (char)c;
	return at;
}

__attribute__((force_align_arg_pointer)) void _start(void)
{
	long status = work("+") == 7 && twin_a(2) == 2007 ? 0 : 1;

	__asm__ volatile("syscall" : : "a"(60), "D"(status) : "rcx", "r11", "memory");
	__builtin_unreachable();
}
