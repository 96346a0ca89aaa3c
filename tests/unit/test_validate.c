/* SPDX-License-Identifier: MIT */
/*
 * The validator's refusals by name (engine/validate*.c).
 *
 * Each case is a few instructions of original text at 0x1000 and a translation written by hand, with its tables: no pass
 * and no encoder stands between, so that what one of them does wrong can be said here, and only that is wrong. A refusal leaves the
 * arena as it was and names the place.
 */
#include <stdio.h>
#include <string.h>
#include "lift.h"
#include "toy.h"
#include "unit.h"
#include "validate.h"

#define TEXT 0x1000u
#define CALLEE 0x1010u /* a function, where a case has one */
#define TEXT_SIZE 64u
#define PIECES 16
#define STATES 5
#define NO_FIELD 0xff

/* One instruction of the translation. */
struct piece {
	const char *hex;
	u64 origin;
	u8 state;
	u8 field; /* FIXUP_...; NO_FIELD: it has no address field; it is the last 4 bytes */
	u64 target;
	u8 to, cut; /* FIXUP_BACK: numbers of pieces */
};

struct refusal {
	const char *name;
	enum status status;
	u64 addr; /* that the failure names; 0: not looked at */
	const char *text, *callee; /* hex */
	u16 callee_marks;
	struct piece pieces[PIECES];
	struct ir_state states[STATES]; /* from number 1; offsets in pendings as they are */
	struct ir_pending pendings[4];
};

#define PLAIN(hex, origin) { hex, origin, 0, NO_FIELD, 0, 0, 0 }
#define STATE(hex, origin, state) { hex, origin, state, NO_FIELD, 0, 0, 0 }
#define EXIT(hex, origin, state, target) { hex, origin, state, FIXUP_EXIT, target, 0, 0 }
#define DATA(hex, origin, state, target) { hex, origin, state, FIXUP_DATA, target, 0, 0 }
#define BACK(hex, origin, state, target, to, cut) \
	{ hex, origin, state, FIXUP_BACK, target, to, cut }

#define INC_RAX "48 ff c0"
#define INC_RCX "48 ff c1"
#define JMP "e9 00 00 00 00"
#define JNZ "0f 85 00 00 00 00"
#define CALL_CALLEE_AT_3 "e8 08 00 00 00" /* from 0x1003 to 0x1010 */

