/* SPDX-License-Identifier: MIT */
/*
 * undo.c - a thread that never leaves its loop leaves the code cache all the same when everything is withdrawn.
 *
 * Where the thread really is tells a signal handler set by the raw system call, which dynopt does not
 * interpose. Under dynopt it must first be seen outside the program's text (in the cache); then the program makes a page
 * of its text writable, upon which all is withdrawn; then it must come to be inside, and stay. Prints "ok cache", or "ok
 * text" where it never was in a cache (plain run). With an argument the loop is an interpreter's.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define LOOKS 200

static volatile int stop;
static volatile unsigned long spins;
static volatile unsigned long seen_at;

/* As the kernel wants it; libc's is another. */
struct kernel_action {
	void (*handler)(int, siginfo_t *, void *);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask;
};
#define SA_RESTORER 0x04000000

void restore(void);
__asm__(".text\nrestore: mov $15, %eax\nsyscall\n"); /* rt_sigreturn */

static void look(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	seen_at = (unsigned long)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
}

static void *spin(void *unused)
{
	unsigned long n = 0;

	(void)unused;
	do
		spins = ++n;
	while (!stop);
	return NULL;
}

/* The same by an interpreter: a jump through a jump table each time. The two cases that run begin with long instructions: no slot is needed. */
static void *interpret(void *unused)
{
	static const unsigned char program[8] = { 1, 2, 1, 1, 2, 1, 2, 2 };
	unsigned long a = 1, b = 2, n = 0;

	(void)unused;
	do {
		switch (program[n++ & 7]) {
		case 0:
			a += b;
			break;
		case 1:
			b ^= a << 3;
			break;
		case 2:
			a = a * 7 + n;
			break;
		case 3:
			b -= n;
			break;
		case 4:
			a ^= b >> 5;
			break;
		case 5:
			b *= 11;
			break;
		}
		spins = n;
	} while (!stop);
	return (void *)(a ^ b);
}

/* Functions are a few hundred bytes; a code cache that was reserved at link time lies behind all text. */
static int is_in(unsigned long addr, void *(*function)(void *))
{
	return addr - (unsigned long)function < 1024;
}

static int in_text(pthread_t thread)
{
	unsigned long before = spins;

	seen_at = 0;
	pthread_kill(thread, SIGUSR1);
	while (!seen_at || spins == before)
		sched_yield();
	return is_in(seen_at, spin) || is_in(seen_at, interpret);
}

int main(int argc, char **argv)
{
	struct kernel_action action = { look, SA_SIGINFO | SA_RESTORER | SA_RESTART, restore, 0 };
	unsigned long page = (unsigned long)in_text & ~4095ul;
	int was_outside = 0;
	pthread_t thread;

	syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 8);
	(void)argv;
	pthread_create(&thread, NULL, argc > 1 ? interpret : spin, NULL);
	while (!spins) /* it is in the loop */
		sched_yield();
	for (int i = 0; i < LOOKS; i++)
		was_outside += !in_text(thread);
	if (mprotect((void *)page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) != 0 ||
	    mprotect((void *)page, 4096, PROT_READ | PROT_EXEC) != 0) {
		perror("mprotect");
		return 1;
	}
	while (!in_text(thread))
		; /* it has to come; the test's time limit says so if it does not */
	for (int i = 0; i < LOOKS; i++)
		if (!in_text(thread)) {
			printf("back in the cache at %#lx\n", seen_at);
			return 1;
		}
	stop = 1;
	pthread_join(thread, NULL);
	puts(was_outside == LOOKS ? "ok cache"
	     : was_outside == 0   ? "ok text"
	                          : "now here, now there");
	return 0;
}
