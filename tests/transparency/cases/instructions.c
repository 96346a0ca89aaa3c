// SPDX-License-Identifier: MIT
// Instructions and jumps that compilers seldom write: loop and jrcxz, string operations in
// both directions, flags through push and pop, every form of RIP-relative operand, jumps
// into the middle of prefixed and of overlapping instructions, code that asks where it is,
// calls and jumps through memory, stack oddities, system calls from assembly.
#include "t.h"

#define FUNCTION(name, body) \
	__asm__(".pushsection .text\n\t.p2align 4\n.globl " #name "\n.type " #name \
	        ",@function\n" #name ":\n\t.cfi_startproc\n\t" body \
	        "\n\t.cfi_endproc\n\t.size " #name ", .-" #name "\n\t.popsection")

/* rdi turns: loop, loope, loopne, jrcxz, jecxz. */
uint64_t loops(uint64_t n);
FUNCTION(loops, "mov %rdi, %rcx\n\t"
                "xor %eax, %eax\n\t"
                "jrcxz 9f\n"
                "1:\tlea 3(%rax), %rax\n\t"
                "loop 1b\n\t"
                "mov %rdi, %rcx\n"
                "2:\tinc %rax\n\t"
                "test $7, %cl\n\t"
                "loopne 2b\n\t"
                "mov %rdi, %rcx\n"
                "3:\tadd $5, %rax\n\t"
                "cmp %rcx, %rcx\n\t"
                "loope 3b\n\t"
                "mov %edi, %ecx\n"
                "4:\tjecxz 5f\n\t"
                "dec %ecx\n\t"
                "inc %rax\n\t"
                "jmp 4b\n"
                "5:\tnop\n"
                "9:\tret");

/* Copies forwards and backwards, fills, scans, compares. */
uint64_t strings(char *to, const char *from, uint64_t n);
FUNCTION(strings, "push %rbx\n\t"
                  "mov %rdi, %r8\n\t"
                  "mov %rsi, %r9\n\t"
                  "mov %rdx, %rcx\n\t"
                  "rep movsb\n\t"
                  "std\n\t"
                  "lea -1(%r8,%rdx), %rsi\n\t"
                  "lea 1(%rsi), %rdi\n\t"
                  "mov %rdx, %rcx\n\t"
                  "rep movsb\n\t" /* shifted up by one, overlapping */
                  "cld\n\t"
                  "mov %r9, %rsi\n\t"
                  "lea 1(%r8), %rdi\n\t"
                  "mov %rdx, %rcx\n\t"
                  "repe cmpsb\n\t"
                  "sete %bl\n\t"
                  "mov %rcx, %rax\n\t"
                  "lea 1(%r8), %rdi\n\t"
                  "mov %rdx, %rcx\n\t"
                  "push %rax\n\t"
                  "mov -1(%rdi,%rdx), %al\n\t"
                  "repne scasb\n\t"
                  "pop %rax\n\t"
                  "add %rcx, %rax\n\t"
                  "mov %r8, %rdi\n\t"
                  "mov $3, %ecx\n\t"
                  "push %rax\n\t"
                  "mov $0x1122334455667788, %rax\n\t"
                  "rep stosq\n\t"
                  "lea -24(%rdi), %rsi\n\t"
                  "lodsw\n\t"
                  "movzwl %ax, %ecx\n\t"
                  "pop %rax\n\t"
                  "add %rcx, %rax\n\t"
                  "movzbl %bl, %ebx\n\t"
                  "add %rbx, %rax\n\t"
                  "pop %rbx\n\t"
                  "ret");

/* All the arithmetic flags, through pushf and popf, lahf and sahf, over jumps. */
uint64_t flags(uint64_t a, uint64_t b);
FUNCTION(flags, "xor %eax, %eax\n\t"
                "cmp %rsi, %rdi\n\t"
                "pushf\n\t"
                "jmp 1f\n\t"
                "int3\n"
                "1:\tpushf\n\t"
                "pop %rcx\n\t"
                "and $0x8d5, %ecx\n\t"
                "add %rcx, %rax\n\t"
                "add %rdi, %rdx\n\t"
                "popf\n\t"
                "seto %cl\n\tsetb %dl\n\tsetbe %r8b\n\tsetl %r9b\n\tsetp %r10b\n\t"
                "movzx %cl, %ecx\n\tmovzx %dl, %edx\n\tmovzx %r8b, %r8d\n\t"
                "movzx %r9b, %r9d\n\tmovzx %r10b, %r10d\n\t"
                "lea (%rax,%rcx,2), %rax\n\tlea (%rax,%rdx,4), %rax\n\t"
                "lea (%rax,%r8,8), %rax\n\tadd %r9, %rax\n\tadd %r10, %rax\n\t"
                "mov %rax, %rcx\n\t"
                "mov %edi, %eax\n\t"
                "mov %al, %ah\n\t"
                "and $0xd5, %ah\n\t"
                "or $2, %ah\n\t"
                "sahf\n\t"
                "jc 2f\n\t"
                "inc %rcx\n"
                "2:\tjs 3f\n\t"
                "add $2, %rcx\n"
                "3:\tlahf\n\t"
                "movzbl %ah, %eax\n\t"
                "add %rcx, %rax\n\t"
                "stc\n\trcl $3, %rax\n\tclc\n\trcr $1, %rax\n\tcmc\n\tadc $0, %rax\n\t"
                "ret");

/* RIP-relative operands with immediates of each size behind them. */
uint64_t relative(uint64_t x);
__asm__(".data\n\t.p2align 4\nrel_data:\t.quad 1, 2, 3, 4, 5, 6, 7, 8\n\t.text");
FUNCTION(relative, "mov %rdi, rel_data(%rip)\n\t"
                   "movb $7, rel_data+8(%rip)\n\t"
                   "movw $300, rel_data+10(%rip)\n\t"
                   "movl $70000, rel_data+12(%rip)\n\t"
                   "movq $-5, rel_data+16(%rip)\n\t"
                   "addb $3, rel_data+8(%rip)\n\t"
                   "addw $1000, rel_data+10(%rip)\n\t"
                   "imul $100000, rel_data+16(%rip), %rax\n\t"
                   "imul $7, rel_data(%rip), %rcx\n\t"
                   "add %rcx, %rax\n\t"
                   "cmpl $70000, rel_data+12(%rip)\n\t"
                   "jne 1f\n\t"
                   "inc %rax\n"
                   "1:\ttestb $2, rel_data+8(%rip)\n\t"
                   "cmovnz rel_data+8(%rip), %rcx\n\t"
                   "add %rcx, %rax\n\t"
                   "shlq $3, rel_data(%rip)\n\t"
                   "btsq $40, rel_data(%rip)\n\t"
                   "xor rel_data(%rip), %rax\n\t"
                   "lock addq $1, rel_data+24(%rip)\n\t"
                   "movq rel_data+8(%rip), %xmm1\n\t"
                   "pshufd $0x1b, rel_data(%rip), %xmm2\n\t"
                   "pinsrw $3, rel_data+2(%rip), %xmm1\n\t"
                   "paddq %xmm2, %xmm1\n\t"
                   "movq %xmm1, %rcx\n\t"
                   "add %rcx, %rax\n\t"
                   "lea rel_data+32(%rip), %rcx\n\t"
                   "add (%rcx), %rax\n\t"
                   "pushq rel_data+40(%rip)\n\t"
                   "popq rel_data+48(%rip)\n\t"
                   "add rel_data+48(%rip), %rax\n\t"
                   "setc rel_data+56(%rip)\n\t"
                   "movsbq rel_data+8(%rip), %rcx\n\t"
                   "add %rcx, %rax\n\t"
                   "crc32q rel_data(%rip), %rax\n\t"
                   "call *rel_pointer(%rip)\n\t"
                   "jmp *rel_end(%rip)\n\t"
                   "int3\n"
                   "rel_callee:\tinc %rax\n\tret\n"
                   "rel_return:\tret\n\t"
                   ".pushsection .data.rel,\"aw\"\n\t.p2align 3\n"
                   "rel_pointer:\t.quad rel_callee\n"
                   "rel_end:\t.quad rel_return\n\t.popsection");

/* Past a lock prefix, as libc does where it is single-threaded; into an immediate. */
uint64_t middles(uint64_t n, uint64_t *word);
FUNCTION(middles, "xor %eax, %eax\n"
                  "1:\ttest $1, %dil\n\t"
                  "jz 2f+1\n"
                  "2:\tlock addq $3, (%rsi)\n\t"
                  "test $2, %dil\n\t"
                  "jz 3f+1\n"
                  "3:\t.byte 0x05\n\t" /* add eax, imm32, or what the immediate holds: */
                  ".byte 0x83, 0xc0, 0x07, 0x90\n\t" /* add eax, 7; nop */
                  "and $0xffff, %eax\n\t"
                  "dec %rdi\n\t"
                  "jnz 1b\n\t"
                  "ret");

/* Where am I: call and pop, lea, the address behind a system call in rcx. */
uint64_t whereabouts(void);
extern const char where_call[], where_lea[], where_syscall[], where_jump[];
FUNCTION(whereabouts, "push %rbx\n\t"
                      "xor %ebx, %ebx\n\t"
                      "call 1f\n"
                      ".globl where_call\nwhere_call:\n"
                      "1:\tpop %rax\n\t"
                      "lea where_call(%rip), %rcx\n\t"
                      "cmp %rax, %rcx\n\t"
                      "setne %bl\n\t"
                      "mov $39, %eax\n\t" /* getpid */
                      "syscall\n"
                      ".globl where_syscall\nwhere_syscall:\n\t"
                      "lea where_syscall(%rip), %rdx\n\t"
                      "cmp %rcx, %rdx\n\t"
                      "je 2f\n\t"
                      "or $2, %ebx\n"
                      "2:\tcall 3f\n\t"
                      "int3\n\tint3\n"
                      ".globl where_jump\nwhere_jump:\n\t"
                      "jmp 4f\n"
                      "3:\taddq $2, (%rsp)\n\t" /* returns past the int3s */
                      "ret\n"
                      "4:\tlea 5f(%rip), %rax\n\t"
                      "push %rax\n\t"
                      "ret\n\t"
                      "int3\n"
                      "5:\tmov %rbx, %rax\n\t"
                      "pop %rbx\n\t"
                      "ret");

/* ret with a count, enter and leave, push and pop of memory and of rsp, xchg with rsp. */
uint64_t stacks(uint64_t x);
FUNCTION(stacks, "push %rbp\n\t"
                 "mov %rsp, %r11\n\t"
                 "push %rdi\n\t"
                 "push $77\n\t"
                 "push $0x12345\n\t"
                 "call 1f\n\t"
                 "add %rax, %rax\n\t"
                 "push %rsp\n\t"
                 "pop %rcx\n\t"
                 "cmp %rsp, %rcx\n\t"
                 "jne 8f\n\t"
                 "enter $64, $0\n\t"
                 "mov %rax, -8(%rbp)\n\t"
                 "leave\n\t"
                 "pushw $5\n\t"
                 "popw %cx\n\t"
                 "movzwl %cx, %ecx\n\t"
                 "add %rcx, %rax\n\t"
                 "push %rax\n\t"
                 "notq (%rsp)\n\t"
                 "pushq (%rsp)\n\t"
                 "popq (%rsp)\n\t"
                 "pop %rax\n\t"
                 "mov %rsp, %rdx\n\t"
                 "lea -256(%rsp), %rcx\n\t"
                 "and $-64, %rcx\n\t"
                 "xchg %rsp, %rcx\n\t"
                 "call 2f\n\t"
                 "xchg %rsp, %rcx\n\t"
                 "cmp %rsp, %rdx\n\t"
                 "jne 8f\n\t"
                 "cmp %rsp, %r11\n\t"
                 "jne 8f\n\t"
                 "pop %rbp\n\t"
                 "ret\n"
                 "1:\tmov 24(%rsp), %rax\n\t"
                 "add 16(%rsp), %rax\n\t"
                 "add 8(%rsp), %rax\n\t"
                 "ret $24\n"
                 "2:\tinc %rax\n\t"
                 "test $3, %al\n\t"
                 "jnz 2b\n\t"
                 "ret\n"
                 "8:\tud2");

/* mul, div, shifts, bit operations, byte registers, cmov, xlat, bswap, movbe-like. */
uint64_t mixture(uint64_t x, const unsigned char *table);
FUNCTION(mixture, "push %rbx\n\t"
                  "mov %rdi, %rax\n\t"
                  "mov $0x9e3779b97f4a7c15, %rcx\n\t"
                  "mul %rcx\n\t"
                  "xor %rdx, %rax\n\t"
                  "mov %rsi, %rbx\n\t"
                  "mov %rax, %r8\n\t"
                  "xlatb\n\t"
                  "mov %al, %ah\n\t"
                  "ror $4, %ah\n\t"
                  "rol $3, %ax\n\t"
                  "bswap %rax\n\t"
                  "mov %r8, %rcx\n\t"
                  "shld %cl, %r8, %rax\n\t"
                  "shrd $13, %rax, %r8\n\t"
                  "sar %cl, %r8\n\t"
                  "bsr %rax, %rdx\n\t"
                  "cmovz %r8, %rdx\n\t"
                  "bt %rdx, %r8\n\t"
                  "adc %rdx, %rax\n\t"
                  "btc $5, %rax\n\t"
                  "movzbl %ah, %edx\n\t"
                  "movsbl %dl, %ecx\n\t"
                  "imul %ecx, %edx\n\t"
                  "xadd %rdx, %rax\n\t"
                  "cqo\n\t"
                  "mov $1000003, %ecx\n\t"
                  "idiv %rcx\n\t"
                  "lea (%rax,%rdx,8), %rax\n\t"
                  "cdqe\n\tcwtl\n\tcltq\n\t"
                  "xchg %rax, %r8\n\t"
                  "cmpxchg %r8, %rdx\n\t"
                  "sbb %ecx, %ecx\n\t"
                  "add %rcx, %rax\n\t"
                  "add %r8, %rax\n\t"
                  "popcnt %rax, %rcx\n\t"
                  "add %rcx, %rax\n\t"
                  "pop %rbx\n\t"
                  "cs nopw 0(%rax,%rax)\n\t"
                  "rep ret");

/* A jump table in the text, indexed by hand, with short and long entries. */
uint64_t table_jump(uint64_t x);
FUNCTION(table_jump, "lea 9f(%rip), %rcx\n\t"
                     "mov %edi, %eax\n\t"
                     "and $3, %eax\n\t"
                     "movslq (%rcx,%rax,4), %rdx\n\t"
                     "add %rcx, %rdx\n\t"
                     "jmp *%rdx\n\t"
                     ".p2align 2\n"
                     "9:\t.long 1f-9b, 2f-9b, 3f-9b, 4f-9b\n"
                     "1:\tlea 1(%rdi), %rax\n\tret\n"
                     "2:\tlea 2(%rdi,%rdi), %rax\n\tret\n"
                     "3:\tlea 3(%rdi,%rdi,2), %rax\n\tnotrack jmp *%rsi\n"
                     "4:\tmov $4, %eax\n\tret");

int main(void)
{
	static unsigned char table[256];
	uint64_t sum = 0, word = 0;
	char to[300], from[300];

	for (unsigned i = 0; i < 256; i++)
		table[i] = (unsigned char)(i * 7 + 3);
	for (unsigned i = 0; i < sizeof(from); i++)
		from[i] = (char)(i * 11 + (i >> 3));
	CHECK(loops(0) == 0);
	for (unsigned i = 0; i < 2000; i++) {
		sum = t_mix(sum, loops(i % 50 + 1));
		sum = t_mix(sum, strings(to, from, i % 200 + 24));
		sum = t_mix(sum, flags(sum, sum >> (i & 63)));
		sum = t_mix(sum, flags(i, i));
		sum = t_mix(sum, relative(sum));
		word = 0;
		sum = t_mix(sum, middles(i % 30 + 1, &word));
		CHECK(word == 3ull * (i % 30 + 1));
		CHECK(whereabouts() == 0);
		sum = t_mix(sum, stacks(sum));
		sum = t_mix(sum, mixture(sum, table));
		if ((sum & 3) != 2)
			sum = t_mix(sum, table_jump(sum));
	}
	return t_ok(sum);
}
