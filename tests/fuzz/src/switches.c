/* SPDX-License-Identifier: MIT */
/*
 * switches.c - functions that are little else than jumps through jump tables: an interpreter's loop, switches alone, in one another, whose
 * cases call, compare into bytes, read flags late, or fall into one another.
 */
typedef unsigned long word;

word outside(word, word);

#define OPERATIONS(X) \
	X(0, a += b) \
	X(1, b ^= a << 3) \
	X(2, c += a * b) \
	X(3, a = a * 7 + c) \
	X(4, b -= c) \
	X(5, c ^= b >> 5) \
	X(6, a = a < b) \
	X(7, b = (unsigned char)c == (unsigned char)a)

word interpret(const unsigned char *p, word n)
{
	word a = n, b = 2, c = 0;

	while (n--) {
		switch (*p++) {
#define X(number, what) \
	case number: \
		what; \
		break;
			OPERATIONS(X)
#undef X
		case 8:
			return a + b;
		}
	}
	return a ^ b ^ c;
}

#define ONE(name, type, more) \
	word name(type which, word a, word b, word c) \
	{ \
		switch (which) { \
			OPERATIONS(CASE) \
		case 8: \
			more; \
		case 9: \
			return c; \
		} \
		return a - b + c; \
	}
#define CASE(number, what) \
	case number: \
		what; \
		break;
ONE(one_byte, unsigned char, c++)
ONE(one_int, int, a = outside(b, c))
ONE(one_word, word, return outside(a, b) + c)
ONE(one_call, unsigned, outside(a, b); return outside(c, c))

word small(unsigned which, word a)
{
	switch (which) {
	case 0:
		return a * 3;
	case 1:
		return a / 7;
	case 2:
		return outside(a, 1);
	case 3:
		return a >> 3 ^ a;
	case 4:
		return (a << 1) + 9;
	}
	return 0;
}

word twice(unsigned first, unsigned second, word a)
{
	word sum = small(first, a) + a;

	switch (second) {
	case 10:
		sum += small(first + 1, sum);
		break;
	case 11:
		sum = outside(sum, first);
		break;
	case 12:
		sum ^= small(first, sum);
		break;
	case 13:
		sum = sum > a;
		break;
	case 14:
		sum -= 3;
	}
	return sum;
}
