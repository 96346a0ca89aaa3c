// SPDX-License-Identifier: MIT
// STACK_PRIVATE, each way in which it holds and in which it is lost.
// FLAGS: -Wall -Werror -fno-math-errno
// EXPECT: no_locals plain private
// At -O0 a pointer variable is memory, so what it points to has escaped.
// EXPECT-O0: null_check plain
// EXPECT-O0: one_of_two plain
// EXPECT-O0: pointer_walk plain
// EXPECT-O0: compares_with_foreign plain
// EXPECT: array_by_index plain private
// EXPECT: pointer_walk plain private
// EXPECT: one_of_two plain private
// EXPECT: null_check plain private
// EXPECT: small_copy plain private
// EXPECT: six_ints plain private
// EXPECT: eight_doubles plain private
// EXPECT: two_results plain private
// EXPECT: passes_address plain
// EXPECT: stores_address plain
// EXPECT: stores_address_in_local plain
// EXPECT: address_as_integer plain
// EXPECT: address_in_loop plain
// EXPECT: big_copy plain
// EXPECT: variable_length plain
// EXPECT: calls_alloca plain
// EXPECT: variadic plain
// EXPECT: seven_ints plain
// EXPECT: nine_doubles plain
// EXPECT: struct_by_value plain
// EXPECT: struct_result plain
// EXPECT: struct_parameter plain private
// EXPECT: struct_parameter_escapes plain
// EXPECT: long_double plain
// EXPECT: quad plain
// EXPECT: sine plain
// EXPECT: compares_with_foreign plain private
// EXPECT: by_function_pointer plain private
// EXPECT: wide_atomic plain
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct small {
	int a, b, c, d;
};

struct large {
	int a[64];
};

void take(void *);
int many(int, ...);
int six(int, int, int, int, int, int);
int seven(int, int, int, int, int, int, int);
double eight(double, double, double, double, double, double, double, double);
double nine(double, double, double, double, double, double, double, double, double);
struct small pair(void);
struct large result(void);
int by_value(struct large);
double sin(double);
int *global;
uintptr_t word;

int no_locals(int x)
{
	return x + 1;
}

int array_by_index(unsigned i, unsigned k)
{
	int table[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	table[i & 7] = k;
	return table[k & 7];
}

int pointer_walk(unsigned n)
{
	int table[64], sum = 0;

	for (int i = 0; i < 64; i++)
		table[i] = i * n;
	for (int *p = table; p != table + 64; p++)
		sum += *p;
	return sum + table[n & 63];
}

int one_of_two(int which, unsigned i)
{
	int a[4] = { 1, 2, 3, 4 }, b[4] = { 5, 6, 7, 8 };
	int *p = which ? a : b;

	p[i & 3] = which;
	return a[i & 1] + b[i & 2];
}

int null_check(unsigned i)
{
	int a[4] = { 1, 2, 3, 4 };
	int *p = i > 7 ? a : NULL;

	return p ? p[i & 3] : 0;
}

struct small g1, g2;
int small_copy(unsigned i)
{
	struct small s = g1;

	((int *)&s)[i & 3] = 1;
	g2 = s;
	return 0;
}

int six_ints(int x)
{
	return six(x, 2, 3, 4, 5, 6) + 1;
}

double eight_doubles(double x)
{
	return eight(x, x, x, x, x, x, x, x) + 1;
}

int two_results(void)
{
	return pair().a + 1;
}

void passes_address(int x)
{
	take(&x);
	take(NULL);
}

int stores_address(int x)
{
	global = &x;
	many(1);
	global = NULL;
	return x;
}

int stores_address_in_local(unsigned i)
{
	int a[2] = { 1, 2 }, b[2] = { 3, 4 };
	int *p[2] = { a, b };

	p[i & 1][i >> 31] = 7;
	return *p[(i >> 1) & 1];
}

int address_as_integer(int x)
{
	int a[2] = { x, 2 };

	word = (uintptr_t)a;
	return many(1) + a[x & 1];
}

int address_in_loop(int n)
{
	int a[4] = { 1, 2, 3, 4 };
	int *p = a, *q = NULL;

	for (int i = 0; i < n; i++) {
		q = p;
		p = i & 1 ? a : q;
	}
	take(p);
	return a[1];
}

struct large l1, l2;
int big_copy(unsigned i)
{
	struct large l = l1;

	l.a[i & 63] = 1;
	l2 = l;
	return 0;
}

int variable_length(int n)
{
	int a[n];

	for (int i = 0; i < n; i++)
		a[i] = i;
	return a[n / 2];
}

int calls_alloca(int n)
{
	char *p = __builtin_alloca(n);

	for (int i = 0; i < n; i++)
		p[i] = i;
	return p[n / 2];
}

int variadic(int n, ...)
{
	va_list ap;
	int sum = 0;

	va_start(ap, n);
	while (n--)
		sum += va_arg(ap, int);
	va_end(ap);
	return sum;
}

int seven_ints(int x)
{
	return seven(x, 2, 3, 4, 5, 6, 7) + 1;
}

double nine_doubles(double x)
{
	return nine(x, x, x, x, x, x, x, x, x) + 1;
}

int struct_by_value(void)
{
	return by_value(l1) + 1;
}

int struct_result(void)
{
	return result().a[3];
}

int struct_parameter(struct large l, unsigned i)
{
	return l.a[i & 63];
}

void struct_parameter_escapes(struct large l)
{
	take(&l);
}

long double long_double(long double x)
{
	return x + 1;
}

__float128 quad(__float128 x)
{
	return x * x;
}

double sine(double x)
{
	return sin(x) + 1;
}

/* Folded when optimized: no pointer from outside can be equal to a. */
int compares_with_foreign(int *p, unsigned i)
{
	int a[4] = { 1, 2, 3, 4 };

	a[i & 3] = 0;
	return a + (i & 1) == p ? a[1] : a[2];
}

int by_function_pointer(int (*f)(int))
{
	return f(1) + 1;
}

_Atomic struct {
	long a, b, c;
} wide, other;
void wide_atomic(void)
{
	wide = other;
}
