/* SPDX-License-Identifier: MIT */
/*
 * walker.c - see walker.h.
 */
#include "walker.h"

#include "guard.h"
#include "stages.h"
#include "sys.h"
#include "walk.h"
#include "walk_native.h"

#include <sys/mman.h>
#include <sys/uio.h>

#define RUNS 500
#define INSNS 2000
#define PAGES 1024u /* a power of 2 */
#define ROUNDS (PAGE_SIZE / 2) /* that fit beside a page's address */

static struct {
	struct walk walk;
	struct walk_world world;
	struct walk_native native;
	void *decoder;
	struct runs *runs;
	u32 modules;
	u64 locals; /* of the program's first thread */
	u32 round; /* less than ROUNDS; 0: none yet */
	u64 pages[PAGES]; /* of the program's memory: address | round << 1 | can be read; 0: none */
} walker;

/* The kernel refuses what is not there, and what is a device's. */
static bool can_be_read(u64 at)
{
	u8 byte;
	struct iovec to = { &byte, 1 }, from = { (void *)(uintptr_t)at, 1 };

	return sys6(SYS_process_vm_readv, world->agent_pid, (long)&to, 1, (long)&from, 1, 0) == 1;
}

/* The program's memory itself. */
static const u8 *page_at(void *ctx, u64 at)
{
	u64 *page =
		&walker.pages[(u32)((at / PAGE_SIZE * 0x9e3779b97f4a7c15u) >> 40) & (PAGES - 1)];
	u64 known = at | walker.round << 1;

	(void)ctx;
	if ((*page & ~(u64)1) != known)
		*page = known | can_be_read(at);
	return *page & 1 ? (const u8 *)(uintptr_t)at : NULL;
}

u32 walker_read(u64 addr, u8 *out, u32 size)
{
	u32 n = 0;

	while (n < size) {
		u32 in = (u32)((addr + n) % PAGE_SIZE), some = PAGE_SIZE - in;
		const u8 *page = page_at(NULL, addr + n - in);

		if (!page)
			break;
		some = some < size - n ? some : size - n;
		memcpy(out + n, page + in, some);
		n += some;
	}
	return n;
}

static void add(void *ctx, u64 start, u64 last, u64 to)
{
	(void)ctx;
	runs_add(walker.runs, start, last, to, 1);
}

static bool open_once(void)
{
	long memory;

	if (walker.decoder)
		return true;
	memory = sys_mmap(0, page_up(decode_scratch_size()), PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sys_failed(memory) || !guard_open())
		return false;
	walker.decoder = (void *)memory;
	walker.walk.decoder = walker.decoder;
	walker.walk.world = &walker.world;
	walker.walk.native = walk_native_open(&walker.native) ? &walker.native : NULL;
	walker.world.page = page_at;
	walker.world.run = add;
	/* The agent has the first thread's, whose first word is its address (x86-64 psABI, 3.4.6). */
	__asm__("mov %%fs:0, %0" : "=r"(walker.locals));
	__asm__("mov %%fs:0x28, %0" : "=r"(walker.world.guard));
	return true;
}

void walker_round(u32 modules)
{
	if (++walker.round == ROUNDS) {
		memset(walker.pages, 0, sizeof(walker.pages));
		walker.round = 1;
	}
	if (modules != walker.modules)
		walk_begin_round(&walker.walk);
	walker.modules = modules;
}

/* Registers in the kernel's order, lowest bit of WALKER_REGS first, to the instructions'. */
static void begin(struct walk_machine *m, const u64 *regs)
{
	static const u8 order[16] = { 0, 2, 3, 1, 7, 6, 4, 5, 10, 11, 12, 13, 14, 15, 16, 17 };

	memset(m, 0, sizeof(*m));
	for (u32 i = 0; i < 16; i++)
		m->gpr[i] = (struct walk_word){ regs[order[i]], 0xff };
	m->rip = regs[8];
	m->flags = (u16)regs[9];
	m->flags_known = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_DF | FLAG_OF;
}

static void walk_this(void *ctx)
{
	walk_on(ctx, RUNS, INSNS);
}

void walker_take(const struct perf_sample *sample, walker_code_fn *code, struct runs *runs,
                 struct walker_sums *sums)
{
	struct walk *w = &walker.walk;
	u32 before;

	if (sample->n_regs != (u32)__builtin_popcount(WALKER_REGS) || !open_once())
		return;
	begin(&w->m, sample->regs);
	walker.world.code = code;
	w->locals = sample->tid && sample->tid == sample->pid ? walker.locals : 0;
	walker.runs = runs;
	w->stack_at = w->m.gpr[4].value;
	w->stack = sample->stack;
	w->n_stack = sample->n_stack;
	w->still = sample->n_stack;
	before = stages_enter(STATUS_STAGE_walks);
	if (!guard_run(walk_this, w))
		w->end = WALK_UNREAD;
	stages_enter(before);
	sums->walks++;
	sums->runs += w->n_runs;
	sums->insns += w->n_insns;
}
