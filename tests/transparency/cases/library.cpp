// SPDX-License-Identifier: MIT
// What C++ programs are made of: streams, containers, strings, algorithms, std::function,
// virtual and covariant calls, multiple inheritance, dynamic_cast, locale, smart
// pointers, variant, threads and futures, static initialisation.
#include "t.h"
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <iomanip>
#include <iostream>
#include <list>
#include <locale>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

struct shape {
	virtual ~shape() = default;
	virtual uint64_t area() const = 0;
	virtual std::unique_ptr<shape> twice() const = 0;
};
struct named {
	virtual ~named() = default;
	virtual std::string name() const
	{
		return "none";
	}
};
struct square : shape, named {
	uint64_t side;
	explicit square(uint64_t s) : side(s) {}
	uint64_t area() const override
	{
		return side * side;
	}
	std::unique_ptr<shape> twice() const override
	{
		return std::make_unique<square>(side * 2);
	}
	std::string name() const override
	{
		return "square" + std::to_string(side % 10);
	}
};
struct strip : virtual named, shape {
	uint64_t a, b;
	strip(uint64_t x, uint64_t y) : a(x), b(y) {}
	uint64_t area() const override
	{
		return a * b;
	}
	std::unique_ptr<shape> twice() const override
	{
		return std::make_unique<strip>(a, b * 2);
	}
};

static uint64_t shapes(unsigned n)
{
	std::vector<std::unique_ptr<shape>> all;
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++) {
		if (i % 3)
			all.push_back(std::make_unique<square>(i));
		else
			all.push_back(std::make_unique<strip>(i, i + 1));
		if (i % 5 == 0)
			all.push_back(all[i / 2]->twice());
	}
	for (const auto &s : all) {
		sum = t_mix(sum, s->area());
		if (auto *n1 = dynamic_cast<const named *>(s.get()))
			sum += n1->name().size();
		if (auto *q = dynamic_cast<const square *>(s.get()))
			sum ^= q->side;
	}
	return sum;
}

static uint64_t containers(unsigned seed)
{
	std::mt19937_64 random(seed);
	std::map<uint64_t, std::string> tree;
	std::unordered_map<std::string, uint64_t> table;
	std::set<uint64_t> ordered;
	std::list<uint64_t> chain;
	uint64_t sum = 0;

	for (unsigned i = 0; i < 200; i++) {
		uint64_t value = random() % 500;

		tree[value] += std::to_string(value);
		table["k" + std::to_string(value % 50)] += value;
		ordered.insert(value);
		chain.push_front(value);
	}
	chain.sort(std::greater<>());
	chain.unique();
	CHECK(chain.size() == ordered.size());
	for (const auto &[key, text] : tree)
		sum = t_mix(sum, key + text.size());
	for (unsigned i = 0; i < 50; i++)
		sum = t_mix(sum, table["k" + std::to_string(i)]);
	return std::accumulate(chain.begin(), chain.end(), sum, t_add);
}

static uint64_t algorithms(unsigned seed)
{
	std::vector<std::string> words;
	std::vector<double> numbers(300);
	std::function<bool(const std::string &, const std::string &)> less =
		[seed](const std::string &a, const std::string &b) {
			return (seed & 1) ? a < b : b < a;
		};
	uint64_t sum = 0;

	for (unsigned i = 0; i < 100; i++)
		words.push_back(std::to_string(t_mix(seed, i) % 1000));
	std::sort(words.begin(), words.end(), less);
	std::stable_sort(words.begin(), words.end(),
	                 [](const auto &a, const auto &b) { return a.size() < b.size(); });
	std::generate(numbers.begin(), numbers.end(),
	              [n = (double)seed]() mutable { return n = n * 1.5 - (double)(int)n; });
	std::nth_element(numbers.begin(), numbers.begin() + 150, numbers.end());
	std::partial_sum(numbers.begin(), numbers.end(), numbers.begin());
	for (const auto &w : words)
		sum = t_mix(sum, std::hash<std::string>()(w));
	return t_mix(sum, (uint64_t)(int64_t)numbers[150]);
}

static uint64_t streams(unsigned seed)
{
	std::ostringstream out;
	std::string word;
	uint64_t sum = 0;

	out << std::hex << std::setw(12) << std::setfill('.') << t_mix(seed, 1) << ' ' << std::dec
	    << std::setprecision(8) << 1.0 / (seed + 3) << ' ' << std::boolalpha << (seed % 2 == 0)
	    << ' '
	    << std::put_time(std::localtime([] {
				     static time_t t = 0;
				     return &t;
			     }()),
	                     "%Y")
	    << '\n';
	std::istringstream in(out.str());
	while (in >> word)
		sum = t_mix(sum, std::hash<std::string>()(word));
	if (seed % 100 == 0)
		std::cout << out.str() << std::flush;
	return sum;
}

static uint64_t patterns(unsigned seed)
{
	std::string text = std::to_string(seed) + "-abc! x" + std::to_string(seed * 3) + "-de";
	uint64_t sum = text.find("-de") + text.rfind('x');

	std::variant<int, std::string, double> v = (int)seed;
	if (seed % 3 == 1)
		v = text;
	if (seed % 3 == 2)
		v = seed * 0.5;
	return sum +
	       std::visit(
		       [](const auto &x) -> uint64_t {
			       if constexpr (std::is_same_v<std::decay_t<decltype(x)>, std::string>)
				       return x.size();
			       else
				       return (uint64_t)x;
		       },
		       v);
}

static thread_local uint64_t n_local;
static std::atomic<uint64_t> n_destroyed;
struct at_thread_end {
	uint64_t value = 3;
	~at_thread_end()
	{
		n_destroyed += value;
	}
};
static thread_local at_thread_end ending;

static uint64_t threads()
{
	std::vector<std::thread> all;
	std::mutex lock;
	std::condition_variable changed;
	uint64_t total = 0, arrived = 0;

	for (unsigned i = 0; i < 6; i++)
		all.emplace_back([&, i] {
			uint64_t mine = shapes(50 + i);

			n_local += i;
			ending.value = 3;
			std::unique_lock<std::mutex> held(lock);
			total += mine + n_local;
			if (++arrived == 6)
				changed.notify_all();
			changed.wait(held, [&] { return arrived == 6; });
		});
	for (auto &t : all)
		t.join();
	std::future<uint64_t> later = std::async(std::launch::async, containers, 5u);
	try {
		std::async(std::launch::async, []() -> int {
			throw std::runtime_error("x");
		}).get();
		CHECK(0);
	} catch (const std::runtime_error &) {
		total++;
	}
	return total + later.get();
}

static const std::string at_start = [] {
	return std::to_string(shapes(100));
}();

int main()
{
	uint64_t sum = std::hash<std::string>()(at_start);

	std::cout.imbue(std::locale::classic());
	setenv("TZ", "UTC", 1);
	for (unsigned i = 0; i < 200; i++) {
		sum = t_mix(sum, shapes(i));
		sum = t_mix(sum, containers(i));
		sum = t_mix(sum, algorithms(i));
		sum = t_mix(sum, streams(i));
		sum = t_mix(sum, patterns(i));
	}
	for (unsigned i = 0; i < 10; i++)
		sum = t_mix(sum, threads());
	CHECK(n_destroyed == 180);
	std::cout << "ok " << sum << std::endl;
	return 0;
}
