// SPDX-License-Identifier: MIT
// Cold code that LLVM moves out late gets the address of locals: the frame is not private then.
// RUN: whole -O2
// RUN: split -O2 -mllvm -hot-cold-split -mllvm -hotcoldsplit-threshold=-1
// EXPECT-whole: f plain private
// EXPECT-split: f plain
// EXPECT-split: f.cold.1 plain private
// EXPECT: none plain private
int printf(const char *, ...);
void cold(void) __attribute__((cold));

int f(int x, unsigned i)
{
	int a[4] = { 1, 2, 3, x };

	a[i & 3] = 4;
	if (x == 77) {
		for (int k = 0; k < 4; k++)
			printf("%d %d %d\n", a[k], k, x);
		cold();
	}
	return a[(i >> 2) & 3];
}

int none(int x)
{
	return x;
}
