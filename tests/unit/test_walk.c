/* SPDX-License-Identifier: MIT */
/*
 * Walks beside the processor: a child works under ptrace, one instruction at a time; at many places of its way a walk is made from its registers, and then the child
 * goes the same number of instructions. Whatever the walk says it knows must be so: the way, registers, flags, and what was written. Walks that say nothing would pass that, so
 * most must come to their limit.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include "unit.h"
#include "walk.h"

#define WALK_LONG 200 /* instructions */
#define BETWEEN 37 /* from one walk's end to the next one's begin */
#define WALKS 1200u
#define RUNS 64
#define STACK 512
#define PIECES 1024

/* ---- what the child does ---- */

static volatile unsigned long seed = 88172645463325252u;

static unsigned long rnd(void)
{
	unsigned long x = seed;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return seed = x;
}

static int by_number(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int by_word(const void *a, const void *b)
{
	return *(const short *)a - *(const short *)b;
}

static __attribute__((noinline)) unsigned long mixed(unsigned long x, unsigned n)
{
	static unsigned char bytes[256];
	unsigned long sum = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned short word = (unsigned short)(x >> (i & 15));

		switch (word & 7) {
		case 0:
			sum += (unsigned long)((unsigned __int128)x * sum >> 64);
			break;
		case 1:
			sum ^= x % (word | 1u);
			break;
		case 2:
			sum -= (unsigned long)((long)x / (short)(word | 1));
			break;
		case 3:
			sum = sum << (word & 31) | sum >> (64 - (word & 31) - 1);
			break;
		case 4:
			bytes[word & 255] += (unsigned char)(sum * 5);
			sum += bytes[(word >> 4) & 255] > 100;
			break;
		case 5:
			sum += (unsigned long)__builtin_clzl(x | 1) -
			       (unsigned long)__builtin_ctzl(x | 8);
			break;
		case 6:
			sum = __builtin_bswap64(sum) + (signed char)word;
			break;
		default:
			sum += __atomic_fetch_add(&bytes[word & 127], 3, __ATOMIC_SEQ_CST);
			break;
		}
		x = x * 6364136223846793005u + 1442695040888963407u;
	}
	return sum;
}

static void work(void)
{
	static double numbers[64];
	static short words[64];
	static char text[256];

	for (unsigned round = 0;; round++) {
		for (int i = 0; i < 64; i++) {
			numbers[i] = (double)(long)rnd() / (1 << 20);
			words[i] = (short)rnd();
		}
		qsort(numbers, 64, sizeof(numbers[0]), by_number);
		qsort(words, 64, sizeof(words[0]), by_word);
		seed ^= mixed(rnd(), 200);
		snprintf(text, sizeof(text), "%d %s %lx %-8u|%c", words[3], "some text", rnd(),
		         round, 'x');
		seed += strtoul(strchr(text, ' ') + 1, NULL, 16) + strlen(text);
		seed += (unsigned long)strtod("12.25e3", NULL);
		memmove(text + 3, text, 90);
	}
}

/* ---- the child ---- */

static struct {
	pid_t pid;
	int memory;
	u64 pieces[PIECES]; /* read since it went on last; 0: none */
	u8 bytes[PIECES][WALK_PIECE];
} child;

static bool begin_child(void)
{
	char path[64];
	int status;

	child.pid = fork();
	if (child.pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(1);
		raise(SIGSTOP);
		work();
		_exit(0);
	}
	snprintf(path, sizeof(path), "/proc/%d/mem", child.pid);
	child.memory = open(path, O_RDONLY | O_CLOEXEC);
	return waitpid(child.pid, &status, 0) == child.pid && WIFSTOPPED(status) &&
	       child.memory >= 0;
}

static bool step_child(void)
{
	int status;

	memset(child.pieces, 0, sizeof(child.pieces));
	return ptrace(PTRACE_SINGLESTEP, child.pid, NULL, NULL) == 0 &&
	       waitpid(child.pid, &status, 0) == child.pid && WIFSTOPPED(status) &&
	       WSTOPSIG(status) == SIGTRAP;
}

