/* SPDX-License-Identifier: MIT */
/*
 * inline_cases.c - see inline_cases.h. Each row of the table in engine/frames.c has its program here, and so has each
 * reason to end a path. Functions start behind an `ud2` and are called by somebody, which makes them functions.
 */
#include "inline_cases.h"

/* clang-format off */
__asm__(".pushsection .text.inline_cases, \"ax\", @progbits\n"
".hidden inline_code, inline_code_end, inline_end\n"
".globl inline_code, inline_code_end, inline_end\n"
"inline_code:\n"
"inline_end: ud2\n"

/* push, pop, push of an immediate, operands based on rsp */
"pushes: inc %rax\n	call pushes_f\n"
"pushes_b: add %rax, %rdx\n	ret\n	ud2\n"
"pushes_f: push %rbx\n	push %r12\n	push $-5\n	push $0x12345678\n"
"	mov 8(%rsp), %rbx\n	mov %rbx, 0x10(%rsp)\n	addq $3, (%rsp)\n	pop %rax\n	pop %r12\n"
"	mov 8(%rsp), %r9\n	pop %r12\n	pop %rbx\n	ret\n	ud2\n"

/* a frame pointer, left by leave */
"leaves: call leaves_f\n"
"leaves_b: add %rax, %rdx\n	ret\n	ud2\n"
"leaves_f: push %rbp\n	mov %rsp, %rbp\n	sub $0x30, %rsp\n	mov %rdi, -8(%rbp)\n	mov %rsi, 8(%rsp)\n"
"	mov -8(%rbp), %rax\n	xor (%rax), %rsi\n	mov -0x28(%rbp), %rsi\n	leave\n	ret\n	ud2\n"

/* a frame pointer, left by mov and pop */
"restores: call restores_f\n"
"restores_b: add %rax, %rdx\n	ret\n	ud2\n"
"restores_f: push %rbp\n	mov %rsp, %rbp\n	push %rbx\n	lea -0x18(%rsp), %rsp\n	mov %rdi, (%rsp)\n"
"	mov (%rsp), %rax\n	mov -0x20(%rbp), %rbx\n	mov %rbp, %rsp\n	pop %rbp\n	ret\n	ud2\n"

/* rsp in other registers, and stores through them */
"copies: call copies_f\n"
"copies_b: add %rax, %rdx\n	ret\n	ud2\n"
"copies_f: sub $0x28, %rsp\n	mov %rsp, %rax\n	mov %rsp, %r13\n	mov %rdi, 8(%rax)\n	lea 0x10(%rsp), %r8\n"
"	mov %rsi, (%r8)\n	mov 8(%rsp), %r9\n	mov 0x10(%r13), %r10\n"
"	add $0x28, %rsp\n	xor %eax, %eax\n	ret\n	ud2\n"

/* calls within calls, left in the innermost */
"nested: mov $2, %eax\n	call nested_f\n"
"nested_b: dec %rsi\n	ret\n	ud2\n"
"nested_f: push %rbx\n	mov %rsi, %rbx\n	call nested_g\n"
"nested_fb: pop %rbx\n	ret\n	ud2\n"
"nested_g: push %rbp\n	mov %rsp, %rbp\n	call nested_h\n"
"nested_gb: pop %rbp\n	ret\n	ud2\n"
"nested_h: push %r14\n	lea 1(%rax), %r14\n	cmp %r14, %rsi\n	jne nested_x\n"
"nested_hn: pop %r14\n	ret\n"
"nested_x: mov %r14, 8(%rdi)\n	pop %r14\n	ret\n	ud2\n"

/* the same, but out again through all returns */
"through: mov $4, %eax\n	call through_f\n"
"through_b: dec %rsi\n	ret\n	ud2\n"
"through_f: push %rbx\n	mov %rsi, %rbx\n	call through_g\n"
"through_fb: pop %rbx\n	ret\n	ud2\n"
"through_g: endbr64\n	nop\n	call through_h\n"
"through_gb: ret\n	ud2\n"
"through_h: cmp %rax, %rsi\n	je through_x\n"
"through_hn: repz ret\n"
"through_x: mov %rax, 8(%rdi)\n	ret\n	ud2\n"

/* six frames, left in front of a seventh call */
"deep: call deep_1\n"
"deep_b: ret\n	ud2\n"
"deep_1: call deep_2\n	ret\n	ud2\n"
"deep_2: push %rax\n	call deep_3\n	pop %rax\n	ret\n	ud2\n"
"deep_3: call deep_4\n	ret\n	ud2\n"
"deep_4: push %rdx\n	call deep_5\n	pop %rdx\n	ret\n	ud2\n"
"deep_5: call deep_6\n	ret\n	ud2\n"
"deep_6: mov %rdx, (%rdi)\n	inc %rax\n"
"deep_6c: call deep_7\n"
"deep_6b: ret\n	ud2\n"
"deep_7: inc %rdx\n	ret\n	ud2\n"

/* a loop in the callee */
"loops: call loops_f\n"
"loops_b: add %rax, %rdx\n	ret\n	ud2\n"
"loops_f: push %rbx\n	xor %ebx, %ebx\n"
"loops_h: add %rsi, %rbx\n	mov %rbx, -0x10(%rsp)\n	dec %rcx\n	jnz loops_h\n"
"loops_x: mov %rbx, %rax\n	pop %rbx\n	ret\n	ud2\n"

/* a loop around a call, which is its first instruction */
"around: call around_f\n"
"around_b: dec %rcx\n	jnz around\n"
"around_x: ret\n	ud2\n"
"around_f: push %rbx\n	lea (%rsi,%rcx), %rbx\n	add %rbx, %rax\n	pop %rbx\n	ret\n	ud2\n"

/* the same, where the callee begins with what needs no code */
"subs: call subs_f\n"
"subs_b: dec %rcx\n	jnz subs\n"
"subs_x: ret\n	ud2\n"
"subs_f: sub $0x18, %rsp\n	mov %rsi, (%rsp)\n	cmp %rsi, %rax\n	je subs_g\n"
"subs_h: add (%rsp), %rax\n	add $0x18, %rsp\n	ret\n"
"subs_g: mov %rax, 8(%rsp)\n	jmp subs_h\n	ud2\n"

/* a loop that points to its stack on a rare way, and reads through the pointer the next time around */
"reopens: call reopens_f\n"
"reopens_b: add %rax, %rdx\n	ret\n	ud2\n"
"reopens_f: sub $0x18, %rsp\n	mov %rdi, %rax\n"
"reopens_h: mov %rsi, 8(%rsp)\n	add (%rax), %rdx\n	test $1, %sil\n	jnz reopens_c\n"
"reopens_n: mov %rcx, 8(%rsp)\n	dec %rcx\n	jnz reopens_h\n"
"reopens_x: mov $7, %eax\n	add $0x18, %rsp\n	ret\n"
"reopens_c: lea 8(%rsp), %rax\n	inc %rsi\n	jmp reopens_h\n	ud2\n"

/* a loop whose stack grows */
"grows: call grows_f\n"
"grows_b: ret\n	ud2\n"
"grows_f: mov %rcx, %rdx\n"
"grows_h: push %rdx\n	dec %rcx\n	jnz grows_h\n"
"grows_x: pop %rax\n	dec %rdx\n	jnz grows_x\n"
"grows_y: ret\n	ud2\n"

/* an array in the red zone of the callee, reached by an index: the lowest byte is 136 below the call */
"array: call array_f\n"
"array_b: add %rax, %rdx\n	ret\n	ud2\n"
"array_f: xor %eax, %eax\n"
"array_h: mov %rsi, -0x80(%rsp,%rax,8)\n	inc %rax\n	inc %rsi\n	cmp $16, %rax\n	jb array_h\n"
"array_x: mov -0x80(%rsp), %rax\n	mov -0x78(%rsp), %rdx\n	ret\n	ud2\n"

/* the same reached by a pointer */
"pointer: call pointer_f\n"
"pointer_b: add %rax, %rdx\n	ret\n	ud2\n"
"pointer_f: lea -0x80(%rsp), %r8\n	mov %rsi, (%r8)\n	mov %rdi, 8(%r8)\n	mov (%r8), %rax\n	mov 8(%r8), %rdx\n	ret\n"
"	ud2\n"

/* the same by a frame pointer and an index */
"framed: call framed_f\n"
"framed_b: add %rax, %rdx\n	ret\n	ud2\n"
"framed_f: push %rbp\n	mov %rsp, %rbp\n	xor %eax, %eax\n"
"framed_h: mov %rsi, -0x80(%rbp,%rax,8)\n	inc %rax\n	cmp $4, %rax\n	jb framed_h\n"
"framed_x: mov -0x80(%rbp), %rax\n	pop %rbp\n	ret\n	ud2\n"

/* a pointer made before the stack goes down */
"early: call early_f\n"
"early_b: add %rax, %rdx\n	ret\n	ud2\n"
"early_f: lea -8(%rsp), %r8\n	lea -0x60(%rsp), %rsp\n	mov %rsi, -0xd8(%r8)\n	mov %rdi, -0xd0(%r8)\n"
"	mov -0xd8(%r8), %rax\n	mov -0xd0(%r8), %rdx\n	lea 0x60(%rsp), %rsp\n	ret\n	ud2\n"

/* a return address that would lie just below the red zone */
"lowest: call lowest_f\n"
"lowest_b: ret\n	ud2\n"
"lowest_f: lea -0x78(%rsp), %rsp\n	mov %rdi, (%rsp)\n	call lowest_g\n"
"lowest_fb: mov (%rsp), %rdx\n	lea 0x78(%rsp), %rsp\n	ret\n	ud2\n"
"lowest_g: inc %rax\n	inc %rax\n	ret\n	ud2\n"

/* much stack, two calls one after the other */
"large: call large_f\n"
"large_b: inc %rax\n	call large_g\n"
"large_c: ret\n	ud2\n"
"large_f: sub $0x408, %rsp\n	movups %xmm1, (%rsp)\n	movq $7, 0x10(%rsp)\n	movups (%rsp), %xmm2\n	mov 0x10(%rsp), %rdx\n"
"	mov %rsi, 0x400(%rsp)\n	vmovdqu 8(%rsp), %ymm3\n	cmp $7, %rdx\n	lea 0x408(%rsp), %rsp\n	jne large_x\n"
"large_y: ret\n"
"large_x: ud2\n"
"large_g: push %rbx\n	pop %rax\n	ret\n	ud2\n"

/* arguments on the stack of the caller */
"arguments: push %rsi\n	push %rdi\n	call arguments_f\n"
"arguments_b: pop %rdx\n	pop %rax\n	ret\n	ud2\n"
"arguments_f: push %rbx\n	mov 0x10(%rsp), %rbx\n	incq 0x18(%rsp)\n	mov 0x18(%rsp), %rax\n	pop %rbx\n	ret\n	ud2\n"

/* who looks at the return address */
"looks: call looks_f\n"
"looks_b: ret\n	ud2\n"
"looks_f: push %rbx\n"
"looks_x: mov 8(%rsp), %rax\n	sub %rdi, %rax\n	pop %rbx\n	ret\n	ud2\n"
"half: call half_f\n"
"half_b: ret\n	ud2\n"
"half_f: inc %rax\n"
"half_x: mov 4(%rsp), %edx\n	ret\n	ud2\n"
"before: call before_f\n"
"before_b: ret\n	ud2\n"
"before_f: inc %rax\n	mov %rsi, -8(%rsp)\n	mov -8(%rsp), %r8\n"
"before_x: movups -8(%rsp), %xmm0\n	ret\n	ud2\n"
"rbp_looks: call rbp_looks_f\n"
"rbp_looks_b: ret\n	ud2\n"
"rbp_looks_f: push %rbp\n	mov %rsp, %rbp\n"
"rbp_looks_x: mov 8(%rbp), %rax\n	pop %rbp\n	ret\n	ud2\n"
"takes: call takes_f\n"
"takes_b: ret\n	ud2\n"
"takes_f: inc %rax\n"
"takes_x: pop %rdx\n	jmp *%rdx\n	ud2\n"
"points: call points_f\n"
"points_b: ret\n	ud2\n"
"points_f: push %rbx\n"
"points_x: lea 8(%rsp), %rax\n	mov (%rax), %rdx\n	pop %rbx\n	ret\n	ud2\n"
"at_top: call at_top_f\n"
"at_top_b: ret\n	ud2\n"
"at_top_f: inc %rax\n"
"at_top_x: mov %rsp, %rdx\n	mov (%rdx), %r8\n	ret\n	ud2\n"

/* what is not understood */
"aligns: call aligns_f\n"
"aligns_b: ret\n	ud2\n"
"aligns_f: push %rbp\n	mov %rsp, %rbp\n"
"aligns_x: and $-32, %rsp\n	mov %rdi, (%rsp)\n	leave\n	ret\n	ud2\n"
"flags: call flags_f\n"
"flags_b: ret\n	ud2\n"
"flags_f: cmp %rsi, %rcx\n"
"flags_x: pushf\n	pop %rax\n	and $0xcd5, %eax\n	ret\n	ud2\n"
"by_16: call by_16_f\n"
"by_16_b: ret\n	ud2\n"
"by_16_f: inc %rax\n"
"by_16_x: push %ax\n	pop %dx\n	ret\n	ud2\n"
"through_rsp: call through_rsp_f\n"
"through_rsp_b: ret\n	ud2\n"
"through_rsp_f: inc %rax\n"
"through_rsp_x: mov %rsp, (%rdi)\n	mov (%rdi), %rdx\n	ret\n	ud2\n"
"pushes_memory: call pushes_memory_f\n"
"pushes_memory_b: ret\n	ud2\n"
"pushes_memory_f: inc %rax\n"
"pushes_memory_x: push 8(%rdi)\n	pop (%rdi)\n	ret\n	ud2\n"
"leaves_unknown: call leaves_unknown_f\n"
"leaves_unknown_b: ret\n	ud2\n"
"leaves_unknown_f: push %rbp\n	lea (%rsp), %rbp\n"
"leaves_unknown_x: leave\n	ret\n	ud2\n"
"rbp_changes: call rbp_changes_f\n"
"rbp_changes_b: ret\n	ud2\n"
"rbp_changes_f: push %rbp\n	mov %rsp, %rbp\n	push %rax\n	sub $8, %rbp\n	xor %eax, %eax\n"
"rbp_changes_x: mov %rbp, %rsp\n	pop %rax\n	pop %rbp\n	ret\n	ud2\n"
"returns_more: push %rax\n	call returns_more_f\n"
"returns_more_b: ret\n	ud2\n"
"returns_more_f: inc %rax\n"
"returns_more_x: ret $8\n	ud2\n"
"jumps: lea jumps_x(%rip), %rdx\n	call jumps_f\n"
"jumps_b: ret\n	ud2\n"
"jumps_f: push %rbx\n"
"jumps_j: jmp *%rdx\n"
"jumps_x: pop %rbx\n	ret\n	ud2\n"
"wanders: call wanders_f\n"
"wanders_b: ret\n	ud2\n"
"wanders_f: inc %rax\n"
"wanders_x: lea 8(%rsp), %rsp\n	lea -8(%rsp), %rsp\n	ret\n	ud2\n"

/* flags that live across a move of rsp */
"live: call live_f\n"
"live_b: ret\n	ud2\n"
"live_f: inc %rax\n"
"live_x: sub $8, %rsp\n	jz live_z\n"
"live_y: add $8, %rsp\n	ret\n"
"live_z: ud2\n"
"dead: call dead_f\n"
"dead_b: ret\n	ud2\n"
"dead_f: sub $8, %rsp\n	mov %rsi, (%rsp)\n	cmp %rsi, %rcx\n	jz dead_z\n"
"dead_y: lea -0x80(%rsp), %rsp\n	sub $-0x80, %rsp\n	add $8, %rsp\n	ret\n"
"dead_z: add $8, %rsp\n	ret\n	ud2\n"

/* flags of an addition that is gone, kept by a shift and overwritten */
"shifts: call shifts_f\n"
"shifts_b: shl %cl, %edx\n	sar %cl, %rsi\n	cmp %rdx, %rax\n	ret\n	ud2\n"
"shifts_f: sub $8, %rsp\n	mov %rsi, (%rsp)\n	xor %eax, %eax\n	add $8, %rsp\n	ret\n	ud2\n"

/* a callee that ends in a jump to another function, which calls a third */
"tail: call tail_f\n"
"tail_b: inc %rdx\n	ret\n	ud2\n"
"tail_f: push %rbx\n	mov %rsi, %rbx\n	mov %rbx, %rax\n	pop %rbx\n	jmp tail_g\n	ud2\n"
"tail_g: push %r12\n	call tail_h\n"
"tail_gb: pop %r12\n	ret\n	ud2\n"
"tail_h: add $3, %rax\n	mov %rax, 8(%rdi)\n	ret\n	ud2\n"
"tail_other: call tail_g\n	ret\n"

/* rbp of the caller in the callee, and leave behind the return */
"keeps: call keeps_f\n"
"keeps_b: inc %rdx\n	ret\n	ud2\n"
"keeps_f: push %rbp\n	mov %rsp, %rbp\n	mov %rsi, -8(%rbp)\n	call keeps_g\n"
"keeps_fb: leave\n	ret\n	ud2\n"
"keeps_g: mov %rbp, %rax\n	xor %eax, %eax\n	ret\n	ud2\n"

/* rbp is known where a loop begins and not where it ends */
"forgets: call forgets_f\n"
"forgets_b: inc %rdx\n	ret\n	ud2\n"
"forgets_f: push %rbp\n	mov %rsp, %rbp\n	mov %rbp, %r8\n"
"forgets_h: mov -8(%rbp), %rax\n	lea 0x40(%r8), %rbp\n	dec %rcx\n	jnz forgets_h\n"
"forgets_x: mov %r8, %rsp\n	pop %rbp\n	ret\n	ud2\n"

/* a conditional jump to a block that is nothing but a call, and one to a block that is nothing but a return */
"empties: test %rsi, %rsi\n	jnz empties_c\n"
"empties_n: ret\n"
"empties_c: call empties_f\n"
"empties_b: inc %rdx\n	ret\n	ud2\n"
"empties_f: cmp %rsi, %rcx\n	jne empties_r\n"
"empties_g: inc %rax\n	ret\n"
"empties_r: ret\n	ud2\n"

/* the counting branches */
"counts: call counts_f\n"
"counts_b: inc %rdx\n	ret\n	ud2\n"
"counts_f: push %rbx\n	xor %ebx, %ebx\n"
"counts_h: add %rsi, %rbx\n	loop counts_h\n"
"counts_x: jrcxz counts_y\n	ud2\n"
"counts_y: mov %rbx, %rax\n	pop %rbx\n	ret\n	ud2\n"

/* displacements that grow and shrink across a byte */
"edges: call edges_f\n"
"edges_b: ret\n	ud2\n"
"edges_f: lea -0x50(%rsp), %rsp\n	mov %rsi, 0x48(%rsp)\n	movl $0x11223344, 0x40(%rsp)\n	lea -0x80(%rsp), %rsp\n"
"	mov %rdi, 0x7c(%rsp)\n	mov 0x7c(%rsp), %rdx\n	mov 0xc8(%rsp), %rax\n	vmovd 0xc0(%rsp), %xmm5\n"
"	addl $0x01020304, 0xc0(%rsp)\n	movzbl 0xc3(%rsp), %r8d\n	lea 0xd0(%rsp), %rsp\n	ret\n	ud2\n"

/* a third operand */
"three: call three_f\n"
"three_b: ret\n	ud2\n"
"three_f: mov %rsi, -8(%rsp)\n"
"three_x: andn -8(%rsp), %edx, %r9d\n	ret\n	ud2\n"

"inline_code_end:\n"
".popsection\n");
/* clang-format on */

