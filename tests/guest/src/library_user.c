// SPDX-License-Identifier: MIT
/*
 * library_user.c - works by the library until /tmp/enough is there; says what each round has come to, if that is not always the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

uint32_t library_work(const uint8_t *bytes, uint32_t n);

int main(void)
{
	static uint8_t bytes[20000 + SEED];
	uint32_t first, again, i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 197 + i / 256 + SEED);
	first = library_work(bytes, sizeof(bytes));
	do {
		again = library_work(bytes, sizeof(bytes));
		if (again != first)
			printf("another: %u\n", again);
	} while (access("/tmp/enough", F_OK) != 0);
	printf("%u\n", first);
	return 0;
}
