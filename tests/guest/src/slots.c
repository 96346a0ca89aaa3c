// SPDX-License-Identifier: MIT
/*
 * slots.c - sites that are too short for the jump, and threads that stand in their slots: led back to the site where text is the
 * original, never seen there by a handler, and gone on when the site was undone.
 *
 * run.sh compiles this program with the flag. Functions here have two ways, each a block that needs the arguments and nothing else: who calls the block calls a function, and who
 * calls its slot the same one.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include "traced.h"

#define EXE "/proc/self/exe"
#define JMP8 0xeb
#define JMP32 0xe9

/* ---- functions with short sites ---- */

typedef uint32_t (*function)(uint32_t x, const volatile uint32_t *zeros);

/* What is volatile keeps both ways, and nothing of either is done before. */
#define FUNCTION(name, one, other) \
	__attribute__((noinline)) uint32_t name(uint32_t x, const volatile uint32_t *zeros); \
	uint32_t name(uint32_t x, const volatile uint32_t *zeros) \
	{ \
		return x & 1 ? (one) + zeros[0] : (other) - zeros[1]; \
	}
FUNCTION(collatz, x * 3 + 1, (x >> 1) ^ x)
FUNCTION(scaled, x * 9, x * 5 + 7)
FUNCTION(folded, (x ^ x >> 3) * x, (x << 4) - x)
FUNCTION(turned, (x << 7 | x >> 25) + x, x * 5 + 1)

static const function functions[] = { collatz, scaled, folded, turned };
#define FUNCTIONS (sizeof(functions) / sizeof(functions[0]))
#define CALLS 100
#define ARGUMENT 77777

static const volatile uint32_t zeros[2];

/* ---- a process that answers ---- */

enum what { CALL, CALL_ONCE, SLOT, SLOT_ELSEWHERE, SLOT_SIGNALLED };

struct question {
	enum what what;
	uint64_t site;
};

static uint64_t call(uint64_t addr)
{
	uint64_t sum = 0;

	for (uint32_t x = 0; x < CALLS; x++)
		sum = sum * 33 + ((function)addr)(x * ARGUMENT, zeros);
	return sum;
}

/* 0: the site has none. */
static uint64_t slot_of(uint64_t addr)
{
	const uint8_t *site = (const uint8_t *)addr, *slot;

	if (site[0] != JMP8)
		return 0;
	slot = site + 2 + (int8_t)site[1];
	return slot[0] == JMP32 ? (uintptr_t)slot : 0;
}

/* The functions' pages once more, far from the cache; mapped before the module knows of the process. */
static uint8_t *copies[FUNCTIONS];

static uint64_t page_of(uint64_t addr)
{
	return addr & ~(PAGE - 1ull);
}

static void map_copies(void)
{
	int fd = open(EXE, O_RDONLY | O_CLOEXEC);
	char *program = slurp(EXE, NULL);

	for (size_t i = 0; i < FUNCTIONS; i++) {
		uint64_t at = traced_offset(program, (uintptr_t)functions[i]);

		copies[i] = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, page_of(at));
		check(copies[i] != MAP_FAILED);
	}
	free(program);
	close(fd);
}

/*
 * There all text reads as in the file, slots too. Each call meets the page anew: it is the fault that leads back, and nobody else comes to
 * a slot of such a page.
 */
static uint64_t call_elsewhere(uint64_t slot)
{
	uint64_t sum = 0;
	size_t i = 0;

	while (i < FUNCTIONS && page_of((uintptr_t)functions[i]) != page_of(slot))
		i++;
	check(i < FUNCTIONS);
	for (uint32_t x = 0; x < CALLS; x++) {
		check(madvise(copies[i], PAGE, MADV_DONTNEED) == 0);
		sum = sum * 33 + ((function)((uintptr_t)copies[i] + slot - page_of(slot)))(
					 x * ARGUMENT, zeros);
	}
	return sum;
}

static volatile uint64_t go_to, seen_at;

/* The interrupted code calls the slot when this returns, where the other signal waits for it. */
static void on_first(int number, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)number;
	(void)info;
	registers[REG_RSP] -= 8;
	*(uint64_t *)registers[REG_RSP] = registers[REG_RIP];
	registers[REG_RDI] = ARGUMENT;
	registers[REG_RSI] = (greg_t)(uintptr_t)zeros;
	registers[REG_RIP] = go_to;
	check(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR2) == 0);
}

static void on_second(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	seen_at = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
}