extern const u8 pushes[], pushes_f[], pushes_b[], leaves[], leaves_f[], leaves_b[], restores[],
	restores_f[], restores_b[], copies[], copies_f[], copies_b[], nested_x[], nested[],
	nested_f[], nested_g[], nested_h[], nested_hn[], nested_gb[], nested_fb[], nested_b[],
	through[], through_f[], through_g[], through_h[], through_hn[], through_gb[], through_fb[],
	through_b[], deep_6c[], deep[], deep_1[], deep_2[], deep_3[], deep_4[], deep_5[], deep_6[],
	deep_7[], loops[], loops_f[], loops_h[], loops_x[], loops_b[], around[], around_f[],
	around_b[], around_x[], grows_h[], grows[], grows_f[], grows_x[], array[], array_f[],
	array_h[], array_x[], array_b[], pointer[], pointer_f[], pointer_b[], framed[], framed_f[],
	framed_h[], framed_x[], framed_b[], early[], early_f[], early_b[], lowest[], lowest_f[],
	lowest_g[], lowest_fb[], lowest_b[], large[], large_f[], large_y[], large_b[], large_g[],
	large_c[], arguments[], arguments_f[], arguments_b[], looks_x[], looks[], looks_f[],
	half_x[], half[], half_f[], before_x[], before[], before_f[], rbp_looks_x[], rbp_looks[],
	rbp_looks_f[], takes_x[], takes[], takes_f[], points_x[], points[], points_f[], at_top_x[],
	at_top[], at_top_f[], aligns_x[], aligns[], aligns_f[], flags_x[], flags[], flags_f[],
	by_16_x[], by_16[], by_16_f[], through_rsp_x[], through_rsp[], through_rsp_f[],
	pushes_memory_x[], pushes_memory[], pushes_memory_f[], leaves_unknown_x[], leaves_unknown[],
	leaves_unknown_f[], rbp_changes_x[], rbp_changes[], rbp_changes_f[], returns_more_x[],
	returns_more[], returns_more_f[], returns_more_b[], jumps_j[], jumps[], jumps_f[],
	wanders_x[], wanders[], wanders_f[], wanders_b[], live_x[], live[], live_f[], live_y[],
	dead[], dead_f[], dead_y[], dead_b[], tail[], tail_f[], tail_g[], tail_h[], tail_gb[],
	tail_b[], keeps[], keeps_f[], keeps_g[], keeps_fb[], keeps_b[], forgets_h[], forgets[],
	forgets_f[], empties[], empties_c[], empties_f[], empties_r[], empties_b[], counts[],
	counts_f[], counts_h[], counts_x[], counts_y[], counts_b[], edges[], edges_f[], edges_b[],
	three[], three_f[], three_x[], subs[], subs_f[], subs_h[], subs_b[], subs_g[], subs_x[],
	shifts[], shifts_f[], shifts_b[], reopens[], reopens_f[], reopens_h[], reopens_n[],
	reopens_x[], reopens_b[], reopens_c[];

