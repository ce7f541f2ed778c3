/* SPDX-License-Identifier: MIT */
/*
 * digest.c: see digest.h.
 *
 * Rejected: a library for it. The command is one static file, and the scanner needs this one
 * function of it.
 */
#include "cli/scan/image/digest.h"

#include <stdio.h>
#include <string.h>

#include "base/attr.h"

#define BLOCK sizeof(((struct digest *)0)->block)

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t turn(uint32_t x, unsigned by)
{
	return x >> by | x << (32 - by);
}

/* The 64 words that a block is spread to. */
static void spread(const unsigned char *block, uint32_t words[64])
{
	for (unsigned i = 0; i < 16; i++)
		words[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
			   (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
	for (unsigned i = 16; i < 64; i++) {
		uint32_t a = words[i - 15], b = words[i - 2];
		words[i] = words[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ a >> 3) + words[i - 7] +
			   (turn(b, 17) ^ turn(b, 19) ^ b >> 10);
	}
}

/* One of 64 rounds. The eight words keep their places; `i` says which of them plays which part. */
static inline void round_of(uint32_t s[8], unsigned i, uint32_t word)
{
	uint32_t a = s[-i % 8], b = s[(1 - i) % 8], c = s[(2 - i) % 8];
	uint32_t e = s[(4 - i) % 8], f = s[(5 - i) % 8], g = s[(6 - i) % 8];
	uint32_t one = s[(7 - i) % 8] + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) +
		       ((e & f) ^ (~e & g)) + constants[i] + word;
	uint32_t two = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
	s[(3 - i) % 8] += one;
	s[(7 - i) % 8] = one + two;
}

static void mix(uint32_t state[8], const unsigned char *block)
{
	uint32_t words[64], s[8];
	spread(block, words);
	memcpy(s, state, sizeof(s));
#pragma GCC unroll 8
	for (unsigned i = 0; i < 64; i++)
		round_of(s, i, words[i]);
	for (unsigned i = 0; i < 8; i++)
		state[i] += s[i];
}

void weft__digest_start(struct digest *d)
{
	/* The same of the square roots of the first eight primes. */
	*d = (struct digest){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
				       0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void weft__digest_add(struct digest *d, const void *data, size_t size)
{
	const unsigned char *p = data;
	while (size) {
		size_t filled = d->length % BLOCK, part = min_of(size, BLOCK - filled);
		if (part == BLOCK) {
			mix(d->state, p);
		} else {
			memcpy(d->block + filled, p, part);
			if (filled + part == BLOCK)
				mix(d->state, d->block);
		}
		d->length += part;
		p += part;
		size -= part;
	}
}

/* A one bit, zeros up to eight bytes before the end of a block, the length in bits. */
void weft__digest_end(struct digest *d, char text[DIGEST_TEXT])
{
	static const unsigned char padding[BLOCK] = {0x80};
	uint64_t bits = d->length * 8;
	unsigned char length[8];
	for (unsigned i = 0; i < 8; i++)
		length[i] = (unsigned char)(bits >> (56 - 8 * i));
	weft__digest_add(d, padding, 1 + (2 * BLOCK - 9 - d->length % BLOCK) % BLOCK);
	weft__digest_add(d, length, sizeof(length));
	char *end = stpcpy(text, "sha256:");
	for (unsigned i = 0; i < 8; i++)
		end += sprintf(end, "%08x", d->state[i]);
}
