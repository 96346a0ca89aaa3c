/* SPDX-License-Identifier: MIT */
/*
 * Walks beside the processor: a child works under ptrace, one instruction at a time; at many places of its way a walk is made from its registers, and then the child
 * goes the same number of instructions. Whatever the walk says it knows must be so: the way, registers, flags, and what was written. Walks that say nothing would pass that, so
 * most must come to their limit.
 */
#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include "unit.h"
#include "walk.h"
#include "walk_native.h"

#define WALK_LONG 200 /* instructions */
#define BETWEEN 37 /* from one walk's end to the next one's begin */
#define WALKS 2000u
#define RUNS 64
#define STACK 512
#define PAGES 256

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

/* Sums, roots, conversions, and comparisons of what comes of them. */
static __attribute__((noinline)) double summed(const double *numbers, int n)
{
	double sum = 0;
	float last = 1;

	for (int i = 0; i < n; i++) {
		double x = numbers[i] * numbers[n - 1 - i] / (i + 1.5);

		sum += sqrt(fabs(x)) > 100 ? fmin(x, sum) : (double)(int)x - last;
		last = (float)sum + (float)(unsigned)i;
		if (last > 1e6f || sum != sum)
			sum = last = 0;
	}
	return fabs(sum);
}

/* Loops that compilers make vectors of, and what libc does with vectors. */
static __attribute__((noinline)) unsigned long differing(char *a, char *b, unsigned n)
{
	static unsigned char places[256];
	unsigned long sum = 0;

	for (unsigned i = 0; i < n; i++)
		places[i] = (unsigned char)(a[i] ^ (b[i] + i));
	for (unsigned i = 0; i < n; i++)
		sum += places[i] > 'a';
	return sum + (unsigned long)memcmp(a, b, n) + (unsigned long)memcmp(a, b, n % 32) +
	       strlen(a) + (memchr(a, 'e', n) ? (size_t)((char *)memchr(a, 'e', n) - a) : n) +
	       strspn(a, "0123456789- ") + (unsigned long)strcmp(a, b);
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
		for (int i = 0; i < 20; i++)
			seed += (unsigned long)summed(numbers + i, 44) +
			        differing(text + i, text + 3, 200 + (unsigned)i);
	}
}

/* ---- the child ---- */

static struct {
	pid_t pid;
	int memory;
	u64 pages[PAGES]; /* read since it went on last; 0: none */
	u8 bytes[PAGES][WALK_PAGE];
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

	memset(child.pages, 0, sizeof(child.pages));
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

static const u8 *page(void *ctx, u64 at)
{
	u32 i = (u32)(at / WALK_PAGE % PAGES);

	(void)ctx;
	if (child.pages[i] != at) {
		if (pread(child.memory, child.bytes[i], WALK_PAGE, (off_t)at) != WALK_PAGE)
			return NULL;
		child.pages[i] = at;
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

static struct walk_world surroundings = { .code = code, .page = page, .run = note };
static struct walk walk;
static struct walk_native native;
static u8 stack[STACK];
static u64 ends[WALK_ENDS_N], n_steps, n_native;

/* Where the XSAVE area has a part of the state (SDM volume 1, 13.4): all zero if it is in its first state. */
static const u8 *state_part(const u8 *area, u32 component)
{
	static const u8 zeros[4096];
	u32 size, at, c, d;

	if (!(area[512 + component / 8] >> component % 8 & 1))
		return zeros;
	__cpuid_count(0xd, component, size, at, c, d);
	return area + at;
}

enum { STATE_YMM = 2, STATE_MASKS = 5, STATE_ZMM = 6, STATE_ZMM16 = 7 };

static u8 area[16384] __attribute__((aligned(64)));

static void read_vectors(void)
{
	struct iovec all = { area, sizeof(area) };

	CU_ASSERT_FATAL(ptrace(PTRACE_GETREGSET, child.pid, (void *)NT_X86_XSTATE, &all) == 0);
}

/* As no sample has them: but from every other walk's begin on they are known, so that more is made of them. */
static void begin_vectors(void)
{
	read_vectors();
	for (u32 i = 0; i < WALK_VECTORS; i++) {
		u8 *to = (u8 *)walk.m.vec[i];

		walk.m.vec_known[i] = ~(u64)0;
		if (i >= 16) {
			memcpy(to, state_part(area, STATE_ZMM16) + 64 * (i - 16), 64);
			continue;
		}
		memcpy(to, area + 160 + 16 * i, 16);
		memcpy(to + 16, state_part(area, STATE_YMM) + 16 * i, 16);
		memcpy(to + 32, state_part(area, STATE_ZMM) + 32 * i, 32);
	}
	for (u32 i = 0; i < 8; i++) {
		memcpy(&walk.m.mask[i].value, state_part(area, STATE_MASKS) + 8 * i, 8);
		walk.m.mask[i].known = 0xff;
	}
}

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
	if (walk.number % 2)
		begin_vectors();
	walk.stack_at = r->rsp;
	walk.stack = stack;
	walk.n_stack = n > 0 ? (u32)n : 0;
	walk_begin_round(&walk);
	n_said = 0;
	walk_on(&walk, RUNS, WALK_LONG);
	ends[walk.end]++;
	n_steps += walk.n_insns;
	n_native += native.n;
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

static void compare_bytes(const char *what, const u64 *told, u64 known, const u8 *is, u32 n, u32 at,
                          u64 from)
{
	for (u32 i = 0; i < n; i++)
		if ((known >> (at + i) & 1) && ((const u8 *)told)[at + i] != is[i]) {
			differs(what, ((const u8 *)told)[at + i], is[i], from);
			return;
		}
}

static void compare_vectors(u64 from)
{
	read_vectors();
	for (u32 i = 0; i < WALK_VECTORS; i++) {
		const u64 *told = walk.m.vec[i], known = walk.m.vec_known[i];

		if (i >= 16) {
			if (known)
				compare_bytes("zmm", told, known,
				              state_part(area, STATE_ZMM16) + 64 * (i - 16), 64, 0,
				              from);
			continue;
		}
		compare_bytes("xmm", told, known, area + 160 + 16 * i, 16, 0, from);
		compare_bytes("ymm", told, known, state_part(area, STATE_YMM) + 16 * i, 16, 16,
		              from);
		compare_bytes("zmm", told, known, state_part(area, STATE_ZMM) + 32 * i, 32, 32,
		              from);
	}
	for (u32 i = 0; i < 8; i++)
		if (walk.m.mask[i].known)
			compare_bytes("mask", &walk.m.mask[i].value, walk.m.mask[i].known,
			              state_part(area, STATE_MASKS) + 8 * i, 8, 0, from);
}

static void compare(u64 from)
{
	struct user_regs_struct r = registers();
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
	compare_vectors(from);
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
	walk.native = walk_native_open(&native) ? &native : NULL;
	if (!walk.native)
		printf("\n    nothing is executed: executable memory is refused here");
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
	printf("; %llu instructions were copied for the processor\n    ",
	       (unsigned long long)n_native);
	CU_ASSERT(!walk.native || n_native >= WALKS);
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