const struct inline_case inline_cases[] = {
	{ "pushes", inline_end, -1, false, { { pushes, 0 }, { pushes_f, 0 }, { pushes_b, 1 } } },
	{ "leaves", inline_end, -1, true, { { leaves, 0 }, { leaves_f, 0 }, { leaves_b, 1 } } },
	{ "restores",
	  inline_end,
	  -1,
	  false,
	  { { restores, 0 }, { restores_f, 0 }, { restores_b, 1 } } },
	{ "copies", inline_end, -1, true, { { copies, 0 }, { copies_f, 0 }, { copies_b, 1 } } },
	{ "nested",
	  nested_x,
	  -1,
	  false,
	  { { nested, 0 },
	    { nested_f, 0 },
	    { nested_g, 1 },
	    { nested_h, 2 },
	    { nested_hn, 3 },
	    { nested_gb, 4 },
	    { nested_fb, 5 },
	    { nested_b, 6 } } },
	{ "nested, exit linked",
	  inline_end,
	  -1,
	  false,
	  { { nested, 0 },
	    { nested_f, 0 },
	    { nested_g, 1 },
	    { nested_h, 2 },
	    { nested_x, 3 },
	    { nested_gb, 4 },
	    { nested_fb, 5 },
	    { nested_b, 6 } } },
	{ "through",
	  inline_end,
	  -1,
	  false,
	  { { through, 0 },
	    { through_f, 0 },
	    { through_g, 1 },
	    { through_h, 2 },
	    { through_hn, 3 },
	    { through_gb, 4 },
	    { through_fb, 5 },
	    { through_b, 6 } } },
	{ "deep",
	  deep_6c,
	  -1,
	  false,
	  { { deep, 0 },
	    { deep_1, 0 },
	    { deep_2, 1 },
	    { deep_3, 2 },
	    { deep_4, 3 },
	    { deep_5, 4 },
	    { deep_6, 5 },
	    { deep_7, 6 } } },
	{ "loops",
	  inline_end,
	  -1,
	  false,
	  { { loops, 0 }, { loops_f, 0 }, { loops_h, 1 }, { loops_x, 2 }, { loops_b, 3 } } },
	{ "loops, left", loops_x, -1, false, { { loops, 0 }, { loops_f, 0 }, { loops_h, 1 } } },
	{ "around",
	  inline_end,
	  -1,
	  false,
	  { { around, 0 }, { around_f, 0 }, { around_b, 1 }, { around_x, 2 } } },
	{ "subs",
	  subs_x,
	  -1,
	  true,
	  { { subs, 0 },
	    { subs_f, 0 },
	    { subs_h, 1 },
	    { subs_b, 2 },
	    { subs_g, 1 },
	    { subs_h, 4 },
	    { subs_b, 5 } } },
	{ "reopens",
	  inline_end,
	  -1,
	  true,
	  { { reopens, 0 },
	    { reopens_f, 0 },
	    { reopens_h, 1 },
	    { reopens_n, 2 },
	    { reopens_x, 3 },
	    { reopens_b, 4 },
	    { reopens_c, 2 } } },
	{ "grows",
	  grows_h,
	  -1,
	  false,
	  { { grows, 0 }, { grows_f, 0 }, { grows_h, 1 }, { grows_x, 2 } } },
	{ "array",
	  inline_end,
	  16,
	  false,
	  { { array, 0 }, { array_f, 0 }, { array_h, 1 }, { array_x, 2 }, { array_b, 3 } } },
	{ "pointer", inline_end, 16, false, { { pointer, 0 }, { pointer_f, 0 }, { pointer_b, 1 } } },
	{ "framed",
	  inline_end,
	  16,
	  false,
	  { { framed, 0 }, { framed_f, 0 }, { framed_h, 1 }, { framed_x, 2 }, { framed_b, 3 } } },
	{ "early", inline_end, 112, false, { { early, 0 }, { early_f, 0 }, { early_b, 1 } } },
	{ "lowest",
	  inline_end,
	  16,
	  false,
	  { { lowest, 0 }, { lowest_f, 0 }, { lowest_g, 1 }, { lowest_fb, 2 }, { lowest_b, 3 } } },
	{ "large",
	  inline_end,
	  912,
	  true,
	  { { large, 0 },
	    { large_f, 0 },
	    { large_y, 1 },
	    { large_b, 2 },
	    { large_g, 3 },
	    { large_c, 4 } } },
	{ "arguments",
	  inline_end,
	  -1,
	  false,
	  { { arguments, 0 }, { arguments_f, 0 }, { arguments_b, 1 } } },
	{ "looks", looks_x, -1, false, { { looks, 0 }, { looks_f, 0 } } },
	{ "half", half_x, -1, false, { { half, 0 }, { half_f, 0 } } },
	{ "before", before_x, -1, false, { { before, 0 }, { before_f, 0 } } },
	{ "rbp_looks", rbp_looks_x, -1, false, { { rbp_looks, 0 }, { rbp_looks_f, 0 } } },
	{ "takes", takes_x, -1, false, { { takes, 0 }, { takes_f, 0 } } },
	{ "points", points_x, -1, false, { { points, 0 }, { points_f, 0 } } },
	{ "at_top", at_top_x, -1, false, { { at_top, 0 }, { at_top_f, 0 } } },
	{ "aligns", aligns_x, -1, false, { { aligns, 0 }, { aligns_f, 0 } } },
	{ "flags", flags_x, -1, false, { { flags, 0 }, { flags_f, 0 } } },
	{ "by_16", by_16_x, -1, false, { { by_16, 0 }, { by_16_f, 0 } } },
	{ "through_rsp", through_rsp_x, -1, false, { { through_rsp, 0 }, { through_rsp_f, 0 } } },
	{ "pushes_memory",
	  pushes_memory_x,
	  -1,
	  false,
	  { { pushes_memory, 0 }, { pushes_memory_f, 0 } } },
	{ "leaves_unknown",
	  leaves_unknown_x,
	  -1,
	  false,
	  { { leaves_unknown, 0 }, { leaves_unknown_f, 0 } } },
	{ "rbp_changes", rbp_changes_x, -1, false, { { rbp_changes, 0 }, { rbp_changes_f, 0 } } },
	{ "returns_more",
	  returns_more_x,
	  -1,
	  false,
	  { { returns_more, 0 }, { returns_more_f, 0 }, { returns_more_b, 1 } } },
	{ "jumps", jumps_j, -1, false, { { jumps, 0 }, { jumps_f, 0 } } },
	{ "wanders", wanders_x, -1, false, { { wanders, 0 }, { wanders_f, 0 }, { wanders_b, 1 } } },
	{ "live", live_x, -1, false, { { live, 0 }, { live_f, 0 }, { live_y, 1 } } },
	{ "dead",
	  inline_end,
	  16,
	  true,
	  { { dead, 0 }, { dead_f, 0 }, { dead_y, 1 }, { dead_b, 2 } } },
	{ "shifts", inline_end, -1, true, { { shifts, 0 }, { shifts_f, 0 }, { shifts_b, 1 } } },
	{ "tail",
	  inline_end,
	  -1,
	  false,
	  { { tail, 0 },
	    { tail_f, 0 },
	    { tail_g, 1 },
	    { tail_h, 2 },
	    { tail_gb, 3 },
	    { tail_b, 4 } } },
	{ "keeps",
	  inline_end,
	  -1,
	  false,
	  { { keeps, 0 }, { keeps_f, 0 }, { keeps_g, 1 }, { keeps_fb, 2 }, { keeps_b, 3 } } },
	{ "forgets", forgets_h, -1, false, { { forgets, 0 }, { forgets_f, 0 }, { forgets_h, 1 } } },
	{ "empties",
	  inline_end,
	  -1,
	  false,
	  { { empties, 0 },
	    { empties_c, 0 },
	    { empties_f, 1 },
	    { empties_r, 2 },
	    { empties_b, 3 } } },
	{ "empties, no way back",
	  empties_b,
	  -1,
	  false,
	  { { empties, 0 }, { empties_c, 0 }, { empties_f, 1 }, { empties_r, 2 } } },
	{ "counts",
	  inline_end,
	  -1,
	  false,
	  { { counts, 0 },
	    { counts_f, 0 },
	    { counts_h, 1 },
	    { counts_x, 2 },
	    { counts_y, 3 },
	    { counts_b, 4 } } },
	{ "counts, left",
	  counts_y,
	  -1,
	  false,
	  { { counts, 0 }, { counts_f, 0 }, { counts_h, 1 }, { counts_x, 2 } } },
	{ "three", three_x, -1, false, { { three, 0 }, { three_f, 0 } } },
	{ "edges", inline_end, 96, false, { { edges, 0 }, { edges_f, 0 }, { edges_b, 1 } } },
};

const u32 n_inline_cases = sizeof(inline_cases) / sizeof(inline_cases[0]);