static const struct refusal refusals[] = {
	{ "nothing wrong",
	  STATUS_OK,
	  0,
	  INC_RAX "48 89 c3 c3",
	  "",
	  0,
	  { PLAIN(INC_RAX, 0x1000), PLAIN("48 89 c3", 0x1003), PLAIN("c3", 0x1006) },
	  { { 0 } },
	  { { 0 } } },
	{ "another register",
	  STATUS_VALIDATE_REGISTER,
	  0,
	  INC_RAX "48 89 c3 c3",
	  "",
	  0,
	  { PLAIN(INC_RAX, 0x1000), PLAIN("48 89 c1", 0x1003), PLAIN("c3", 0x1006) },
	  { { 0 } },
	  { { 0 } } },
	{ "an instruction that is missing",
	  STATUS_VALIDATE_REGISTER,
	  0,
	  INC_RAX INC_RCX "c3",
	  "",
	  0,
	  { PLAIN(INC_RAX, 0x1000), PLAIN("c3", 0x1006) },
	  { { 0 } },
	  { { 0 } } },
	{ "a system call",
	  STATUS_VALIDATE_CODE,
	  0x1003,
	  INC_RAX "0f 05",
	  "",
	  0,
	  { PLAIN(INC_RAX, 0x1000), PLAIN("0f 05", 0x1003) },
	  { { 0 } },
	  { { 0 } } },
	{ "no instruction",
	  STATUS_VALIDATE_CODE,
	  0x1003,
	  INC_RAX "c3",
	  "",
	  0,
	  { PLAIN(INC_RAX, 0x1000), PLAIN("06", 0x1003) },
	  { { 0 } },
	  { { 0 } } },
	{ "code that runs out",
	  STATUS_VALIDATE_CODE,
	  0,
	  INC_RAX "c3",
	  "",
	  0,
	  { PLAIN(INC_RAX, 0x1000) },
	  { { 0 } },
	  { { 0 } } },
	{ "an origin outside of text",
	  STATUS_VALIDATE_PATH,
	  0,
	  INC_RAX "c3",
	  "",
	  0,
	  { PLAIN(INC_RAX, 0x1000), PLAIN("c3", 0x2000) },
	  { { 0 } },
	  { { 0 } } },
	{ "an exit to elsewhere",
	  STATUS_VALIDATE_PATH,
	  0,
	  INC_RAX INC_RCX "c3",
	  "",
	  0,
	  { PLAIN(INC_RAX, 0x1000), EXIT(JMP, 0x1003, 0, 0x1002) },
	  { { 0 } },
	  { { 0 } } },
	{ "a branch that is missing",
	  STATUS_VALIDATE_BRANCH,
	  0,
	  "48 85 c0 74 01 90 c3",
	  "",
	  0,
	  { PLAIN("48 85 c0", 0x1000), PLAIN("c3", 0x1006) },
	  { { 0 } },
	  { { 0 } } },
	{ "a call of what is no function",
	  STATUS_VALIDATE_CALL,
	  0,
	  INC_RAX CALL_CALLEE_AT_3,
	  "c3",
	  TEXT_INSN,
	  { PLAIN(INC_RAX, 0x1000), STATE("90", CALLEE, 1), EXIT(JMP, CALLEE, 1, 0x1008) },
	  { { .rsp = -8, .n = 1 } },
	  { { 0x1008, -8, PENDING_RETURN, 0 } } },
	{ "a call that may not be deferred",
	  STATUS_VALIDATE_CALL,
	  0,
	  INC_RAX CALL_CALLEE_AT_3,
	  "c3",
	  TEXT_INSN | TEXT_FUNCTION | TEXT_NO_INLINE,
	  { PLAIN(INC_RAX, 0x1000), STATE("90", CALLEE, 1), EXIT(JMP, CALLEE, 1, 0x1008) },
	  { { .rsp = -8, .n = 1 } },
	  { { 0x1008, -8, PENDING_RETURN, 0 } } },
	{ "a call, and nothing wrong",
	  STATUS_OK,
	  0,
	  INC_RAX CALL_CALLEE_AT_3,
	  INC_RCX "c3",
	  TEXT_INSN | TEXT_FUNCTION,
	  { PLAIN(INC_RAX, 0x1000), STATE(INC_RCX, CALLEE, 1), EXIT(JMP, 0x1008, 0, 0x1008) },
	  { { .rsp = -8, .n = 1 } },
	  { { 0x1008, -8, PENDING_RETURN, 0 } } },
	{ "another rsp",
	  STATUS_VALIDATE_RSP,
	  0,
	  INC_RAX CALL_CALLEE_AT_3,
	  INC_RCX "c3",
	  TEXT_INSN | TEXT_FUNCTION,
	  { PLAIN(INC_RAX, 0x1000), STATE(INC_RCX, CALLEE, 1), EXIT(JMP, 0x1008, 0, 0x1008) },
	  { { .rsp = -16, .n = 1 } },
	  { { 0x1008, -8, PENDING_RETURN, 0 } } },
	{ "another return address",
	  STATUS_VALIDATE_PENDING,
	  0,
	  INC_RAX CALL_CALLEE_AT_3,
	  INC_RCX "c3",
	  TEXT_INSN | TEXT_FUNCTION,
	  { PLAIN(INC_RAX, 0x1000), STATE(INC_RCX, CALLEE, 1), EXIT(JMP, 0x1008, 0, 0x1008) },
	  { { .rsp = -8, .n = 1 } },
	  { { 0x1009, -8, PENDING_RETURN, 0 } } },
	{ "no return address",
	  STATUS_VALIDATE_PENDING,
	  0,
	  INC_RAX CALL_CALLEE_AT_3,
	  INC_RCX "c3",
	  TEXT_INSN | TEXT_FUNCTION,
	  { PLAIN(INC_RAX, 0x1000), STATE(INC_RCX, CALLEE, 1), EXIT(JMP, 0x1008, 0, 0x1008) },
	  { { .rsp = -8 } },
	  { { 0 } } },
	{ "a register that is owed",
	  STATUS_VALIDATE_PENDING,
	  0,
	  INC_RAX "c3",
	  "",
	  0,
	  { PLAIN(INC_RAX, 0x1000), STATE("c3", 0x1003, 1) },
	  { { .n = 1 } },
	  { { 0, -8, PENDING_REG, 0 } } },
	{ "flags that are read",
	  STATUS_VALIDATE_FLAGS,
	  0,
	  "48 83 c0 01 74 01 90 c3",
	  "",
	  0,
	  { PLAIN("48 8d 40 01", 0x1000), EXIT(JMP, 0x1004, 0, 0x1004) },
	  { { 0 } },
	  { { 0 } } },
	{ "flags that nobody reads",
	  STATUS_OK,
	  0,
	  "48 83 c0 01 48 85 c0 c3",
	  "",
	  0,
	  { PLAIN("48 8d 40 01", 0x1000), EXIT(JMP, 0x1004, 0, 0x1004) },
	  { { 0 } },
	  { { 0 } } },
	{ "another vector register",
	  STATUS_VALIDATE_VECTOR,
	  0,
	  "0f 28 c1 c3",
	  "",
	  0,
	  { PLAIN("0f 28 c2", 0x1000), PLAIN("c3", 0x1003) },
	  { { 0 } },
	  { { 0 } } },
	{ "another address",
	  STATUS_VALIDATE_MEMORY,
	  0,
	  "48 8b 07 c3",
	  "",
	  0,
	  { PLAIN("48 8b 47 08", 0x1000), PLAIN("c3", 0x1003) },
	  { { 0 } },
	  { { 0 } } },
	{ "two loads in another order",
	  STATUS_VALIDATE_MEMORY,
	  0,
	  "48 8b 07 48 8b 0e c3",
	  "",
	  0,
	  { PLAIN("48 8b 0e", 0x1000), PLAIN("48 8b 07", 0x1003), PLAIN("c3", 0x1006) },
	  { { 0 } },
	  { { 0 } } },
	{ "a load of a return address",
	  STATUS_VALIDATE_SLOT,
	  0,
	  INC_RAX CALL_CALLEE_AT_3,
	  "48 8b 0c 24 c3",
	  TEXT_INSN | TEXT_FUNCTION,
	  { PLAIN(INC_RAX, 0x1000), STATE("48 8b 4c 24 f8", CALLEE, 1),
	    EXIT(JMP, 0x1008, 0, 0x1008) },
	  { { .rsp = -8, .n = 1 } },
	  { { 0x1008, -8, PENDING_RETURN, 0 } } },
	{ "a store where a signal's frame may be",
	  STATUS_VALIDATE_RED_ZONE,
	  0,
	  INC_RAX CALL_CALLEE_AT_3,
	  "48 89 7c 24 80" INC_RCX "c3",
	  TEXT_INSN | TEXT_FUNCTION,
	  { PLAIN(INC_RAX, 0x1000), STATE("48 89 bc 24 78 ff ff ff", CALLEE, 1),
	    STATE(INC_RCX, CALLEE + 5, 1), EXIT(JMP, 0x1008, 0, 0x1008) },
	  { { .rsp = -8, .n = 1 } },
	  { { 0x1008, -8, PENDING_RETURN, 0 } } },
	{ "a signal's frame in what lives below rsp",
	  STATUS_VALIDATE_RED_ZONE,
	  0,
	  "48 8b 7c 24 f8 c3",
	  "",
	  0,
	  { PLAIN("48 8d a4 24 80 00 00 00", 0x1000), STATE("48 8d 64 24 80", 0x1000, 1),
	    PLAIN("48 8b 7c 24 f8", 0x1000), PLAIN("c3", 0x1005) },
	  { { .rsp = -0x80 } },
	  { { 0 } } },
	{ "a loop that begins with its return address written",
	  STATUS_VALIDATE_LOOP,
	  0,
	  INC_RAX CALL_CALLEE_AT_3,
	  INC_RCX "75 fb c3",
	  TEXT_INSN | TEXT_FUNCTION,
	  { PLAIN(INC_RAX, 0x1000), PLAIN("48 8d a4 24 00 ff ff ff", 0x1003),
	    STATE("48 89 44 24 68", 0x1003, 1), DATA("48 8d 05 00 00 00 00", CALLEE, 2, 0x1008),
	    STATE("48 89 84 24 f8 00 00 00", CALLEE, 3), STATE("48 8b 44 24 68", CALLEE, 4),
	    STATE(INC_RCX, CALLEE, 5), BACK(JNZ, CALLEE + 3, 5, CALLEE, 6, 0) },
	  { { .rsp = 0x100 },
	    { .rsp = 0xf8, .n = 1 },
	    { .rsp = 0xf8, .n = 2 },
	    { .rsp = 0xf8, .n = 1, .first = 1 },
	    { .rsp = 0xf8 } },
	  { { 0x1008, 0xf8, PENDING_RETURN, 0 }, { 0, 0x68, RELOAD_REG, 0 } } },
	/* mov %rsi, -16(%rsp); mov (%rax), %rdx; mov %rcx, -16(%rsp); lea -16(%rsp), %rax; jmp: from the second time on
	   the load is of what %rsi was stored to, which the translation only owes */
	{ "a loop that points to what is owed",
	  STATUS_VALIDATE_MEMORY,
	  0,
	  INC_RAX CALL_CALLEE_AT_3,
	  "48 89 74 24 f0 48 8b 10 48 89 4c 24 f0 48 8d 44 24 f0 eb ec",
	  TEXT_INSN | TEXT_FUNCTION,
	  { PLAIN(INC_RAX, 0x1000), PLAIN("48 8d a4 24 00 ff ff ff", 0x1003),
	    STATE("90", CALLEE, 1), STATE("48 8b 10", CALLEE + 5, 2),
	    STATE("48 89 8c 24 e8 00 00 00", CALLEE + 8, 2),
	    STATE("48 8d 84 24 e8 00 00 00", CALLEE + 13, 1),
	    BACK(JMP, CALLEE + 18, 1, CALLEE, 2, 7),
	    /* the back-edge, once cut */
	    STATE("48 89 44 24 68", CALLEE, 1), DATA("48 8d 05 00 00 00 00", CALLEE, 3, 0x1008),
	    STATE("48 89 84 24 f8 00 00 00", CALLEE, 3), STATE("48 8b 44 24 68", CALLEE, 4),
	    STATE("48 8d a4 24 f8 00 00 00", CALLEE, 5), EXIT(JMP, CALLEE, 0, CALLEE) },
	  { { .rsp = 0xf8, .n = 1 },
	    { .rsp = 0xf8, .n = 2 },
	    { .rsp = 0xf8, .n = 2, .first = 2 },
	    { .rsp = 0xf8, .n = 1, .first = 3 },
	    { .rsp = 0xf8 } },
	  { { 0x1008, 0xf8, PENDING_RETURN, 0 },
	    { 0, 0xe8, PENDING_REG, 6 },
	    { 0x1008, 0xf8, PENDING_RETURN, 0 },
	    { 0, 0x68, RELOAD_REG, 0 } } },
	/* mov %rsi, -16(%rsp); mov %rsp, (%rdi); mov (%rdi), %rdx; mov -16(%rdx), %rdx */
	{ "rsp in memory, and what is owed read through it",
	  STATUS_VALIDATE_MEMORY,
	  0,
	  INC_RAX CALL_CALLEE_AT_3,
	  "48 89 74 24 f0 48 89 27 48 8b 17 48 8b 52 f0 c3",
	  TEXT_INSN | TEXT_FUNCTION,
	  { PLAIN(INC_RAX, 0x1000), PLAIN("48 8d 64 24 f8", 0x1003),
	    STATE("48 89 27", CALLEE + 5, 1), STATE("48 8b 17", CALLEE + 8, 1),
	    STATE("48 8b 52 f0", CALLEE + 11, 1), STATE("48 89 74 24 f0", CALLEE + 15, 1),
	    STATE("48 8d 64 24 08", CALLEE + 15, 2), EXIT(JMP, 0x1008, 0, 0x1008) },
	  { { .n = 2 }, { .n = 1 } },
	  { { 0x1008, 0, PENDING_RETURN, 0 }, { 0, -16, PENDING_REG, 6 } } },
	/* mov %rax, %rcx waits; mov %rdx, %rax; mov %rbx, %rcx */
	{ "a result that waits until nobody wants it",
	  STATUS_OK,
	  0,
	  "48 89 c1 48 85 d2 48 89 d9 c3",
	  "",
	  0,
	  { STATE("48 85 d2", 0x1003, 1), STATE("48 89 d9", 0x1006, 1), PLAIN("c3", 0x1009) },
	  { { .n = 1 } },
	  { { 0xc18948, 3, PENDING_RESULT, 1 } } },
	{ "a result whose source is gone",
	  STATUS_VALIDATE_REGISTER,
	  0,
	  "48 89 c1 48 89 d0 48 89 d9 c3",
	  "",
	  0,
	  { STATE("48 89 d0", 0x1003, 1), STATE("48 89 d9", 0x1006, 1), PLAIN("c3", 0x1009) },
	  { { .n = 1 } },
	  { { 0xc18948, 3, PENDING_RESULT, 1 } } },
	{ "a result that nobody makes",
	  STATUS_VALIDATE_REGISTER,
	  0,
	  "48 89 c1 48 89 d0 48 89 d9 c3",
	  "",
	  0,
	  { PLAIN("48 89 d0", 0x1003), PLAIN("48 89 d9", 0x1006), PLAIN("c3", 0x1009) },
	  { { 0 } },
	  { { 0 } } },
	{ "another result",
	  STATUS_VALIDATE_REGISTER,
	  0,
	  "48 89 c1 48 85 d2 48 89 d9 c3",
	  "",
	  0,
	  { STATE("48 85 d2", 0x1003, 1), STATE("48 89 d9", 0x1006, 1), PLAIN("c3", 0x1009) },
	  { { .n = 1 } },
	  { { 0xd18948, 3, PENDING_RESULT, 1 } } },
	{ "a result in a register that it does not make",
	  STATUS_VALIDATE_TABLE,
	  0,
	  "48 89 c1 48 85 d2 48 89 d9 c3",
	  "",
	  0,
	  { STATE("48 85 d2", 0x1003, 1), STATE("48 89 d9", 0x1006, 1), PLAIN("c3", 0x1009) },
	  { { .n = 1 } },
	  { { 0xc18948, 3, PENDING_RESULT, 2 } } },
	{ "a result of memory",
	  STATUS_VALIDATE_TABLE,
	  0,
	  "48 8b 08 48 85 d2 48 89 d9 c3",
	  "",
	  0,
	  { STATE("48 85 d2", 0x1003, 1), STATE("48 89 d9", 0x1006, 1), PLAIN("c3", 0x1009) },
	  { { .n = 1 } },
	  { { 0x088b48, 3, PENDING_RESULT, 1 } } },
	{ "a result without an end",
	  STATUS_VALIDATE_TABLE,
	  0,
	  "48 89 c1 48 85 d2 48 89 d9 c3",
	  "",
	  0,
	  { STATE("48 85 d2", 0x1003, 1), STATE("48 89 d9", 0x1006, 1), PLAIN("c3", 0x1009) },
	  { { .n = 1 } },
	  { { 0xc18948, -3, PENDING_RESULT, 1 } } },
	/* lea 1(%rax), %rcx; mov %rcx, %rdx; both wait, and the second is made of the first */
	{ "results one after the other",
	  STATUS_OK,
	  0,
	  "48 8d 48 01 48 89 ca 48 85 db c3",
	  "",
	  0,
	  { STATE("48 85 db", 0x1007, 1), STATE("48 8d 48 01", 0x100a, 1),
	    STATE("48 89 ca", 0x100a, 2), PLAIN("c3", 0x100a) },
	  { { .n = 2 }, { .n = 1, .first = 1 } },
	  { { 0x01488d48, 4, PENDING_RESULT, 1 }, { 0xca8948, 3, PENDING_RESULT, 2 } } },
	{ "results in another order",
	  STATUS_VALIDATE_REGISTER,
	  0,
	  "48 8d 48 01 48 89 ca 48 85 db c3",
	  "",
	  0,
	  { STATE("48 85 db", 0x1007, 1), STATE("48 8d 48 01", 0x100a, 1),
	    STATE("48 89 ca", 0x100a, 2), PLAIN("c3", 0x100a) },
	  { { .n = 2 }, { .n = 1 } },
	  { { 0xca8948, 3, PENDING_RESULT, 2 }, { 0x01488d48, 4, PENDING_RESULT, 1 } } },
	{ "a result that is still owed at a return",
	  STATUS_VALIDATE_LEAVE,
	  0,
	  "48 89 c1 48 85 d2 c3",
	  "",
	  0,
	  { STATE("48 85 d2", 0x1003, 1), STATE("c3", 0x1006, 1) },
	  { { .n = 1 } },
	  { { 0xc18948, 3, PENDING_RESULT, 1 } } },
	/* The loop's first instruction waits: mov %rax, %rcx; dec %rax; mov %rdx, %rcx; jnz */
	{ "a result owed where a loop begins",
	  STATUS_VALIDATE_REGISTER,
	  0,
	  "48 89 c1 48 ff c8 48 89 d1 75 f5 c3",
	  "",
	  0,
	  { STATE("48 ff c8", 0x1003, 1), STATE("48 89 d1", 0x1006, 1),
	    BACK(JNZ, 0x1009, 0, 0x1003, 0, 4), EXIT(JMP, 0x100b, 0, 0x100b),
	    STATE("48 89 c1", 0x1003, 1), EXIT(JMP, 0x1003, 0, 0x1003) },
	  { { .n = 1 } },
	  { { 0xc18948, 3, PENDING_RESULT, 1 } } },
	/* mov %rax, %rcx; dec %rbx; mov %rdx, %rcx; jnz */
	{ "a result owed where a loop begins, overwritten in it",
	  STATUS_OK,
	  0,
	  "48 89 c1 48 ff cb 48 89 d1 75 f5 c3",
	  "",
	  0,
	  { STATE("48 ff cb", 0x1003, 1), STATE("48 89 d1", 0x1006, 1),
	    BACK(JNZ, 0x1009, 0, 0x1003, 0, 4), EXIT(JMP, 0x100b, 0, 0x100b),
	    STATE("48 89 c1", 0x1003, 1), EXIT(JMP, 0x1003, 0, 0x1003) },
	  { { .n = 1 } },
	  { { 0xc18948, 3, PENDING_RESULT, 1 } } },
	{ "another target",
	  STATUS_VALIDATE_LEAVE,
	  0,
	  INC_RAX "ff e0",
	  "",
	  0,
	  { PLAIN(INC_RAX, 0x1000), PLAIN("ff e1", 0x1003) },
	  { { 0 } },
	  { { 0 } } },
	{ "a return for a jump",
	  STATUS_VALIDATE_LEAVE,
	  0,
	  INC_RAX "ff e0",
	  "",
	  0,
	  { PLAIN(INC_RAX, 0x1000), PLAIN("c3", 0x1003) },
	  { { 0 } },
	  { { 0 } } },
	{ "a jump that may fault as the one before it",
	  STATUS_VALIDATE_LEAVE,
	  0,
	  "78 00 ff e0",
	  "",
	  0,
	  { EXIT("0f 88 00 00 00 00", 0x1000, 0, 0x1002), PLAIN("ff e0", 0x1000) },
	  { { 0 } },
	  { { 0 } } },
	{ "an exit to the head at once",
	  STATUS_VALIDATE_PROGRESS,
	  0,
	  INC_RAX "c3",
	  "",
	  0,
	  { EXIT(JMP, 0x1000, 0, 0x1000) },
	  { { 0 } },
	  { { 0 } } },
	{ "a loop that does nothing",
	  STATUS_VALIDATE_PROGRESS,
	  0,
	  INC_RAX "c3",
	  "",
	  0,
	  { BACK(JMP, 0x1000, 0, 0x1000, 0, 0) },
	  { { 0 } },
	  { { 0 } } },
	{ "a state that is not in the table",
	  STATUS_VALIDATE_TABLE,
	  0,
	  INC_RAX "c3",
	  "",
	  0,
	  { PLAIN(INC_RAX, 0x1000), STATE("c3", 0x1003, 200) },
	  { { 0 } },
	  { { 0 } } },
	{ "a jump whose field nobody fills in",
	  STATUS_VALIDATE_TABLE,
	  0,
	  INC_RAX "48 8b 0d 00 00 00 00 c3",
	  "",
	  0,
	  { PLAIN(INC_RAX, 0x1000), PLAIN("48 8b 0d 00 00 00 00", 0x1003), PLAIN("c3", 0x100a) },
	  { { 0 } },
	  { { 0 } } },
	{ "data for an exit",
	  STATUS_VALIDATE_TABLE,
	  0,
	  INC_RAX "c3",
	  "",
	  0,
	  { PLAIN(INC_RAX, 0x1000), DATA(JMP, 0x1003, 0, 0x1003) },
	  { { 0 } },
	  { { 0 } } },
};

