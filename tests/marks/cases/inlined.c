// SPDX-License-Identifier: MIT
// What is inlined brings its reasons and takes facts away; a disabled function stays out.
// RUN: O2 -O2
// RUN: Os -Os
// EXPECT: takes_return_address plain RETADDR
// EXPECT: takes_frame_address plain FRAMEADDR
// EXPECT: takes_asm
// EXPECT: takes_volatile private
// EXPECT: escape_within plain
// EXPECT: takes_disabled plain private
// EXPECT: disabled plain private USER
// EXPECT: disabled_by_pragma plain private USER
// EXPECT: disabled_inline plain private USER
// EXPECT: contains_disabled plain private USER
// EXPECT: contains_disabled_deeply plain private USER
// EXPECT: flattens plain private
int volatile vg;
void sink(void *);

static inline void *return_address(void)
{
	return __builtin_return_address(0);
}

static inline void *frame_address(void)
{
	return __builtin_frame_address(0);
}

static inline int with_asm(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x;
}

static inline int with_volatile(void)
{
	return vg;
}

static inline void escaping(int x)
{
	sink(&x);
}

__attribute__((dynopt_disable)) static inline int disabled(int x)
{
	return x * 3;
}

static inline int disabled_by_pragma(int x)
{
#pragma dynopt disable push
	x *= 5;
#pragma dynopt disable pop
	return x;
}

/* It cannot be kept out of its callers, so they are disabled with it. */
__attribute__((dynopt_disable, always_inline)) static inline int disabled_inline(int x)
{
	return x * 7;
}

__attribute__((always_inline)) static inline int between(int x)
{
	return disabled_inline(x) + 1;
}

void *takes_return_address(void)
{
	return return_address();
}

void *takes_frame_address(void)
{
	return frame_address();
}

int takes_asm(int x)
{
	return with_asm(x) + 1;
}

int takes_volatile(void)
{
	return with_volatile() + 1;
}

void escape_within(int x)
{
	escaping(x);
}

int takes_disabled(int x)
{
	return disabled(x) + disabled_by_pragma(x);
}

int contains_disabled(int x)
{
	return disabled_inline(x) + 1;
}

int contains_disabled_deeply(int x)
{
	return between(x) + 1;
}

__attribute__((flatten)) int flattens(int x)
{
	return disabled(x) + 2;
}
