// SPDX-License-Identifier: MIT
// Every way in which a C source can ask to be left alone.
// FLAGS: -Wall -Werror -Wextra -std=c23
// EXPECT: by_attribute plain private USER
// EXPECT: by_c23 plain private USER
// EXPECT: by_annotate plain private USER
// EXPECT: by_header plain private USER
// EXPECT: by_declaration plain private USER
// EXPECT: by_region plain private USER
// EXPECT: by_region_static plain private USER
// EXPECT: by_inner_region plain private USER
// EXPECT: still_in_outer plain private USER
// EXPECT: after_region plain private
// EXPECT: by_operator plain private USER
// EXPECT: by_clang_pragma plain private USER
// EXPECT: by_header_region plain private USER
// EXPECT: by_body plain private USER
// EXPECT: pop_in_body plain private USER
// EXPECT: ordinary plain private
#include <dynopt/dynopt.h>

__attribute__((dynopt_disable)) int by_attribute(int x)
{
	return x;
}

[[dynopt::disable]] int by_c23(int x)
{
	return x;
}

__attribute__((annotate("dynopt_disable"))) int by_annotate(int x)
{
	return x;
}

DYNOPT_DISABLE int by_header(int x)
{
	return x;
}

int by_declaration(int x) DYNOPT_DISABLE;
int by_declaration(int x)
{
	return x;
}

#pragma dynopt disable push
int by_region(int x)
{
	return x;
}

static int by_region_static(int x)
{
	return x;
}

#pragma dynopt disable push
int by_inner_region(int x)
{
	return by_region_static(x);
}
#pragma dynopt disable pop

int still_in_outer(int x)
{
	return x;
}
#pragma dynopt disable pop

int after_region(int x)
{
	return x;
}

#define QUIET(...) _Pragma("dynopt disable push") __VA_ARGS__ _Pragma("dynopt disable pop")
QUIET(int by_operator(int x) { return x; })

#pragma clang attribute push(__attribute__((dynopt_disable)), apply_to = function)
int by_clang_pragma(int x)
{
	return x;
}
#pragma clang attribute pop

DYNOPT_DISABLE_PUSH
int by_header_region(int x)
{
	return x;
}
DYNOPT_DISABLE_POP

int by_body(int x)
{
	if (x)
		return 1;
#pragma dynopt disable push
	x++;
#pragma dynopt disable pop
	return x;
}

#pragma dynopt disable push
int pop_in_body(int x)
{
#pragma dynopt disable pop
	return x;
}

int ordinary(int x)
{
	return x;
}
