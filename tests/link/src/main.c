/* SPDX-License-Identifier: MIT */
/*
 * main.c - the program of the link tests: prints one line that depends on code
 * from every other file, so that a wrong link shows in the output.
 */
#include <stdio.h>

int work(const char *text);
int twin_a(int x);
int twin_b(int x);
int twin_disabled(int x);
int try_catch(int x);

int main(int argc, char **argv)
{
	(void)argv;
	printf("work %d twins %d %d %d caught %d\n", work("a-b+c*d/e%f."), twin_a(argc),
	       twin_b(argc), twin_disabled(argc), try_catch(argc));
	return 0;
}