static struct user_regs_struct registers(void)
{
	struct user_regs_struct r = { 0 };

	CU_ASSERT_FATAL(ptrace(PTRACE_GETREGS, child.pid, NULL, &r) == 0);
	return r;
}

static void general(const struct user_regs_struct *r, u64 gpr[16])
{
	const u64 all[16] = { r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp, r->rsi, r->rdi,
		              r->r8,  r->r9,  r->r10, r->r11, r->r12, r->r13, r->r14, r->r15 };

	memcpy(gpr, all, sizeof(all));
}

static const u8 *piece(void *ctx, u64 at)
{
	u32 i = (u32)(at / WALK_PIECE % PIECES);

	(void)ctx;
	if (child.pieces[i] != at) {
		if (pread(child.memory, child.bytes[i], WALK_PIECE, (off_t)at) != WALK_PIECE)
			return NULL;
		child.pieces[i] = at;
	}
	return child.bytes[i];
}

static u32 code(void *ctx, u64 addr, u8 *out, u32 size)
{
	ssize_t n = pread(child.memory, out, size, (off_t)addr);

	(void)ctx;
	return n > 0 ? (u32)n : 0;
}

/* ---- comparing ---- */

struct way {
	u64 start, last, to;
};
static struct way said[RUNS + 1], real[RUNS + 1];
static u32 n_said, n_real;

static void note(void *ctx, u64 start, u64 last, u64 to)
{
	(void)ctx;
	if (n_said <= RUNS)
		said[n_said++] = (struct way){ start, last, to };
}

static struct walk_world surroundings = { code, piece, note, NULL, 0 };
static struct walk walk;
static u8 stack[STACK];
static u64 ends[WALK_ENDS_N], n_steps;

static void begin_walk(const struct user_regs_struct *r)
{
	u64 gpr[16];
	ssize_t n = pread(child.memory, stack, STACK, (off_t)r->rsp);

	general(r, gpr);
	memset(&walk.m, 0, sizeof(walk.m));
	for (u32 i = 0; i < 16; i++)
		walk.m.gpr[i] = (struct walk_word){ gpr[i], 0xff };
	walk.m.rip = r->rip;
	walk.m.flags = (u16)r->eflags;
	walk.m.flags_known = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_DF | FLAG_OF;
	walk.stack_at = r->rsp;
	walk.stack = stack;
	walk.n_stack = n > 0 ? (u32)n : 0;
	walk_begin_round(&walk);
	n_said = 0;
	walk_on(&walk, RUNS, WALK_LONG);
	ends[walk.end]++;
	n_steps += walk.n_insns;
}

/* Also where that is the next instruction. */
static bool always_jumps(u8 role)
{
	return role == ROLE_JMP || role == ROLE_CALL || role == ROLE_JMP_INDIRECT ||
	       role == ROLE_CALL_INDIRECT || role == ROLE_RET;
}

/* The child's way of as many instructions; a run ends where the next one does not follow. */
static void follow(u64 start)
{
	static u8 scratch[1 << 16] __attribute__((aligned(16)));
	u64 at = start;

	CU_ASSERT_FATAL(decode_scratch_size() <= sizeof(scratch));
	n_real = 0;
	for (u32 i = 0; i < walk.n_insns; i++) {
		struct insn insn = { 0 };
		struct failure fail;
		u8 bytes[INSN_MAX_LEN];
		u64 next;
		u32 n = code(NULL, at, bytes, sizeof(bytes));

		CU_ASSERT_FATAL(decode_insn(bytes, n, at, scratch, &insn, &fail) == STATUS_OK);
		CU_ASSERT_TRUE_FATAL(step_child());
		next = registers().rip;
		if ((next != at + insn.len || always_jumps(insn.role)) && n_real <= RUNS) {
			real[n_real++] = (struct way){ start, at, next };
			start = next;
		}
		at = next;
	}
	if (at != start && n_real <= RUNS)
		real[n_real++] = (struct way){ start, at, 0 };
}

static u32 wrong;

