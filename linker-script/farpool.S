/* SPDX-License-Identifier: MIT */
/*
 * farpool.S - the far pool: slots for jumps that rel32 cannot span.
 *
 * One per linked image, added by dynopt-clang. A slot takes, once used,
 * `jmp *2(%rip)`, two bytes of padding and the 8-byte target; until then it is
 * 0xCC. The note says where the pool is; like all notes it holds only distances
 * from its own fields, so it needs no dynamic relocation. The numbers below are
 * those of elf-notes/dynopt_notes.h (DYNOPT_FARSLOT_SIZE, DYNOPT_NT_FARPOOL),
 * which an assembler cannot include.
 */
#ifndef FARPOOL_SLOTS
#define FARPOOL_SLOTS 64
#endif
#define FARSLOT_SIZE 16
#define NT_FARPOOL 0x102

	.section .dynopt.far, "ax", @progbits
	.balign FARSLOT_SIZE
.Lpool:
	.skip FARPOOL_SLOTS * FARSLOT_SIZE, 0xcc
.Lpool_end:

	.section .note.dynopt, "a", @note
	.balign 4
	.long .Lname_end - .Lname, .Ldesc_end - .Ldesc, NT_FARPOOL
.Lname:
	.asciz "DynOpt"
.Lname_end:
	.balign 4
.Ldesc:
	.long .Lpool - ., .Lpool_end - .
.Ldesc_end:

	.section .note.GNU-stack, "", @progbits
