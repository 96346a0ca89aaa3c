/* SPDX-License-Identifier: MIT */
/*
 * marks.cpp - every spelling of "leave this alone", once, for `dynopt audit`.
 * Functions whose names start with plain_ must stay out of the lists.
 */
#include <dynopt/dynopt.h>

volatile int sink;

DYNOPT_DISABLE int by_macro(int x)
{
	sink = x;
	return x + 1;
}

__attribute__((dynopt_disable)) int by_attribute(int x)
{
	sink = x;
	return x + 2;
}

[[dynopt::disable]] int by_bracket(int x)
{
	sink = x;
	return x + 3;
}

#pragma dynopt disable push
static int by_pragma(int x)
{
	sink = x;
	return x + 4;
}
#pragma dynopt disable pop

int pragma_in_body(int x)
{
#pragma dynopt disable push
	sink = x;
#pragma dynopt disable pop
	return x + 5;
}

DYNOPT_DISABLE_PUSH
int by_macro_region(int x)
{
	sink = x;
	return x;
}
DYNOPT_DISABLE_POP

template <class T> [[dynopt::disable]] T function_template(T x)
{
	sink = (int)x;
	return x + 1;
}

template <class T> struct holder {
	T value;

	DYNOPT_DISABLE T get()
	{
		sink = 3;
		return value;
	}

	T plain_get()
	{
		sink = 2;
		return value;
	}
};

struct counted {
	int value;

	DYNOPT_DISABLE counted(int x);
	DYNOPT_DISABLE ~counted();
};

counted::counted(int x) : value(x)
{
	sink = x;
}

counted::~counted()
{
	sink = value;
}

DYNOPT_DISABLE static inline int never_used(int x)
{
	return x;
}

#if 0
#pragma dynopt disable push
#endif
int plain_function(int x)
{
	sink = x;
	return x;
}

int main(int n, char **)
{
	counted c(n);
	holder<int> h{ 3 };
	holder<long> g{ 4 };

	return by_macro(n) + by_attribute(n) + by_bracket(n) + by_pragma(n) + pragma_in_body(n) +
	       by_macro_region(n) + function_template(n) + (int)function_template(2.0) + h.get() +
	       (int)g.get() + h.plain_get() + plain_function(n);
}
