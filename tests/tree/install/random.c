/* SPDX-License-Identifier: MIT */
/* random.c: the smallest program that uses an installed libweft-random. */
#include <stdio.h>
#include <weft/random.h>

int main(void)
{
	unsigned char bytes[32] = {0};
	unsigned sum = 0;
	weft_random_bytes(bytes, sizeof(bytes));
	for (unsigned i = 0; i < sizeof(bytes); i++)
		sum += bytes[i];
	puts(sum ? "random bytes" : "zeros");
	return sum ? 0 : 1;
}
