/* SPDX-License-Identifier: MIT */
/*
 * interpreter.c - a small bytecode machine that runs one script all the time. A profile
 * sees a loop with a switch; a trace sees the script: the same dozen opcodes in
 * the same order, so every dispatch on it is predictable by position.
 */
#include "lib.h"

enum opcode { PUSH, LOAD, STORE, ADD, MUL, XOR, SHIFT, DUP, SWAP, LESS, JUMP_IF, HALT };

struct insn {
	uint8_t op, arg;
};

/* v0: counter, v1: limit, v2: hash. do { hash = (hash ^ counter) * 31 >> 1 ...; } while (++counter < limit) */
static const struct insn script[] = {
	{ LOAD, 2 },  { LOAD, 0 },  { XOR, 0 },   { PUSH, 31 }, { MUL, 0 },     { DUP, 0 },
	{ SHIFT, 7 }, { XOR, 0 },   { STORE, 2 }, { LOAD, 0 },  { PUSH, 1 },    { ADD, 0 },
	{ DUP, 0 },   { STORE, 0 }, { LOAD, 1 },  { LESS, 0 },  { JUMP_IF, 0 }, { LOAD, 2 },
	{ PUSH, 3 },  { SWAP, 0 },  { ADD, 0 },   { STORE, 2 }, { HALT, 0 },
};

static uint32_t interpret(const struct insn *code, uint32_t *v)
{
	uint32_t stack[16], *top = stack, at = 0, t;

	for (;;) {
		struct insn i = code[at++];

		switch (i.op) {
		case PUSH:
			*top++ = i.arg;
			break;
		case LOAD:
			*top++ = v[i.arg];
			break;
		case STORE:
			v[i.arg] = *--top;
			break;
		case ADD:
			top--;
			top[-1] += top[0];
			break;
		case MUL:
			top--;
			top[-1] *= top[0];
			break;
		case XOR:
			top--;
			top[-1] ^= top[0];
			break;
		case SHIFT:
			top[-1] >>= i.arg;
			break;
		case DUP:
			top[0] = top[-1];
			top++;
			break;
		case SWAP:
			t = top[-1];
			top[-1] = top[-2];
			top[-2] = t;
			break;
		case LESS:
			top--;
			top[-1] = top[-1] < top[0];
			break;
		case JUMP_IF:
			if (*--top)
				at = i.arg;
			break;
		case HALT:
			return v[2];
		default:
			abort();
		}
	}
}

int main(int argc, char **argv)
{
	uint32_t v[3] = { 0, (uint32_t)argument(argc, argv, 1, 1) * 1000, 0x9e3779b9 };

	printf("%08x\n", interpret(script, v));
	return 0;
}
