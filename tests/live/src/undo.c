/* SPDX-License-Identifier: MIT */
/*
 * undo.c - a thread that never leaves its loop leaves the code cache all the same when everything is withdrawn.
 *
 * Where the thread really is tells a signal handler set by the raw system call, which dynopt does not
 * interpose. Under dynopt it must first be seen outside the program's text (in the cache); then the program makes a page
 * of its text writable, upon which all is withdrawn; then it must come to be inside, and stay. Prints "ok cache", or "ok
 * text" where it never was in a cache (plain run).
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

extern const char __executable_start[], etext[];

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

static int in_text(pthread_t thread)
{
	unsigned long before = spins;

	seen_at = 0;
	pthread_kill(thread, SIGUSR1);
	while (!seen_at || spins == before)
		sched_yield();
	return seen_at >= (unsigned long)__executable_start && seen_at < (unsigned long)etext;
}

int main(void)
{
	struct kernel_action action = { look, SA_SIGINFO | SA_RESTORER | SA_RESTART, restore, 0 };
	unsigned long page = (unsigned long)in_text & ~4095ul;
	int was_outside = 0;
	pthread_t thread;

	syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 8);
	pthread_create(&thread, NULL, spin, NULL);
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
