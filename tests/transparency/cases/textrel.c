// SPDX-License-Identifier: MIT
// A library whose text holds relocations: its code differs from its file from the start.
// It is left alone where it must be, and runs.
#ifdef LIB
#include "t.h"
uint64_t lib_work(uint64_t x, unsigned n);
static uint64_t first = 5;
uint64_t lib_data = 7;
__asm__(".text\n\t.p2align 4\n.globl lib_work\n.type lib_work,@function\nlib_work:\n\t.cfi_startproc\n\t"
        "movabs $lib_data, %rax\n\t" /* R_X86_64_64 in the text */
        "mov (%rax), %rax\n"
        "1:\n\t"
        "lea (%rax,%rdi), %rax\n\t"
        "ror $5, %rax\n\t"
        "dec %esi\n\t"
        "jnz 1b\n\t"
        "ret\n\t.cfi_endproc\n\t.size lib_work, .-lib_work\n");
uint64_t other_work(uint64_t x, unsigned n);
uint64_t other_work(uint64_t x, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		x = t_switch(t_mix(x, first), i & 7);
	return x;
}
#else
#include "t.h"
#include <dlfcn.h>

uint64_t lib_work(uint64_t x, unsigned n);
uint64_t other_work(uint64_t x, unsigned n);

int main(void)
{
	uint64_t sum = 1;

	for (unsigned i = 0; i < 200; i++) {
		sum = lib_work(sum, 100);
		sum = other_work(sum, 100);
	}
	for (int i = 0; i < 10; i++) {
		uint64_t (*work)(uint64_t, unsigned);
		void *lib = dlopen("./lib2.so", RTLD_NOW);

		CHECK(lib);
		*(void **)&work = dlsym(lib, "lib_work");
		sum = work(sum, 100);
		CHECK(!dlclose(lib));
	}
	return t_ok(t_mix(sum, t_hot(50)));
}
#endif
