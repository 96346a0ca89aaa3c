// SPDX-License-Identifier: MIT
/*
 * library.c - a library compiled with the flag, of which library_user.c makes two programs.
 */
#include <stdint.h>

uint32_t library_work(const uint8_t *bytes, uint32_t n);

uint32_t library_work(const uint8_t *bytes, uint32_t n)
{
	uint32_t i, sum = 0, twos = 0;

	for (i = 0; i < n; i++) {
		sum = sum * 31 + bytes[i];
		if (bytes[i] % 7 == 2)
			twos += sum >> 16;
		else if (bytes[i] > 250)
			sum ^= twos;
	}
	return sum + twos;
}
