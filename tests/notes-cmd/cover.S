/* SPDX-License-Identifier: MIT */
/*
 * cover.S - ordinary code whose coverage can be counted by hand; golden/cover.txt is
 * the answer. Every function says what it is there for. Nothing is aligned and no branch
 * relaxes, so that distances are what they look like; FILL(n) is n times five bytes.
 */
#define FILL(n) .rept n; movl $0, %eax; .endr
#define SLOT .fill 5, 1, 0xcc
	.text

/* Reach backward: site + 2 - 128 is the lowest slot. Here site - slot = 5 + 120 + 1 = 126. */
	.type back_126, @function
back_126:
	FILL(1)
	ret
	SLOT
	FILL(24)
	.byte 0x3e		/* prefix: the last instruction has 6 bytes */
	movl $0, %eax
	.byte 0x72, 0x00	/* jb +0 */
	.size back_126, . - back_126
/* site - slot = 5 + 120 + 6 + 2 = 133: too far; the next slot is ahead, out of reach. */
	.type back_133, @function
back_133:
	addl %eax, %eax
	FILL(60)
	ret
	.size back_133, . - back_133

/* Reach forward: site + 2 + 127 is the highest slot. slot - site = 2 + 125 + 2 = 129. */
	.type ahead_129, @function
ahead_129:
	addl %eax, %eax
	FILL(25)
	jmp *%rax
	SLOT
	.size ahead_129, . - ahead_129
	.type gap, @function
gap:
	FILL(80)
	ret
	.size gap, . - gap
/* slot - site = 2 + 125 + 3 = 130: too far by one. */
	.type ahead_130, @function
ahead_130:
	addl %eax, %eax
	FILL(25)
	.byte 0x3e
	jmp *%rax
	SLOT
	.size ahead_130, . - ahead_130
	.type gap2, @function
gap2:
	FILL(80)
	ret
	.size gap2, . - gap2

/* Two loop heads of 3 bytes and one slot: each alone, but not both. */
	.type loops, @function
loops:
	FILL(1)
1:	addl $1, %ecx
	FILL(1)
	.byte 0x7c, 1b - . - 1
2:	addl $2, %ecx
	FILL(1)
	.byte 0x7c, 2b - . - 1
	FILL(1)
	ret
	SLOT
	.size loops, . - loops
	.type gap3, @function
gap3:
	FILL(80)
	ret
	.size gap3, . - gap3

/* endbr64 is never the site; one-byte instructions are stepped over; only-one-byte blocks. */
	.type entry, @function
entry:
	endbr64
	pushq %rbx
	movl $5, %ebx
	.byte 0x72, 2
	popq %rbx
	ret
	.byte 0x72, 1
	ret
	ret
	.size entry, . - entry

/* Padding that something leads to is no slot, and neither is what follows ud2 or a call. */
	.type unfree, @function
unfree:
	movl $0, %eax
	.byte 0x72, 1f - . - 1
	FILL(1)
	ret
1:	.byte 0x0f, 0x1f, 0x44, 0x00, 0x00
	FILL(1)
	ud2
	SLOT
	FILL(1)
	call gap
	SLOT
	.size unfree, . - unfree
	.section .note.GNU-stack, "", @progbits
