/* SPDX-License-Identifier: MIT */
/*
 * work.c - a loop over a switch, so that there are loop heads and a jump table;
 * three functions of equal code, one of which is to be left alone; and one that
 * nothing calls.
 */
#include <dynopt/dynopt.h>

int work(const char *text)
{
	int sum = 0;

	for (; *text; text++) {
		switch (*text) {
		case '%':
			sum ^= 0x55;
			break;
		case '*':
			sum *= 3;
			break;
		case '+':
			sum += 7;
			break;
		case ',':
			sum -= 9;
			break;
		case '-':
			sum <<= 1;
			break;
		case '.':
			sum = ~sum;
			break;
		case '/':
			sum /= 5;
			break;
		default:
			sum += *text;
		}
	}
	return sum;
}

__attribute__((noinline)) int twin_a(int x)
{
	return x * 1000 + 7;
}

__attribute__((noinline)) int twin_b(int x)
{
	return x * 1000 + 7;
}

DYNOPT_DISABLE __attribute__((noinline)) int twin_disabled(int x)
{
	return x * 1000 + 7;
}

int never_called(int x)
{
	return work("") + x;
}
