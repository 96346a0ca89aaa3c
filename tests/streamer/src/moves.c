/* SPDX-License-Identifier: MIT */
/* Blocks that start with a short instruction, and longer ones that depend on it or not. */
extern int use(int a, int b, int c);
extern void note(long a, long b, long c, long d);

int moves(int kind, int n, int m)
{
	if (kind == 1)
		return use(m, 100000, 7); /* the constant may come in front of the copy */
	if (kind == 2)
		return use(n, 100000, m); /* here it would overwrite what is copied */
	if (kind == 3)
		return use(m * 3, n * 5, m + 300);
	if (kind == 4)
		return (n << 3) + m * 200 + 70000;
	while (n-- > 0) {
		m = (m >> 1) ^ (n & 1 ? 0x12345 : 0x54321 + m);
		if (m & 64)
			note(n, m, n + 1000, 0x123456789a);
	}
	return m;
}

#define STEP(n) \
	if (p[n] > limit) { \
		limit = p[n] * (n + 3); \
		note(limit, n, limit - 70000, n * 900); \
		p++; \
	} else { \
		limit += 400000 + n; \
	}

long many(const int *p, long limit)
{
	for (int i = 0; i < 9; i++) {
		STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7)
	}
	return limit;
}
