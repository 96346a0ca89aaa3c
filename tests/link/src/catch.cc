/* SPDX-License-Identifier: MIT */
/*
 * catch.cc - templates (COMDAT groups) and exceptions through them.
 */
#include <stdexcept>
#include <string>
#include <vector>

template <typename T> __attribute__((noinline)) T checked(const std::vector<T> &v, size_t i)
{
	if (i >= v.size())
		throw std::out_of_range("index " + std::to_string(i));
	return v[i];
}

extern "C" int try_catch(int x)
{
	std::vector<int> numbers{ 1, 2, 3 };
	std::vector<long> longs{ 10, 20 };
	int caught = 0;

	for (size_t i = 0; i < 5; i++) {
		try {
			caught += checked(numbers, i) + static_cast<int>(checked(longs, i));
		} catch (const std::out_of_range &e) {
			caught += 100 * x + static_cast<int>(std::string(e.what()).size());
		}
	}
	return caught;
}
