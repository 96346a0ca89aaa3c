/* SPDX-License-Identifier: MIT */
/*
 * Calls side by side that throw into different places, each with arguments that may
 * change places: the exception tables must still tell one call from the next.
 */
#include <cstdio>

__attribute__((noinline)) static int thrower(int a, int b, int c, int d)
{
	__asm__ volatile("" : "+r"(a));
	if (((a ^ b) + c + d) % 3 == 0)
		throw a + d;
	if ((a + c) % 5 == 0)
		throw (long)(b + 1);
	return a + b - c;
}

template <int N> __attribute__((noinline)) static int attempt(int k, int n, int m)
{
	int sum = 0;

	try {
		if (k & 1)
			sum += thrower(m, 100000 + N, n, k);
		if (k & 2)
			sum += thrower(n, N, 300000, m);
	} catch (int x) {
		sum += x * 3;
	} catch (long) {
		sum -= N;
	}
	try {
		sum += k & 4 ? thrower(sum, 70000, m, N) : thrower(m, n, 90000, 1000);
	} catch (int x) {
		sum ^= x;
	}
	try {
		if (n > k)
			sum += thrower(k, n, N * 1000, sum);
		sum += thrower(n, 123456, k, 7);
	} catch (...) {
		sum += 11;
	}
	return sum;
}

template <int N> static unsigned all()
{
	unsigned sum = 0;

	for (int k = 0; k < 8; k++)
		for (int n = 0; n < 12; n++)
			try {
				sum = sum * 31 + (unsigned)attempt<N>(k, n, k * n + 3);
			} catch (long x) {
				sum = sum * 37 + (unsigned)x;
			}
	return sum;
}

int main()
{
	printf("%u %u %u %u %u\n", all<1>(), all<2>(), all<1000>(), all<70001>(), all<-9>());
	return 0;
}
