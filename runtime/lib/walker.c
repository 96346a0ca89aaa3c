/* SPDX-License-Identifier: MIT */
/*
 * walker.c - see walker.h.
 */
#include "walker.h"

#include "stages.h"
#include "sys.h"
#include "walk.h"

#include <sys/mman.h>
#include <sys/uio.h>

#define RUNS 500
#define INSNS 2000
#define PIECES 1024u /* of memory that are kept, a power of 2 */
#define UNREADABLE 0xffffu

static struct {
	struct walk walk;
	struct walk_world world;
	void *decoder;
	struct runs *runs;
	u32 modules;
	u64 read_ns; /* CPU time of the program when the first piece was read */
	u32 n; /* pieces that were read; side by side, as each page that is touched is a fault */
	struct {
		u64 at : 48; /* 0: none */
		u64 piece : 16; /* or UNREADABLE */
	} kept[PIECES]; /* by address */
	u8 pieces[PIECES][WALK_PIECE];
} walker;

static void forget(void)
{
	memset(walker.kept, 0, sizeof(walker.kept));
	walker.n = 0;
}

/* The piece of memory at `at`, read now. */
static u16 read_piece(u64 at)
{
	struct iovec to = { walker.pieces[walker.n], WALK_PIECE },
		     from = { (void *)(uintptr_t)at, WALK_PIECE };

	return sys6(SYS_process_vm_readv, world->agent_pid, (long)&to, 1, (long)&from, 1, 0) ==
	                       WALK_PIECE
	               ? (u16)walker.n++
	               : UNREADABLE;
}

static const u8 *piece_at(void *ctx, u64 at)
{
	u32 i = (u32)((at / WALK_PIECE * 0x9e3779b97f4a7c15u) >> 40) & (PIECES - 1);

	(void)ctx;
	if (walker.kept[i].at != at || !at) {
		if (walker.n == PIECES)
			forget();
		walker.kept[i].at = at;
		walker.kept[i].piece = read_piece(at);
	}
	return walker.kept[i].piece == UNREADABLE ? NULL : walker.pieces[walker.kept[i].piece];
}

u32 walker_read(u64 addr, u8 *out, u32 size)
{
	u32 n = 0;

	while (n < size) {
		u32 in = (u32)((addr + n) % WALK_PIECE), some = WALK_PIECE - in;
		const u8 *piece = piece_at(NULL, addr + n - in);

		if (!piece)
			break;
		some = some < size - n ? some : size - n;
		memcpy(out + n, piece + in, some);
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
	if (sys_failed(memory))
		return false;
	walker.decoder = (void *)memory;
	walker.walk.decoder = walker.decoder;
	walker.walk.world = &walker.world;
	walker.world.piece = piece_at;
	walker.world.run = add;
	/* The agent has the first thread's. */
	__asm__("mov %%fs:0x28, %0" : "=r"(walker.world.guard));
	return true;
}

void walker_round(u64 cpu_ns, u32 modules)
{
	if (cpu_ns - walker.read_ns >= WALKER_FRESH_NS) {
		forget();
		walker.read_ns = cpu_ns;
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

void walker_take(const struct perf_sample *sample, walker_code_fn *code, struct runs *runs,
                 struct walker_sums *sums)
{
	struct walk *w = &walker.walk;
	u32 before;

	if (sample->n_regs != (u32)__builtin_popcount(WALKER_REGS) || !open_once())
		return;
	begin(&w->m, sample->regs);
	walker.world.code = code;
	walker.runs = runs;
	w->stack_at = w->m.gpr[4].value;
	w->stack = sample->stack;
	w->n_stack = sample->n_stack;
	before = stages_enter(STATUS_STAGE_walks);
	walk_on(w, RUNS, INSNS);
	stages_enter(before);
	sums->walks++;
	sums->runs += w->n_runs;
	sums->insns += w->n_insns;
}
