// SPDX-License-Identifier: MIT
// Every reason that a function can have by what it does or is.
// FLAGS: -Wall -Werror -Wno-unused-function
// EXPECT: uses_setjmp plain SETJMP
// EXPECT: uses_sigsetjmp plain SETJMP
// EXPECT: uses_getcontext plain SETJMP
// EXPECT: uses_vfork plain SETJMP
// EXPECT: uses_undeclared_setjmp plain SETJMP
// EXPECT: uses_builtin_setjmp SETJMP FRAMEADDR
// EXPECT: uses_return_address plain RETADDR
// EXPECT: uses_frame_address plain FRAMEADDR
// EXPECT: uses_cfa plain FRAMEADDR
// EXPECT: uses_stack_pointer FRAMEADDR
// EXPECT: is_naked NAKED noslots
// EXPECT: is_interrupt plain INTERRUPT
// EXPECT: resolver plain private IFUNC
// EXPECT: implementation plain private
// EXPECT: patchable plain SLEDS noslots
// EXPECT: ordinary plain private
#include <setjmp.h>
#include <stddef.h>
#include <ucontext.h>
#include <unistd.h>

jmp_buf env;
sigjmp_buf sigenv;
ucontext_t context;
void *builtin_env[5];

int uses_setjmp(void)
{
	return setjmp(env);
}

int uses_sigsetjmp(void)
{
	return sigsetjmp(sigenv, 1);
}

int uses_getcontext(void)
{
	return getcontext(&context);
}

int uses_vfork(void)
{
	return vfork();
}

/* A library's own name for it, declared without the attribute. */
int swapcontext(ucontext_t *restrict, const ucontext_t *restrict);
int uses_undeclared_setjmp(void)
{
	return swapcontext(&context, &context);
}

int uses_builtin_setjmp(void)
{
	return __builtin_setjmp(builtin_env);
}

void *uses_return_address(void)
{
	return __builtin_return_address(0);
}

void *uses_frame_address(void)
{
	return __builtin_frame_address(0);
}

void *uses_cfa(void)
{
	return __builtin_dwarf_cfa();
}

register void *stack_pointer __asm__("rsp");
void *uses_stack_pointer(void)
{
	return stack_pointer;
}

__attribute__((naked)) void is_naked(void)
{
	__asm__("ret");
}

struct frame;
__attribute__((interrupt)) void is_interrupt(struct frame *frame) {}

static int implementation(void)
{
	return 1;
}

static void *resolver(void)
{
	return (void *)implementation;
}

int resolved(void) __attribute__((ifunc("resolver")));

__attribute__((patchable_function_entry(5))) int patchable(int x)
{
	return x + 2;
}

int ordinary(int x)
{
	return x + 3;
}
