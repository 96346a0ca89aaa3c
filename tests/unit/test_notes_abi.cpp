/* SPDX-License-Identifier: MIT */
/*
 * The contract's layout as C++ sees it: the same checks as in test_notes_abi.c. The
 * library's headers are included too: tools in C++ may use them.
 */
#include "notes_abi.h"
#include "reader.h"
#include "writer.h"

extern "C" int notes_abi_cpp(void)
{
	return 0;
}
