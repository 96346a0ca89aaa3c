/* SPDX-License-Identifier: MIT */
/* Inline assembly of many shapes; instructions that trap handlers look at. */
__asm__(".text\n\tlock incl counter\n\tnop\n");
int counter;
extern void use(int);

int plain(const int *p)
{
	for (int i = 0; i < p[0]; i++)
		if (p[i] > 3)
			use(i);
	return *p;
}

__attribute__((naked)) void bare(void)
{
	__asm__("jmp plain\n\t.byte 0xc9\n\tret");
}

int shapes(int a, int *p)
{
	__asm__ volatile("jmp 1f\n\t.byte 0xeb, 0xfe\n1:");
	while (*p++) {
		*p += 1;
		__asm__ volatile("rep; nop");
		use(1);
	}
	__asm__ volatile(".pushsection .text.fix,\"ax\"\n7:\tjmp 8f\n\t.popsection\n\tjc 7b\n8:");
	__asm__ volatile(".p2align 4\n\t.skip 7,0x90\n\t.nops 9\n\t.balign 8,0x90");
	__asm__ volatile(".pushsection .data\n\t.quad 9f\n\t.popsection\n9:\tnop");
	__asm__ goto("test %0,%0\n\tjz %l1\n\tjmp %l2" : : "r"(a) : "cc" : one, two);
	use(2);
one:
	use(3);
	if (a > 4)
		return plain(p);
two:
	return 4;
}

int traps(int a)
{
	if (a > 3)
		__builtin_trap();
	return a + 1;
}

unsigned long long ticks(int a)
{
	return a ? __builtin_ia32_rdtsc() : 1;
}