static u8 bytes[TEXT_SIZE];
static u16 marks[TEXT_SIZE];
static struct elf_view view;
static struct text text;
static u8 memory[4u << 20];
static u64 scratch[1024]; /* for the decoder */

static void mark(u32 at, u32 end, u16 with)
{
	struct insn_brief brief;

	for (; at < end; at += brief.len) {
		if (decode_brief(bytes + at, end - at, TEXT + at, scratch, &brief, NULL))
			return;
		marks[at] |= TEXT_INSN | TEXT_REACHED | TEXT_CERTIFIED | with;
		with = 0;
	}
}

static void make_text(const struct refusal *r)
{
	u32 n, n_callee;

	memset(bytes, 0xcc, sizeof(bytes));
	memset(marks, 0, sizeof(marks));
	n = toy_hex(r->text, bytes, TEXT_SIZE);
	n_callee = toy_hex(r->callee, bytes + (CALLEE - TEXT), TEXT_SIZE - (CALLEE - TEXT));
	view = (struct elf_view){ .n_loads = 1 };
	view.loads[0] = (struct elf_span){ TEXT, TEXT_SIZE, bytes, ELF_VIEW_R | ELF_VIEW_X, 0 };
	text = (struct text){
		.view = &view, .start = TEXT, .end = TEXT + TEXT_SIZE, .marks = marks
	};
	mark(0, n, TEXT_FUNCTION);
	mark(CALLEE - TEXT, CALLEE - TEXT + n_callee, r->callee_marks);
	if (n == 8 && r->callee_marks) /* what lies behind the call */
		bytes[n] = 0xc3, mark(n, n + 1, 0);
}

