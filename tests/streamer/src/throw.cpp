/* SPDX-License-Identifier: MIT */
/* Exceptions through code that was made longer: landing pads, cleanups, templates. */
#include <cstdio>
#include <stdexcept>
#include <string>

static int count;
struct Guard {
	~Guard()
	{
		count++;
	}
};

__attribute__((noinline)) static int thrower(int k)
{
	Guard g;

	switch (k % 7) {
	case 0:
		throw 1;
	case 1:
		throw std::string("x");
	case 2:
		throw std::runtime_error("q");
	case 3:
		throw 2.5;
	case 4:
		return 4;
	case 5:
		return 6;
	default:
		throw 'c';
	}
}

static int catcher(int k)
{
	Guard g;

	try {
		return thrower(k) + thrower(k + 1);
	} catch (int i) {
		return i;
	} catch (std::string &s) {
		return (int)s.size() + 10;
	} catch (std::exception &e) {
		return e.what()[0];
	} catch (...) {
		try {
			return thrower(k + 2);
		} catch (...) {
			return -4;
		}
	}
}

template <class T> struct Base {
	virtual T f(T) = 0;
	virtual ~Base() = default;
};
struct Derived : Base<int> {
	int f(int a) override
	{
		if (a > 3)
			throw a;
		return a;
	}
};

int main()
{
	long sum = 0;
	Derived d;
	Base<int> *b = &d;

	for (int i = 0; i < 100; i++)
		sum = sum * 31 % 1000003 + catcher(i);
	for (int i = 0; i < 9; i++) {
		try {
			sum += b->f(i);
		} catch (int k) {
			sum -= k * 3;
		}
	}
	std::printf("%ld %d\n", sum, count);
}