/* In a slot when a signal comes: what the handler saw is the site, and the call goes on. */
static uint64_t call_signalled(uint64_t site, uint64_t slot)
{
	struct sigaction first = { .sa_sigaction = on_first, .sa_flags = SA_SIGINFO };
	struct sigaction second = { .sa_sigaction = on_second, .sa_flags = SA_SIGINFO };
	uint64_t result;

	sigaddset(&first.sa_mask, SIGUSR2);
	check(sigaction(SIGUSR1, &first, NULL) == 0 && sigaction(SIGUSR2, &second, NULL) == 0);
	go_to = slot;
	seen_at = 0;
	/* below the red zone */
	__asm__ volatile("mov %%rsp, %%rbx\n\t"
	                 "sub $256, %%rsp\n\t"
	                 "syscall\n\t"
	                 "mov %%rbx, %%rsp"
	                 : "=a"(result)
	                 : "a"(SYS_tgkill), "D"(getpid()), "S"(gettid()), "d"(SIGUSR1)
	                 : "rbx", "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
	check_is(seen_at, site);
	return (uint32_t)result;
}

static uint64_t answer_to(const struct question *question)
{
	uint64_t slot = slot_of(question->site);

	switch (question->what) {
	case CALL:
		return call(question->site);
	case CALL_ONCE:
		return ((function)question->site)(ARGUMENT, zeros);
	case SLOT:
		return slot;
	case SLOT_ELSEWHERE:
		return call_elsewhere(slot);
	default:
		return call_signalled(question->site, slot);
	}
}

static int serve(void)
{
	struct question question;

	map_copies();
	while (read(RUN_ASK, &question, sizeof(question)) == sizeof(question)) {
		uint64_t value = answer_to(&question);

		check(write(RUN_REPLY, &value, sizeof(value)) == sizeof(value));
	}
	return 0;
}

static uint64_t ask(const struct run *run, enum what what, uint64_t site)
{
	struct question question = { what, site };
	uint64_t value;

	check(write(run->ask, &question, sizeof(question)) == sizeof(question));
	check(read(run->reply, &value, sizeof(value)) == sizeof(value));
	return value;
}

/* ---- what is asked of the module ---- */

static struct dynopt_ioc_report reports[TRACES_MAX];

/* Traces of a block each: both ways of the functions, which begin with a test and a jump by what it found. */
static void fill_traces(void)
{
	for (size_t i = 0; i < FUNCTIONS; i++) {
		const uint8_t *jump = (const uint8_t *)(uintptr_t)functions[i];

		while (jump[0] >> 4 != 7)
			jump++;
		blocks[n_traces++].start = (uintptr_t)jump + 2;
		blocks[n_traces++].start = (uintptr_t)jump + 2 + (int8_t)jump[1];
	}
	for (uint32_t i = 0; i < n_traces; i++) {
		blocks[i].parent = 0xffffffff;
		traces[i].n_blocks = 1;
	}
}

/* Every way into a slot. `plain` runs the original. */
static void enter(int device, const struct run *run, const struct run *plain, uint64_t site)
{
	uint64_t wanted = ask(plain, CALL, site), slot = ask(run, SLOT, site);
	uint64_t evicted = counter(device, DYNOPT_COUNTER_EVICTED);
	uint64_t turned = counter(device, DYNOPT_COUNTER_TURNED);

	check_is(ask(run, CALL, site), wanted);
	check_is(ask(run, CALL, slot), wanted);
	check_is(ask(run, SLOT_ELSEWHERE, site), wanted);
	check_is(counter(device, DYNOPT_COUNTER_EVICTED), evicted + CALLS);
	check_is(ask(run, SLOT_SIGNALLED, site), ask(plain, CALL_ONCE, site));
	check(counter(device, DYNOPT_COUNTER_TURNED) > turned);
}

/* Who patches by hand does not get its bytes, whether the site is live or was undone. */
static void taken(int device, int file, const char *program, uint64_t slot)
{
	struct dynopt_ioc_patch patch;

	patch_fill(&patch, file, &site_one);
	patch.offset = traced_offset(program, slot);
	patch.cache_offset = patch.offset + 64;
	memset(patch.old, 0xcc, patch.old_len);
	check_is(call_raw(device, DYNOPT_IOC_PATCH, &patch), DYNOPT_KMOD_OVERLAP);
}

static uint64_t sites[TRACES_MAX], slots[TRACES_MAX];

/* Those that have a slot. */
static uint32_t find_slots(const struct run *run)
{
	uint32_t n = 0, i;

	for (i = 0; i < n_traces; i++) {
		if (strcmp(reports[i].status, "OK") != 0)
			continue;
		slots[n] = ask(run, SLOT, reports[i].site);
		if (slots[n])
			sites[n++] = reports[i].site;
	}
	return n;
}

int main(int argc, char **argv)
{
	struct run run, plain;
	int device, file;
	char *program;
	uint32_t n, i;

	if (argc > 1 && !strcmp(argv[1], "run"))
		return serve();
	if (access("/t/slots.traces", F_OK) != 0)
		guest_skip("dynopt-clang was not built, so this program has no slots");
	fill_traces();
	program = slurp(EXE, NULL);
	device = device_open_patient();
	file = open(EXE, O_RDONLY | O_CLOEXEC);
	run = run_start(EXE, "slots");
	plain = run_start(EXE, "slots");
	ask(&run, CALL, (uintptr_t)collatz); /* it has been started now */
	check_is(call_register(device, run.pid), DYNOPT_KMOD_OK);
	traced_submit_all(device, file, reports);
	n = find_slots(&run);
	printf("%u sites with slots\n", n);
	check(n > 1);
	for (i = 0; i < n; i++) {
		enter(device, &run, &plain, sites[i]);
		taken(device, file, program, slots[i]);
	}

	/* Who stands in a slot goes on; the same translation comes back by the same slot. */
	check_is(call_undo_all(device, file), DYNOPT_KMOD_OK);
	for (i = 0; i < n; i++) {
		check_is(ask(&run, SLOT, sites[i]), 0);
		check_is(ask(&run, CALL, slots[i]), ask(&plain, CALL, sites[i]));
		taken(device, file, program, slots[i]);
	}
	traced_submit_all(device, file, reports);
	for (i = 0; i < n; i++) {
		check_is(ask(&run, SLOT, sites[i]), slots[i]);
		enter(device, &run, &plain, sites[i]);
	}
	check_is(call_unregister(device, run.pid), DYNOPT_KMOD_OK);
	for (i = 0; i < n; i++) {
		check_is(ask(&run, SLOT, sites[i]), 0);
		check_is(ask(&run, CALL, sites[i]), ask(&plain, CALL, sites[i]));
	}
	run_end(&run);
	run_end(&plain);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	return 0;
}
