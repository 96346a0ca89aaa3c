// SPDX-License-Identifier: MIT
// The program is a debugger of its own child, by ptrace: a breakpoint written into the
// child's text is hit exactly as often as the loop turns, at each instruction of the loop
// in turn. With DEBUGGED the other way round: the child attaches to its parent, which is hot
// already, waits until the loop reads as it was compiled (documented: a tick of the agent),
// and sets its breakpoints then.
#include "t_proc.h"
#include "t_text.h"
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>

uint64_t watched(uint64_t sum, uint64_t n);
extern const char w0[], w1[], w2[], w3[], w4[], w5[], w6[], w7[];
static const char *const places[] = { w0, w1, w2, w3, w4, w5, w6, w7 };
enum { N_PLACES = sizeof(places) / sizeof(places[0]), N_TURNS = 300 };
static const char *here;

__asm__(".text\n\t.p2align 4\n"
        ".globl watched\n.type watched,@function\nwatched:\n\t.cfi_startproc\n\t"
        "mov %rdi, %rax\n\t"
        "mov $0x1234567, %ecx\n"
        ".globl w0\nw0:\tlea 0x11111(%rax,%rcx), %rax\n"
        ".globl w1\nw1:\trol $7, %rax\n"
        ".globl w2\nw2:\ttest $0x10000, %eax\n\t"
        ".globl w3\nw3:\tjz 1f\n\t"
        "add $0x55555, %rax\n"
        "1:\n"
        ".globl w4\nw4:\tcall 2f\n"
        ".globl w5\nw5:\txor $0x7654321, %rax\n"
        ".globl w6\nw6:\tdec %rsi\n\t"
        "jnz w0\n\t"
        "ret\n\t.cfi_endproc\n\t.cfi_startproc\n"
        "2:\tlea 0x22222(%rax), %rax\n"
        ".globl w7\nw7:\tret\n\t"
        ".cfi_endproc\n\t.size watched, .-watched\n");

static uint64_t word;

static void poke(pid_t child, long value)
{
	CHECK(!ptrace(PTRACE_POKETEXT, child, here, value));
}

static int wait_stop(pid_t child)
{
	int status;

	CHECK(waitpid(child, &status, 0) == child);
	return status;
}

/* Runs the child with the breakpoint until it ends or stops for another reason; how often it was hit. */
static unsigned count_hits(pid_t child, int go, int *status)
{
	long original, trap;
	unsigned hits = 0;

	errno = 0;
	original = ptrace(PTRACE_PEEKTEXT, child, here, NULL);
	CHECK(!errno);
	trap = (original & ~0xffl) | 0xcc;
	poke(child, trap);
	CHECK(!ptrace(PTRACE_CONT, child, NULL, NULL));
	if (go >= 0)
		CHECK(write(go, "x", 1) == 1);
	for (;;) {
		struct user_regs_struct regs;

		*status = wait_stop(child);
		if (!WIFSTOPPED(*status))
			return hits;
		if (WSTOPSIG(*status) != SIGTRAP) {
			poke(child, original);
			return hits;
		}
		CHECK(!ptrace(PTRACE_GETREGS, child, NULL, &regs));
		CHECK(regs.rip == (uintptr_t)here + 1);
		hits++;
		regs.rip--;
		CHECK(!ptrace(PTRACE_SETREGS, child, NULL, &regs));
		poke(child, original);
		CHECK(!ptrace(PTRACE_SINGLESTEP, child, NULL, NULL));
		*status = wait_stop(child);
		CHECK(WIFSTOPPED(*status) && WSTOPSIG(*status) == SIGTRAP);
		poke(child, trap);
		CHECK(!ptrace(PTRACE_CONT, child, NULL, NULL));
	}
}

/* A child that is traced from before the loop runs. */
static T_UNUSED void traced_from_start(void)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (!child) {
		CHECK(!ptrace(PTRACE_TRACEME, 0, NULL, NULL));
		raise(SIGSTOP);
		_exit(watched(3, N_TURNS) == word ? 5 : 1);
	}
	status = wait_stop(child);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	CHECK(count_hits(child, -1, &status) == N_TURNS);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
}

/* Where the text of this process differs from the file, found before anybody attaches. */
static uintptr_t patched[4096];
static unsigned n_patched;

static T_UNUSED void find_patched(void)
{
	const struct t_segment *s = t_text_of((uintptr_t)watched);

	CHECK(s);
	for (uintptr_t at = s->start; at < s->end; at++)
		if (t_text_original(at) && *(const unsigned char *)at != *t_text_bytes(s, at) &&
		    n_patched < sizeof(patched) / sizeof(patched[0]))
			patched[n_patched++] = at;
}

static int reads_original(pid_t pid, uintptr_t at)
{
	long seen;

	errno = 0;
	seen = ptrace(PTRACE_PEEKTEXT, pid, at, NULL);
	CHECK(!errno);
	return (unsigned char)seen == *t_text_bytes(t_text_of(at), at);
}

/*
 * Waits until the loop in the process reads as the file does, and something that was patched does so, too: the
 * loop alone may never have been patched, and then a quick machine is done before the agent has seen the
 * debugger. Not all that was patched: slots in padding keep their jumps. A minute at most.
 */
static T_UNUSED void await_original(pid_t pid)
{
	for (int turn = 0;; turn++) {
		unsigned back = 0, differ = 0;

		for (unsigned i = 0; i < n_patched && !back; i++)
			back = (unsigned)reads_original(pid, patched[i]);
		for (const char *at = (const char *)watched; at <= w7; at++)
			differ += !reads_original(pid, (uintptr_t)at);
		if (!differ && (back || !n_patched))
			return;
		CHECK(turn < 60000);
		usleep(1000);
	}
}

/* The child attaches to this process, which waits for the word to go on. */
static T_UNUSED void debugged(void)
{
	pid_t child, parent = getpid();
	int status, go[2], may[2];
	char byte;

	CHECK(!pipe(go) && !pipe(may));
	child = fork();
	CHECK(child >= 0);
	if (!child) {
		CHECK(read(may[0], &byte, 1) == 1);
		CHECK(!ptrace(PTRACE_ATTACH, parent, NULL, NULL));
		status = wait_stop(parent);
		CHECK(WIFSTOPPED(status));
		await_original(parent);
		CHECK(count_hits(parent, go[1], &status) == N_TURNS);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGUSR2);
		CHECK(!ptrace(PTRACE_DETACH, parent, NULL, SIGUSR2));
		_exit(6);
	}
	prctl(PR_SET_PTRACER, child);
	CHECK(write(may[1], "x", 1) == 1 && read(go[0], &byte, 1) == 1);
	CHECK(watched(3, N_TURNS) == word);
	raise(SIGUSR2);
	CHECK(t_wait(child) == 6);
	for (int i = 0; i < 2; i++) {
		close(go[i]);
		close(may[i]);
	}
}

int main(void)
{
	uint64_t sum = t_hot(50);

	t_text_read();
	find_patched();
	CHECK(signal(SIGUSR2, SIG_IGN) != SIG_ERR);
	word = watched(3, N_TURNS);
	for (int i = 0; i < N_PLACES; i++) {
		here = places[i];
		CHECK(watched(3, N_TURNS) == word);
#ifdef DEBUGGED
		debugged();
#else
		traced_from_start();
#endif
	}
	t_no_children();
	return t_ok(t_mix(sum, word));
}
