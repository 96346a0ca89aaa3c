/* SPDX-License-Identifier: MIT */
/*
 * base.S - a small program whose notes are written by hand, all lists in use.
 *
 * Without a macro defined, everything it says is true. With one LIE_... defined
 * (lies.txt names them all) one thing is not, and `dynopt notes --check` must say so.
 * Text is laid out without relaxable branches, so that offsets can be written down.
 */
	.text
	.p2align 4
.Ltext:
/* A loop, a slot, a jump table. PLAIN. */
	.globl _start
	.type _start, @function
_start:
	.cfi_startproc
	.cfi_lsda 0x1b, .Llsda
.Lfirst:
	endbr64
	xorl %ecx, %ecx
.Lloop:
	addl $1000, %ecx
	cmpl $9000, %ecx
	.byte 0x7c, .Lloop - . - 1		/* jl .Lloop */
	leaq .Ltable(%rip), %rdx
	movl $1, %eax
	movslq (%rdx,%rax,4), %rax
	addq %rdx, %rax
.Lsite:
	jmp *%rax
.Lslot0:
#ifdef LIE_SLOT_BYTES
	.byte 0x89, 0xc8, 0x89, 0xc8, 0x90
#elif defined(LIE_SLOT_NOPS)
	.byte 0x0f, 0x1f, 0x44, 0x00, 0x00	/* padding that is no 0xCC is no lie */
#else
	.fill 5, 1, 0xcc
#endif
.Lcase0:
	movl $60, %eax
	xorl %edi, %edi
	syscall
.Lcase1:
#ifdef LIE_BRANCH
	.byte 0xeb, .Lcase0 + 1 - . - 1
#elif defined(LIE_SLOT_TARGET)
	.byte 0xeb, .Lslot0 - . - 1
#else
	.byte 0xeb, .Lcase0 - . - 1		/* jmp .Lcase0 */
#endif
.Lslot1:
	.fill 5, 1, 0xcc
#ifdef LIE_SLOT_PLACE
	movl %eax, %eax
.Lslot2:
	.fill 5, 1, 0xcc
#endif
.Lpad:
	jmp *%rax
	.cfi_endproc
	.size _start, . - _start
#ifdef LIE_FUNCTION
	.type inner, @function
	.set inner, .Lcase0 + 2
#endif

/* A locked instruction, a no-optimize range, a piece that must not be decoded. */
	.p2align 4, 0x90
	.type second, @function
second:
	lock incl counter(%rip)
.Lnoopt:
	movl $2, %eax
.Lnoopt_end:
	.byte 0xeb, .Lafter - . - 1
.Lopaque:
	.byte 0x06, 0x07, 0x62
.Lafter:
	movl $60, %eax
	movl $1, %edi
	syscall
.Llast:
	movl $7, %edx
	ret
	.size second, . - second
.Ltext_end:
	.reloc .Ltext, R_X86_64_NONE, .Lrecord
#ifdef LIE_BORDER
	.set .Lrange_end, .Llast
#elif defined(LIE_DECODE)
	.set .Lrange_end, .Llast + 2
#else
	.set .Lrange_end, .Ltext_end
#endif
#ifdef LIE_DECODE_OPAQUE
	.set .Lopaque_start, .Lopaque + 1
#else
	.set .Lopaque_start, .Lopaque
#endif

	.section .rodata, "a", @progbits
	.p2align 2
.Ltable:
#ifdef LIE_TABLE
	.long .Lcase0 + 1 - .Ltable
#elif defined(LIE_TABLE_OUTSIDE)
	.long 0
#else
	.long .Lcase0 - .Ltable
#endif
	.long .Lcase1 - .Ltable

	.section .gcc_except_table, "a", @progbits
.Llsda:
	.byte 0xff, 0xff, 0x01
	.uleb128 .Llsda_end - .Llsda_sites
.Llsda_sites:
	.uleb128 0
	.uleb128 8
#ifdef LIE_LANDING
	.uleb128 .Lcase0 + 1 - .Lfirst
#else
	.uleb128 .Lpad - .Lfirst
