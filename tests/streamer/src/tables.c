/* SPDX-License-Identifier: MIT */
/* Jump tables: proven ones, and indirect jumps that look like them and are none. */
extern void use(int), take(int);
typedef int fn(int);

#define CASES(n) \
	case 0: \
		use((n) + 10); \
		break; \
	case 1: \
		take((n) + 21); \
		break; \
	case 2: \
		use((n) + 32); \
		break; \
	case 3: \
		use((n) + 43); \
		break; \
	case 4: \
		take(n); \
		break; \
	case 5: \
		use((n) + 65); \
		break;

void two(int k, const int *p)
{
	int q = p[k] + 1;

	switch (q) {
		CASES(1)
	default:
		use(8);
	}
	switch (k & 7) {
		CASES(99)
	default:
		use(18);
	}
}

/* The tail call has the shape of a table jump, but takes the caller's table. */
int lookalike(const int *tab, long i, int k)
{
	switch (k) {
		CASES(7)
	default:
		return ((fn *)((const char *)tab + tab[i]))(k);
	}
	return 3;
}
