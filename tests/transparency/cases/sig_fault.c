// SPDX-License-Identifier: MIT
// Faults that the program makes on purpose, in hot code: the handler sees the faulting
// instruction in the original text, the right si_addr and the registers of that moment;
// it goes on behind the instruction, or after mending a register, or by siglongjmp. With
// DECODE it also reads the instruction at that place, as handlers do that emulate it.
#include "t_text.h"
#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

/* What faults, in this order: load, store, rep movsb, div, ud2, bus error. */
extern const char at_load[], at_store[], at_movs[], at_div[], at_ud2[], at_bus[];
uint64_t faulting_sum(const uint64_t *words, uint64_t n, uint64_t *where);
uint64_t dividing(uint64_t n, uint64_t by);
uint64_t undefined(uint64_t n);
uint64_t bus_read(const uint64_t *p);
void copying(char *to, const char *from, size_t n);

__asm__(".text\n\t.p2align 4\n"
        ".globl faulting_sum\n.type faulting_sum,@function\nfaulting_sum:\n\t.cfi_startproc\n\t"
        "xor %eax, %eax\n\t"
        "mov $0x1234, %r8d\n"
        "1:\n\t"
        ".globl at_load\nat_load:\n\t"
        "add (%rdi), %rax\n\t" /* 48 03 07 */
        "call 2f\n\t"
        ".globl at_store\nat_store:\n\t"
        "mov %rax, (%rdx)\n\t" /* 48 89 02 */
        "add $8, %rdi\n\t"
        "dec %rsi\n\t"
        "jnz 1b\n\t"
        "ret\n\t.cfi_endproc\n\t.cfi_startproc\n"
        "2:\n\t"
        "lea 1(%rax), %rax\n\t"
        "ret\n\t"
        ".cfi_endproc\n\t.size faulting_sum, .-faulting_sum\n\t"
        ".p2align 4\n"
        ".globl dividing\n.type dividing,@function\ndividing:\n\t.cfi_startproc\n\t"
        "xor %ecx, %ecx\n"
        "1:\n\t"
        "mov %rdi, %rax\n\t"
        "xor %edx, %edx\n"
        ".globl at_div\nat_div:\n\t"
        "div %rsi\n\t" /* 48 f7 f6 */
        "add %rax, %rcx\n\t"
        "dec %rdi\n\t"
        "jnz 1b\n\t"
        "mov %rcx, %rax\n\t"
        "ret\n\t"
        ".cfi_endproc\n\t.size dividing, .-dividing\n\t"
        ".p2align 4\n"
        ".globl undefined\n.type undefined,@function\nundefined:\n\t.cfi_startproc\n\t"
        "xor %eax, %eax\n"
        "1:\n\t"
        "add %rdi, %rax\n"
        ".globl at_ud2\nat_ud2:\n\t"
        "ud2\n\t"
        "dec %rdi\n\t"
        "jnz 1b\n\t"
        "ret\n\t"
        ".cfi_endproc\n\t.size undefined, .-undefined\n\t"
        ".p2align 4\n"
        ".globl bus_read\n.type bus_read,@function\nbus_read:\n\t.cfi_startproc\n"
        ".globl at_bus\nat_bus:\n\t"
        "mov (%rdi), %rax\n\t" /* 48 8b 07 */
        "ret\n\t"
        ".cfi_endproc\n\t.size bus_read, .-bus_read\n\t"
        ".p2align 4\n"
        ".globl copying\n.type copying,@function\ncopying:\n\t.cfi_startproc\n\t"
        "mov %rdx, %rcx\n"
        ".globl at_movs\nat_movs:\n\t"
        "rep movsb\n\t" /* f3 a4 */
        "ret\n\t"
        ".cfi_endproc\n\t.size copying, .-copying\n");

/* The instruction there is what it was compiled to: in the file, or as the handler reads it. */
static int bytes_are(const void *rip, const char *bytes, size_t size)
{
#ifdef DECODE
	return !memcmp(rip, bytes, size);
#else
	const struct t_segment *s = t_text_of((uintptr_t)rip);
	const unsigned char *file = s ? t_text_bytes(s, (uintptr_t)rip) : NULL;

	return file && !memcmp(file, bytes, size);
#endif
}

static uint64_t good[64], sink;
static char *page;
static volatile unsigned n_faults, mode;
static sigjmp_buf jump;
enum { MEND_LOAD, SKIP_STORE, JUMP_OUT, MEND_COPY };