/* ---- the translation ---- */

static struct {
	struct code code;
	u8 bytes[256];
	struct code_fixup fixups[PIECES];
	struct code_origin origins[PIECES];
	struct ir_state states[STATES + 1];
} made;

/* Fields of jumps out lie in one aligned word. */
static void pad(u32 n)
{
	while ((made.code.size + n - 4) % 8 > 4)
		made.bytes[made.code.size++] = 0x2e;
}

static void make_piece(const struct piece *p)
{
	struct code *c = &made.code;
	u8 insn[16];
	u32 n = toy_hex(p->hex, insn, sizeof(insn));

	made.origins[c->n_origins++] =
		(struct code_origin){ .origin = p->origin, .at = c->size, .state = p->state };
	if (p->field == FIXUP_EXIT || p->field == FIXUP_BACK)
		pad(n);
	memcpy(made.bytes + c->size, insn, n);
	c->size += n;
	if (p->field == NO_FIELD)
		return;
	made.fixups[c->n_fixups++] = (struct code_fixup){ .kind = p->field,
		                                          .target = p->target,
		                                          .at = c->size - 4,
		                                          .end = c->size,
		                                          .to = made.origins[p->to].at };
}

static void make_code(const struct refusal *r)
{
	memset(&made, 0, sizeof(made));
	made.code = (struct code){ .head = TEXT,
		                   .bytes = made.bytes,
		                   .fixups = made.fixups,
		                   .origins = made.origins,
		                   .states = made.states,
		                   .pendings = r->pendings,
		                   .n_states = STATES + 1,
		                   .n_pendings = 4 };
	memcpy(made.states + 1, r->states, sizeof(r->states));
	for (u32 i = 0; i < PIECES && r->pieces[i].hex; i++)
		make_piece(&r->pieces[i]);
	for (u32 i = 0, f = 0; i < made.code.n_origins; i++)
		if (r->pieces[i].field != NO_FIELD)
			made.fixups[f++].cut = made.origins[r->pieces[i].cut].at;
}

