// SPDX-License-Identifier: MIT
// Exceptions between the program, a linked library and one that is loaded at run time,
// and out of a qsort comparison through libc: types are the same on both sides, cleanups
// run in all of them, and a library is unloaded after it threw.
#include "t.h"
#include <dlfcn.h>
#include <stdexcept>
#include <string>

struct shared_error {
	uint64_t value;
	std::string text;
	virtual ~shared_error();
};

extern "C" uint64_t lib1_call(uint64_t (*back)(uint64_t), uint64_t x);
extern "C" unsigned lib1_cleaned();

#if defined(LIB) && LIB == 1
shared_error::~shared_error() {}
static unsigned n_cleaned;
struct cleanup {
	~cleanup()
	{
		n_cleaned++;
	}
};
extern "C" uint64_t lib1_call(uint64_t (*back)(uint64_t), uint64_t x)
{
	cleanup c;
	uint64_t sum = 0;

	for (unsigned i = 0; i < 10; i++)
		sum = t_mix(sum, back(x + i));
	if (sum % 5 == 0) {
		shared_error e;
		e.value = sum;
		e.text = "lib1";
		throw e;
	}
	return sum;
}
extern "C" unsigned lib1_cleaned()
{
	return n_cleaned;
}
#elif defined(LIB)
extern "C" uint64_t lib2_throw(uint64_t x);
extern "C" uint64_t lib2_throw(uint64_t x)
{
	struct local {
		uint64_t *p;
		~local()
		{
			*p += 1;
		}
	};
	uint64_t n = x;
	local l = { &n };

	for (unsigned i = 0; i < 8; i++) {
		n = t_switch(n, (unsigned)n & 7);
		if (n % 3 == 0)
			throw std::out_of_range("lib2");
	}
	return n;
}
#else
static uint64_t back(uint64_t x)
{
	if (x % 31 == 7) {
		shared_error e;
		e.value = x;
		e.text = "main";
		throw e;
	}
	return t_switch(x, (unsigned)x & 7);
}

static unsigned n_compared;

static int comparing(const void *a, const void *b)
{
	if (++n_compared % 97 == 0)
		throw std::string("compared");
	return t_compare(a, b);
}

static uint64_t sorting(unsigned i)
{
	uint32_t words[64];

	for (unsigned k = 0; k < 64; k++)
		words[k] = (uint32_t)t_mix(i, k);
	try {
		qsort(words, 64, 4, comparing);
	} catch (const std::string &s) {
		return s.size();
	}
	return 1;
}

static uint64_t loading(unsigned i)
{
	void *lib = dlopen("./lib2.so", RTLD_NOW | RTLD_LOCAL);
	uint64_t (*lib2_throw)(uint64_t), sum = 0;

	CHECK(lib);
	*(void **)&lib2_throw = dlsym(lib, "lib2_throw");
	CHECK(lib2_throw);
	for (unsigned k = 0; k < 50; k++) {
		try {
			sum = t_mix(sum, lib2_throw(i + k));
		} catch (const std::exception &e) {
			sum = t_mix(sum, (uint64_t)e.what()[3]);
		}
	}
	CHECK(!dlclose(lib));
	return sum;
}

int main()
{
	uint64_t sum = 0;
	unsigned n_calls = 0;

	for (unsigned i = 0; i < 2000; i++) {
		n_calls++;
		try {
			sum = t_mix(sum, lib1_call(back, sum & 0xffff));
		} catch (const shared_error &e) {
			sum = t_mix(sum, e.value + e.text.size());
		}
		CHECK(lib1_cleaned() == n_calls);
		sum = t_mix(sum, sorting(i));
		if (i % 50 == 0)
			sum = t_mix(sum, loading(i));
	}
	return t_ok(sum);
}
#endif
