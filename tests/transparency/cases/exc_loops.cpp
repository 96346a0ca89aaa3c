// SPDX-License-Identifier: MIT
// Exceptions through and out of hot loops: destructors run exactly once and in order,
// values and types arrive, rethrown ones too, from deep recursion, out of constructors,
// through std::function, std::sort and iostreams.
#include "t.h"
#include <algorithm>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

static uint64_t n_made, n_gone;

struct counted {
	uint64_t value;
	explicit counted(uint64_t v) : value(v)
	{
		n_made++;
	}
	counted(const counted &other) : value(other.value)
	{
		n_made++;
	}
	~counted()
	{
		n_gone++;
	}
};

struct own_error : std::runtime_error {
	uint64_t value;
	explicit own_error(uint64_t v) : std::runtime_error("own"), value(v) {}
};

struct refusing {
	counted first;
	explicit refusing(uint64_t v) : first(v)
	{
		if (v % 3 == 0)
			throw own_error(v);
	}
};

static T_NOINLINE uint64_t dig(uint64_t x, unsigned depth)
{
	counted here(x);

	if (!depth) {
		switch (x % 4) {
		case 0:
			throw own_error(x);
		case 1:
			throw std::string("text");
		case 2:
			throw (int)(x & 0xffff);
		default:
			throw counted(x);
		}
	}
	return dig(t_mix(x, depth), depth - 1) + here.value;
}

static T_NOINLINE uint64_t catching(uint64_t x, unsigned depth)
{
	try {
		dig(x, depth);
	} catch (const own_error &e) {
		return t_mix(e.value, 1);
	} catch (const std::string &s) {
		return t_mix(s.size(), 2);
	} catch (int i) {
		return t_mix((uint64_t)i, 3);
	} catch (const counted &c) {
		return t_mix(c.value, 4);
	}
	CHECK(0);
	return 0;
}

static T_NOINLINE uint64_t again(uint64_t x)
{
	try {
		try {
			try {
				dig(x, 2);
			} catch (...) {
				counted c(x);
				throw;
			}
		} catch (const own_error &e) {
			throw std::runtime_error(e.what() + std::string("!"));
		}
	} catch (const std::runtime_error &e) {
		return std::string(e.what()).size();
	} catch (...) {
		return 77;
	}
	return 0;
}

static T_NOINLINE uint64_t through_library(unsigned i)
{
	std::vector<uint64_t> v;
	unsigned n = 0;

	for (unsigned k = 0; k < 60; k++)
		v.push_back(t_mix(i, k));
	try {
		std::sort(v.begin(), v.end(), [&](uint64_t a, uint64_t b) {
			if (++n == 50 + i % 30)
				throw own_error(n);
			return a < b;
		});
	} catch (const own_error &e) {
		return e.value;
	}
	return 0;
}

static T_NOINLINE uint64_t through_stream(unsigned i)
{
	std::istringstream in("12 34 x");
	uint64_t sum = 0;

	in.exceptions(std::ios::failbit);
	try {
		for (;;) {
			unsigned value;

			in >> value;
			sum += value + i;
		}
	} catch (const std::ios_base::failure &) {
		return sum;
	}
}

int main()
{
	uint64_t sum = 1;

	for (unsigned i = 0; i < 3000; i++) {
		sum = t_mix(sum, catching(sum + i, i % 25));
		sum = t_mix(sum, again(sum));
		if (i % 4 == 0) {
			try {
				refusing r(i);
				sum = t_mix(sum, r.first.value);
			} catch (const own_error &e) {
				sum = t_mix(sum, e.value + 5);
			}
		}
		if (i % 16 == 0)
			sum = t_mix(sum, through_library(i) + through_stream(i));
		std::function<uint64_t(uint64_t)> f = [&](uint64_t x) {
			counted c(x);
			if (x & 1)
				throw c;
			return x;
		};
		try {
			sum = t_mix(sum, f(sum));
		} catch (const counted &c) {
			sum = t_mix(sum, c.value + 9);
		}
		CHECK(n_made == n_gone);
	}
	return t_ok(t_mix(sum, n_made));
}
