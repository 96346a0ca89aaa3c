/* SPDX-License-Identifier: MIT */
/*
 * subject.S - the program of test_pathlab.py: a loop that calls a small function and jumps over a rare piece, two
 * loops in one another, such whose inner one is entered in its middle, and an indirect jump to which two ways lead. It is never executed: the test makes up the path.
 */
	.text
	.globl leaf
	.type leaf, @function
leaf:
	.cfi_startproc
	push %rbx
	.cfi_adjust_cfa_offset 8
	mov %rdi, %rbx
	lea 1(%rbx), %rax
	pop %rbx
	.cfi_adjust_cfa_offset -8
leaf_ret:
	ret
	.cfi_endproc
	.size leaf, .-leaf

	.globl loop
	.type loop, @function
loop:
	.cfi_startproc
	push %rbp
	.cfi_adjust_cfa_offset 8
	mov $1000, %ebp
head:
	mov $7, %edi
	test %eax, %eax
	js rare
	call leaf
behind:
	jmp middle
rare:
	nop
	nop
middle:
	dec %ebp
	jnz head
out:
	pop %rbp
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_endproc
	.size loop, .-loop

	.globl nest
	.type nest, @function
nest:
	.cfi_startproc
	push %rbp
	.cfi_adjust_cfa_offset 8
	mov $100, %ebp
outer:
	mov $50, %ecx
inner:
	lea 0x12345678(%rax), %eax
	dec %ecx
	jnz inner
inner_out:
	dec %ebp
	jnz outer
outer_out:
	pop %rbp
	.cfi_adjust_cfa_offset -8
	ret
nest_end:
	.cfi_endproc
	.size nest, .-nest

	.globl turn
	.type turn, @function
turn:
	.cfi_startproc
	push %rbp
	.cfi_adjust_cfa_offset 8
	mov $100, %ebp
turn_outer:
	mov $50, %ecx
	jmp turn_middle
turn_top:
	inc %eax
turn_middle:
	lea 0x12345678(%rax), %eax
	dec %ecx
	jnz turn_top
turn_behind:
	dec %ebp
	jnz turn_outer
turn_out:
	pop %rbp
	.cfi_adjust_cfa_offset -8
	ret
turn_end:
	.cfi_endproc
	.size turn, .-turn

	.globl choose
	.type choose, @function
choose:
	.cfi_startproc
	test %eax, %eax
	js choose_minus
choose_plus:
	jmp choose_go
choose_minus:
	jmp choose_go
choose_go:
	jmp *%rdx
choose_a:
	jmp choose
choose_b:
	jmp choose
choose_plt:
	jmp *choose_slot(%rip)
choose_end:
	.cfi_endproc
	.size choose, .-choose
	.data
choose_slot:
	.quad 0
	.text

	.globl main
	.type main, @function
main:
	.cfi_startproc
	call loop
main_behind:
	ret
	.cfi_endproc
	.size main, .-main
	.section .note.GNU-stack,"",@progbits