#endif
	.uleb128 0
.Llsda_end:

	.data
	.p2align 3
counter:
	.quad 0
	.globl pointer
pointer:
#ifdef LIE_POINTER
	.quad .Lcase0 + 1
#else
	.quad .Lcase0
#endif

	.section .dynopt.cache, "ax", @progbits
.Lcache:
	.reloc .Lcache, R_X86_64_NONE, .Lnote
#ifdef LIE_CACHE_BYTES
	.byte 0x90
#else
	.byte 0xcc
#endif
	.fill 63, 1, 0xcc
.Lcache_end:

	.section .dynopt.far, "ax", @progbits
.Lfar:
#ifdef LIE_FARPOOL_BYTES
	.byte 0
#else
	.byte 0xcc
#endif
	.fill 31, 1, 0xcc
.Lfar_end:

	.section .note.dynopt, "a", @note
	.p2align 2
.Lnote:
	.long 7, 20, 0x101
	.asciz "DynOpt"
	.p2align 2
#ifdef LIE_RECORDS
	.long .Lbegin - ., .Lbegin - .
#else
	.long .Lbegin - ., .Lend - .
#endif
#ifdef LIE_NOTES
	.short 99, 0
#else
	.short 1, 0
#endif
#ifdef LIE_CACHE_PLACE
	.long .Ltext + 8 - .
#else
	.long .Lcache - .
#endif
	.long 64
	.long 7, 8, 0x102
	.asciz "DynOpt"
	.p2align 2
#ifdef LIE_FARPOOL_PLACE
	.long .Lcache - ., .Lcache + 32 - .
#else
	.long .Lfar - ., .Lfar_end - .
#endif

	.section .dynopt.rec, "ax", @progbits, unique, 1
.Lbegin:
	.byte 0
	.reloc .Lbegin, R_X86_64_NONE, .Lnote	/* no other object has this: never folded */
	.section .dynopt.rec, "ax", @progbits, unique, 2
.Lrecord:
	.uleb128 .Lrecord_end - .Lrecord_body
.Lrecord_body:
	.long .Ltext - .
	.uleb128 .Lrange_end - .Ltext
	.byte 0x1f
/* functions: shift 0, two of them from offset 0 */
	.byte 0
	.uleb128 2
	.uleb128 0
	.uleb128 (second - _start) * 4 + 3
#ifdef LIE_PLAIN
	.uleb128 (.Lrange_end - second) * 4 + 1
#else
	.uleb128 (.Lrange_end - second) * 4
#endif
/* slots */
#ifdef LIE_SLOT_PLACE
	.uleb128 3
#else
	.uleb128 2
#endif
	.uleb128 .Lslot0 - .Ltext
	.uleb128 .Lslot1 - .Lslot0 - 5
#ifdef LIE_SLOT_PLACE
	.uleb128 .Lslot2 - .Lslot1 - 5
#endif
/* no-optimize: disabled in the source */
	.uleb128 1
#ifdef LIE_NOOPT
	.uleb128 .Lnoopt + 1 - .Ltext
#else
	.uleb128 .Lnoopt - .Ltext
#endif
	.uleb128 .Lnoopt_end - .Lnoopt
	.uleb128 0x1
/* opaque */
	.uleb128 1
	.uleb128 .Lopaque_start - .Ltext
	.uleb128 .Lafter - .Lopaque_start
/* tables */
	.uleb128 1
#ifdef LIE_TABLE_SITE
	.uleb128 .Lcase0 - .Ltext + 1
#else
	.uleb128 .Lsite - .Ltext + 1
#endif
	.long .Ltable - .
	.uleb128 2 * 2 + 0
.Lrecord_end:
#ifdef LIE_OVERLAP
	.byte 6
	.long .Lcase0 - .
	.byte .Lcase1 - .Lcase0
	.byte 0x20
#endif
	.section .dynopt.rec, "ax", @progbits, unique, 3
.Lend:
	.byte 0, 0
	.reloc .Lend, R_X86_64_NONE, .Lnote
	.section .note.GNU-stack, "", @progbits