static enum status run(const struct code *code, u64 room, struct failure *fail)
{
	const struct trace_block block = { TEXT, TRACE_NO_PARENT, 0, 0 };
	const struct trace trace = { &block, 1 };
	struct ir_tree lifted;
	struct arena arena;
	enum status status;
	u64 before;

	arena_init(&arena, memory, sizeof(memory));
	if (lift_trace(&text, &trace, &arena, &lifted, fail))
		return fail->status;
	if (room)
		arena.size = arena.used + room;
	before = arena.used;
	status = validate(&text, &lifted, code, &arena, fail);
	CU_ASSERT_EQUAL(arena.used, before);
	CU_ASSERT(!status || fail->status == status);
	return status;
}

static void test_refusals(void)
{
	for (u32 i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *r = &refusals[i];
		struct failure fail = { 0 };
		enum status status;

		make_text(r);
		make_code(r);
		status = run(&made.code, 0, &fail);
		if (status != r->status || (r->addr && fail.addr != r->addr))
			printf("\n    %s: %s at 0x%llx, +%llu\n", r->name, status_name(status),
			       (unsigned long long)fail.addr, (unsigned long long)fail.detail);
		CU_ASSERT_EQUAL(status, r->status);
		CU_ASSERT(!r->addr || fail.addr == r->addr);
	}
}

