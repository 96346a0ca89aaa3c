// SPDX-License-Identifier: MIT
// Flags that add code after the IR is final.
// RUN: pg -O2 -pg
// RUN: hooks -O2 -finstrument-functions
// RUN: patchable -O2 -fpatchable-function-entry=4,2
// RUN: split -O2 -fsplit-stack
// RUN: asan -O1 -fsanitize=address
// RUN: tsan -O1 -fsanitize=thread
// RUN: ubsan -O1 -fsanitize=undefined
// EXPECT-pg: f plain RETADDR
// EXPECT-hooks: f plain RETADDR
// EXPECT-patchable: f plain SLEDS noslots
// EXPECT-split: f plain SPLITSTACK noslots
// EXPECT-asan: f
// EXPECT-asan: asan.module_ctor plain private
// EXPECT-tsan: f RETADDR
// EXPECT-tsan: tsan.module_ctor plain private
// EXPECT-ubsan: f plain private
int f(int *p)
{
	return *p + 1;
}
