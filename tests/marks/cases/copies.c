// SPDX-License-Identifier: MIT
// Copies to and from locals, up to the sizes that code generation surely expands inline.
// EXPECT: up_to_32 plain private
// EXPECT: overlapping_16 plain private
// EXPECT: more_than_32 plain
// EXPECT: overlapping_17 plain
// EXPECT: filled plain
char from[64], to[64];

int up_to_32(unsigned i)
{
	char local[32];

	__builtin_memcpy(local, from, 32);
	local[i & 31] = 1;
	__builtin_memcpy(to, local, 31);
	return local[(i >> 5) & 31];
}

int overlapping_16(unsigned i)
{
	char local[32];

	__builtin_memcpy(local, from, 32);
	local[i & 31] = 1;
	__builtin_memmove(local + 1, local, 16);
	return local[(i >> 5) & 31];
}

int more_than_32(unsigned i)
{
	char local[64];

	__builtin_memcpy(local, from, 33);
	local[i & 31] = 1;
	return local[(i >> 5) & 31];
}

int overlapping_17(unsigned i)
{
	char local[32];

	__builtin_memcpy(local, from, 32);
	local[i & 31] = 1;
	__builtin_memmove(local + 1, local, 17);
	return local[(i >> 5) & 31];
}

int filled(unsigned i)
{
	char local[64];

	__builtin_memset(local, i, i & 63);
	local[i & 31] = 1;
	return local[(i >> 5) & 31];
}