/* Branches that lead to the same place, each of them on something new: 2^13 paths. */
static void test_steps(void)
{
	static const struct refusal twice = { "", STATUS_OK, 0,         "",       "",
		                              0,  { { 0 } }, { { 0 } }, { { 0 } } };
	static const u8 step[] = { 0x48, 0xff, 0xc0, 0x75, 0x00 };
	static const u8 translated[] = { 0x48, 0xff, 0xc0, 0x0f, 0x85, 0, 0, 0, 0 };
	static struct code_origin origins[40];
	static u8 code[200];
	struct code c = { .head = TEXT, .bytes = code, .origins = origins, .n_states = 1 };
	struct failure fail = { 0 };
	u32 n = 12;

	make_text(&twice);
	make_code(&twice);
	c.states = made.states;
	for (u32 i = 0; i < n; i++) {
		memcpy(bytes + i * sizeof(step), step, sizeof(step));
		origins[c.n_origins++] = (struct code_origin){ TEXT + i * 5, c.size, 0 };
		origins[c.n_origins++] = (struct code_origin){ TEXT + i * 5 + 3, c.size + 3, 0 };
		memcpy(code + c.size, translated, sizeof(translated));
		c.size += sizeof(translated);
	}
	bytes[n * sizeof(step)] = 0xc3;
	origins[c.n_origins++] = (struct code_origin){ TEXT + n * 5, c.size, 0 };
	code[c.size++] = 0xc3;
	mark(0, n * sizeof(step) + 1, TEXT_FUNCTION);
	CU_ASSERT_EQUAL(run(&c, 0, &fail), STATUS_VALIDATE_STEPS);
}

