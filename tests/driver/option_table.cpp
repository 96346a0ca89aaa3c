/* SPDX-License-Identifier: MIT */
/*
 * option_table.cpp - is value_options.def what clang itself believes?
 *
 * Asks clang's own option table which flags take the next argument and compares:
 * a flag missing in ours would let its value be taken for a flag of the driver's,
 * one too many would let a flag be taken for a value.
 */
#include "clang/Driver/Options.h"
#include "llvm/Option/OptTable.h"
#include "llvm/Option/Option.h"

#include <cstdio>
#include <map>
#include <string>

using llvm::opt::Option;

static int values(const Option &option)
{
	switch (option.getKind()) {
	case Option::SeparateClass:
	case Option::JoinedOrSeparateClass:
	case Option::JoinedAndSeparateClass:
		return 1;
	case Option::MultiArgClass:
		return option.getNumArgs();
	default:
		return 0;
	}
}

int main()
{
	std::map<std::string, int> ours = {
#define X(spelling, n) { spelling, n },
#define XP(spelling, n) { spelling, n },
#include "value_options.def"
	};
	const auto &table = clang::driver::getDriverOptTable();
	int failed = 0;

	for (unsigned i = 1; i <= table.getNumOptions(); i++) {
		Option option = table.getOption(i);
		std::string name = option.isValid() ? option.getPrefixedName().str() : "";
		int n = option.isValid() ? values(option) : 0;

		if (!n || name[0] != '-' ||
		    !option.hasVisibilityFlag(clang::driver::options::ClangOption))
			continue;
		auto row = ours.find(name);
		if (row == ours.end() || row->second != n) {
			std::printf("clang's %s takes %d values\n", name.c_str(), n);
			failed = 1;
		}
		if (row != ours.end())
			ours.erase(row);
	}
	for (const auto &row : ours) {
		std::printf("clang has no %s that takes values\n", row.first.c_str());
		failed = 1;
	}
	return failed;
}
