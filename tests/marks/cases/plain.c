// SPDX-License-Identifier: MIT
// PLAIN: nothing ordered is left in the final IR.
// EXPECT: ordinary plain private
// EXPECT: call_of_ordered plain private
// EXPECT: copies plain private
// EXPECT: fills plain private
// EXPECT: thread_local_access plain private
// EXPECT: prefetches plain private
// EXPECT: volatile_load private
// EXPECT: volatile_store private
// EXPECT: volatile_field_copy private
// EXPECT: loads_atomic private
// EXPECT: stores_atomic private
// EXPECT: atomic_add private
// EXPECT: atomic_swap private
// EXPECT: atomic_cas private
// EXPECT: relaxed_load private
// EXPECT: fences private
// EXPECT: signal_fence private
// EXPECT: compiler_barrier
// EXPECT: some_asm
// EXPECT: asm_goto
// EXPECT: target_fence
// EXPECT: spin_hint
// EXPECT: volatile_local
#include <stdatomic.h>
#include <string.h>
#include <emmintrin.h>

struct big {
	char bytes[256];
};

int g;
volatile int v;
volatile struct big vb;
struct big b, b2;
atomic_int a;
_Thread_local int tls;

int ordinary(int *p)
{
	return *p + (g = 1);
}

__attribute__((noinline)) int volatile_load(void)
{
	return v;
}

int call_of_ordered(void)
{
	return volatile_load() + 1;
}

void copies(void)
{
	b = b2;
}

void fills(void)
{
	memset(&b, 1, sizeof(b));
}

int thread_local_access(void)
{
	return tls;
}

void prefetches(const char *p)
{
	__builtin_prefetch(p);
}

void volatile_store(int x)
{
	v = x;
}

void volatile_field_copy(void)
{
	b = vb;
}

int loads_atomic(void)
{
	return a;
}

void stores_atomic(int x)
{
	a = x;
}

int atomic_add(int x)
{
	return a += x;
}

int atomic_swap(int x)
{
	return atomic_exchange(&a, x);
}

int atomic_cas(int x)
{
	return atomic_compare_exchange_strong(&a, &x, 1);
}

int relaxed_load(void)
{
	return atomic_load_explicit(&a, memory_order_relaxed);
}

int fences(int *p)
{
	atomic_thread_fence(memory_order_acquire);
	return *p;
}

int signal_fence(int *p)
{
	atomic_signal_fence(memory_order_seq_cst);
	return *p;
}

int compiler_barrier(int *p)
{
	__asm__ volatile("" ::: "memory");
	return *p;
}

int some_asm(int x)
{
	__asm__("bswap %0" : "+r"(x));
	return x;
}

int asm_goto(int x)
{
	__asm__ goto("test %0,%0; jz %l1" : : "r"(x) : : zero);
	return 1;
zero:
	return 2;
}

void target_fence(void)
{
	_mm_mfence();
}

void spin_hint(void)
{
	_mm_pause();
}

int volatile_local(int x)
{
	volatile int y = x;

	return y;
}