/* Address fields that overlap, are too near the end or out of order; rows out of order; a code of nothing. */
static void test_tables(void)
{
	const struct refusal *r = &refusals[0];
	struct code_fixup none = { .kind = FIXUP_DATA, .at = 0, .end = 4 };
	struct failure fail = { 0 };

	for (u32 i = 0; i < 9; i++) {
		make_text(r);
		make_code(r);
		made.fixups[0] = made.fixups[1] = none;
		made.code.n_fixups = i < 6;
		switch (i) {
		case 0:
			made.fixups[0].at = made.fixups[0].end = 5;
			break;
		case 1:
			made.fixups[0].end = 3;
			break;
		case 2:
			made.fixups[0].at = 0xfffffffe;
			break;
		case 3:
			made.fixups[0].kind = FIXUP_TABLE + 1;
			break;
		case 4:
			made.code.n_fixups = 2;
			break;
		case 5:
			made.fixups[0].kind = FIXUP_BACK;
			made.fixups[0].to = made.code.size;
			break;
		case 6:
			made.origins[1].at = 0;
			break;
		case 7:
			made.states[0].first = 5;
			break;
		default:
			made.code.n_origins = 0;
			break;
		}
		CU_ASSERT_EQUAL(run(&made.code, 0, &fail), STATUS_VALIDATE_TABLE);
	}
	make_code(r);
	made.code.head++;
	CU_ASSERT_EQUAL(run(&made.code, 0, &fail), STATUS_VALIDATE_TABLE);
	make_code(r);
	made.code.size = 0;
	CU_ASSERT_EQUAL(run(&made.code, 0, &fail), STATUS_VALIDATE_TABLE);
}

/* Whatever the room: proven, or refused for want of it. */
static void test_workspace(void)
{
	u32 refused = 0, proven = 0;
	struct failure fail = { 0 };

	make_text(&refusals[0]);
	make_code(&refusals[0]);
	for (u64 room = 16; room < 128 * 1024; room += 64) {
		enum status status = run(&made.code, room, &fail);

		CU_ASSERT(status == STATUS_OK || status == STATUS_WORKSPACE);
		CU_ASSERT(!proven || !status);
		proven += !status;
		refused += status == STATUS_WORKSPACE;
	}
	CU_ASSERT(refused > 0 && proven > 0);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "refusals", test_refusals },
		{ "steps", test_steps },
		{ "tables", test_tables },
		{ "workspace", test_workspace },
	};

	return UNIT_RUN("validate", tests);
}