static void differs(const char *what, u64 told, u64 is, u64 from)
{
	CU_FAIL("a walk was wrong");
	if (wrong++ < 10)
		printf("\n    %s: %llx, is %llx; from %llx on, %u instructions, to %llx\n", what,
		       (unsigned long long)told, (unsigned long long)is, (unsigned long long)from,
		       walk.n_insns, (unsigned long long)walk.m.rip);
}

static u64 bits_of(u8 known)
{
	u64 bits = 0;

	for (u32 i = 0; i < 8; i++)
		bits |= known >> i & 1 ? (u64)0xff << 8 * i : 0;
	return bits;
}

static void compare_memory(u64 from)
{
	for (u32 i = 0; i < WALK_STORES; i++) {
		struct walk_word word = walk.stores[i].word;
		u64 bits = bits_of(walk.stores[i].written & word.known), is;

		if (walk.stores[i].walk != walk.number || walk.stores[i].at >> 48)
			continue;
		if (pread(child.memory, &is, 8, (off_t)walk.stores[i].at) != 8 ||
		    ((is ^ word.value) & bits))
			differs("memory", word.value & bits, is & bits, from);
	}
}

static void compare(u64 from)
{
	struct user_regs_struct r = registers();
	struct user_fpregs_struct f;
	u64 gpr[16];

	general(&r, gpr);
	if (walk.end == WALK_STORE || walk.end == WALK_ROOM)
		return;
	if (r.rip != walk.m.rip)
		differs("rip", walk.m.rip, r.rip, from);
	if (n_real != n_said || memcmp(real, said, n_said * sizeof(said[0])) != 0)
		differs("runs", n_said, n_real, from);
	for (u32 i = 0; i < 16; i++)
		if ((gpr[i] ^ walk.m.gpr[i].value) & bits_of(walk.m.gpr[i].known))
			differs("register", walk.m.gpr[i].value, gpr[i], from);
	if ((r.eflags ^ walk.m.flags) & walk.m.flags_known)
		differs("flags", walk.m.flags & walk.m.flags_known, r.eflags & walk.m.flags_known,
		        from);
	CU_ASSERT_FATAL(ptrace(PTRACE_GETFPREGS, child.pid, NULL, &f) == 0);
	for (u32 i = 0; i < 32; i++) {
		const struct walk_word *half = &walk.m.vec[i / 2][i % 2];
		u64 is;

		memcpy(&is, (const u8 *)f.xmm_space + i * 8, 8);
		if ((is ^ half->value) & bits_of(half->known))
			differs("vector", half->value, is, from);
	}
	compare_memory(from);
}

static void test_beside_processor(void)
{
	static const char *const names[] = {
#define X(name, text) #name,
		WALK_ENDS(X)
#undef X
	};

	if (!begin_child()) {
		printf("\n    SKIP: ptrace is not allowed here (%s)\n", strerror(errno));
		exit(77);
	}
	__asm__("mov %%fs:0x28, %0" : "=r"(surroundings.guard)); /* the child has inherited it */
	walk.world = &surroundings;
	walk.decoder = malloc(decode_scratch_size());
	for (u32 n = 0; n < WALKS && wrong < 10; n++) {
		struct user_regs_struct r = registers();

		begin_walk(&r);
		follow(r.rip);
		compare(r.rip);
		for (u32 i = 0; i < BETWEEN; i++)
			CU_ASSERT_TRUE_FATAL(step_child());
	}
	printf("\n    %u walks, %llu instructions:", WALKS, (unsigned long long)n_steps);
	for (u32 i = 0; i < WALK_ENDS_N; i++)
		printf(" %s %llu", names[i], (unsigned long long)ends[i]);
	printf("\n    ");
	CU_ASSERT(ends[WALK_LIMIT] >= WALKS / 2);
	CU_ASSERT(n_steps >= (u64)WALKS * WALK_LONG / 4);
	kill(child.pid, SIGKILL);
	waitpid(child.pid, NULL, 0);
}

static const struct unit_test tests[] = {
	{ "beside the processor", test_beside_processor },
};

int main(void)
{
	return UNIT_RUN("walks", tests);
}