static void segv(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	greg_t *r = uc->uc_mcontext.gregs;
	const unsigned char *rip = (const unsigned char *)r[REG_RIP];

	CHECK(sig == SIGSEGV && t_text_original((uintptr_t)rip));
	n_faults++;
	switch (mode) {
	case MEND_LOAD:
		CHECK((const char *)rip == at_load && bytes_are(rip, "\x48\x03\x07", 3));
		CHECK(info->si_addr == (void *)r[REG_RDI] && r[REG_R8] == 0x1234);
		r[REG_RDI] = (greg_t)good;
		break;
	case SKIP_STORE:
		CHECK((const char *)rip == at_store && bytes_are(rip, "\x48\x89\x02", 3));
		CHECK(info->si_addr == (void *)r[REG_RDX] && r[REG_R8] == 0x1234);
		r[REG_RIP] += 3;
		break;
	case JUMP_OUT:
		CHECK((const char *)rip == at_load);
		siglongjmp(jump, 1);
	case MEND_COPY:
		CHECK((const char *)rip == at_movs && bytes_are(rip, "\xf3\xa4", 2));
		CHECK(info->si_addr == page && r[REG_RDI] == (greg_t)page);
		CHECK(r[REG_RCX] == 10);
		r[REG_RDI] = (greg_t)good; /* the rest goes elsewhere */
		break;
	}
}

static void fpe(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	greg_t *r = uc->uc_mcontext.gregs;

	CHECK(sig == SIGFPE && info->si_code == FPE_INTDIV);
	CHECK(r[REG_RIP] == (greg_t)at_div && info->si_addr == at_div);
	CHECK(bytes_are((const void *)r[REG_RIP], "\x48\xf7\xf6", 3));
	CHECK(r[REG_RAX] == r[REG_RDI] && r[REG_RDX] == 0);
	n_faults++;
	r[REG_RSI] = 2;
}

static void ill(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	greg_t *r = uc->uc_mcontext.gregs;

	CHECK(sig == SIGILL && info->si_addr == at_ud2 && r[REG_RIP] == (greg_t)at_ud2);
	CHECK(bytes_are(at_ud2, "\x0f\x0b", 2));
	n_faults++;
	r[REG_RIP] += 2;
}

static void bus(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	CHECK(sig == SIGBUS && info->si_code == BUS_ADRERR && info->si_addr == page + 8);
	CHECK(uc->uc_mcontext.gregs[REG_RIP] == (greg_t)at_bus);
	n_faults++;
	uc->uc_mcontext.gregs[REG_RAX] = 77;
	uc->uc_mcontext.gregs[REG_RIP] += 3;
}

static void catch (int sig, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	CHECK(!sigaction(sig, &action, NULL));
}

static void memory_faults(void)
{
	uint64_t plain = faulting_sum(good, 64, &sink);

	mode = MEND_LOAD;
	for (unsigned i = 0; i < 500; i++)
		CHECK(faulting_sum((uint64_t *)page + i % 100, 64, &sink) == plain);
	CHECK(n_faults == 500);
	mode = SKIP_STORE;
	for (unsigned i = 0; i < 20; i++)
		CHECK(faulting_sum(good, 64, (uint64_t *)page) == plain);
	CHECK(n_faults == 500 + 20 * 64);
	mode = JUMP_OUT;
	for (volatile unsigned i = 0; i < 500; i++) {
		if (!sigsetjmp(jump, 1)) {
			faulting_sum((uint64_t *)page, 64, &sink);
			CHECK(0);
		}
	}
	CHECK(n_faults == 1000 + 20 * 64);
}

static void copy_faults(char *before)
{
	char text[] = "abcdefghijklmnop";

	mode = MEND_COPY;
	n_faults = 0;
	for (unsigned i = 0; i < 100; i++) {
		memset(good, 0, 32);
		copying(before + 4096 - 6, text, 16);
		CHECK(!memcmp(before + 4096 - 6, "abcdef", 6) && !memcmp(good, "ghijklmnop", 10));
	}
	CHECK(n_faults == 100);
}

static void bus_faults(void)
{
	char name[] = "bus-XXXXXX";
	int fd = mkstemp(name);

	CHECK(fd >= 0 && !unlink(name));
	page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(page != MAP_FAILED);
	for (unsigned i = 0; i < 100; i++)
		CHECK(bus_read((uint64_t *)page + 1) == 77);
	CHECK(n_faults == 100);
}

int main(void)
{
	uint64_t sum = t_hot(200);
	char *before = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(before != MAP_FAILED);
	page = before + 4096;
	CHECK(!mprotect(page, 4096, PROT_NONE));
	t_text_read();
	for (unsigned i = 0; i < 64; i++)
		good[i] = i * i;
	catch (SIGSEGV, segv);
	catch (SIGFPE, fpe);
	catch (SIGILL, ill);
	catch (SIGBUS, bus);
	memory_faults();
	copy_faults(before);
	n_faults = 0;
	for (unsigned i = 0; i < 500; i++)
		CHECK(dividing(100, 0) == dividing(100, 2));
	CHECK(n_faults == 500);
	n_faults = 0;
	for (unsigned i = 0; i < 50; i++)
		CHECK(undefined(20) == 210);
	CHECK(n_faults == 1000);
	n_faults = 0;
	bus_faults();
	return t_ok(t_mix(sum, n_faults));
}
