// SPDX-License-Identifier: MIT
// The same byte code run by three interpreters: computed goto, a switch, and handlers that
// call each other at their end. All must agree, with and without signals.
#include "t_text.h"
#include <signal.h>
#include <time.h>
#include <ucontext.h>

enum { ADD, SUB, MUL, SHIFT, LOAD, STORE, JUMP_IF, DUP, SWAP, XOR, CALL, RETURN, HALT, N_OPS };

struct machine {
	uint64_t stack[64], memory[16], calls[32];
	const unsigned char *code;
	unsigned sp, cp, ip;
	uint64_t turns;
};

static unsigned char code[256];
static volatile unsigned n_signals;

static unsigned assemble(void)
{
	static const unsigned char program[] = {
		/* 0 */ LOAD,  0,     LOAD, 1, ADD, DUP,   STORE, 0,       LOAD, 2,
		XOR,           STORE, 2,
		/* 13 */ LOAD, 0,     LOAD, 2, MUL, SHIFT, STORE, 3,       CALL, 40,
		/* 23 */ LOAD, 4,     LOAD, 1, SUB, STORE, 4,     JUMP_IF, 0,    HALT,
	};
	static const unsigned char sub[] = {
		LOAD, 3, LOAD, 2, SWAP, SUB, STORE, 1, CALL, 60, RETURN
	};
	static const unsigned char leaf[] = { LOAD, 3, DUP, ADD, STORE, 3, RETURN };

	memcpy(code, program, sizeof(program));
	memcpy(code + 40, sub, sizeof(sub));
	memcpy(code + 60, leaf, sizeof(leaf));
	return sizeof(program);
}

#define OPERATION(op) \
	do { \
		uint64_t a_, b_; \
		switch (op) { \
		case ADD: \
			m->sp--; \
			m->stack[m->sp - 1] += m->stack[m->sp]; \
			break; \
		case SUB: \
			m->sp--; \
			m->stack[m->sp - 1] -= m->stack[m->sp] | 1; \
			break; \
		case MUL: \
			m->sp--; \
			m->stack[m->sp - 1] *= m->stack[m->sp]; \
			break; \
		case SHIFT: \
			m->stack[m->sp - 1] = m->stack[m->sp - 1] >> 3 | 5; \
			break; \
		case LOAD: \
			m->stack[m->sp++] = m->memory[m->code[m->ip++]]; \
			break; \
		case STORE: \
			m->memory[m->code[m->ip++]] = m->stack[--m->sp]; \
			break; \
		case DUP: \
			m->stack[m->sp] = m->stack[m->sp - 1]; \
			m->sp++; \
			break; \
		case SWAP: \
			a_ = m->stack[m->sp - 1]; \
			b_ = m->stack[m->sp - 2]; \
			m->stack[m->sp - 2] = a_; \
			m->stack[m->sp - 1] = b_; \
			break; \
		case XOR: \
			m->sp--; \
			m->stack[m->sp - 1] ^= m->stack[m->sp] + 1; \
			break; \
		case CALL: \
			m->calls[m->cp++] = m->ip + 1; \
			m->ip = m->code[m->ip]; \
			break; \
		case RETURN: \
			m->ip = (unsigned)m->calls[--m->cp]; \
			break; \
		case JUMP_IF: \
			m->ip = --m->turns ? m->code[m->ip] : m->ip + 1; \
			break; \
		} \
	} while (0)

static T_NOINLINE void by_switch(struct machine *m)
{
	for (;;) {
		unsigned op = m->code[m->ip++];

		if (op == HALT)
			return;
		OPERATION(op);
	}
}

static T_NOINLINE void by_goto(struct machine *m)
{
	static const void *const labels[N_OPS] = { &&add,   &&sub,     &&mul, &&shift, &&load,
		                                   &&store, &&jump_if, &&dup, &&swap,  &&xor_,
		                                   &&call,  &&ret,     &&halt };
#define NEXT() goto *labels[m->code[m->ip++]]
	NEXT();
add:
	OPERATION(ADD);
	NEXT();
sub:
	OPERATION(SUB);
	NEXT();
mul:
	OPERATION(MUL);
	NEXT();
shift:
	OPERATION(SHIFT);
	NEXT();
load:
	OPERATION(LOAD);
	NEXT();
store:
	OPERATION(STORE);
	NEXT();
jump_if:
	OPERATION(JUMP_IF);
	NEXT();
dup:
	OPERATION(DUP);
	NEXT();
swap:
	OPERATION(SWAP);
	NEXT();
xor_:
	OPERATION(XOR);
	NEXT();
call:
	OPERATION(CALL);
	NEXT();
ret:
	OPERATION(RETURN);
	NEXT();
halt:
	return;
}

#define HANDLER(name, op) \
	static void do_##name(struct machine *m) \
	{ \
		OPERATION(op); \
		handlers[m->code[m->ip++]](m); \
	}
static void (*const handlers[N_OPS])(struct machine *);
HANDLER(add, ADD)
HANDLER(sub, SUB)
HANDLER(mul, MUL)
HANDLER(shift, SHIFT)
HANDLER(load, LOAD)
HANDLER(store, STORE)
HANDLER(jump_if, JUMP_IF)
HANDLER(dup, DUP)
HANDLER(swap, SWAP)
HANDLER(xor_, XOR)
HANDLER(call, CALL)
HANDLER(ret, RETURN)
static void do_halt(struct machine *m)
{
	m->ip--;
}
static void (*const handlers[N_OPS])(struct machine *) = {
	do_add, do_sub,  do_mul,  do_shift, do_load, do_store, do_jump_if,
	do_dup, do_swap, do_xor_, do_call,  do_ret,  do_halt,
};

static void by_tail_calls(struct machine *m)
{
	handlers[m->code[m->ip++]](m);
}

static uint64_t run(void (*how)(struct machine *), uint64_t turns)
{
	struct machine m;
	uint64_t sum = 0;

	memset(&m, 0, sizeof(m));
	m.code = code;
	m.turns = turns;
	m.memory[1] = 3;
	how(&m);
	for (unsigned i = 0; i < 16; i++)
		sum = t_mix(sum, m.memory[i]);
	return sum;
}

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	CHECK(t_text_original((uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP]));
	n_signals++;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerspec every = { { 0, 83000 }, { 0, 83000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	uint64_t sum;
	timer_t timer;

	assemble();
	t_text_read();
	sum = run(by_switch, 20000);
	CHECK(run(by_goto, 20000) == sum && run(by_tail_calls, 20000) == sum);
	CHECK(!sigaction(SIGALRM, &action, NULL));
	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK(!timer_settime(timer, 0, &every, NULL));
	while (n_signals < 500)
		CHECK(run(by_goto, 20000) == sum && run(by_switch, 20000) == sum &&
		      run(by_tail_calls, 20000) == sum);
	CHECK(!timer_settime(timer, 0, &never, NULL));
	return t_ok(sum);
}
