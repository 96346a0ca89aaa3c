/* SPDX-License-Identifier: MIT */
/*
 * The contract's layout as C sees it; test_notes_abi.cpp includes this file's checks
 * through notes_abi.h and sees it as C++. That both compile is the test.
 */
#include "notes_abi.h"

int main(void)
{
	return notes_abi_cpp();
}
