// SPDX-License-Identifier: MIT
// Marks on what C++ has: methods, templates, lambdas, COMDAT, exceptions.
// FLAGS: -Wall -Werror -Wextra -std=c++20 -fno-inline
// RUN: O0 -O0
// RUN: O2 -O2
// EXPECT: _ZN1S9by_memberEi plain private USER
// EXPECT: _ZN1S9in_regionEi plain private USER
// EXPECT: _ZN1S8ordinaryEi plain private
// EXPECT: _ZN1S11out_of_lineEi plain private USER
// EXPECT: _ZN1SC2Ei plain private USER
// EXPECT: _Z16by_cxx11_spelledi plain private USER
// EXPECT: _Z11by_templateIiET_S0_ plain private USER
// EXPECT: _Z11by_templateIlET_S0_ plain private USER
// EXPECT: _Z13free_templateIiET_S0_ plain private
// EXPECT: _ZN13ClassTemplateIiE6methodEi plain private USER
// EXPECT: _ZNK3$_1clEi plain private USER
// EXPECT: _ZNK3$_2clEi plain private USER
// EXPECT: _ZN5space6withinEi plain USER
// EXPECT: _ZZN5space6withinEiENK3$_0clEv plain private USER
// EXPECT: _Z6throwsi plain private
// EXPECT: _Z7catchesi plain private
// EXPECT: _Z4usesi plain
#include <dynopt/dynopt.h>

struct S {
	int v;
	DYNOPT_DISABLE S(int x) : v(x) {}
	__attribute__((dynopt_disable)) int by_member(int x)
	{
		return x + v;
	}
	DYNOPT_DISABLE int out_of_line(int x);
#pragma dynopt disable push
	int in_region(int x)
	{
		return x * v;
	}
#pragma dynopt disable pop
	int ordinary(int x)
	{
		return x - v;
	}
};

int S::out_of_line(int x)
{
	return x + 1;
}

[[dynopt::disable]] int by_cxx11_spelled(int x)
{
	return x;
}

template <class T> [[dynopt::disable]] T by_template(T x)
{
	return x + 2;
}

template <class T> T free_template(T x)
{
	return x - 2;
}

auto lambda = [](int x) __attribute__((dynopt_disable)) {
	return x * 5;
};

#pragma dynopt disable push
template <class T> struct ClassTemplate {
	T method(T x)
	{
		return x ^ 1;
	}
};

auto lambda_in_region = [](int x) {
	return x * 6;
};

namespace space
{
int within(int x)
{
	auto inner = [&] {
		return x + 2;
	};

	return inner();
}
} // namespace space
#pragma dynopt disable pop

int throws(int x)
{
	if (x == 7)
		throw x;
	return x;
}

int catches(int x)
{
	try {
		return throws(x);
	} catch (...) {
		return 0;
	}
}

int uses(int x)
{
	S s(x);
	ClassTemplate<int> c;

	return s.by_member(x) + s.in_region(x) + s.ordinary(x) + s.out_of_line(x) + by_template(x) +
	       free_template(x) + (int)by_template((long)x) + lambda(x) + lambda_in_region(x) +
	       c.method(x) + space::within(x);
}
