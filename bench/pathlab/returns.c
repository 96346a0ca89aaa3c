/* SPDX-License-Identifier: MIT */
/*
 * returns.c - what it costs to leave a translation from inside inlined calls, besides the stub's instructions (engine/stub.c).
 *
 *     cmake --build build --target pathlab-returns && build/bench/tool/pathlab-returns
 *
 * The stub keeps the processor's return stack as deep as it has to be, but what is on it is the stub's addresses: each return
 * of a call that was inlined is predicted wrong. COST_RETURN_MISSED (engine/cost.h) stands for that. Measured is CPU time of one to
 * three calls that return, as they are and with their returns reached through a stub; a cycle is an instruction that waits for the one before.
 */
#include <stdio.h>
#include <time.h>

#define ROUNDS 5000000L
#define TRIES 7

typedef long loop(long);

/* Each counts rdi down; rax is what the calls work on. */
loop cycles, plain_1, plain_2, plain_3, stub_1, stub_2, stub_3;

__asm__(".text\n"
        "cycles: imul $1, %rdi, %rax\n" /* three cycles */
        "        lea -1(%rax), %rdi\n"
        "        test %rdi, %rdi\n"
        "        jnz cycles\n"
        "        ret\n"
        "inner:  lea 1(%rax), %rax\n"
        "        ret\n"
        "middle: call inner\n"
        "after_inner:\n"
        "        lea 1(%rax), %rax\n"
        "        ret\n"
        "outer:  call middle\n"
        "after_middle:\n"
        "        lea 1(%rax), %rax\n"
        "        ret\n");

#define LOOP(name, step) \
	__asm__(".p2align 4\n" #name ": mov %rdi, %rcx\n1: " step "\n" #name \
	        "_back: dec %rcx\n jnz 1b\n ret\n")

#define BALANCE "call 2f\n int3\n 2: "
#define WRITE(place, value) "lea " value "(%rip), %rax\n mov %rax, " place "(%rsp)\n"
/* As stub_emit() writes it: calls, what they pushed overwritten, return addresses. */
#define STUB(pushed, calls, wipe, writes) \
	"lea -136(%rsp), %rsp\n" calls "lea " pushed \
	"(%rsp), %rsp\n mov %rax, (%rsp)\n" wipe writes \
	"mov (%rsp), %rax\n lea 136(%rsp), %rsp\n jmp inner"
#define WIPE_1 "mov %rax, -8(%rsp)\n"
#define WIPE_2 WIPE_1 "mov %rax, -16(%rsp)\n"
#define WIPE_3 WIPE_2 "mov %rax, -24(%rsp)\n"

LOOP(plain_1, "call inner");
LOOP(plain_2, "call middle");
LOOP(plain_3, "call outer");
/* rsp is lowered by what the returns will pop, so that the stack is as the calls would have left it. */
LOOP(stub_1, "lea -8(%rsp), %rsp\n" STUB("8", BALANCE, WIPE_1, WRITE("136", "stub_1_back")));
LOOP(stub_2, "lea -16(%rsp), %rsp\n" STUB("16", BALANCE BALANCE, WIPE_2,
                                          WRITE("144", "stub_2_back") WRITE("136", "after_inner")));
LOOP(stub_3, "lea -24(%rsp), %rsp\n" STUB("24", BALANCE BALANCE BALANCE, WIPE_3,
                                          WRITE("152", "stub_3_back") WRITE("144", "after_middle")
                                                  WRITE("136", "after_inner")));

/* Nanoseconds of one round, the best of some tries. */
static double time_of(loop *f)
{
	double best = 0;

	for (int i = 0; i < TRIES; i++) {
		struct timespec from, to;
		double took;

		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
		f(ROUNDS);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
		took = ((double)(to.tv_sec - from.tv_sec) * 1e9 +
		        (double)(to.tv_nsec - from.tv_nsec)) /
		       (double)ROUNDS;
		if (i == 0 || took < best)
			best = took;
	}
	return best;
}

int main(void)
{
	loop *const plain[] = { plain_1, plain_2, plain_3 }, *const stubs[] = { stub_1, stub_2,
		                                                                stub_3 };
	double cycle = time_of(cycles) / 4; /* imul's three, lea's one */

	for (int i = 0; i < 3; i++) {
		double calls = time_of(plain[i]), left = time_of(stubs[i]);

		printf("%d calls: %5.2f ns; left from inside: %5.2f ns, %.0f cycles more for each call\n",
		       i + 1, calls, left, (left - calls) / cycle / (i + 1));
	}
	return 0;
}
